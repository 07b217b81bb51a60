import Canonical
import Custody
import GRDB
import Intents
import KeyGroups

/// Projects, key vaults and their keys.
extension SQLStore {
    func insert(_ project: Project) throws {
        try run(
            """
            INSERT INTO projects (id, tenant, name, required, participants, created_at)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            [
                project.id.data, project.tenant.data, project.name, project.threshold.required,
                project.threshold.holders, project.createdAt.milliseconds,
            ])
    }

    func update(_ project: Project) throws {
        try run("UPDATE projects SET name = ? WHERE id = ?", [project.name, project.id.data])
    }

    func project(_ id: ProjectID, of tenant: TenantID) throws -> Project? {
        try row("SELECT * FROM projects WHERE id = ? AND tenant = ?", [id.data, tenant.data])
            .map(Self.project)
    }

    func projects(of tenant: TenantID, _ request: PageRequest) throws -> Page<Project> {
        try page(
            request, "SELECT * FROM projects", where: "tenant = ?", [tenant.data], Self.project)
    }

    private static func project(_ row: Row) throws -> Project {
        guard let threshold = SigningThreshold(row["required"], of: row["participants"]) else {
            throw row.corrupt("required")
        }
        return Project(
            id: try row.value("id"), tenant: try row.value("tenant"), name: row["name"],
            threshold: threshold, createdAt: row.time("created_at"))
    }

    func insert(_ keyVault: KeyVault) throws {
        try run(
            """
            INSERT INTO key_vaults (id, tenant, name, kind, project, created_at)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            [
                keyVault.id.data, keyVault.tenant.data, keyVault.name, keyVault.kind.rawValue,
                keyVault.project?.data, keyVault.createdAt.milliseconds,
            ])
    }

    func update(_ keyVault: KeyVault) throws {
        try run(
            "UPDATE key_vaults SET name = ? WHERE id = ?", [keyVault.name, keyVault.id.data])
    }

    func keyVaults(
        of tenant: TenantID, _ kind: KeyVault.Kind?, project: ProjectID?, _ request: PageRequest
    ) throws -> Page<KeyVault> {
        var condition = "tenant = ?"
        var arguments: StatementArguments = [tenant.data]
        if let kind {
            condition += " AND kind = ?"
            arguments += [kind.rawValue]
        }
        if let project {
            condition += " AND project = ?"
            arguments += [project.data]
        }
        return try page(
            request, "SELECT * FROM key_vaults", where: condition, arguments, Self.keyVault)
    }

    func keyVault(_ id: KeyVaultID) throws -> KeyVault? {
        try row("SELECT * FROM key_vaults WHERE id = ?", [id.data]).map(Self.keyVault)
    }

    func keyVaults(of tenant: TenantID) throws -> [KeyVault] {
        try rows("SELECT * FROM key_vaults WHERE tenant = ? ORDER BY seq", [tenant.data])
            .map(Self.keyVault)
    }

    private static func keyVault(_ row: Row) throws -> KeyVault {
        KeyVault(
            id: try row.value("id"), tenant: try row.value("tenant"), name: row["name"],
            kind: try row.text("kind"), project: try row.optional("project"),
            createdAt: row.time("created_at"))
    }

    func put(_ key: VaultKey) throws {
        try run(
            """
            INSERT INTO vault_keys (key_vault, scheme, main_group, signing_group)
            VALUES (?, ?, ?, ?)
            ON CONFLICT (key_vault, scheme) DO UPDATE SET main_group = excluded.main_group,
                signing_group = excluded.signing_group
            """,
            [
                key.keyVault.data, Int64(key.scheme.rawValue), key.main.data, key.signing.data,
            ])
    }

    func key(_ scheme: SignatureScheme, of keyVault: KeyVaultID) throws -> VaultKey? {
        try row(
            "SELECT * FROM vault_keys WHERE key_vault = ? AND scheme = ?",
            [keyVault.data, Int64(scheme.rawValue)]
        ).map(Self.key)
    }

    func keys(of keyVault: KeyVaultID) throws -> [VaultKey] {
        try rows("SELECT * FROM vault_keys WHERE key_vault = ? ORDER BY scheme", [keyVault.data])
            .map(Self.key)
    }

    private static func key(_ row: Row) throws -> VaultKey {
        guard let scheme = SignatureScheme(rawValue: try row.number("scheme")) else {
            throw row.corrupt("scheme")
        }
        return VaultKey(
            keyVault: try row.value("key_vault"), scheme: scheme,
            main: try row.value("main_group"), signing: try row.value("signing_group"))
    }
}
