import Algebra
import Canonical

/// A request as its caller signed it: docs/api/authentication.md.
///
/// canonical = timestamp \n METHOD \n path \n hex SHA-256 of the body [\n nonce], signed with
/// HMAC-SHA256 under the UTF-8 bytes of the secret.
public struct SignedRequest: Sendable {
    /// How far a caller's clock may be off, in seconds.
    public static let windowSeconds: Int64 = 30
    public static let nonceMost = 64

    public let method: String
    /// As sent, percent-encoded, with its leading slash, without the query.
    public let path: String
    /// As sent, without the question mark; nil if there was none.
    public let query: String?
    public let timestamp: Int64
    public let nonce: String?
    public let signature: [UInt8]
    private let timestampText: String

    /// Why the headers are no signature.
    public enum Malformed: Error, Equatable, Sendable {
        case timestamp
        case nonce
        case signature
    }

    public init(
        method: String, path: String, query: String?, timestamp: String, nonce: String?,
        signature: String
    ) throws(Malformed) {
        guard let seconds = Int64(timestamp), String(seconds) == timestamp else { throw .timestamp }
        if let nonce {
            let isPlain = nonce.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
            guard isPlain, (1...Self.nonceMost).contains(nonce.utf8.count) else { throw .nonce }
        }
        guard signature.utf8.count == 64, let bytes = Hex.decode(signature),
            Hex.encode(bytes) == signature
        else { throw .signature }
        self.method = method
        self.path = path
        self.query = query
        self.timestamp = seconds
        timestampText = timestamp
        self.nonce = nonce
        self.signature = bytes
    }

    /// Whether the timestamp is within the window around `now`, Unix seconds.
    public func isTimely(at now: Int64) -> Bool {
        let (difference, overflow) = now.subtractingReportingOverflow(timestamp)
        return !overflow && difference.magnitude <= Self.windowSeconds.magnitude
    }

    /// Whether the signature is one secret's or the other's, over the path with or without the
    /// query. Takes the same time for every wrong signature.
    public func isSigned(
        with secret: borrowing APISecret, or other: borrowing APISecret, body: [UInt8]
    ) -> Bool {
        let bodyHash = Digest.sha256(body).hex
        let plain = canonical(path, bodyHash)
        let full = query.map { canonical("\(path)?\($0)", bodyHash) }
        return matches(secret, plain, full) || matches(other, plain, full)
    }

    private func matches(
        _ secret: borrowing APISecret, _ plain: [UInt8], _ full: [UInt8]?
    ) -> Bool {
        let matchesPlain = constantTimeEqual(secret.authenticate(plain), signature)
        guard let full else { return matchesPlain }
        let matchesFull = constantTimeEqual(secret.authenticate(full), signature)
        return matchesPlain || matchesFull
    }

    private func canonical(_ target: String, _ bodyHash: String) -> [UInt8] {
        var lines = [timestampText, method, target, bodyHash]
        if let nonce { lines.append(nonce) }
        return Array(lines.joined(separator: "\n").utf8)
    }

    /// Signs a request as our own clients do: over path and query, with a nonce.
    public static func sign(
        method: String, target: String, body: [UInt8], timestamp: Int64, nonce: String,
        secret: String
    ) -> String {
        let lines = [String(timestamp), method, target, Digest.sha256(body).hex, nonce]
        let key = APISecret(text: SecretBytes(copying: Array(secret.utf8)))
        return Hex.encode(key.authenticate(Array(lines.joined(separator: "\n").utf8)))
    }
}
