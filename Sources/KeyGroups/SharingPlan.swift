import Algebra
import Canonical

/// Who deals a key to whom in one ceremony (specification sections 3.1 and 3.2): the holders of the
/// group receive; they deal a new key themselves, or some holders of a source group deal them its.
public struct SharingPlan: Equatable, Sendable {
    /// Of the group that receives.
    public let kind: GroupKind
    public let threshold: SigningThreshold
    /// Who receives: identities, and the places of their new shares.
    public let holders: Roster
    /// The key that is shared anew; nil if a new one is made.
    public let source: Source?
    /// Everyone who deals or receives, by identity; an index is a seat, 1…n by position.
    public let participants: Roster

    /// A key that exists.
    public struct Source: Equatable, Sendable {
        public let group: GroupID
        public let epoch: UInt64
        public let certificate: Digest
        /// Who deals: identities, and the places of their shares in the source group.
        public let dealers: Roster

        public init(group: GroupID, epoch: UInt64, certificate: Digest, dealers: Roster) {
            self.group = group
            self.epoch = epoch
            self.certificate = certificate
            self.dealers = dealers
        }
    }

    /// Nil unless there are as many holders as the threshold says, and at most 20 participants.
    public init?(
        kind: GroupKind, threshold: SigningThreshold, holders: Roster, source: Source?
    ) {
        let dealers = source?.dealers ?? holders
        let everyone = Set(holders.identities + dealers.identities).sorted()
        guard holders.identities.count == threshold.holders,
            let participants = Roster(
                everyone, everyone.indices.compactMap { ParticipantIndex($0 + 1) })
        else { return nil }
        self.kind = kind
        self.threshold = threshold
        self.holders = holders
        self.source = source
        self.participants = participants
    }

    /// Who deals, and each dealer's place on the polynomial that its constant comes from.
    public var dealers: Roster { source?.dealers ?? holders }

    /// The place that each seat has in `roster`, by seat.
    public func places(in roster: Roster) -> [ParticipantIndex: ParticipantIndex] {
        var places: [ParticipantIndex: ParticipantIndex] = [:]
        for (identity, index) in zip(roster.identities, roster.indices) {
            guard let seat = seat(of: identity) else { continue }
            places[seat] = index
        }
        return places
    }

    public func seat(of identity: IdentityPublicKey) -> ParticipantIndex? {
        participants.position(of: identity).flatMap { participants.index(at: $0) }
    }
}

extension SharingPlan.Source {
    var encoded: CBOR {
        .map([
            1: .bytes(group.bytes), 2: .unsigned(epoch), 3: .bytes(certificate.bytes),
            4: dealers.encodedIdentities, 5: dealers.encodedIndices,
        ])
    }

    init(_ value: CBOR) throws(MalformedBytes) {
        var fields = try CBORFields(value, "source of a key ceremony")
        group = try fields.fixed(1)
        epoch = try fields.unsigned(2)
        certificate = try fields.fixed(3)
        dealers = try Roster(&fields, identities: 4, indices: 5)
        try fields.finish()
    }
}

extension Roster {
    public var encodedIdentities: CBOR { .array(identities.map { .bytes($0.bytes) }) }
    public var encodedIndices: CBOR { .array(indices.map { .unsigned(UInt64($0.raw)) }) }

    /// Reads the two arrays that say who takes part, and where.
    public init(
        _ fields: inout CBORFields, identities: UInt64, indices: UInt64
    ) throws(MalformedBytes) {
        let most = Int(ParticipantIndex.most)
        var keys: [IdentityPublicKey] = []
        for identity in try fields.array(identities, most: most) {
            guard case .bytes(let bytes) = identity, let key = IdentityPublicKey(bytes) else {
                throw MalformedBytes("participant that is no identity key")
            }
            keys.append(key)
        }
        var places: [ParticipantIndex] = []
        for index in try fields.array(indices, most: most) {
            guard case .unsigned(let raw) = index, let index = ParticipantIndex(raw) else {
                throw MalformedBytes("participant index out of range")
            }
            places.append(index)
        }
        guard let roster = Roster(keys, places) else {
            throw MalformedBytes("participants doubled, unsorted, too few or too many")
        }
        self = roster
    }
}
