import CSodium
import Canonical

/// A matrix of secret scalars, row by row, in memory that is wiped: the correlations of a
/// multiplication (specification section 5.6).
public struct SecretMatrix: ~Copyable, @unchecked Sendable {
    public let rows: Int
    public let columns: Int
    private let entries: UnsafeMutablePointer<Limbs>

    private init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        entries = .allocate(capacity: rows * columns)  // whoever calls fills them
    }

    deinit {
        sodium_memzero(entries, rows * columns * MemoryLayout<Limbs>.stride)
        entries.deallocate()
    }

    /// Entry (j, m) is `FixedHash(tag, name)(row j ⊕ mask || u16 j || u8 m)` modulo n.
    ///
    /// - Parameters:
    ///   - bits: the rows to hash, 32 bytes each.
    ///   - mask: 32 bytes that are added to every row.
    public init(
        hashing bits: borrowing SecretBytes, xor mask: borrowing SecretBytes, columns: Int,
        _ tag: HashTag, _ name: some FixedBytes
    ) {
        self.init(rows: bits.count / 32, columns: columns)
        precondition(bits.count == 32 * rows && mask.count == 32, "rows and mask have 256 bits")
        var hash = FixedHash(tag, name, payloadBytes: 35)
        bits.withBytes { bits in
            mask.withBytes { mask in
                guard let first = bits.baseAddress, let mask = mask.baseAddress else { return }
                let (low, high) = FixedHash.row(mask)
                for j in 0..<rows {
                    let row = FixedHash.row(first + 32 * j)
                    hash.begin(with: (row.0 ^ low, row.1 ^ high))
                    let index = UInt64(UInt16(truncatingIfNeeded: j).bigEndian)
                    for m in 0..<columns {
                        hash.end(
                            with: index | UInt64(UInt8(truncatingIfNeeded: m)) &<< 16,
                            at: FixedHash.rowBytes)
                        (entries + (j * columns + m)).initialize(to: hash.limbs())
                    }
                }
            }
        }
    }

    /// `self − other + inputs`, one input a column: Alice's corrections a~, which are sent.
    public borrowing func corrections(
        minus other: borrowing SecretMatrix, plus inputs: borrowing SecretMatrix
    ) -> PublicMatrix {
        precondition(
            other.rows == rows && other.columns == columns && inputs.columns == columns,
            "matrices of one shape")
        let size = rows * columns * Scalar.byteCount
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { out, count in
            guard let first = out.baseAddress else { return }
            for j in 0..<rows {
                for m in 0..<columns {
                    let at = j * columns + m
                    let entry = entries[at] - other.entries[at] + inputs.entries[m]
                    entry.write(bigEndianTo: first + Scalar.byteCount * at)
                }
            }
            count = size
        }
        return PublicMatrix(checked: bytes, rows: rows, columns: columns)
    }

    /// One row that holds copies of these scalars.
    public init(
        row first: borrowing SecretScalar, _ second: borrowing SecretScalar,
        _ third: borrowing SecretScalar
    ) {
        self.init(rows: 1, columns: 3)
        entries.initialize(to: first.limbs)
        (entries + 1).initialize(to: second.limbs)
        (entries + 2).initialize(to: third.limbs)
    }

    /// Adds the corrections to each row j for which bit j of `choice` is set, without a branch.
    public mutating func add(
        _ corrections: borrowing PublicMatrix, where choice: borrowing SecretBytes
    ) {
        precondition(
            corrections.rows == rows && corrections.columns == columns, "matrices of one shape")
        precondition(choice.count * 8 == rows, "one choice bit a row")
        choice.withBytes { choice in
            corrections.bytes.withUnsafeBytes { corrections in
                guard let first = corrections.baseAddress else { return }
                for j in 0..<rows {
                    let mask = Self.mask(choice, j)
                    for at in j * columns..<(j + 1) * columns {
                        let correction = Limbs(bigEndian: first + Scalar.byteCount * at)
                        entries[at] = entries[at] + correction.masked(mask)
                    }
                }
            }
        }
    }

    /// All ones if bit j is set, else zero.
    @inline(__always)
    fileprivate static func mask(_ choice: UnsafeRawBufferPointer, _ j: Int) -> UInt64 {
        0 &- UInt64(choice[j &>> 3] &>> UInt8(truncatingIfNeeded: j & 7) & 1)
    }

    /// Appends to `transcript`, as one part, the 32-byte encodings of
    /// `e₂ + θ₀·e₀ + θ₁·e₁ − choiceⱼ·η` for each row (e₀, e₁, e₂).
    public borrowing func append(
        combination theta: (Scalar, Scalar), minus eta: Scalar,
        where choice: borrowing SecretBytes, to transcript: inout Transcript
    ) {
        precondition(
            columns == 3 && choice.count * 8 == rows, "three columns, one choice bit a row")
        let minusEta = Limbs.zero - eta.limbs
        var encoded = SecretBytes(count: rows * Scalar.byteCount)
        encoded.withMutableBytes { out in
            choice.withBytes { choice in
                guard let first = out.baseAddress else { return }
                for j in 0..<rows {
                    let row = entries + columns * j
                    var sum = WideProduct(row[2])
                    sum.add(minusEta.masked(Self.mask(choice, j)))
                    sum.add(row[0], theta.0.limbs)
                    sum.add(row[1], theta.1.limbs)
                    sum.reduced().write(bigEndianTo: first + Scalar.byteCount * j)
                }
            }
        }
        transcript.append(encoded)
    }

    /// Σⱼ factorⱼ · entry(j, column).
    public borrowing func sum(ofColumn column: Int, times factors: Gadget) -> SecretScalar {
        precondition(factors.limbs.count == rows, "one factor a row")
        var sum = WideProduct()
        factors.limbs.withUnsafeBufferPointer { factors in
            for j in 0..<rows { sum.add(factors[j], entries[j * columns + column]) }
        }
        return SecretScalar(limbs: sum.reduced())
    }
}

/// A matrix of scalars as it travels: canonical 32-byte big-endian entries, row by row.
public struct PublicMatrix: Sendable {
    public let rows: Int
    public let columns: Int
    public let bytes: [UInt8]

    fileprivate init(checked bytes: [UInt8], rows: Int, columns: Int) {
        (self.bytes, self.rows, self.columns) = (bytes, rows, columns)
    }

    /// Nil unless the bytes are `rows · columns` integers below n.
    public init?(_ bytes: some Collection<UInt8>, rows: Int, columns: Int) {
        guard bytes.count == rows * columns * Scalar.byteCount else { return nil }
        self.init(checked: Array(bytes), rows: rows, columns: columns)
        guard (0..<rows * columns).allSatisfy({ limbs($0).isCanonical == 1 }) else { return nil }
    }

    @inline(__always)
    func limbs(_ at: Int) -> Limbs {
        bytes.withUnsafeBytes { Limbs(bigEndian: $0.baseAddress! + Scalar.byteCount * at) }
    }
}

/// The public factors gⱼ of a multiplication, and how they turn choice bits into a secret factor.
public struct Gadget: Sendable {
    let limbs: [Limbs]

    /// gⱼ = `FixedHash(tag, name)(u16 j)` modulo n.
    public init(count: Int, _ tag: HashTag, _ name: some FixedBytes) {
        var hash = FixedHash(tag, name, payloadBytes: 2)
        limbs = [Limbs](unsafeUninitializedCapacity: count) { out, made in
            for j in 0..<count {
                hash.end(with: UInt64(UInt16(truncatingIfNeeded: j).bigEndian), at: 0)
                out.initializeElement(at: j, to: hash.limbs())
            }
            made = count
        }
    }

    /// Σⱼ gⱼ over the rows whose bit in `choice` is set, without a branch.
    public func sum(where choice: borrowing SecretBytes) -> SecretScalar {
        precondition(choice.count * 8 == limbs.count, "one choice bit a factor")
        return choice.withBytes { choice in
            var sum = WideProduct()
            for j in limbs.indices { sum.add(limbs[j].masked(SecretMatrix.mask(choice, j))) }
            return SecretScalar(limbs: sum.reduced())
        }
    }
}
