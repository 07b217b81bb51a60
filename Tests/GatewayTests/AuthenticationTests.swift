import Algebra
import Canonical
import Chains
import Custody
import HTTPTypes
import TestKit
import Testing

@testable import Gateway
@testable import Identity

@Suite struct `Who is asking` {
    @Test func `a signed request is answered, over the path with or without its query`()
        async throws
    {
        let face = try await Face()
        #expect(try await face.send("GET", "/v1/vaults?limit=5").status == 200)
        let now = face.test.now.seconds
        // As the documented system signs: without query, without nonce.
        let canonical = "\(now)\nGET\n/v1/vaults\n\(Digest.sha256([]).hex)"
        let secret = APISecret(text: .init(copying: Array(face.caller.secret.utf8)))
        let headers: HTTPFields = [
            .apiKey: face.caller.id, .timestamp: String(now),
            .signature: Hex.encode(secret.authenticate(Array(canonical.utf8))),
        ]
        #expect(try await face.raw("GET", "/v1/vaults?limit=5", headers, []).status == 200)
    }

    @Test func `whatever is wrong with the credentials is a 401 that says what`() async throws {
        let face = try await Face()
        let rows: [(String, @Sendable (inout HTTPFields) -> Void)] = [
            ("missing_credentials", { $0[.apiKey] = nil }),
            ("missing_credentials", { $0[.timestamp] = nil }),
            ("missing_credentials", { $0[.signature] = nil }),
            ("malformed_credentials", { $0[.timestamp] = "soon" }),
            ("malformed_credentials", { $0[.timestamp] = "99999999999999999999" }),
            ("malformed_credentials", { $0[.timestamp]! = "+" + $0[.timestamp]! }),
            ("malformed_credentials", { $0[.signature] = "00" }),
            ("malformed_credentials", { $0[.signature] = $0[.signature]!.uppercased() + "Z" }),
            ("malformed_credentials", { $0[.nonce] = String(repeating: "n", count: 65) }),
            ("invalid_credentials", { $0[.nonce] = "another" }),
            ("invalid_credentials", { $0[.nonce] = nil }),
            ("invalid_credentials", { $0[.apiKey] = "qk_test_unknown" }),
            ("invalid_credentials", { $0[.apiKey]! += "0" }),
            ("invalid_credentials", { $0[.apiKey] = String(repeating: "k", count: 5000) }),
            ("invalid_credentials", { $0[.signature] = String(repeating: "0", count: 64) }),
            ("invalid_credentials", { $0[.timestamp] = String(Int64.min) }),
            ("invalid_credentials", { $0[.timestamp] = String(Int64.max) }),
        ]
        for (code, tamper) in rows {
            var parts = Face.Parts()
            parts.tamper = tamper
            let answer = try await face.send("GET", "/v1/vaults", parts)
            #expect(answer.status == 401, "\(code)")
            #expect(answer.code == code)
        }
        // Signed for another body, method, path.
        var parts = Face.Parts(#"{"externalId":"a","name":"a"}"#)
        parts.nonce = "same"
        let now = face.test.now.seconds
        for (method, target, body) in [
            ("POST", "/v1/vaults", "{}"), ("PUT", "/v1/vaults", ""), ("POST", "/v1/vault", ""),
        ] {
            let signature = SignedRequest.sign(
                method: method, target: target, body: Array(body.utf8), timestamp: now,
                nonce: "same", secret: face.caller.secret)
            parts.tamper = { $0[.signature] = signature }
            #expect(try await face.send("POST", "/v1/vaults", parts).code == "invalid_credentials")
        }
        #expect(try await face.send("GET", "/v1/vaults").json["items"]?.array.isEmpty == true)
    }

    @Test(arguments: [(-31, 401), (-30, 200), (30, 200), (31, 401), (Int64.min, 401)])
    func `the clock may be off by 30 s`(_ off: Int64, _ status: Int) async throws {
        let face = try await Face()
        var parts = Face.Parts()
        parts.secondsOff = off
        let answer = try await face.send("GET", "/v1/vaults", parts)
        #expect(answer.status == status)
        if status == 401 { #expect(answer.code == "clock") }
    }

    @Test func `a key of the other environment, and a revoked one, are unknown`() async throws {
        let face = try await Face()
        var parts = Face.Parts()
        parts.tamper = { $0[.apiKey]! = $0[.apiKey]!.replacing("qk_test_", with: "qk_live_") }
        #expect(try await face.send("GET", "/v1/vaults", parts).code == "invalid_credentials")
        let id = try #require(APIKeyID(text: face.caller.id))
        try await face.test.custody.write { try $0.revokeAPIKey(id, of: face.caller.tenant) }
        #expect(try await face.send("GET", "/v1/vaults").code == "invalid_credentials")
        #expect(
            try await face.post("/v1/vaults", "{}", as: face.other).status == 400, "others go on")
    }

    @Test func `what was sent once is not carried out twice`() async throws {
        let face = try await Face()
        var parts = Face.Parts(#"{"externalId":"a","name":"a"}"#)
        parts.nonce = "once"
        #expect(try await face.send("POST", "/v1/vaults", parts).status == 201)
        let again = try await face.send("POST", "/v1/vaults", parts)
        #expect(again.status == 401)
        #expect(again.code == "replayed")
        // Reading twice harms nobody.
        var reading = Face.Parts()
        reading.nonce = "read"
        #expect(try await face.send("GET", "/v1/vaults", reading).status == 200)
        #expect(try await face.send("GET", "/v1/vaults", reading).status == 200)
    }

    @Test func `what was refused once cannot be replayed into success`() async throws {
        let face = try await Face()
        let wallet = try await face.wallet("a")
        let to = try await face.wallet("b")
        let (from, destination) = (wallet["id"]?.string ?? "", to["id"]?.string ?? "")
        var parts = Face.Parts(
            #"{"sourceWalletId":"\#(from)","destinationWalletId":"\#(destination)","amount":"1"}"#)
        parts.nonce = "poor"
        let poor = try await face.send("POST", "/v1/transactions/transfer", parts)
        #expect(poor.status == 400)
        #expect(poor.fields == ["amount"])
        var chain = TestChain()
        let address = wallet["depositAddress"]?.string ?? ""
        try await face.test.apply(chain.block())
        let ether = Amount(baseUnits: "5000000000000000000")!
        try await face.test.apply(chain.block([chain.deposit(ether, to: address)]))
        for _ in 0..<2 { try await face.test.apply(chain.block()) }
        let later = try await face.send("POST", "/v1/transactions/transfer", parts)
        #expect(later.code == "replayed")
        parts.nonce = "anew"
        #expect(try await face.send("POST", "/v1/transactions/transfer", parts).status == 201)
    }

    @Test func `what was refused for its headers cannot be sent again with others`() async throws {
        let face = try await Face()
        var parts = Face.Parts(#"{"externalId":"a","name":"a"}"#)
        parts.nonce = "headers"
        parts.contentType = "text/plain"
        #expect(try await face.send("POST", "/v1/vaults", parts).status == 415)
        parts.contentType = "application/json"
        #expect(try await face.send("POST", "/v1/vaults", parts).code == "replayed")
    }

    @Test func `a missing scope is a 403 on every endpoint that needs it`() async throws {
        let face = try await Face()
        let id = "00000000-0000-4000-8000-000000000000"
        let rows: [(String, String, Scope)] = [
            ("POST", "/v1/vaults", .vaultsWrite), ("GET", "/v1/vaults", .vaultsRead),
            ("GET", "/v1/vaults/\(id)", .vaultsRead),
            ("POST", "/v1/vaults/\(id)/wallets", .walletsCreate),
            ("GET", "/v1/vaults/\(id)/wallets", .walletsRead),
            ("GET", "/v1/wallets/\(id)", .walletsRead), ("GET", "/v1/assets", .assetsRead),
            ("POST", "/v1/transactions/transfer", .transactionsTransfer),
            ("POST", "/v1/transactions/withdraw", .transactionsWithdraw),
            ("GET", "/v1/transactions", .transactionsRead),
            ("GET", "/v1/transactions/\(id)", .transactionsRead),
            ("POST", "/v1/address-book", .addressBookWrite),
            ("GET", "/v1/address-book", .addressBookRead),
            ("GET", "/v1/address-book/\(id)", .addressBookRead),
            ("PATCH", "/v1/address-book/\(id)", .addressBookWrite),
            ("DELETE", "/v1/address-book/\(id)", .addressBookWrite),
            ("PUT", "/v1/webhooks/outbound", .webhooksManage),
            ("GET", "/v1/webhooks/outbound", .webhooksManage),
            ("DELETE", "/v1/webhooks/outbound", .webhooksManage),
            ("POST", "/v1/keys", .keysManage), ("GET", "/v1/keys", .keysManage),
            ("GET", "/v1/keys/\(id)", .keysManage), ("DELETE", "/v1/keys/\(id)", .keysManage),
            ("POST", "/v1/keys/\(id)/rotation", .keysManage), ("GET", "/v1/usage", .usageRead),
            ("GET", "/v1/audit", .auditRead),
            ("POST", "/v1/webhooks/outbound/secret-rotation", .webhooksManage),
            ("POST", "/v1/webhooks/test-event", .webhooksManage),
            ("GET", "/v1/webhooks/events", .webhooksManage),
            ("GET", "/v1/webhooks/events/\(id)", .webhooksManage),
            ("POST", "/v1/webhooks/events/\(id)/redelivery", .webhooksManage),
        ]
        for (method, target, scope) in rows {
            var parts = Face.Parts(method == "GET" || method == "DELETE" ? "" : "{}")
            let all = Set(Scope.allCases)
            parts.caller = try await Face.makeCaller(
                face.test, face.caller.tenant, scopes: all.subtracting([scope]))
            let without = try await face.send(method, target, parts)
            #expect(without.status == 403, "\(method) \(target)")
            parts.caller = try await Face.makeCaller(face.test, face.caller.tenant, scopes: [scope])
            let with = try await face.send(method, target, parts)
            #expect(with.status != 403 && with.status != 401, "\(method) \(target)")
            #expect(with.status != 500, "\(method) \(target)")
        }
    }

    @Test func `failed attempts of an address are limited`() async throws {
        let face = try await Face()
        var parts = Face.Parts()
        parts.tamper = { $0[.signature] = String(repeating: "0", count: 64) }
        var limited: Face.Answer?
        for _ in 0..<300 where limited == nil {
            let answer = try await face.send("GET", "/v1/vaults", parts)
            if answer.status == 429 { limited = answer }
        }
        #expect(limited?.code == "rate_limited")
        #expect(Int(limited?.headers[.retryAfter] ?? "") ?? 0 > 0)
        #expect(try await face.send("GET", "/v1/vaults").status == 200, "honest calls go on")
    }
}
