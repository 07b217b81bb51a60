import Canonical
import Custody
import GRDB
import Intents
import KeyGroups

/// Key vaults and their keys.
extension SQLStore {
    func insert(_ keyVault: KeyVault) throws {
        try run(
            "INSERT INTO key_vaults (id, tenant, name, kind, created_at) VALUES (?, ?, ?, ?, ?)",
            [
                keyVault.id.data, keyVault.tenant.data, keyVault.name, keyVault.kind.rawValue,
                keyVault.createdAt.milliseconds,
            ])
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
            kind: try row.text("kind"), createdAt: row.time("created_at"))
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
