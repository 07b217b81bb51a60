/// The check hash of the oblivious transfer extension (section 5.5): Σⱼ χⱼ·row⁽ʲ⁾ + row⁽⁴⁾ over
/// GF(2^128) = GF(2)[x]/(x^128 + x^7 + x^2 + x + 1), for public χ₀…χ₃ and rows of 640 secret bits.
///
/// Bit i of a byte string is the coefficient of x^i. Every bit of a row takes the same steps.
public struct UniversalHash: ~Copyable {
    /// A row: four blocks to be multiplied and one to be added, of 128 bits each.
    public static let rowWords = 10
    private static let blocks = 4

    /// χⱼ·x^i at 128·j + i.
    private let powers: UnsafeMutablePointer<SIMD2<UInt64>>

    /// - Parameter factors: χ₀…χ₃, 16 bytes each.
    public init(factors: [[UInt8]]) {
        precondition(factors.count == Self.blocks, "one factor a block")
        powers = .allocate(capacity: Self.blocks * 128)
        for (block, factor) in factors.enumerated() {
            var element = Self.element(factor)
            for bit in 0..<128 {
                (powers + 128 * block + bit).initialize(to: element)
                element = Self.timesX(element)
            }
        }
    }

    deinit { powers.deallocate() }

    static func element(_ bytes: [UInt8]) -> SIMD2<UInt64> {
        precondition(bytes.count == 16, "an element has 128 bits")
        return bytes.withUnsafeBytes {
            SIMD2(
                UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)),
                UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }

    private static func timesX(_ a: SIMD2<UInt64>) -> SIMD2<UInt64> {
        let carry = 0 &- (a.y &>> 63)
        return SIMD2(a.x &<< 1 ^ (carry & 0x87), a.y &<< 1 | a.x &>> 63)
    }

    /// The hash of the row of `rowWords` little-endian words at `row`.
    @inline(__always)
    public func callAsFunction(_ row: UnsafePointer<UInt64>) -> SIMD2<UInt64> {
        var even = SIMD2<UInt64>(row[8], row[9])
        var odd = SIMD2<UInt64>.zero
        for word in 0..<2 * Self.blocks {
            let bits = row[word]
            let table = powers + 64 * word
            for bit in stride(from: 0, to: 64, by: 2) {
                let first = SIMD2(repeating: 0 &- (bits &>> UInt64(bit) & 1))
                let second = SIMD2(repeating: 0 &- (bits &>> UInt64(bit &+ 1) & 1))
                even ^= table[bit] & first
                odd ^= table[bit &+ 1] & second
            }
        }
        return even ^ odd
    }
}
