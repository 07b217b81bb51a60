import Algebra
import Canonical
import Intents
import KeyGroups
import Threshold

/// Keeping shares, and confirming new keys (specification section 3.6).
extension HolderCore {
    func seal<Scheme: KeyScheme>(_ share: borrowing KeyShare<Scheme>, of key: KeyRecord) -> [UInt8]
    {
        sealing.sealForStorage(share.stored(), authenticating: key.sealingContext)
    }

    func openShare<Scheme: KeyScheme>(
        of key: KeyRecord, _ scheme: Scheme.Type
    ) throws -> KeyShare<Scheme> {
        try sealing.openShare(of: key, scheme, in: store)
    }

    /// Stores the new share, gives our signature for its certificate, and tells the others.
    func keep<Scheme: KeyScheme>(
        _ pending: SecretBox<PendingKey<Scheme>>, _ run: LiveRun, _ plan: SharingPlan,
        _ contributions: [RunContribution]
    ) throws {
        let descriptor = run.descriptor
        guard let position = plan.holders.position(of: identity.publicKey),
            let me = plan.holders.index(at: position), let result = pending.take()
        else { return }
        let (digest, echo) = (result.certificateDigest, result.echo)
        let share = result.takeShare()
        var testimony = KeyTestimony(
            group: descriptor.group, epoch: descriptor.epoch, scheme: descriptor.scheme,
            certificateDigest: digest)
        testimony.signatures[position] = identity.sign(digest)
        let key = AnySharedKey(share.key)
        let record = KeyRecord(
            group: descriptor.group, epoch: descriptor.epoch, scheme: descriptor.scheme,
            kind: plan.kind, roster: plan.holders, me: me, key: key, certificateDigest: digest,
            descriptor: descriptor, contributions: contributions, echo: echo,
            intent: descriptor.intent, state: .pending, testimony: testimony)
        let known = try store.keys(of: descriptor.group).map(\.epoch).max() ?? 0
        guard descriptor.epoch > known else {
            return note("epoch \(known) of group \(record.group) stands already")
        }
        guard try store.insert(record, sealedShare: seal(share, of: record)) else {
            return note("another key stands for group \(record.group), epoch \(record.epoch)")
        }
        send(testimony, of: record)
    }

    func send(_ testimony: KeyTestimony, of key: KeyRecord) {
        let others = key.roster.identities.filter { $0 != identity.publicKey }
        outputs.append(.testimony(to: others, bytes: testimony.bytes))
    }

    /// Takes over what another holder knows of a key's confirmation, and answers if we know more.
    func testified(_ bytes: [UInt8]) throws {
        guard let theirs = try? KeyTestimony(bytes) else {
            return note("dropped a malformed testimony")
        }
        guard
            var key = try store.keys(of: theirs.group).first(where: { $0.epoch == theirs.epoch }),
            key.certificateDigest == theirs.certificateDigest,
            key.scheme == theirs.scheme, [.pending, .certified, .active].contains(key.state),
            let position = key.roster.position(of: identity.publicKey)
        else { return }
        let before = key
        key.testimony.merge(theirs, roster: key.roster)
        let everyone = key.roster.identities.count
        if key.state == .pending, key.testimony.signatures.count == everyone {
            key.state = .certified
            key.testimony.activations[position] = identity.sign(key.testimony.activationDigest)
        }
        if key.state == .certified, key.testimony.activations.count == everyone {
            key.state = .active
        }
        if key != before {
            try store.update(key)
            if key.state == .active, before.state != .active {
                try activated(key)
                try tell(ofActive: key)
            }
        }
        if key.testimony.knowsMore(than: theirs) { send(key.testimony, of: key) }
    }

    /// A key that has become active replaces all lower epochs of its group, but none of another
    /// public key that this holder has confirmed: somebody may be using it. If a higher epoch came
    /// first, this one is replaced by it.
    private func activated(_ active: KeyRecord) throws {
        if active.descriptor.plan?.source != nil, try !knowsSpending(of: active) {
            try store.keepJoined(root: active.key.publicKey, at: now)
        }
        try retireKeys(below: active)
        let later = try store.keys(of: active.group).contains {
            $0.epoch > active.epoch && $0.state == .active
                && $0.key.publicKey == active.key.publicKey
        }
        if later {
            var late = active
            late.state = .retired
            try store.update(late)
        } else {
            announce(active)
        }
    }

    /// Whether this holder has judged what was spent under the key: it has it in another active
    /// epoch or group that signs.
    private func knowsSpending(of key: KeyRecord) throws -> Bool {
        try store.activeKeys().contains {
            $0.key.publicKey == key.key.publicKey && $0.kind != .recovery
                && ($0.group, $0.epoch) != (key.group, key.epoch)
        }
    }

    private func retireKeys(below active: KeyRecord) throws {
        for var key in try store.keys(of: active.group)
        where key.epoch < active.epoch && key.state != .destroyed
            && (key.state == .pending || key.key.publicKey == active.key.publicKey)
        {
            key.state = .retired
            try store.update(key)
        }
    }

    /// Destroys shares of retired keys that no run uses any more. The runs hold their own copy
    /// until they end, so this waits for nothing but them.
    func destroyRetired() throws {
        for key in try store.retiredKeys()
        where !runs.values.contains(where: { $0.uses(key.group, epoch: key.epoch) }) {
            try store.destroyShare(of: key.group, epoch: key.epoch)
        }
    }

    /// Tells the platform that a key is active.
    func announce(_ key: KeyRecord) {
        let activations = key.roster.identities.indices.compactMap {
            key.testimony.activations[UInt16($0)]
        }
        guard let certificate = key.certificate,
            activations.count == key.roster.identities.count
        else { return }
        outputs.append(
            .keyReady(intent: key.intent, certificate: certificate, activations: activations))
    }
}
