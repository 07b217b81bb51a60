import Chains
import Custody
import Foundation
import GRDB
import Intents

extension SQLStore {
    func insert(_ vault: Vault) throws {
        try run(
            """
            INSERT INTO vaults
                (id, tenant, key_vault, number, external_id, name, metadata, status, content,
                 created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                vault.id.data, vault.tenant.data, vault.keyVault.data, Int64(vault.index),
                vault.externalID, vault.name, try Self.text(vault.metadata), vault.status.rawValue,
                vault.content?.data, vault.createdAt.milliseconds,
            ])
    }

    static func text(_ texts: [String: String]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(texts), as: UTF8.self)
    }

    static func texts(_ text: String) throws -> [String: String] {
        try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
    }

    func update(_ vault: Vault) throws {
        try run(
            "UPDATE vaults SET name = ?, metadata = ?, status = ? WHERE id = ?",
            [vault.name, try Self.text(vault.metadata), vault.status.rawValue, vault.id.data])
    }

    func disabledAssets(of tenant: TenantID) throws -> Set<String> {
        Set(
            try rows("SELECT asset FROM disabled_assets WHERE tenant = ?", [tenant.data])
                .map { $0["asset"] })
    }

    func set(_ asset: String, enabled: Bool, for tenant: TenantID) throws {
        try run(
            enabled
                ? "DELETE FROM disabled_assets WHERE tenant = ? AND asset = ?"
                : "INSERT OR IGNORE INTO disabled_assets (tenant, asset) VALUES (?, ?)",
            [tenant.data, asset])
    }

    func vault(_ id: VaultID, of tenant: TenantID) throws -> Vault? {
        try one(
            "SELECT * FROM vaults WHERE id = ? AND tenant = ?", [id.data, tenant.data], Self.vault)
    }

    func vault(externalID: String, of tenant: TenantID) throws -> Vault? {
        try row(
            "SELECT * FROM vaults WHERE tenant = ? AND external_id = ?", [tenant.data, externalID]
        ).map(Self.vault)
    }

    func vaults(
        of tenant: TenantID, matching filter: VaultFilter, _ request: PageRequest
    ) throws -> Page<Vault> {
        var condition = "tenant = ?"
        var arguments: StatementArguments = [tenant.data]
        if let keyVault = filter.keyVault {
            condition += " AND key_vault = ?"
            arguments += [keyVault.data]
        }
        let inKeyVault = " AND key_vault IN (SELECT id FROM key_vaults WHERE"
        if let project = filter.project {
            condition += "\(inKeyVault) project = ?)"
            arguments += [project.data]
        }
        if let kind = filter.kind {
            condition += "\(inKeyVault) kind = ?)"
            arguments += [kind.rawValue]
        }
        if let within = filter.within {
            condition += " AND id IN (\(Self.marks(within.count)))"
            arguments += StatementArguments(within.map(\.data))
        }
        return try page(request, "SELECT * FROM vaults", where: condition, arguments, Self.vault)
    }

    /// Question marks for so many arguments.
    static func marks(_ count: Int) -> String {
        repeatElement("?", count: count).joined(separator: ", ")
    }

    func nextVaultIndex(under keyVault: KeyVaultID) throws -> UInt32 {
        try run(
            "UPDATE key_vaults SET next_vault = next_vault + 1 WHERE id = ?", [keyVault.data])
        let next = try row("SELECT next_vault FROM key_vaults WHERE id = ?", [keyVault.data])
        guard let next, let index = UInt32(exactly: (next["next_vault"] as Int64) - 1) else {
            throw CorruptRow(description: "no further vault under the key vault")
        }
        return index
    }

    private static func vault(_ row: Row) throws -> Vault {
        guard let index = UInt32(exactly: row["number"] as Int64) else {
            throw row.corrupt("number")
        }
        return Vault(
            id: try row.value("id"), tenant: try row.value("tenant"),
            keyVault: try row.value("key_vault"), index: index, externalID: row["external_id"],
            name: row["name"],
            metadata: try texts(row["metadata"]),
            status: try row.text("status"), content: try row.optional("content"),
            createdAt: row.time("created_at"))
    }

    func insert(_ wallet: Wallet) throws {
        try run(
            """
            INSERT INTO wallets
                (id, tenant, vault, asset, label, deposit_address, status, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                wallet.id.data, wallet.tenant.data, wallet.vault.data, wallet.asset, wallet.label,
                wallet.depositAddress, wallet.status.rawValue, wallet.createdAt.milliseconds,
            ])
    }

    func setStatus(_ status: Wallet.Status, of wallet: WalletID) throws {
        try run("UPDATE wallets SET status = ? WHERE id = ?", [status.rawValue, wallet.data])
    }

    func wallet(_ id: WalletID) throws -> Wallet? {
        try one("SELECT * FROM wallets WHERE id = ?", [id.data], Self.wallet)
    }

    func wallet(_ id: WalletID, of tenant: TenantID) throws -> Wallet? {
        try one(
            "SELECT * FROM wallets WHERE id = ? AND tenant = ?", [id.data, tenant.data],
            Self.wallet)
    }

    func wallet(in vault: VaultID, asset: String) throws -> Wallet? {
        try row("SELECT * FROM wallets WHERE vault = ? AND asset = ?", [vault.data, asset])
            .map(Self.wallet)
    }

    func wallets(in vault: VaultID, _ request: PageRequest) throws -> Page<Wallet> {
        try page(
            request, "SELECT * FROM wallets", where: "vault = ?", [vault.data], Self.wallet)
    }

    private static func wallet(_ row: Row) throws -> Wallet {
        Wallet(
            id: try row.value("id"), tenant: try row.value("tenant"),
            vault: try row.value("vault"), asset: row["asset"], label: row["label"],
            depositAddress: row["deposit_address"], status: try row.text("status"),
            createdAt: row.time("created_at"))
    }
}
