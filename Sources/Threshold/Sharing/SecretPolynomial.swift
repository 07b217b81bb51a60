import Algebra
import KeyGroups

/// A dealer's secret polynomial; its constant is what the dealer brings into the key.
struct SecretPolynomial: ~Copyable {
    /// Lowest degree first.
    private let coefficients: [SecretBox<SecretScalar>]

    init(degree: Int, random: inout some RandomSource & ~Copyable) {
        coefficients = (0...degree).map { _ in SecretBox(SecretScalar(random: &random)) }
    }

    /// The polynomial's value at the index, by Horner's rule.
    borrowing func share(for index: ParticipantIndex) -> SecretScalar {
        var value = SecretScalar(Scalar.zero)
        for coefficient in coefficients.reversed() {
            value = coefficient.with { value * index.scalar + $0 }
        }
        return value
    }

    borrowing func commitments() -> [Point] {
        coefficients.map { coefficient in
            coefficient.with {
                guard let point = $0.timesGenerator() else {
                    preconditionFailure("a coefficient is drawn from 1…n−1")
                }
                return point
            }
        }
    }

    borrowing func withConstant<Result>(_ body: (borrowing SecretScalar) -> Result) -> Result {
        coefficients[0].with(body)
    }
}

/// Schnorr's proof that a dealer knows the constant it commits to, bound to run and dealer.
struct ProofOfPossession {
    static let byteCount = Point.byteCount + Scalar.byteCount

    let nonce: [UInt8]
    let response: [UInt8]

    init(
        of secret: borrowing SecretScalar, publicPart: Point, run: RunID, index: ParticipantIndex,
        nonce k: borrowing SecretScalar
    ) {
        guard let commitment = k.timesGenerator() else {
            preconditionFailure("a nonce is drawn from 1…n−1")
        }
        nonce = commitment.compressed
        let challenge = Self.challenge(run, index, publicPart, nonce)
        response = (secret * challenge + k).published().bytes
    }

    init(nonce: [UInt8], response: [UInt8]) {
        (self.nonce, self.response) = (nonce, response)
    }

    /// Whether s·G = R + e·X. Nil-valued parts (bad encodings) were refused before.
    func proves(_ publicPart: Point, run: RunID, index: ParticipantIndex) throws(Abort) -> Bool {
        guard let response = Scalar(canonical: response), let nonce = Point(compressed: nonce)
        else {
            throw Abort(.malformedMessage, by: index)
        }
        let challenge = Self.challenge(run, index, publicPart, self.nonce)
        guard let product = publicPart.variableTimeTimes(challenge), let right = nonce + product,
            let left = SecretScalar(response).timesGenerator()
        else { return false }
        return left == right
    }

    private static func challenge(
        _ run: RunID, _ index: ParticipantIndex, _ publicPart: Point, _ nonce: [UInt8]
    ) -> Scalar {
        var transcript = Transcript(Tag.proofOfPossession)
        transcript.append(run)
        transcript.append(u8: index.raw)
        transcript.append(publicPart.compressed)
        transcript.append(nonce)
        return transcript.scalar()
    }
}
