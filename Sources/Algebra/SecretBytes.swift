import CSodium

/// Bytes that must not leave: heap memory that is wiped when the value ends.
///
/// It cannot be copied, compared with `==`, printed or encoded. (An inline field would not do: a
/// wipe in its `deinit` reaches a temporary copy only; see `docs/decisions/0004-secrets.md`.)
public struct SecretBytes: ~Copyable, @unchecked Sendable {
    public let count: Int
    private let memory: UnsafeMutableRawPointer

    /// `count` zero bytes.
    public init(count: Int) {
        precondition(count > 0, "a secret has at least one byte")
        self.count = count
        memory = .allocate(byteCount: count, alignment: 16)
        sodium_memzero(memory, count)
    }

    public init(copying bytes: UnsafeRawBufferPointer) {
        self.init(count: bytes.count)
        memory.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    }

    /// Takes over bytes that came in a public container, such as a file's content.
    public init(copying bytes: some Collection<UInt8>) {
        self.init(count: bytes.count)
        withMutableBytes { $0.copyBytes(from: bytes) }
    }

    public init(count: Int, from random: inout some RandomSource & ~Copyable) {
        self.init(count: count)
        random.fill(UnsafeMutableRawBufferPointer(start: memory, count: count))
    }

    deinit {
        sodium_memzero(memory, count)
        memory.deallocate()
    }

    public borrowing func withBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: memory, count: count))
    }

    public mutating func withMutableBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeMutableRawBufferPointer(start: memory, count: count))
    }

    public borrowing func copy() -> SecretBytes {
        withBytes { SecretBytes(copying: $0) }
    }

    public borrowing func copy(_ range: Range<Int>) -> SecretBytes {
        withBytes { SecretBytes(copying: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// Whether both hold the same bytes, in time that depends on their lengths alone.
    public borrowing func matches(_ other: borrowing SecretBytes) -> Bool {
        count == other.count
            && withBytes { mine in
                other.withBytes { sodium_memcmp(mine.baseAddress!, $0.baseAddress!, count) == 0 }
            }
    }
}

/// Whether two public byte strings are the same, in time that depends on their lengths alone: for
/// authentication tags and what else an attacker could learn byte by byte.
public func constantTimeEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    one.count == other.count && (one.isEmpty || sodium_memcmp(one, other, one.count) == 0)
}

extension SecretBytes {
    /// Bit `index`, little-endian inside bytes, as 0 or 1.
    public borrowing func bit(_ index: Int) -> UInt8 {
        withBytes { $0[index &>> 3] &>> UInt8(truncatingIfNeeded: index & 7) & 1 }
    }

    /// Writes all of `source` over the bytes from `offset` on.
    public mutating func replace(at offset: Int, with source: borrowing SecretBytes) {
        precondition(offset >= 0 && offset + source.count <= count, "the source must fit")
        withMutableBytes { out in
            source.withBytes {
                UnsafeMutableRawBufferPointer(rebasing: out[offset..<offset + $0.count])
                    .copyMemory(from: $0)
            }
        }
    }

    public mutating func replace(at offset: Int, with source: [UInt8]) {
        precondition(offset >= 0 && offset + source.count <= count, "the source must fit")
        withMutableBytes { $0[offset..<offset + source.count].copyBytes(from: source) }
    }
}

/// `zero` where `bit` is 0, `one` where it is 1, without a branch; both are of the same length.
public func constantTimeSelect(_ bit: UInt8, _ zero: [UInt8], _ one: [UInt8]) -> [UInt8] {
    precondition(zero.count == one.count, "a choice is between two of the same length")
    let mask = 0 &- bit
    return zip(zero, one).map { $0 ^ (mask & ($0 ^ $1)) }
}

extension SecretBytes {
    /// Adds, without a branch, `count` bytes of `source` from `offset` on to ours where `mask` is
    /// 255, and nothing where it is 0.
    public mutating func xor(_ source: borrowing SecretBytes, from offset: Int, mask: UInt8) {
        precondition(offset + count <= source.count, "the source must be long enough")
        withMutableBytes { out in
            source.withBytes { source in
                for at in out.indices { out[at] ^= source[offset + at] & mask }
            }
        }
    }

    /// Adds all of `source` to our bytes from `offset` on where `mask` is 255.
    public mutating func xor(at offset: Int, _ source: borrowing SecretBytes, mask: UInt8) {
        precondition(offset + source.count <= count, "the source must fit")
        withMutableBytes { out in
            source.withBytes { source in
                for at in source.indices { out[offset + at] ^= source[at] & mask }
            }
        }
    }

    /// Makes `count` bytes from `offset` on zero where `mask` is 0, and leaves them where it is
    /// 255.
    public mutating func keep(at offset: Int, count: Int, mask: UInt8) {
        withMutableBytes { out in
            for at in offset..<offset + count { out[at] &= mask }
        }
    }
}
