import Algebra
import Canonical
import Custody
import HTTPTypes
import HummingbirdTesting
import Identity
import Intents
import TestKit
import Testing

@testable import Gateway

@Suite struct `A caller of the MPC administration face` {
    private let target = "/v2/organizations/info"

    @Test func `signs as the vendor's client does`() throws {
        // Printed by cobo-waas2 1.46 under the key of 32 times 0x11.
        let request = try KeySignedRequest(
            method: "GET", path: "/v2/wallets/mpc/vaults",
            query: "vault_type=Org-Controlled&limit=10",
            key: "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737",
            nonce: "1795219370468",
            signature: "82d8e27fc7f05677bec8b1076f0ae565bc2caf894944a78502658588e98631e7"
                + "1359caf247b28f970af29998889925d5309c4732ed9b797c45552668a4d1880e")
        #expect(request.isSigned(body: []))
        #expect(!request.isSigned(body: [0x20]))
        #expect(request.sentAt == 1_795_219_370_468)
    }

    @Test(arguments: [AdminKey.ed25519(0x11), .secp256k1(0x12)])
    func `is found out by its signature`(key: AdminKey) async throws {
        let face = try await Face()
        try await face.admit(key)
        var parts = Face.AdminParts()
        parts.key = key
        let answer = try await face.admin("GET", target, parts)
        #expect(answer.status == 200)
        #expect(answer.json["org_id"]?.string == face.caller.tenant.text)
        let info = try await face.admin("GET", "/v2/developers/api_key_info", parts)
        #expect(info.json["key"]?.string == key.publicKey)
    }

    @Test(arguments: [
        // Go: the decoded path, and the query sorted by name.
        ("/v2/wallets/tokens/S%45TH", "/v2/wallets/tokens/SETH", "", ""),
        (
            "/v2/wallets/tokens?token_ids=SETH%2CX&limit=3", "/v2/wallets/tokens",
            "limit=3&token_ids=SETH%2CX", ""
        ),
        // JavaScript: escapes of its own.
        (
            "/v2/wallets/tokens?token_ids=SETH%2CX%21&limit=3", "/v2/wallets/tokens",
            "token_ids=SETH%2CX!&limit=3", ""
        ),
        // Python: a form, whatever is sent.
        (
            "/v2/wallets/tokens?token_ids=SETH,X&limit=3", "/v2/wallets/tokens",
            "token_ids=SETH%2CX&limit=3", ""
        ),
        // And nothing in place of an empty object.
        ("/v2/wallets/tokens/SETH", "/v2/wallets/tokens/SETH", "", "{}"),
    ])
    func `may put the request together as each of the clients does`(
        target: String, path: String, query: String, body: String
    ) async throws {
        let face = try await Face()
        try await face.admit()
        var parts = Face.AdminParts(body)
        (parts.signedPath, parts.signedQuery, parts.signedBody) = (path, query, [])
        let answer = try await face.admin("GET", target, parts)
        #expect(answer.status == 200, "\(answer.json)")
    }

    @Test func `is refused with what was tampered with`() async throws {
        let face = try await Face()
        try await face.admit()
        var parts = Face.AdminParts(#"{"name":"A","vault_type":"Org-Controlled"}"#)
        parts.signedBody = Array(#"{"name":"B","vault_type":"Org-Controlled"}"#.utf8)
        #expect(try await face.admin("POST", "/v2/wallets/mpc/vaults", parts).errorCode == 2023)
        parts = Face.AdminParts()
        parts.signedQuery = "limit=2"
        let other = try await face.admin("GET", "/v2/wallets/tokens?limit=1", parts)
        #expect(other.status == 401 && other.errorCode == 2023)
        parts = Face.AdminParts()
        parts.signedPath = "/v2/wallets/chains"
        #expect(try await face.admin("GET", "/v2/wallets/tokens", parts).errorCode == 2023)
        parts = Face.AdminParts()
        parts.tamper = { $0[.publicKeyNonce] = String(Int64($0[.publicKeyNonce]!)! + 1) }
        #expect(try await face.admin("GET", target, parts).errorCode == 2023)
        // Somebody else's key, and one that is none.
        parts.tamper = { $0[.publicKey] = AdminKey.ed25519(0x22).publicKey }
        #expect(try await face.admin("GET", target, parts).errorCode == 2023)
        parts.tamper = { $0[.publicKey] = String(repeating: "f", count: 64) }
        #expect(try await face.admin("GET", target, parts).errorCode == 2024)
    }

    @Test(arguments: ["BIZ-API-KEY", "BIZ-API-NONCE", "BIZ-API-SIGNATURE"])
    func `is refused without a header`(name: String) async throws {
        let face = try await Face()
        try await face.admit()
        var parts = Face.AdminParts()
        parts.tamper = { $0[HTTPField.Name(name)!] = nil }
        let answer = try await face.admin("GET", target, parts)
        #expect(answer.status == 401 && answer.errorCode == 2022)
    }

    @Test func `is refused with a key that is unknown, expired or revoked`() async throws {
        let face = try await Face()
        #expect(try await face.admin("GET", target).errorCode == 2024)
        let key = try await face.admit(expiresAt: face.test.now.adding(seconds: 100))
        #expect(try await face.admin("GET", target).status == 200)
        face.test.pass(seconds: 100)
        let expired = try await face.admin("GET", target)
        #expect(expired.status == 401 && expired.errorCode == 2024)

        let second = AdminKey.secp256k1(0x21)
        let other = try await face.admit(second)
        var parts = Face.AdminParts()
        parts.key = second
        #expect(try await face.admin("GET", target, parts).status == 200)
        _ = try await face.test.custody.write { try $0.revokePublicAPIKey(other.id) }
        #expect(try await face.admin("GET", target, parts).errorCode == 2024)
        // A public key is one key's for ever.
        await #expect(throws: Refusal.self) { try await face.admit(second) }
        #expect(key.status(at: face.test.now) == .expired)
    }

    @Test func `cannot do what its key has no permission for`() async throws {
        let face = try await Face()
        try await face.admit(.ed25519(0x11), [.keyVaultRead])
        let list = "/v2/wallets/mpc/vaults?vault_type=Org-Controlled"
        #expect(try await face.admin("GET", list).status == 200)
        let refused = try await face.admin(
            "POST", "/v2/wallets/mpc/vaults", #"{"name":"A","vault_type":"Org-Controlled"}"#)
        #expect(refused.status == 403 && refused.errorCode == 2025)
        // What everybody may.
        #expect(try await face.admin("GET", "/v2/wallets/chains").status == 200)
    }

    @Test func `cannot be repeated`() async throws {
        let face = try await Face()
        try await face.admit()
        for nonce in [String(face.test.now.milliseconds), "a-word-of-its-own"] {
            var parts = Face.AdminParts(#"{"name":"A","vault_type":"Org-Controlled"}"#)
            parts.nonce = nonce
            #expect(try await face.admin("POST", "/v2/wallets/mpc/vaults", parts).status == 201)
            let again = try await face.admin("POST", "/v2/wallets/mpc/vaults", parts)
            #expect(again.status == 401 && again.errorCode == 2024)
            // Nor with another request.
            parts = Face.AdminParts(#"{"name":"C","vault_type":"Org-Controlled"}"#)
            parts.nonce = nonce
            #expect(try await face.admin("POST", "/v2/wallets/mpc/vaults", parts).status == 401)
        }
        // One that was refused is not carried out later.
        var parts = Face.AdminParts(#"{"name":""}"#)
        parts.nonce = "another"
        #expect(try await face.admin("POST", "/v2/wallets/mpc/projects", parts).status == 400)
        #expect(try await face.admin("POST", "/v2/wallets/mpc/projects", parts).status == 401)
        // A nonce that is no time would be as good in a year.
        parts = Face.AdminParts()
        parts.nonce = "a-third"
        #expect(try await face.admin("GET", target, parts).status == 200)
        face.test.pass(seconds: 365 * 86_400)
        let now = face.test.now
        try await face.test.custody.write {
            try $0.store.purge(answersBefore: now, signaturesBefore: now)
        }
        #expect(try await face.admin("GET", target, parts).status == 401)
        let vaults = try await face.admin("GET", "/v2/wallets/mpc/vaults?vault_type=Org-Controlled")
        // The tenant's first, and one for each nonce.
        #expect(vaults.data.count == 3)
    }

    @Test func `has so many nonces that are no times, and no more`() async throws {
        let face = try await Face()
        let key = try await face.admit()
        let other = AdminKey.ed25519(0x13)
        try await face.admit(other)
        func call(_ method: String, _ nonce: String?, _ key: AdminKey) async throws -> Face.Answer {
            let isChange = method == "POST"
            var parts = Face.AdminParts(
                isChange ? #"{"name":"A","participants":2,"threshold":2}"# : "")
            parts.key = key
            parts.nonce = nonce
            return try await face.admin(
                method, isChange ? "/v2/wallets/mpc/projects" : target, parts)
        }
        let mine = AdminKey.ed25519(0x11)
        #expect(try await call("POST", "a-word", mine).status == 201)
        try await face.test.custody.write { books in
            for _ in 2..<PublicAPIKey.wordsMost { _ = try books.store.countWord(of: key.id) }
        }
        #expect(try await call("GET", "the-last", mine).status == 200)
        for method in ["GET", "POST"] {
            let refused = try await call(method, "one-more", mine)
            #expect(refused.status == 401 && refused.errorCode == 2024)
            #expect(
                String(decoding: refused.bytes, as: UTF8.self).contains("Unix time in milliseconds")
            )
            // What was used before is still known for that.
            let again = try await call(method, "the-last", mine)
            #expect(
                again.status == 401
                    && String(decoding: again.bytes, as: UTF8.self).contains("used before"))
        }
        #expect(try await call("POST", nil, mine).status == 201)
        #expect(try await call("GET", nil, mine).status == 200)
        #expect(try await call("POST", "one-more", other).status == 201)
        let made = try await face.admin("GET", "/v2/wallets/mpc/projects")
        #expect(made.data.count == 3)
    }

    @Test func `whose clock is wrong is told so`() async throws {
        let face = try await Face()
        try await face.admit()
        for offset: Int64 in [-61_000, 62_000] {
            var parts = Face.AdminParts()
            parts.nonce = String(face.test.now.milliseconds + offset)
            let answer = try await face.admin("GET", target, parts)
            #expect(answer.status == 401 && answer.errorCode == 2024)
        }
    }

    @Test(arguments: ["", "a b", "a|b", String(repeating: "n", count: 65)])
    func `cannot use such a nonce`(nonce: String) async throws {
        let face = try await Face()
        try await face.admit()
        var parts = Face.AdminParts()
        parts.nonce = nonce
        #expect(try await face.admin("GET", target, parts).status == 401)
    }

    @Test func `cannot change a signature into another one`() async throws {
        let face = try await Face()
        let key = AdminKey.secp256k1(0x12)
        try await face.admit(key)
        var parts = Face.AdminParts()
        parts.key = key
        parts.isHigh = true
        #expect(try await face.admin("GET", target, parts).errorCode == 2023)
        parts.isHigh = false
        parts.tamper = { $0[.publicKeySignature]! += "00" }
        #expect(try await face.admin("GET", target, parts).errorCode == 2023)
        parts.tamper = { $0[.publicKeySignature] = $0[.publicKeySignature]!.uppercased() }
        #expect(try await face.admin("GET", target, parts).errorCode == 2023)
        parts.tamper = { $0[.publicKeySignature] = String(repeating: "ab", count: 4000) }
        #expect(try await face.admin("GET", target, parts).errorCode == 2023)
    }

    @Test func `is refused from an address that its key is not for`() async throws {
        let face = try await Face(.live)
        try await face.admit(.ed25519(0x11), cidrs: ["192.0.2.0/24"])
        let refused = try await face.admin("GET", target)
        #expect(refused.status == 401 && refused.errorCode == 2024)
        let tenant = face.caller.tenant
        let audit = try await face.test.custody.read {
            try $0.store.audit(
                of: tenant, matching: AuditFilter(vault: nil, from: nil, to: nil), PageRequest())
        }
        #expect(audit.items.first?.action == "AddressNotAllowed")
        #expect(audit.items.first?.actor == AdminKey.ed25519(0x11).publicKey)

        let second = AdminKey.ed25519(0x22)
        try await face.admit(second, cidrs: ["127.0.0.0/8", "::1/128"])
        var parts = Face.AdminParts()
        parts.key = second
        #expect(try await face.admin("GET", target, parts).status == 200)
    }

    @Test func `that fails too often is slowed down`() async throws {
        var settings = GatewaySettings()
        settings.failureLimit = RateLimit(perMinute: 1, burst: 3)
        let face = try await Face(.router, settings)
        var statuses: [Int] = []
        for _ in 0..<5 { statuses.append(try await face.admin("GET", target).status) }
        #expect(statuses == [401, 401, 401, 429, 429])
    }

    @Test func `is told in its own form what is not there`() async throws {
        let face = try await Face()
        try await face.admit()
        let nowhere = try await face.admin("GET", "/v2/nowhere")
        #expect(nowhere.status == 404 && nowhere.errorCode == 2021)
        let method = try await face.admin("DELETE", "/v2/wallets/chains")
        #expect(method.status == 405 && method.errorCode == 2002)
        let unsupported = try await face.admin("GET", "/v2/transactions/templates?template_key=a")
        #expect(unsupported.status == 405 && unsupported.errorCode == 2002)
        #expect(unsupported.json["error_id"]?.string == unsupported.headers[.requestID])
        let query = try await face.admin("GET", "/v2/wallets/chains?nonsense=1")
        #expect(query.status == 400 && query.errorCode == 2006)
        var parts = Face.AdminParts(#"{"name":"A"}"#)
        parts.extra = [:]
        parts.tamper = { $0[.contentType] = "text/plain" }
        #expect(
            try await face.admin("POST", "/v2/wallets/mpc/projects", parts).errorCode == 2006)
        let large = String(repeating: " ", count: GatewayContext.bodyBytesMost + 1)
        let tooLarge = try await face.admin("POST", "/v2/wallets/mpc/projects", large)
        #expect(tooLarge.status == 413 && tooLarge.errorCode == 2006)
    }
}
