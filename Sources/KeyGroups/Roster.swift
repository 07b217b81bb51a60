import Algebra
import Canonical

/// The participants of one run: their identities and their indices, by position.
///
/// A position is the place in the list of identity keys, sorted; it alone names a participant in
/// envelopes, while the index is its place on the polynomial.
public struct Roster: Equatable, Sendable {
    public let identities: [IdentityPublicKey]
    public let indices: [ParticipantIndex]

    /// Nil unless there are 2…20 identities in strictly ascending order, with as many distinct
    /// indices.
    public init?(_ identities: [IdentityPublicKey], _ indices: [ParticipantIndex]) {
        guard identities.count == indices.count, Set(indices).count == indices.count,
            (2...Int(ParticipantIndex.most)).contains(identities.count),
            zip(identities, identities.dropFirst()).allSatisfy({ $0 < $1 })
        else { return nil }
        self.identities = identities
        self.indices = indices
    }

    public func position(of identity: IdentityPublicKey) -> UInt16? {
        identities.firstIndex(of: identity).map { UInt16($0) }
    }

    public func position(of index: ParticipantIndex) -> UInt16? {
        indices.firstIndex(of: index).map { UInt16($0) }
    }

    public func index(at position: UInt16) -> ParticipantIndex? {
        Int(position) < indices.count ? indices[Int(position)] : nil
    }

    public func identity(at position: UInt16) -> IdentityPublicKey? {
        Int(position) < identities.count ? identities[Int(position)] : nil
    }
}
