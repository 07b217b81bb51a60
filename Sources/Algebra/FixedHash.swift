import CLibCrypto
import CSodium
import Canonical

/// `FixedHash(tag, name)(payload) = SHA-256(th(tag) || name || payload)` for payloads of up to 55
/// bytes: the first block is hashed once, so that each call costs one compression (section 5.1).
///
/// The payload is written in place; its memory and the hash's state are wiped.
public struct FixedHash: ~Copyable {
    /// The longest payload that fits one block with its padding.
    public static let payloadLimit = 55
    private static let blockBytes = 64

    private let block: UnsafeMutablePointer<UInt8>
    private let state: UnsafeMutablePointer<SHA256_CTX>
    private let midstate: SHA256_CTX

    /// - Parameters:
    ///   - name: 32 bytes that separate this use, such as a run's name.
    ///   - payloadBytes: how long each payload is, at most `payloadLimit`.
    public init(_ tag: HashTag, _ name: some FixedBytes, payloadBytes: Int) {
        precondition(payloadBytes <= Self.payloadLimit, "payload longer than one block holds")
        block = .allocate(capacity: Self.blockBytes)
        block.initialize(repeating: 0, count: Self.blockBytes)
        state = .allocate(capacity: 1)
        var first = SHA256_CTX()
        SHA256_Init(&first)
        SHA256_Transform(&first, tag.name + name.bytes)
        midstate = first
        state.initialize(to: first)
        block[payloadBytes] = 0x80
        let bits = UInt16(8 * (Self.blockBytes + payloadBytes)).bigEndianBytes
        (block[62], block[63]) = (bits[0], bits[1])
    }

    deinit {
        sodium_memzero(block, Self.blockBytes)
        block.deallocate()
        sodium_memzero(state, MemoryLayout<SHA256_CTX>.size)
        state.deallocate()
    }

    /// Where the next payload is written.
    @inline(__always) var payload: UnsafeMutableRawPointer { UnsafeMutableRawPointer(block) }

    /// The digest of the payload as eight big-endian words, first word first.
    @inline(__always)
    mutating func words() -> (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) {
        state.pointee.h = midstate.h
        SHA256_Transform(state, block)
        return state.pointee.h
    }

    /// Writes the digest's 32 bytes to `out`.
    @inline(__always)
    public mutating func digest(into out: UnsafeMutableRawPointer) {
        let h = words()
        let to = out.assumingMemoryBound(to: UInt32.self)
        to[0] = h.0.bigEndian
        to[1] = h.1.bigEndian
        to[2] = h.2.bigEndian
        to[3] = h.3.bigEndian
        to[4] = h.4.bigEndian
        to[5] = h.5.bigEndian
        to[6] = h.6.bigEndian
        to[7] = h.7.bigEndian
    }

    /// The digest as an integer modulo the group order.
    @inline(__always)
    mutating func limbs() -> Limbs {
        let h = words()
        return Limbs(
            UInt64(h.6) << 32 | UInt64(h.7), UInt64(h.4) << 32 | UInt64(h.5),
            UInt64(h.2) << 32 | UInt64(h.3), UInt64(h.0) << 32 | UInt64(h.1)
        ).reducedOnce()
    }
}

extension FixedHash {
    /// Three digests of `seed || tree || leaf || counter`, 96 bytes: a leaf's column (section 5.5).
    @inline(__always)
    public mutating func expand(
        _ seed: UnsafeRawPointer, _ tree: UInt8, _ leaf: UInt8, into out: UnsafeMutableRawPointer
    ) {
        payload.copyMemory(from: seed, byteCount: 32)
        payload.storeBytes(of: tree, toByteOffset: 32, as: UInt8.self)
        payload.storeBytes(of: leaf, toByteOffset: 33, as: UInt8.self)
        for counter in UInt8(0)..<3 {
            payload.storeBytes(of: counter, toByteOffset: 34, as: UInt8.self)
            digest(into: out + 32 * Int(counter))
        }
    }
}
