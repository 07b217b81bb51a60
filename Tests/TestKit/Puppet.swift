import Algebra
import Canonical
import Holder
import KeyGroups
import Threshold

/// A machine whose messages are changed before they are sent: a member that lies in the protocol
/// and is honest in everything around it.
public struct Tampered<Machine: ProtocolRun & ~Copyable>: ProtocolRun, ~Copyable {
    public typealias Change = (RoundMessage) -> RoundMessage?

    public static var rounds: ClosedRange<UInt8> { Machine.rounds }

    var inner: Machine
    let change: Change

    public init(_ inner: consuming Machine, _ change: @escaping Change) {
        self.inner = inner
        self.change = change
    }

    public mutating func receive(_ message: RoundMessage) { inner.receive(message) }

    public mutating func next() throws(Abort) -> Step<Machine.Output> {
        switch try inner.next() {
        case .wait: .wait
        case .send(let messages): .send(messages.compactMap(change))
        case .sendLast(let messages): .sendLast(messages.compactMap(change))
        case .finish(let output): .finish(output)
        }
    }

    public var waitingFor: [ParticipantIndex] { inner.waitingFor }
}

extension RoundMessage {
    /// The same message with its whispered bytes changed.
    public func changed(_ change: (inout [UInt8]) -> Void) -> RoundMessage {
        var bytes: [UInt8]
        switch content {
        case .broadcast(let body): bytes = body
        case .whispered(let box): bytes = box.with { $0.withBytes { Array($0) } }
        }
        change(&bytes)
        let isBroadcast = if case .broadcast = content { true } else { false }
        return RoundMessage(
            round: round, item: item, participant,
            isBroadcast ? .broadcast(bytes) : .whispered(SecretBox(SecretBytes(copying: bytes))))
    }
}

/// A member of a simulated quorum that is moved by a test: it has the member's share and identity,
/// and sends what the test wants.
public final class Puppet {
    private unowned let quorum: SimulatedQuorum
    public let index: Int
    private let registry = MemoryRegistry()
    private var sessions: [Digest: RunSession<Tampered<Signing>>] = [:]
    private var freshSessions: [Digest: RunSession<Tampered<FreshSigning>>] = [:]
    public private(set) var signatures: [ECDSASignature] = []
    public private(set) var aborts: [Abort] = []
    public var change: (RoundMessage) -> RoundMessage? = { $0 }

    public init(_ quorum: SimulatedQuorum, _ index: Int) {
        self.quorum = quorum
        self.index = index
    }

    private var identity: SecretBox<IdentityKey> { quorum.identityKey(index) }

    func handle(_ input: HolderInput) throws {
        switch input {
        case .run(let bytes, _):
            if let descriptor = try? RunDescriptor(bytes) { try join(descriptor) }
        case .envelope(let bytes): receive(bytes)
        case .connected, .offer, .close, .testimony, .checkUp, .decided, .delivered, .tick: break
        }
    }

    /// Takes part in a run that is proposed.
    public func join(_ descriptor: RunDescriptor) throws {
        guard case .signing(_, let items, _) = descriptor.purpose else { return }
        let share = SecretBox(try quorum.share(index))
        let members = descriptor.roster.indices
        let change: (RoundMessage) -> RoundMessage? = { [weak self] message in
            self.flatMap { $0.change(message) }
        }
        var random = SystemRandom()
        if descriptor.isFresh {
            let session = RunSession<Tampered<FreshSigning>>(
                descriptor, identity: identity.with { $0.publicKey }, setups: [:],
                registry: registry, random: &random
            ) { (opening) throws(Abort) in
                var random = SystemRandom()
                guard let share = share.take() else { throw Abort(.wrongQuorum) }
                let seeds = opening.zeroSeeds
                return Tampered(
                    try FreshSigning(
                        opening.takeRun(), items: items, members: members, share: share,
                        zeroSeeds: seeds, random: &random), change)
            }
            freshSessions[descriptor.digest] = session
            if let session { post(identity.with { session.ready(signedBy: $0) }) }
        } else {
            let session = RunSession<Tampered<Signing>>(
                descriptor, identity: identity.with { $0.publicKey },
                setups: share.with { $0.setupIDs }, registry: registry, random: &random
            ) { (opening) throws(Abort) in
                var random = SystemRandom()
                guard let share = share.take() else { throw Abort(.wrongQuorum) }
                return Tampered(
                    try Signing(
                        opening.takeRun(), items: items, members: members, share: share,
                        random: &random), change)
            }
            sessions[descriptor.digest] = session
            if let session { post(identity.with { session.ready(signedBy: $0) }) }
        }
    }

    public func receive(_ bytes: [UInt8]) {
        guard let envelope = try? Envelope(bytes) else { return }
        receive(envelope, &sessions)
        receive(envelope, &freshSessions)
    }

    private func receive<Machine: ProtocolRun & ~Copyable>(
        _ envelope: Envelope, _ sessions: inout [Digest: RunSession<Tampered<Machine>>]
    ) where Machine.Output == [ECDSASignature] {
        for (digest, session) in sessions {
            do throws(Abort) {
                _ = try session.receive(envelope)
                try advance(session)
            } catch {
                aborts.append(error)
                sessions[digest] = nil
            }
        }
    }

    private func advance<Machine: ProtocolRun & ~Copyable>(
        _ session: RunSession<Tampered<Machine>>
    ) throws(Abort) where Machine.Output == [ECDSASignature] {
        while true {
            let step = try identity.with { identity throws(Abort) in
                try session.next(signedBy: identity)
            }
            switch step {
            case .wait: return
            case .send(let envelopes), .sendLast(let envelopes, _): envelopes.forEach(post)
            case .finish(let made, _):
                signatures = made
                return
            }
        }
    }

    private func post(_ envelope: AddressedEnvelope) {
        quorum.collect(
            .envelope(to: envelope.recipients, bytes: envelope.bytes), from: index)
    }
}
