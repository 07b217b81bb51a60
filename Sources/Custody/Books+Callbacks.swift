import Intents

/// Transactions that the server of their API key is asked about before the holders are.
extension Books {
    /// Has the server of the key that starts the transaction asked, if the key has one.
    func askBack(about transaction: inout Transaction) throws {
        guard case .publicKey(let key, _) = actor, let url = key.callbackURL else { return }
        let callback = Callback(
            event: newID(), tenant: transaction.tenant, transaction: transaction.id, url: url,
            createdAt: now, updatedAt: now)
        try wait(&transaction, .callback, who: try server(of: callback))
        let frame = EventFrame(
            id: callback.event, type: "transaction.callback", createdAt: now, sequence: 1,
            tenant: transaction.tenant, environment: settings.environment)
        let question = try events.question(about: try view(transaction), self)
        try store.insert(
            event: frame, .callback, resource: frame.id.bytes, body: question, deliver: true)
        try store.insert(callback)
        stirred.deliveries = true
    }

    /// The server's name: the rest of its URL may be secret.
    private func server(of callback: Callback) throws -> [String] {
        do throws(WebhookTarget.Unfit) {
            return [try WebhookTarget(callback.url, allowsLocal: true).host]
        } catch {
            throw LedgerFault.impossible("URL of callback \(callback.event)")
        }
    }

    /// Whether the transaction waits for its caller or for its key's server.
    func isHeldBack(_ transaction: Transaction) throws -> Bool {
        if try store.isHeld(transaction.id) { return true }
        return try store.callback(of: transaction.id).map { $0.state != .approved } ?? false
    }

    /// Has a transaction that was built only go on.
    public func signAndBroadcast(_ id: TransactionID, of tenant: TenantID) throws -> Transaction {
        var transaction = try found(id, of: tenant)
        guard transaction.status == .submitted, transaction.stopping == nil,
            try store.isHeld(id)
        else {
            throw Refusal(
                .tooLate, "It does not wait for that: it is \(transaction.status.rawValue).")
        }
        try store.letGo(id)
        if transaction.waiting?.cause == .order {
            transaction.waiting = nil
            transaction.updatedAt = now
            try store.update(transaction)
        }
        stirred.signing = true
        return transaction
    }

    public func callback(_ id: EventID, of tenant: TenantID) throws -> Callback {
        guard let callback = try store.callback(id), callback.tenant == tenant else {
            throw Refusal.notFound("callback")
        }
        return callback
    }

    /// What was decided is not asked again.
    func requireWaiting(_ callback: Callback) throws(Refusal) {
        guard callback.state == .waiting else {
            throw Refusal(.tooLate, "The callback is \(callback.state.rawValue) already.")
        }
    }

    /// Takes what came of a question: an answer decides, once and for all.
    func heard(
        _ attempt: DeliveryAttempt, of event: RecordedEvent, _ schedule: DeliverySchedule
    ) throws {
        guard var callback = try store.callback(event.id),
            var transaction = try store.transaction(callback.transaction)
        else { throw LedgerFault.impossible("callback \(event.id)") }
        guard callback.state == .waiting else { return }
        switch attempt.decision {
        case true?:
            try decide(&callback, .approved, event: .delivered)
            if try store.isHeld(transaction.id) { try wait(&transaction, .order, who: []) }
            stirred.signing = true
        case false?:
            try decide(&callback, .denied, event: .delivered)
            try fail(
                &transaction,
                Failure(
                    .deniedByCallback, "The server of the API key that started it denied it."))
        case nil:
            if let next = try postpone(event, schedule) {
                return try wait(
                    &transaction, .callback, who: try server(of: callback),
                    next: "It was asked \(event.tries + 1) times, and has answered neither ok nor "
                        + "deny. It is asked again at \(next.text).")
            }
            try decide(&callback, .failed, event: .dead)
            try fail(
                &transaction,
                Failure(
                    .callbackUnanswered,
                    "The server of the API key that started it was asked \(event.tries + 1) times, "
                        + "and has answered neither ok nor deny."))
        }
    }

    private func decide(
        _ callback: inout Callback, _ state: Callback.State, event: RecordedEvent.State
    ) throws {
        callback.state = state
        callback.updatedAt = now
        try store.update(callback)
        try store.finish(delivery: callback.event, as: event, at: now)
    }

    /// The transaction has ended: nobody needs to be asked about it any more.
    func dropCallback(of transaction: Transaction) throws {
        guard var callback = try store.callback(of: transaction.id), callback.state == .waiting
        else { return }
        try decide(&callback, .dropped, event: .unsent)
    }
}

extension DeliveryAttempt {
    /// Whether the transaction may go on; nil if the answer is none.
    fileprivate var decision: Bool? {
        guard case .answer(let status, let start) = outcome,
            DeliveryForm.callback.acknowledges(status)
        else { return nil }
        return ["ok": true, "deny": false][String(decoding: start, as: UTF8.self)]
    }
}
