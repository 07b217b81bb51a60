import Algebra
import Canonical

/// A request as clients of the MPC administration face sign it: docs/api/mpc-admin.md.
///
/// METHOD|PATH|NONCE|QUERY|BODY, hashed with SHA-256 twice. No part before the body has a bar, so
/// that one text is one request.
public struct KeySignedRequest: Sendable {
    /// How far a caller's clock may be off, in seconds.
    public static let windowSeconds: Int64 = 60
    public static let nonceMost = 64
    /// Of the longest signature, in DER.
    private static let signatureBytesMost = 72
    private static let timeDigits = 13

    public let key: APIPublicKey
    public let nonce: String
    private let method: String
    /// As sent, percent-encoded, without the query.
    private let path: String
    /// As sent, without the question mark; empty if there was none.
    private let query: String
    private let signature: [UInt8]

    /// Why this is no signed request.
    public enum Malformed: Error, Equatable, Sendable {
        case key
        case nonce
        case signature
        /// Path or query have a bar that is not percent-encoded.
        case target
    }

    public init(
        method: String, path: String, query: String, key: String, nonce: String, signature: String
    ) throws(Malformed) {
        guard let key = APIPublicKey(text: key) else { throw .key }
        let isPlain = nonce.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != Self.bar }
        guard isPlain, (1...Self.nonceMost).contains(nonce.utf8.count) else { throw .nonce }
        guard signature.utf8.count <= 2 * Self.signatureBytesMost,
            let bytes = Hex.decode(signature), Hex.encode(bytes) == signature
        else { throw .signature }
        guard !path.utf8.contains(Self.bar), !query.utf8.contains(Self.bar) else { throw .target }
        (self.method, self.path, self.query) = (method, path, query)
        (self.key, self.nonce, self.signature) = (key, nonce, bytes)
    }

    private static let bar = UInt8(ascii: "|")

    /// When it was sent, in Unix milliseconds, if its nonce is a time as the clients write it.
    public var sentAt: Int64? {
        nonce.utf8.count == Self.timeDigits && nonce.utf8.allSatisfy { (0x30...0x39).contains($0) }
            ? Int64(nonce) : nil
    }

    /// Whether it is of this minute, as far as its nonce tells.
    ///
    /// - Parameter now: Unix milliseconds.
    public func isTimely(at now: Int64) -> Bool {
        sentAt.map { abs(now - $0) <= 1000 * Self.windowSeconds } ?? true
    }

    /// Whether the key has signed it, in one of the forms in which clients put a request together:
    /// Go signs the decoded path and a sorted query, JavaScript a query with escapes of its own,
    /// and Python nothing in place of an empty object.
    public func isSigned(body: [UInt8]) -> Bool {
        let decoded = Escapes.decoded(path).flatMap { $0.utf8.contains(Self.bar) ? nil : $0 }
        let paths = Self.distinct([path, decoded ?? path])
        let queries = Self.distinct([query] + Escapes.spellings(of: query))
        let bodies = body == Array("{}".utf8) ? [body, []] : [body]
        return paths.contains { path in
            queries.contains { query in
                bodies.contains { body in
                    key.verifies(
                        signature,
                        of: Self.digest(
                            method: method, path: path, nonce: nonce, query: query, body: body))
                }
            }
        }
    }

    private static func distinct(_ texts: [String]) -> [String] {
        texts.enumerated().filter { texts.firstIndex(of: $0.element) == $0.offset }.map(\.element)
    }

    /// What is signed of a request.
    public static func digest(
        method: String, path: String, nonce: String, query: String, body: [UInt8]
    ) -> Digest {
        let head = Array("\(method)|\(path)|\(nonce)|\(query)|".utf8)
        return .sha256(Digest.sha256(head + body).bytes)
    }
}

/// How clients escape what stands in a URL.
public enum Escapes {
    /// Python's and Go's, which leave these as they are; JavaScript leaves five more.
    private static let plain = Set("-_.~".utf8)
    private static let scriptPlain = Set("-_.~!'()*".utf8)

    /// Nil if it is none, or no UTF-8.
    public static func decoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
                continue
            }
            guard rest.count >= 2,
                let value = Hex.decode(String(decoding: rest.prefix(2), as: UTF8.self))
            else { return nil }
            bytes += value
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The query in the other forms that it may have been signed in: as a form in its own order,
    /// sorted by name, and as JavaScript escapes it.
    fileprivate static func spellings(of query: String) -> [String] {
        let pairs = query.split(separator: "&").map { pair -> (String, String)? in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decoded(parts[0], plusIsSpace: true),
                let value = decoded(parts.count == 2 ? parts[1] : "", plusIsSpace: true)
            else { return nil }
            return (name, value)
        }
        let known = pairs.compactMap(\.self)
        guard known.count == pairs.count else { return [] }
        let sorted = known.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
        return [encoded(known, plain), encoded(sorted, plain), encoded(known, scriptPlain)]
    }

    private static func encoded(_ pairs: [(String, String)], _ plain: Set<UInt8>) -> String {
        pairs.map { "\(encoded($0.0, plain))=\(encoded($0.1, plain))" }.joined(separator: "&")
    }

    private static func encoded(_ text: String, _ plain: Set<UInt8>) -> String {
        text.utf8.map { byte in
            switch byte {
            case 0x20: "+"
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: String(UnicodeScalar(byte))
            case _ where plain.contains(byte): String(UnicodeScalar(byte))
            default: "%" + Hex.encode([byte]).uppercased()
            }
        }.joined()
    }
}
