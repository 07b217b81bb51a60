import CReference
import Canonical
import TestKit
import Testing

@testable import Algebra

/// Points and how they are read, against OpenSSL's curve.
@Suite struct `Points` {
    private static let generator = SecretScalar(Scalar.one).timesGenerator()!

    /// Multiplications by OpenSSL take most of these tests' time, a quarter of a millisecond each.
    private static let randomCount = LongRun.count("QUORUMKEEP_DIFFERENTIAL", short: 1000)

    private func times(_ scalar: Scalar, _ point: Point?) -> [UInt8]? {
        var out = [UInt8](repeating: 0, count: 64)
        let isPoint =
            point.map { reference_times(&out, scalar.bytes, $0.coordinates) }
            ?? reference_times(&out, scalar.bytes, nil)
        return isPoint == 1 ? out : nil
    }

    private func check(_ scalar: Scalar, _ point: Point) {
        let secret = SecretScalar(scalar)
        #expect(secret.timesGenerator()?.coordinates == times(scalar, nil))
        let expected = times(scalar, point)
        #expect(secret.times(point)?.coordinates == expected)
        #expect(point.variableTimeTimes(scalar)?.coordinates == expected)
        let sum = point.variableTimeAdding(generatorTimes: scalar)
        if let added = secret.timesGenerator() {
            let isSum = reference_is_sum(point.coordinates, added.coordinates, sum?.coordinates)
            #expect(isSum == 1)
        } else {
            #expect(sum == point)
        }
    }

    @Test func `are multiplied as OpenSSL multiplies them`() {
        var random = TestRandom("multiples")
        for edge in Edges.named {
            check(Scalar(reducing: edge), Self.generator)
            check(Scalar(reducing: edge), -Self.generator)
        }
        var point = Self.generator
        for _ in 0..<Self.randomCount {
            let scalar = Scalar(reducing: random.bytes(32))
            check(scalar, point)
            point = point.variableTimeTimes(scalar) ?? point
        }
    }

    @Test func `are added and negated as OpenSSL does it`() {
        var random = TestRandom("sums")
        var points = [Self.generator, -Self.generator]
        for edge in Edges.named {
            if let point = SecretScalar(Scalar(reducing: edge)).timesGenerator() {
                points.append(point)
            }
        }
        var differing = 0
        func compare(_ a: Point, _ b: Point) -> Point? {
            let sum = a + b
            let isSum = reference_is_sum(a.coordinates, b.coordinates, sum?.coordinates)
            let isOpposite = reference_is_opposite((-a).coordinates, a.coordinates)
            if isSum != 1 || isOpposite != 1 { differing += 1 }
            return sum
        }
        for a in points { for b in points { _ = compare(a, b) } }
        for _ in 0..<Edges.randomCount {
            let (i, j) = (random.integer(below: points.count), random.integer(below: points.count))
            if let sum = compare(points[i], points[j]) { points[i] = sum }
        }
        #expect(differing == 0)
        // A sum of many is the sum of two, again and again.
        for count in [2, 3, 7, 20] {
            let terms = Array(points.prefix(count))
            let folded = terms.dropFirst().reduce(Optional(terms[0])) { sum, term in
                sum.map { $0 + term } ?? term
            }
            #expect(Point.sum(terms) == folded)
        }
    }

    /// Whether both read the same point from the bytes, or both none.
    private func readsAlike(_ bytes: [UInt8]) -> Bool {
        var expected = [UInt8](repeating: 0, count: 64)
        let isPoint = reference_decompress(&expected, bytes, bytes.count) == 1
        guard let point = Point(compressed: bytes) else { return !isPoint }
        var compressed = [UInt8](repeating: 0, count: 33)
        reference_compress(&compressed, expected)
        return isPoint && point.coordinates == expected && point.compressed == bytes
            && compressed == bytes
    }

    @Test func `are read and refused as OpenSSL does it`() {
        var random = TestRandom("encodings")
        // p − 1, p, p + 1 and everything up to 2^256 are no coordinates, or coordinates twice.
        let prime = Hex.decode("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f")!
        for last in UInt8(0x20)...0x40 {
            for prefix: UInt8 in [2, 3] {
                #expect(readsAlike([prefix] + prime.dropLast() + [last]))
            }
        }
        for edge in Edges.words {
            for prefix: UInt8 in [0, 2, 3, 4, 6] { #expect(readsAlike([prefix] + edge)) }
        }
        var counts = (alike: 0, different: 0)
        for number in 0..<20 * Self.randomCount {
            var bytes = [2 + UInt8(number & 1)] + random.bytes(32)
            if number.isMultiple(of: 3) { bytes[0] = random.bytes(1)[0] }
            if readsAlike(bytes) { counts.alike += 1 } else { counts.different += 1 }
        }
        print("printed: \(counts.alike) encodings read alike, \(counts.different) not")
        #expect(counts.different == 0)
    }

    @Test func `are read only compressed, on the curve and in range`() {
        let good = Self.generator.compressed
        #expect(Point(compressed: good) == Self.generator)
        #expect(Point(compressed: []) == nil)
        #expect(Point(compressed: good.dropLast()) == nil)
        #expect(Point(compressed: good + [0]) == nil)
        #expect(Point(compressed: [4] + Self.generator.coordinates) == nil)
        for prefix: UInt8 in 0...255 where prefix != good[0] && prefix != good[0] ^ 1 {
            #expect(Point(compressed: [prefix] + good.dropFirst()) == nil)
        }
        #expect(Point(compressed: [2] + [UInt8](repeating: 0xff, count: 32)) == nil)
        #expect(Point(compressed: [2] + [UInt8](repeating: 0, count: 31) + [5]) == nil)
    }

    @Test func `have no identity`() {
        let generator = Self.generator
        #expect(generator + -generator == nil)
        #expect(generator.variableTimeTimes(.zero) == nil)
        #expect(generator.variableTimeAdding(generatorTimes: -Scalar.one) == nil)
        #expect(Point.sum([generator, generator, -(generator + generator)!]) == nil)
        let zero = SecretScalar(Scalar.zero)
        #expect(zero.timesGenerator() == nil)
        #expect(zero.times(generator) == nil)
    }

    @Test func `are chosen by a bit without a branch`() {
        let two = SecretScalar(Scalar(2)).timesGenerator()!
        #expect(Point.constantTimeSelect(0, Self.generator, two) == Self.generator)
        #expect(Point.constantTimeSelect(1, Self.generator, two) == two)
        #expect(constantTimeSelect(0, [1, 2], [3, 4]) == [1, 2])
        #expect(constantTimeSelect(1, [1, 2], [3, 4]) == [3, 4])
    }
}
