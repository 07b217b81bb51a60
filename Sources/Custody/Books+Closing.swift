import Algebra
import Canonical
import Chains
import Intents
import KeyGroups

/// Ending an intent without a signature: only when none of it can exist.
extension Books {
    /// Begins to close a request. Where no run was ever proposed, no holder has given anything and
    /// it is closed at once; the holders are told in any case, so that they free their counters.
    func close(
        _ open: SigningRequest, _ asked: Asked, because failure: Failure,
        _ signer: any IntentSigner
    ) throws -> [HolderOrder] {
        var request = open
        request.state = .closing
        request.closingBecause = failure
        try store.update(request)
        try settleClosing(request)
        return [
            .close(
                intent: request.digest,
                signature: signer.sign(PlatformOrder.close(request.digest)), to: asked.everyone)
        ]
    }

    /// Closed is what every member of every run has closed. If any holder has given its last
    /// message, a signature may exist that nobody shows: then the nonce is used again.
    ///
    /// That too few others are left to sign proves nothing: one of those who say that they closed
    /// it may lie, and have what the honest one gave. On a ceremony no funds depend, so there one
    /// member's no is enough.
    func settleClosing(_ closing: SigningRequest) throws {
        var request = closing
        let members = Set(try store.runs(of: request.digest).flatMap(\.members))
        let verdicts = try standing(on: request.digest)
        let isGiven = verdicts.values.contains(.given)
        let isClosed =
            request.ceremony != nil
            ? members.isEmpty || isGiven || verdicts.values.contains(where: \.isFinalNo)
            : !isGiven && members.allSatisfy { verdicts[$0] == .closed }
        if isClosed {
            request.state = .closed
            try store.update(request)
            try failIfNothingIsLeft(request)
        } else if request.state == .closing, isGiven {
            request.state = .unclear
            try store.update(request)
        }
        try followReplacement(request)
    }

    /// Fails the transaction when none of its intents can be signed any more, and the ceremony that
    /// holders have refused. What was closed for another reason than a refusal is begun again.
    private func failIfNothingIsLeft(_ request: SigningRequest) throws {
        if let id = request.ceremony, var ceremony = try store.ceremony(id),
            ceremony.state == .open, let failure = request.closingBecause,
            failure.code == .refusedByHolders
        {
            let reasons = try reasons(for: request, failure)
            if try !endRequest(of: ceremony, as: .refused, because: reasons),
                ceremony.occasion != .keyGeneration
            {
                ceremony.state = .failed
                ceremony.failure = reasons
                try store.update(ceremony)
            }
        }
        guard let id = request.transaction, var transaction = try store.transaction(id),
            transaction.status == .pendingSignature,
            let failure = transaction.stopping ?? request.closingBecause,
            failure.code != .keyChanged,
            try store.signingRequests(of: id).allSatisfy({ $0.state == .closed })
        else { return }
        try fail(&transaction, failure)
    }

    /// The failure's sentence, and each refusal's.
    func reasons(for request: SigningRequest, _ failure: Failure) throws -> String {
        let names = try holderNames()
        let refusals = try standing(on: request.digest).compactMap { holder, verdict in
            if case .refusal(let reason) = verdict {
                "\(names[holder] ?? holder.hex): \(reason.sentence)"
            } else {
                nil
            }
        }
        return ([failure.message] + refusals.sorted()).joined(separator: " ")
    }

    /// Ends a withdrawal before it is signed: at once while no holder was asked, else as soon as
    /// every holder that may have signed says that it did not.
    ///
    /// - Returns: whether it has ended. If not, and a signature turns out to exist, it goes on.
    /// - Throws: `.tooLate` if it is signed, or may be.
    func stop(_ transaction: inout Transaction, because failure: Failure) throws -> Bool {
        switch transaction.status {
        case .submitted:
            try fail(&transaction, failure)
            return true
        case .pendingSignature:
            guard try !mayBeSigned(transaction) else {
                throw Refusal(
                    .tooLate, "A holder has signed already: it cannot be kept from the chain.")
            }
            if transaction.stopping == nil {
                transaction.stopping = failure
                transaction.updatedAt = now
                try store.update(transaction)
            }
            stirred.signing = true
            return false
        case .broadcasting, .confirming, .completed, .failed, .cancelled:
            throw Refusal(.tooLate, "It is \(transaction.status.rawValue) already.")
        }
    }

    /// Whether a signature of the withdrawal exists, or may exist.
    func mayBeSigned(_ transaction: Transaction) throws -> Bool {
        try store.signingRequests(of: transaction.id).contains {
            $0.state == .unclear || $0.state == .done
        }
    }

    /// Cancels a withdrawal, a call or a message that is not signed.
    ///
    /// - Returns: whether it is cancelled now; if not, the holders are being asked.
    public func cancel(
        _ id: TransactionID, of tenant: TenantID
    ) throws -> (TransactionView, isDone: Bool) {
        var transaction = try found(id, of: tenant)
        guard [.withdrawal, .contractCall, .messageSign].contains(transaction.kind) else {
            throw Refusal(.tooLate, "Only what holders are to sign can be cancelled.")
        }
        if transaction.status == .cancelled { return (try view(transaction), true) }
        let isDone = try stop(
            &transaction, because: Failure(.cancelled, "It was cancelled by its owner."))
        return (try view(transaction), isDone)
    }

    /// Ends a withdrawal that has not left, and frees what was reserved for it. With it go the
    /// transfers that gather its funds; with one of these goes the withdrawal.
    func fail(_ transaction: inout Transaction, _ failure: Failure) throws {
        try dropCallback(of: transaction)
        try release(transaction)
        if failure.code != .cancelled { transaction.failure = failure }
        try move(&transaction, to: failure.code == .cancelled ? .cancelled : .failed)
        for purse in try purses(of: transaction) { try recordBalance(of: purse.wallet) }
        try stopConsolidations(of: transaction)
        try failWithdrawal(of: transaction, failure)
    }

    /// Writes down for whom a transaction waits, for people who ask why nothing happens.
    func explain(
        _ request: SigningRequest, _ asked: Asked, online: Set<IdentityPublicKey>
    ) throws {
        guard let id = request.transaction, var transaction = try store.transaction(id),
            let (cause, who, next) = try delay(of: request, asked, online: online)
        else { return }
        if transaction.status == .pendingSignature {
            try wait(&transaction, cause, who: who, next: next)
        } else if transaction.status == .broadcasting {
            try explainReplacement(request, cause, who: who, next: next)
        }
    }

    /// For whom a request waits, and what to say of it if it is not what is usual; nil of what has
    /// ended.
    private func delay(
        of request: SigningRequest, _ asked: Asked, online: Set<IdentityPublicKey>
    ) throws -> (Waiting.Cause, who: [String], next: String?)? {
        let names = try holderNames()
        func named(_ holders: [IdentityPublicKey]) -> [String] {
            holders.map { names[$0] ?? $0.hex }.sorted()
        }
        let verdicts = try standing(on: request.digest)
        let runs = try store.runs(of: request.digest)
        switch request.state {
        case .open:
            if runs.contains(where: { $0.state == .live }) {
                return (.run, [], nil)
            }
            var reasons: [String] = []
            let awaited = asked.everyone.filter { holder in
                switch verdicts[holder] {
                case .waiting(let reason) where online.contains(holder):
                    reasons += named([holder]).map { "\($0) waits: \(reason.sentence)" }
                    return true
                case nil, .waiting: return true
                case .approval, .given: return !online.contains(holder)
                case .refusal, .closed: return false
                }
            }
            if let failed = runs.last(where: { $0.state == .failed }), awaited.isEmpty {
                return (
                    .run, named(failed.silent),
                    "The last run failed (\(failed.reason ?? "timeout")); another follows. "
                        + "If that goes on, look at these holders' logs and clocks."
                )
            }
            return (
                .holders, named(awaited),
                reasons.isEmpty ? nil : reasons.sorted().joined(separator: " ")
            )
        case .closing, .unclear:
            let given = verdicts.keys.filter { verdicts[$0] == .given }
            let awaited = Set(runs.flatMap(\.members) + given).filter { verdicts[$0] != .closed }
            return (.closing, named(Array(awaited)), nil)
        case .done, .closed:
            return nil
        }
    }
}
