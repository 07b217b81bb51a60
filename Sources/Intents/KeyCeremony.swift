import Algebra
import Canonical
import KeyGroups

/// A key that is to be shared among the holders of a group: a new one, or one that exists
/// (specification section 3.1).
public struct KeyCeremony: Equatable, Sendable {
    public enum Occasion: UInt64, Sendable {
        /// A new key for a main group.
        case keyGeneration = 1
        /// A main group's key for a signing or a recovery group. The main group is one that may
        /// sign: that a signing group has taken its place is the platform's word alone.
        case fromKeyGroup = 2
        /// A recovery group's key for all of a main group's holders, a lost one replaced.
        case recovery = 3
        /// The same group, with new shares.
        case refresh = 4

        /// Whether a group of this type may deal.
        public func admits(source kind: GroupKind) -> Bool {
            switch self {
            case .keyGeneration: false
            case .fromKeyGroup: kind != .recovery
            case .recovery: kind == .recovery
            case .refresh: true
            }
        }

        /// As commands and documents spell it.
        public var name: String {
            switch self {
            case .keyGeneration: "key generation"
            case .fromKeyGroup: "key generation from a group"
            case .recovery: "recovery"
            case .refresh: "refresh"
            }
        }
    }

    /// The key that is shared anew, as the platform says; whoever holds it compares.
    public struct Source: Equatable, Sendable {
        public let group: GroupID
        public let epoch: UInt64
        public let certificate: Digest
        /// The root public key, encoded.
        public let publicKey: [UInt8]

        public init(group: GroupID, epoch: UInt64, certificate: Digest, publicKey: [UInt8]) {
            self.group = group
            self.epoch = epoch
            self.certificate = certificate
            self.publicKey = publicKey
        }
    }

    public let occasion: Occasion
    public let scheme: SignatureScheme
    /// Of the group that receives.
    public let kind: GroupKind
    public let threshold: SigningThreshold
    /// The receiving group's holders: identities in ascending order, and their indices.
    public let holders: Roster
    public let source: Source?

    /// Nil unless there are as many holders as the threshold says, a source exactly if the key
    /// exists, and a kind of group that the occasion can be for.
    public init?(
        occasion: Occasion, scheme: SignatureScheme, kind: GroupKind, threshold: SigningThreshold,
        holders: Roster, source: Source?
    ) {
        let fits =
            switch occasion {
            case .keyGeneration: source == nil && kind == .main
            case .fromKeyGroup: source != nil && kind != .main
            case .recovery: source != nil && kind != .recovery
            case .refresh: source != nil
            }
        guard fits, holders.identities.count == threshold.holders else { return nil }
        self.occasion = occasion
        self.scheme = scheme
        self.kind = kind
        self.threshold = threshold
        self.holders = holders
        self.source = source
    }

    /// What a person compares at every holder before the ceremony begins: 16 bytes over the group
    /// that receives, scheme, group type, threshold, every holder's index and identity, and the
    /// public key that they are given shares of; equal everywhere.
    public func fingerprint(of group: GroupID) -> String {
        let bytes = CBOR.array([
            .bytes(group.bytes), .unsigned(scheme.rawValue), .unsigned(kind.rawValue),
            .unsigned(UInt64(threshold.required)),
            .array(
                zip(holders.indices, holders.identities).map { index, identity in
                    .array([.unsigned(UInt64(index.raw)), .bytes(identity.bytes)])
                }),
            .bytes(source?.publicKey ?? []),
        ]).encoded()
        let digest = TaggedHash.digest("quorumkeep/ceremony/v1", bytes)
        let groups = stride(from: 0, to: 16, by: 2).map { Hex.encode(digest.bytes[$0..<$0 + 2]) }
        return groups.joined(separator: "-")
    }

    /// What the ceremony is, for the person who confirms it.
    public var sentence: String {
        let quorum = "\(threshold.required) of \(threshold.holders)"
        return switch occasion {
        case .keyGeneration: "a new \(scheme.name) key, \(quorum)"
        case .fromKeyGroup: "a \(scheme.name) key for a \(kind.name) group, \(quorum)"
        case .recovery: "recovery of a \(scheme.name) key by \(quorum)"
        case .refresh: "new shares of a \(scheme.name) key, \(quorum)"
        }
    }
}

extension KeyCeremony {
    var encoded: CBOR {
        var fields: [UInt64: CBOR] = [
            1: .unsigned(occasion.rawValue), 2: .unsigned(scheme.rawValue),
            3: .unsigned(kind.rawValue), 4: .unsigned(UInt64(threshold.required)),
            5: holders.encodedIdentities, 6: holders.encodedIndices,
        ]
        if let source {
            fields[7] = .map([
                1: .bytes(source.group.bytes), 2: .unsigned(source.epoch),
                3: .bytes(source.certificate.bytes), 4: .bytes(source.publicKey),
            ])
        }
        return .map(fields)
    }

    init(_ value: CBOR) throws(MalformedBytes) {
        var map = try CBORFields(value, "key ceremony")
        let occasion = Occasion(rawValue: try map.unsigned(1))
        let scheme = SignatureScheme(rawValue: try map.unsigned(2))
        let kind = GroupKind(rawValue: try map.unsigned(3))
        let required = Int(try map.unsigned(4, UInt8.self))
        let holders = try Roster(&map, identities: 5, indices: 6)
        var source: Source?
        if let value = map.optional(7) {
            var fields = try CBORFields(value, "source of a key ceremony")
            source = Source(
                group: try fields.fixed(1), epoch: try fields.unsigned(2),
                certificate: try fields.fixed(3), publicKey: try fields.bytes(4, most: 33))
            try fields.finish()
        }
        try map.finish()
        guard let occasion, let scheme, let kind,
            let threshold = SigningThreshold(required, of: holders.identities.count),
            let ceremony = KeyCeremony(
                occasion: occasion, scheme: scheme, kind: kind, threshold: threshold,
                holders: holders, source: source)
        else { throw MalformedBytes("impossible key ceremony") }
        self = ceremony
    }
}
