import Algebra
import Canonical
import KeyGroups
import Synchronization
import Threshold

/// A group of holders in one process, each with an identity: what tests and benchmarks run
/// sessions with, envelopes and all.
public final class TestGroup: @unchecked Sendable {  // its key is set once, before it is shared
    public let threshold: SigningThreshold
    public let group = GroupID(unchecked: [UInt8](repeating: 7, count: GroupID.byteCount))
    /// By ascending identity, which is the order of the indices.
    public let identities: [SecretBox<IdentityKey>]
    public private(set) var shares: [ParticipantIndex: SecretBox<SecretBytes>] = [:]
    public private(set) var certificateDigest: Digest?
    public private(set) var certificate: KeyCertificate?
    private let attempts = Mutex<UInt16>(0)

    public init(_ threshold: SigningThreshold, seed: String) {
        self.threshold = threshold
        var random = TestRandom("\(seed)/identities")
        identities = (0..<threshold.holders).map { _ in
            SecretBox(IdentityKey(seed: SecretBytes(count: IdentityKey.seedBytes, from: &random))!)
        }.sorted { $0.with { $0.publicKey } < $1.with { $0.publicKey } }
    }

    public func identity(_ index: ParticipantIndex) -> SecretBox<IdentityKey> {
        identities[Int(index.raw) - 1]
    }

    public func roster(_ members: [ParticipantIndex]) -> Roster {
        Roster(members.map { identity($0).with { $0.publicKey } }, members)!
    }

    public func descriptor(
        _ purpose: RunDescriptor.Purpose, isFresh: Bool = false
    ) -> RunDescriptor {
        let attempt = attempts.withLock { attempts in
            attempts += 1
            return attempts
        }
        return RunDescriptor(
            request: RequestID(unchecked: [UInt8](repeating: 1, count: 16)), attempt: attempt,
            intent: .sha256(Array("intent".utf8)), group: group, epoch: 1,
            scheme: .ecdsaSecp256k1, purpose: purpose, expires: 1, isFresh: isFresh)
    }

    public var plan: SharingPlan {
        SharingPlan(
            kind: .main, threshold: threshold, holders: roster(TestKeys.indices(threshold.holders)),
            source: nil)!
    }

    /// Makes the group's key.
    public func generate() throws {
        let members = TestKeys.indices(threshold.holders)
        let descriptor = descriptor(.keyCeremony(plan))
        let network = try keyGeneration(descriptor)
        network.run()
        if let abort = network.aborts.values.first { throw abort }
        let pendings = network.outputs.compactMapValues { $0 }
        let (contributions, key, echo, digest) = pendings[members[0]]!.with { pending in
            (
                network.contributions, AnySharedKey(pending.share.key), pending.echo,
                pending.certificateDigest
            )
        }
        shares = pendings.mapValues { box in box.with { SecretBox($0.share.stored()) } }
        certificateDigest = digest
        certificate = KeyCertificate(
            descriptor: descriptor, contributions: contributions, key: key, echo: echo,
            signatures: identities.map { identity in identity.with { $0.sign(digest) } })
    }

    public func keyGeneration(
        _ descriptor: RunDescriptor
    ) throws -> SessionNetwork<KeySharing<ECDSA>> {
        let network = SessionNetwork<KeySharing<ECDSA>>(self)
        let plan = descriptor.plan!
        for me in descriptor.roster.indices {
            var random = SystemRandom()
            let session = RunSession<KeySharing<ECDSA>>(
                descriptor, identity: identity(me).with { $0.publicKey }, setups: [:],
                registry: MemoryRegistry(), random: &random
            ) { (opening) throws(Abort) in
                network.contributions = opening.contributions
                let seeds = opening.zeroSeeds
                var random = SystemRandom()
                return try KeySharing(
                    opening.takeRun(), plan: plan, me: me, source: nil, share: nil,
                    zeroSeeds: seeds, random: &random)
            }
            network.add(session!, me)
        }
        return network
    }

    public func share(_ index: ParticipantIndex) throws -> KeyShare<ECDSA> {
        try shares[index]!.with { try KeyShare(stored: $0) }
    }

    public func signing(
        _ members: [ParticipantIndex], _ items: [SigningItem],
        registries: [ParticipantIndex: MemoryRegistry] = [:]
    ) throws -> SessionNetwork<Signing> {
        let descriptor = descriptor(
            .signing(certificate: certificateDigest!, items: items, roster(members)))
        let network = SessionNetwork<Signing>(self)
        for me in members {
            network.add(
                try signingSession(descriptor, me, registries[me] ?? MemoryRegistry()), me)
        }
        return network
    }

    /// A run that makes its own pair setups.
    public func freshSigning(
        _ members: [ParticipantIndex], _ items: [SigningItem]
    ) throws -> SessionNetwork<FreshSigning> {
        let descriptor = descriptor(
            .signing(certificate: certificateDigest!, items: items, roster(members)), isFresh: true)
        let network = SessionNetwork<FreshSigning>(self)
        for me in members {
            let share = SecretBox(try share(me))
            var random = SystemRandom()
            let session = RunSession<FreshSigning>(
                descriptor, identity: identity(me).with { $0.publicKey }, setups: [:],
                registry: MemoryRegistry(), random: &random
            ) { (opening) throws(Abort) in
                guard let share = share.take() else { throw Abort(.wrongQuorum) }
                let seeds = opening.zeroSeeds
                var random = SystemRandom()
                return try FreshSigning(
                    opening.takeRun(), items: items, members: members, share: share,
                    zeroSeeds: seeds, random: &random)
            }
            network.add(session!, me)
        }
        return network
    }

    public func signingSession(
        _ descriptor: RunDescriptor, _ me: ParticipantIndex, _ registry: any RunRegistry,
        setupsFrom other: ParticipantIndex? = nil
    ) throws -> RunSession<Signing> {
        guard case .signing(_, let items, _) = descriptor.purpose else {
            preconditionFailure("a signing descriptor")
        }
        let setups = try share(other ?? me).setupIDs
        let share = SecretBox(try share(me))
        var random = SystemRandom()
        let session = RunSession<Signing>(
            descriptor, identity: identity(me).with { $0.publicKey },
            setups: setups, registry: registry, random: &random
        ) { (opening) throws(Abort) in
            var random = SystemRandom()
            guard let share = share.take() else { throw Abort(.wrongQuorum) }
            return try Signing(
                opening.takeRun(), items: items, members: descriptor.roster.indices, share: share,
                random: &random)
        }
        return session!
    }
}

/// The sessions of one run and the relay between them, which a test may make hostile.
public final class SessionNetwork<Machine: ProtocolRun & ~Copyable> {
    /// An envelope on its way; what comes back is delivered in its place, in this order.
    public typealias Relay = (_ bytes: [UInt8], _ to: ParticipantIndex) -> [[UInt8]]

    private let group: TestGroup
    public private(set) var sessions: [ParticipantIndex: RunSession<Machine>] = [:]
    private var running: Set<ParticipantIndex> = []
    public private(set) var outputs: [ParticipantIndex: Machine.Output] = [:]
    public private(set) var aborts: [ParticipantIndex: Abort] = [:]
    public private(set) var gaveLast: Set<ParticipantIndex> = []
    public private(set) var dropped: [String] = []
    /// Bytes of all envelopes after the Readys.
    public private(set) var bytesSent = 0
    public private(set) var sent: [Envelope] = []
    public var contributions: [RunContribution] = []

    public init(_ group: TestGroup) { self.group = group }

    public func add(_ session: RunSession<Machine>, _ index: ParticipantIndex) {
        sessions[index] = session
        running.insert(index)
    }

    public func run(relay: Relay = { bytes, _ in [bytes] }) {
        for (index, session) in ordered {
            let envelope = group.identity(index).with { session.ready(signedBy: $0) }
            deliver(envelope, from: index, relay)
        }
        bytesSent = 0
        while ordered.contains(where: { running.contains($0.0) && step($0.0, $0.1, relay) }) {}
    }

    private var ordered: [(ParticipantIndex, RunSession<Machine>)] {
        sessions.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func step(
        _ index: ParticipantIndex, _ session: RunSession<Machine>, _ relay: Relay
    ) -> Bool {
        var envelopes: [AddressedEnvelope] = []
        do throws(Abort) {
            let step = try group.identity(index).with { identity throws(Abort) in
                try session.next(signedBy: identity)
            }
            switch step {
            case .wait: return false
            case .send(let messages): envelopes = messages
            case .sendLast(let messages, _):
                gaveLast.insert(index)
                envelopes = messages
            case .finish(let output, _):
                outputs[index] = output
                running.remove(index)
            }
        } catch {
            end(index, error)
        }
        for envelope in envelopes { deliver(envelope, from: index, relay) }
        return true
    }

    private func end(_ index: ParticipantIndex, _ abort: Abort) {
        if aborts[index] == nil { aborts[index] = abort }
        running.remove(index)
    }

    private func deliver(
        _ envelope: AddressedEnvelope, from: ParticipantIndex, _ relay: Relay
    ) {
        bytesSent += envelope.bytes.count
        if let parsed = try? Envelope(envelope.bytes) { sent.append(parsed) }
        for (index, session) in ordered {
            guard envelope.recipients.contains(group.identity(index).with { $0.publicKey }) else {
                continue
            }
            for bytes in relay(envelope.bytes, index) { receive(bytes, index, session) }
        }
    }

    public func receive(
        _ bytes: [UInt8], _ index: ParticipantIndex, _ session: RunSession<Machine>
    ) {
        guard running.contains(index) else { return }
        do throws(Abort) {
            guard let envelope = try? Envelope(bytes) else {
                dropped.append("malformed")
                return
            }
            if case .dropped(let why) = try session.receive(envelope) { dropped.append(why) }
        } catch {
            end(index, error)
        }
    }
}
