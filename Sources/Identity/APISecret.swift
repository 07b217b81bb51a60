import Algebra
import Canonical
import Crypto

/// The secret of an API key. Its UTF-8 bytes are the HMAC key of the requests it signs; it is shown
/// once, when it is made, and kept sealed.
public struct APISecret: ~Copyable, Sendable {
    private static let randomBytes = 32
    private let text: SecretBytes

    public init(isLive: Bool, random: inout some RandomSource) {
        let prefix = isLive ? "qk_live_secret_" : "qk_test_secret_"
        text = SecretBytes(
            copying: Array((prefix + Hex.encode(random.bytes(Self.randomBytes))).utf8))
    }

    init(text: consuming SecretBytes) { self.text = text }

    /// Shows the secret: to the person who asked for the key, once.
    public borrowing func dangerouslyReveal() -> String {
        text.withBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// The secret as it is stored, bound to its key's name.
    public borrowing func sealed(_ key: borrowing SealingKey, for id: APIKeyID) -> [UInt8] {
        key.sealForStorage(text, authenticating: Self.context(id))
    }

    /// Nil if it was sealed under another key or for another name.
    public init?(sealed: [UInt8], _ key: borrowing SealingKey, for id: APIKeyID) {
        guard let text = key.openStored(sealed, authenticating: Self.context(id)) else {
            return nil
        }
        self.text = text
    }

    private static func context(_ id: APIKeyID) -> [UInt8] {
        Array("quorumkeep/api-secret/v1/\(id.text)".utf8)
    }

    /// HMAC-SHA256 of the message, 32 bytes.
    borrowing func authenticate(_ message: [UInt8]) -> [UInt8] {
        text.withBytes { key in
            Array(
                HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key)))
        }
    }
}
