import Canonical
import Chains
import Intents

/// What one making of intents knows of the addresses that transfers leave. Nothing is signed
/// meanwhile, so what an address has left is read once.
final class SourceRound {
    /// Addresses that can pay for one another: those under one key.
    struct Pool: Hashable {
        let keyVault: KeyVaultID
        let chain: ChainID
    }

    private struct Keeper {
        let transaction: TransactionID
        /// A nonce of the address is being signed, so nobody else may have it, nor the same again.
        let isSigning: Bool
    }

    private struct Place: Hashable {
        let address: String
        let asset: AssetID
    }

    private struct Lot: Hashable {
        let pool: Pool
        let asset: AssetID
    }

    private var keepers: [Pool: [String: Keeper]] = [:]
    private var left: [Place: (asset: Amount, coins: Amount)] = [:]
    private var missing: [Lot: (amount: Amount, fee: Amount)] = [:]

    /// Keeps an address for a transaction; who had it first has it on.
    func keep(
        _ address: String, in pool: Pool, for transaction: TransactionID, isSigning: Bool
    ) {
        guard keepers[pool]?[address] == nil else { return }
        keepers[pool, default: [:]][address] = Keeper(
            transaction: transaction, isSigning: isSigning)
    }

    /// For which other transaction an address is kept.
    func keeper(
        of address: String, in pool: Pool, beside transaction: TransactionID
    ) -> TransactionID? {
        guard let keeper = keepers[pool]?[address],
            keeper.isSigning || keeper.transaction != transaction
        else { return nil }
        return keeper.transaction
    }

    func kept(in pool: Pool) -> Int { keepers[pool]?.count ?? 0 }

    func left(
        of asset: AssetID, at address: WalletAddress,
        _ read: () throws -> (asset: Amount, coins: Amount)
    ) rethrows -> (asset: Amount, coins: Amount) {
        let place = Place(address: address.text, asset: asset)
        if let known = left[place] { return known }
        let found = try read()
        left[place] = found
        return found
    }

    /// All addresses of the pool together do not hold as much.
    func lacks(_ amount: Amount, fee: Amount, of asset: AssetID, in pool: Pool) {
        missing[Lot(pool: pool, asset: asset)] = (amount, fee)
    }

    /// Whether that is known already, so that nobody looks again.
    func isKnownToLack(_ amount: Amount, fee: Amount, of asset: AssetID, in pool: Pool) -> Bool {
        guard let least = missing[Lot(pool: pool, asset: asset)] else { return false }
        return least.amount <= amount && least.fee <= fee
    }
}

/// Which address a transfer leaves.
extension Books {
    /// How many addresses are looked at, beside those that are busy.
    static let sourcesMost = 64

    /// An address for a withdrawal, or whom those that hold enough are kept for.
    enum Source {
        case address(WalletAddress)
        case kept(for: TransactionID)
    }

    /// The address that a withdrawal leaves: one of the vault's first, then the fullest under
    /// the same key, so that change does not scatter. Nil where none holds enough.
    func source(
        for transaction: Transaction, _ asset: Asset, _ round: SourceRound
    ) throws -> Source? {
        guard
            let need = SourceNeed(
                asset.asset, amount: transaction.amount, fee: transaction.feeLimit)
        else { throw LedgerFault.impossible("amount of \(transaction.id)") }
        let pool = try pool(of: transaction, asset)
        var keeper: TransactionID?
        for vault in [transaction.vault, nil] {
            let holding = try store.addresses(
                under: pool.keyVault, in: vault, holding: need,
                most: Self.sourcesMost + round.kept(in: pool))
            for address in holding where try isSpendable(need, at: address, round) {
                guard
                    let other = round.keeper(
                        of: address.text, in: pool, beside: transaction.id)
                else { return .address(address) }
                keeper = keeper ?? other
            }
        }
        return keeper.map { .kept(for: $0) }
    }

    func pool(of transaction: Transaction, _ asset: Asset) throws -> SourceRound.Pool {
        SourceRound.Pool(
            keyVault: try keyVault(of: transaction.vault, transaction.tenant),
            chain: asset.asset.chain)
    }

    func isSpendable(
        _ need: SourceNeed, at address: WalletAddress, _ round: SourceRound
    ) throws -> Bool {
        let left = try round.left(of: need.asset, at: address) {
            try self.left(of: need.asset, at: address)
        }
        return left.asset >= need.amount && left.coins >= need.fee
    }

    /// What the address holds of the asset and of its chain's coin, without what signed transfers
    /// are about to take of it.
    ///
    /// - Parameter nonce: only what those before it take; nil for all.
    func left(
        of asset: AssetID, at address: WalletAddress, before nonce: UInt64? = nil
    ) throws -> (asset: Amount, coins: Amount) {
        let coin = asset.feeAsset
        var left: [AssetID: Amount] = [:]
        for asset in [coin, asset] {
            left[asset] = try store.funds(of: address.text, asset: asset)
        }
        // Of bytes with one nonce one is mined, whichever takes the most.
        var taken: [UInt64: (coins: Amount, tokens: Amount)] = [:]
        for transfer in try store.broadcasting(from: address.text, on: address.chain)
        where transfer.nonce < nonce ?? .max {
            let (coins, tokens) = try Self.most(transfer, of: asset)
            let before = taken[transfer.nonce] ?? (.zero, .zero)
            taken[transfer.nonce] = (max(before.coins, coins), max(before.tokens, tokens))
        }
        for (coins, tokens) in taken.values {
            left[coin] = left[coin]?.subtracting(coins) ?? .zero
            if asset != coin { left[asset] = left[asset]?.subtracting(tokens) ?? .zero }
        }
        return (left[asset] ?? .zero, left[coin] ?? .zero)
    }

    /// What signed bytes take of their source at most: coins with the fee, and of a token.
    static func most(
        _ transfer: OutgoingTransfer, of asset: AssetID
    ) throws -> (coins: Amount, tokens: Amount) {
        guard let signed = SignedEVMTransaction(raw: transfer.raw),
            let coins = signed.transaction.fee.most?.adding(signed.transaction.value)
        else { throw LedgerFault.impossible("transfer \(transfer.hash)") }
        guard case .tokens(let moved, let contract) = signed.transaction.payment,
            contract == asset.contract
        else { return (coins, .zero) }
        return (coins, moved.amount)
    }

    /// Notes for which withdrawals the addresses are kept that it could leave.
    func waitForSource(_ transaction: inout Transaction, keptFor keepers: [TransactionID]) throws {
        let withdrawals = try keepers.map { try store.transaction($0)?.parent ?? $0 }
        try wait(
            &transaction, .sourceAddress, who: Set(withdrawals.map(\.text)).sorted())
    }

    /// What the source of a signed transfer lacks for it, with what to do; nil if nothing.
    func lack(of transaction: Transaction, nonce: UInt64) throws -> String? {
        let asset = try asset(transaction.asset)
        guard let text = transaction.sourceAddress,
            let source = try store.address(text, on: asset.asset.chain),
            let need = SourceNeed(
                asset.asset, amount: transaction.amount, fee: transaction.feeMost)
        else { return nil }
        let left = try self.left(of: asset.asset, at: source, before: nonce)
        let coin = try feeAsset(of: asset)
        let lacking = [(need.amount, left.asset, asset), (need.fee, left.coins, coin)].compactMap {
            need, left, asset in
            need.subtracting(left).flatMap {
                $0.isZero ? nil : "\($0.text(decimals: asset.decimals)) \(asset.symbol)"
            }
        }
        guard !lacking.isEmpty else { return nil }
        return "It is signed, and its source address lacks \(lacking.joined(separator: " and ")), "
            + "since the chain took back what was there. It goes on when that comes in again; "
            + "else send as much to \(text)."
    }
}
