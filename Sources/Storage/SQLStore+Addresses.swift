import Canonical
import Chains
import Custody
import GRDB
import Intents

extension SQLStore {
    func nextAddressNumber(of vault: VaultID, coin: UInt32) throws -> UInt32 {
        let last = try row(
            "SELECT max(number) AS last FROM addresses WHERE vault = ? AND coin = ?",
            [vault.data, Int64(coin)])
        guard let number = UInt32(exactly: (last?["last"] as Int64? ?? -1) + 1) else {
            throw CorruptRow(description: "no further address under the vault")
        }
        return number
    }

    func insert(_ address: WalletAddress) throws {
        try run(
            """
            INSERT INTO addresses
                (chain, text, tenant, vault, coin, vault_index, number, next_nonce, label,
                 created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                address.chain.text, address.text, address.tenant.data, address.vault.data,
                Int64(address.path.coin), Int64(address.path.vaultIndex),
                Int64(address.path.number), Int64(address.nextNonce), address.label,
                address.createdAt.milliseconds,
            ])
    }

    func addresses(
        of vault: VaultID, on chain: ChainID, _ request: PageRequest
    ) throws -> Page<WalletAddress> {
        try page(
            request, "SELECT * FROM (SELECT *, number + 1 AS seq FROM addresses)",
            where: "vault = ? AND coin = ? AND chain = ?",
            [vault.data, Int64(chain.coinType), chain.text], Self.address)
    }

    func addresses(
        of vault: VaultID, on chains: [ChainID], named names: [String]?, _ request: PageRequest
    ) throws -> Page<WalletAddress> {
        var condition = SQLCondition("vault = ?", [vault.data])
        condition.isOne("chain", of: chains.map(\.text))
        condition.isOne("text", of: names)
        // A number is one address's among those of a coin.
        return try page(
            request, "SELECT * FROM (SELECT *, (coin << 32) + number + 1 AS seq FROM addresses)",
            where: condition.text, condition.arguments, Self.address)
    }

    func address(_ text: String, on chain: ChainID) throws -> WalletAddress? {
        try row("SELECT * FROM addresses WHERE chain = ? AND text = ?", [chain.text, text])
            .map(Self.address)
    }

    func firstAddress(of vault: VaultID, on chain: ChainID) throws -> WalletAddress? {
        try row(
            """
            SELECT * FROM addresses WHERE vault = ? AND coin = ? AND chain = ?
            ORDER BY number LIMIT 1
            """, [vault.data, Int64(chain.coinType), chain.text]
        ).map(Self.address)
    }

    func addresses(
        under keyVault: KeyVaultID, in vault: VaultID?, holding need: SourceNeed, most: Int
    ) throws -> [WalletAddress] {
        let (amount, fee) = (need.amount.columns, need.fee.columns)
        let owner =
            vault == nil
            ? "held.tenant = (SELECT tenant FROM key_vaults WHERE id = ?)" : "held.vault = ?"
        return try rows(
            """
            SELECT addresses.* FROM address_funds AS held
            JOIN addresses ON addresses.chain = ? AND addresses.text = held.address
            WHERE \(owner) AND held.asset = ? AND (held.high, held.low) >= (?, ?)
                AND (SELECT key_vault FROM vaults WHERE vaults.id = held.vault) = ?
                AND (? = 0 AND ? = 0 OR EXISTS (
                    SELECT 1 FROM address_funds AS coins
                    WHERE coins.address = held.address AND coins.asset = ?
                        AND (coins.high, coins.low) >= (?, ?)))
            ORDER BY held.high DESC, held.low DESC LIMIT ?
            """,
            [
                need.asset.chain.text, vault?.data ?? keyVault.data, need.asset.text, amount.high,
                amount.low, keyVault.data, fee.high, fee.low, need.asset.feeAsset.text, fee.high,
                fee.low, most,
            ]
        ).map(Self.address)
    }

    func setNextNonce(_ nonce: UInt64, of address: WalletAddress) throws {
        try run(
            "UPDATE addresses SET next_nonce = ? WHERE chain = ? AND text = ?",
            [Int64(nonce), address.chain.text, address.text])
    }

    func funds(of address: String, asset: AssetID) throws -> Amount {
        try row(
            "SELECT high, low FROM address_funds WHERE address = ? AND asset = ?",
            [address, asset.text]
        )?.amount("high", "low") ?? .zero
    }

    func setFunds(_ funds: Amount, of address: WalletAddress, asset: AssetID) throws {
        let columns = funds.columns
        try run(
            """
            INSERT INTO address_funds (address, asset, tenant, vault, high, low)
            VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET high = excluded.high, low = excluded.low
            """,
            [
                address.text, asset.text, address.tenant.data, address.vault.data, columns.high,
                columns.low,
            ])
    }

    private static func address(_ row: Row) throws -> WalletAddress {
        guard let coin = UInt32(exactly: row["coin"] as Int64),
            let vaultIndex = UInt32(exactly: row["vault_index"] as Int64),
            let number = UInt32(exactly: row["number"] as Int64),
            let path = AccountPath(coin: coin, vaultIndex: vaultIndex, number: number)
        else { throw row.corrupt("number") }
        return WalletAddress(
            chain: try row.chain("chain"), text: row["text"], tenant: try row.value("tenant"),
            vault: try row.value("vault"), path: path, label: row["label"],
            nextNonce: try row.number("next_nonce"), createdAt: row.time("created_at"))
    }
}
