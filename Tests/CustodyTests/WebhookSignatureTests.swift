import Identity
import TestKit
import Testing

@Suite struct `Signatures of webhooks` {
    @Test func `are those of Standard Webhooks`() throws {
        let vectors = try Vectors.json("signatures/standard_webhooks.json")
        var checked = 0
        for vector in vectors["generated"].items {
            // Ours have 32 bytes, which the standard recommends; it takes 24 to 64.
            let text = String(vector["secret"].text.dropFirst("whsec_".count))
            guard let secret = WebhookSecret(base64: text) else { continue }
            let signature = secret.standardSignature(
                id: vector["id"].text, timestamp: Int64(vector["timestamp"].integer ?? 0),
                body: Array(vector["body"].text.utf8))
            #expect(signature == vector["signature"].text)
            checked += 1
        }
        #expect(checked == 4)
    }
}
