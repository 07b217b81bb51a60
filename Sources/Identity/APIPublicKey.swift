import Algebra
import Canonical

/// The name of an API key whose private half its owner alone has: the public half in lower-case
/// hexadecimal, 32 bytes of Ed25519 or 33 of a compressed point on secp256k1.
public struct APIPublicKey: Hashable, Sendable, CustomStringConvertible {
    public enum Curve: String, Sendable {
        case ed25519 = "ED25519"
        case secp256k1 = "SECP256K1"
    }

    public let text: String
    public let curve: Curve
    private let bytes: [UInt8]

    /// Nil unless the text spells a point of one of the groups.
    public init?(text: String) {
        guard [64, 66].contains(text.utf8.count), let bytes = Hex.decode(text),
            Hex.encode(bytes) == text
        else { return nil }
        if Ed25519.Point(compressed: bytes) != nil {
            curve = .ed25519
        } else if Point(compressed: bytes) != nil {
            curve = .secp256k1
        } else {
            return nil
        }
        (self.text, self.bytes) = (text, bytes)
    }

    public var description: String { text }

    /// Whether the signature is this key's: 64 bytes of Ed25519 over the digest's bytes, or ECDSA
    /// in DER with a low s over the digest itself.
    public func verifies(_ signature: [UInt8], of digest: Digest) -> Bool {
        switch curve {
        case .ed25519:
            Ed25519.Point(compressed: bytes)?.verifiesEd25519(signature, of: digest.bytes) ?? false
        case .secp256k1:
            Point(compressed: bytes)?.verifiesECDSA(der: signature, of: digest) ?? false
        }
    }
}
