import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// Guards the one property that makes the base transfer safe: nobody knows the logarithm of a
/// hashed point (specification section 1.4, A13; negative test 30).
@Suite struct `A receiver of the base transfer` {
    let name = Digest.sha256(Array("pair".utf8))

    /// A receiver that knows every input of every hash and draws both points as multiples of G,
    /// and takes a hashed point's digest for its logarithm, as it could if hashing were `hash·G`.
    private func secondKey(hash: (UInt8, [UInt8]) -> (point: Point, logarithm: Scalar)) throws
        -> (attempt: [UInt8], real: [UInt8])
    {
        let (a, b) = (Scalar(7), Scalar(11))
        let zero = SecretScalar(a).timesGenerator()!, one = SecretScalar(b).timesGenerator()!
        var random = TestRandom("sender")
        let y = SecretScalar(random: &random)
        let nonce = y.timesGenerator()!
        // The branch 1 key, as the sender makes it.
        let (mask, logarithm) = hash(1, zero.compressed)
        let masked = (one + mask)!
        let real = BaseTransfer.key(
            name, 0, branch: 1, masked: masked.compressed, nonce: nonce.compressed,
            shared: y.times(masked)!)
        let attempt = BaseTransfer.key(
            name, 0, branch: 1, masked: masked.compressed, nonce: nonce.compressed,
            shared: nonce.variableTimeTimes(b + logarithm)!)
        return (attempt.withBytes { Array($0) }, real.withBytes { Array($0) })
    }

    private func digest(_ branch: UInt8, _ other: [UInt8]) -> Scalar {
        var transcript = Transcript(HashTag("bot/h"))
        transcript.append(name)
        transcript.append(u16: 0)
        transcript.append(u8: branch)
        transcript.append(other)
        transcript.append(u8: 0)
        return transcript.scalar()
    }

    @Test func `30 cannot compute the other key`() throws {
        let keys = try secondKey { branch, other in
            (BaseTransfer.mask(name, 0, branch: branch, other), digest(branch, other))
        }
        #expect(keys.attempt != keys.real)
    }

    @Test func `30 could compute it if points were hashed as multiples of the generator`() throws {
        let keys = try secondKey { branch, other in
            let logarithm = digest(branch, other)
            return (SecretScalar(logarithm).timesGenerator()!, logarithm)
        }
        #expect(keys.attempt == keys.real)
    }

    @Test func `a hashed point is no multiple by its digest`() {
        let hash = HashToCurve("test")
        var transcript = Transcript(HashTag("test"))
        transcript.append(Array("a".utf8))
        transcript.append(u8: 0)
        #expect(SecretScalar(transcript.scalar()).timesGenerator() != hash(Array("a".utf8)))
    }
}
