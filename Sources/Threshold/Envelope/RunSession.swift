import Algebra
import Canonical
import KeyGroups

/// One run as one participant sees it: gathers everyone's Ready, agrees on the run's name, opens
/// and seals envelopes, and drives the protocol (specification sections 3.2 and 4).
///
/// Sans I/O. Whoever drives it stores the descriptor's digest before the Ready leaves, stores the
/// run's name when the registry asks, and stores a ban before anything else leaves.
public final class RunSession<Machine: ProtocolRun & ~Copyable> {
    /// Envelopes of one sender that are kept before the run has its name: of the first round only,
    /// since a later one needs ours, and two for each item.
    private static var earlyMost: Int { 2 * SigningItem.most }

    public let descriptor: RunDescriptor
    public let descriptorDigest: Digest
    /// The run's name, once every participant is ready.
    public var runID: RunID? { channel?.run }
    private let me: UInt16
    private let ownReady: Ready
    private var ephemeral: EphemeralKey?
    private var readys: [UInt16: Ready] = [:]
    private var early: [UInt16: [Envelope.Header: Envelope]] = [:]
    private var seen: [Envelope.Header: Envelope] = [:]
    private var channel: SealedChannel?
    private var machine: Machine?
    /// Two messages for one place, which show who equivocated.
    private var contradictions: [Envelope] = []
    private let open: (consuming RunOpening) throws(Abort) -> Machine
    private let registry: any RunRegistry

    /// - Parameters:
    ///   - setups: which setups we hold with each other participant; empty in a key generation.
    ///   - open: makes the protocol's machine once the run has its name.
    /// - Returns: nil if we are no participant.
    public init?(
        _ descriptor: RunDescriptor, identity: IdentityPublicKey,
        setups: [ParticipantIndex: PairSetupIDs], registry: any RunRegistry,
        random: inout some RandomSource & ~Copyable,
        open: @escaping (consuming RunOpening) throws(Abort) -> Machine
    ) {
        guard let me = descriptor.roster.position(of: identity) else { return nil }
        self.descriptor = descriptor
        descriptorDigest = descriptor.digest
        self.me = me
        let nonce = random.bytes(RunContribution.nonceBytes)
        let ephemeral = EphemeralKey(random: &random)
        var byPosition: [UInt16: PairSetupIDs] = [:]
        for (index, ids) in setups {
            if let position = descriptor.roster.position(of: index) { byPosition[position] = ids }
        }
        ownReady = Ready(
            descriptor: descriptorDigest, nonce: nonce, ephemeral: ephemeral.publicKey,
            setups: byPosition)
        self.ephemeral = consume ephemeral
        self.registry = registry
        self.open = open
        readys[me] = ownReady
    }

    private var others: [IdentityPublicKey] {
        descriptor.roster.identities.enumerated().filter { $0.offset != me }.map(\.element)
    }

    /// Our Ready, which says that we take part. At most one is made for a descriptor.
    public func ready(signedBy identity: borrowing IdentityKey) -> AddressedEnvelope {
        let header = header(RunID(descriptorDigest), round: 0, .ready)
        let envelope = Envelope(header, ownReady.bytes, signedBy: identity)
        seen[header] = envelope
        return AddressedEnvelope(recipients: others, bytes: envelope.bytes)
    }

    /// The public message of an abort: the run, the class and the round, and nothing else.
    public func abort(
        _ abort: Abort, signedBy identity: borrowing IdentityKey
    ) -> AddressedEnvelope {
        let run = runID ?? RunID(descriptorDigest)
        let envelope = Envelope(
            header(run, round: 0, .abort), [abort.consequence.rawValue], signedBy: identity)
        return AddressedEnvelope(recipients: others, bytes: envelope.bytes)
    }

    private func header(
        _ run: RunID, round: UInt8, item: UInt16 = 0, to: UInt16 = Envelope.toAll,
        _ kind: Envelope.Kind
    ) -> Envelope.Header {
        Envelope.Header(
            run: run, scheme: UInt8(descriptor.scheme.rawValue), round: round, item: item,
            from: me, to: to, kind: kind)
    }

    /// The signed Readys and broadcasts that we hold, ours included, and both of two messages that
    /// contradict each other, sealed ones too: two for one place show who equivocated.
    public var evidence: [Envelope] {
        seen.values.filter {
            $0.header.to == Envelope.toAll && $0.header.kind != .abort
                && !contradictions.contains($0)
        } + contradictions
    }

    /// Whom we wait for: who is not ready yet, or whose message of the round is missing.
    public var waitingFor: [IdentityPublicKey] {
        let roster = descriptor.roster
        switch machine {
        case .some(let machine):
            return machine.waitingFor.compactMap { index in
                roster.position(of: index).flatMap { roster.identity(at: $0) }
            }
        case nil:
            return roster.identities.enumerated()
                .filter { readys[UInt16($0.offset)] == nil }.map(\.element)
        }
    }
}

// What arrives.
extension RunSession where Machine: ~Copyable {
    /// Takes in an envelope. What is not authentic, not for us or not of this run is dropped.
    ///
    /// - Throws: an `Abort` that names a sender who signed two different messages for one place,
    ///   or one that cannot be opened.
    public func receive(_ envelope: Envelope) throws(Abort) -> Reception {
        let header = envelope.header
        guard header.scheme == UInt8(descriptor.scheme.rawValue), header.from != me,
            let sender = descriptor.roster.identity(at: header.from),
            header.to == me || header.to == Envelope.toAll
        else { return .dropped("not for us") }
        switch header.kind {
        case .ready:
            guard header.run.bytes == descriptorDigest.bytes else {
                return .dropped("of another run")
            }
        case .abort:
            guard [descriptorDigest.bytes, channel?.run.bytes].contains(header.run.bytes) else {
                return .dropped("of another run")
            }
        case .round:
            if let channel, channel.run != header.run { return .dropped("of another run") }
        }
        guard envelope.isSigned(by: sender) else { return .dropped("not signed by its sender") }
        if let before = seen[header] ?? early[header.from]?[header] {
            guard before != envelope, before.body != envelope.body else {
                return .dropped("known already")
            }
            contradictions += [before, envelope]
            throw Abort(.equivocation, by: culprits(header.from))
        }
        switch header.kind {
        case .ready: return try receiveReady(envelope)
        case .abort: throw Abort(.endedByPeer)
        case .round: return try receiveRound(envelope)
        }
    }

    private func culprits(_ position: UInt16) -> [ParticipantIndex] {
        descriptor.roster.index(at: position).map { [$0] } ?? []
    }

    private func receiveReady(_ envelope: Envelope) throws(Abort) -> Reception {
        let from = envelope.header.from
        guard envelope.header.round == 0, envelope.header.item == 0,
            envelope.header.to == Envelope.toAll
        else { return .dropped("a Ready out of place") }
        let ready: Ready
        do throws(MalformedBytes) {
            ready = try Ready(envelope.body)
        } catch {
            throw Abort(.malformedMessage, by: culprits(from))
        }
        guard ready.descriptor == descriptorDigest else {
            throw Abort(.malformedMessage, by: culprits(from))
        }
        seen[envelope.header] = envelope
        readys[from] = ready
        return .kept
    }

    private func receiveRound(_ envelope: Envelope) throws(Abort) -> Reception {
        let from = envelope.header.from
        guard let channel else {
            // The name is not known yet: keep a few, and look at them when it is.
            guard envelope.header.round == 1, early[from, default: [:]].count < Self.earlyMost
            else {
                return .dropped("too many, or too far ahead, before the run began")
            }
            early[from, default: [:]][envelope.header] = envelope
            return .kept
        }
        guard let index = descriptor.roster.index(at: from) else { return .dropped("not for us") }
        let content: RoundMessage.Content
        if envelope.header.to == Envelope.toAll {
            content = .broadcast(envelope.body)
        } else {
            guard let plain = channel.open(envelope) else {
                throw Abort(.undecryptableMessage, by: index)
            }
            content = .whispered(SecretBox(plain))
        }
        // Places are counted, so that no sender can fill our memory with signed messages.
        guard Machine.rounds.contains(envelope.header.round),
            envelope.header.item < descriptor.itemCount
        else { return .dropped("for no round or item of the run") }
        seen[envelope.header] = envelope
        machine?.receive(
            RoundMessage(
                round: envelope.header.round, item: envelope.header.item, index, content))
        return .kept
    }
}

// What is to be done.
extension RunSession where Machine: ~Copyable {
    /// Moves the run on as far as the messages that have come allow.
    public func next(
        signedBy identity: borrowing IdentityKey
    ) throws(Abort) -> SessionStep<Machine.Output> {
        if channel == nil {
            guard readys.count == descriptor.roster.identities.count else { return .wait }
            try begin()
        }
        guard let channel, let step = try machine?.next() else { return .wait }
        switch step {
        case .wait:
            return .wait
        case .send(let messages):
            return .send(messages.map { envelope($0, channel, identity) })
        case .sendLast(let messages):
            return .sendLast(messages.map { envelope($0, channel, identity) }, run: channel.run)
        case .finish(let output):
            machine = nil
            return .finish(output, run: channel.run)
        }
    }

    /// All are ready: compare setups, name the run, claim the name, agree on keys, start.
    private func begin() throws(Abort) {
        let roster = descriptor.roster
        let contributions = roster.identities.indices.compactMap { position in
            readys[UInt16(position)].map {
                RunContribution(nonce: $0.nonce, ephemeral: $0.ephemeral)
            }
        }
        for (position, ready) in readys where position != me {
            guard ready.setups[me]?.mirrored == ownReady.setups[position] else {
                throw Abort(.differentSetup)
            }
        }
        guard let ephemeral = ephemeral.take() else { return }
        let run = RunID(descriptorDigest, contributions)
        let claimed = try ClaimedRun(run, in: registry)
        let channel = try SealedChannel(
            run: run, me: me, ephemeral: ephemeral, others: readys.mapValues(\.ephemeral),
            roster: roster)
        self.channel = channel
        machine = try open(
            RunOpening(
                run: claimed, zeroSeeds: channel.zeroSeeds,
                contributions: contributions))
        let waiting = early.values.flatMap(\.values).filter { $0.header.run == run }
        early = [:]
        for envelope in waiting { _ = try receive(envelope) }
    }

    private func envelope(
        _ message: RoundMessage, _ channel: borrowing SealedChannel,
        _ identity: borrowing IdentityKey
    ) -> AddressedEnvelope {
        switch message.content {
        case .broadcast(let body):
            let header = header(
                channel.run, round: message.round, item: message.item, .round)
            let envelope = Envelope(header, body, signedBy: identity)
            seen[header] = envelope
            return AddressedEnvelope(recipients: others, bytes: envelope.bytes)
        case .whispered(let box):
            guard let to = descriptor.roster.position(of: message.participant),
                let recipient = descriptor.roster.identity(at: to)
            else { preconditionFailure("a machine speaks to its own quorum") }
            let header = header(
                channel.run, round: message.round, item: message.item, to: to, .round)
            let body = box.with { channel.seal($0, header) }
            let envelope = Envelope(header, body, signedBy: identity)
            return AddressedEnvelope(recipients: [recipient], bytes: envelope.bytes)
        }
    }
}
