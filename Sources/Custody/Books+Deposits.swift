import Canonical
import Chains
import Intents

/// Deposits: seen, final, taken back.
///
/// A credit is keyed by chain, transaction and block, so that none is booked twice; a
/// reorganisation is answered with entries the other way round, never by forgetting.
extension Books {
    private static let secondsUntilGone: Int64 = 3600

    /// A payment to an address of ours.
    private struct Payment {
        let asset: Asset
        let amount: Amount
        let from: EVMAddress
        let to: WalletAddress
        let place: PaymentPlace
    }

    /// The coins that a transaction carries to an address of ours.
    func applyCoins(
        _ transfer: ObservedBlock.Transfer, _ block: FollowedBlock, _ chain: ChainID
    ) throws {
        guard transfer.receipt.succeeded, let to = transfer.transaction.to,
            let amount = transfer.transaction.value, !amount.isZero,
            let address = try store.address(to.text, on: chain),
            let asset = settings.asset(.native(chain))
        else { return }
        try credit(
            Payment(
                asset: asset, amount: amount, from: transfer.transaction.from, to: address,
                place: PaymentPlace(
                    chain: chain, hash: transfer.transaction.hash, text: PaymentPlace.coins)),
            block)
    }

    /// The tokens that a transaction moves to addresses of ours, or away from them. Only contracts
    /// of the configuration count, and nobody can make anything of a transfer of zero, which
    /// anybody can write in our name.
    ///
    /// - Parameter own: what a transfer of ours did, which is booked already.
    func applyTokens(
        _ transfer: ObservedBlock.Transfer, except own: OwnTransfer?, _ block: FollowedBlock,
        _ chain: ChainID
    ) throws {
        guard transfer.receipt.succeeded else { return }
        var seen: [ERC20Log: Int] = [:]
        for log in transfer.receipt.tokenTransfers where !log.amount.isZero {
            guard let asset = settings.asset(.erc20(chain, log.contract)) else { continue }
            let before = seen[log, default: 0]
            seen[log] = before + 1
            let place = PaymentPlace(
                chain: chain, hash: transfer.transaction.hash,
                text: "\(log.contract):\(log.from):\(log.to):\(log.amount.baseUnits):\(before)")
            let isOwn = log == own?.log && before == 0
            if isOwn, own?.isConsolidation == true { continue }
            if !isOwn, let source = try store.address(log.from.text, on: chain) {
                try applyForeign(log, asset, from: source, place, block)
            }
            if let to = try store.address(log.to.text, on: chain) {
                try credit(
                    Payment(
                        asset: asset, amount: log.amount, from: log.from, to: to, place: place),
                    block)
            }
        }
    }

    private func credit(_ payment: Payment, _ block: FollowedBlock) throws {
        let (amount, asset, chain) = (payment.amount, payment.asset.asset, payment.place.chain)
        let wallet = try wallet(for: payment.asset, at: payment.to)
        try changeFunds(of: payment.to.text, asset, by: amount, up: true)
        var transaction = try deposit(payment, wallet)
        transaction.blockNumber = block.number
        transaction.updatedAt = now
        try store.update(transaction)
        // A chain may leave a block and come back to it: one credit for each time.
        let place = Self.key(payment.place, block.hash)
        let round = try store.entryCount(of: transaction.id, prefix: "reverse:\(place)")
        try post(
            "credit:\(place):\(round)",
            debit: wallet.account(.holdings), credit: wallet.account(.pending), amount,
            for: transaction.id)
        try store.insert(
            ChainEffect(
                chain: chain, block: block.hash, hash: payment.place.hash, kind: .deposit,
                place: payment.place.text, address: payment.to.text, transaction: transaction.id,
                asset: asset, amount: amount, fee: .zero))
        try recordBalance(of: wallet)
    }

    private static func key(_ place: PaymentPlace, _ block: Digest) -> String {
        "\(place.chain.text):\(place.hash):\(place.text):\(block)"
    }

    /// The deposit's transaction: a new one, or that of a deposit which a reorganisation moved.
    private func deposit(_ payment: Payment, _ wallet: Wallet) throws -> Transaction {
        if let id = try store.deposit(at: payment.place), var known = try store.transaction(id) {
            known.failure = nil
            known.waiting = nil
            if known.status != .confirming { try move(&known, to: .confirming) }
            return known
        }
        let transaction = Transaction(
            id: newID(), tenant: wallet.tenant, kind: .deposit, status: .confirming,
            vault: wallet.vault, wallet: wallet.id, asset: wallet.asset, amount: payment.amount,
            sourceAddress: payment.from.text, destinationAddress: payment.to.text,
            hash: payment.place.hash, createdAt: now, updatedAt: now)
        try store.insert(transaction)
        try store.insert(deposit: transaction.id, payment.place)
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
        try changeFunds(of: effect.address, effect.asset, by: effect.amount, up: false)
        let place = Self.key(
            PaymentPlace(chain: effect.chain, hash: effect.hash, text: effect.place), effect.block)
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
        if transaction.status == .confirming {
            try wait(&transaction, .block, who: [])
        } else {
            try move(&transaction, to: .confirming, waitingFor: .block)
        }
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
