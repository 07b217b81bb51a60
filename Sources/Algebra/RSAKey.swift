import Canonical
import Crypto
import CryptoExtras
import Foundation  // Data, in which swift-crypto hands out encodings

/// An RSA public key (RFC 8017), of programs that sign so and will not learn anything else.
public struct RSAPublicKey: Sendable {
    /// Shorter ones are broken sooner, longer ones only cost time.
    public static let bits = 2048...8192
    /// Most bytes of the text that a key is read from.
    public static let byteLimit = 16 * 1024

    private let key: _RSA.Signing.PublicKey

    fileprivate init(_ key: _RSA.Signing.PublicKey) { self.key = key }

    /// Reads PEM: a SubjectPublicKeyInfo (RFC 5280) or an RSAPublicKey (RFC 8017, A.1.1).
    public init(pem: String) throws(MalformedBytes) {
        guard pem.utf8.count <= Self.byteLimit,
            let key = try? _RSA.Signing.PublicKey(pemRepresentation: pem),
            Self.bits.contains(key.keySizeInBits)
        else { throw MalformedBytes("no RSA public key of 2048 to 8192 bits in PEM form") }
        self.key = key
    }

    /// The SubjectPublicKeyInfo as PEM.
    public var pem: String { key.pemRepresentation }

    /// The SubjectPublicKeyInfo, DER.
    public var bytes: [UInt8] { Array(key.derRepresentation) }

    /// Whether `signature` is this key's over the bytes: RSASSA-PKCS1-v1_5 with SHA-256.
    public func verifies(_ signature: [UInt8], of bytes: [UInt8]) -> Bool {
        key.isValidSignature(
            _RSA.Signing.RSASignature(rawRepresentation: signature),
            for: SHA256.hash(data: bytes), padding: .insecurePKCS1v1_5)
    }
}

/// An RSA private key with which a holder shows who it is to programs of its operator's. It guards
/// no funds.
public struct RSAKey: ~Copyable, Sendable {
    private let key: _RSA.Signing.PrivateKey

    /// A new key of 2048 bits, from swift-crypto's own source of randomness.
    public init() {
        do {
            key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        } catch {
            preconditionFailure("libcrypto makes keys of 2048 bits: \(error)")
        }
    }

    /// Reads what `stored` wrote.
    public init(_ stored: borrowing SecretBytes) throws(MalformedBytes) {
        let found = stored.withBytes {
            try? _RSA.Signing.PrivateKey(derRepresentation: Array($0))
        }
        guard let found, RSAPublicKey.bits.contains(found.keySizeInBits) else {
            throw MalformedBytes("no RSA key of 2048 to 8192 bits")
        }
        key = found
    }

    public var publicKey: RSAPublicKey { RSAPublicKey(key.publicKey) }

    /// The key as it is kept in a file: RSAPrivateKey (RFC 8017, A.1.2), DER.
    public borrowing func stored() -> SecretBytes {
        SecretBytes(copying: key.derRepresentation)
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256, as long as the modulus.
    public borrowing func sign(_ bytes: [UInt8]) -> [UInt8] {
        do {
            return Array(
                try key.signature(
                    for: SHA256.hash(data: bytes), padding: .insecurePKCS1v1_5
                ).rawRepresentation)
        } catch {
            preconditionFailure("a key that was read signs: \(error)")
        }
    }
}
