import Algebra
import Canonical
import Custody
import GRDB
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
                createdAt: row.time("created_at"), onlineSince: row.optionalTime("online_since"),
                isOwn: row["is_own"])
        }
    }

    func setOnline(_ holder: IdentityPublicKey, since: Timestamp?) throws {
        try run(
            "UPDATE holders SET online_since = ? WHERE identity = ?",
            [since?.milliseconds, holder.data])
    }

    func setOwn(_ holder: IdentityPublicKey) throws {
        try run("UPDATE holders SET is_own = (identity = ?)", [holder.data])
    }

    func setAllOffline() throws { try run("UPDATE holders SET online_since = NULL") }
}
