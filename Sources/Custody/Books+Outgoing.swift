import Canonical
import Chains
import Intents

/// Signed transfers: broadcasting them, and finding them in blocks.
extension Books {
    /// First pause between two broadcasts of the same bytes, in seconds; it grows to the most.
    private static let broadcastPause: Int64 = 2
    private static let broadcastPauseMost: Int64 = 60

    /// Puts off the next broadcast, with what the node said if it refused, and what the source
    /// address lacks.
    public func broadcasted(_ hash: Digest, on chain: ChainID, refusal: String?) throws {
        // Others may have taken its place meanwhile.
        guard var transfer = try store.outgoing(hash, on: chain), transfer.state == .broadcasting,
            transfer.nextBroadcast != .never
        else { return }
        transfer.broadcasts += 1
        let pause = min(
            Self.broadcastPauseMost, Self.broadcastPause << Int64(min(transfer.broadcasts, 5)))
        transfer.nextBroadcast = now.adding(seconds: refusal == nil ? pause : Self.broadcastPause)
        try store.update(transfer)
        try sendCheaper(than: transfer, refusal != nil)
        guard var transaction = try store.transaction(transfer.transaction),
            transaction.status == .broadcasting, transaction.hash == hash
        else { return }
        let lack = try lack(of: transaction, nonce: transfer.nonce)
        if refusal != nil || lack != nil {
            try wait(&transaction, .chain, who: refusal.map { [$0] } ?? [], next: lack)
        } else if transaction.waiting?.cause == .chain {
            transaction.waiting = nil
            transaction.updatedAt = now
            try store.update(transaction)
        }
    }

    /// A transaction from an address of ours is in a block: ours by its hash, or one that we do not
    /// know, which is booked against the wallet and shown as a debt.
    ///
    /// - Returns: what is booked already, of a transfer of ours.
    func applyOutgoing(
        _ transfer: ObservedBlock.Transfer, _ block: FollowedBlock, _ chain: ChainID
    ) throws -> OwnTransfer? {
        guard let source = try store.address(transfer.transaction.from.text, on: chain) else {
            return nil
        }
        let (sent, receipt) = (transfer.transaction, transfer.receipt)
        try store.setNextNonce(max(source.nextNonce, sent.nonce + 1), of: source)
        try takeShown(sent, chain)
        guard var known = try store.outgoing(sent.hash, on: chain),
            var transaction = try store.transaction(known.transaction),
            ![.failed, .cancelled].contains(transaction.status)
        else {
            try applyForeign(transfer, block, chain, source)
            return nil
        }
        let asset = try asset(transaction.asset).asset
        let isDrop = try isDrop(sent.hash, of: transaction)
        let log = isDrop ? nil : tokenTransfer(of: transaction, asset, transfer)
        let isCarriedOut = receipt.succeeded && (asset.contract == nil || log != nil)
        let moved = isCarriedOut && !isDrop ? transaction.amount : .zero
        try changeFunds(of: source.text, asset, by: moved, up: false)
        try changeFunds(of: source.text, asset.feeAsset, by: receipt.fee, up: false)
        let isConsolidation = transaction.kind == .consolidation
        if isConsolidation, let destination = transaction.destinationAddress {
            try changeFunds(of: destination, asset, by: moved, up: true)
        }
        known.state = .mined
        try store.update(known)
        try silenceOthers(than: known)
        transaction.hash = sent.hash
        transaction.blockNumber = block.number
        transaction.fee = receipt.fee
        transaction.failure =
            isCarriedOut || isDrop
            ? nil
            : Failure(.rejectedByChain, "The chain mined the transfer but did not carry it out.")
        try move(&transaction, to: .confirming)
        try store.insert(
            ChainEffect(
                chain: chain, block: block.hash, hash: sent.hash, kind: .withdrawal,
                address: source.text, transaction: transaction.id, asset: asset, amount: moved,
                fee: receipt.fee))
        return OwnTransfer(log: log, isConsolidation: isConsolidation)
    }

    /// A holder that keeps a signature to itself may have the chain show it: the transaction is
    /// ours all the same.
    private func takeShown(_ sent: EVMBlock.Transaction, _ chain: ChainID) throws {
        guard let signature = sent.signature, try store.outgoing(sent.hash, on: chain) == nil
        else { return }
        for request in try store.signingRequests(in: [.open, .closing, .unclear])
        where request.source == sent.from.text && request.nonce == sent.nonce {
            guard let transaction = try request.intent().transaction,
                transaction.signed(signature).hash == sent.hash
            else { continue }
            _ = try take(signature: signature, of: request.digest)
            return
        }
    }

    /// What a transfer of ours did in a block.
    struct OwnTransfer {
        /// What the token's contract says of it.
        let log: ERC20Log?
        /// It went from an address of ours to another, so it is no deposit there.
        let isConsolidation: Bool
    }

    /// The transfer that the token's contract says it made of the withdrawal; a contract may also
    /// end well and move nothing.
    private func tokenTransfer(
        of transaction: Transaction, _ asset: AssetID, _ transfer: ObservedBlock.Transfer
    ) -> ERC20Log? {
        transfer.receipt.tokenTransfers.first {
            $0.contract == asset.contract && $0.from == transfer.transaction.from
                && $0.to.text == transaction.destinationAddress && $0.amount == transaction.amount
        }
    }

    /// A transaction that we did not make, or had given up for good, is from an address of ours.
    private func applyForeign(
        _ transfer: ObservedBlock.Transfer, _ block: FollowedBlock, _ chain: ChainID,
        _ source: WalletAddress
    ) throws {
        let (sent, receipt) = (transfer.transaction, transfer.receipt)
        guard let asset = settings.asset(.native(chain)) else { return }
        let moved = receipt.succeeded ? sent.value ?? .zero : .zero
        guard moved.adding(receipt.fee) != nil else {
            throw LedgerFault.impossible("value of \(sent.hash)")
        }
        try bookForeign(
            Foreign(
                asset: asset, amount: moved, fee: receipt.fee, source: source,
                destination: sent.to,
                place: PaymentPlace(chain: chain, hash: sent.hash, text: PaymentPlace.coins)),
            block)
    }

    /// Tokens left an address of ours by a transaction that is no withdrawal of them.
    func applyForeign(
        _ log: ERC20Log, _ asset: Asset, from source: WalletAddress, _ place: PaymentPlace,
        _ block: FollowedBlock
    ) throws {
        try bookForeign(
            Foreign(
                asset: asset, amount: log.amount, fee: .zero, source: source,
                destination: log.to, place: place), block)
    }

    /// What left an address of ours and was not made here.
    private struct Foreign {
        let asset: Asset
        let amount: Amount
        let fee: Amount
        let source: WalletAddress
        let destination: EVMAddress?
        let place: PaymentPlace
    }

    private func bookForeign(_ foreign: Foreign, _ block: FollowedBlock) throws {
        let (asset, source) = (foreign.asset.asset, foreign.source)
        guard let spent = foreign.amount.adding(foreign.fee) else {
            throw LedgerFault.impossible("value of \(foreign.place.hash)")
        }
        try changeFunds(of: source.text, asset, by: spent, up: false)
        let wallet = try wallet(for: foreign.asset, at: source)
        let transaction = Transaction(
            id: newID(), tenant: wallet.tenant, kind: .withdrawal, status: .failed,
            vault: wallet.vault, wallet: wallet.id, asset: wallet.asset, amount: foreign.amount,
            fee: foreign.fee, sourceAddress: source.text,
            destinationAddress: foreign.destination?.text, hash: foreign.place.hash,
            failure: Failure(
                .rejectedByChain,
                "This transfer left the address and was not made here. The wallet is frozen."
            ),
            createdAt: now, updatedAt: now)
        try store.insert(transaction)
        try store.append(TimelineEntry(status: .failed, at: now), to: transaction.id)
        try store.setStatus(.frozen, of: wallet.id)
        try post(
            "foreign:\(transaction.id)",
            debit: wallet.account(.suspense), credit: wallet.account(.holdings), spent,
            for: transaction.id)
        try record(.transactionCreated(try view(transaction)), of: wallet.tenant)
        try store.insert(
            ChainEffect(
                chain: foreign.place.chain, block: block.hash, hash: foreign.place.hash,
                kind: .foreign, place: foreign.place.text, address: source.text,
                transaction: transaction.id, asset: asset, amount: foreign.amount,
                fee: foreign.fee))
    }

    /// Books a withdrawal's true cost, frees the rest, and ends what had the same nonce.
    func complete(withdrawal transaction: inout Transaction, _ chain: ChainID) throws {
        guard let fee = transaction.fee, transaction.blockNumber != nil else {
            throw LedgerFault.impossible("withdrawal \(transaction.id)")
        }
        let isDrop = try isDrop(transaction.hash, of: transaction)
        let moved = transaction.failure == nil && !isDrop ? transaction.amount : .zero
        let round = try store.entryCount(of: transaction.id, prefix: "unspent:")
        let purses = try purses(of: transaction)
        for purse in purses {
            let spent = try purse.part(moved, fee)
            guard let rest = try purse.reserved(for: transaction).subtracting(spent) else {
                throw LedgerFault.impossible("cost of \(transaction.id)")
            }
            let (wallet, key) = (purse.wallet, "spent:\(transaction.id):\(round)\(purse.suffix)")
            try post(
                key, debit: wallet.account(.reserved), credit: wallet.account(.holdings), spent,
                for: transaction.id)
            try free(rest, of: wallet, "\(key):rest", for: transaction.id)
        }
        let outcome = transaction.failure == nil ? Transaction.Status.completed : .failed
        try move(&transaction, to: isDrop ? .cancelled : outcome)
        for purse in purses { try recordBalance(of: purse.wallet) }
        if let failure = transaction.failure { try failWithdrawal(of: transaction, failure) }
        stirred.signing = true  // a withdrawal may have waited for it
        if let source = transaction.sourceAddress, let hash = transaction.hash,
            let nonce = try store.outgoing(hash, on: chain)?.nonce
        {
            try endRivals(of: transaction.id, source, nonce, chain)
        }
    }

    /// A nonce that is spent for good ends every other transfer that has it.
    private func endRivals(
        of winner: TransactionID, _ source: String, _ nonce: UInt64, _ chain: ChainID
    ) throws {
        for var rival in try store.outgoing(from: source, nonce: nonce, on: chain)
        where rival.transaction != winner && rival.state == .broadcasting {
            rival.state = .dead
            try store.update(rival)
            guard var transaction = try store.transaction(rival.transaction),
                !transaction.status.isFinal
            else { continue }
            try fail(&transaction, Self.nonceSpent)
        }
        for var request in try store.signingRequests(in: [.open, .closing, .unclear])
        where request.source == source && request.nonce == nonce {
            request.state = .unclear
            try followReplacement(request)
            request.state = .closed
            try store.update(request)
            guard let id = request.transaction, id != winner,
                var transaction = try store.transaction(id),
                transaction.status == .pendingSignature
            else { continue }
            try fail(&transaction, Self.nonceSpent)
        }
    }

    private static let nonceSpent = Failure(
        .nonceSpent, "Another transfer with the same nonce is final, so this one can never be.")

    /// The block of a withdrawal is gone: its bytes are broadcast again.
    func revertWithdrawal(_ effect: ChainEffect) throws {
        guard var transaction = try store.transaction(effect.transaction) else {
            throw LedgerFault.impossible("withdrawal \(effect.transaction)")
        }
        if transaction.kind == .consolidation, let destination = transaction.destinationAddress {
            try changeFunds(of: destination, effect.asset, by: effect.amount, up: false)
        }
        try changeFunds(of: effect.address, effect.asset, by: effect.amount, up: true)
        try changeFunds(of: effect.address, effect.asset.feeAsset, by: effect.fee, up: true)
        let purses = try purses(of: transaction)
        if transaction.status.isFinal {
            let round = try store.entryCount(of: transaction.id, prefix: "spent:")
            for purse in purses {
                try reserveAgain(
                    purse, of: transaction, spent: try purse.part(effect.amount, effect.fee),
                    key: "unspent:\(transaction.id):\(round)\(purse.suffix)")
            }
        }
        try revive(&transaction)
        transaction.blockNumber = nil
        transaction.fee = nil
        transaction.failure = nil
        try move(&transaction, to: .broadcasting)
        for purse in purses { try recordBalance(of: purse.wallet) }
    }

    /// What was freed must be reserved again; where it was spent since, a debt is shown.
    private func reserveAgain(
        _ purse: Purse, of transaction: Transaction, spent: Amount, key: String
    ) throws {
        let wallet = purse.wallet
        guard let rest = try purse.reserved(for: transaction).subtracting(spent) else {
            throw LedgerFault.impossible("cost of \(transaction.id)")
        }
        let taken = min(try store.balance(of: wallet.account(.available)), rest)
        guard let missing = rest.subtracting(taken) else {
            throw LedgerFault.impossible("reversal of \(transaction.id)")
        }
        try post(
            key, debit: wallet.account(.holdings), credit: wallet.account(.reserved), spent,
            for: transaction.id)
        try post(
            "\(key):rest", debit: wallet.account(.available), credit: wallet.account(.reserved),
            taken, for: transaction.id)
        try post(
            "\(key):debt", debit: wallet.account(.suspense), credit: wallet.account(.reserved),
            missing, for: transaction.id)
        if !missing.isZero { try store.setStatus(.frozen, of: wallet.id) }
    }

    /// What was reserved is its wallet's again; a debt that a reorganisation left is settled before
    /// anything becomes available.
    func free(
        _ amount: Amount, of wallet: Wallet, _ key: String, for transaction: TransactionID
    ) throws {
        let debt = min(try store.balance(of: wallet.account(.suspense)), amount)
        guard let rest = amount.subtracting(debt) else {
            throw LedgerFault.impossible("debt of \(wallet.id)")
        }
        try post(
            "\(key):debt", debit: wallet.account(.reserved), credit: wallet.account(.suspense),
            debt, for: transaction)
        try post(
            key, debit: wallet.account(.reserved), credit: wallet.account(.available), rest,
            for: transaction)
        if !debt.isZero, try store.balance(of: wallet.account(.suspense)).isZero {
            try store.setStatus(.active, of: wallet.id)
        }
    }

    func revertForeign(_ effect: ChainEffect) throws {
        guard let transaction = try store.transaction(effect.transaction),
            let wallet = try store.wallet(transaction.wallet),
            let spent = effect.amount.adding(effect.fee)
        else { throw LedgerFault.impossible("transfer \(effect.transaction)") }
        try changeFunds(of: effect.address, effect.asset, by: spent, up: true)
        // What a deposit has settled of the debt meanwhile belongs to the wallet again.
        let debt = min(try store.balance(of: wallet.account(.suspense)), spent)
        guard let settled = spent.subtracting(debt) else {
            throw LedgerFault.impossible("debt of \(wallet.id)")
        }
        let key = "unforeign:\(transaction.id)"
        try post(
            key, debit: wallet.account(.holdings), credit: wallet.account(.suspense), debt,
            for: transaction.id)
        try post(
            "\(key):settled", debit: wallet.account(.holdings),
            credit: wallet.account(.available), settled, for: transaction.id)
        if try store.balance(of: wallet.account(.suspense)).isZero {
            try store.setStatus(.active, of: wallet.id)
        }
        try recordBalance(of: wallet)
    }
}
