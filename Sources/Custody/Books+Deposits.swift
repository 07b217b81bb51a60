import Canonical
import Chains
import Intents

/// Deposits: seen, final, taken back.
///
/// A credit is keyed by chain, transaction and block, so that none is booked twice; a
/// reorganisation is answered with entries the other way round, never by forgetting.
extension Books {
    private static let secondsUntilGone: Int64 = 3600

    func applyDeposit(
        _ transfer: ObservedBlock.Transfer, _ block: FollowedBlock, _ chain: ChainID
    ) throws {
        guard transfer.receipt.succeeded, let to = transfer.transaction.to,
            let amount = transfer.transaction.value, !amount.isZero,
            let address = try store.address(to.text, on: chain),
            let wallet = try store.wallet(address.wallet)
        else { return }
        try changeFunds(of: address.text, on: chain, by: amount, up: true)
        var transaction = try deposit(transfer, amount, wallet, chain, address)
        transaction.blockNumber = block.number
        transaction.updatedAt = now
        try store.update(transaction)
        // A chain may leave a block and come back to it: one credit for each time.
        let place = "\(chain.text):\(transfer.transaction.hash):0:\(block.hash)"
        let round = try store.entryCount(of: transaction.id, prefix: "reverse:\(place)")
        try post(
            "credit:\(place):\(round)",
            debit: wallet.account(.holdings), credit: wallet.account(.pending), amount,
            for: transaction.id)
        try store.insert(
            ChainEffect(
                chain: chain, block: block.hash, hash: transfer.transaction.hash, kind: .deposit,
                address: address.text, transaction: transaction.id, amount: amount, fee: .zero))
        try recordBalance(of: wallet)
    }

    /// The deposit's transaction: a new one, or that of a deposit which a reorganisation moved.
    private func deposit(
        _ transfer: ObservedBlock.Transfer, _ amount: Amount, _ wallet: Wallet, _ chain: ChainID,
        _ address: WalletAddress
    ) throws -> Transaction {
        if let id = try store.deposit(of: transfer.transaction.hash, on: chain),
            var known = try store.transaction(id)
        {
            known.failure = nil
            known.waiting = nil
            if known.status != .confirming { try move(&known, to: .confirming) }
            return known
        }
        let transaction = Transaction(
            id: newID(), tenant: wallet.tenant, kind: .deposit, status: .confirming,
            vault: wallet.vault, wallet: wallet.id, asset: wallet.asset, amount: amount,
            sourceAddress: transfer.transaction.from.text, destinationAddress: address.text,
            hash: transfer.transaction.hash, createdAt: now, updatedAt: now)
        try store.insert(transaction)
        try store.append(TimelineEntry(status: .confirming, at: now), to: transaction.id)
        try record(.transactionCreated(try view(transaction)), of: wallet.tenant)
        return transaction
    }

    func complete(deposit transaction: inout Transaction) throws {
        guard let wallet = try store.wallet(transaction.wallet),
            transaction.blockNumber != nil
        else { throw LedgerFault.impossible("deposit \(transaction.id)") }
        // A debt that a reorganisation left is settled before anything becomes available.
        let debt = min(try store.balance(of: wallet.account(.suspense)), transaction.amount)
        guard let rest = transaction.amount.subtracting(debt) else {
            throw LedgerFault.impossible("debt of \(wallet.id)")
        }
        let round = try store.entryCount(of: transaction.id, prefix: "reverse:")
        let key = "final:\(transaction.id):\(round)"
        try post(
            "\(key):debt", debit: wallet.account(.pending), credit: wallet.account(.suspense), debt,
            for: transaction.id)
        try post(
            key, debit: wallet.account(.pending), credit: wallet.account(.available), rest,
            for: transaction.id)
        if !debt.isZero, try store.balance(of: wallet.account(.suspense)).isZero {
            try store.setStatus(.active, of: wallet.id)
        }
        try move(&transaction, to: .completed)
        try recordBalance(of: wallet)
    }

    func revertDeposit(_ effect: ChainEffect) throws {
        guard var transaction = try store.transaction(effect.transaction),
            let wallet = try store.wallet(transaction.wallet)
        else { throw LedgerFault.impossible("deposit \(effect.transaction)") }
        try changeFunds(of: effect.address, on: effect.chain, by: effect.amount, up: false)
        let place = "\(effect.chain.text):\(effect.hash):0:\(effect.block)"
        let round = try store.entryCount(of: transaction.id, prefix: "credit:\(place)")
        let key = "reverse:\(place):\(round)"
        if transaction.status == .completed {
            let available = try store.balance(of: wallet.account(.available))
            let taken = min(available, effect.amount)
            guard let missing = effect.amount.subtracting(taken) else {
                throw LedgerFault.impossible("reversal of \(transaction.id)")
            }
            try post(
                key, debit: wallet.account(.available), credit: wallet.account(.holdings), taken,
                for: transaction.id)
            try post(
                "\(key):debt", debit: wallet.account(.suspense),
                credit: wallet.account(.holdings), missing, for: transaction.id)
            if !missing.isZero { try store.setStatus(.frozen, of: wallet.id) }
        } else {
            try post(
                key, debit: wallet.account(.pending), credit: wallet.account(.holdings),
                effect.amount, for: transaction.id)
        }
        transaction.blockNumber = nil
        if transaction.status != .confirming { try move(&transaction, to: .confirming) }
        try wait(&transaction, .block, who: [])
        try recordBalance(of: wallet)
    }

    /// A deposit whose block went, and that no other block took up in time.
    func failIfGone(_ deposit: inout Transaction) throws {
        guard deposit.blockNumber == nil, let since = deposit.waiting?.since,
            now >= since.adding(seconds: Self.secondsUntilGone)
        else { return }
        deposit.failure = Failure(
            .reorganised, "A reorganisation of the chain removed this deposit.")
        try move(&deposit, to: .failed)
    }
}
