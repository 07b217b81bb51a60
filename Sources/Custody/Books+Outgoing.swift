import Canonical
import Chains
import Intents

/// Signed transfers: broadcasting them, and finding them in blocks.
extension Books {
    /// First pause between two broadcasts of the same bytes, in seconds; it grows to the most.
    private static let broadcastPause: Int64 = 2
    private static let broadcastPauseMost: Int64 = 60

    /// Puts off the next broadcast, with what the node said if it refused.
    public func broadcasted(_ hash: Digest, on chain: ChainID, refusal: String?) throws {
        guard var transfer = try store.outgoing(hash, on: chain), transfer.state == .broadcasting
        else { return }
        transfer.broadcasts += 1
        let pause = min(
            Self.broadcastPauseMost, Self.broadcastPause << Int64(min(transfer.broadcasts, 5)))
        transfer.nextBroadcast = now.adding(seconds: refusal == nil ? pause : Self.broadcastPause)
        try store.update(transfer)
        if let refusal, var transaction = try store.transaction(transfer.transaction),
            transaction.status == .broadcasting
        {
            try wait(&transaction, .chain, who: [refusal])
        }
    }

    /// A transfer from an address of ours is in a block: ours by its hash, or one that we do not
    /// know, which is booked against the wallet and shown as a debt.
    func applyOutgoing(
        _ transfer: ObservedBlock.Transfer, _ block: FollowedBlock, _ chain: ChainID
    ) throws {
        guard var source = try store.address(transfer.transaction.from.text, on: chain) else {
            return
        }
        let moved = transfer.receipt.succeeded ? transfer.transaction.value ?? .zero : .zero
        guard let spent = moved.adding(transfer.receipt.fee) else {
            throw LedgerFault.impossible("value of \(transfer.transaction.hash)")
        }
        source.nextNonce = max(source.nextNonce, transfer.transaction.nonce + 1)
        try store.updateFunds(of: source)
        try changeFunds(of: source.text, on: chain, by: spent, up: false)
        let effect: ChainEffect
        if var known = try store.outgoing(transfer.transaction.hash, on: chain),
            var transaction = try store.transaction(known.transaction),
            transaction.status != .failed
        {
            known.state = .mined
            try store.update(known)
            transaction.hash = transfer.transaction.hash
            transaction.blockNumber = block.number
            transaction.fee = transfer.receipt.fee
            transaction.failure =
                transfer.receipt.succeeded
                ? nil
                : Failure(
                    .rejectedByChain, "The chain mined the transfer but did not carry it out.")
            try move(&transaction, to: .confirming)
            effect = ChainEffect(
                chain: chain, block: block.hash, hash: transfer.transaction.hash,
                kind: .withdrawal, address: source.text, transaction: transaction.id,
                amount: moved, fee: transfer.receipt.fee)
        } else {
            effect = try applyForeign(transfer, block, chain, source, moved, spent)
        }
        try store.insert(effect)
    }

    /// A transfer that we did not make, or had given up for good, left an address of ours.
    private func applyForeign(
        _ transfer: ObservedBlock.Transfer, _ block: FollowedBlock, _ chain: ChainID,
        _ source: WalletAddress, _ moved: Amount, _ spent: Amount
    ) throws -> ChainEffect {
        guard let wallet = try store.wallet(source.wallet) else {
            throw LedgerFault.impossible("wallet of \(source.text)")
        }
        let transaction = Transaction(
            id: newID(), tenant: wallet.tenant, kind: .withdrawal, status: .failed,
            vault: wallet.vault, wallet: wallet.id, asset: wallet.asset, amount: moved,
            fee: transfer.receipt.fee, sourceAddress: source.text,
            destinationAddress: transfer.transaction.to?.text, hash: transfer.transaction.hash,
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
        return ChainEffect(
            chain: chain, block: block.hash, hash: transfer.transaction.hash, kind: .foreign,
            address: source.text, transaction: transaction.id, amount: moved,
            fee: transfer.receipt.fee)
    }

    /// Books a withdrawal's true cost, frees the rest, and ends what had the same nonce.
    func complete(withdrawal transaction: inout Transaction, _ chain: ChainID) throws {
        guard let wallet = try store.wallet(transaction.wallet), let fee = transaction.fee,
            let reserved = transaction.amount.adding(transaction.feeLimit),
            transaction.blockNumber != nil
        else { throw LedgerFault.impossible("withdrawal \(transaction.id)") }
        let moved = transaction.failure == nil ? transaction.amount : .zero
        guard let spent = moved.adding(fee), let rest = reserved.subtracting(spent) else {
            throw LedgerFault.impossible("cost of \(transaction.id)")
        }
        let round = try store.entryCount(of: transaction.id, prefix: "unspent:")
        let key = "spent:\(transaction.id):\(round)"
        try post(
            key, debit: wallet.account(.reserved), credit: wallet.account(.holdings), spent,
            for: transaction.id)
        try post(
            "\(key):rest", debit: wallet.account(.reserved), credit: wallet.account(.available),
            rest, for: transaction.id)
        try move(&transaction, to: transaction.failure == nil ? .completed : .failed)
        try recordBalance(of: wallet)
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

    /// The block of a withdrawal is gone: the same bytes are broadcast again.
    func revertWithdrawal(_ effect: ChainEffect) throws {
        guard var transaction = try store.transaction(effect.transaction),
            let wallet = try store.wallet(transaction.wallet),
            var transfer = try store.outgoing(effect.hash, on: effect.chain),
            let spent = effect.amount.adding(effect.fee),
            let reserved = transaction.amount.adding(transaction.feeLimit)
        else { throw LedgerFault.impossible("withdrawal \(effect.transaction)") }
        try changeFunds(of: effect.address, on: effect.chain, by: spent, up: true)
        if transaction.status.isFinal {
            // What was freed must be reserved again; where it was spent since, a debt is shown.
            guard let rest = reserved.subtracting(spent) else {
                throw LedgerFault.impossible("cost of \(transaction.id)")
            }
            let available = try store.balance(of: wallet.account(.available))
            let taken = min(available, rest)
            guard let missing = rest.subtracting(taken) else {
                throw LedgerFault.impossible("reversal of \(transaction.id)")
            }
            let round = try store.entryCount(of: transaction.id, prefix: "spent:")
            let key = "unspent:\(transaction.id):\(round)"
            try post(
                key, debit: wallet.account(.holdings), credit: wallet.account(.reserved), spent,
                for: transaction.id)
            try post(
                "\(key):rest", debit: wallet.account(.available),
                credit: wallet.account(.reserved), taken, for: transaction.id)
            try post(
                "\(key):debt", debit: wallet.account(.suspense),
                credit: wallet.account(.reserved), missing, for: transaction.id)
            if !missing.isZero { try store.setStatus(.frozen, of: wallet.id) }
        }
        transfer.state = .broadcasting
        transfer.nextBroadcast = now
        try store.update(transfer)
        transaction.blockNumber = nil
        transaction.fee = nil
        transaction.failure = nil
        try move(&transaction, to: .broadcasting)
        try recordBalance(of: wallet)
    }

    func revertForeign(_ effect: ChainEffect) throws {
        guard let transaction = try store.transaction(effect.transaction),
            let wallet = try store.wallet(transaction.wallet),
            let spent = effect.amount.adding(effect.fee)
        else { throw LedgerFault.impossible("transfer \(effect.transaction)") }
        try changeFunds(of: effect.address, on: effect.chain, by: spent, up: true)
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
