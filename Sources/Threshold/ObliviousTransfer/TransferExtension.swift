import Algebra
import Canonical

/// The oblivious transfer extension of one multiplication: from a pair's setup, 512 rows of which
/// Bob knows ψⱼ and Alice ζⱼ = ψⱼ ⊕ cⱼ·Δ for his choice bits c.
///
/// SoftSpokenOT (2022) with k = 4, made non-interactive by hashing; specification section 5.5.
/// Bob's is `extend`, Alice's is `check`.
enum TransferExtension {
    static let correctionBytes = Transfer.treeCount * Transfer.columnBytes
    static let hashBytes = 16
    static let messageBytes = correctionBytes + hashBytes + Transfer.baseCount * hashBytes
    /// A hash: 128 bits, little-endian.
    private typealias Element = SIMD2<UInt64>

    /// Bob's message: u₀…u₆₃, X and t₀…t₂₅₅, one after the other.
    struct Message {
        let bytes: [UInt8]

        init?(_ bytes: [UInt8]) {
            guard bytes.count == messageBytes else { return nil }
            self.bytes = bytes
        }

        var corrections: ArraySlice<UInt8> { bytes[..<correctionBytes] }

        /// H("vole/bobmsg", u₀…u₆₃, X, t₀…t₂₅₅).
        var digest: Digest {
            var transcript = Transcript(Tag.bobMessage)
            bytes.withUnsafeBytes { bytes in
                var at = 0
                let sizes = [
                    (Transfer.treeCount, Transfer.columnBytes),
                    (1 + Transfer.baseCount, hashBytes),
                ]
                for (count, size) in sizes {
                    for _ in 0..<count {
                        transcript.append(
                            raw: UnsafeRawBufferPointer(rebasing: bytes[at..<at + size]))
                        at += size
                    }
                }
            }
            return transcript.digest()
        }
    }

    /// Bob's result: ψ as 512 rows of 32 bytes, and his message.
    struct Extended: ~Copyable {
        let rows: SecretBytes
        let message: Message
    }

    /// χ₀…χ₃ by Fiat and Shamir over the corrections.
    static func universalHash(_ name: Digest, _ corrections: ArraySlice<UInt8>) -> UniversalHash {
        var transcript = Transcript(Tag.extensionChallenge)
        transcript.append(name)
        corrections.withUnsafeBytes { corrections in
            for at in stride(from: 0, to: corrections.count, by: Transfer.columnBytes) {
                transcript.append(
                    raw: UnsafeRawBufferPointer(
                        rebasing: corrections[at..<at + Transfer.columnBytes]))
            }
        }
        let challenge = transcript.digest()
        let factors = (0..<Transfer.checkBlocks).map { block in
            var transcript = Transcript(Tag.extensionFactor)
            transcript.append(name)
            transcript.append(challenge)
            transcript.append(u8: UInt8(block))
            return Array(transcript.digest().bytes.prefix(hashBytes))
        }
        return UniversalHash(factors: factors)
    }

    /// Bob's side.
    ///
    /// - Parameter choice: 512 choice bits and 128 of padding.
    static func extend(
        _ name: Digest, leaves: borrowing SecretBytes, choice: borrowing SecretBytes
    ) -> Extended {
        var columns = SecretBytes(count: Transfer.baseCount * Transfer.columnBytes)
        var message = [UInt8](repeating: 0, count: messageBytes)
        var generator = LeafExpansion(name)
        for tree in 0..<Transfer.treeCount {
            generator.expand(tree, leaves)
            generator.sumAll(plus: choice, into: &message, at: tree * Transfer.columnBytes)
            for bit in 0..<Transfer.treeDepth {
                generator.sum(
                    bit, delta: 0, into: &columns, column: Transfer.treeDepth * tree + bit)
            }
        }
        let rows = transposed(columns)
        let hash = universalHash(name, message[..<correctionBytes])
        let combined = choice.withBytes {
            hash($0.assumingMemoryBound(to: UInt64.self).baseAddress!)
        }
        message.withUnsafeMutableBytes { message in
            message.storeBytes(of: combined, toByteOffset: correctionBytes, as: Element.self)
            hash.all(columns, transposed: rows).withBytes { hashes in
                message[(correctionBytes + hashBytes)...].copyBytes(from: hashes)
            }
        }
        guard let whole = Message(message) else { preconditionFailure("made to measure") }
        return Extended(rows: rows, message: whole)
    }

    /// Alice's side: her rows, once every column has passed the check.
    ///
    /// - Returns: ζ as 512 rows of 32 bytes.
    /// - Throws: `.transferCheck`, which bans: that it failed tells Bob something about Δ.
    static func check(
        _ name: Digest, _ setup: borrowing AliceSetup, _ message: Message
    ) throws(Abort.Reason) -> SecretBytes {
        var columns = SecretBytes(count: Transfer.baseCount * Transfer.columnBytes)
        var generator = LeafExpansion(name)
        for tree in 0..<Transfer.treeCount {
            let delta = setup.delta.withBytes { $0[tree] }
            generator.expand(tree, setup.leaves)
            for bit in 0..<Transfer.treeDepth {
                let column = Transfer.treeDepth * tree + bit
                generator.sum(bit, delta: delta, into: &columns, column: column)
                let start = tree * Transfer.columnBytes
                generator.add(
                    message.corrections[start..<start + Transfer.columnBytes],
                    mask: 0 &- UInt64(delta &>> UInt8(bit) & 1), to: &columns, column: column)
            }
        }
        let hash = universalHash(name, message.corrections)
        let rows = transposed(columns)
        let hashes = hash.all(columns, transposed: rows)
        guard differences(hashes, message, setup.delta) == 0 else { throw .transferCheck }
        return rows
    }

    /// What all columns' hashes differ by from t + Δ·X, without an early exit.
    private static func differences(
        _ hashes: borrowing SecretBytes, _ message: Message, _ delta: borrowing SecretBytes
    ) -> UInt64 {
        hashes.withBytes { hashes in
            delta.withBytes { delta in
                message.bytes.withUnsafeBytes { message in
                    let combined = message.loadUnaligned(
                        fromByteOffset: correctionBytes, as: Element.self)
                    var differences = Element.zero
                    for column in 0..<Transfer.baseCount {
                        let bit = UInt8(truncatingIfNeeded: column % Transfer.treeDepth)
                        let set = delta[column / Transfer.treeDepth] &>> bit & 1
                        let sent = message.loadUnaligned(
                            fromByteOffset: correctionBytes + hashBytes * (1 + column),
                            as: Element.self)
                        let own = hashes.load(
                            fromByteOffset: hashBytes * column, as: Element.self)
                        differences |=
                            own ^ sent ^ (combined & Element(repeating: 0 &- UInt64(set)))
                    }
                    return differences.x | differences.y
                }
            }
        }
    }

    /// Δ as 32 bytes: bit 4·tree + b is bit b of the tree's Δ.
    static func packed(_ delta: borrowing SecretBytes) -> SecretBytes {
        var bits = SecretBytes(count: Transfer.baseCount / 8)
        bits.withMutableBytes { bits in
            delta.withBytes { delta in
                for at in bits.indices { bits[at] = delta[2 * at] | delta[2 * at + 1] &<< 4 }
            }
        }
        return bits
    }

    private static func transposed(_ columns: borrowing SecretBytes) -> SecretBytes {
        BitMatrix.transpose(
            columns, rowCount: Transfer.baseCount, rowWords: Transfer.columnWords,
            columnCount: Transfer.rowCount)
    }
}

/// The sums over one tree's 16 leaves, each expanded to a column of 640 bits.
struct LeafExpansion: ~Copyable {
    private var hash: FixedHash
    /// Leaf x's column at 6 chunks · x of 16 bytes: three digests, of which 80 bytes count.
    private var expanded: SecretBytes
    /// Column b is the sum of the leaves x in which bit b is set, the last column of all leaves.
    private var sums: SecretBytes
    private static let leafChunks = 6
    private static let columnChunks = Transfer.columnBytes / 16

    init(_ name: Digest) {
        hash = FixedHash(Tag.extensionPRG, name, payloadBytes: 35)
        expanded = SecretBytes(count: Transfer.leafCount * Self.leafChunks * 16)
        sums = SecretBytes(count: (Transfer.treeDepth + 1) * Transfer.columnBytes)
    }

    /// R_{i,x}: the first 80 bytes of FixedHash(leaf || i || x || counter) for counters 0, 1, 2.
    mutating func expand(_ tree: Int, _ leaves: borrowing SecretBytes) {
        let bytes = Transfer.leafCount * Transfer.seedBytes
        expanded.withMutableBytes { expanded in
            leaves.withBytes { leaves in
                let seeds = UnsafeRawBufferPointer(
                    rebasing: leaves[tree * bytes..<(tree + 1) * bytes])
                guard let seeds = seeds.baseAddress, let out = expanded.baseAddress else { return }
                hash.expand(seeds, count: Transfer.leafCount, tree: UInt8(tree), into: out)
            }
            sums.withMutableBytes { Self.fold(expanded, into: $0) }
        }
    }

    /// Sums leaves in pairs, pairs in fours and so on: where leaves differ in bit b alone, those
    /// that have it give the bit's sum.
    private static func fold(
        _ expanded: UnsafeMutableRawBufferPointer, into sums: UnsafeMutableRawBufferPointer
    ) {
        let leaves = expanded.assumingMemoryBound(to: SIMD2<UInt64>.self)
        let sums = sums.assumingMemoryBound(to: SIMD2<UInt64>.self)
        for chunk in 0..<columnChunks {
            var pairs = Transfer.leafCount
            for bit in 0..<Transfer.treeDepth {
                pairs /= 2
                var sum = SIMD2<UInt64>.zero
                for pair in 0..<pairs {
                    let without = leaves[2 * pair * leafChunks + chunk]
                    let with = leaves[(2 * pair + 1) * leafChunks + chunk]
                    sum ^= with
                    leaves[pair * leafChunks + chunk] = without ^ with
                }
                sums[bit * columnChunks + chunk] = sum
            }
            sums[Transfer.treeDepth * columnChunks + chunk] = leaves[chunk]
        }
    }

    /// u = choice ⊕ all leaves.
    borrowing func sumAll(
        plus choice: borrowing SecretBytes, into message: inout [UInt8], at offset: Int
    ) {
        sums.withBytes { sums in
            choice.withBytes { choice in
                message.withUnsafeMutableBytes { out in
                    for at in stride(from: 0, to: Transfer.columnBytes, by: 8) {
                        let all = sums.load(
                            fromByteOffset: Transfer.treeDepth * Transfer.columnBytes + at,
                            as: UInt64.self)
                        let sum = all ^ choice.load(fromByteOffset: at, as: UInt64.self)
                        out.storeBytes(of: sum, toByteOffset: offset + at, as: UInt64.self)
                    }
                }
            }
        }
    }

    /// The sum of the leaves x for which bit `bit` of x ⊕ `delta` is set: Bob's v with delta 0,
    /// Alice's part of w with her Δ, whose own leaf falls out since Δ ⊕ Δ has no bit set.
    ///
    /// Where Δ has the bit, the leaves without it are what all leaves and those with it add up to.
    borrowing func sum(_ bit: Int, delta: UInt8, into columns: inout SecretBytes, column: Int) {
        let mask = 0 &- UInt64(delta &>> UInt8(bit) & 1)
        sums.withBytes { sums in
            let sums = sums.assumingMemoryBound(to: UInt64.self)
            columns.withMutableBytes { columns in
                let out = columns.assumingMemoryBound(to: UInt64.self)
                for word in 0..<Transfer.columnWords {
                    let all = sums[Transfer.treeDepth * Transfer.columnWords + word]
                    out[column * Transfer.columnWords + word] =
                        sums[bit * Transfer.columnWords + word] ^ (all & mask)
                }
            }
        }
    }

    /// Adds Bob's correction to a column where `mask` is all ones.
    borrowing func add(
        _ correction: ArraySlice<UInt8>, mask: UInt64, to columns: inout SecretBytes, column: Int
    ) {
        correction.withUnsafeBytes { correction in
            columns.withMutableBytes { columns in
                let out =
                    columns.assumingMemoryBound(to: UInt64.self).baseAddress!
                    + column * Transfer.columnWords
                for word in 0..<Transfer.columnWords {
                    out[word] ^=
                        correction.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self) & mask
                }
            }
        }
    }
}
