import Algebra

/// Shamir's sharing over the integers modulo the group's order, with Feldman's commitments.
public enum Sharing<Group: PrimeGroup> {
    /// λᵢ(S): the factor by which share i enters the secret that the shares of `members` make.
    public static func lagrange(
        _ index: ParticipantIndex, in members: [ParticipantIndex]
    ) -> Group.Scalar {
        var numerator = Group.Scalar.one
        var denominator = Group.Scalar.one
        for other in members where other != index {
            numerator = numerator * other.scalar()
            denominator = denominator * (other.scalar() - index.scalar())
        }
        guard let inverse = denominator.inverse else {
            preconditionFailure("a quorum names each member once")
        }
        return numerator * inverse
    }

    /// Σₖ jᵏ·Aₖ: the public part of share j under these commitments, or nil if it is the identity.
    public static func evaluate(
        _ commitments: [Group.Point], at index: ParticipantIndex
    ) -> Group.Point? {
        var power = Group.Scalar.one
        var terms: [Group.Point] = []
        for commitment in commitments {
            guard let term = commitment.variableTimeTimes(power) else { return nil }
            terms.append(term)
            power = power * index.scalar()
        }
        return Group.Point.sum(terms)
    }
}

extension ParticipantIndex {
    public func scalar<Group: PrimeGroup>() -> GroupScalar<Group> { GroupScalar(UInt64(raw)) }
}
