import CMemcheck
import Canonical

@testable import Algebra

/// What Algebra calculates with secrets.
enum AlgebraChecks {
    static func controls(_ bench: Bench) {
        bench.run(.control, "control: a jump on a secret bit", secret: "the bit") {
            let secret = SecretBytes.marked(1, 1)
            if secret.bit(3) == 1 { memcheck_say("the bit was set") }
        }
        bench.run(.control, "control: a table looked up by a secret", secret: "the index") {
            let table = (0..<256).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let index = SecretBytes.marked(1, 2).withBytes { Int($0[0]) }
            [table[index]].withUnsafeBytes { memcheck_keep($0.baseAddress!, $0.count) }
        }
        bench.run(.constant, "control: a choice by a mask", secret: "the bit") {
            let secret = SecretBytes.marked(1, 3)
            let chosen = constantTimeSelect(secret.bit(3), [1, 2, 3], [4, 5, 6])
            chosen.withUnsafeBytes { memcheck_keep($0.baseAddress!, $0.count) }
        }
    }

    static func limbs(_ bench: Bench) {
        let (a, b) = (Scalar.marked(4).limbs, Scalar.marked(5).limbs)
        func operation(_ name: String, _ body: (Limbs, Limbs) -> Limbs) {
            bench.run(.constant, "Limbs \(name)", secret: "both") {
                Scalar(limbs: body(a, b)).keep()
            }
        }
        operation("+") { $0 + $1 }
        operation("-") { $0 - $1 }
        operation("*") { $0 * $1 }
        operation("reducedOnce") { a, _ in a.reducedOnce() }
        operation("isCanonical, isZero, selecting") { a, b in
            a.selecting(b, mask: 0 &- b.isZero).masked(0 &- a.isCanonical)
        }
        bench.run(.constant, "WideProduct of 512 products", secret: "all factors") {
            var product = WideProduct()
            for _ in 0..<512 { product.add(a, b) }
            Scalar(limbs: product.reduced()).keep()
        }
    }

    static func scalars(_ bench: Bench) {
        let a = SecretScalar.marked(6), b = SecretScalar.marked(7)
        let known = Scalar.plain(8)
        bench.run(.constant, "SecretScalar + - *", secret: "both") {
            ((a + b) * a - b).keep()
        }
        bench.run(.constant, "SecretScalar + - * Scalar", secret: "the secret one") {
            (known - (a + known) * known).keep()
        }
        bench.run(.constant, "SecretScalar(reducing:), encoded", secret: "the bytes") {
            SecretScalar.marked(9).copy().encoded().keep()
        }
        bench.run(.constant, "-Scalar", secret: "the scalar") {
            (-a.published() + b.published() * known).keep()
        }
        bench.run(.constant, "d + e·ρ + λ·s·c, as FROST signs", secret: "d, e, s") {
            let d = SecretScalar.marked(10), e = SecretScalar.marked(11)
            (d + e * known + a * (known * known)).keep()
        }
        bench.run(
            .constant, "SecretScalar.timesGenerator", secret: "the scalar",
            .told(1, "it is not zero")
        ) {
            a.timesGenerator()?.keep()
        }
        bench.run(
            .constant, "SecretScalar.times", secret: "the scalar",
            .told(1, "it is not zero")
        ) {
            a.times(.plain(12))?.keep()
        }
        bench.run(
            .constant, "SecretScalar(random:)", secret: "the draw",
            .told(2, "it is below n, and not zero")
        ) {
            var random = MarkedRandom(13)
            SecretScalar(random: &random).keep()
        }
    }

    static func bytes(_ bench: Bench) {
        let secret = SecretBytes.marked(64, 20), other = SecretBytes.marked(64, 21)
        bench.run(.constant, "SecretBytes.xor, keep, copy", secret: "bytes and mask") {
            var sum = secret.copy()
            sum.xor(other, from: 0, mask: 0 &- other.bit(1))
            sum.keep(at: 0, count: 32, mask: 0 &- other.bit(2))
            sum.keep()
        }
        bench.run(
            .constant, "SecretBytes.matches", secret: "both", .told(1, "the verdict")
        ) {
            let isSame = secret.matches(secret.copy())
            precondition(isSame, "a copy is the same")
        }
        bench.run(.constant, "constantTimeEqual", secret: "both", .told(1, "the verdict")) {
            let bytes = secret.withBytes { Array($0) }
            precondition(constantTimeEqual(bytes, bytes.map { $0 ^ 0 }), "a copy is the same")
        }
        bench.run(.constant, "Point.constantTimeSelect", secret: "the bit") {
            Point.constantTimeSelect(secret.bit(7), .plain(22), .plain(23)).keep()
        }
        guard let point = SecretScalar.marked(24).timesGenerator() else { return }
        bench.run(.constant, "Point.sum, -Point, compressed", secret: "one of the points") {
            guard let sum = -point + .plain(25) else { return }
            sum.secretlyCompressed.keep()
        }
        bench.run(.constant, "Transcript of secret parts", secret: "the part") {
            var transcript = Transcript(HashTag("test"))
            transcript.append(secret)
            transcript.secretScalar().keep()
        }
        bench.run(.constant, "HedgedRandom", secret: "the hedge") {
            var random = HedgedRandom(secret: secret, context: [1])
            SecretBytes(count: 80, from: &random).keep()
        }
    }

    static func matrices(_ bench: Bench) {
        let name = Digest.plain(30)
        let bits = SecretBytes.marked(512 * 32, 31), mask = SecretBytes.marked(32, 32)
        let choice = SecretBytes.marked(64, 33)
        let tag = HashTag("test")
        let matrix = SecretMatrix(hashing: bits, xor: mask, columns: 3, tag, name)
        bench.run(.constant, "SecretMatrix(hashing:)", secret: "rows and mask") {
            let made = SecretMatrix(hashing: bits, xor: mask, columns: 3, tag, name)
            made.sum(ofColumn: 0, times: Gadget(count: 512, tag, name)).keep()
        }
        let inputs = SecretMatrix(row: .marked(34), .marked(35), .marked(36))
        var sent: [UInt8] = []
        bench.run(.constant, "SecretMatrix.corrections", secret: "matrices and inputs") {
            sent = matrix.corrections(minus: matrix, plus: inputs).bytes
        }
        guard let corrections = PublicMatrix(publish(sent), rows: 512, columns: 3) else {
            preconditionFailure("entries are canonical")
        }
        var sums = SecretMatrix(hashing: bits, xor: mask, columns: 3, tag, name)
        bench.run(.constant, "SecretMatrix.add(where:)", secret: "entries and choice") {
            sums.add(corrections, where: choice)
        }
        bench.run(.constant, "SecretMatrix.append(combination:)", secret: "entries, choice") {
            var transcript = Transcript(tag)
            let theta = (Scalar.plain(37), Scalar.plain(38))
            sums.append(combination: theta, minus: .plain(39), where: choice, to: &transcript)
            transcript.secretDigest().keep()
        }
        let gadget = Gadget(count: 512, tag, name)
        bench.run(.constant, "SecretMatrix.sum(ofColumn:)", secret: "entries") {
            sums.sum(ofColumn: 1, times: gadget).keep()
        }
        bench.run(.constant, "Gadget.sum(where:)", secret: "the choice") {
            gadget.sum(where: choice).keep()
        }
        bench.run(.constant, "BitMatrix.transpose", secret: "the bits") {
            BitMatrix.transpose(
                .marked(256 * 80, 40), rowCount: 256, rowWords: 10, columnCount: 512
            ).keep()
        }
        bench.run(.constant, "UniversalHash", secret: "the row") {
            var random = PlainRandom(41)
            let hash = UniversalHash(factors: (0..<4).map { _ in random.bytes(16) })
            let value = SecretBytes.marked(80, 42).withBytes {
                hash($0.assumingMemoryBound(to: UInt64.self).baseAddress!)
            }
            withUnsafeBytes(of: value) { memcheck_keep($0.baseAddress!, $0.count) }
        }
    }

    static func keys(_ bench: Bench) {
        bench.run(.constant, "IdentityKey(seed:), sign", secret: "the seed") {
            let key = IdentityKey(seed: .marked(32, 50))
            _ = publish(key?.sign(.plain(51)).bytes ?? [])
        }
        bench.run(
            .constant, "EphemeralKey.shared, derive", secret: "the private key",
            .told(1, "the product is not zero")
        ) {
            var random = PlainRandom(52)
            let peer = EphemeralKey(random: &random).publicKey
            var marked = MarkedRandom(53)
            let key = EphemeralKey(random: &marked)
            key.shared(with: peer)?.derive(salt: Digest.plain(54), info: [1]).keep()
        }
        bench.run(
            .constant, "SealingKey.seal, open", secret: "key, plain bytes",
            .told(2, "the box opens")
        ) {
            let key = SealingKey(.marked(32, 55))
            let nonce = [UInt8](repeating: 1, count: SealingKey.nonceBytes)
            let box = publish(key.seal(.marked(100, 56), nonce: nonce, authenticating: [1]))
            key.open(box, nonce: nonce, authenticating: [1])?.keep()
        }
    }

    /// What says of itself that its time depends on what it is given.
    static func variable(_ bench: Bench) {
        let secret = Scalar.marked(60)
        let point = Point.plain(61)
        bench.run(.variable, "Point.variableTimeTimes", secret: "the scalar") {
            point.variableTimeTimes(secret)?.keep()
        }
        bench.run(.variable, "Point.variableTimeAdding", secret: "the scalar") {
            point.variableTimeAdding(generatorTimes: secret)?.keep()
        }
        bench.run(.variable, "Scalar.inverse", secret: "whether it is zero") {
            secret.inverse?.keep()
        }
        bench.run(.variable, "Point(compressed:)", secret: "the bytes") {
            let bytes = point.compressed
            bytes.withUnsafeBytes { memcheck_make_secret($0.baseAddress!, $0.count) }
            Point(compressed: bytes)?.keep()
        }
        bench.run(.variable, "SecretScalar(canonical:)", secret: "whether it is below n") {
            SecretBytes.marked(32, 62).withBytes { SecretScalar(canonical: $0) }?.keep()
        }
        bench.run(.variable, "HashToCurve", secret: "what is hashed") {
            let bytes = Digest.plain(64).bytes
            bytes.withUnsafeBytes { memcheck_make_secret($0.baseAddress!, $0.count) }
            HashToCurve("test")(bytes).keep()
        }
    }
}
