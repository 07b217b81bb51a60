import Algebra
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// The integers modulo 11 under addition, written as powers of a generator: small enough to try
/// everything, and of no use for anything else.
private enum Toy: PrimeGroup {
    static let order: UInt64 = 11
    static var pointBytes: Int { 1 }
    static var inverseExponent: Limbs { Limbs(order - 2) }

    static func sum(_ a: Limbs, _ b: Limbs) -> Limbs { Limbs((a.lowest + b.lowest) % order) }
    static func difference(_ a: Limbs, _ b: Limbs) -> Limbs {
        Limbs((a.lowest + order - b.lowest) % order)
    }
    static func product(_ a: Limbs, _ b: Limbs) -> Limbs { Limbs(a.lowest * b.lowest % order) }
    static func isCanonical(_ a: Limbs) -> UInt64 { a.lowest < order ? 1 : 0 }
    static func limbs(_ bytes: UnsafeRawPointer) -> Limbs {
        Limbs(UInt64(bytes.load(as: UInt8.self)))
    }
    static func candidate(_ bytes: UnsafeRawPointer) -> Limbs { limbs(bytes) }
    static func reduced(bigEndian bytes: UnsafeRawPointer) -> Limbs {
        Limbs(UInt64(bytes.load(fromByteOffset: 31, as: UInt8.self)) % order)
    }
    static func write(_ a: Limbs, to out: UnsafeMutableRawPointer) {
        out.initializeMemory(as: UInt8.self, repeating: 0, count: 32)
        out.storeBytes(of: UInt8(a.lowest), as: UInt8.self)
    }

    static func point(_ bytes: [UInt8]) -> UInt64? {
        UInt64(bytes[0]) < order && bytes[0] > 0 ? UInt64(bytes[0]) : nil
    }
    static func bytes(_ point: UInt64) -> [UInt8] { [UInt8(point)] }
    static func sum(_ points: [UInt64]) -> UInt64? {
        let sum = points.reduce(0, +) % order
        return sum == 0 ? nil : sum
    }
    static func negative(_ point: UInt64) -> UInt64 { order - point }
    static func timesGenerator(_ a: UnsafePointer<Limbs>) -> UInt64? {
        a.pointee.lowest == 0 ? nil : a.pointee.lowest
    }
    static func variableTimeTimes(_ a: Limbs, _ point: UInt64) -> UInt64? {
        let product = a.lowest * point % order
        return product == 0 ? nil : product
    }
    static func variableTimeAdding(_ point: UInt64, generatorTimes a: Limbs) -> UInt64? {
        sum([point, a.lowest])
    }
    static func areEqual(_ a: UInt64, _ b: UInt64) -> Bool { a == b }
}

/// Draws the numbers of a list, one a scalar.
private struct Listed: RandomSource {
    var numbers: [UInt8]

    mutating func fill(_ out: UnsafeMutableRawBufferPointer) {
        out.initializeMemory(as: UInt8.self, repeating: 0)
        out[0] = numbers.removeFirst()
    }
}

@Suite struct `Sharing over a toy group, exhaustively` {
    private let numbers = Array(UInt8(1)...10)

    private func shares(_ coefficients: [UInt8], _ holders: Int) -> [ParticipantIndex: UInt64] {
        var random = Listed(numbers: coefficients)
        let polynomial = SecretPolynomial<Toy>(
            degree: coefficients.count - 1, constant: nil, random: &random)
        var shares: [ParticipantIndex: UInt64] = [:]
        for index in TestKeys.indices(holders) {
            let share = polynomial.share(for: index)
            shares[index] = UInt64(share.published().bytes[0])
            let commitments = polynomial.commitments()!
            // Feldman: the commitments give the share's public part, or both are nothing.
            #expect(
                Sharing<Toy>.evaluate(commitments, at: index)?.compressed
                    == share.timesGenerator()?.compressed)
        }
        return shares
    }

    private func interpolate(
        _ shares: [ParticipantIndex: UInt64], _ members: [ParticipantIndex]
    ) -> Toy.Scalar {
        members.reduce(Toy.Scalar.zero) { sum, index in
            sum + Sharing<Toy>.lagrange(index, in: members) * Toy.Scalar(shares[index] ?? 0)
        }
    }

    @Test func `two of three: every pair gives the secret, one share could be of any`() {
        var seen: [ParticipantIndex: [UInt64: [UInt8: Int]]] = [:]
        for secret in numbers {
            for slope in numbers {
                let shares = shares([secret, slope], 3)
                for pair in [[1, 2], [1, 3], [2, 3], [3, 1]] {
                    let members = pair.map { ParticipantIndex($0)! }
                    #expect(interpolate(shares, members) == Toy.Scalar(UInt64(secret)))
                }
                for (index, share) in shares {
                    seen[index, default: [:]][share, default: [:]][secret, default: 0] += 1
                }
            }
        }
        // A share says no more of the secret than that the slope is not zero: each of its values
        // comes from each secret exactly once, but from the one that equals it.
        for (_, values) in seen {
            for (share, secrets) in values {
                #expect(secrets.values.allSatisfy { $0 == 1 })
                #expect(secrets.count == (share == 0 ? 10 : 9))
            }
        }
    }

    @Test func `three of four: every three give the secret, and two of them any`() {
        for secret in numbers {
            var pairs: [[UInt64]: Int] = [:]
            for slope in numbers {
                for bend in numbers {
                    let shares = shares([secret, slope, bend], 4)
                    for left in 1...4 {
                        let members = (1...4).filter { $0 != left }.map { ParticipantIndex($0)! }
                        #expect(interpolate(shares, members) == Toy.Scalar(UInt64(secret)))
                    }
                    let two = [1, 2].map { shares[ParticipantIndex($0)!]! }
                    pairs[two, default: 0] += 1
                }
            }
            #expect(pairs.count == 100, "no two polynomials give the same two shares")
        }
    }
}
