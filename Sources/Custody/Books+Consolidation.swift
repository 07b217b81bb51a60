import Chains
import Intents

/// Gathering on one address what a withdrawal needs, where none holds enough
/// (docs/decisions/0012-consolidation.md).
///
/// The transfers are transactions with intents of their own, and go from one address to another
/// under the same key, so that of the ledger they touch nothing but their fees. These are reserved
/// with the withdrawal.
extension Books {
    /// Most transfers that gather the funds of one withdrawal.
    public static let consolidationsMost = 16

    /// Which addresses send how much to which.
    private struct Gathering {
        let target: WalletAddress
        let parts: [(source: WalletAddress, amount: Amount)]
    }

    /// How many transfers must go before a withdrawal, 0 where one address holds enough; nil where
    /// they would not do.
    func consolidations(
        _ amount: Amount, fee: Amount, of asset: Asset, under keyVault: KeyVaultID
    ) throws -> Int? {
        guard let need = SourceNeed(asset.asset, amount: amount, fee: fee) else { return nil }
        if try !store.addresses(under: keyVault, in: nil, holding: need, most: 1).isEmpty {
            return 0
        }
        return try gathering(amount, fee: fee, of: asset.asset, keyVault, apartFrom: [])?.parts
            .count
    }

    /// Why they would not do.
    func notToBeGathered(
        _ amount: Amount, fee: Amount, of asset: Asset, under keyVault: KeyVaultID
    ) throws -> Refusal {
        let bare = try addressesWithoutGas(amount, fee: fee, of: asset.asset, keyVault)
        guard bare.isEmpty else {
            let coin = try feeAsset(of: asset)
            return Refusal(
                .insufficientGas, field: "amount",
                "The \(asset.symbol) are on addresses without coins for the fee: send each of "
                    + "these \(fee.text(decimals: coin.decimals)) \(coin.symbol): "
                    + bare.joined(separator: ", ") + ".")
        }
        return Refusal(
            .needsConsolidation, field: "amount",
            "No \(Self.consolidationsMost + 1) addresses under this key hold as much together "
                + "beside their fees; withdraw in parts.")
    }

    /// The fullest address, and as few of the next as can send it what it lacks. Each pays the fee
    /// of what it sends.
    private func gathering(
        _ amount: Amount, fee: Amount, of asset: AssetID, _ keyVault: KeyVaultID,
        apartFrom busy: Set<String>
    ) throws -> Gathering? {
        guard let least = SourceNeed(asset, amount: Amount(UInt32(1)), fee: fee) else { return nil }
        let spare = try store.addresses(
            under: keyVault, in: nil, holding: least, most: Self.sourcesMost + busy.count
        ).filter { !busy.contains($0.text) }.compactMap { address -> (WalletAddress, Amount)? in
            let left = try left(of: asset, at: address)
            guard asset != asset.feeAsset else {
                return left.coins.subtracting(fee).map { (address, $0) }
            }
            return left.coins >= fee ? (address, left.asset) : nil
        }.sorted { $0.1 > $1.1 }
        guard let (target, held) = spare.first else { return nil }
        var missing = amount.subtracting(held) ?? .zero
        var parts: [(WalletAddress, Amount)] = []
        for (source, most) in spare.dropFirst().prefix(Self.consolidationsMost)
        where !missing.isZero && !most.isZero {
            let part = min(most, missing)
            parts.append((source, part))
            missing = missing.subtracting(part) ?? .zero
        }
        return missing.isZero ? Gathering(target: target, parts: parts) : nil
    }

    /// The first few addresses that hold tokens and cannot pay for sending them, where the tokens
    /// of all together would be enough.
    private func addressesWithoutGas(
        _ amount: Amount, fee: Amount, of asset: AssetID, _ keyVault: KeyVaultID
    ) throws -> [String] {
        guard asset.contract != nil,
            let least = SourceNeed(asset, amount: Amount(UInt32(1)), fee: .zero)
        else { return [] }
        let holding = try store.addresses(
            under: keyVault, in: nil, holding: least, most: Self.consolidationsMost + 1)
        var (sum, bare) = (Amount.zero, [String]())
        for address in holding where sum < amount {
            let left = try left(of: asset, at: address)
            sum = sum.adding(left.asset) ?? .most
            if left.coins < fee { bare.append(address.text) }
        }
        return sum >= amount ? Array(bare.prefix(3)) : []
    }

    /// Whether transfers that gather the withdrawal's funds are under way; notes which.
    func waitsForConsolidation(_ transaction: inout Transaction) throws -> Bool {
        guard transaction.sourceAddress != nil else { return false }
        let live = try store.consolidations(of: transaction.id).filter { !$0.status.isFinal }
        if live.isEmpty { return false }
        try wait(&transaction, .consolidation, who: live.map(\.id.text))
        return true
    }

    /// Makes the transfers that gather a withdrawal's funds, as far as they are reserved for, with
    /// source and destination fixed; or notes what it waits for.
    func consolidate(
        _ transaction: inout Transaction, _ asset: Asset, apartFrom busy: Set<String>
    ) throws -> [Transaction] {
        let keyVault = try keyVault(of: transaction.vault, transaction.tenant)
        func plan(_ busy: Set<String>) throws -> Gathering? {
            guard
                let plan = try gathering(
                    transaction.amount, fee: transaction.feeLimit, of: asset.asset,
                    keyVault, apartFrom: busy),
                !plan.parts.isEmpty, plan.parts.count <= transaction.consolidationsLeft
            else { return nil }
            return plan
        }
        guard let gathering = try plan(busy) else {
            transaction.sourceAddress = nil
            try store.update(transaction)
            try wait(&transaction, try plan([]) == nil ? .funds : .sourceAddress, who: [])
            return []
        }
        let made = try gathering.parts.map { part in
            let transfer = Transaction(
                id: newID(), tenant: transaction.tenant, kind: .consolidation, status: .submitted,
                vault: transaction.vault, wallet: transaction.wallet, asset: asset.id,
                amount: part.amount, feeLimit: transaction.feeLimit, parent: transaction.id,
                feeLevel: transaction.feeLevel, sourceAddress: part.source.text,
                destinationAddress: gathering.target.text, createdAt: now, updatedAt: now)
            try store.insert(transfer)
            try store.append(TimelineEntry(status: .submitted, at: now), to: transfer.id)
            return transfer
        }
        // What was reserved for their fees with the withdrawal is theirs from now on.
        transaction.consolidationsLeft -= made.count
        transaction.sourceAddress = gathering.target.text
        try store.update(transaction)
        try wait(&transaction, .consolidation, who: made.map(\.id.text))
        return made
    }

    /// A withdrawal has ended: what would gather its funds ends too, unless it is signed. What is
    /// signed goes on, and stays the tenant's.
    func stopConsolidations(of withdrawal: Transaction) throws {
        for var transfer in try store.consolidations(of: withdrawal.id)
        where transfer.status == .pendingSignature {
            guard try !mayBeSigned(transfer) else { continue }
            _ = try stop(&transfer, because: Failure(.cancelled, "Its withdrawal has ended."))
        }
    }

    /// A transfer that should gather a withdrawal's funds has failed, so the withdrawal cannot go
    /// on.
    func failWithdrawal(of transfer: Transaction, _ failure: Failure) throws {
        guard let id = transfer.parent, var withdrawal = try store.transaction(id),
            withdrawal.status == .submitted
        else { return }
        try fail(
            &withdrawal,
            Failure(
                failure.code,
                "The transfer \(transfer.id) that should gather its funds on one address failed: "
                    + failure.message))
    }
}
