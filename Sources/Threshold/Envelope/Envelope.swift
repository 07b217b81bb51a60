import Algebra
import Canonical
import KeyGroups

/// One message between two participants, or from one to all, as it goes through the relay: signed
/// by its sender, sealed if it is for one, and nothing that the relay could alter unnoticed.
///
/// Specification section 4.1. The form is frozen; `version` changes with it.
public struct Envelope: Equatable, Sendable {
    public static let version: UInt8 = 1
    public static let headerBytes = 42
    /// Largest body: the second signing message is 49,444 bytes and its seal 16.
    public static let bodyBytesMost = 64 * 1024
    static let toAll: UInt16 = .max

    public enum Kind: UInt8, Sendable {
        case ready = 0
        case round = 1
        case abort = 2
    }

    public struct Header: Hashable, Sendable {
        public let run: RunID
        public let scheme: UInt8
        public let round: UInt8
        public let item: UInt16
        public let from: UInt16
        public let to: UInt16
        public let kind: Kind

        var bytes: [UInt8] {
            [Envelope.version] + run.bytes + [scheme, round] + item.bigEndianBytes
                + from.bigEndianBytes + to.bigEndianBytes + [kind.rawValue]
        }
    }

    public let header: Header
    public let body: [UInt8]
    public let signature: IdentitySignature

    /// H("env", header, body), which the sender's identity key signs.
    private static func digest(_ header: Header, _ body: [UInt8]) -> Digest {
        var transcript = Transcript(Tag.envelope)
        transcript.append(header.bytes)
        transcript.append(body)
        return transcript.digest()
    }

    init(_ header: Header, _ body: [UInt8], signedBy identity: borrowing IdentityKey) {
        self.header = header
        self.body = body
        signature = identity.sign(Self.digest(header, body))
    }

    public func isSigned(by identity: IdentityPublicKey) -> Bool {
        identity.verifies(signature, of: Self.digest(header, body))
    }

    public var bytes: [UInt8] { header.bytes + body + signature.bytes }

    public init(_ bytes: some Collection<UInt8>) throws(MalformedBytes) {
        guard bytes.count <= Self.headerBytes + Self.bodyBytesMost + IdentitySignature.byteCount
        else { throw MalformedBytes("envelope too large") }
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt8.self) == Self.version else {
            throw MalformedBytes("envelope of another version")
        }
        let run = try reader.take(RunID.self)
        let scheme = try reader.integer(UInt8.self)
        let round = try reader.integer(UInt8.self)
        let item = try reader.integer(UInt16.self)
        let from = try reader.integer(UInt16.self)
        let to = try reader.integer(UInt16.self)
        guard let kind = Kind(rawValue: try reader.integer(UInt8.self)) else {
            throw MalformedBytes("envelope of unknown kind")
        }
        header = Header(
            run: run, scheme: scheme, round: round, item: item, from: from, to: to, kind: kind)
        let size = reader.remaining - IdentitySignature.byteCount
        guard size >= 0 else { throw MalformedBytes("envelope without a signature") }
        body = Array(try reader.take(size))
        signature = try reader.take(IdentitySignature.self)
    }
}

extension Envelope: CustomStringConvertible {
    /// Where the envelope belongs; nothing of its body.
    public var description: String {
        let to = header.to == Self.toAll ? "all" : String(header.to)
        return
            "\(header.kind) \(header.round) of \(header.run.hex.prefix(8)), item \(header.item), "
            + "\(header.from) to \(to), \(body.count) bytes"
    }
}

/// A participant's consent to one run: its fresh nonce and ephemeral key, and which setups it holds
/// with each other participant. The run's name is made of all of them.
public struct Ready: Equatable, Sendable {
    public let descriptor: Digest
    public let nonce: [UInt8]
    public let ephemeral: EphemeralPublicKey
    /// By position; empty where a run makes the setups.
    public let setups: [UInt16: PairSetupIDs]

    public init(
        descriptor: Digest, nonce: [UInt8], ephemeral: EphemeralPublicKey,
        setups: [UInt16: PairSetupIDs]
    ) {
        self.descriptor = descriptor
        self.nonce = nonce
        self.ephemeral = ephemeral
        self.setups = setups
    }

    public var bytes: [UInt8] {
        descriptor.bytes + nonce + ephemeral.bytes + [UInt8(setups.count)]
            + setups.sorted { $0.key < $1.key }.flatMap { position, ids in
                position.bigEndianBytes + ids.asAlice.bytes + ids.asBob.bytes
            }
    }

    public init(_ bytes: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(bytes)
        descriptor = try reader.take(Digest.self)
        nonce = Array(try reader.take(RunContribution.nonceBytes))
        ephemeral = try reader.take(EphemeralPublicKey.self)
        let count = try reader.integer(UInt8.self)
        guard count <= ParticipantIndex.most else { throw MalformedBytes("too many setups") }
        var setups: [UInt16: PairSetupIDs] = [:]
        var last: UInt16?
        for _ in 0..<count {
            let position = try reader.integer(UInt16.self)
            if let last, position <= last { throw MalformedBytes("setups not in order") }
            last = position
            setups[position] = PairSetupIDs(
                asAlice: try reader.take(SetupID.self), asBob: try reader.take(SetupID.self))
        }
        self.setups = setups
        try reader.finish()
    }
}
