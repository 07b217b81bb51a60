import CReference
import CSecp256k1
import Canonical
import TestKit
import Testing

@testable import Algebra

/// Our arithmetic against libsecp256k1's and against OpenSSL's big numbers.
@Suite struct `Scalars` {
    @Test func `agree with two libraries on random values`() {
        var random = TestRandom("scalars")
        var differences = Differences()
        for _ in 0..<Edges.randomCount {
            let (a, b) = (random.bytes(32), random.bytes(32))
            differences.reading(a)
            let (x, y) = (Scalar(reducing: a), Scalar(reducing: b))
            differences.unary(x)
            differences.binary(x, y)
        }
        differences.finish()
    }

    @Test func `agree with two libraries on every pair of edge values`() {
        var differences = Differences()
        let scalars = Set(Edges.words.map { Scalar(reducing: $0).bytes }).sorted {
            $0.lexicographicallyPrecedes($1)
        }.compactMap { Scalar(canonical: $0) }
        for word in Edges.words { differences.reading(word) }
        for a in scalars {
            differences.unary(a)
            for b in scalars { differences.binary(a, b) }
        }
        #expect(scalars.count > 300)
        differences.finish()
    }

    @Test func `secret ones agree with public ones`() {
        var random = TestRandom("secret")
        var differences = Differences()
        let edges = Edges.named.map { Scalar(reducing: $0) }
        for a in edges { for b in edges { differences.secret(a, b) } }
        for _ in 0..<Edges.randomCount {
            differences.secret(
                Scalar(reducing: random.bytes(32)), Scalar(reducing: random.bytes(32)))
        }
        differences.finish()
    }

    @Test func `a difference would be found`() {
        #expect(Differences.ofWrongProduct() == 1)
        let one = Scalar.one.bytes
        var out = one
        reference_multiply(&out, Scalar(2).bytes, Scalar(3).bytes)
        #expect(out == Scalar(6).bytes)
        #expect(reference_is_below_order(Edges.order) == 0)
    }

    @Test func `have inverses, but for zero`() {
        var random = TestRandom("inverses")
        #expect(Scalar.zero.inverse == nil)
        let values =
            Edges.words.map { Scalar(reducing: $0) }
            + (0..<1000).map { _ in Scalar(reducing: random.bytes(32)) }
        for value in values where !value.isZero {
            var expected = [UInt8](repeating: 0, count: 32)
            #expect(reference_invert(&expected, value.bytes) == 1)
            #expect(value.inverse?.bytes == expected)
        }
    }

    @Test func `are read only in their one spelling`() {
        #expect(Scalar(canonical: Edges.order) == nil)
        #expect(Scalar(reducing: Edges.order).isZero)
        #expect(Scalar(canonical: [UInt8](repeating: 0xff, count: 32)) == nil)
        for count in [0, 1, 31, 33, 64] {
            #expect(Scalar(canonical: [UInt8](repeating: 0, count: count)) == nil)
            #expect([UInt8](repeating: 0, count: count).withUnsafeBytes(Self.isRead) == false)
        }
    }

    private static func isRead(_ bytes: UnsafeRawBufferPointer) -> Bool {
        SecretScalar(canonical: bytes) != nil
    }

    @Test func `sums of products are reduced once and rightly`() {
        var random = TestRandom("products")
        for count in [1, 2, 3, 511, 512, 1024] {
            for kind in 0..<4 {
                var product = WideProduct()
                var expected = [UInt8](repeating: 0, count: 32)
                for _ in 0..<count {
                    let a = kind & 1 == 0 ? -Scalar.one : Scalar(reducing: random.bytes(32))
                    let b = kind & 2 == 0 ? -Scalar.one : Scalar(reducing: random.bytes(32))
                    product.add(a.limbs, b.limbs)
                    var term = expected
                    reference_multiply(&term, a.bytes, b.bytes)
                    reference_add(&expected, expected, term)
                }
                #expect(Scalar(limbs: product.reduced()).bytes == expected)
            }
        }
    }
}

/// Values where carries, borrows and reductions go wrong, as 32 big-endian bytes.
enum Edges {
    /// How many random values each comparison takes; more with `QUORUMKEEP_DIFFERENTIAL`.
    static let randomCount = LongRun.count("QUORUMKEEP_DIFFERENTIAL", short: 100_000)

    static let order = Hex.decode(
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")!

    /// 0, 1, 2, n − 1, n − 2, n/2 rounded down and the next, 2^128 ± 1, 2^255, and around 2^64,
    /// 2^192, n and 2^256.
    static let named: [[UInt8]] = {
        let hex = [
            "00", "01", "02", "03", "ffffffffffffffff", "010000000000000000",
            "ffffffffffffffffffffffffffffffff", "0100000000000000000000000000000000",
            "0100000000000000000000000000000001",
            "ffffffffffffffffffffffffffffffffffffffffffffffff",
            "01000000000000000000000000000000000000000000000000",
            "8000000000000000000000000000000000000000000000000000000000000000",
            "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0",
            "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1",
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd036413f",
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            // 2^256 − n, by which everything above 2^256 is folded.
            "014551231950b75fc4402da1732fc9bebf",
        ]
        return hex.map { text in
            let bytes = Hex.decode(text)!
            return [UInt8](repeating: 0, count: 32 - bytes.count) + bytes
        }
    }()

    /// `named`, every power of two and the number before it, and every combination of four limbs
    /// that are zero, one, the top bit or all ones.
    static let words: [[UInt8]] = {
        var words = named
        for bit in 0..<256 {
            var power = [UInt8](repeating: 0, count: 32)
            power[31 - bit / 8] = 1 << UInt8(bit % 8)
            let before = (0..<32).map { at in
                at < 31 - bit / 8 ? UInt8(0) : at == 31 - bit / 8 ? power[at] - 1 : 0xff
            }
            words += [power, before]
        }
        let limbs: [UInt64] = [0, 1, 1 << 63, .max]
        for number in 0..<256 {
            words.append(
                (0..<4).flatMap { limbs[number >> (2 * $0) & 3].bigEndianBytes })
        }
        return words
    }()
}

/// Compares one operation after the other and keeps the first few that differ: a hundred thousand
/// expectations would take longer than what they expect.
private struct Differences {
    private var found: [String] = []
    private var count = 0
    private var out = [UInt8](repeating: 0, count: 32)

    private mutating func same(
        _ ours: [UInt8], _ theirs: [UInt8], _ what: String, _ a: Scalar, _ b: Scalar
    ) {
        count += 1
        if ours != theirs {
            found.append("\(what) of \(Hex.encode(a.bytes)) and \(Hex.encode(b.bytes))")
        }
    }

    private mutating func same(_ isSame: Bool, _ what: String, _ bytes: [UInt8]) {
        count += 1
        if !isSame { found.append("\(what) of \(Hex.encode(bytes))") }
    }

    /// Any 32 bytes: reduction, and whether they are canonical.
    mutating func reading(_ bytes: [UInt8]) {
        reference_reduce(&out, bytes, bytes.count)
        same(Scalar(reducing: bytes).bytes == out, "reduction", bytes)
        let reduced = bytes.withUnsafeBytes { SecretScalar(reducing: $0).published().bytes }
        same(reduced == out, "secret reduction", bytes)
        let isBelow = reference_is_below_order(bytes) == 1
        same((Scalar(canonical: bytes)?.bytes == bytes) == isBelow, "canonical reading", bytes)
        let secret = bytes.withUnsafeBytes { bytes in
            if let value = SecretScalar(canonical: bytes) { return value.published().bytes }
            return []
        }
        same((secret == bytes) == isBelow, "secret canonical reading", bytes)
        let isKey = secp256k1_ec_seckey_verify(Library.secp256k1, bytes) == 1
        same(isKey == (isBelow && bytes.contains { $0 != 0 }), "libraries' verdict", bytes)
    }

    mutating func unary(_ a: Scalar) {
        let zero = [UInt8](repeating: 0, count: 32)
        reference_subtract(&out, zero, a.bytes)
        same((-a).bytes, out, "negation", a, a)
        same(a.isZero == (a.bytes == zero), "being zero", a.bytes)
        same(a.isHigh == (reference_is_high(a.bytes) == 1), "half", a.bytes)
        // libsecp256k1 refuses zero.
        guard !a.isZero else { return }
        out = a.bytes
        same(secp256k1_ec_seckey_negate(Library.secp256k1, &out) == 1, "negating", a.bytes)
        same((-a).bytes, out, "negation", a, a)
    }

    mutating func binary(_ a: Scalar, _ b: Scalar) {
        let (x, y) = (a.bytes, b.bytes)
        reference_add(&out, x, y)
        same((a + b).bytes, out, "sum", a, b)
        let isSumZero = out.allSatisfy { $0 == 0 }
        reference_subtract(&out, x, y)
        same((a - b).bytes, out, "difference", a, b)
        reference_multiply(&out, x, y)
        same((a * b).bytes, out, "product", a, b)
        same((a == b) == (x == y), "equality", x)
        guard !a.isZero, !b.isZero else { return }
        out = x
        same(secp256k1_ec_seckey_tweak_mul(Library.secp256k1, &out, y) == 1, "multiplying", x)
        same((a * b).bytes, out, "product", a, b)
        guard !isSumZero else { return }
        out = x
        same(secp256k1_ec_seckey_tweak_add(Library.secp256k1, &out, y) == 1, "adding", x)
        same((a + b).bytes, out, "sum", a, b)
    }

    mutating func secret(_ x: Scalar, _ y: Scalar) {
        let a = SecretScalar(x), b = SecretScalar(y)
        same((a + b).published().bytes, (x + y).bytes, "secret sum", x, y)
        same((a - b).published().bytes, (x - y).bytes, "secret difference", x, y)
        same((a * b).published().bytes, (x * y).bytes, "secret product", x, y)
        same((a + y).published().bytes, (x + y).bytes, "mixed sum", x, y)
        same((a * y).published().bytes, (x * y).bytes, "mixed product", x, y)
        same((x - b).published().bytes, (x - y).bytes, "mixed difference", x, y)
        same(a.encoded().withBytes { Array($0) }, x.bytes, "secret encoding", x, x)
        same(a.isZero == x.isZero, "secret being zero", x.bytes)
    }

    /// What a wrong product looks like to these comparisons.
    static func ofWrongProduct() -> Int {
        var differences = Differences()
        differences.same((Scalar(6) + .one).bytes, Scalar(6).bytes, "product", .one, .one)
        return differences.found.count
    }

    func finish() {
        print("printed: \(count) comparisons, \(found.count) differences")
        for what in found.prefix(20) { Issue.record("differs: \(what)") }
    }
}
