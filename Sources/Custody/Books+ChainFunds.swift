import Algebra
import Chains
import Intents
import KeyGroups

/// What one transfer or call would cost at a level, in gas and in base units of the chain's coin
/// per gas.
public struct TransferCost: Equatable, Sendable {
    public let gas: UInt64
    /// Most that a gas costs, the tip included.
    public let price: UInt64
    public let tip: UInt64
}

/// A vault seen by chain: for faces to which a vault is one wallet of many tokens.
extension Books {
    /// Most addresses that are opened at once.
    public static let addressesAtOnceMost: Int64 = 50

    /// Opens further addresses of a vault on a chain, and the wallet of the chain's coin if there
    /// is none.
    public func openAddresses(
        _ count: Int64, on chain: ChainID, in vaultID: VaultID, of tenant: TenantID
    ) throws -> [WalletAddress] {
        guard (1...Self.addressesAtOnceMost).contains(count) else {
            throw Refusal(
                .invalid, field: "count",
                "'count' must be from 1 to \(Self.addressesAtOnceMost).")
        }
        let vault = try vault(vaultID, of: tenant)
        guard let coin = settings.asset(.native(chain)) else {
            throw Refusal(.unknownNetwork, "There is no enabled network '\(chain.text)'.")
        }
        var opened: [WalletAddress] = []
        var wallet = try store.wallet(in: vault.id, asset: coin.id)
        if wallet == nil {
            let before = try store.firstAddress(of: vault.id, on: chain)
            wallet = try createWallet(
                WalletDraft(asset: coin.id, label: nil), in: vault.id, of: tenant)
            if before == nil, let first = try store.firstAddress(of: vault.id, on: chain) {
                opened.append(first)
            }
        }
        guard let wallet else { throw LedgerFault.impossible("wallet of \(vault.id)") }
        while opened.count < count {
            opened.append(try openAddress(label: nil, for: wallet.id, of: tenant))
        }
        return opened
    }

    /// The vault's addresses on these chains, or those of them that are named.
    public func addresses(
        in vaultID: VaultID, on chains: [ChainID], named names: [String]?, of tenant: TenantID,
        _ page: PageRequest
    ) throws -> Page<WalletAddress> {
        let vault = try vault(vaultID, of: tenant)
        return try store.addresses(of: vault.id, on: chains, named: names, page)
    }

    /// The public key of an address, and the root that it is derived from.
    public func keys(
        of address: WalletAddress, in vault: Vault
    ) throws -> (root: AnySharedKey, derived: [UInt8]) {
        let root = try activeKey(of: vault.keyVault)
        guard let derived = DerivedKey(address.path.derivation, of: root) else {
            throw LedgerFault.impossible("key of \(address.text)")
        }
        return (AnySharedKey(root), derived.publicKey.compressed)
    }

    /// What a transfer of the asset would cost at most at each level.
    public func transferCosts(of asset: Asset) throws -> [FeeLevel: TransferCost] {
        try costs(gas: asset.gasLimit, on: asset.asset.chain)
    }

    /// What so much gas would cost at most at each level.
    func costs(gas: UInt64, on chain: ChainID) throws -> [FeeLevel: TransferCost] {
        let prices = try prices(chain)
        return Dictionary(
            uniqueKeysWithValues: FeeLevel.allCases.map { level in
                (level, TransferCost(gas: gas, price: prices.limit(level), tip: prices.tip(level)))
            })
    }
}
