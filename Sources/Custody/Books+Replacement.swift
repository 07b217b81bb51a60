import Algebra
import Canonical
import Chains
import Intents

/// Other bytes in place of those of a signed transfer that no block takes: the same payment at a
/// higher price, or nothing at all.
///
/// All bytes of a transaction have one source and one nonce, so the chain takes one of them at
/// most, and whichever that is, is the transaction. Until others are signed the earlier ones are
/// sent on; then the dearest alone, and the next dearest too while the node refuses it. What the
/// highest of their fees can cost is reserved.
extension Books {
    /// Asks for a transaction on its way into a block to be sped up or dropped.
    public func replace(
        _ id: TransactionID, by kind: Replacement.Kind, _ draft: ReplacementDraft,
        for tenant: TenantID
    ) throws -> Transaction {
        var validation = Validation()
        validation.text("externalId", draft.externalID, most: Transaction.externalIDMost)
        try validation.finish()
        var transaction = try found(id, of: tenant)
        guard try !isUsed(draft.externalID, by: tenant) else {
            throw externalIDReused(draft.externalID)
        }
        var before = try store.replacements(of: id)
        guard let sent = transaction.hash, transaction.status == .broadcasting else {
            throw Self.notOnItsWay(transaction)
        }
        if let last = before.last, last.state == .asked {
            try end(last, because: "A \(kind.noun) was asked for instead.")
            before = try store.replacements(of: id)
            transaction = try found(id, of: tenant)
        }
        try checkReplaceable(transaction, kind, before)
        let fee = try fee(draft, kind, transaction, before)
        let replacement = Replacement(
            transaction: id, tenant: tenant, number: before.count + 1, kind: kind,
            externalID: draft.externalID, replaced: sent, fee: fee, state: .asked, createdAt: now)
        try reserve(replacement, &transaction)
        try store.insert(replacement)
        stirred.signing = true
        return transaction
    }

    /// Whether a caller has named a transaction so, or what replaces one.
    public func isUsed(_ externalID: String, by tenant: TenantID) throws -> Bool {
        if try store.replacement(externalID: externalID, of: tenant) != nil { return true }
        return try [Transaction.Kind.withdrawal, .contractCall, .messageSign].contains {
            try store.transaction(externalID: externalID, kind: $0, of: tenant) != nil
        }
    }

    private static func notOnItsWay(_ transaction: Transaction) -> Refusal {
        let isEarly = [.submitted, .pendingSignature].contains(transaction.status)
        return Refusal(
            .tooLate,
            "It is \(transaction.status.rawValue)"
                + (isEarly ? ", not signed yet: cancel it instead." : " already."))
    }

    private func checkReplaceable(
        _ transaction: Transaction, _ kind: Replacement.Kind, _ before: [Replacement]
    ) throws {
        if let last = before.last, last.state == .signing {
            throw Refusal(.tooLate, "Its \(last.kind.noun) is with the key share holders.")
        }
        // What came to nothing must not keep a transaction from being dropped.
        guard before.count(where: { $0.state != .ended }) < Replacement.ofTransactionMost,
            before.count < Replacement.askedMost
        else {
            throw Refusal(
                .tooLate,
                "A transaction is replaced at most \(Replacement.ofTransactionMost) times, and "
                    + "that is asked for at most \(Replacement.askedMost) times.")
        }
        guard kind == .speedUp else { return }
        guard try !isDrop(transaction.hash, of: transaction) else {
            throw Refusal(.tooLate, "It is being dropped.")
        }
        if let obstacle = try obstacle(toPaying: transaction) { throw obstacle }
    }

    /// Why the payment must not be signed again.
    private func obstacle(toPaying transaction: Transaction) throws -> Refusal? {
        guard try store.vault(transaction.vault, of: transaction.tenant)?.status == .active else {
            return Refusal(.frozen, "The vault is frozen or archived: nothing leaves it.")
        }
        guard try purses(of: transaction).allSatisfy({ $0.wallet.status == .active }) else {
            return Refusal(
                .frozen, "A wallet that pays for it is frozen: a reorganisation took funds back.")
        }
        guard try transaction.kind != .withdrawal || entry(of: transaction) != nil else {
            return Refusal(
                .notInAddressBook, "Its destination was removed from the address book.")
        }
        return nil
    }

    /// The price that is asked for, or what is usual; above that of the bytes before, and enough
    /// for the next block.
    private func fee(
        _ draft: ReplacementDraft, _ kind: Replacement.Kind, _ transaction: Transaction,
        _ before: [Replacement]
    ) throws -> EVMFeeLimit {
        let asset = try asset(transaction.asset)
        let coin = try feeAsset(of: asset)
        let gas =
            kind == .drop ? coin.gasLimit : transaction.call?.gasLimit ?? asset.gasLimit
        let prices = try prices(asset.asset.chain)
        let least = try leastPrice(of: transaction, before)
        var price = draft.price ?? max(prices.limit(.fast), least.price)
        if let text = draft.maxFee {
            let most = try amount(text, of: coin, field: "maxFee").baseUnits / UInt128(gas)
            price = min(price, UInt64(clamping: most))
        }
        let tip = draft.tip ?? min(price, max(prices.tip(.fast), least.tip))
        guard price >= least.price, tip >= least.tip else {
            throw Refusal(
                .invalid, field: "fee",
                "Nodes take no other bytes for less than \(Replacement.raisePercent) % above the "
                    + "last: at least \(least.price) wei for a gas, of which \(least.tip) are for "
                    + "the tip.")
        }
        guard price >= prices.least else {
            throw Refusal(
                .feeTooHigh, field: "fee",
                "The next block costs at least \(prices.least) wei for a gas, \(gas) times.")
        }
        guard price < EVMFeeLimit.numberBound,
            let fee = EVMFeeLimit(
                gasLimit: gas, maxFeePerGas: price, maxPriorityFeePerGas: tip)
        else {
            throw Refusal(
                .invalid, field: "fee",
                "The price of a gas is below 2^60 wei and not below its tip.")
        }
        return fee
    }

    /// The costs of what is to take the place of a transaction's bytes: none below what nodes ask
    /// for.
    public func raised(
        _ costs: [FeeLevel: TransferCost], on chain: ChainID, above id: TransactionID,
        of tenant: TenantID
    ) throws -> [FeeLevel: TransferCost] {
        let transaction = try found(id, of: tenant)
        guard transaction.status == .broadcasting else { throw Self.notOnItsWay(transaction) }
        guard try asset(transaction.asset).asset.chain == chain else {
            throw Refusal(
                .invalid, field: "replaced_transaction_id", "The transaction is on another chain.")
        }
        let least = try leastPrice(of: transaction, store.replacements(of: id))
        return costs.mapValues {
            TransferCost(
                gas: transaction.call?.gasLimit ?? $0.gas, price: max($0.price, least.price),
                tip: max($0.tip, least.tip))
        }
    }

    /// What nodes ask for at least, by what they have or may have.
    private func leastPrice(
        of transaction: Transaction, _ before: [Replacement]
    ) throws -> (price: UInt64, tip: UInt64) {
        let signed = try store.outgoing(of: transaction.id).map { try Self.fee(of: $0) }
        let fees = signed + before.filter { $0.state == .unclear }.map(\.fee)
        func raised(_ price: UInt64) -> UInt64 {
            let share = (UInt128(price) * UInt128(100 + Replacement.raisePercent) + 99) / 100
            return UInt64(clamping: max(share, UInt128(price) + 1))
        }
        return (
            raised(fees.map(\.maxFeePerGas).max() ?? 0),
            raised(fees.map(\.maxPriorityFeePerGas).max() ?? 0)
        )
    }

    private static func fee(of transfer: OutgoingTransfer) throws -> EVMFeeLimit {
        guard let signed = SignedEVMTransaction(raw: transfer.raw) else {
            throw LedgerFault.impossible("transfer \(transfer.hash)")
        }
        return signed.transaction.fee
    }

    /// Reserves what its fee may cost beyond what is reserved, if wallet and source have it.
    private func reserve(_ replacement: Replacement, _ transaction: inout Transaction) throws {
        let asset = try asset(transaction.asset)
        guard let most = replacement.fee.most,
            let purse = try purses(of: transaction).first(where: \.paysFee)
        else { throw LedgerFault.impossible("fee of \(transaction.id)") }
        if let lack = try lack(for: replacement, transaction, asset) {
            throw Refusal(
                purse.paysAmount ? .insufficientFunds : .insufficientGas, field: "fee", lack)
        }
        guard let raise = most.subtracting(transaction.feeMost), !raise.isZero,
            let whole = transaction.feeRaise.adding(raise)
        else { return }
        let (wallet, coin) = (purse.wallet, try feeAsset(of: asset))
        let available = try store.balance(of: wallet.account(.available))
        guard raise <= available else {
            throw Refusal(
                purse.paysAmount ? .insufficientFunds : .insufficientGas, field: "fee",
                "The fee may cost \(raise.text(decimals: coin.decimals)) \(coin.symbol) more than "
                    + "is reserved, and the wallet that pays it, \(wallet.id), has "
                    + "\(available.text(decimals: coin.decimals)) available.")
        }
        let number = try store.entryCount(of: transaction.id, prefix: "raise:")
        try post(
            "raise:\(transaction.id):\(number)", debit: wallet.account(.available),
            credit: wallet.account(.reserved), raise, for: transaction.id)
        transaction.feeRaise = whole
        transaction.updatedAt = now
        try store.update(transaction)
        try recordBalance(of: wallet)
    }

    /// What the source address lacks for its bytes, beside what others of its bytes take.
    private func lack(
        for replacement: Replacement, _ transaction: Transaction, _ asset: Asset
    ) throws -> String? {
        let coin = try feeAsset(of: asset)
        let transfers = try store.outgoing(of: transaction.id)
        guard let text = transaction.sourceAddress,
            let source = try store.address(text, on: asset.asset.chain),
            let fee = replacement.fee.most,
            let most = fee.adding(
                replacement.kind == .speedUp && asset.asset == coin.asset
                    ? transaction.amount : .zero)
        else { throw LedgerFault.impossible("source of \(transaction.id)") }
        let taken = try transfers.map { try Self.most($0, of: coin.asset).coins }.max() ?? .zero
        let left = try left(of: coin.asset, at: source).coins
        guard let further = most.subtracting(taken), let missing = further.subtracting(left),
            !missing.isZero
        else { return nil }
        return "The source address \(text) lacks \(missing.text(decimals: coin.decimals)) "
            + "\(coin.symbol) for the fee, which it alone can pay."
    }

    /// Whether the source of a request is kept for it: a replacement that is being closed keeps
    /// nobody from later nonces.
    func isKept(_ request: SigningRequest) throws -> Bool {
        try request.state == .open || store.replacement(by: request.digest) == nil
    }

    /// Intents for the replacements that were asked for and whose address is free.
    func makeReplacementIntents(
        _ round: SourceRound, _ signer: any IntentSigner
    ) throws -> [SigningRequest] {
        var made: [SigningRequest] = []
        for asked in try store.askedReplacements() {
            guard let transaction = try store.transaction(asked.transaction),
                let bytes = try store.outgoing(of: transaction.id).first
            else { throw LedgerFault.impossible("replacement in \(asked.transaction)") }
            guard transaction.status == .broadcasting else {
                try end(asked, because: "The transaction is \(transaction.status.rawValue).")
                continue
            }
            let asset = try asset(transaction.asset)
            let pool = try pool(of: transaction, asset)
            guard round.keeper(of: bytes.source, in: pool, beside: transaction.id) == nil,
                let source = try store.address(bytes.source, on: bytes.chain)
            else { continue }
            let attempts = try store.signingRequests(of: transaction.id)
            // The same once more in the same second would be the same intent.
            guard attempts.allSatisfy({ $0.createdAt.seconds < now.seconds }) else { continue }
            // What an address has left takes long to say: of those that wait for it one is asked.
            if let obstacle = try obstacle(to: asked, transaction, asset) {
                try end(asked, because: obstacle)
                continue
            }
            let group = try signingGroup(of: pool.keyVault)
            let request = try request(
                for: group.group, epoch: group.epoch, tenant: transaction.tenant,
                vault: transaction.vault, .transaction(transaction.id),
                try purpose(of: asked, transaction, asset, source, nonce: bytes.nonce),
                attempt: (attempts.map(\.attempt).max() ?? 0) + 1, source, signer)
            round.keep(bytes.source, in: pool, for: transaction.id, isSigning: true)
            var replacement = asked
            replacement.state = .signing
            replacement.intent = request.digest
            try store.update(replacement)
            made.append(request)
        }
        return made
    }

    private func obstacle(
        to replacement: Replacement, _ transaction: Transaction, _ asset: Asset
    ) throws -> String? {
        if replacement.kind == .speedUp, let refusal = try obstacle(toPaying: transaction) {
            return refusal.message
        }
        return try lack(for: replacement, transaction, asset)
    }

    private func purpose(
        of replacement: Replacement, _ transaction: Transaction, _ asset: Asset,
        _ source: WalletAddress, nonce: UInt64
    ) throws -> Intent.Purpose {
        switch replacement.kind {
        case .speedUp:
            try purpose(of: transaction, asset, source, nonce: nonce, fee: replacement.fee)
        case .drop:
            .transfer(
                TransferOrder(
                    chain: source.chain, sourcePath: source.path, sourceAddress: source.text,
                    output: .init(
                        asset: asset.asset.feeAsset, address: source.text, amount: .zero,
                        ownPath: source.path),
                    nonce: nonce, fee: replacement.fee))
        }
    }

    /// Takes over that the intent of a replacement is closed, or is to be: who must close it may be
    /// gone for good, so others may be asked for meanwhile.
    func followReplacement(_ request: SigningRequest) throws {
        guard var replacement = try store.replacement(by: request.digest),
            replacement.state == .signing || replacement.state == .unclear
        else { return }
        if request.state == .closed, let failure = request.closingBecause {
            try end(replacement, because: try reasons(for: request, failure))
        } else if replacement.state == .signing {
            replacement.state = .unclear
            replacement.explanation = nil
            try store.update(replacement)
        }
    }

    /// Writes down for whom a replacement waits.
    func explainReplacement(
        _ request: SigningRequest, _ cause: Waiting.Cause, who: [String], next: String?
    ) throws {
        guard var replacement = try store.replacement(by: request.digest),
            replacement.state == .signing || replacement.state == .unclear
        else { return }
        let noun = replacement.kind.noun
        let names = who.isEmpty ? "" : " " + who.joined(separator: ", ") + "."
        let sentence =
            switch cause {
            case .run: "The holders are signing its \(noun)."
            case .closing:
                "Its \(noun) is being closed at the key share holders, one of whom may have signed."
                    + (names.isEmpty ? "" : " Awaited:\(names)")
            default:
                "Its \(noun) is with the key share holders."
                    + (names.isEmpty ? "" : " Awaited:\(names)")
            }
        let explanation = [sentence, next].compactMap { $0 }.joined(separator: " ")
        guard replacement.explanation != explanation else { return }
        replacement.explanation = explanation
        try store.update(replacement)
    }

    /// Ends what is not signed and cannot come to be, and frees what was reserved for it alone.
    private func end(_ ended: Replacement, because explanation: String) throws {
        var replacement = ended
        replacement.state = .ended
        replacement.explanation = explanation
        try store.update(replacement)
        guard var transaction = try store.transaction(replacement.transaction),
            let purse = try purses(of: transaction).first(where: \.paysFee)
        else { throw LedgerFault.impossible("replacement in \(replacement.transaction)") }
        let needed =
            try store.replacements(of: transaction.id).filter { $0.state != .ended }
            .compactMap { $0.fee.most?.subtracting(transaction.feeLimit) }.max() ?? .zero
        guard let freed = transaction.feeRaise.subtracting(needed), !freed.isZero else { return }
        // What has ended has freed all that was reserved.
        if !transaction.status.isFinal {
            let number = try store.entryCount(of: transaction.id, prefix: "unraise:")
            try free(
                freed, of: purse.wallet, "unraise:\(transaction.id):\(number)",
                for: transaction.id)
        }
        transaction.feeRaise = needed
        transaction.updatedAt = now
        try store.update(transaction)
        try recordBalance(of: purse.wallet)
    }

    /// Takes in the signature of further bytes of a transaction: of a replacement, or of an earlier
    /// attempt. Where a block has other bytes meanwhile, it is kept: a reorganisation may bring
    /// either.
    func takeFurther(
        _ signature: ECDSASignature, _ intent: Intent, _ transaction: inout Transaction
    ) throws -> Bool {
        let replacement = try store.replacement(by: intent.digest)
        guard transaction.hash != nil, intent.transaction != nil, replacement?.state != .ended
        else { return false }
        let isSent = transaction.status == .broadcasting
        let transfer = try outgoing(
            intent, signature, transaction.id, isSent ? .broadcasting : .dead)
        try store.insert(transfer)
        if var replacement {
            replacement.state = .signed
            replacement.hash = transfer.hash
            replacement.explanation = nil
            try store.update(replacement)
        }
        stirred.signing = true  // the source address is free for the next
        guard isSent else { return true }
        try sendDearest(of: &transaction)
        try move(&transaction, to: .broadcasting)
        stirred.broadcasting = true
        return true
    }

    /// Has the bytes with the highest price sent, and the others no more.
    private func sendDearest(of transaction: inout Transaction) throws {
        let transfers = try store.outgoing(of: transaction.id)
            .filter { $0.state == .broadcasting }
            .map { (transfer: $0, price: try Self.fee(of: $0).maxFeePerGas) }
        let most = transfers.map(\.price).max()
        // Of two at one price the one that is sent already.
        let dearest = transfers.filter { $0.price == most }.map(\.transfer)
        guard let sent = dearest.first(where: { $0.hash == transaction.hash }) ?? dearest.first
        else { return }
        for (var transfer, _) in transfers {
            transfer.nextBroadcast = transfer.hash == sent.hash ? now : .never
            try store.update(transfer)
        }
        transaction.hash = sent.hash
    }

    /// A node that refuses the dearest bytes, for good perhaps, must not go without any: the next
    /// dearest are sent as well, until it takes the dearer ones.
    func sendCheaper(than transfer: OutgoingTransfer, _ refused: Bool) throws {
        let price = try Self.fee(of: transfer).maxFeePerGas
        let cheaper = try store.outgoing(of: transfer.transaction)
            .filter { $0.state == .broadcasting && $0.hash != transfer.hash }
            .map { (transfer: $0, price: try Self.fee(of: $0).maxFeePerGas) }
            .filter { $0.price < price }
        guard refused else {
            for (var other, _) in cheaper where other.nextBroadcast != .never {
                other.nextBroadcast = .never
                try store.update(other)
            }
            return
        }
        guard var next = cheaper.max(by: { $0.price < $1.price })?.transfer,
            next.nextBroadcast == .never
        else { return }
        next.nextBroadcast = now
        try store.update(next)
    }

    /// A block has some bytes of a transaction: the others can be mined no more, as long as it
    /// stays.
    func silenceOthers(than mined: OutgoingTransfer) throws {
        for var transfer in try store.outgoing(of: mined.transaction)
        where transfer.hash != mined.hash && transfer.state == .broadcasting {
            transfer.state = .dead
            try store.update(transfer)
        }
    }

    /// The block is gone: each of the transaction's bytes can be mined again.
    func revive(_ transaction: inout Transaction) throws {
        for var transfer in try store.outgoing(of: transaction.id) {
            transfer.state = .broadcasting
            try store.update(transfer)
        }
        try sendDearest(of: &transaction)
    }

    /// Whether these bytes of a transaction are those that move nothing.
    func isDrop(_ hash: Digest?, of transaction: Transaction) throws -> Bool {
        guard let hash else { return false }
        return try store.replacements(of: transaction.id).contains {
            $0.kind == .drop && $0.hash == hash
        }
    }
}

extension Timestamp {
    /// Later than any.
    public static let never = Timestamp(milliseconds: .max)
}
