import Algebra
import Canonical
import Chains
import Intents
import KeyGroups

/// Following an intent through the holders: verdicts, runs, signatures, closing.
///
/// Everything here can be said twice: a verdict, a report or a signature that comes again changes
/// nothing, so whoever may not have been heard is simply asked again.
extension Books {
    /// First pause before another run for an intent, doubled each time.
    private static let runPauseMilliseconds: Int64 = 200
    private static let runPauseMost: Int64 = 10_000

    public func holderNames() throws -> [IdentityPublicKey: String] {
        Dictionary(
            try store.holders().map { ($0.identity, $0.name) },
            uniquingKeysWith: { first, _ in first })
    }

    /// What a holder that came online must be told: open intents, and orders to close. What it does
    /// not know of the address book follows.
    public func orders(
        for holder: IdentityPublicKey, signer: any IntentSigner
    ) throws -> [HolderOrder] {
        var orders: [HolderOrder] = []
        try store.hastenNotices(for: holder, at: now)
        for request in try store.signingRequests(in: [.open, .closing, .unclear]) {
            guard try asked(request).everyone.contains(holder) else { continue }
            if request.state == .open {
                let holders = try offered(request, among: [holder])
                orders.append(
                    .offer(intent: request.bytes, signature: request.signature, to: holders))
            } else {
                orders.append(try closeOrder(request, to: [holder], signer))
            }
        }
        return orders
    }

    private func closeOrder(
        _ request: SigningRequest, to holders: [IdentityPublicKey], _ signer: any IntentSigner
    ) throws -> HolderOrder {
        .close(
            intent: request.digest, signature: signer.sign(PlatformOrder.close(request.digest)),
            to: holders)
    }

    /// Takes in a holder's verdict. A no after a yes counts, a yes after a no does not.
    public func take(
        _ verdict: SignedVerdict, online: Set<IdentityPublicKey>, signer: any IntentSigner
    ) throws -> [HolderOrder] {
        guard let request = try store.signingRequest(verdict.intent) else {
            try takeAnnouncement(verdict)
            return []
        }
        let asked = try asked(request)
        guard asked.everyone.contains(verdict.holder) else { return [] }
        guard Self.supersedes(verdict.verdict, try standing(on: request.digest)[verdict.holder])
        else { return [] }
        try store.put(verdict)
        try tellAgain(verdict, of: request)
        return try advance(request, asked, online: online, signer: signer)
    }

    private static func supersedes(_ verdict: Verdict, _ before: Verdict?) -> Bool {
        func rank(_ verdict: Verdict) -> Int {
            switch verdict {
            case .waiting: 0
            case .approval: 1
            case .refusal: 2
            case .given: 3
            case .closed: 4
            }
        }
        guard let before else { return true }
        return rank(verdict) >= rank(before)
    }

    /// What each holder's word on the intent is now.
    func standing(on intent: Digest) throws -> [IdentityPublicKey: Verdict] {
        var standing: [IdentityPublicKey: Verdict] = [:]
        for verdict in try store.verdicts(on: intent)
        where Self.supersedes(verdict.verdict, standing[verdict.holder]) {
            standing[verdict.holder] = verdict.verdict
        }
        return standing
    }

    /// Looks at everything that is open: what has expired, which runs took too long, whom to ask
    /// again, and what a transaction waits for.
    public func tend(
        online: Set<IdentityPublicKey>, signer: any IntentSigner
    ) throws -> [HolderOrder] {
        var orders: [HolderOrder] = []
        try followKeyShareRequests()
        for request in try store.signingRequests(in: [.open, .closing, .unclear]) {
            let asked = try asked(request)
            orders += try advance(request, asked, online: online, signer: signer)
            guard let current = try store.signingRequest(request.digest) else { continue }
            orders += try askAgain(current, asked, online: online, signer)
            try explain(current, asked, online: online)
        }
        return orders
    }

    /// Whoever is online and has not said its last word is asked again.
    private func askAgain(
        _ request: SigningRequest, _ asked: Asked, online: Set<IdentityPublicKey>,
        _ signer: any IntentSigner
    ) throws -> [HolderOrder] {
        let verdicts = try standing(on: request.digest)
        let undecided = asked.everyone.filter { holder in
            guard online.contains(holder) else { return false }
            switch (request.state, verdicts[holder]) {
            case (.open, nil), (.open, .waiting): return true
            case (.open, .approval): return request.ceremony != nil
            case (.closing, .closed), (.closing, .given), (.closing, nil): return false
            case (.closing, _): return true
            case (.unclear, .closed), (.unclear, nil): return false
            case (.unclear, _): return true
            case (.open, _), (.done, _), (.closed, _): return false
            }
        }
        guard request.state == .open else {
            return undecided.isEmpty ? [] : [try closeOrder(request, to: undecided, signer)]
        }
        let holders = try offered(request, among: undecided)
        return holders.isEmpty
            ? [] : [.offer(intent: request.bytes, signature: request.signature, to: holders)]
    }

    /// Moves a request on by what is known of it.
    private func advance(
        _ request: SigningRequest, _ asked: Asked, online: Set<IdentityPublicKey>,
        signer: any IntentSigner
    ) throws -> [HolderOrder] {
        switch request.state {
        case .open:
            let verdicts = try standing(on: request.digest)
            if let failure = try outdated(request) {
                return try close(request, asked, because: failure, signer)
            }
            if let failure = try stopping(request) ?? givenUp(request) {
                return try close(request, asked, because: failure, signer)
            }
            if let failure = asked.failure(after: verdicts) {
                return try close(request, asked, because: failure, signer)
            }
            if now >= request.expiresAt {
                return try close(
                    request, asked,
                    because: Failure(.expired, "The intent expired before enough holders signed."),
                    signer)
            }
            let failed = try store.runs(of: request.digest).last(where: hasFailed)
            if request.ceremony != nil, let failed {
                // Holders may keep shares of it: the next one has an epoch of its own.
                return try close(
                    request, asked,
                    because: Failure(
                        .expired, "The run ended early: \(failed.reason ?? "timeout")."), signer)
            }
            return try proposeRun(request, asked, verdicts, online: online)
        case .closing, .unclear:
            try settleClosing(request)
            return []
        case .done, .closed:
            return []
        }
    }

    /// Why nobody needs the intent any more, if that is so.
    private func outdated(_ request: SigningRequest) throws -> Failure? {
        guard let id = request.transaction, let transaction = try store.transaction(id),
            transaction.status != .pendingSignature
        else { return nil }
        guard try store.replacement(by: request.digest) != nil else {
            return Failure(.keyChanged, "Another intent was signed.")
        }
        return transaction.status == .broadcasting
            ? nil : Failure(.nonceSpent, "A block has bytes of it already.")
    }

    /// Why the withdrawal is to end, unless an earlier intent of it may be signed: then only a
    /// signature of this one can end the matter.
    private func stopping(_ request: SigningRequest) throws -> Failure? {
        guard let id = request.transaction, let failure = try store.transaction(id)?.stopping,
            try store.signingRequests(of: id).allSatisfy({
                $0.digest == request.digest || $0.state == .closed
            })
        else { return nil }
        return failure
    }

    /// Why the ceremony is to end, if it has been given up.
    private func givenUp(_ request: SigningRequest) throws -> Failure? {
        guard let id = request.ceremony, let ceremony = try store.ceremony(id),
            ceremony.state == .failed
        else { return nil }
        return Failure(.expired, ceremony.failure ?? "It was given up.")
    }

    private func hasFailed(_ run: SigningRun) -> Bool {
        run.state == .failed || (run.state == .live && now >= run.expiresAt)
    }

    private func proposeRun(
        _ request: SigningRequest, _ asked: Asked,
        _ verdicts: [IdentityPublicKey: Verdict], online: Set<IdentityPublicKey>
    ) throws -> [HolderOrder] {
        var runs = try store.runs(of: request.digest)
        for (at, run) in runs.enumerated() where run.state == .live && now >= run.expiresAt {
            runs[at].state = .failed
            runs[at].reason = "timeout"
            runs[at].endedAt = now
            try store.update(runs[at])
        }
        guard !runs.contains(where: { $0.state == .live }) else { return [] }
        let last = runs.max { $0.attempt < $1.attempt }
        if let last, let ended = last.endedAt {
            let pause = min(
                Self.runPauseMost, Self.runPauseMilliseconds << Int64(min(last.attempt, 10)))
            guard now.milliseconds >= ended.milliseconds + pause else { return [] }
        }
        let isReady = { (holder: IdentityPublicKey) in
            guard online.contains(holder) else { return false }
            switch verdicts[holder] {
            case .approval, .given: return true
            case .refusal, .waiting, .closed, nil: return false
            }
        }
        let bans = try store.bannedPairs(in: request.group)
        var chosen: [[IdentityPublicKey]] = []
        for quorum in asked.quorums {
            guard
                let members = Self.quorum(
                    of: quorum.required, among: quorum.holders.identities.filter(isReady),
                    last: last?.silent ?? [], apart: request.ceremony == nil ? bans : [])
            else { return [] }
            chosen.append(members)
        }
        guard
            let (descriptor, source) = try descriptor(
                request, asked, chosen, attempt: (last?.attempt ?? 0) + 1)
        else { return [] }
        let members = descriptor.roster.identities
        try store.insert(
            SigningRun(
                descriptor: descriptor.digest, intent: request.digest, attempt: descriptor.attempt,
                members: members, state: .live, startedAt: now,
                expiresAt: now.adding(seconds: settings.runSeconds)))
        return [.run(descriptor: descriptor.bytes, source: source, to: members)]
    }

    /// The first so many in order, those that kept silent before last, no banned pair together.
    private static func quorum(
        of required: Int, among ready: [IdentityPublicKey], last silent: [IdentityPublicKey],
        apart bans: [Set<IdentityPublicKey>]
    ) -> [IdentityPublicKey]? {
        let ordered = ready.filter { !silent.contains($0) } + ready.filter(silent.contains)
        func extend(_ chosen: [IdentityPublicKey], _ rest: ArraySlice<IdentityPublicKey>)
            -> [IdentityPublicKey]?
        {
            if chosen.count == required { return chosen }
            guard chosen.count + rest.count >= required, let next = rest.first else { return nil }
            let fits = chosen.allSatisfy { !bans.contains([$0, next]) }
            return (fits ? extend(chosen + [next], rest.dropFirst()) : nil)
                ?? extend(chosen, rest.dropFirst())
        }
        return extend([], ordered[...])?.sorted()
    }

    /// What is proposed, and the certificate of the key that it deals anew, if it does.
    private func descriptor(
        _ request: SigningRequest, _ asked: Asked, _ chosen: [[IdentityPublicKey]], attempt: UInt16
    ) throws -> (RunDescriptor, source: [UInt8])? {
        let intent = try request.intent()
        let rosters = zip(asked.quorums, chosen).compactMap { $0.holders.only($1) }
        guard rosters.count == chosen.count, let first = rosters.first else { return nil }
        let purpose: RunDescriptor.Purpose
        var isFresh = false
        switch intent.purpose {
        case .transfer, .contractCall, .message:
            guard let (_, digest) = asked.certificate?.claimed(), let item = intent.item else {
                return nil
            }
            purpose = .signing(certificate: digest, items: [item], first)
            isFresh = settings.freshSetups
        case .keyCeremony(let ceremony):
            let source = ceremony.source.flatMap { source in
                rosters.dropFirst().first.map {
                    SharingPlan.Source(
                        group: source.group, epoch: source.epoch, certificate: source.certificate,
                        dealers: $0)
                }
            }
            guard
                let plan = SharingPlan(
                    kind: ceremony.kind, threshold: ceremony.threshold, holders: first,
                    source: source)
            else { return nil }
            purpose = .keyCeremony(plan)
        case .announcement: return nil
        }
        let descriptor = RunDescriptor(
            request: intent.request, attempt: attempt, intent: request.digest,
            group: request.group, epoch: intent.epoch, scheme: asked.scheme, purpose: purpose,
            expires: UInt64(now.adding(seconds: settings.runSeconds).seconds), isFresh: isFresh)
        return (descriptor, asked.source?.bytes ?? [])
    }

    /// A run has ended without a result for one of its members, so for all of them.
    public func runEnded(
        _ descriptor: Digest, reason: String, culprits: [IdentityPublicKey],
        missing: [IdentityPublicKey], isBan: Bool, heardFrom holder: IdentityPublicKey,
        online: Set<IdentityPublicKey>, signer: any IntentSigner
    ) throws -> [HolderOrder] {
        guard var run = try store.run(descriptor), run.members.contains(holder),
            let request = try store.signingRequest(run.intent)
        else { return [] }
        if isBan {
            for culprit in culprits where run.members.contains(culprit) {
                try store.insertBannedPair(holder, culprit, in: request.group)
            }
        }
        guard run.state == .live else { return [] }
        run.state = .failed
        run.reason = reason
        // Who ends a run and names nobody is the one to do without next.
        let named = culprits + missing
        run.silent = (named.isEmpty ? [holder] : named).filter(run.members.contains)
        run.endedAt = now
        try store.update(run)
        return try advance(request, try asked(request), online: online, signer: signer)
    }

    /// Takes in the signature of an intent: verified under the key that the intent names, whoever
    /// brings it.
    ///
    /// - Returns: whether it is new and good.
    public func take(signature: ECDSASignature, of digest: Digest) throws -> Bool {
        guard var request = try store.signingRequest(digest), request.state != .done,
            let id = request.transaction, var transaction = try store.transaction(id),
            let group = try store.group(request.group)
        else { return false }
        let intent = try request.intent()
        guard let item = intent.item else { return false }
        let key = try activeKey(of: group.keyVault)
        guard let derived = DerivedKey(item.path, of: key),
            signature.signer(of: item.digest) == derived.publicKey, signature.recoveryID < 2
        else { return false }
        request.state = .done
        try store.update(request)
        try store.countSignature(by: request.group)
        for var run in try store.runs(of: digest) where run.state == .live {
            run.state = .done
            run.endedAt = now
            try store.update(run)
        }
        guard transaction.status == .pendingSignature else {
            return try takeFurther(signature, intent, &transaction)
        }
        switch intent.purpose {
        case .transfer, .contractCall: try send(intent, signature, &transaction)
        case .message:
            transaction.signature = signature
            try move(&transaction, to: .completed)
        case .keyCeremony, .announcement: return false
        }
        return true
    }

    /// Has the signed transaction broadcast.
    private func send(
        _ intent: Intent, _ signature: ECDSASignature, _ transaction: inout Transaction
    ) throws {
        let transfer = try outgoing(intent, signature, transaction.id, .broadcasting)
        guard let source = try store.address(transfer.source, on: transfer.chain) else {
            throw LedgerFault.impossible("source of \(transaction.id)")
        }
        try store.insert(transfer)
        try store.setNextNonce(max(source.nextNonce, transfer.nonce + 1), of: source)
        transaction.hash = transfer.hash
        try move(&transaction, to: .broadcasting)
        stirred.broadcasting = true
        stirred.signing = true  // the source address is free for the next
    }

    /// The bytes that the intent and its signature make.
    func outgoing(
        _ intent: Intent, _ signature: ECDSASignature, _ transaction: TransactionID,
        _ state: OutgoingTransfer.State
    ) throws -> OutgoingTransfer {
        guard let order = intent.payment, let signed = intent.transaction?.signed(signature) else {
            throw LedgerFault.impossible("transfer \(transaction)")
        }
        return OutgoingTransfer(
            chain: order.chain, hash: signed.hash, transaction: transaction,
            source: order.sourceAddress, nonce: order.nonce, raw: signed.raw, state: state,
            nextBroadcast: now, broadcasts: 0)
    }
}
