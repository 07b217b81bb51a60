import Algebra
import Canonical
import Crypto
import Foundation

/// The secret that a tenant's webhook deliveries are signed with: 32 random bytes, shown in base64.
public struct WebhookSecret: ~Copyable, Sendable {
    public static let byteCount = 32
    private let bytes: SecretBytes

    public init(random: inout some RandomSource) {
        bytes = SecretBytes(count: Self.byteCount, from: &random)
    }

    public borrowing func dangerouslyReveal() -> String {
        bytes.withBytes { Data($0).base64EncodedString() }
    }

    public borrowing func sealed(_ key: borrowing SealingKey, for tenant: String) -> [UInt8] {
        key.sealForStorage(bytes, authenticating: Self.context(tenant))
    }

    public init?(sealed: [UInt8], _ key: borrowing SealingKey, for tenant: String) {
        guard let bytes = key.openStored(sealed, authenticating: Self.context(tenant)) else {
            return nil
        }
        self.bytes = bytes
    }

    /// The secret that the base64 text spells, as a receiver holds it.
    public init?(base64 text: String) {
        guard let data = Data(base64Encoded: text), data.count == Self.byteCount else { return nil }
        bytes = SecretBytes(copying: Array(data))
    }

    private static func context(_ tenant: String) -> [UInt8] {
        Array("quorumkeep/webhook-secret/v1/\(tenant)".utf8)
    }

    private borrowing func authenticate(_ message: [UInt8]) -> Data {
        bytes.withBytes { key in
            Data(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key)))
        }
    }

    /// `X-Webhook-Signature`: lower-case hex HMAC-SHA256 of the raw body.
    public borrowing func signature(of body: [UInt8]) -> String { Hex.encode(authenticate(body)) }

    /// `webhook-signature` of Standard Webhooks: `v1,` and base64 of the HMAC over
    /// id.timestamp.body.
    public borrowing func standardSignature(id: String, timestamp: Int64, body: [UInt8]) -> String {
        let signed = Array("\(id).\(timestamp).".utf8) + body
        return "v1," + authenticate(signed).base64EncodedString()
    }
}
