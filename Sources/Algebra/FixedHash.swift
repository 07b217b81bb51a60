import CLibCrypto
import CSodium
import Canonical

/// `FixedHash(tag, name)(payload) = SHA-256(th(tag) || name || payload)` for payloads of up to 55
/// bytes: the first block is hashed once, so that each call costs one compression (section 5.1).
///
/// The payload is written in place; its memory and the hash's state are wiped. Block and state are
/// written 16 bytes at a time, as the compression reads them: a load over several smaller stores
/// would wait for each of them, and calls that do not depend on each other would not overlap.
public struct FixedHash: ~Copyable {
    /// The longest payload that fits one block with its padding.
    public static let payloadLimit = 55
    private static let blockBytes = 64
    private static let stateBytes = MemoryLayout<SHA256_CTX>.size

    /// Where the next payload is written: one block.
    let payload: UnsafeMutableRawPointer
    private let state: UnsafeMutableRawPointer
    /// The state after the first block.
    private let first: (SIMD4<UInt32>, SIMD4<UInt32>)
    /// What stands in the 16 bytes where the payload ends, if its own bytes there are zero.
    private let ending: SIMD2<UInt64>

    /// - Parameters:
    ///   - name: 32 bytes that separate this use, such as a run's name.
    ///   - payloadBytes: how long each payload is, at most `payloadLimit`.
    public init(_ tag: HashTag, _ name: some FixedBytes, payloadBytes: Int) {
        precondition(payloadBytes <= Self.payloadLimit, "payload longer than one block holds")
        payload = .allocate(byteCount: Self.blockBytes, alignment: Self.blockBytes)
        payload.initializeMemory(as: UInt8.self, repeating: 0, count: Self.blockBytes)
        state = .allocate(byteCount: Self.stateBytes, alignment: Self.blockBytes)
        var start = SHA256_CTX()
        SHA256_Init(&start)
        SHA256_Transform(&start, tag.name + name.bytes)
        state.initializeMemory(as: SHA256_CTX.self, to: start)
        first = (
            state.load(as: SIMD4<UInt32>.self), state.load(fromByteOffset: 16, as: SIMD4.self)
        )
        payload.storeBytes(of: 0x80, toByteOffset: payloadBytes, as: UInt8.self)
        let bits = UInt16(8 * (Self.blockBytes + payloadBytes)).bigEndian
        payload.storeBytes(of: bits, toByteOffset: 62, as: UInt16.self)
        ending = payload.load(fromByteOffset: payloadBytes & ~15, as: SIMD2<UInt64>.self)
    }

    deinit {
        sodium_memzero(payload, Self.blockBytes)
        payload.deallocate()
        sodium_memzero(state, Self.stateBytes)
        state.deallocate()
    }

    /// Writes the payload's last bytes, little-endian, from `offset` on: where its last 16 begin.
    @inline(__always)
    mutating func end(with bytes: UInt64, at offset: Int) {
        payload.storeBytes(
            of: SIMD2(bytes.littleEndian, 0) | ending, toByteOffset: offset,
            as: SIMD2<UInt64>.self)
    }

    /// The digest of the payload as four words of two words each, the first of them lower.
    @inline(__always)
    private mutating func pairs() -> (UInt64, UInt64, UInt64, UInt64) {
        state.storeBytes(of: first.0, as: SIMD4<UInt32>.self)
        state.storeBytes(of: first.1, toByteOffset: 16, as: SIMD4<UInt32>.self)
        SHA256_Transform(
            state.assumingMemoryBound(to: SHA256_CTX.self),
            payload.assumingMemoryBound(to: UInt8.self))
        return (
            state.load(as: UInt64.self), state.load(fromByteOffset: 8, as: UInt64.self),
            state.load(fromByteOffset: 16, as: UInt64.self),
            state.load(fromByteOffset: 24, as: UInt64.self)
        )
    }

    /// The two words in the order in which a big-endian integer has them.
    @inline(__always)
    private static func swapped(_ pair: UInt64) -> UInt64 { pair &>> 32 | pair &<< 32 }

    /// Writes the digest's 32 bytes to `out`.
    @inline(__always)
    mutating func digest(into out: UnsafeMutableRawPointer) {
        let pairs = pairs()
        out.storeBytes(of: Self.swapped(pairs.0).bigEndian, as: UInt64.self)
        out.storeBytes(of: Self.swapped(pairs.1).bigEndian, toByteOffset: 8, as: UInt64.self)
        out.storeBytes(of: Self.swapped(pairs.2).bigEndian, toByteOffset: 16, as: UInt64.self)
        out.storeBytes(of: Self.swapped(pairs.3).bigEndian, toByteOffset: 24, as: UInt64.self)
    }

    /// The digest as an integer modulo the group order.
    @inline(__always)
    mutating func limbs() -> Limbs {
        let pairs = pairs()
        return Limbs(
            Self.swapped(pairs.3), Self.swapped(pairs.2), Self.swapped(pairs.1),
            Self.swapped(pairs.0)
        ).reducedOnce()
    }
}

extension FixedHash {
    /// Where the last bytes of a payload begin that starts with 32 secret ones.
    @inline(__always) static var rowBytes: Int { 32 }

    /// Writes the payload's first 32 bytes.
    @inline(__always)
    mutating func begin(with row: (SIMD2<UInt64>, SIMD2<UInt64>)) {
        payload.storeBytes(of: row.0, as: SIMD2<UInt64>.self)
        payload.storeBytes(of: row.1, toByteOffset: 16, as: SIMD2<UInt64>.self)
    }

    /// The 32 bytes at `memory`, as `begin` takes them.
    @inline(__always)
    static func row(_ memory: UnsafeRawPointer) -> (SIMD2<UInt64>, SIMD2<UInt64>) {
        (
            memory.loadUnaligned(as: SIMD2<UInt64>.self),
            memory.loadUnaligned(fromByteOffset: 16, as: SIMD2<UInt64>.self)
        )
    }

    /// Of each seed of 32 bytes, three digests of `seed || tree || leaf || counter`, 96 bytes: the
    /// columns of one tree's leaves (section 5.5).
    public mutating func expand(
        _ seeds: UnsafeRawPointer, count: Int, tree: UInt8, into out: UnsafeMutableRawPointer
    ) {
        for leaf in 0..<count {
            begin(with: Self.row(seeds + 32 * leaf))
            for counter in 0..<3 {
                end(
                    with: UInt64(tree) | UInt64(leaf) &<< 8 | UInt64(counter) &<< 16,
                    at: Self.rowBytes)
                digest(into: out + 96 * leaf + 32 * counter)
            }
        }
    }
}
