import Algebra
import Canonical
import Custody
import GRDB
import Identity
import Intents
import KeyGroups

extension SQLStore {
    func insert(_ tenant: Tenant) throws {
        try run(
            """
            INSERT INTO tenants (id, name, environment, cooling_seconds, created_at)
            VALUES (?, ?, ?, ?, ?)
            """,
            [
                tenant.id.data, tenant.name, Int64(tenant.environment.rawValue),
                tenant.coolingSeconds, tenant.createdAt.milliseconds,
            ])
    }

    func update(_ tenant: Tenant) throws {
        try run(
            "UPDATE tenants SET cooling_seconds = ? WHERE id = ?",
            [tenant.coolingSeconds, tenant.id.data])
    }

    func tenant(_ id: TenantID) throws -> Tenant? {
        try row("SELECT * FROM tenants WHERE id = ?", [id.data]).map(Self.tenant)
    }

    func tenants() throws -> [Tenant] {
        try rows("SELECT * FROM tenants ORDER BY seq").map(Self.tenant)
    }

    private static func tenant(_ row: Row) throws -> Tenant {
        guard let environment = CustodyEnvironment(rawValue: try row.number("environment")) else {
            throw row.corrupt("environment")
        }
        return Tenant(
            id: try row.value("id"), name: row["name"], environment: environment,
            coolingSeconds: row["cooling_seconds"], createdAt: row.time("created_at"))
    }

    /// Identity keys that stand one after the other in a column.
    static func keys(_ row: Row, _ column: String) throws -> [IdentityPublicKey] {
        let bytes = try row.bytes(column)
        let size = IdentityPublicKey.byteCount
        guard bytes.count.isMultiple(of: size) else { throw row.corrupt(column) }
        return stride(from: 0, to: bytes.count, by: size).map {
            IdentityPublicKey(unchecked: Array(bytes[$0..<$0 + size]))
        }
    }

    func insert(_ holder: RegisteredHolder) throws {
        try run(
            "INSERT INTO holders (identity, name, created_at) VALUES (?, ?, ?)",
            [holder.identity.data, holder.name, holder.createdAt.milliseconds])
    }

    func holders() throws -> [RegisteredHolder] {
        try rows("SELECT * FROM holders ORDER BY name").map { row in
            RegisteredHolder(
                identity: try row.value("identity"), name: row["name"],
                createdAt: row.time("created_at"), onlineSince: row.optionalTime("online_since"))
        }
    }

    func setOnline(_ holder: IdentityPublicKey, since: Timestamp?) throws {
        try run(
            "UPDATE holders SET online_since = ? WHERE identity = ?",
            [since?.milliseconds, holder.data])
    }

    func setAllOffline() throws { try run("UPDATE holders SET online_since = NULL") }

    func insert(_ key: APIKey) throws {
        try run(
            """
            INSERT INTO api_keys (id, tenant, name, scopes, sealed_secret, created_at)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            [
                key.id.text, key.tenant.data, key.name,
                key.scopes.map(\.rawValue).sorted().joined(separator: " "), key.sealedSecret.data,
                key.createdAt.milliseconds,
            ])
    }

    func revoke(_ key: APIKeyID, at: Timestamp) throws -> Bool {
        try changes(
            "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
            [at.milliseconds, key.text])
    }

    func apiKey(_ id: APIKeyID) throws -> APIKey? {
        try row("SELECT * FROM api_keys WHERE id = ?", [id.text]).map(Self.apiKey)
    }

    func apiKeys(of tenant: TenantID) throws -> [APIKey] {
        try rows("SELECT * FROM api_keys WHERE tenant = ? ORDER BY created_at", [tenant.data])
            .map(Self.apiKey)
    }

    private static func apiKey(_ row: Row) throws -> APIKey {
        guard let id = APIKeyID(text: row["id"]) else { throw row.corrupt("id") }
        let scopes = (row["scopes"] as String).split(separator: " ").compactMap {
            Scope(rawValue: String($0))
        }
        return APIKey(
            id: id, tenant: try row.value("tenant"), name: row["name"], scopes: Set(scopes),
            sealedSecret: try row.bytes("sealed_secret"), createdAt: row.time("created_at"),
            revokedAt: row.optionalTime("revoked_at"))
    }
}
