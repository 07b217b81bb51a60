import Algebra

/// Shamir's sharing over the integers modulo n, with Feldman's commitments.
public enum Sharing {
    /// λᵢ(S): the factor by which share i enters the secret that the shares of `members` make.
    public static func lagrange(_ index: ParticipantIndex, in members: [ParticipantIndex]) -> Scalar
    {
        var numerator = Scalar.one
        var denominator = Scalar.one
        for other in members where other != index {
            numerator = numerator * other.scalar
            denominator = denominator * (other.scalar - index.scalar)
        }
        guard let inverse = denominator.inverse else {
            preconditionFailure("a quorum names each member once")
        }
        return numerator * inverse
    }

    /// Σₖ jᵏ·Aₖ: the public part of share j under these commitments, or nil if it is the identity.
    public static func evaluate(_ commitments: [Point], at index: ParticipantIndex) -> Point? {
        var power = Scalar.one
        var terms: [Point] = []
        for commitment in commitments {
            guard let term = commitment.variableTimeTimes(power) else { return nil }
            terms.append(term)
            power = power * index.scalar
        }
        return Point.sum(terms)
    }
}

extension ParticipantIndex {
    public var scalar: Scalar { Scalar(UInt64(raw)) }
}
