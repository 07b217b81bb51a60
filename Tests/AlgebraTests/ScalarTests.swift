import CSecp256k1
import Canonical
import TestKit
import Testing

@testable import Algebra

/// Our arithmetic against libsecp256k1's own, and against what must hold of any field.
@Suite struct `Scalars` {
    private static let order = Hex.decode(
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")!

    /// 0, 1, n − 1, powers of two, and values with long runs of ones: where carries go wrong.
    private static let edges: [Scalar] = {
        var values = [Scalar.zero, .one, -Scalar.one, -Scalar(2), Scalar(.max)]
        for bit in 0..<256 {
            var bytes = [UInt8](repeating: 0, count: 32)
            bytes[31 - bit / 8] = 1 << UInt8(bit % 8)
            values.append(Scalar(reducing: bytes))
            values.append(Scalar(reducing: bytes) - .one)
            values.append(-Scalar(reducing: bytes))
        }
        return values
    }()

    private func product(_ a: Scalar, _ b: Scalar) -> Scalar? {
        var out = a.bytes
        let ok = secp256k1_ec_seckey_tweak_mul(Library.secp256k1, &out, b.bytes)
        return ok == 1 ? Scalar(canonical: out) : nil
    }

    private func sum(_ a: Scalar, _ b: Scalar) -> Scalar? {
        var out = a.bytes
        let ok = secp256k1_ec_seckey_tweak_add(Library.secp256k1, &out, b.bytes)
        return ok == 1 ? Scalar(canonical: out) : nil
    }

    private func check(_ a: Scalar, _ b: Scalar) {
        // The library refuses zero in and out; there the answer is known.
        if let expected = product(a, b) {
            #expect(a * b == expected)
        } else {
            #expect((a * b).isZero == (a.isZero || b.isZero))
        }
        if a.isZero {
            #expect(a + b == b)
        } else if let expected = sum(a, b) {
            #expect(a + b == expected)
        } else {
            #expect((a + b).isZero)
        }
        #expect(a - b + b == a)
        #expect(a + -a == .zero)
    }

    @Test func `agree with libsecp256k1 on random values`() {
        var random = TestRandom("scalars")
        for _ in 0..<20_000 {
            check(Scalar(reducing: random.bytes(32)), Scalar(reducing: random.bytes(32)))
        }
    }

    @Test func `agree with libsecp256k1 on edge values`() {
        for (number, a) in Self.edges.enumerated() {
            for b in Self.edges[number...] where number < 20 || b == a { check(a, b) }
            check(a, Self.edges[(number * 7 + 3) % Self.edges.count])
        }
    }

    @Test func `are read only in their one spelling`() {
        #expect(Scalar(canonical: Self.order) == nil)
        #expect(Scalar(reducing: Self.order).isZero)
        #expect(Scalar(canonical: [UInt8](repeating: 0xff, count: 32)) == nil)
        #expect(Scalar(canonical: [UInt8](repeating: 0, count: 31)) == nil)
        #expect(Scalar(canonical: [UInt8](repeating: 0, count: 33)) == nil)
        for value in Self.edges { #expect(Scalar(canonical: value.bytes) == value) }
    }

    @Test func `have inverses, but for zero`() {
        #expect(Scalar.zero.inverse == nil)
        for value in Self.edges where !value.isZero {
            #expect(value.inverse.map { $0 * value } == .one)
        }
    }

    @Test func `know which half they are in`() {
        // n/2 rounded down is the largest low value (BIP 146).
        let half = Scalar(
            canonical: Hex.decode(
                "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")!)!
        #expect(!half.isHigh)
        #expect((half + .one).isHigh)
        #expect(!Scalar.one.isHigh)
        #expect((-Scalar.one).isHigh)
        for value in Self.edges where !value.isZero { #expect(value.isHigh != (-value).isHigh) }
    }

    @Test func `sums of products are reduced once and rightly`() {
        var random = TestRandom("products")
        for count in [1, 2, 511, 512, 1024] {
            var product = WideProduct()
            var expected = Scalar.zero
            for number in 0..<count {
                let a = number.isMultiple(of: 3) ? -Scalar.one : Scalar(reducing: random.bytes(32))
                let b = number.isMultiple(of: 2) ? -Scalar.one : Scalar(reducing: random.bytes(32))
                product.add(a.limbs, b.limbs)
                expected = expected + a * b
            }
            #expect(Scalar(limbs: product.reduced()) == expected)
        }
    }

    @Test func `secret scalars calculate as public ones`() {
        var random = TestRandom("secret")
        for _ in 0..<200 {
            let (x, y) = (Scalar(reducing: random.bytes(32)), Scalar(reducing: random.bytes(32)))
            let a = SecretScalar(x), b = SecretScalar(y)
            #expect((a + b).published() == x + y)
            #expect((a - b).published() == x - y)
            #expect((a * b).published() == x * y)
            #expect((a + y).published() == x + y)
            #expect((a * y).published() == x * y)
            #expect((x - b).published() == x - y)
            #expect(a.timesGenerator()?.variableTimeTimes(y) == (a * y).timesGenerator())
            #expect(a.times(b.timesGenerator()!) == (a * b).timesGenerator())
        }
        let zero = SecretScalar(Scalar.zero)
        let generator = SecretScalar(Scalar.one).timesGenerator()!
        #expect(zero.timesGenerator() == nil)
        #expect(zero.times(generator) == nil)
        let isZero = zero.isZero
        #expect(isZero)
    }
}

@Suite struct `Points` {
    @Test func `are read only compressed, on the curve and in range`() {
        let generator = SecretScalar(Scalar.one).timesGenerator()!
        let good = generator.compressed
        #expect(Point(compressed: good) == generator)
        #expect(Point(compressed: []) == nil)
        #expect(Point(compressed: good.dropLast()) == nil)
        #expect(Point(compressed: good + [0]) == nil)
        #expect(Point(compressed: [4] + generator.coordinates) == nil)
        for prefix: UInt8 in [0, 1, 4, 5, 6, 7, 0xff] {
            #expect(Point(compressed: [prefix] + good.dropFirst()) == nil)
        }
        #expect(Point(compressed: [2] + [UInt8](repeating: 0xff, count: 32)) == nil)
        #expect(Point(compressed: [2] + [UInt8](repeating: 0, count: 31) + [5]) == nil)
    }

    @Test func `have no identity`() {
        let generator = SecretScalar(Scalar.one).timesGenerator()!
        #expect(generator + -generator == nil)
        #expect(generator.variableTimeTimes(.zero) == nil)
        #expect(generator.variableTimeAdding(generatorTimes: -Scalar.one) == nil)
        #expect(Point.sum([generator, generator, -(generator + generator)!]) == nil)
    }

    @Test func `are chosen by a bit without a branch`() {
        let one = SecretScalar(Scalar.one).timesGenerator()!
        let two = SecretScalar(Scalar(2)).timesGenerator()!
        #expect(Point.constantTimeSelect(0, one, two) == one)
        #expect(Point.constantTimeSelect(1, one, two) == two)
        #expect(constantTimeSelect(0, [1, 2], [3, 4]) == [1, 2])
        #expect(constantTimeSelect(1, [1, 2], [3, 4]) == [3, 4])
    }
}
