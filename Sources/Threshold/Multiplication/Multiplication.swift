import Algebra
import Canonical
import KeyGroups

/// One multiplication of two secrets by two participants: Alice brings a₀ and a₁, Bob a random χ,
/// and they end with c + d = a·χ for each (RVOLE, DKLs23 protocol 5.2 with ℓ = 2, ρ = 1;
/// specification section 5.6).
enum Multiplication {
    static let inputs = 2
    /// The inputs and one random check value.
    static let width = 3
    static let correctionBytes = Transfer.rowCount * width * Scalar.byteCount
    static let answerBytes = correctionBytes + Scalar.byteCount + Transcript.digestBytes

    /// vs: the name of one multiplication in one item of a run.
    static func name(
        _ item: RunID, _ setup: SetupID, alice: ParticipantIndex, bob: ParticipantIndex
    ) -> Digest {
        var transcript = Transcript(Tag.signingMultiplication)
        transcript.append(item)
        transcript.append(setup)
        transcript.append(u8: alice.raw)
        transcript.append(u8: bob.raw)
        return transcript.digest()
    }

    /// θ₀ and θ₁ by Fiat and Shamir over Bob's message and all of Alice's corrections.
    static func factors(
        _ name: Digest, _ bobMessage: Digest, _ corrections: PublicMatrix
    ) -> (Scalar, Scalar) {
        var transcript = Transcript(Tag.multiplicationChallenge)
        transcript.append(name)
        transcript.append(bobMessage)
        transcript.append(corrections.bytes)
        let challenge = transcript.digest()
        func factor(_ input: UInt8) -> Scalar {
            var transcript = Transcript(Tag.multiplicationFactor)
            transcript.append(name)
            transcript.append(challenge)
            transcript.append(u8: input)
            return transcript.scalar()
        }
        return (factor(0), factor(1))
    }

    static func gadget(_ name: Digest) -> Gadget {
        Gadget(count: Transfer.rowCount, Tag.gadget, name)
    }

    /// One side's shares of the two products: of nonce and of key.
    struct Shares: ~Copyable {
        let nonce: SecretScalar
        let key: SecretScalar
    }

    /// What Alice brings: r, sk, and the random value that the check hides them behind.
    struct Inputs: ~Copyable {
        let nonce: SecretScalar
        let key: SecretScalar
        let check: SecretScalar
    }

    /// Alice's result.
    struct Answered: ~Copyable {
        let shares: Shares
        let answer: Answer

        consuming func takeShares() -> Shares { shares }
    }

    /// Alice's message: her corrections a~, η and μ.
    struct Answer {
        let corrections: PublicMatrix
        let check: Scalar
        let checkHash: Digest

        var bytes: [UInt8] { corrections.bytes + check.bytes + checkHash.bytes }
    }

    /// Alice: answers Bob's message with her inputs.
    ///
    /// - Returns: her shares c₀ and c₁ of the products, and the answer.
    /// - Throws: `.transferCheck`, which bans.
    static func answer(
        _ name: Digest, _ setup: borrowing AliceSetup, _ message: TransferExtension.Message,
        inputs: borrowing Inputs
    ) throws(Abort.Reason) -> Answered {
        let rows = try TransferExtension.check(name, setup, message)
        let delta = TransferExtension.packed(setup.delta)
        let zeros = SecretBytes(count: delta.count)
        let alpha0 = SecretMatrix(
            hashing: rows, xor: zeros, columns: width, Tag.extensionRow, name)
        let alpha1 = SecretMatrix(
            hashing: rows, xor: delta, columns: width, Tag.extensionRow, name)
        let corrections = alpha0.corrections(
            minus: alpha1, plus: SecretMatrix(row: inputs.nonce, inputs.key, inputs.check))
        _ = consume alpha1  // what comes next may have its memory
        let theta = factors(name, message.digest, corrections)
        let check = (inputs.check + inputs.nonce * theta.0 + inputs.key * theta.1).published()
        var transcript = Transcript(Tag.multiplicationCheck)
        transcript.append(name)
        alpha0.append(
            combination: theta, minus: .zero,
            where: SecretBytes(count: Transfer.rowCount / 8), to: &transcript)
        let gadget = gadget(name)
        return Answered(
            shares: Shares(
                nonce: Scalar.zero - alpha0.sum(ofColumn: 0, times: gadget),
                key: Scalar.zero - alpha0.sum(ofColumn: 1, times: gadget)),
            answer: Answer(
                corrections: corrections, check: check, checkHash: transcript.digest()))
    }

    /// Bob: waits, after his message, for Alice's answer.
    struct Bob: ~Copyable {
        let message: TransferExtension.Message
        /// His factor.
        let factor: SecretScalar
        private let name: Digest
        private let choice: SecretBytes
        private let gadget: Gadget
        private let matrix: SecretMatrix

        /// Draws: 64 bytes of choice bits and 16 of padding.
        init(
            _ name: Digest, _ setup: borrowing BobSetup,
            random: inout some RandomSource & ~Copyable
        ) {
            let padded = SecretBytes(count: Transfer.columnBytes, from: &random)
            let extended = TransferExtension.extend(
                name, leaves: setup.leaves, choice: padded)
            choice = padded.copy(0..<Transfer.rowCount / 8)
            gadget = Multiplication.gadget(name)
            factor = gadget.sum(where: choice)
            matrix = SecretMatrix(
                hashing: extended.rows, xor: SecretBytes(count: 32), columns: width,
                Tag.extensionRow, name)
            message = extended.message
            self.name = name
        }

        /// His shares d₀ and d₁.
        ///
        /// - Throws: `.multiplicationCheck`, which bans.
        consuming func finish(
            _ answer: Answer
        ) throws(Abort.Reason) -> Shares {
            let theta = factors(name, message.digest, answer.corrections)
            var sums = matrix
            sums.add(answer.corrections, where: choice)
            var transcript = Transcript(Tag.multiplicationCheck)
            transcript.append(name)
            sums.append(combination: theta, minus: answer.check, where: choice, to: &transcript)
            let expected = transcript.digest()
            guard constantTimeEqual(expected.bytes, answer.checkHash.bytes) else {
                throw .multiplicationCheck
            }
            return Shares(
                nonce: sums.sum(ofColumn: 0, times: gadget),
                key: sums.sum(ofColumn: 1, times: gadget))
        }
    }
}
