import CLibCrypto
import CSodium
import Canonical

// Hashes that other documents define, and that give an integer of a group. Their input may be
// secret: it is hashed in memory that is wiped.

extension GroupSecretScalar where Group == Ed25519 {
    /// SHA-512 of the input as a little-endian integer modulo L (RFC 8032 section 5.1.6, RFC 9591
    /// section 6.1).
    public init(sha512 input: borrowing SecretBytes) {
        var digest = SecretBytes(count: 64)
        input.withBytes { input in
            digest.withMutableBytes {
                _ = crypto_hash_sha512(
                    $0.assumingMemoryBound(to: UInt8.self).baseAddress!,
                    input.assumingMemoryBound(to: UInt8.self).baseAddress!, UInt64(input.count))
            }
        }
        self.init(limbs: Ed25519.reduced(wide: digest))
    }
}

extension GroupSecretScalar where Group == Secp256k1 {
    /// hash_to_field of RFC 9380 section 5.2 with expand_message_xmd over SHA-256, 48 bytes for one
    /// integer modulo n (RFC 9591 section 6.5).
    ///
    /// - Parameter domain: at most 255 bytes.
    public init(hashingToField input: borrowing SecretBytes, domain: [UInt8]) {
        precondition(domain.count < 256, "a domain is named by at most 255 bytes")
        let suffix = domain + [UInt8(domain.count)]
        var first = SecretBytes(count: 64 + input.count + 3 + suffix.count)
        first.replace(at: 64, with: input)
        first.replace(at: 64 + input.count, with: [0, 48, 0] + suffix)
        let b0 = sha256(first)
        var block = SecretBytes(count: 33 + suffix.count)
        block.replace(at: 0, with: b0)
        block.replace(at: 32, with: [1] + suffix)
        let b1 = sha256(block)
        block.replace(at: 0, with: b0)
        block.xor(at: 0, b1, mask: .max)
        block.replace(at: 32, with: [2] + suffix)
        let b2 = sha256(block)
        // 48 bytes are 24 high and 24 low ones, each below n by itself.
        var high = SecretBytes(count: 32)
        var low = SecretBytes(count: 32)
        high.replace(at: 8, with: b1.copy(0..<24))
        low.replace(at: 8, with: b1.copy(24..<32))
        low.replace(at: 16, with: b2.copy(0..<16))
        let shift = Limbs(0, 0, 0, 1)  // 2^192
        let upper = high.withBytes { Limbs(bigEndian: $0.baseAddress!) }
        let lower = low.withBytes { Limbs(bigEndian: $0.baseAddress!) }
        self.init(limbs: upper * shift + lower)
    }
}

private func sha256(_ input: borrowing SecretBytes) -> SecretBytes {
    var digest = SecretBytes(count: Transcript.digestBytes)
    input.withBytes { input in
        digest.withMutableBytes {
            _ = SHA256(
                input.assumingMemoryBound(to: UInt8.self).baseAddress!, input.count,
                $0.assumingMemoryBound(to: UInt8.self).baseAddress!)
        }
    }
    return digest
}

/// Plain SHA-512 of public bytes, 64 bytes.
public func sha512(_ input: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 64)
    _ = crypto_hash_sha512(&digest, input, UInt64(input.count))
    return digest
}
