import Algebra
import Foundation
import Identity
import Testing

/// The API's pages.
enum DocumentedPage {
    static func text(_ name: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "docs/api/\(name)"), encoding: .utf8)
    }
}

/// Whoever writes a client holds it to these.
@Suite struct `The signatures that the API's pages show` {
    /// What stands behind a name at the beginning of a line.
    private static func value(_ name: String, in page: String) throws -> String {
        let line = try #require(page.split(separator: "\n").first { $0.hasPrefix(name) })
        return String(line.dropFirst(name.count))
    }

    @Test func `of a request`() throws {
        let page = try DocumentedPage.text("authentication.md")
        let secret = try #require(
            page.firstMatch(of: #/`(qk_test_secret_[0-9a-f]{64})`/#)
        ).1
        let body = try #require(page.firstMatch(of: #/bytes `(\{.*\})` as its body/#)).1
        let signature = SignedRequest.sign(
            method: "POST", target: "/v1/vaults", body: Array(body.utf8),
            timestamp: try #require(Int64(try Self.value("X-Timestamp: ", in: page))),
            nonce: try Self.value("X-Nonce: ", in: page), secret: String(secret))
        #expect(try signature == Self.value("X-Signature: ", in: page))
    }

    @Test func `of a delivery`() throws {
        let page = try DocumentedPage.text("webhooks.md")
        let text = try Self.value("$ signing_secret=", in: page)
        guard let secret = WebhookSecret(base64: text) else {
            Issue.record("\(text) is no secret")
            return
        }
        let body = Array((try "{\"id\":\"7a3f" + Self.value("{\"id\":\"7a3f", in: page)).utf8)
        let signature = try Self.value("X-Webhook-Signature: ", in: page)
        let standard = secret.standardSignature(
            id: try Self.value("webhook-id: ", in: page),
            timestamp: try #require(Int64(try Self.value("webhook-timestamp: ", in: page))),
            body: body)
        #expect(secret.signature(of: body) == signature)
        #expect(try standard == Self.value("webhook-signature: ", in: page))
    }
}
