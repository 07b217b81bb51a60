import Algebra

/// What is public about a key and its sharing: everything that a certificate speaks of.
public struct SharedKey: Equatable, Sendable {
    public static let chainCodeBytes = 32

    public let threshold: SigningThreshold
    /// The joint public key Y.
    public let publicKey: Point
    /// BIP 32's chain code.
    public let chainCode: [UInt8]
    /// Xⱼ of every holder.
    public let verifyingShares: [ParticipantIndex: Point]

    public var indices: [ParticipantIndex] { verifyingShares.keys.sorted() }

    /// Nil unless the shares are as many as the threshold has holders, with a chain code of 32
    /// bytes.
    public init?(
        threshold: SigningThreshold, publicKey: Point, chainCode: [UInt8],
        verifyingShares: [ParticipantIndex: Point]
    ) {
        guard verifyingShares.count == threshold.holders, chainCode.count == Self.chainCodeBytes
        else { return nil }
        self.threshold = threshold
        self.publicKey = publicKey
        self.chainCode = chainCode
        self.verifyingShares = verifyingShares
    }
}

extension SharedKey {
    /// Whether every set of as many holders as must sign interpolates to the public key: it is
    /// enough that each window of consecutive holders does.
    public var isConsistent: Bool {
        let indices = indices
        return (0...threshold.holders - threshold.required).allSatisfy { start in
            let members = Array(indices[start..<start + threshold.required])
            let terms = members.compactMap { index in
                verifyingShares[index]?.variableTimeTimes(Sharing.lagrange(index, in: members))
            }
            return terms.count == members.count && Point.sum(terms) == publicKey
        }
    }
}
