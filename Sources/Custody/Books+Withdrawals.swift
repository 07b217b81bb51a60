import Canonical
import Chains
import Intents

/// What a caller says of a withdrawal.
public struct WithdrawalDraft: Sendable {
    public let sourceWallet: WalletID?
    public let addressBookEntry: AddressBookEntryID?
    public let destinationAddress: String?
    public let destinationTag: String?
    public let amount: String?
    public let feeLevel: FeeLevel
    public let maxFee: String?
    public let note: String?
    public let externalID: String?

    public init(
        sourceWallet: WalletID?, addressBookEntry: AddressBookEntryID?,
        destinationAddress: String?, destinationTag: String?, amount: String?, feeLevel: FeeLevel,
        maxFee: String?, note: String?, externalID: String?
    ) {
        self.sourceWallet = sourceWallet
        self.addressBookEntry = addressBookEntry
        self.destinationAddress = destinationAddress
        self.destinationTag = destinationTag
        self.amount = amount
        self.feeLevel = feeLevel
        self.maxFee = maxFee
        self.note = note
        self.externalID = externalID
    }

    /// The field that names the destination.
    fileprivate var destinationField: String {
        addressBookEntry == nil ? "destinationAddress" : "addressBookEntryId"
    }
}

/// Withdrawals, until an intent is made of them.
extension Books {
    /// Accepts a withdrawal: reserves the amount and the most that its fee can cost.
    public func withdraw(_ draft: WithdrawalDraft, for tenant: TenantID) throws -> Transaction {
        try validate(draft)
        guard let sourceID = draft.sourceWallet else { throw Refusal.notFound("wallet") }
        let source = try wallet(sourceID, of: tenant)
        let asset = try asset(source.asset)
        let amount = try amount(draft.amount ?? "", of: asset)
        let (destination, entry) = try destination(draft, on: asset.asset.chain, for: tenant)
        if let existing = try existing(draft.externalID, .withdrawal, tenant) {
            guard existing.wallet == source.id, existing.destinationAddress == destination,
                existing.amount == amount, existing.note == draft.note
            else { throw externalIDReused(draft.externalID) }
            return existing
        }
        try mustBeActive(entry, field: draft.destinationField)
        guard amount >= asset.minimumWithdrawal else {
            throw Refusal(
                .belowMinimum, field: "amount",
                "The smallest withdrawal is "
                    + "\(asset.minimumWithdrawal.text(decimals: asset.decimals)) \(asset.symbol).")
        }
        guard asset.asset.contract?.text != destination else {
            throw Refusal(
                .invalid, field: "destinationAddress",
                "The address is the token's own contract, which gives nothing back.")
        }
        let feeLimit = try feeLimit(draft, asset)
        guard let need = SourceNeed(asset.asset, amount: amount, fee: feeLimit) else {
            throw Refusal(.insufficientFunds, field: "amount", "No wallet has that much.")
        }
        try checkSpendable(source, need.amount)
        try checkGas(need, of: source)
        try checkOneAddressHolds(need, tenant)
        let transaction = Transaction(
            id: newID(), tenant: tenant, kind: .withdrawal, status: .submitted,
            vault: source.vault, wallet: source.id, asset: asset.id, amount: amount,
            feeLimit: feeLimit, feeLevel: draft.feeLevel, destinationAddress: destination,
            note: draft.note, externalID: draft.externalID, createdAt: now, updatedAt: now)
        try store.insert(transaction)
        try store.append(TimelineEntry(status: .submitted, at: now), to: transaction.id)
        let purses = try purses(of: transaction)
        for purse in purses {
            let wallet = purse.wallet
            try post(
                "reserve:\(transaction.id)\(purse.suffix)", debit: wallet.account(.available),
                credit: wallet.account(.reserved), try purse.reserved(for: transaction),
                for: transaction.id)
        }
        try record(.transactionCreated(try view(transaction)), of: tenant)
        for purse in purses { try recordBalance(of: purse.wallet) }
        stirred.signing = true
        return transaction
    }

    private func validate(_ draft: WithdrawalDraft) throws(Refusal) {
        var validation = Validation()
        if draft.sourceWallet == nil {
            validation.reject("sourceWalletId", "'sourceWalletId' is required.")
        }
        switch (draft.addressBookEntry, draft.destinationAddress) {
        case (nil, nil):
            validation.reject(
                "destinationAddress",
                "One of 'addressBookEntryId' and 'destinationAddress' is required.")
        case (.some, .some):
            validation.reject(
                "destinationAddress",
                "Only one of 'addressBookEntryId' and 'destinationAddress' may be given.")
        case (.some, nil), (nil, .some): break
        }
        if draft.destinationTag != nil {
            validation.reject("destinationTag", "Addresses of this network have no tag.")
        }
        validation.money(draft.amount, draft.note, draft.externalID)
        try validation.finish()
    }

    /// The destination, and its entry in the tenant's address book if there is one.
    private func destination(
        _ draft: WithdrawalDraft, on chain: ChainID, for tenant: TenantID
    ) throws -> (String, AddressBookEntry?) {
        if let id = draft.addressBookEntry {
            let entry = try addressBookEntry(id, of: tenant)
            guard entry.network == chain.text else {
                throw Refusal(
                    .invalid, field: "addressBookEntryId",
                    "The entry is for \(entry.network), the wallet for \(chain.text).")
            }
            return (entry.address, entry)
        }
        let address = try Self.checked(draft.destinationAddress ?? "", field: "destinationAddress")
        return (
            address,
            try store.addressBookEntry(network: chain.text, address: address, of: tenant)
        )
    }

    /// The most that the fee can cost: gas of a transfer at the level's price, or at the caller's
    /// limit if that is lower and still enough for the next block.
    private func feeLimit(_ draft: WithdrawalDraft, _ asset: Asset) throws -> Amount {
        let (gas, coin) = (asset.gasLimit, try feeAsset(of: asset))
        var limit = try feeLimit(draft.feeLevel, asset)
        if let text = draft.maxFee {
            let prices = try prices(asset.asset.chain)
            guard let least = Amount(UInt128(gas) * UInt128(prices.least)) else {
                throw LedgerFault.impossible("fees of \(asset.asset.chain.text)")
            }
            let most = try amount(text, of: coin, field: "maxFee")
            guard most >= least else {
                throw Refusal(
                    .feeTooHigh, field: "maxFee",
                    "The next block costs at least \(least.text(decimals: coin.decimals)) "
                        + "\(coin.symbol).")
            }
            // Whole gas prices only: what is left of the limit stays available.
            let price = min(most, limit).baseUnits / UInt128(gas)
            limit = Amount(price * UInt128(gas)) ?? limit
        }
        return limit
    }

    private func feeLimit(_ level: FeeLevel, _ asset: Asset) throws -> Amount {
        let prices = try prices(asset.asset.chain)
        guard let limit = Amount(UInt128(asset.gasLimit) * UInt128(prices.limit(level)))
        else { throw LedgerFault.impossible("fees of \(asset.asset.chain.text)") }
        return limit
    }

    private func prices(_ chain: ChainID) throws -> FeePrices {
        guard let state = try store.chainState(chain) else {
            throw Refusal(
                .chainUnavailable, "The chain has not been reached yet, so its fees are unknown.")
        }
        return FeePrices(state)
    }

    /// What a withdrawal like this would cost at most at each level, in the chain's own coin.
    public func estimateFee(
        _ draft: WithdrawalDraft, for tenant: TenantID
    ) throws -> (fees: [FeeLevel: Amount], coin: Asset) {
        try validate(draft)
        guard let sourceID = draft.sourceWallet else { throw Refusal.notFound("wallet") }
        let source = try wallet(sourceID, of: tenant)
        let asset = try asset(source.asset)
        _ = try amount(draft.amount ?? "", of: asset)
        let (_, entry) = try destination(draft, on: asset.asset.chain, for: tenant)
        try mustBeActive(entry, field: draft.destinationField)
        var fees: [FeeLevel: Amount] = [:]
        for level in FeeLevel.allCases { fees[level] = try feeLimit(level, asset) }
        return (fees, try feeAsset(of: asset))
    }

    /// Whether the vault's wallet of the chain's own coin can pay a token's fee.
    private func checkGas(_ need: SourceNeed, of source: Wallet) throws {
        guard !need.fee.isZero else { return }
        let coin = try feeAsset(of: try asset(source.asset))
        guard let wallet = try store.wallet(in: source.vault, asset: coin.id) else {
            throw Refusal(
                .insufficientGas,
                "The fee is paid in \(coin.symbol) by the vault's wallet of '\(coin.id)', which "
                    + "the vault does not have yet: create it and fund it.")
        }
        guard wallet.status == .active else {
            throw Refusal(
                .frozen, "The wallet \(wallet.id), which pays the fee in \(coin.symbol), is frozen."
            )
        }
        let available = try store.balance(of: wallet.account(.available))
        guard need.fee <= available else {
            throw Refusal(
                .insufficientGas,
                "The fee may cost \(need.fee.text(decimals: coin.decimals)) \(coin.symbol), and "
                    + "the wallet that pays it, \(wallet.id), has "
                    + "\(available.text(decimals: coin.decimals)) available.")
        }
    }

    private func checkOneAddressHolds(_ need: SourceNeed, _ tenant: TenantID) throws {
        guard try store.addresses(of: tenant, in: nil, holding: need, most: 1).isEmpty else {
            return
        }
        throw Refusal(
            .needsConsolidation, field: "amount",
            need.fee.isZero
                ? "No one address of this tenant holds as much on the chain; withdraw in parts."
                : "No one address of this tenant holds as much of the token on the chain, and the "
                    + "fee beside it; withdraw in parts, or send coins to the one that does.")
    }

    /// The asset in which the fees of its chain are paid.
    func feeAsset(of asset: Asset) throws -> Asset {
        guard let coin = settings.asset(asset.asset.feeAsset) else {
            throw LedgerFault.impossible("\(asset.id) without its chain's coin")
        }
        return coin
    }
}

/// A wallet that a withdrawal is paid from, and which part it pays: all of it, or of a token the
/// amount, and the chain's coin the fee.
struct Purse {
    let wallet: Wallet
    let paysAmount: Bool
    let paysFee: Bool
    /// Tells its ledger entries from those of the other.
    let suffix: String

    func part(_ amount: Amount, _ fee: Amount) throws -> Amount {
        guard let part = (paysAmount ? amount : .zero).adding(paysFee ? fee : .zero) else {
            throw LedgerFault.impossible("amount and fee of \(wallet.id)")
        }
        return part
    }

    /// What is reserved of it while the withdrawal is under way.
    func reserved(for transaction: Transaction) throws -> Amount {
        try part(transaction.amount, transaction.feeLimit)
    }
}

extension Books {
    /// The wallets that a withdrawal is paid from.
    func purses(of transaction: Transaction) throws -> [Purse] {
        let asset = try asset(transaction.asset)
        let coin = try feeAsset(of: asset)
        guard let source = try store.wallet(transaction.wallet) else {
            throw LedgerFault.impossible("withdrawal \(transaction.id)")
        }
        if asset.asset == coin.asset {
            return [Purse(wallet: source, paysAmount: true, paysFee: true, suffix: "")]
        }
        guard let gas = try store.wallet(in: transaction.vault, asset: coin.id) else {
            throw LedgerFault.impossible("the wallet that pays for \(transaction.id)")
        }
        return [
            Purse(wallet: source, paysAmount: true, paysFee: false, suffix: ""),
            Purse(wallet: gas, paysAmount: false, paysFee: true, suffix: ":fee"),
        ]
    }

    /// Frees what was reserved for a withdrawal.
    func release(_ transaction: Transaction) throws {
        for purse in try purses(of: transaction) {
            let wallet = purse.wallet
            try post(
                "release:\(transaction.id)\(purse.suffix)", debit: wallet.account(.reserved),
                credit: wallet.account(.available), try purse.reserved(for: transaction),
                for: transaction.id)
        }
    }
}

/// Gas prices by level, from what the chain's newest block says.
struct FeePrices {
    /// Wei per gas that the next block costs at least: its base fee grows by 1/8 at most.
    let least: UInt64
    private let base: UInt64
    private let tip: UInt64

    init(_ state: ChainState) {
        // Above 10^15 wei per gas nothing is a price any more; sums below cannot overflow.
        let sane: UInt64 = 1_000_000_000_000_000
        base = min(state.baseFee, sane)
        tip = max(1, min(state.priorityFee, sane))
        least = base + tip
    }

    func tip(_ level: FeeLevel) -> UInt64 {
        switch level {
        case .slow, .medium: tip
        case .fast: 2 * tip
        }
    }

    /// The price that the intent fixes: by how much the base fee may still rise.
    func limit(_ level: FeeLevel) -> UInt64 {
        switch level {
        case .slow: base + base / 4 + tip(level)
        case .medium: 2 * base + tip(level)
        case .fast: 3 * base + tip(level)
        }
    }
}
