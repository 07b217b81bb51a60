import Canonical
import Custody
import Foundation
import GRDB
import Identity
import Intents

extension SQLStore {
    func insert(_ key: APIKey) throws {
        try run(
            """
            INSERT INTO api_keys
                (id, tenant, name, scopes, cidrs, vaults, sealed_secret, created_at, expires_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                key.id.text, key.tenant.data, key.name,
                key.scopes.map(\.rawValue).sorted().joined(separator: " "),
                key.ranges?.map(\.text).joined(separator: " "), key.vaults.map(Self.data),
                key.sealedSecret.data, key.createdAt.milliseconds, key.expiresAt?.milliseconds,
            ])
    }

    func update(_ key: APIKey) throws {
        try run(
            """
            UPDATE api_keys SET sealed_secret = ?, previous_sealed_secret = ?, previous_until = ?,
                revoked_at = ? WHERE id = ?
            """,
            [
                key.sealedSecret.data, key.previous?.sealedSecret.data,
                key.previous?.until.milliseconds, key.revokedAt?.milliseconds, key.id.text,
            ])
    }

    func apiKey(_ id: APIKeyID) throws -> APIKey? {
        try one("SELECT * FROM api_keys WHERE id = ?", [id.text], Self.apiKey)
    }

    func apiKeys(of tenant: TenantID, _ request: PageRequest) throws -> Page<APIKey> {
        try page(
            request, "SELECT * FROM api_keys", where: "tenant = ?", [tenant.data], Self.apiKey)
    }

    func setUsed(_ key: APIKeyID, at: Timestamp) throws {
        try run(
            "UPDATE api_keys SET last_used_at = ? WHERE id = ?", [at.milliseconds, key.text])
    }

    private static func apiKey(_ row: Row) throws -> APIKey {
        guard let id = APIKeyID(text: row["id"]) else { throw row.corrupt("id") }
        let isLimited = row["vaults"] as Data? != nil
        var previous: APIKey.Previous?
        if let until = row.optionalTime("previous_until") {
            previous = .init(sealedSecret: try row.bytes("previous_sealed_secret"), until: until)
        }
        return APIKey(
            id: id, tenant: try row.value("tenant"), name: row["name"],
            scopes: scopes(row["scopes"]),
            ranges: try ranges(row), vaults: isLimited ? Set(try vaults(row)) : nil,
            sealedSecret: try row.bytes("sealed_secret"), previous: previous,
            createdAt: row.time("created_at"), expiresAt: row.optionalTime("expires_at"),
            revokedAt: row.optionalTime("revoked_at"),
            lastUsedAt: row.optionalTime("last_used_at"))
    }

    private static let scopes = Dictionary(
        uniqueKeysWithValues: Scope.allCases.map { (Substring($0.rawValue), $0) })

    /// What a later version may have added is left out.
    private static func scopes(_ text: String) -> Set<Scope> {
        var found = Set<Scope>(minimumCapacity: scopes.count)
        for name in text.utf8.split(separator: UInt8(ascii: " ")) {
            if let scope = scopes[Substring(name)] { found.insert(scope) }
        }
        return found
    }

    static func ranges(_ row: Row) throws -> [AddressRange]? {
        try (row["cidrs"] as String?)?.split(separator: " ").map { text in
            guard let range = try? AddressRange(String(text)) else { throw row.corrupt("cidrs") }
            return range
        }
    }

    /// Ids one after the other.
    private static func data(_ vaults: some Sequence<VaultID>) -> Data {
        Data(vaults.sorted { $0.text < $1.text }.flatMap(\.bytes))
    }

    private static func vaults(_ row: Row) throws -> [VaultID] {
        let bytes = try row.bytes("vaults")
        let size = VaultID.byteCount
        guard bytes.count.isMultiple(of: size) else { throw row.corrupt("vaults") }
        return stride(from: 0, to: bytes.count, by: size).map {
            VaultID(unchecked: Array(bytes[$0..<$0 + size]))
        }
    }

    func insert(_ entry: AuditEntry) throws {
        try run(
            """
            INSERT INTO audit
                (tenant, at, actor, action, subjects, vaults, changes, address, request)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                entry.tenant?.data, entry.at.milliseconds, entry.actor, entry.action,
                // No subject has a line break: they are ids and names of the configuration.
                entry.subjects.joined(separator: "\n"), Self.data(entry.vaults),
                try Self.text(entry.changes), entry.address, entry.request,
            ])
        let number = db.lastInsertedRowID
        for vault in entry.vaults {
            try run("INSERT INTO audit_vaults (vault, entry) VALUES (?, ?)", [vault.data, number])
        }
    }

    func audit(
        of tenant: TenantID, matching filter: AuditFilter, _ request: PageRequest
    ) throws -> Page<AuditEntry> {
        var condition = "tenant = ?"
        var arguments: StatementArguments = [tenant.data]
        if let vault = filter.vault {
            condition += " AND seq IN (SELECT entry FROM audit_vaults WHERE vault = ?)"
            arguments += [vault.data]
        }
        if let from = filter.from {
            condition += " AND at >= ?"
            arguments += [from.milliseconds]
        }
        if let to = filter.to {
            condition += " AND at < ?"
            arguments += [to.milliseconds]
        }
        return try page(request, "SELECT * FROM audit", where: condition, arguments) { row in
            AuditEntry(
                tenant: try row.optional("tenant"), at: row.time("at"), actor: row["actor"],
                action: row["action"],
                subjects: (row["subjects"] as String).split(separator: "\n").map { String($0) },
                vaults: try Self.vaults(row), changes: try Self.texts(row["changes"]),
                address: row["address"], request: row["request"])
        }
    }

    func add(_ usage: UsageCount) throws {
        try run(
            """
            INSERT INTO usage (tenant, day, endpoint, count) VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET count = count + excluded.count
            """, [usage.tenant.data, usage.day, usage.endpoint, usage.count])
    }

    func usage(of tenant: TenantID, days: ClosedRange<Int64>) throws -> [UsageCount] {
        try rows(
            """
            SELECT * FROM usage WHERE tenant = ? AND day BETWEEN ? AND ?
            ORDER BY day DESC, endpoint
            """, [tenant.data, days.lowerBound, days.upperBound]
        ).map { row in
            UsageCount(
                tenant: tenant, day: row["day"], endpoint: row["endpoint"], count: row["count"])
        }
    }
}
