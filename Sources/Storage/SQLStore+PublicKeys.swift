import Custody
import Foundation
import GRDB
import Identity
import Intents

extension SQLStore {
    func insert(_ key: PublicAPIKey) throws {
        try run(
            """
            INSERT INTO public_api_keys
                (id, tenant, name, permissions, cidrs, created_at, expires_at, callback_url)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                key.id.text, key.tenant.data, key.name,
                key.permissions.map(\.rawValue).sorted().joined(separator: " "),
                key.ranges?.map(\.text).joined(separator: " "), key.createdAt.milliseconds,
                key.expiresAt?.milliseconds, key.callbackURL,
            ])
    }

    func update(_ key: PublicAPIKey) throws {
        try run(
            "UPDATE public_api_keys SET revoked_at = ? WHERE id = ?",
            [key.revokedAt?.milliseconds, key.id.text])
    }

    func publicAPIKey(_ id: APIPublicKey) throws -> PublicAPIKey? {
        try row("SELECT * FROM public_api_keys WHERE id = ?", [id.text]).map(Self.publicAPIKey)
    }

    func publicAPIKeys(
        of tenant: TenantID, _ request: PageRequest
    ) throws -> Page<PublicAPIKey> {
        try page(
            request, "SELECT * FROM public_api_keys", where: "tenant = ?", [tenant.data],
            Self.publicAPIKey)
    }

    func setUsed(_ key: APIPublicKey, at: Timestamp) throws {
        try run(
            "UPDATE public_api_keys SET last_used_at = ? WHERE id = ?",
            [at.milliseconds, key.text])
    }

    func countWord(of key: APIPublicKey) throws -> Int {
        let changed = try row(
            "UPDATE public_api_keys SET words = words + 1 WHERE id = ? RETURNING words", [key.text])
        guard let changed else {
            throw CorruptRow(description: "no public_api_keys of \(key.text)")
        }
        return changed["words"]
    }

    private static func publicAPIKey(_ row: Row) throws -> PublicAPIKey {
        guard let id = APIPublicKey(text: row["id"]) else { throw row.corrupt("id") }
        // A permission that a later version knows is none of this one's.
        let permissions = (row["permissions"] as String).split(separator: " ").compactMap {
            Permission(rawValue: String($0))
        }
        return PublicAPIKey(
            id: id, tenant: try row.value("tenant"), name: row["name"],
            permissions: Set(permissions), ranges: try ranges(row),
            callbackURL: row["callback_url"],
            createdAt: row.time("created_at"), expiresAt: row.optionalTime("expires_at"),
            revokedAt: row.optionalTime("revoked_at"),
            lastUsedAt: row.optionalTime("last_used_at"))
    }
}
