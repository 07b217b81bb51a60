import Canonical
import Chains
import Intents

/// What a caller says of an internal transfer.
public struct TransferDraft: Sendable {
    public let sourceWallet: WalletID?
    public let destinationWallet: WalletID?
    public let amount: String?
    public let note: String?
    public let externalID: String?

    public init(
        sourceWallet: WalletID?, destinationWallet: WalletID?, amount: String?, note: String?,
        externalID: String?
    ) {
        self.sourceWallet = sourceWallet
        self.destinationWallet = destinationWallet
        self.amount = amount
        self.note = note
        self.externalID = externalID
    }
}

/// Transfers off the chain, and what all transactions share.
extension Books {
    /// Moves an amount between two wallets of the tenant, at once and on the ledger alone.
    public func transfer(_ draft: TransferDraft, for tenant: TenantID) throws -> Transaction {
        var validation = Validation()
        if draft.sourceWallet == nil {
            validation.reject("sourceWalletId", "'sourceWalletId' is required.")
        }
        if draft.destinationWallet == nil {
            validation.reject("destinationWalletId", "'destinationWalletId' is required.")
        }
        validation.money(draft.amount, draft.note, draft.externalID)
        try validation.finish()
        guard let sourceID = draft.sourceWallet, let destinationID = draft.destinationWallet else {
            throw Refusal.notFound("wallet")
        }
        let source = try wallet(sourceID, of: tenant, field: "sourceWalletId")
        let destination = try wallet(destinationID, of: tenant, field: "destinationWalletId")
        let amount = try amount(draft.amount ?? "", of: try asset(source.asset))
        if let existing = try existing(draft.externalID, .internalTransfer, tenant) {
            guard existing.wallet == source.id, existing.destinationWallet == destination.id,
                existing.amount == amount, existing.note == draft.note
            else { throw externalIDReused(draft.externalID) }
            return existing
        }
        guard source.id != destination.id else {
            throw Refusal(
                .sameWallet, field: "destinationWalletId", "Source and destination are the same.")
        }
        guard source.asset == destination.asset else {
            throw Refusal(
                .differentAssets, field: "destinationWalletId",
                "The destination wallet is for another asset.")
        }
        guard
            try keyVault(of: source.vault, tenant) == keyVault(of: destination.vault, tenant)
        else {
            // What the ledger moved, the addresses under the other key would not have.
            throw Refusal(
                .differentKeyVaults, field: "destinationWalletId",
                "The destination wallet is under another key; withdraw to its address.")
        }
        try checkSpendable(source, amount)
        let transaction = Transaction(
            id: newID(), tenant: tenant, kind: .internalTransfer, status: .completed,
            vault: source.vault, wallet: source.id, destinationWallet: destination.id,
            asset: source.asset, amount: amount, fee: .zero, note: draft.note,
            externalID: draft.externalID, createdAt: now, updatedAt: now)
        try store.insert(transaction)
        try store.append(
            TimelineEntry(status: .completed, at: now), to: transaction.id)
        try post(
            "transfer:\(transaction.id)", debit: source.account(.available),
            credit: destination.account(.available), amount, for: transaction.id)
        try record(.transactionCreated(try view(transaction)), of: tenant)
        try recordBalance(of: source)
        try recordBalance(of: destination)
        return transaction
    }

    func externalIDReused(_ id: String?) -> Refusal {
        Refusal(
            .externalIDReused, field: "externalId",
            "Another transaction has the external id '\(id ?? "")'.")
    }

    func existing(
        _ externalID: String?, _ kind: Transaction.Kind, _ tenant: TenantID
    ) throws -> Transaction? {
        guard let externalID else { return nil }
        return try store.transaction(externalID: externalID, kind: kind, of: tenant)
    }

    /// An amount of the asset above zero, or a refusal that says what is wrong with it.
    func amount(_ text: String, of asset: Asset, field: String = "amount") throws(Refusal) -> Amount
    {
        let amount: Amount
        do throws(Amount.Malformed) {
            amount = try Amount(text: text, decimals: asset.decimals)
        } catch {
            let sentence =
                switch error {
                case .notANumber:
                    "'\(field)' must be a decimal number in plain digits, such as \"1.5\"."
                case .negative: "'\(field)' must be greater than 0."
                case .tooManyDecimals: "'\(field)' must have at most \(asset.decimals) decimals."
                case .tooLarge: "'\(field)' is larger than any amount can be."
                }
            throw Refusal(.invalid, field: field, sentence)
        }
        guard !amount.isZero else {
            throw Refusal(.invalid, field: field, "'\(field)' must be greater than 0.")
        }
        return amount
    }

    /// - Parameter asked: the amount without the most that its fee can cost.
    func checkSpendable(_ wallet: Wallet, _ amount: Amount, beside asked: Amount? = nil) throws {
        guard wallet.status == .active else {
            throw Refusal(.frozen, "The wallet is frozen: a reorganisation took funds back.")
        }
        guard try store.vault(wallet.vault, of: wallet.tenant)?.status == .active else {
            throw Refusal(.frozen, "The vault is frozen or archived: nothing leaves it.")
        }
        let available = try store.balance(of: wallet.account(.available))
        guard amount <= available else {
            let asset = try asset(wallet.asset)
            let fee = asked.flatMap { amount.subtracting($0) } ?? .zero
            throw Refusal(
                .insufficientFunds, field: "amount",
                "\(amount.text(decimals: asset.decimals)) \(asset.symbol) are needed, "
                    + (fee.isZero
                        ? "" : "of which at most \(fee.text(decimals: asset.decimals)) for fees, ")
                    + "\(available.text(decimals: asset.decimals)) are available.")
        }
    }

    public func transaction(_ id: TransactionID, of tenant: TenantID) throws -> TransactionView {
        try view(try found(id, of: tenant))
    }

    /// The transaction; a key that is for some vaults sees it from either end.
    func found(_ id: TransactionID, of tenant: TenantID) throws -> Transaction {
        guard let transaction = try store.transaction(id, of: tenant),
            transaction.kind != .consolidation
        else { throw Refusal.notFound("transaction") }
        let destination = try transaction.destinationWallet.flatMap { try store.wallet($0)?.vault }
        if let destination, actor.vaults?.contains(destination) ?? false {
            try admit(destination)
        } else {
            try admit(transaction.vault)
        }
        return transaction
    }

    public func transactions(
        of tenant: TenantID, matching filter: TransactionFilter, _ page: PageRequest
    ) throws -> Page<TransactionView> {
        var filter = filter
        filter.within = actor.vaults
        return try store.transactions(of: tenant, matching: filter, page).map { try view($0) }
    }

    /// The transaction as the asker may see it: of the transfers that gather its funds, not where
    /// other vaults have how much.
    public func view(_ transaction: Transaction) throws -> TransactionView {
        var view = try wholeView(transaction)
        guard let allowed = actor.vaults else { return view }
        let chain = settings.asset(transaction.asset)?.asset.chain
        for transfer in view.consolidations {
            guard let chain, let text = transfer.sourceAddress,
                let source = try store.address(text, on: chain), allowed.contains(source.vault)
            else {
                view.hidden.insert(transfer.id)
                continue
            }
        }
        return view
    }

    /// The transaction with its timeline, its refusals and how deep its block lies.
    private func wholeView(_ transaction: Transaction) throws -> TransactionView {
        let asset = settings.asset(transaction.asset)
        var confirmations: UInt64 = 0
        if let block = transaction.blockNumber, let chain = asset?.asset.chain,
            let tip = try store.chainState(chain)?.number, tip >= block
        {
            confirmations = tip - block + 1
        }
        let isOffChain = [.internalTransfer, .messageSign].contains(transaction.kind)
        let required = isOffChain ? 0 : asset?.confirmations ?? 0
        let consolidations =
            transaction.kind == .withdrawal ? try store.consolidations(of: transaction.id) : []
        let replacements =
            transaction.hash != nil && [.withdrawal, .contractCall].contains(transaction.kind)
            ? try store.replacements(of: transaction.id) : []
        let waiting = waiting(of: transaction, consolidations, confirmations, of: required)
        return TransactionView(
            transaction: transaction, timeline: try store.timeline(of: transaction.id),
            refusals: try refusals(of: transaction), confirmations: confirmations,
            requiredConfirmations: required,
            waiting: transaction.status == .broadcasting
                ? waiting?.beside(replacements.last) : waiting,
            feeAsset: [.withdrawal, .contractCall, .consolidation].contains(transaction.kind)
                ? asset.flatMap { settings.asset($0.asset.feeAsset) } : nil,
            consolidations: consolidations, replacements: replacements)
    }

    /// Its end if that was asked for, what is noted, or else what is usual for the status.
    private func waiting(
        of transaction: Transaction, _ consolidations: [Transaction], _ confirmations: UInt64,
        of required: UInt64
    ) -> Waiting? {
        if transaction.status == .pendingSignature, let failure = transaction.stopping {
            return Self.closing(transaction, because: failure)
        }
        if let noted = transaction.waiting {
            return noted.cause == .consolidation ? Self.gathering(noted, consolidations) : noted
        }
        let chain = settings.asset(transaction.asset)?.asset.chain.text
        let (cause, who, next): (Waiting.Cause, [String], String)
        switch transaction.status {
        case .completed, .failed, .cancelled: return nil
        case .submitted, .pendingSignature:
            (cause, who) = (.platform, [])
            next = "It is given to the key share holders next."
        case .broadcasting:
            (cause, who) = (.chain, chain.map { [$0] } ?? [])
            next = "It is sent to the network, and to be mined."
        case .confirming:
            (cause, who) = (.confirmations, chain.map { [$0] } ?? [])
            next = "It has \(confirmations) of \(required) confirmations."
        }
        return Waiting(cause, who: who, since: transaction.updatedAt, next: next)
    }

    /// The wait of a transaction that is to end, whatever was noted before the holders were told.
    private static func closing(_ transaction: Transaction, because failure: Failure) -> Waiting {
        let noted = transaction.waiting.flatMap { $0.cause == .closing ? $0 : nil }
        let ends = "it ends when the holders have confirmed that no signature exists."
        let why =
            failure.code == .cancelled
            ? "Its cancellation was asked for: \(ends)" : "\(failure.message) Therefore \(ends)"
        let who = noted?.who ?? []
        return Waiting(
            .closing, who: who, since: noted?.since ?? transaction.updatedAt,
            next: who.isEmpty
                ? why : "\(why) Start those that are off; until then the funds stay reserved.")
    }

    /// The wait for transfers, with the holders that these wait for.
    private static func gathering(_ noted: Waiting, _ transfers: [Transaction]) -> Waiting {
        let holders = Set(
            transfers.compactMap(\.waiting).filter { $0.cause == .holders }.flatMap(\.who))
        guard !holders.isEmpty else { return noted }
        return Waiting(
            .consolidation, who: noted.who, since: noted.since,
            next: "\(noted.next) They wait for these key share holders: "
                + holders.sorted().joined(separator: ", ") + ".")
    }

    private func refusals(of transaction: Transaction) throws -> [HolderRefusal] {
        guard ![.deposit, .internalTransfer].contains(transaction.kind) else { return [] }
        var refusals: [HolderRefusal] = []
        let names = try holderNames()
        for request in try store.signingRequests(of: transaction.id) {
            for verdict in try store.verdicts(on: request.digest) {
                guard case .refusal(let reason) = verdict.verdict else { continue }
                refusals.append(
                    HolderRefusal(
                        holder: names[verdict.holder] ?? verdict.holder.hex,
                        code: reason.code.rawValue, sentence: reason.sentence,
                        at: Timestamp(milliseconds: Int64(verdict.at) * 1000)))
            }
        }
        return refusals
    }

    /// Takes a new status: timeline and event with it. Of a consolidation a tenant hears by its
    /// wallet's balance alone.
    ///
    /// - Parameter cause: why it does not move on, for its event too, if it is not what is usual.
    func move(
        _ transaction: inout Transaction, to status: Transaction.Status,
        waitingFor cause: Waiting.Cause? = nil
    ) throws {
        transaction.status = status
        transaction.waiting = nil
        transaction.updatedAt = now
        try store.update(transaction)
        try store.append(TimelineEntry(status: status, at: now), to: transaction.id)
        if let cause { try wait(&transaction, cause, who: []) }
        if transaction.kind != .consolidation {
            try record(
                .transactionStatusUpdated(try wholeView(transaction)), of: transaction.tenant)
        }
    }
}

extension Validation {
    /// The fields that everything that moves money has.
    mutating func money(_ amount: String?, _ note: String?, _ externalID: String?) {
        if amount == nil { reject("amount", "'amount' is required.") }
        text("note", note, most: Transaction.noteMost, required: false)
        text("externalId", externalID, most: Transaction.externalIDMost, required: false)
    }
}
