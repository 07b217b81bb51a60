import CLibCrypto

/// How a passphrase becomes a key: PBKDF2 (RFC 8018, section 5.2) over HMAC with this hash. Each
/// iteration costs whoever guesses as much as it costs us.
public struct PassphraseStretch: Equatable, Sendable {
    public enum Hash: Sendable, CaseIterable {
        case sha256
        case sha512
    }

    /// Between these a file may ask for: enough to be worth something, and no more than half a
    /// minute, so that a file cannot keep its reader busy for ever.
    public static let iterationsLeast = 10_000
    public static let iterationsMost = 10_000_000
    public static let saltBytes = 32

    public let hash: Hash
    public let iterations: Int
    public let salt: [UInt8]

    /// Nil unless the iterations are between least and most, and the salt has 32 bytes.
    public init?(_ hash: Hash, iterations: Int, salt: [UInt8]) {
        guard (Self.iterationsLeast...Self.iterationsMost).contains(iterations),
            salt.count == Self.saltBytes
        else { return nil }
        (self.hash, self.iterations, self.salt) = (hash, iterations, salt)
    }

    /// 32 bytes that follow from the passphrase.
    public func key(from passphrase: borrowing SecretBytes) -> SecretBytes {
        var key = SecretBytes(count: AESGCMKey.byteCount)
        let method =
            switch hash {
            case .sha256: EVP_sha256()
            case .sha512: EVP_sha512()
            }
        let made = key.withMutableBytes { key in
            passphrase.withBytes { passphrase in
                PKCS5_PBKDF2_HMAC(
                    passphrase.assumingMemoryBound(to: CChar.self).baseAddress!,
                    Int32(clamping: passphrase.count), salt, Int32(clamping: salt.count),
                    Int32(clamping: iterations), method, Int32(clamping: key.count),
                    key.assumingMemoryBound(to: UInt8.self).baseAddress!)
            }
        }
        precondition(made == 1, "libcrypto has PBKDF2 for every length and count")
        return key
    }
}
