import Algebra
import Canonical
import Intents
import KeyGroups
import Threshold

/// Taking part in runs.
extension HolderCore {
    /// Why a proposed run is not joined. No person reads it but in a log.
    private struct NotJoined: Error {
        let why: String
    }

    func proposed(_ bytes: [UInt8], source: [UInt8]) throws {
        guard let descriptor = try? RunDescriptor(bytes) else {
            return note("dropped a malformed run descriptor")
        }
        let digest = descriptor.digest
        guard runs[digest] == nil else { return }
        do {
            let run = try join(descriptor, source)
            runs[digest] = run
            send(run.session.ready(signedBy: identity))
        } catch let refused as NotJoined {
            note("not joining a run: \(refused.why)")
            outputs.append(
                .runEnded(
                    RunReport(
                        descriptor: digest, intent: descriptor.intent, reason: refused.why,
                        culprits: [], missing: [])))
        }
    }

    /// Checks a descriptor against what was approved, makes the session and stores the descriptor's
    /// digest, all before our Ready leaves.
    private func join(_ descriptor: RunDescriptor, _ source: [UInt8]) throws -> LiveRun {
        guard descriptor.roster.identities.contains(identity.publicKey) else {
            throw NotJoined(why: "not for this holder")
        }
        guard descriptor.expires > now, descriptor.expires <= now + Self.runSecondsMost else {
            throw NotJoined(why: "the run's time is over, or too long")
        }
        guard let record = try store.intent(descriptor.intent),
            let (intent, approved) = try admitted(record)
        else { throw NotJoined(why: "no approved intent stands behind the run") }
        guard descriptor.request == intent.request, descriptor.group == intent.group,
            descriptor.epoch == intent.epoch
        else { throw NotJoined(why: "the run is for something else than the intent") }
        let isUnderWay = runs.values.contains {
            $0.descriptor.intent == descriptor.intent && $0.descriptor.attempt >= descriptor.attempt
        }
        guard !isUnderWay else { throw NotJoined(why: "a run for the intent is under way") }
        guard runs.count < Self.runsMost else { throw NotJoined(why: "too many runs") }
        try refuseSetupsWithCheaters(descriptor)
        let run: LiveRun
        switch (descriptor.purpose, intent.purpose) {
        case (.signing(let certificate, let items, _), .transfer),
            (.signing(let certificate, let items, _), .contractCall),
            (.signing(let certificate, let items, _), .message):
            guard items == approved.items else {
                throw NotJoined(why: "the run would sign something else than was approved")
            }
            run = try signing(descriptor, certificate, items)
        case (.keyCeremony(let plan), .keyCeremony(let ceremony)):
            guard plan.kind == ceremony.kind, plan.threshold == ceremony.threshold,
                descriptor.scheme == ceremony.scheme, plan.holders == ceremony.holders,
                plan.source?.group == ceremony.source?.group,
                plan.source?.epoch == ceremony.source?.epoch,
                plan.source?.certificate == ceremony.source?.certificate
            else { throw NotJoined(why: "the ceremony is another than was approved") }
            run = try keyCeremony(descriptor, plan, ceremony, source)
        case (.signing, .keyCeremony), (.keyCeremony, .transfer),
            (.keyCeremony, .contractCall), (.keyCeremony, .message),
            (_, .announcement):
            throw NotJoined(why: "the run is of another kind than the intent")
        }
        guard try store.use(descriptor: run.digest) else {
            throw NotJoined(why: "this descriptor was used before")
        }
        cancelRuns(of: descriptor.intent, below: descriptor.attempt)
        return run
    }

    /// A failed check of a setup may have told its maker something about choice bits of ours: after
    /// so many, no more are made with it until the operator has looked.
    private func refuseSetupsWithCheaters(_ descriptor: RunDescriptor) throws {
        guard descriptor.scheme == .ecdsaSecp256k1 else { return }
        let partners: [IdentityPublicKey]
        switch descriptor.purpose {
        case .signing(_, _, let quorum): partners = descriptor.isFresh ? quorum.identities : []
        case .keyCeremony(let plan): partners = plan.holders.identities
        }
        let refused = try store.peers(
            withDiscardedSetups: Self.discardedSetupsMost, in: descriptor.group)
        if let peer = refused.intersection(partners).min() {
            throw NotJoined(
                why: "\(Self.discardedSetupsMost) setups with \(peer.hex) were discarded: find out "
                    + "why, then quorumkeep-node thaw")
        }
    }

    private func signing(
        _ descriptor: RunDescriptor, _ certificate: Digest, _ items: [SigningItem]
    ) throws -> LiveRun {
        let key = try usableKey(descriptor.group, epoch: descriptor.epoch)
        guard key.certificateDigest == certificate, key.scheme == descriptor.scheme,
            key.scheme == .ecdsaSecp256k1, key.kind != .recovery
        else { throw NotJoined(why: "the group's key is not one that signs this") }
        let roster = descriptor.roster
        guard roster.identities.count == key.key.threshold.required,
            zip(roster.identities, roster.indices).allSatisfy({ identity, index in
                key.roster.position(of: identity).map { key.roster.index(at: $0) } == index
            })
        else { throw NotJoined(why: "the quorum is not of this group, or not of its threshold") }
        let banned = try store.banned(group: key.group, epoch: key.epoch)
        guard banned.isDisjoint(with: roster.identities) else {
            throw NotJoined(why: "a member of the run is banned here")
        }
        guard descriptor.isFresh || !judge.rules.freshSetups else {
            throw NotJoined(why: "this holder signs with setups of the run alone (freshSetups)")
        }
        let share = SecretBox(try openedShare(of: key, ECDSA.self))
        guard descriptor.isFresh else {
            return try signing(descriptor, share, setups: share.with { $0.setupIDs }) {
                (opening, share, random) throws(Abort) in
                try Signing(
                    opening.takeRun(), items: items, members: roster.indices, share: share,
                    random: &random)
            }
        }
        return try signing(descriptor, share, setups: [:]) {
            (opening, share, random) throws(Abort) in
            let seeds = opening.zeroSeeds
            return try FreshSigning(
                opening.takeRun(), items: items, members: roster.indices, share: share,
                zeroSeeds: seeds, random: &random)
        }
    }

    /// A run that signs, with stored setups or with its own.
    private func signing<Machine: ProtocolRun & ~Copyable>(
        _ descriptor: RunDescriptor, _ share: SecretBox<KeyShare<ECDSA>>,
        setups: [ParticipantIndex: PairSetupIDs],
        start:
            @escaping (
                consuming RunOpening, consuming KeyShare<ECDSA>, inout HedgedRandom
            ) throws(Abort) -> Machine
    ) throws -> LiveRun where Machine.Output == [ECDSASignature] {
        guard case .signing(_, let items, _) = descriptor.purpose else {
            throw NotJoined(why: "the run is of another kind than the intent")
        }
        var random = HedgedRandom(
            secret: share.with { $0.hedge() }, context: descriptor.digest.bytes)
        let session = RunSession<Machine>(
            descriptor, identity: identity.publicKey, setups: setups, registry: store,
            random: &random
        ) { (opening) throws(Abort) in
            guard let share = share.take() else { throw Abort(.runNameUsed) }
            var random = HedgedRandom(
                secret: share.hedge(),
                context: opening.run.id.bytes + items.flatMap(\.digest.bytes))
            return try start(opening, share, &random)
        }
        guard let session else { throw NotJoined(why: "not for this holder") }
        return LiveRun(descriptor, session) { [unowned self] run in
            try advance(run, session) { signatures in
                try store.keep(signatures: signatures, of: run.descriptor.intent)
                outputs.append(.signatures(intent: run.descriptor.intent, signatures))
                try tell(signatures, of: items, run.descriptor)
            }
        }
    }

    /// The group's active key of this epoch; what is wrong with another says both.
    private func usableKey(_ group: GroupID, epoch: UInt64) throws -> KeyRecord {
        let active = try store.keys(of: group).filter { $0.state == .active }
        guard let highest = active.map(\.epoch).max() else {
            throw NotJoined(why: "no active key for the run")
        }
        guard let key = active.first(where: { $0.epoch == epoch }) else {
            throw NotJoined(
                why: "the run is for epoch \(epoch), this holder's is epoch \(highest)")
        }
        return key
    }

    /// A share that does not open keeps this holder from the run, and from nothing else.
    private func openedShare<Scheme: KeyScheme>(
        of key: KeyRecord, _ scheme: Scheme.Type
    ) throws -> KeyShare<Scheme> {
        do {
            return try openShare(of: key, scheme)
        } catch {
            note("\(error)")
            throw NotJoined(why: "the share does not open")
        }
    }

    private func keyCeremony(
        _ descriptor: RunDescriptor, _ plan: SharingPlan, _ ceremony: KeyCeremony,
        _ certificate: [UInt8]
    ) throws -> LiveRun {
        let known = try store.keys(of: descriptor.group).map(\.epoch).max() ?? 0
        guard descriptor.epoch > known else {
            throw NotJoined(why: "epoch \(descriptor.epoch) is not above epoch \(known)")
        }
        let source = try plan.source.map { try self.source($0, ceremony, certificate) }
        return try keyCeremony(descriptor, plan, source, descriptor.scheme.type)
    }

    /// The key that is dealt, from its certificate; its dealers must be holders of it.
    private func source(
        _ plan: SharingPlan.Source, _ ceremony: KeyCeremony, _ bytes: [UInt8]
    ) throws -> AnySharedKey {
        guard let certificate = try? KeyCertificate(bytes),
            let (key, digest) = certificate.verified(), digest == plan.certificate,
            certificate.descriptor.group == plan.group, certificate.descriptor.epoch == plan.epoch,
            let (holders, kind) = certificate.descriptor.plan.map({ ($0.holders, $0.kind) }),
            key.scheme == ceremony.scheme, key.publicKey == ceremony.source?.publicKey,
            ceremony.occasion.admits(source: kind)
        else { throw NotJoined(why: "the source's certificate is not the one approved") }
        // Addresses follow from the chain code as from the key: neither may change.
        let isSame = try store.activeKeys().allSatisfy {
            $0.key.publicKey != key.publicKey || $0.key.chainCode == key.chainCode
        }
        guard isSame else { throw NotJoined(why: "the source has another chain code") }
        let dealers = plan.dealers
        guard dealers.identities.count == key.threshold.required,
            zip(dealers.identities, dealers.indices).allSatisfy({ identity, index in
                holders.position(of: identity).map { holders.index(at: $0) } == index
            })
        else { throw NotJoined(why: "the dealers are not of the source group") }
        return key
    }

    private func keyCeremony<Scheme: KeyScheme>(
        _ descriptor: RunDescriptor, _ plan: SharingPlan, _ source: AnySharedKey?,
        _ scheme: Scheme.Type
    ) throws -> LiveRun {
        guard let me = plan.seat(of: identity.publicKey) else {
            throw NotJoined(why: "not for this holder")
        }
        let key = source?.key(of: scheme)
        var share: SecretBox<KeyShare<Scheme>>?
        if let source = plan.source, source.dealers.position(of: identity.publicKey) != nil {
            let record = try usableKey(source.group, epoch: source.epoch)
            share = SecretBox(try openedShare(of: record, scheme))
        }
        let secret = share?.with { SecretBox($0.hedge()) }
        var random = hedgedRandom(secret, descriptor.digest.bytes)
        let contributions = Latch<[RunContribution]>()
        let session = RunSession<KeySharing<Scheme>>(
            descriptor, identity: identity.publicKey, setups: [:], registry: store,
            random: &random
        ) { [unowned self] (opening) throws(Abort) in
            contributions.value = opening.contributions
            var random = hedgedRandom(secret, opening.run.id.bytes)
            let seeds = opening.zeroSeeds
            return try KeySharing(
                opening.takeRun(), plan: plan, me: me, source: key, share: share?.take(),
                zeroSeeds: seeds, random: &random)
        }
        guard let session else { throw NotJoined(why: "not for this holder") }
        return LiveRun(descriptor, session) { [unowned self] run in
            try advance(run, session) { pending in
                guard run.descriptor.expires > now,
                    let record = try store.intent(run.descriptor.intent),
                    try admitted(record) != nil
                else { return note("a ceremony ended when it was admitted no more") }
                if let pending { try keep(pending, run, plan, contributions.value ?? []) }
            }
        }
    }

    /// Hedged with the share that is dealt or, where there is none yet, with the sealing key.
    private func hedgedRandom(
        _ secret: SecretBox<SecretBytes>?, _ context: [UInt8]
    ) -> HedgedRandom {
        if let secret { return secret.with { HedgedRandom(secret: $0, context: context) } }
        return HedgedRandom(secret: sealing.hedge(), context: context)
    }

    func send(_ envelope: AddressedEnvelope) {
        outputs.append(.envelope(to: envelope.recipients, bytes: envelope.bytes))
    }

    func arrived(_ bytes: [UInt8]) throws {
        guard let envelope = try? Envelope(bytes) else {
            return note("dropped a malformed envelope")
        }
        let name = envelope.header.run.bytes
        // By name where the run has one; before that, every run that gathers may keep it.
        let candidates = runs.values.filter { run in
            run.digest.bytes == name || run.session.runID.map { $0.bytes == name } ?? true
        }
        for run in candidates {
            do throws(Abort) {
                if case .dropped(let why) = try run.session.receive(envelope) {
                    if candidates.count == 1 { note("dropped an envelope: \(why)") }
                    continue
                }
            } catch {
                let sender = run.descriptor.roster.identity(at: envelope.header.from)
                try end(run, error, after: sender)
                continue
            }
            try run.advance(run)
        }
    }

    private func advance<Machine: ProtocolRun & ~Copyable>(
        _ run: LiveRun, _ session: RunSession<Machine>, finish: (Machine.Output) throws -> Void
    ) throws {
        while true {
            let step: SessionStep<Machine.Output>
            do throws(Abort) {
                step = try session.next(signedBy: identity)
            } catch {
                try end(run, error)
                return
            }
            switch step {
            case .wait:
                return
            case .send(let envelopes):
                guard run.descriptor.expires > now else {
                    try end(run, Abort(.timeout))
                    return
                }
                for envelope in envelopes { send(envelope) }
            case .sendLast(let envelopes, let name):
                guard run.descriptor.expires > now else {
                    try end(run, Abort(.timeout))
                    return
                }
                guard try mayGiveLast(envelopes, name, run) else {
                    try end(run, Abort(.notAdmitted))
                    return
                }
                for envelope in envelopes { send(envelope) }
            case .finish(let output, _):
                runs[run.digest] = nil
                try finish(output)
                return
            }
        }
    }

    /// Stores that the last messages were made, if the intent still admits them; once they have
    /// left, what they sign counts as signed.
    private func mayGiveLast(
        _ envelopes: [AddressedEnvelope], _ name: RunID, _ run: LiveRun
    ) throws -> Bool {
        guard let record = try store.intent(run.descriptor.intent), try admitted(record) != nil
        else { return false }
        for envelope in envelopes {
            guard let parsed = try? Envelope(envelope.bytes) else { return false }
            let isFirst =
                parsed.header.to == firstRecipient(of: envelopes, item: parsed.header.item)
            guard isFirst else { continue }
            let hash = Digest.sha256(envelope.bytes)
            guard
                try store.recordLast(
                    run: name, item: parsed.header.item, hash: hash, intent: run.descriptor.intent)
            else { return false }
        }
        return true
    }

    private func firstRecipient(of envelopes: [AddressedEnvelope], item: UInt16) -> UInt16? {
        envelopes.lazy.compactMap { try? Envelope($0.bytes).header }.first { $0.item == item }?.to
    }

    /// Ends a run: what the failure obliges to is stored in this same transaction, so before the
    /// abort leaves.
    ///
    /// - Parameter sender: who sent what ended it.
    func end(_ run: LiveRun, _ abort: Abort, after sender: IdentityPublicKey? = nil) throws {
        guard runs.removeValue(forKey: run.digest) != nil else { return }
        let roster = run.descriptor.roster
        let culprits = abort.culprits.compactMap { index in
            roster.position(of: index).flatMap { roster.identity(at: $0) }
        }
        let missing =
            switch abort.reason {
            case .timeout: run.session.waitingFor
            case .endedByPeer: sender.map { [$0] } ?? []
            default: [IdentityPublicKey]()
            }
        let (group, epoch) = (run.descriptor.group, run.descriptor.epoch)
        switch abort.consequence {
        case .none: break
        case .blame: note("a check names \(culprits.map(\.hex)): \(abort.reason.rawValue)")
        case .discardSetup:
            for peer in culprits {
                let count = try store.countDiscardedSetup(group: group, peer: peer)
                note("discarded setup \(count) with \(peer.hex)")
            }
        case .ban:
            for peer in culprits { try ban(peer, run, abort.reason) }
        }
        if abort.reason.leavesEvidence {
            try store.keepEvidence(
                run.session.evidence.map(\.bytes), run: run.digest, reason: abort.reason.rawValue,
                at: now)
        }
        if abort.reason != .endedByPeer { send(run.session.abort(abort, signedBy: identity)) }
        outputs.append(
            .runEnded(
                RunReport(
                    descriptor: run.digest, intent: run.descriptor.intent,
                    reason: abort.reason.rawValue, culprits: culprits, missing: missing,
                    isBan: abort.consequence == .ban)))
        if let record = try store.intent(run.descriptor.intent) {
            try tell(
                .processing, of: record.digest, record.bytes,
                reason: "A run ended: \(abort.reason.rawValue).")
        }
        if abort.consequence == .ban {
            for peer in culprits { try cancelRuns(with: peer, group: group, epoch: epoch) }
        }
    }

    /// Bans the peer for this epoch and wipes the setups with it from the stored share.
    private func ban(_ peer: IdentityPublicKey, _ run: LiveRun, _ reason: Abort.Reason) throws {
        let (group, epoch) = (run.descriptor.group, run.descriptor.epoch)
        try store.add(
            Ban(group: group, epoch: epoch, peer: peer, run: run.digest, reason: reason, at: now))
        note("banned \(peer.hex) in epoch \(epoch): \(reason.rawValue)")
        guard let key = try store.keys(of: group).first(where: { $0.epoch == epoch }),
            let position = key.roster.position(of: peer), let index = key.roster.index(at: position)
        else { return }
        guard key.scheme == .ecdsaSecp256k1 else { return }
        let share = try openShare(of: key, ECDSA.self).withoutPair(index)
        try store.replaceSealedShare(of: group, epoch: epoch, with: seal(share, of: key))
    }

    private func cancelRuns(
        with peer: IdentityPublicKey, group: GroupID, epoch: UInt64
    ) throws {
        let affected = runs.values.filter {
            $0.descriptor.group == group && $0.descriptor.epoch == epoch && $0.involves(peer)
        }
        for run in affected { try end(run, Abort(.endedByPeer)) }
    }

    func cancelRuns(of intent: Digest, below attempt: UInt16 = .max) {
        for run in runs.values
        where run.descriptor.intent == intent && run.descriptor.attempt < attempt {
            runs[run.digest] = nil
        }
    }

    func endLateRuns() throws {
        for run in runs.values where run.descriptor.expires <= now {
            try end(run, Abort(.timeout))
        }
    }
}
