import Algebra
import Canonical
import KeyGroups
import Threshold

/// Keeping shares, and confirming new keys (specification section 3.6).
extension HolderCore {
    func seal(_ share: borrowing KeyShare, of key: KeyRecord) -> [UInt8] {
        sealing.sealForStorage(share.stored(), authenticating: key.sealingContext)
    }

    func openShare(of key: KeyRecord) throws -> KeyShare {
        try sealing.openShare(of: key, in: store)
    }

    /// Stores the new share, gives our signature for its certificate, and tells the others.
    func keep(
        _ pending: SecretBox<PendingKey>, _ run: LiveRun, _ contributions: [RunContribution]
    ) throws {
        let descriptor = run.descriptor
        guard case .keyGeneration(let kind, _) = descriptor.purpose,
            let position = descriptor.roster.position(of: identity.publicKey),
            let me = descriptor.roster.index(at: position), let result = pending.take()
        else { return }
        let (digest, echo) = (result.certificateDigest, result.echo)
        let share = result.takeShare()
        var testimony = KeyTestimony(
            group: descriptor.group, epoch: descriptor.epoch, scheme: descriptor.scheme,
            certificateDigest: digest)
        testimony.signatures[position] = identity.sign(digest)
        let record = KeyRecord(
            group: descriptor.group, epoch: descriptor.epoch, scheme: descriptor.scheme,
            kind: kind, roster: descriptor.roster, me: me, key: share.key,
            certificateDigest: digest, descriptor: descriptor, contributions: contributions,
            echo: echo, intent: descriptor.intent, state: .pending, testimony: testimony)
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
            key.certificateDigest == theirs.certificateDigest, key.state != .destroyed,
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
                try store.destroyKeys(of: key.group, below: key.epoch)
                announce(key)
            }
        }
        if key.testimony.knowsMore(than: theirs) { send(key.testimony, of: key) }
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
