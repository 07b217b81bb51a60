/// Transposes a matrix of secret bits, 64 rows and 64 columns at a time.
public enum BitMatrix {
    /// Writes column j of the matrix as row j of the result.
    ///
    /// - Parameters:
    ///   - rows: `rowCount` rows of `rowWords` little-endian words, one after the other.
    ///   - columnCount: how many columns are written, a multiple of 64.
    /// - Returns: `columnCount` rows of `rowCount` bits.
    public static func transpose(
        _ rows: borrowing SecretBytes, rowCount: Int, rowWords: Int, columnCount: Int
    ) -> SecretBytes {
        precondition(
            rowCount.isMultiple(of: 64) && columnCount.isMultiple(of: 64), "whole words of bits")
        precondition(
            rows.count == rowCount * rowWords * 8 && columnCount <= rowWords * 64,
            "as many bytes as the matrix has")
        var columns = SecretBytes(count: columnCount * rowCount / 8)
        rows.withBytes { rows in
            columns.withMutableBytes { columns in
                transpose(
                    rows.assumingMemoryBound(to: UInt64.self).baseAddress!, rowCount: rowCount,
                    rowWords: rowWords, columnCount: columnCount,
                    to: columns.assumingMemoryBound(to: UInt64.self).baseAddress!)
            }
        }
        return columns
    }

    static func transpose(
        _ rows: UnsafePointer<UInt64>, rowCount: Int, rowWords: Int, columnCount: Int,
        to columns: UnsafeMutablePointer<UInt64>
    ) {
        let columnWords = rowCount / 64
        var scratch = SecretBytes(count: 64 * 8)
        scratch.withMutableBytes { scratch in
            let block = scratch.assumingMemoryBound(to: UInt64.self).baseAddress!
            for rowBlock in 0..<columnWords {
                for columnBlock in 0..<columnCount / 64 {
                    for k in 0..<64 {
                        block[k] = rows[(64 * rowBlock + k) * rowWords + columnBlock]
                    }
                    transpose(block)
                    for k in 0..<64 {
                        columns[(64 * columnBlock + k) * columnWords + rowBlock] = block[k]
                    }
                }
            }
        }
    }

    /// Transposes 64 words of 64 bits in place: swaps ever smaller squares across the diagonal.
    @inline(__always)
    private static func transpose(_ words: UnsafeMutablePointer<UInt64>) {
        var width = 32
        var mask: UInt64 = 0x0000_0000_ffff_ffff
        while width != 0 {
            var k = 0
            while k < 64 {
                let swapped = (words[k] &>> UInt64(width) ^ words[k | width]) & mask
                words[k] ^= swapped &<< UInt64(width)
                words[k | width] ^= swapped
                k = ((k | width) &+ 1) & ~width
            }
            width >>= 1
            mask ^= mask &<< UInt64(width)
        }
    }
}
