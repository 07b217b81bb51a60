import Algebra
import Canonical
import Chains
import Intents
import KeyGroups
import Threshold

/// Judging intents, keeping what they announce, and closing them.
extension HolderCore {
    /// Counters look back this far, in seconds.
    private static let window: UInt64 = 24 * 3600

    func offered(_ bytes: [UInt8], _ signature: IdentitySignature) throws {
        guard bytes.count <= CBOR.byteLimit else { return note("dropped an intent over 64 KiB") }
        let digest = Intent.digest(of: bytes)
        guard platform.verifies(signature, of: digest) else {
            return note("dropped an intent that the platform key did not sign")
        }
        try decide(bytes, digest)
    }

    /// Judges an intent that the platform signed, and answers.
    func decide(_ bytes: [UInt8], _ digest: Digest) throws {
        if let known = try store.intent(digest) {
            try answerAgain(known)
            return
        }
        guard let intent = try? Intent(bytes) else {
            let reason = Verdict.Reason(.malformedIntent, "The intent cannot be decoded.")
            return try keep(.refused, .refusal(reason), digest, bytes, expires: now)
        }
        switch judge.judge(intent, knowing: try knowledge(of: intent, digest)) {
        case .approve(let approved):
            try reserve(approved, intent, digest)
            try note(announcedBy: intent)
            try keep(
                .approved, .approval(digests: approved.items.map(\.digest)), digest, bytes,
                expires: intent.expires)
        case .refuse(let reason):
            try keep(.refused, .refusal(reason), digest, bytes, expires: intent.expires)
        case .wait(let reason):
            if case .keyCeremony(let ceremony) = intent.purpose,
                reason.code == .ceremonyUnconfirmed
            {
                try store.awaitConfirmation(
                    fingerprint: ceremony.fingerprint(of: intent.group),
                    request: intent.request, of: ceremony.sentence)
            }
            try tell(
                reason.code == .ceremonyUnconfirmed ? .approving : .scheduling, of: digest, bytes)
            _ = send(.waiting(reason), on: digest)
        case .consult(let approved):
            try consult(approved, intent, digest)
            try tell(.approving, of: digest, bytes)
            _ = send(.waiting(.callbackPending), on: digest)
        }
    }

    /// What this holder would answer to an intent at a time; nothing is stored or sent.
    ///
    /// - Parameter time: Unix seconds.
    public func finding(on intent: Intent, at time: UInt64) throws -> Judge.Finding {
        try store.commit {
            now = max(time, try store.latestTime())
            return judge.judge(intent, knowing: try knowledge(of: intent, intent.digest))
        }
    }

    /// Takes over what an approved announcement says. Said twice, an address is no younger; said
    /// after its removal, it counts anew.
    private func note(announcedBy intent: Intent) throws {
        guard case .announcement(let announcement) = intent.purpose,
            let root = try heldKey(of: intent.group, epoch: intent.epoch)?.key.publicKey
        else { return }
        let (address, chain) = (announcement.address, announcement.chain)
        let known = try store.announced(address, on: chain, under: root)
        switch announcement.change {
        case .add:
            if let known, known.removedAt == nil { return }
            let start = now + judge.rules.addressCooling
            note("told of \(address) on \(chain.text), to be paid to from \(start) on")
            try store.keep(AnnouncedAddress(firstSeen: now), of: address, on: chain, under: root)
        case .remove:
            note("told that \(address) on \(chain.text) may be paid to no more")
            try store.keep(
                AnnouncedAddress(
                    firstSeen: known?.firstSeen ?? now, removedAt: known?.removedAt ?? now),
                of: address, on: chain, under: root)
            try closeTransfers(to: address, on: chain, under: root)
        }
    }

    /// Closes what was approved for the address and is not signed, so that it counts against no
    /// limit any more.
    private func closeTransfers(
        to address: String, on chain: ChainID, under root: [UInt8]
    ) throws {
        for record in try store.unsignedIntents(expiringAfter: now) {
            guard let intent = try? Intent(record.bytes),
                case .transfer(let order) = intent.purpose, order.chain == chain,
                order.output.address == address, order.output.ownPath == nil,
                try activeKey(of: intent)?.key.publicKey == root
            else { continue }
            try closeForGood(record)
        }
    }

    private func keep(
        _ state: IntentRecord.State, _ verdict: Verdict, _ digest: Digest, _ bytes: [UInt8],
        expires: UInt64
    ) throws {
        let signed = send(verdict, on: digest)
        try store.put(
            IntentRecord(
                digest: digest, bytes: bytes, state: state, verdict: signed.bytes,
                expires: expires))
        try tell(verdict, on: digest, bytes)
    }

    private func reserve(_ approved: Approved, _ intent: Intent, _ digest: Digest) throws {
        guard let root = try activeKey(of: intent)?.key.publicKey else { return }
        for (asset, amount) in approved.spending {
            try store.reserve(amount, of: asset, under: root, intent: digest, at: now)
        }
    }

    /// The same answer as before, unless an approval no longer holds; and the signatures, if the
    /// intent was signed: whoever asks again may have missed them.
    private func answerAgain(_ record: IntentRecord) throws {
        if record.state == .approved, let reason = try refusalNow(record) {
            try keep(
                .refused, .refusal(reason), record.digest, record.bytes, expires: record.expires)
            cancelRuns(of: record.digest)
            return
        }
        if let verdict = try? SignedVerdict(record.verdict) { outputs.append(.verdict(verdict)) }
        if let signatures = try store.signatures(of: record.digest) {
            outputs.append(.signatures(intent: record.digest, signatures))
        }
        for key in try keysMade(for: record) { announce(key) }
    }

    private func keysMade(for record: IntentRecord) throws -> [KeyRecord] {
        guard let intent = try? Intent(record.bytes) else { return [] }
        return try store.keys(of: intent.group).filter {
            $0.intent == record.digest && $0.state == .active
        }
    }

    /// Why an approved intent is refused now: its time is over, the rules have changed, or its
    /// destination was removed. Being frozen or over a counter stops a run but takes nothing back,
    /// and what was announced stays announced.
    private func refusalNow(_ record: IntentRecord) throws -> Verdict.Reason? {
        guard try !store.hasLast(for: record.digest), let intent = try? Intent(record.bytes),
            !intent.isAnnouncement, try !hasKey(of: record.digest, in: intent.group)
        else { return nil }
        switch judge.judge(intent, knowing: try knowledge(of: intent, record.digest)) {
        case .refuse(let reason): return reason
        case .consult(let approved): try consult(approved, intent, record.digest)
        case .approve, .wait: break
        }
        return nil
    }

    /// What an approved intent admits now: its items, or nil if it may not be signed at the moment.
    func admitted(_ record: IntentRecord) throws -> (Intent, Approved)? {
        guard record.state == .approved, let intent = try? Intent(record.bytes) else { return nil }
        switch judge.judge(intent, knowing: try knowledge(of: intent, record.digest)) {
        case .approve(let approved): return (intent, approved)
        // Servers that were named since then are asked too.
        case .consult(let approved): try consult(approved, intent, record.digest)
        case .refuse, .wait: break
        }
        return nil
    }

    /// Whether the ceremony that the intent asked for has given us a share.
    private func hasKey(of intent: Digest, in group: GroupID) throws -> Bool {
        try store.keys(of: group).contains { $0.intent == intent }
    }

    func activeKey(of intent: Intent) throws -> KeyRecord? {
        try store.keys(of: intent.group).first { $0.state == .active && $0.epoch == intent.epoch }
    }

    /// The active key of this epoch; else the highest one.
    func heldKey(of group: GroupID, epoch: UInt64?) throws -> HeldKey? {
        let active = try store.keys(of: group).filter { $0.state == .active }
        let key = active.first { $0.epoch == epoch } ?? active.max { $0.epoch < $1.epoch }
        return try key.map {
            HeldKey(
                group: $0.group, epoch: $0.epoch, kind: $0.kind, holders: $0.roster,
                certificate: $0.certificateDigest, key: $0.key,
                banned: try store.banned(group: group, epoch: $0.epoch))
        }
    }

    private func knowledge(of intent: Intent, _ digest: Digest) throws -> HolderKnowledge {
        var key = try heldKey(of: intent.group, epoch: intent.epoch)
        var spent: [AssetID: Amount] = [:]
        var destination: AnnouncedAddress?
        var countersFullUntil: UInt64?
        var source: HeldKey?
        var isConfirmed = false
        // Whose key must be of the epoch that is named: that of the group that deals or signs.
        var named = intent.group
        if let payment = intent.payment, let root = key?.key.publicKey {
            for asset in payment.assets {
                spent[asset] = try store.spent(
                    of: asset, under: root, since: now - min(now, Self.window), except: digest)
            }
            countersFullUntil = try store.joined(root: root).map { $0 + Self.window }
        }
        switch intent.purpose {
        case .transfer(let order):
            if let root = key?.key.publicKey {
                destination = try store.announced(
                    order.output.address, on: order.chain, under: root)
            }
        case .contractCall, .message, .announcement: break
        case .keyCeremony(let ceremony):
            source = try ceremony.source.flatMap { try heldKey(of: $0.group, epoch: $0.epoch) }
            named = ceremony.source?.group ?? named
            // Two key generations may both have ended: the one that is dealt is the one.
            key = source?.group == intent.group ? source : key
            isConfirmed =
                try confirmsCeremonies
                || store.isConfirmed(
                    fingerprint: ceremony.fingerprint(of: intent.group), request: intent.request)
        }
        return HolderKnowledge(
            identity: identity.publicKey, now: now, key: key, source: source, spent: spent,
            destination: destination, countersFullUntil: countersFullUntil,
            isCeremonyConfirmed: isConfirmed,
            isKeyUnfinished: try store.keys(of: named).contains {
                [.pending, .certified].contains($0.state)
            }, isFrozen: try store.frozen() != nil,
            consents: intent.isAnnouncement ? Consents() : try consents(to: digest))
    }

    func close(_ digest: Digest, _ signature: IdentitySignature) throws {
        guard platform.verifies(signature, of: PlatformOrder.close(digest)) else {
            return note("dropped an order to close that the platform key did not sign")
        }
        let known = try store.intent(digest)
        let record =
            known
            ?? IntentRecord(
                digest: digest, bytes: [], state: .refused, verdict: [], expires: now)
        try closeForGood(record)
    }

    /// Closes what has expired long enough ago.
    func closeExpired() throws {
        guard now > Self.closingDelay else { return }
        for record in try store.unclosedIntents(expiredBefore: now - Self.closingDelay) {
            try closeForGood(record)
        }
    }

    /// An intent can be closed only while no last message of it was made. Otherwise the answer says
    /// so, with the signatures if we have them.
    private func closeForGood(_ record: IntentRecord) throws {
        let intent = try? Intent(record.bytes)
        if try store.hasLast(for: record.digest)
            || intent.map({ try hasKey(of: record.digest, in: $0.group) }) ?? false
        {
            _ = send(.given, on: record.digest)
            if let signatures = try store.signatures(of: record.digest) {
                outputs.append(.signatures(intent: record.digest, signatures))
            }
            return
        }
        guard record.state != .closed else {
            if let verdict = try? SignedVerdict(record.verdict) {
                outputs.append(.verdict(verdict))
            }
            return
        }
        cancelRuns(of: record.digest)
        endConsultation(on: record.digest)
        try keep(.closed, .closed, record.digest, record.bytes, expires: record.expires)
        try store.release(intent: record.digest)
    }
}
