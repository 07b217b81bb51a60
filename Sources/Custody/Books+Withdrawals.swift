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
    /// Whether the holders are asked only when its caller says so once more.
    public var isBuiltOnly = false

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
        let source = try wallet(sourceID, of: tenant, field: "sourceWalletId")
        let asset = try asset(source.asset)
        let amount = try amount(draft.amount ?? "", of: asset)
        let (destination, entry) = try destination(draft, on: asset.asset.chain, for: tenant)
        if let existing = try existing(draft.externalID, .withdrawal, tenant) {
            guard existing.wallet == source.id, existing.destinationAddress == destination,
                existing.amount == amount, existing.note == draft.note
            else { throw externalIDReused(draft.externalID) }
            return existing
        }
        if let name = draft.externalID,
            try store.replacement(externalID: name, of: tenant) != nil
        {
            throw externalIDReused(name)
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
        let (feeLimit, consolidations) = try affordableFee(draft, amount, asset, from: source)
        var transaction = Transaction(
            id: newID(), tenant: tenant, kind: .withdrawal, status: .submitted,
            vault: source.vault, wallet: source.id, asset: asset.id, amount: amount,
            feeLimit: feeLimit, maxFee: try maxFee(draft, asset),
            consolidationsLeft: consolidations, feeLevel: draft.feeLevel,
            destinationAddress: destination, note: draft.note, externalID: draft.externalID,
            createdAt: now, updatedAt: now)
        try submit(&transaction, isBuiltOnly: draft.isBuiltOnly)
        return transaction
    }

    /// Stores what holders are to sign, reserves what it can cost, and has the key's server asked.
    func submit(_ transaction: inout Transaction, isBuiltOnly: Bool) throws {
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
        if isBuiltOnly {
            try store.hold(transaction.id)
            try wait(&transaction, .order, who: [])
        }
        try askBack(about: &transaction)
        try record(.transactionCreated(try view(transaction)), of: transaction.tenant)
        for purse in purses { try recordBalance(of: purse.wallet) }
        stirred.signing = true
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
            let entry = try addressBookEntry(id, of: tenant, field: "addressBookEntryId")
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

    /// What each transfer of the withdrawal may cost, and how many must gather its funds before it.
    /// Refuses what the wallets or the tenant's addresses cannot pay.
    private func affordableFee(
        _ draft: WithdrawalDraft, _ amount: Amount, _ asset: Asset, from source: Wallet
    ) throws -> (Amount, consolidations: Int) {
        func checked(_ consolidations: Int) throws -> Amount {
            let limit = try feeLimit(draft, asset, transfers: 1 + consolidations)
            guard let fees = limit.times(UInt64(1 + consolidations)),
                let need = SourceNeed(asset.asset, amount: amount, fee: fees)
            else { throw Refusal(.insufficientFunds, field: "amount", "No wallet has that much.") }
            try checkSpendable(source, need.amount, beside: amount)
            try checkGas(need, of: source)
            return limit
        }
        let alone = try checked(0)
        let keyVault = try keyVault(of: source.vault, source.tenant)
        guard
            let consolidations = try consolidations(
                amount, fee: alone, of: asset, under: keyVault)
        else {
            _ = try checked(1)  // at least
            throw try notToBeGathered(amount, fee: alone, of: asset, under: keyVault)
        }
        return consolidations == 0
            ? (alone, 0) : (try checked(consolidations), consolidations)
    }

    /// The most that each of so many transfers can cost: its gas at the level's price, or at the
    /// caller's limit for all if that is lower and still enough for the next block.
    private func feeLimit(
        _ draft: WithdrawalDraft, _ asset: Asset, transfers: Int
    ) throws -> Amount {
        let (gas, coin) = (asset.gasLimit, try feeAsset(of: asset))
        var limit = try feeLimit(draft.feeLevel, asset)
        if let most = try maxFee(draft, asset) {
            let prices = try prices(asset.asset.chain)
            guard
                let least = Amount(UInt128(gas) * UInt128(prices.least) * UInt128(transfers))
            else { throw LedgerFault.impossible("fees of \(asset.asset.chain.text)") }
            guard most >= least else {
                throw Refusal(
                    .feeTooHigh, field: "maxFee",
                    "The next block costs at least \(least.text(decimals: coin.decimals)) "
                        + "\(coin.symbol)"
                        + (transfers == 1
                            ? "." : ", since \(transfers - 1) transfers must gather the funds."))
            }
            // Whole gas prices only: what is left of the limit stays available.
            let price = min(most.baseUnits / UInt128(transfers), limit.baseUnits) / UInt128(gas)
            limit = Amount(price * UInt128(gas)) ?? limit
        }
        return limit
    }

    private func maxFee(_ draft: WithdrawalDraft, _ asset: Asset) throws -> Amount? {
        let coin = try feeAsset(of: asset)
        return try draft.maxFee.map { try amount($0, of: coin, field: "maxFee") }
    }

    private func feeLimit(_ level: FeeLevel, _ asset: Asset) throws -> Amount {
        let prices = try prices(asset.asset.chain)
        guard let limit = Amount(UInt128(asset.gasLimit) * UInt128(prices.limit(level)))
        else { throw LedgerFault.impossible("fees of \(asset.asset.chain.text)") }
        return limit
    }

    func prices(_ chain: ChainID) throws -> FeePrices {
        guard let state = try store.chainState(chain) else {
            throw Refusal(
                .chainUnavailable, "The chain has not been reached yet, so its fees are unknown.")
        }
        return FeePrices(state)
    }

    /// What a withdrawal like this would cost at most at each level, in the chain's own coin, with
    /// the transfers that must gather its funds.
    public func estimateFee(
        _ draft: WithdrawalDraft, for tenant: TenantID
    ) throws -> (fees: [FeeLevel: Amount], coin: Asset, consolidations: Int) {
        try validate(draft)
        guard let sourceID = draft.sourceWallet else { throw Refusal.notFound("wallet") }
        let source = try wallet(sourceID, of: tenant, field: "sourceWalletId")
        let asset = try asset(source.asset)
        let amount = try amount(draft.amount ?? "", of: asset)
        let (_, entry) = try destination(draft, on: asset.asset.chain, for: tenant)
        try mustBeActive(entry, field: draft.destinationField)
        let keyVault = try keyVault(of: source.vault, tenant)
        var (fees, most): ([FeeLevel: Amount], Int) = ([:], 0)
        for level in FeeLevel.allCases {
            let limit = try feeLimit(level, asset)
            let consolidations =
                try consolidations(amount, fee: limit, of: asset, under: keyVault) ?? 0
            fees[level] = limit.times(UInt64(1 + consolidations))
            most = max(most, consolidations)
        }
        return (fees, try feeAsset(of: asset), most)
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
        guard
            let fees = transaction.feeLimit.times(UInt64(1 + transaction.consolidationsLeft))?
                .adding(transaction.feeRaise)
        else {
            throw LedgerFault.impossible("fees of \(transaction.id)")
        }
        return try part(transaction.amount, fees)
    }
}

extension Books {
    /// The wallets that a withdrawal is paid from; of a consolidation, which moves nothing from one
    /// wallet to another, the one that pays its fee; of a message none.
    func purses(of transaction: Transaction) throws -> [Purse] {
        if transaction.kind == .messageSign { return [] }
        let asset = try asset(transaction.asset)
        let coin = try feeAsset(of: asset)
        guard let source = try store.wallet(transaction.wallet) else {
            throw LedgerFault.impossible("withdrawal \(transaction.id)")
        }
        if asset.asset == coin.asset, transaction.kind != .consolidation {
            return [Purse(wallet: source, paysAmount: true, paysFee: true, suffix: "")]
        }
        guard let gas = try store.wallet(in: transaction.vault, asset: coin.id) else {
            throw LedgerFault.impossible("the wallet that pays for \(transaction.id)")
        }
        let fee = Purse(wallet: gas, paysAmount: false, paysFee: true, suffix: ":fee")
        if transaction.kind == .consolidation { return [fee] }
        return [Purse(wallet: source, paysAmount: true, paysFee: false, suffix: ""), fee]
    }

    /// Frees what was reserved for a withdrawal.
    func release(_ transaction: Transaction) throws {
        for purse in try purses(of: transaction) {
            try free(
                try purse.reserved(for: transaction), of: purse.wallet,
                "release:\(transaction.id)\(purse.suffix)", for: transaction.id)
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
