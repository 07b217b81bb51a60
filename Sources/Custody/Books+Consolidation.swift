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

    /// An address, and the most that it can give beside a transfer's fee.
    private struct Spare {
        let address: WalletAddress
        let most: Amount
    }

    /// How many transfers must go before a withdrawal, 0 where one address holds enough; nil where
    /// they would not do. When it has its turn the addresses may hold less, and more are needed.
    func consolidations(
        _ amount: Amount, fee: Amount, of asset: Asset, under keyVault: KeyVaultID
    ) throws -> Int? {
        guard let need = SourceNeed(asset.asset, amount: amount, fee: fee) else { return nil }
        if try !store.addresses(under: keyVault, in: nil, holding: need, most: 1).isEmpty {
            return 0
        }
        let pool = SourceRound.Pool(keyVault: keyVault, chain: asset.asset.chain)
        return Self.gathering(
            amount, from: try spare(fee: fee, of: asset.asset, pool, SourceRound()))?.parts.count
    }

    /// Why they would not do.
    func notToBeGathered(
        _ amount: Amount, fee: Amount, of asset: Asset, under keyVault: KeyVaultID
    ) throws -> Refusal {
        let bare = try addressesWithoutGas(amount, fee: fee, of: asset.asset, keyVault)
        guard bare.isEmpty else {
            let coin = try feeAsset(of: asset)
            let own = bare.filter { actor.vaults?.contains($0.vault) ?? true }
            let others = bare.count - own.count
            let named =
                own.map(\.text)
                + (others == 0
                    ? [] : ["\(others) \(others == 1 ? "address" : "addresses") of other vaults"])
            return Refusal(
                .insufficientGas, field: "amount",
                "The \(asset.symbol) are on addresses without coins for the fee: send each of "
                    + "these \(fee.text(decimals: coin.decimals)) \(coin.symbol): "
                    + named.joined(separator: ", ") + ".")
        }
        let pool = SourceRound.Pool(keyVault: keyVault, chain: asset.asset.chain)
        let most = try spare(fee: fee, of: asset.asset, pool, SourceRound())
            .prefix(Self.consolidationsMost + 1)
            .reduce(Amount.zero) { $0.adding($1.most) ?? .most }
        return Refusal(
            .needsConsolidation, field: "amount",
            "No \(Self.consolidationsMost + 1) addresses under this key hold as much together "
                + "beside their fees. At most \(most.text(decimals: asset.decimals)) "
                + "\(asset.symbol) can leave at once: withdraw in parts.")
    }

    /// What each of the key's fullest addresses can give, the most first. Each pays the fee of
    /// what it sends.
    private func spare(
        fee: Amount, of asset: AssetID, _ pool: SourceRound.Pool, _ round: SourceRound
    ) throws -> [Spare] {
        guard let least = SourceNeed(asset, amount: Amount(UInt32(1)), fee: fee) else { return [] }
        return try store.addresses(
            under: pool.keyVault, in: nil, holding: least,
            most: Self.sourcesMost + round.kept(in: pool)
        ).compactMap { address -> Spare? in
            let left = try round.left(of: asset, at: address) {
                try self.left(of: asset, at: address)
            }
            guard asset != asset.feeAsset else {
                return left.coins.subtracting(fee).map { Spare(address: address, most: $0) }
            }
            return left.coins >= fee ? Spare(address: address, most: left.asset) : nil
        }.sorted { $0.most > $1.most }
    }

    /// The fullest address, and as few of the next as can send it what it lacks.
    private static func gathering(_ amount: Amount, from spare: [Spare]) -> Gathering? {
        guard let target = spare.first else { return nil }
        var missing = amount.subtracting(target.most) ?? .zero
        var parts: [(WalletAddress, Amount)] = []
        for source in spare.dropFirst().prefix(consolidationsMost)
        where !missing.isZero && !source.most.isZero {
            let part = min(source.most, missing)
            parts.append((source.address, part))
            missing = missing.subtracting(part) ?? .zero
        }
        return missing.isZero ? Gathering(target: target.address, parts: parts) : nil
    }

    /// The first few addresses that hold tokens and cannot pay for sending them, where the tokens
    /// of all together would be enough.
    private func addressesWithoutGas(
        _ amount: Amount, fee: Amount, of asset: AssetID, _ keyVault: KeyVaultID
    ) throws -> [WalletAddress] {
        guard asset.contract != nil,
            let least = SourceNeed(asset, amount: Amount(UInt32(1)), fee: .zero)
        else { return [] }
        let holding = try store.addresses(
            under: keyVault, in: nil, holding: least, most: Self.consolidationsMost + 1)
        var (sum, bare) = (Amount.zero, [WalletAddress]())
        for address in holding where sum < amount {
            let left = try left(of: asset, at: address)
            sum = sum.adding(left.asset) ?? .most
            if left.coins < fee { bare.append(address) }
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

    /// What a withdrawal has gathered is for anybody again.
    func letGo(_ transaction: inout Transaction) throws {
        guard transaction.sourceAddress != nil else { return }
        transaction.sourceAddress = nil
        try store.update(transaction)
    }

    /// Makes the transfers that gather a withdrawal's funds, with source and destination fixed, and
    /// reserves what their fees take beyond what is reserved; or notes what it waits for.
    func consolidate(
        _ transaction: inout Transaction, _ asset: Asset, _ round: SourceRound
    ) throws -> [Transaction] {
        let pool = try pool(of: transaction, asset)
        let (id, amount, fee) = (transaction.id, transaction.amount, transaction.feeLimit)
        let spare = try spare(fee: fee, of: asset.asset, pool, round)
        let free = spare.filter {
            round.keeper(of: $0.address.text, in: pool, beside: id) == nil
        }
        guard let gathering = Self.gathering(amount, from: free), !gathering.parts.isEmpty else {
            try letGo(&transaction)
            if let kept = Self.gathering(amount, from: spare) {
                let addresses = [kept.target] + kept.parts.map(\.source)
                try waitForSource(
                    &transaction,
                    keptFor: addresses.compactMap {
                        round.keeper(of: $0.text, in: pool, beside: id)
                    })
            } else {
                round.lacks(amount, fee: fee, of: asset.asset, in: pool)
                try wait(&transaction, .funds, who: [])
            }
            return []
        }
        if let obstacle = try reserveFees(gathering.parts.count, for: &transaction) {
            try letGo(&transaction)
            try wait(&transaction, .funds, who: [], next: obstacle)
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
            round.keep(part.source.text, in: pool, for: transfer.id, isSigning: true)
            return transfer
        }
        round.keep(gathering.target.text, in: pool, for: id, isSigning: false)
        // What was reserved for their fees with the withdrawal is theirs from now on.
        transaction.consolidationsLeft -= made.count
        transaction.sourceAddress = gathering.target.text
        try store.update(transaction)
        try wait(&transaction, .consolidation, who: made.map(\.id.text))
        return made
    }

    /// Reserves the fees of so many transfers, as far as they are not reserved; or says what is in
    /// the way, and what to do.
    private func reserveFees(_ needed: Int, for transaction: inout Transaction) throws -> String? {
        let further = needed - transaction.consolidationsLeft
        guard further > 0 else { return nil }
        let made = try store.consolidations(of: transaction.id).count
        let id = transaction.id
        guard let purse = try purses(of: transaction).first(where: \.paysFee),
            let fees = transaction.feeLimit.times(UInt64(further)),
            let all = transaction.feeLimit.times(UInt64(1 + made + needed))
        else { throw LedgerFault.impossible("fees of \(id)") }
        let (wallet, coin) = (purse.wallet, try asset(purse.wallet.asset))
        func text(_ amount: Amount) -> String {
            "\(amount.text(decimals: coin.decimals)) \(coin.symbol)"
        }
        let transfers = further == 1 ? "1 further transfer" : "\(further) further transfers"
        let needs = "Its funds are on several addresses, and gathering them needs \(transfers)"
        guard made + needed <= Self.consolidationsMost else {
            return "\(needs), more than the \(Self.consolidationsMost) that a withdrawal may have. "
                + "It goes on when one address holds enough; else cancel it and ask again."
        }
        guard all <= transaction.maxFee ?? .most else {
            return "\(needs): all fees together may be \(text(all)), above the 'maxFee' that was "
                + "asked for. It goes on when one address holds enough; else cancel it and ask "
                + "again."
        }
        guard wallet.status == .active,
            try fees <= store.balance(of: wallet.account(.available))
        else {
            return "\(needs), whose fees of up to \(text(fees)) the wallet \(wallet.id) has not "
                + "available. It goes on when it has; add coins there, or cancel it."
        }
        let prefix = "reserve:\(id):more:"
        let number = try store.entryCount(of: id, prefix: prefix)
        try post(
            "\(prefix)\(number)\(purse.suffix)", debit: wallet.account(.available),
            credit: wallet.account(.reserved), fees, for: id)
        transaction.consolidationsLeft += further
        try recordBalance(of: wallet)
        return nil
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
    /// on. It may be signed already where the transfer was final before a reorganisation.
    func failWithdrawal(of transfer: Transaction, _ failure: Failure) throws {
        guard let id = transfer.parent, var withdrawal = try store.transaction(id) else { return }
        let why = Failure(
            failure.code,
            "The transfer \(transfer.id) that should gather its funds on one address failed: "
                + failure.message)
        switch withdrawal.status {
        case .submitted: try fail(&withdrawal, why)
        case .pendingSignature:
            if try !mayBeSigned(withdrawal) { _ = try stop(&withdrawal, because: why) }
        case .broadcasting:
            guard
                let nonce = try store.outgoing(of: id).last(where: { $0.state == .broadcasting })?
                    .nonce,
                let lack = try lack(of: withdrawal, nonce: nonce)
            else { return }
            try wait(&withdrawal, .chain, who: withdrawal.waiting?.who ?? [], next: lack)
        case .confirming, .completed, .failed, .cancelled: break
        }
    }
}
