import Canonical
import Chains
import Custody
import Foundation
import HTTPTypes
import HummingbirdTesting
import Identity
import TestKit
import Testing

@testable import Gateway

@Suite struct `API keys` {
    /// Makes a key over HTTP.
    private func make(
        _ face: Face, _ members: String, as caller: Face.Caller? = nil
    ) async throws -> (answer: Face.Answer, caller: Face.Caller) {
        let answer = try await face.post("/v1/keys", "{\(members)}", as: caller)
        return (
            answer,
            Face.Caller(
                id: answer.json["id"]?.string ?? "none",
                secret: answer.json["secret"]?.string ?? "none", tenant: face.caller.tenant)
        )
    }

    private func status(_ face: Face, _ caller: Face.Caller) async throws -> Int {
        var parts = Face.Parts()
        parts.caller = caller
        return try await face.send("GET", "/v1/vaults", parts).status
    }

    private func rotate(
        _ face: Face, _ caller: Face.Caller, _ seconds: Int
    ) async throws -> Face.Caller {
        let answer = try await face.post(
            "/v1/keys/\(caller.id)/rotation", #"{"overlapSeconds":\#(seconds)}"#)
        #expect(answer.status == 201)
        return Face.Caller(
            id: caller.id, secret: answer.json["secret"]?.string ?? "", tenant: caller.tenant)
    }

    @Test func `live from their making to their end, whose secret is seen once`() async throws {
        let face = try await Face()
        var parts = Face.Parts(#"{"name":"shop","scopes":["vaults:read","vaults:write"]}"#)
        parts.idempotencyKey = "make"
        let made = try await face.send("POST", "/v1/keys", parts)
        #expect(made.status == 201)
        let shop = Face.Caller(
            id: made.json["id"]?.string ?? "", secret: made.json["secret"]?.string ?? "",
            tenant: face.caller.tenant)
        // A line that broke: the same answer, the secret included.
        #expect(try await face.send("POST", "/v1/keys", parts).bytes == made.bytes)
        #expect(try await status(face, shop) == 200)
        try await face.meter.flush(to: face.test.custody)
        let shown = try await face.send("GET", "/v1/keys/\(shop.id)")
        #expect(shown.json["secret"] == .null)
        #expect(shown.json["status"]?.string == "Active")
        #expect(shown.json["lastUsedAt"]?.string == face.test.now.text)
        let list = try await face.send("GET", "/v1/keys")
        #expect(list.json["items"]?.array.first == shown.json)
        for name in ["platform.sqlite", "platform.sqlite-wal"] {
            let bytes = try Data(contentsOf: face.test.directory.appending(path: name))
            #expect(bytes.range(of: Data(shop.secret.utf8)) == nil, "\(name)")
            #expect(bytes.range(of: Data(shop.secret.suffix(64).utf8)) == nil, "\(name)")
        }
        #expect(try await face.send("DELETE", "/v1/keys/\(shop.id)").status == 204)
        #expect(try await status(face, shop) == 401)
        #expect(try await face.send("DELETE", "/v1/keys/\(shop.id)").code == "key_inactive")
        let rotation = try await face.post(
            "/v1/keys/\(shop.id)/rotation", #"{"overlapSeconds":0}"#)
        #expect(rotation.code == "key_inactive")
        let gone = try await face.send("GET", "/v1/keys/\(shop.id)")
        #expect(gone.json["status"]?.string == "Revoked")
    }

    @Test func `a rotated key has two secrets until the overlap ends, and one name`() async throws {
        let face = try await Face()
        let old = try await make(face, #""name":"a","scopes":["vaults:read","vaults:write"]"#)
            .caller
        var parts = Face.Parts(#"{"externalId":"v","name":"v"}"#)
        (parts.caller, parts.idempotencyKey) = (old, "across")
        let first = try await face.send("POST", "/v1/vaults", parts)
        let new = try await rotate(face, old, 60)
        #expect(new.secret != old.secret)
        #expect(try await status(face, old) == 200)
        #expect(try await status(face, new) == 200)
        parts.caller = new
        #expect(try await face.send("POST", "/v1/vaults", parts).bytes == first.bytes)
        let shown = try await face.send("GET", "/v1/keys/\(old.id)")
        #expect(
            shown.json["previousSecretUntil"]?.string == face.test.now.adding(seconds: 60).text)
        face.test.pass(seconds: 59)
        #expect(try await status(face, old) == 200)
        face.test.pass(seconds: 1)
        #expect(try await status(face, old) == 401)
        #expect(try await status(face, new) == 200)
        // The one before the one before is gone at once.
        let third = try await rotate(face, new, 3600)
        let fourth = try await rotate(face, third, 3600)
        #expect(try await status(face, new) == 401)
        #expect(try await status(face, third) == 200)
        let fifth = try await rotate(face, fourth, 0)
        #expect(try await status(face, fourth) == 401)
        #expect(try await status(face, fifth) == 200)
        for overlap in ["-1", "604801", "\"60\"", "1.5", "1e2", "null", "99999999999999999999"] {
            let answer = try await face.post(
                "/v1/keys/\(old.id)/rotation", #"{"overlapSeconds":\#(overlap)}"#)
            #expect(answer.status == 400, "\(overlap)")
            #expect(answer.fields == ["overlapSeconds"], "\(overlap)")
        }
        #expect(try await status(face, fifth) == 200)
    }

    @Test func `expire like a key that never was`() async throws {
        let face = try await Face()
        let until = face.test.now.adding(seconds: 60)
        let key = try await make(
            face, #""name":"a","scopes":["vaults:read"],"expiresAt":"\#(until.text)""#
        ).caller
        let next = try await rotate(face, key, 3600)
        face.test.pass(seconds: 59)
        #expect(try await status(face, key) == 200)
        face.test.pass(seconds: 1)
        for secret in [key, next] {
            var parts = Face.Parts()
            parts.caller = secret
            let expired = try await face.send("GET", "/v1/vaults", parts)
            parts.caller = Face.Caller(
                id: "qk_test_000000000000000000000000", secret: key.secret, tenant: key.tenant)
            let unknown = try await face.send("GET", "/v1/vaults", parts)
            #expect(expired.status == 401)
            #expect(expired.json["message"] == unknown.json["message"])
            #expect(expired.code == unknown.code)
        }
        #expect(
            try await face.send("GET", "/v1/keys/\(key.id)").json["status"]?.string == "Expired")
    }

    @Test func `cannot make or take what exceeds them`() async throws {
        let face = try await Face(.live)
        let until = face.test.now.adding(seconds: 3600)
        let networks = #"["127.0.0.0/8","::1/128","10.0.0.0/8"]"#
        let asking = try await make(
            face,
            #""name":"a","scopes":["keys:manage","vaults:read"],"cidrs":\#(networks),"#
                + #""expiresAt":"\#(until.text)""#
        ).caller
        func body(
            scopes: String = #"["vaults:read"]"#, cidrs: String = #"["10.1.0.0/16"]"#,
            expires: String = "\"2027-01-15T08:30:00Z\""
        ) -> String {
            #""name":"b","scopes":\#(scopes),"cidrs":\#(cidrs),"expiresAt":\#(expires)"#
        }
        #expect(try await make(face, body(), as: asking).answer.status == 201)
        for (members, field) in [
            (body(scopes: #"["vaults:read","vaults:write"]"#), "scopes"),
            (body(scopes: #"["transactions:withdraw"]"#), "scopes"),
            (body(cidrs: "null"), "cidrs"), (body(cidrs: #"["0.0.0.0/0"]"#), "cidrs"),
            (body(cidrs: #"["10.0.0.0/8","192.0.2.0/24"]"#), "cidrs"),
            (body(cidrs: #"["10.0.0.0/7"]"#), "cidrs"), (body(cidrs: #"["::/0"]"#), "cidrs"),
            (body(expires: "null"), "expiresAt"),
            (body(expires: "\"2027-01-15T09:00:01Z\""), "expiresAt"),
        ] {
            let answer = try await make(face, members, as: asking).answer
            #expect(answer.status == 403, "\(members)")
            #expect(answer.code == "exceeds_own_rights", "\(members)")
            #expect(answer.fields == [field], "\(members)")
        }
        // Nor by another secret for a key that may more; its end it may bring.
        let mighty = try await Face.makeCaller(face.test, face.caller.tenant)
        var parts = Face.Parts(#"{"overlapSeconds":60}"#)
        parts.caller = asking
        let taken = try await face.send("POST", "/v1/keys/\(mighty.id)/rotation", parts)
        #expect(taken.code == "exceeds_own_rights")
        #expect(taken.json["secret"] == nil)
        #expect(try await status(face, mighty) == 200)
        parts.body = []
        #expect(try await face.send("DELETE", "/v1/keys/\(mighty.id)", parts).status == 204)
    }

    static let unfit: [(String, [String])] = [
        ("", ["name", "scopes"]), (#""name":"a""#, ["scopes"]),
        (#""name":"a","scopes":[]"#, ["scopes"]),
        (#""name":"a","scopes":["all"]"#, ["scopes"]),
        (#""name":"a","scopes":"vaults:read""#, ["scopes"]),
        (#""name":"a","scopes":[7]"#, ["scopes"]),
        (#""name":"a","scopes":["vaults:read"],"cidrs":[]"#, ["cidrs"]),
        (#""name":"a","scopes":["vaults:read"],"cidrs":["10.0.0.1/8"]"#, ["cidrs"]),
        (#""name":"a","scopes":["vaults:read"],"cidrs":["10.0.0.0"]"#, ["cidrs"]),
        (#""name":"a","scopes":["vaults:read"],"vaults":[]"#, ["vaults"]),
        (#""name":"a","scopes":["vaults:read"],"vaults":["x"]"#, ["vaults"]),
        (#""name":"a","scopes":["vaults:read"],"expiresAt":"tomorrow""#, ["expiresAt"]),
        (#""name":"a","scopes":["vaults:read"],"expiresAt":"2027-01-15T08:00:00Z""#, ["expiresAt"]),
        (#""name":"a","scopes":["vaults:read"],"scope":"x""#, ["scope"]),
        (#""name":"","scopes":["vaults:read"]"#, ["name"]),
    ]

    @Test(arguments: unfit) func `what is wrong with a key is named`(
        _ row: (members: String, fields: [String])
    ) async throws {
        let face = try await Face()
        let answer = try await make(face, row.members).answer
        #expect(answer.status == 400)
        #expect(answer.fields == row.fields)
        let cidrs = Array(repeating: "\"10.0.0.0/8\"", count: 65).joined(separator: ",")
        let many = try await make(
            face, #""name":"a","scopes":["vaults:read"],"cidrs":[\#(cidrs)]"#)
        #expect(many.answer.fields == ["cidrs"])
    }

    @Test func `a transaction that fails leaves neither key nor line nor answer`() async throws {
        struct Crash: Error {}
        let face = try await Face()
        let tenant = face.caller.tenant
        await #expect(throws: Crash.self) {
            try await face.test.custody.write(as: .operator) { books in
                let made = try books.createAPIKey(for: tenant, name: "x", scopes: [.vaultsRead])
                try books.audit("createKey", of: tenant, [made.key.id.text])
                throw Crash()
            }
        }
        #expect(try await face.send("GET", "/v1/keys").json["items"]?.array.count == 1)
        #expect(try await face.send("GET", "/v1/audit").json["items"]?.array.isEmpty == true)
    }
}

@Suite struct `Keys for some vaults` {
    /// Bodies for what looks at its body before it looks at its path.
    static let bodies = [
        "createWallet": #"{"assetId":"ETH"}"#, "changeVault": #"{"name":"x"}"#,
        "relabelAddress": #"{"label":"x"}"#, "rotateKey": #"{"overlapSeconds":60}"#,
    ]

    /// Every endpoint with an id of the kinds in its path.
    static func calls(_ ids: [String: String]) -> [(method: String, target: String, body: String)] {
        CustodyAPI.endpoints.compactMap { endpoint in
            guard let name = endpoint.parameters.first, let id = ids[name] else { return nil }
            return (
                endpoint.method.rawValue,
                "/v1/" + endpoint.path.replacing("{\(name)}", with: id),
                endpoint.body == nil ? "" : bodies[endpoint.name] ?? "{}"
            )
        }
    }

    /// A tenant with a deposit that was moved from one vault to another.
    struct Scene {
        let face: Face
        let (from, to, third): (JSONValue, JSONValue, JSONValue)
        let transfer: JSONValue
        let chain: TestChain

        init() async throws {
            face = try await Face()
            from = try await face.wallet("from")
            to = try await face.wallet("to")
            third = try await face.wallet("third")
            var chain = TestChain()
            try await face.test.apply(chain.block())
            let ether = Amount(baseUnits: "5000000000000000000")!
            let address = from["depositAddress"]?.string ?? ""
            try await face.test.apply(chain.block([chain.deposit(ether, to: address)]))
            for _ in 0..<2 { try await face.test.apply(chain.block()) }
            transfer = try await face.post(
                "/v1/transactions/transfer", Self.transfer(from, to)
            ).json
            self.chain = chain
        }

        static func transfer(_ from: JSONValue, _ to: JSONValue) -> String {
            let ids = [from, to].map { $0["id"]?.string ?? "" }
            return #"{"sourceWalletId":"\#(ids[0])","destinationWalletId":"\#(ids[1])""#
                + #","amount":"1"}"#
        }

        func key(_ wallets: [JSONValue]) async throws -> Face.Caller {
            let vaults = wallets.map { "\"\($0["vaultId"]?.string ?? "")\"" }
            let scopes = Set(Scope.allCases).subtracting(Scope.tenantWide).map {
                "\"\($0.rawValue)\""
            }
            let made = try await face.post(
                "/v1/keys",
                #"{"name":"some","scopes":[\#(scopes.joined(separator: ","))],"#
                    + #""vaults":[\#(vaults.joined(separator: ","))]}"#)
            #expect(made.status == 201)
            return Face.Caller(
                id: made.json["id"]?.string ?? "", secret: made.json["secret"]?.string ?? "",
                tenant: face.caller.tenant)
        }

        func get(_ target: String, _ caller: Face.Caller) async throws -> Face.Answer {
            var parts = Face.Parts()
            parts.caller = caller
            return try await face.send("GET", target, parts)
        }

        func ids(_ target: String, _ caller: Face.Caller) async throws -> [String] {
            try await get(target, caller).json["items"]?.array.compactMap { $0["id"]?.string } ?? []
        }
    }

    @Test func `see and touch these, and nothing else of their tenant`() async throws {
        let scene = try await Scene()
        let key = try await scene.key([scene.third])
        let id = { (value: JSONValue, name: String) in value[name]?.string ?? "" }
        let calls = Self.calls([
            "vault": id(scene.from, "vaultId"), "wallet": id(scene.from, "id"),
            "transaction": id(scene.transfer, "id"),
        ])
        #expect(calls.count >= 5)
        for call in calls {
            var parts = Face.Parts(call.body)
            parts.caller = key
            let answer = try await scene.face.send(call.method, call.target, parts)
            #expect(answer.status == 403, "\(call)")
            #expect(answer.code == "vault_not_allowed", "\(call)")
        }
        for (body, status) in [
            (Scene.transfer(scene.from, scene.third), 403),
            (Scene.transfer(scene.third, scene.from), 403),
        ] {
            let answer = try await scene.face.post("/v1/transactions/transfer", body, as: key)
            #expect(answer.status == status)
            #expect(answer.code == "vault_not_allowed")
        }
        let withdrawal = try await scene.face.post(
            "/v1/transactions/withdraw",
            #"{"sourceWalletId":"\#(id(scene.from, "id"))","amount":"1""#
                + #","destinationAddress":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}"#, as: key)
        #expect(withdrawal.code == "vault_not_allowed")
        let vault = try await scene.face.post(
            "/v1/vaults", #"{"externalId":"new","name":"new"}"#, as: key)
        #expect(vault.code == "vault_not_allowed")
        #expect(try await scene.ids("/v1/vaults", key) == [id(scene.third, "vaultId")])
        #expect(try await scene.ids("/v1/transactions", key).isEmpty)
        let filter = "/v1/transactions?vaultId=\(id(scene.from, "vaultId"))"
        #expect(try await scene.ids(filter, key).isEmpty)
        #expect(try await scene.get("/v1/wallets/\(id(scene.third, "id"))", key).status == 200)
    }

    @Test func `see a transfer from either end`() async throws {
        let scene = try await Scene()
        let transfer = scene.transfer["id"]?.string ?? ""
        let receiver = try await scene.key([scene.to])
        #expect(try await scene.ids("/v1/transactions", receiver) == [transfer])
        #expect(try await scene.get("/v1/transactions/\(transfer)", receiver).status == 200)
        let both = try await scene.key([scene.from, scene.third])
        #expect(try await scene.ids("/v1/transactions", both).count == 2)
        #expect(try await scene.ids("/v1/vaults", both).count == 2)
        let paid = try await scene.face.post(
            "/v1/transactions/transfer", Scene.transfer(scene.from, scene.third), as: both)
        #expect(paid.status == 201)
    }

    @Test func `do not see where other vaults have what a withdrawal gathers`() async throws {
        let scene = try await Scene()
        let (face, test, signer) = (scene.face, scene.face.test, scene.face.test.signer)
        let stranger = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        let entry = try await face.post(
            "/v1/address-book",
            #"{"network":"eip155:31337","label":"x","address":"\#(stranger)"}"#)
        #expect(entry.status == 201)
        try await test.announceAddresses()
        var chain = scene.chain
        let (three, third) = (Amount(baseUnits: "3000000000000000000")!, scene.third)
        let other = third["depositAddress"]?.string ?? ""
        try await test.apply(chain.block([chain.deposit(three, to: other)]))
        for _ in 0..<2 { try await test.apply(chain.block()) }
        for _ in 0..<2 {
            let moved = try await face.post(
                "/v1/transactions/transfer", Scene.transfer(third, scene.from))
            #expect(moved.status == 201)
        }
        let withdrawal = try await face.post(
            "/v1/transactions/withdraw",
            #"{"sourceWalletId":"\#(scene.from["id"]?.string ?? "")","amount":"5.5""#
                + #","destinationAddress":"\#(stranger)"}"#)
        #expect(withdrawal.status == 202)
        let made = try await test.custody.write { try $0.makeIntents(signer: signer) }
        #expect(made.first?.source == other)
        let target = "/v1/transactions/\(withdrawal.json["id"]?.string ?? "")"
        let own = try await scene.key([scene.from])
        let both = try await scene.key([scene.from, third])
        for (caller, isShown) in [(own, false), (both, true), (face.caller, true)] {
            let answer = try await scene.get(target, caller)
            let part = answer.json["consolidation"]?["transfers"]?.array.first
            #expect(part?["id"]?.string != nil)
            #expect(part?["sourceAddress"]?.string == (isShown ? other : nil))
            #expect(part?["amount"]?.string == (isShown ? "0.500000000000063" : nil))
        }
    }

    @Test func `raise one alert, and have no scope that is about the tenant`() async throws {
        let scene = try await Scene()
        let key = try await scene.key([scene.third])
        let vault = scene.from["vaultId"]?.string ?? ""
        for _ in 0..<3 { _ = try await scene.get("/v1/vaults/\(vault)", key) }
        let lines = try await scene.face.send("GET", "/v1/audit").json["items"]?.array ?? []
        #expect(lines.count { $0["action"]?.string == "VaultNotAllowed" } == 1)
        for scope in Scope.tenantWide {
            let answer = try await scene.face.post(
                "/v1/keys",
                #"{"name":"x","scopes":["\#(scope.rawValue)"],"vaults":["\#(vault)"]}"#)
            #expect(answer.status == 400)
            #expect(answer.fields == ["scopes"])
        }
    }

    @Test func `another tenant's ids answer like missing ones, at every endpoint`() async throws {
        let scene = try await Scene()
        let face = scene.face
        let entry = try await face.post(
            "/v1/address-book",
            #"{"network":"eip155:31337","label":"x""#
                + #","address":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}"#)
        let id = { (value: JSONValue, name: String) in value[name]?.string ?? "" }
        let theirs = [
            "vault": id(scene.from, "vaultId"), "wallet": id(scene.from, "id"),
            "transaction": id(scene.transfer, "id"), "entry": id(entry.json, "id"),
            "key": face.caller.id,
        ]
        let missing = theirs.mapValues {
            $0.hasPrefix("qk_")
                ? "qk_test_000000000000000000000000" : "00000000-0000-4000-8000-000000000000"
        }
        for (foreign, absent) in zip(Self.calls(theirs), Self.calls(missing)) {
            var parts = Face.Parts(foreign.body)
            parts.caller = face.other
            let one = try await face.send(foreign.method, foreign.target, parts)
            let two = try await face.send(absent.method, absent.target, parts)
            #expect(one.status == 404, "\(foreign)")
            #expect(two.status == 404, "\(absent)")
            #expect(one.json["message"] == two.json["message"], "\(foreign)")
            #expect(one.code == two.code)
        }
        let (mine, none) = (theirs["vault"] ?? "", missing["vault"] ?? "")
        for vault in [mine, none] {
            let answer = try await face.post(
                "/v1/keys", #"{"name":"x","scopes":["vaults:read"],"vaults":["\#(vault)"]}"#,
                as: face.other)
            #expect(answer.status == 404)
        }
        #expect(try await scene.ids("/v1/keys", face.other) == [face.other.id])
        let audit = try await scene.get("/v1/audit?vaultId=\(mine)", face.other)
        #expect(audit.json["items"]?.array.isEmpty == true)
        var parts = Face.Parts()
        parts.caller = face.caller
        #expect(try await face.send("GET", "/v1/keys/\(face.caller.id)", parts).status == 200)
    }
}
