import CSodium
import Canonical
import Crypto

/// One run's X25519 public key (RFC 7748), 32 bytes.
public struct EphemeralPublicKey: FixedBytes {
    public static let byteCount = 32
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }
}

/// One run's X25519 private key. It is never stored: when the run ends, what was sealed under it
/// can be opened no more.
public struct EphemeralKey: ~Copyable, Sendable {
    public let publicKey: EphemeralPublicKey
    private let secret: SecretBytes

    public init(random: inout some RandomSource & ~Copyable) {
        Library.prepare()
        let secret = SecretBytes(count: 32, from: &random)
        var publicBytes = [UInt8](repeating: 0, count: EphemeralPublicKey.byteCount)
        secret.withBytes {
            _ = crypto_scalarmult_curve25519_base(
                &publicBytes, $0.assumingMemoryBound(to: UInt8.self).baseAddress!)
        }
        self.secret = secret
        publicKey = EphemeralPublicKey(unchecked: publicBytes)
    }

    /// The secret shared with the owner of `other`, or nil if `other` has small order, so that the
    /// secret would not depend on our key.
    public borrowing func shared(with other: EphemeralPublicKey) -> SharedSecret? {
        var out = SecretBytes(count: 32)
        let made = out.withMutableBytes { out in
            secret.withBytes {
                crypto_scalarmult_curve25519(
                    out.assumingMemoryBound(to: UInt8.self).baseAddress!,
                    $0.assumingMemoryBound(to: UInt8.self).baseAddress!, other.bytes)
            }
        }
        guard made == 0 else { return nil }
        return SharedSecret(bytes: out)
    }
}

/// What two ephemeral keys agree on; only keys derived from it are used.
public struct SharedSecret: ~Copyable, Sendable {
    private let bytes: SecretBytes

    init(bytes: consuming SecretBytes) { self.bytes = bytes }

    /// 32 bytes of HKDF-SHA256 (RFC 5869) with the run's name as salt.
    public borrowing func derive(salt: some FixedBytes, info: [UInt8]) -> SecretBytes {
        bytes.withBytes { input in
            let key = HKDF<SHA256>.deriveKey(
                inputKeyMaterial: SymmetricKey(data: input), salt: salt.bytes, info: info,
                outputByteCount: 32)
            var derived = SecretBytes(count: SealingKey.byteCount)
            key.withUnsafeBytes { key in derived.withMutableBytes { $0.copyMemory(from: key) } }
            return derived
        }
    }
}

/// XChaCha20-Poly1305 under a 32-byte key.
public struct SealingKey: ~Copyable, Sendable {
    public static let byteCount = 32
    public static let nonceBytes = 24
    public static let overhead = 16
    private let key: SecretBytes

    public init(_ key: consuming SecretBytes) {
        precondition(key.count == Self.byteCount, "a sealing key has 32 bytes")
        Library.prepare()
        self.key = key
    }

    /// The sealed bytes, `overhead` longer. A nonce must not be used twice under one key.
    public borrowing func seal(
        _ plain: UnsafeRawBufferPointer, nonce: [UInt8], authenticating header: [UInt8]
    ) -> [UInt8] {
        precondition(nonce.count == Self.nonceBytes, "a nonce has 24 bytes")
        return [UInt8](unsafeUninitializedCapacity: plain.count + Self.overhead) { out, count in
            count = plain.count + Self.overhead
            key.withBytes { key in
                _ = crypto_aead_xchacha20poly1305_ietf_encrypt(
                    out.baseAddress!, nil, plain.assumingMemoryBound(to: UInt8.self).baseAddress,
                    UInt64(plain.count), header, UInt64(header.count), nil, nonce,
                    key.assumingMemoryBound(to: UInt8.self).baseAddress!)
            }
        }
    }

    public borrowing func seal(
        _ plain: [UInt8], nonce: [UInt8], authenticating header: [UInt8]
    ) -> [UInt8] {
        plain.withUnsafeBytes { seal($0, nonce: nonce, authenticating: header) }
    }

    public borrowing func seal(
        _ plain: borrowing SecretBytes, nonce: [UInt8], authenticating header: [UInt8]
    ) -> [UInt8] {
        plain.withBytes { seal($0, nonce: nonce, authenticating: header) }
    }

    /// The plain bytes, or nil if the box is too short, empty, or was not sealed so.
    public borrowing func open(
        _ box: some Collection<UInt8>, nonce: [UInt8], authenticating header: [UInt8]
    ) -> SecretBytes? {
        guard box.count > Self.overhead, nonce.count == Self.nonceBytes else { return nil }
        let input = Array(box)
        var out = SecretBytes(count: box.count - Self.overhead)
        let opened = out.withMutableBytes { out in
            key.withBytes { key in
                crypto_aead_xchacha20poly1305_ietf_decrypt(
                    out.assumingMemoryBound(to: UInt8.self).baseAddress!, nil, nil, input,
                    UInt64(input.count), header, UInt64(header.count), nonce,
                    key.assumingMemoryBound(to: UInt8.self).baseAddress!)
            }
        }
        guard opened == 0 else { return nil }
        return out
    }

    /// A hash of the key, to hedge randomness with.
    public borrowing func hedge() -> SecretBytes {
        var transcript = Transcript(.hedge)
        transcript.append(key)
        return transcript.secretDigest()
    }

    /// Seals for storage: a random nonce, then the box.
    public borrowing func sealForStorage(
        _ plain: borrowing SecretBytes, authenticating header: [UInt8]
    ) -> [UInt8] {
        var random = SystemRandom()
        let nonce = random.bytes(Self.nonceBytes)
        return nonce + seal(plain, nonce: nonce, authenticating: header)
    }

    /// Of what is secret only as a whole, such as an answer with a secret in it.
    public borrowing func sealForStorage(
        _ plain: [UInt8], authenticating header: [UInt8]
    ) -> [UInt8] {
        var random = SystemRandom()
        let nonce = random.bytes(Self.nonceBytes)
        return nonce + seal(plain, nonce: nonce, authenticating: header)
    }

    public borrowing func openStored(
        _ stored: [UInt8], authenticating header: [UInt8]
    ) -> SecretBytes? {
        guard stored.count > Self.nonceBytes else { return nil }
        return open(
            stored.dropFirst(Self.nonceBytes), nonce: Array(stored.prefix(Self.nonceBytes)),
            authenticating: header)
    }
}

/// HMAC-SHA512 of public input under a public key, as BIP 32 uses it.
public func hmacSHA512(key: [UInt8], _ input: [UInt8]) -> [UInt8] {
    Array(HMAC<SHA512>.authenticationCode(for: input, using: SymmetricKey(data: key)))
}
