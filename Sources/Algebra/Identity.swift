import CSodium
import Canonical

/// An Ed25519 public key (RFC 8032): who a holder or the platform is.
public struct IdentityPublicKey: FixedBytes, Comparable {
    public static let byteCount = 32
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    public static func < (a: Self, b: Self) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

    /// Whether `signature` is this key's over the digest. libsodium's strict verification: small
    /// orders and non-canonical encodings are refused.
    public func verifies(_ signature: IdentitySignature, of digest: Digest) -> Bool {
        Library.prepare()
        return crypto_sign_verify_detached(
            signature.bytes, digest.bytes, UInt64(digest.bytes.count), bytes) == 0
    }
}

/// An Ed25519 signature, 64 bytes.
public struct IdentitySignature: FixedBytes {
    public static let byteCount = 64
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }
}

/// An Ed25519 private key. It signs digests only, each made with a tag of its own kind, so that a
/// signature of one kind is never one of another.
public struct IdentityKey: ~Copyable, Sendable {
    public static let seedBytes = 32
    public let publicKey: IdentityPublicKey
    private let secret: SecretBytes

    /// Nil unless the seed has 32 bytes (RFC 8032's private key).
    public init?(seed: borrowing SecretBytes) {
        guard seed.count == Self.seedBytes else { return nil }
        Library.prepare()
        var publicBytes = [UInt8](repeating: 0, count: IdentityPublicKey.byteCount)
        var secret = SecretBytes(count: 64)
        secret.withMutableBytes { secret in
            seed.withBytes { seed in
                _ = crypto_sign_seed_keypair(
                    &publicBytes, secret.assumingMemoryBound(to: UInt8.self).baseAddress!,
                    seed.assumingMemoryBound(to: UInt8.self).baseAddress!)
            }
        }
        self.secret = secret
        publicKey = IdentityPublicKey(unchecked: publicBytes)
    }

    public borrowing func sign(_ digest: Digest) -> IdentitySignature {
        var signature = [UInt8](repeating: 0, count: IdentitySignature.byteCount)
        secret.withBytes {
            _ = crypto_sign_detached(
                &signature, nil, digest.bytes, UInt64(digest.bytes.count),
                $0.assumingMemoryBound(to: UInt8.self).baseAddress!)
        }
        return IdentitySignature(unchecked: signature)
    }
}
