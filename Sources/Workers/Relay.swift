import Algebra
import Canonical
import Foundation
import GRPCCore
import Intents
import KeyGroups
import Logging
import SwiftProtobuf
import Synchronization
import Wire

/// What a holder has to say to the platform.
public enum HolderMessage: Sendable {
    case verdict(SignedVerdict)
    case signatures(intent: Digest, [ECDSASignature])
    case keyReady(KeyCertificate, activations: [IdentitySignature])
    case runEnded(
        descriptor: Digest, reason: String, culprits: [IdentityPublicKey],
        missing: [IdentityPublicKey], isBan: Bool)
    case shareProof(group: GroupID, epoch: UInt64, challenge: [UInt8], proof: [UInt8])
}

/// Who hears of holders: custody's side of the relay.
public protocol HolderTraffic: Sendable {
    func cameOnline(_ holder: IdentityPublicKey)
    func wentOffline(_ holder: IdentityPublicKey)
    func received(_ message: HolderMessage, from holder: IdentityPublicKey)
    /// Whether this installation knows the holder.
    func knows(_ holder: IdentityPublicKey) async -> Bool
}

/// Carries what holders say to each other and to the platform. It has no key: it can delay or drop,
/// and neither read nor alter.
public final class Relay: RelayWire.Service {
    /// A peer that has not said who it is after so long is cut off, in seconds.
    private static let helloSeconds: Int64 = 5
    /// Most recipients of one parcel: the other members of the largest group.
    private static let recipientsMost = 19
    private static let framesMost = 8192
    private static let bytesMost = 64 * 1024 * 1024

    private struct Session {
        let number: UInt64
        /// Where the holder connects from, as the transport writes it.
        let peer: String
        let queue: BoundedQueue<RelayWire.FromRelay>
    }

    private let sessions = Mutex<[IdentityPublicKey: Session]>([:])
    private let numbers = Mutex<UInt64>(0)
    private let authority: [UInt8]
    private let traffic: any HolderTraffic
    private let log: Logger
    private let complaints = Complaints()

    /// - Parameter authority: PEM bytes of the certificate authority that holders pin.
    public init(authority: [UInt8], traffic: any HolderTraffic, log: Logger) {
        self.authority = authority
        self.traffic = traffic
        self.log = log
    }

    public var online: Set<IdentityPublicKey> { sessions.withLock { Set($0.keys) } }

    /// Whether a holder speaks over the connection from this address and port.
    public func isHolder(host: String, port: Int) -> Bool {
        sessions.withLock { sessions in
            sessions.values.contains {
                $0.peer.hasSuffix("\(host):\(port)") || $0.peer.hasSuffix("[\(host)]:\(port)")
            }
        }
    }

    /// Sends a frame to a holder; false if it is not online, or so slow that its queue is full.
    @discardableResult
    public func send(_ frame: RelayWire.FromRelay, to holder: IdentityPublicKey, bytes: Int) -> Bool
    {
        guard let session = sessions.withLock({ $0[holder] }) else { return false }
        if session.queue.push(frame, bytes: bytes) { return true }
        session.queue.close()
        return false
    }

    /// Ends every line; holders dial again by themselves.
    public func disconnectAll() {
        for session in sessions.withLock({ $0.values.map(\.queue) }) { session.close() }
    }

    public func connect(
        request: StreamingServerRequest<RelayWire.FromNode>, context: ServerContext
    ) async throws -> StreamingServerResponse<RelayWire.FromRelay> {
        StreamingServerResponse { writer in
            var random = SystemRandom()
            let nonce = random.bytes(32)
            try await writer.write(.with { $0.challenge.nonce = Data(nonce) })
            let queue = BoundedQueue<RelayWire.FromRelay>(
                countMost: Self.framesMost, bytesMost: Self.bytesMost)
            try await withThrowingDiscardingTaskGroup { group in
                let isKnown = Flag()
                group.addTask {
                    try await self.read(request.messages, nonce, queue, context.remotePeer, isKnown)
                    queue.close()
                }
                group.addTask {
                    try? await Task.sleep(for: .seconds(Self.helloSeconds))
                    if !isKnown.isSet { queue.close() }
                }
                while let frames = await queue.next() {
                    for frame in frames { try await writer.write(frame) }
                }
                group.cancelAll()
            }
            return [:]
        }
    }

    private func read(
        _ frames: RPCAsyncSequence<RelayWire.FromNode, any Error>, _ nonce: [UInt8],
        _ queue: BoundedQueue<RelayWire.FromRelay>, _ peer: String, _ isKnown: Flag
    ) async throws {
        var iterator = frames.makeAsyncIterator()
        guard let first = try await iterator.next(), case .hello(let hello) = first.content,
            let holder = await authenticate(hello, nonce)
        else {
            complain("a peer that is no holder of ours", Self.host(of: peer))
            return
        }
        isKnown.set()
        let session = open(holder, queue, peer)
        defer { close(holder, session) }
        queue.push(.with { $0.accepted = .init() })
        traffic.cameOnline(holder)
        while let frame = try await iterator.next() {
            guard take(frame, from: holder, queue) else {
                complain("a malformed frame", holder.hex)
                continue
            }
        }
    }

    private func authenticate(_ hello: RelayWire.Hello, _ nonce: [UInt8]) async
        -> IdentityPublicKey?
    {
        let digest = RelayHello.digest(nonce: nonce, authority: authority)
        guard let identity = IdentityPublicKey(hello.identity),
            let signature = IdentitySignature(hello.signature),
            identity.verifies(signature, of: digest), await traffic.knows(identity)
        else { return nil }
        return identity
    }

    /// A holder has one session; a new one takes the place of the old.
    private func open(
        _ holder: IdentityPublicKey, _ queue: BoundedQueue<RelayWire.FromRelay>, _ peer: String
    ) -> UInt64 {
        let number = numbers.withLock { numbers in
            numbers += 1
            return numbers
        }
        let old = sessions.withLock {
            $0.updateValue(Session(number: number, peer: peer, queue: queue), forKey: holder)
        }
        old?.queue.close()
        log.info("holder online", metadata: ["holder": "\(holder.hex)"])
        return number
    }

    private func close(_ holder: IdentityPublicKey, _ number: UInt64) {
        let isOurs = sessions.withLock { sessions in
            guard sessions[holder]?.number == number else { return false }
            sessions[holder] = nil
            return true
        }
        guard isOurs else { return }
        log.info("holder offline", metadata: ["holder": "\(holder.hex)"])
        traffic.wentOffline(holder)
    }

    /// A peer's address without its port, which is another for each connection.
    private static func host(of peer: String) -> String {
        peer.lastIndex(of: ":").map { String(peer[..<$0]) } ?? peer
    }

    private func complain(_ what: String, _ peer: String) {
        if complaints.isNew("\(what) \(peer)") {
            log.warning("dropped \(what)", metadata: ["peer": "\(peer)"])
        }
    }

    /// Handles one frame; false if it is malformed.
    private func take(
        _ frame: RelayWire.FromNode, from holder: IdentityPublicKey,
        _ queue: BoundedQueue<RelayWire.FromRelay>
    ) -> Bool {
        switch frame.content {
        case .envelope(let parcel):
            return forward(parcel) { .with { $0.envelope = parcel.body } }
        case .testimony(let parcel):
            return forward(parcel) { .with { $0.testimony = parcel.body } }
        case .heartbeat:
            queue.push(.with { $0.heartbeat = .init() })
            return true
        case .verdict, .signatures, .keyReady, .runEnded, .shareProof:
            guard let message = HolderMessage(frame) else { return false }
            traffic.received(message, from: holder)
            return true
        case .hello, nil:
            return false
        }
    }

    private func forward(
        _ parcel: RelayWire.Parcel, _ frame: () -> RelayWire.FromRelay
    ) -> Bool {
        guard parcel.recipients.count <= Self.recipientsMost,
            parcel.body.count <= RelayWire.frameBytesMost
        else { return false }
        let frame = frame()
        for recipient in parcel.recipients {
            guard let identity = IdentityPublicKey(recipient) else { return false }
            send(frame, to: identity, bytes: parcel.body.count)
        }
        return true
    }
}

extension HolderMessage {
    /// What a frame says, or nil if it is malformed or a verdict is not signed.
    init?(_ frame: RelayWire.FromNode) {
        func identities(_ list: [Data]) -> [IdentityPublicKey]? {
            let keys = list.prefix(Int(ParticipantIndex.most)).compactMap { IdentityPublicKey($0) }
            return keys.count == list.count ? keys : nil
        }
        switch frame.content {
        case .verdict(let bytes):
            guard let verdict = try? SignedVerdict(Array(bytes)) else { return nil }
            self = .verdict(verdict)
        case .signatures(let message):
            let signatures = message.signatures.prefix(SigningItem.most).compactMap {
                ECDSASignature($0)
            }
            guard let intent = Digest(message.intentDigest),
                signatures.count == message.signatures.count
            else { return nil }
            self = .signatures(intent: intent, signatures)
        case .keyReady(let message):
            let activations = message.activations.prefix(Int(ParticipantIndex.most)).compactMap {
                IdentitySignature($0)
            }
            guard let certificate = try? KeyCertificate(Array(message.certificate)),
                activations.count == message.activations.count
            else { return nil }
            self = .keyReady(certificate, activations: activations)
        case .runEnded(let message):
            guard let descriptor = Digest(message.descriptorDigest),
                let culprits = identities(message.culprits),
                let missing = identities(message.missing), message.reason.utf8.count <= 200
            else { return nil }
            self = .runEnded(
                descriptor: descriptor, reason: message.reason, culprits: culprits,
                missing: missing, isBan: message.ban)
        case .shareProof(let message):
            guard let group = GroupID(message.groupID),
                message.challenge.count == ShareCheck.challengeBytes, message.proof.count <= 65
            else { return nil }
            self = .shareProof(
                group: group, epoch: message.epoch, challenge: Array(message.challenge),
                proof: Array(message.proof))
        case .hello, .envelope, .testimony, .heartbeat, nil:
            return nil
        }
    }
}

/// Something that becomes true once.
private final class Flag: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
}

/// Says whether a complaint was not made within the last minute; remembers a bounded number.
final class Complaints: Sendable {
    private static let most = 1024
    private static let pause = Duration.seconds(60)
    private let last = Mutex<[String: ContinuousClock.Instant]>([:])

    func isNew(_ text: String) -> Bool {
        let now = ContinuousClock.now
        return last.withLock { last in
            if let before = last[text], before + Self.pause > now { return false }
            if last.count >= Self.most { last = last.filter { $0.value + Self.pause > now } }
            guard last.count < Self.most else { return false }
            last[text] = now
            return true
        }
    }
}
