/// The check hash of the oblivious transfer extension (section 5.5): Σⱼ χⱼ·row⁽ʲ⁾ + row⁽⁴⁾ over
/// GF(2^128) = GF(2)[x]/(x^128 + x^7 + x^2 + x + 1), for public χ₀…χ₃ and rows of 640 secret bits.
///
/// Bit i of a byte string is the coefficient of x^i. Every bit of a row takes the same steps.
public struct UniversalHash: ~Copyable {
    /// A row: four blocks to be multiplied and one to be added, of 128 bits each.
    public static let rowWords = 10
    private static let blocks = 4

    /// As many rows are hashed at once.
    private static let rowsAtOnce = 256
    private static let bits = 128 * blocks

    /// χⱼ·x^i at 128·j + i.
    private let powers: UnsafeMutablePointer<SIMD2<UInt64>>

    /// - Parameter factors: χ₀…χ₃, 16 bytes each.
    public init(factors: [[UInt8]]) {
        precondition(factors.count == Self.blocks, "one factor a block")
        powers = .allocate(capacity: Self.bits)
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

extension UniversalHash {
    /// 256 bits: the same bit of as many rows.
    private struct Slice {
        var low, high: SIMD2<UInt64>

        @inline(__always)
        static func ^ (a: Slice, b: Slice) -> Slice {
            Slice(low: a.low ^ b.low, high: a.high ^ b.high)
        }
    }

    /// The hashes of 256 rows, 16 bytes each.
    ///
    /// Each bit of the hashes is a sum of bits of the rows, and which ones is public. So the bit of
    /// all rows at once is a sum of slices, found 16 slices at a time with tables of all sums of
    /// four (Arlazarov and others 1970). The place in a table depends on χ alone.
    ///
    /// - Parameters:
    ///   - rows: 256 rows of `rowWords` little-endian words.
    ///   - transposed: their first 512 bits, slice by slice, as `BitMatrix.transpose` gives them.
    public func all(
        _ rows: borrowing SecretBytes, transposed: borrowing SecretBytes
    ) -> SecretBytes {
        precondition(
            rows.count == Self.rowsAtOnce * Self.rowWords * 8
                && transposed.count == Self.bits * MemoryLayout<Slice>.stride,
            "256 rows and their slices")
        var sums = SecretBytes(count: 128 * MemoryLayout<Slice>.stride)
        var tables = SecretBytes(count: 4 * 16 * MemoryLayout<Slice>.stride)
        transposed.withBytes { slices in
            sums.withMutableBytes { sums in
                tables.withMutableBytes { tables in
                    sum(
                        slices.assumingMemoryBound(to: Slice.self).baseAddress!,
                        into: sums.assumingMemoryBound(to: Slice.self).baseAddress!,
                        tables.assumingMemoryBound(to: Slice.self).baseAddress!)
                }
            }
        }
        var hashes = BitMatrix.transpose(
            sums, rowCount: 128, rowWords: Self.rowsAtOnce / 64, columnCount: Self.rowsAtOnce)
        rows.withBytes { rows in
            hashes.withMutableBytes { hashes in
                let words = rows.assumingMemoryBound(to: UInt64.self)
                let hashes = hashes.assumingMemoryBound(to: UInt64.self)
                for row in 0..<Self.rowsAtOnce {
                    hashes[2 * row] ^= words[Self.rowWords * row + 8]
                    hashes[2 * row + 1] ^= words[Self.rowWords * row + 9]
                }
            }
        }
        return hashes
    }

    private func sum(
        _ slices: UnsafePointer<Slice>, into sums: UnsafeMutablePointer<Slice>,
        _ tables: UnsafeMutablePointer<Slice>
    ) {
        // Bit k of word w of row b says whether slice 64·w + k counts for bit b of the hash.
        let counts = UnsafeMutablePointer<UInt64>.allocate(capacity: 128 * Self.bits / 64)
        defer { counts.deallocate() }
        powers.withMemoryRebound(to: UInt64.self, capacity: 2 * Self.bits) {
            BitMatrix.transpose($0, rowCount: Self.bits, rowWords: 2, columnCount: 128, to: counts)
        }
        for batch in 0..<Self.bits / 16 {
            for table in 0..<4 {
                Self.fill(tables + 16 * table, slices + (16 * batch + 4 * table))
            }
            let shift = UInt64(16 * (batch & 3))
            for bit in 0..<128 {
                let count = Int(
                    truncatingIfNeeded: counts[bit * (Self.bits / 64) + batch / 4] &>> shift)
                let first = tables[count & 15] ^ tables[16 + (count &>> 4) & 15]
                let second = tables[32 + (count &>> 8) & 15] ^ tables[48 + (count &>> 12) & 15]
                sums[bit] = sums[bit] ^ first ^ second
            }
        }
    }

    /// All sums of four slices: entry e has those whose bits are set in e.
    @inline(__always)
    private static func fill(
        _ table: UnsafeMutablePointer<Slice>, _ slices: UnsafePointer<Slice>
    ) {
        table[0] = Slice(low: .zero, high: .zero)
        for bit in 0..<4 {
            for entry in 0..<1 &<< bit { table[entry | 1 &<< bit] = table[entry] ^ slices[bit] }
        }
    }
}
