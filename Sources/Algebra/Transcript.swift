import CLibCrypto
import CSodium
import Canonical

/// A domain separation tag, hashed once: the state of SHA-256 after `th(tag) || th(tag)`, where
/// `th(tag) = SHA-256("MPCv1/" || tag)` (specification section 5.1).
public struct HashTag: Sendable {
    let name: [UInt8]
    fileprivate let midstate: SHA256_CTX

    public init(_ tag: String) {
        name = Self.hash(of: tag)
        var state = SHA256_CTX()
        SHA256_Init(&state)
        SHA256_Update(&state, name, name.count)
        SHA256_Update(&state, name, name.count)
        midstate = state
    }

    /// `th(tag)`, 32 bytes.
    private static func hash(of tag: String) -> [UInt8] {
        let input = Array("MPCv1/\(tag)".utf8)
        var digest = [UInt8](repeating: 0, count: Transcript.digestBytes)
        SHA256(input, input.count, &digest)
        return digest
    }
}

extension HashTag {
    static let hedge = HashTag("hedge")
    static let hedgeBlock = HashTag("hedge/block")
}

/// `H(tag, part₁, …, partₖ)` of specification section 5.1: tagged SHA-256 in which every part is
/// preceded by its length, so that no two lists of parts hash the same bytes.
///
/// Its state lives on the heap and is wiped, since parts may be secret.
public struct Transcript: ~Copyable {
    public static let digestBytes = Int(SHA256_DIGEST_LENGTH)

    private let state: UnsafeMutablePointer<SHA256_CTX>

    public init(_ tag: HashTag) {
        state = .allocate(capacity: 1)
        state.initialize(to: tag.midstate)
    }

    deinit {
        sodium_memzero(state, MemoryLayout<SHA256_CTX>.size)
        state.deallocate()
    }

    public mutating func append(_ part: [UInt8]) {
        begin(part.count)
        SHA256_Update(state, part, part.count)
    }

    public mutating func append(_ part: some FixedBytes) { append(part.bytes) }

    public mutating func append(_ part: borrowing SecretBytes) {
        part.withBytes { append(raw: $0) }
    }

    public mutating func append(raw part: UnsafeRawBufferPointer) {
        begin(part.count)
        SHA256_Update(state, part.baseAddress, part.count)
    }

    public mutating func append(u8 value: UInt8) { append([value]) }
    public mutating func append(u16 value: UInt16) { append(value.bigEndianBytes) }

    /// Starts a part of `count` bytes that `extend` then brings in pieces.
    mutating func begin(_ count: Int) {
        withUnsafeBytes(of: UInt32(count).bigEndian) {
            _ = SHA256_Update(state, $0.baseAddress, $0.count)
        }
    }

    mutating func extend(_ piece: UnsafeRawBufferPointer) {
        SHA256_Update(state, piece.baseAddress, piece.count)
    }

    public consuming func digest() -> Digest {
        var out = [UInt8](repeating: 0, count: Self.digestBytes)
        SHA256_Final(&out, state)
        return Digest(unchecked: out)
    }

    public consuming func secretDigest() -> SecretBytes {
        var out = SecretBytes(count: Self.digestBytes)
        out.withMutableBytes { finish(into: $0.baseAddress!) }
        return out
    }

    /// `Hs` of section 5.1: the digest as a big-endian integer modulo the group's order.
    public consuming func scalar<Group>() -> GroupScalar<Group> {
        GroupScalar(reducing: digest().bytes)
    }

    /// As `scalar`, of secret parts.
    public consuming func secretScalar() -> SecretScalar {
        let digest = secretDigest()
        return digest.withBytes { SecretScalar(reducing: $0) }
    }

    /// Writes the digest to `out`; the transcript is of no use afterwards.
    mutating func finish(into out: UnsafeMutableRawPointer) {
        SHA256_Final(out.assumingMemoryBound(to: UInt8.self), state)
    }
}

extension Digest {
    /// Plain SHA-256, as documents outside this project define it.
    public static func sha256(_ input: [UInt8]) -> Digest {
        var out = [UInt8](repeating: 0, count: Transcript.digestBytes)
        SHA256(input, input.count, &out)
        return Digest(unchecked: out)
    }
}
