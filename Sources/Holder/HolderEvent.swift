import Algebra
import Canonical
import Intents

/// A server of the operator's that is told what becomes of requests at this holder.
public struct EventServer: Hashable, Sendable {
    public let id: Digest
    /// Where it is told, without a path.
    public let address: String

    public init(address: String) {
        self.address = address
        id = TaggedHash.digest("quorumkeep/event-server/v1", Array(address.utf8))
    }
}

/// Something that an event server is told, in the words of Cobo's event protocol
/// (docs/protocols/events.md).
public struct HolderEvent: Equatable, Sendable {
    /// Most events that are kept for a server.
    public static let keptMost = 1000

    /// Where a request is, by the protocol's numbers. It only goes on to a higher one.
    public enum Status: UInt16, Sendable, Comparable {
        case scheduling = 110
        /// A person or a callback server must say yes.
        case approving = 130
        case processing = 140
        case declined = 160
        case canceled = 180
        case completed = 190

        /// Whether more is to come.
        public var isOpen: Bool { self < .declined }

        public static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }

        fileprivate var word: String {
            switch self {
            case .scheduling: "created"
            case .approving, .processing: "updated"
            case .declined, .canceled: "failed"
            case .completed: "succeeded"
            }
        }
    }

    /// A UUID that follows from all else that is said: the same event has the same one.
    public let id: String
    /// The request's name.
    public let subject: Digest
    /// What is sent, JSON.
    public let package: [UInt8]

    public init(id: String, subject: Digest, package: [UInt8]) {
        (self.id, self.subject, self.package) = (id, subject, package)
    }

    /// - Parameters:
    ///   - node: who says it.
    ///   - now: Unix seconds.
    ///   - result: what a request that succeeded has given.
    init(
        _ status: Status, of subject: Digest, _ words: RequestWords, node: IdentityPublicKey,
        at now: UInt64, reason: String, result: JSONValue?
    ) {
        let name = words.kind.eventName
        var data: [(String, JSONValue)] = [
            ("data_type", .string(name)),
            ("request_id", .string(Digest.requestName(of: subject, at: node).hex)),
            ("request_type", .string(name)), ("request_status", .integer(status.rawValue)),
            ("request_detail", words.detail), ("extra_info", .string(words.extra.text)),
            ("failed_reason", .string(reason)),
        ]
        if let result { data.append(("result", result)) }
        self.init(
            "request.\(name.lowercased()).\(status.word)", of: subject, node: node, at: now,
            data: .object(data.map { JSONValue.Member(name: $0.0, value: $0.1) }))
    }

    /// An event about nothing, to see whether a server hears.
    public static func ping(from node: IdentityPublicKey, at now: UInt64) -> HolderEvent {
        HolderEvent("ping", of: .sha256([]), node: node, at: now, data: nil)
    }

    private init(
        _ type: String, of subject: Digest, node: IdentityPublicKey, at now: UInt64,
        data: JSONValue?
    ) {
        var members: [(String, JSONValue)] = [
            ("created_timestamp", .integer(now * 1000)), ("node_id", .string(node.hex)),
            ("event_type", .string(type)),
        ]
        if let data { members.append(("data", data)) }
        let said = JSONValue.object(members.map { JSONValue.Member(name: $0.0, value: $0.1) })
        id = Self.uuid(of: TaggedHash.digest("quorumkeep/event/v1", said.bytes))
        members.insert(("event_id", .string(id)), at: 0)
        package =
            JSONValue.object(
                members.map { JSONValue.Member(name: $0.0, value: $0.1) }
            ).bytes
        self.subject = subject
    }

    /// Version 8 of RFC 9562: the maker's own.
    private static func uuid(of digest: Digest) -> String {
        var bytes = Array(digest.bytes.prefix(16))
        bytes[6] = bytes[6] & 0x0f | 0x80
        bytes[8] = bytes[8] & 0x3f | 0x80
        return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { Hex.encode(Array(bytes[$0])) }
            .joined(separator: "-")
    }
}

extension RequestWords.Kind {
    fileprivate var eventName: String {
        switch self {
        case .keyGeneration: "KeyGen"
        case .signing: "KeySign"
        case .resharing: "KeyReshare"
        case .checkUp: "KeyShareSign"
        }
    }
}
