import Algebra
import KeyGroups

/// A dealer's secret polynomial; its constant is what the dealer brings into the key.
struct SecretPolynomial<Group: PrimeGroup>: ~Copyable {
    /// Lowest degree first.
    private let coefficients: [SecretBox<Group.SecretScalar>]

    /// - Parameter constant: of a key that exists; nil draws it, before the other coefficients.
    init(
        degree: Int, constant: consuming Group.SecretScalar?,
        random: inout some RandomSource & ~Copyable
    ) {
        let first = constant ?? Group.SecretScalar(random: &random)
        var coefficients = [SecretBox(first)]
        for _ in 0..<degree { coefficients.append(SecretBox(Group.SecretScalar(random: &random))) }
        self.coefficients = coefficients
    }

    /// The polynomial's value at the index, by Horner's rule.
    borrowing func share(for index: ParticipantIndex) -> Group.SecretScalar {
        var value = Group.SecretScalar(Group.Scalar.zero)
        for coefficient in coefficients.reversed() {
            value = coefficient.with { value * index.scalar() + $0 }
        }
        return value
    }

    /// Feldman's commitments, or nil if a coefficient is zero (a share of zero is refused when a
    /// key is made, so it is none).
    borrowing func commitments() -> [Group.Point]? {
        let points = coefficients.compactMap { $0.with { $0.timesGenerator() } }
        return points.count == coefficients.count ? points : nil
    }

    borrowing func withConstant<Result>(
        _ body: (borrowing Group.SecretScalar) -> Result
    ) -> Result {
        coefficients[0].with(body)
    }
}

/// Schnorr's proof that a dealer knows the constant it commits to, bound to run and dealer.
struct ProofOfPossession<Group: PrimeGroup> {
    static var byteCount: Int { Group.pointBytes + Group.Scalar.byteCount }

    let nonce: [UInt8]
    let response: [UInt8]

    init(
        of secret: borrowing Group.SecretScalar, publicPart: Group.Point, run: RunID,
        index: ParticipantIndex, nonce k: borrowing Group.SecretScalar
    ) {
        guard let commitment = k.timesGenerator() else {
            preconditionFailure("a nonce is drawn from 1…q−1")
        }
        nonce = commitment.compressed
        let challenge = Self.challenge(run, index, publicPart, nonce)
        response = (secret * challenge + k).published().bytes
    }

    init(nonce: [UInt8], response: [UInt8]) {
        (self.nonce, self.response) = (nonce, response)
    }

    /// Whether s·G = R + e·X. Nil-valued parts (bad encodings) were refused before.
    func proves(
        _ publicPart: Group.Point, run: RunID, index: ParticipantIndex
    ) throws(Abort.Reason) -> Bool {
        guard let response = Group.Scalar(canonical: response),
            let nonce = Group.Point(compressed: nonce)
        else { throw .malformedMessage }
        let challenge = Self.challenge(run, index, publicPart, self.nonce)
        guard let product = publicPart.variableTimeTimes(challenge), let right = nonce + product,
            let left = Group.SecretScalar(response).timesGenerator()
        else { return false }
        return left == right
    }

    private static func challenge(
        _ run: RunID, _ index: ParticipantIndex, _ publicPart: Group.Point, _ nonce: [UInt8]
    ) -> Group.Scalar {
        var transcript = Transcript(Tag.proofOfPossession)
        transcript.append(run)
        transcript.append(u8: index.raw)
        transcript.append(publicPart.compressed)
        transcript.append(nonce)
        return transcript.scalar()
    }
}
