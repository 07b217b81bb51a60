import Algebra
import AsyncHTTPClient
import Canonical
import Foundation
import Gateway
import Identity
import NIOCore
import NIOHTTP1

/// A tenant's back end: calls the custody API as any integrator would, over HTTP with signed
/// requests.
public struct APIClient: Sendable {
    private static let answerBytesMost = 1024 * 1024

    /// The API has answered, and it is no success.
    public struct Refused: Error, CustomStringConvertible {
        public let status: Int
        public let description: String
    }

    /// Where the API is, with its version: `https://custody.example/v1`.
    public let url: String
    public let keyID: String
    private let secret: String
    private let http: HTTPClient

    /// - Parameter http: whom it speaks through, and so which authorities it trusts.
    public init(url: String, keyID: String, secret: String, http: HTTPClient = .shared) {
        self.http = http
        self.url = url
        self.keyID = keyID
        self.secret = secret
    }

    /// Sends a signed request; an answer that is no success is thrown with its sentence.
    public func call(
        _ method: String, _ path: String, _ body: JSONValue? = nil, idempotencyKey: String? = nil
    ) async throws -> JSONValue {
        guard let base = URL(string: url) else { throw URLError(.badURL) }
        let target = base.path + path
        let bytes = body?.bytes ?? []
        var random = SystemRandom()
        let nonce = Hex.encode(random.bytes(12))
        let now = Int64(Date().timeIntervalSince1970)
        var request = HTTPClientRequest(url: url + path)
        request.method = HTTPMethod(rawValue: method)
        request.headers.add(name: "X-API-Key", value: keyID)
        request.headers.add(name: "X-Timestamp", value: String(now))
        request.headers.add(name: "X-Nonce", value: nonce)
        request.headers.add(
            name: "X-Signature",
            value: SignedRequest.sign(
                method: method, target: target, body: bytes, timestamp: now, nonce: nonce,
                secret: secret))
        if let idempotencyKey {
            request.headers.add(name: "Idempotency-Key", value: idempotencyKey)
        }
        if body != nil {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: bytes))
        }
        let response = try await http.execute(request, timeout: .seconds(15))
        let answer = Array(
            try await response.body.collect(upTo: Self.answerBytesMost).readableBytesView)
        let value = answer.isEmpty ? .null : try JSONParser.parse(answer)
        guard (200..<300).contains(response.status.code) else {
            throw Refused(
                status: Int(response.status.code),
                description: "\(method) \(path): \(response.status.code) "
                    + (value["message"]?.text ?? "no message"))
        }
        return value
    }
}

extension JSONValue {
    /// The text of a string, or nothing.
    public var text: String {
        guard case .string(let text) = self else { return "" }
        return text
    }

    public var items: [JSONValue] {
        guard case .array(let items) = self else { return [] }
        return items
    }
}
