import Canonical
import Chains
import Custody
import HTTPTypes
import Identity
import TestKit
import Testing

@testable import Gateway

@Suite struct `Calls that repeat` {
    static let body = #"{"externalId":"a","name":"a"}"#

    @Test func `the same key and parameters have the same answer`() async throws {
        let face = try await Face()
        var parts = Face.Parts(Self.body)
        parts.idempotencyKey = "key 1"
        let first = try await face.send("POST", "/v1/vaults", parts)
        let second = try await face.send("POST", "/v1/vaults", parts)
        #expect(first.status == 201)
        #expect(second.status == 201)
        #expect(first.bytes == second.bytes)
        // Even the very same signed request, as a proxy that retries would send it.
        parts.nonce = "proxy"
        #expect(try await face.send("POST", "/v1/vaults", parts).bytes == first.bytes)
        #expect(try await face.send("POST", "/v1/vaults", parts).bytes == first.bytes)
        #expect(try await face.send("GET", "/v1/vaults").json["items"]?.array.count == 1)
    }

    @Test func `other parameters with the key are a 422; another key's key is its own`()
        async throws
    {
        let face = try await Face()
        var parts = Face.Parts(Self.body)
        parts.idempotencyKey = "key 1"
        _ = try await face.send("POST", "/v1/vaults", parts)
        parts.body = Array(#"{"externalId":"b","name":"b"}"#.utf8)
        let other = try await face.send("POST", "/v1/vaults", parts)
        #expect(other.status == 422)
        parts.caller = face.other
        #expect(try await face.send("POST", "/v1/vaults", parts).status == 201)
    }

    @Test func `nothing is stored for a request that was refused`() async throws {
        let face = try await Face()
        var parts = Face.Parts("{}")
        parts.idempotencyKey = "key 1"
        #expect(try await face.send("POST", "/v1/vaults", parts).status == 400)
        parts.body = Array(Self.body.utf8)
        #expect(try await face.send("POST", "/v1/vaults", parts).status == 201)
    }

    @Test func `many at once with one key make one`() async throws {
        let face = try await Face()
        let answers = try await withThrowingTaskGroup(of: Face.Answer.self) { group in
            for _ in 0..<12 {
                group.addTask {
                    var parts = Face.Parts(Self.body)
                    parts.idempotencyKey = "key 1"
                    return try await face.send("POST", "/v1/vaults", parts)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        // Those that came while the first was running are told so; all others get its answer.
        let done = answers.filter { $0.status == 201 }
        #expect(!done.isEmpty && Set(done.map(\.bytes)).count == 1)
        let others = answers.filter { $0.status != 201 }
        #expect(others.allSatisfy { $0.code == "idempotency_in_progress" })
        #expect(try await face.send("GET", "/v1/vaults").json["items"]?.array.count == 1)
    }

    @Test func `the very same bytes twice at once do not refuse each other`() async throws {
        let face = try await Face()
        for number in 0..<40 {
            var parts = Face.Parts(#"{"externalId":"\#(number)","name":"a"}"#)
            parts.idempotencyKey = "same-\(number)"
            parts.nonce = "same-\(number)"
            let same = parts
            let codes = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await face.send("POST", "/v1/vaults", same).status }
                }
                return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
            }
            #expect(codes.contains(201) && codes.isSubset(of: [201, 409]), "\(codes)")
        }
    }

    @Test(arguments: ["", String(repeating: "k", count: 256)])
    func `a key that is none is refused`(_ key: String) async throws {
        let face = try await Face()
        var parts = Face.Parts(Self.body)
        parts.idempotencyKey = key
        #expect(try await face.send("POST", "/v1/vaults", parts).status == 400)
    }
}

@Suite struct `Resources` {
    @Test func `a vault, a wallet and its address are shown as the contract says`() async throws {
        let face = try await Face()
        let made = try await face.post(
            "/v1/vaults", #"{"externalId":"é \"x\"","name":"n","metadata":{"b":"2","a":"1"}}"#)
        #expect(made.json["externalId"]?.string == "é \"x\"")
        #expect(made.json["status"]?.string == "Active")
        #expect(made.json["createdAt"]?.string == "2027-01-15T08:00:00Z")
        let id = made.json["id"]?.string ?? ""
        let wallet = try await face.post("/v1/vaults/\(id)/wallets", #"{"assetId":"ETH"}"#)
        #expect(wallet.status == 201)
        #expect(wallet.json["depositTag"] == .null)
        let address = wallet.json["depositAddress"]?.string ?? ""
        #expect(throws: Never.self) { try EVMAddress(text: address) }
        #expect(
            try await face.post("/v1/vaults/\(id)/wallets", #"{"assetId":"ETH"}"#).status == 409)
        let unknown = try await face.post("/v1/vaults/\(id)/wallets", #"{"assetId":"DOGE"}"#)
        #expect(unknown.status == 400)
        #expect(unknown.fields == ["assetId"])
        let shown = try await face.send("GET", "/v1/wallets/\(wallet.json["id"]?.string ?? "")")
        #expect(shown.json["balance"]?["total"]?.string == "0")
        // An external id again: the same content is the same vault, other content a conflict.
        let same = try await face.post(
            "/v1/vaults", #"{"externalId":"é \"x\"","name":"n","metadata":{"a":"1","b":"2"}}"#)
        #expect(same.json["id"] == made.json["id"])
        let other = try await face.post(
            "/v1/vaults", #"{"externalId":"é \"x\"","name":"m"}"#)
        #expect(other.status == 409)
    }

    @Test func `pages are stable while things are added`() async throws {
        let face = try await Face()
        for number in 1...7 { _ = try await face.vault("v\(number)") }
        var names: [String] = []
        var target = "/v1/vaults?limit=3"
        for page in 0..<4 {
            let answer = try await face.send("GET", target)
            names += answer.json["items"]?.array.compactMap { $0["name"]?.string } ?? []
            guard let next = answer.json["next"]?.string else { break }
            if page == 0 { _ = try await face.vault("late") }
            target = "/v1/vaults?limit=3&after=\(next)"
        }
        #expect(names == (1...7).reversed().map { "v\($0)" })
    }

    @Test func `a deposit, a transfer and a withdrawal, as a client sees them`() async throws {
        let face = try await Face()
        let (from, to) = (try await face.wallet("a"), try await face.wallet("b"))
        var chain = TestChain()
        try await face.test.apply(chain.block())
        let ether = Amount(baseUnits: "5000000000000000000")!
        let address = from["depositAddress"]?.string ?? ""
        try await face.test.apply(chain.block([chain.deposit(ether, to: address)]))
        let seen = try await face.send("GET", "/v1/transactions?type=Deposit")
        let deposit = seen.json["items"]?.array.first
        #expect(deposit?["status"]?.string == "Confirming")
        #expect(deposit?["confirmations"] == .number("1"))
        #expect(deposit?["requiredConfirmations"] == .number("3"))
        for _ in 0..<2 { try await face.test.apply(chain.block()) }
        let ids = [from, to].map { $0["id"]?.string ?? "" }
        let transfer = try await face.post(
            "/v1/transactions/transfer",
            #"{"sourceWalletId":"\#(ids[0])","destinationWalletId":"\#(ids[1])","amount":"1.50"}"#)
        #expect(transfer.status == 201)
        #expect(transfer.json["amount"]?.string == "1.5")
        #expect(transfer.json["status"]?.string == "Completed")
        let entry =
            try await face.post(
                "/v1/address-book",
                #"{"network":"eip155:31337""#
                    + #","address":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","label":"x"}"#
            ).json["id"]?.string ?? ""
        let stranger = try await face.post(
            "/v1/transactions/withdraw",
            #"{"sourceWalletId":"\#(ids[0])""#
                + #","destinationAddress":"0x0000000000000000000000000000000000000001""#
                + #","amount":"1"}"#
        )
        #expect(stranger.status == 403)
        let withdrawal = try await face.post(
            "/v1/transactions/withdraw",
            #"{"sourceWalletId":"\#(ids[0])","addressBookEntryId":"\#(entry)","amount":"1"}"#)
        #expect(withdrawal.status == 202, "\(withdrawal.json)")
        #expect(withdrawal.json["timeline"]?.array.isEmpty == false)
        let wallet = try await face.send("GET", "/v1/wallets/\(ids[0])")
        #expect(wallet.json["balance"]?["total"]?.string == "3.5")
        #expect(wallet.json["balance"]?["reserved"]?.string != "0")
        let page = try await face.send("GET", "/v1/transactions?status=Completed&limit=1")
        #expect(page.json["items"]?.array.count == 1)
        #expect(page.json["next"]?.string != nil)
    }

    @Test func `an address cools, is vetoed, and is found by its status`() async throws {
        let face = try await Face()
        let tenant = face.caller.tenant
        try await face.test.custody.write { try $0.setCooling(600, of: tenant) }
        func add(_ address: String) async throws -> JSONValue {
            try await face.post(
                "/v1/address-book",
                #"{"network":"eip155:31337","address":"\#(address)","label":"x"}"#
            ).json
        }
        func listed(_ query: String = "") async throws -> [String?] {
            try await face.send("GET", "/v1/address-book\(query)").json["items"]?.array
                .map { $0["id"]?.string } ?? []
        }
        let kept = try await add("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        let vetoed = try await add("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359")
        #expect(kept["status"]?.string == "Pending")
        #expect(kept["activatesAt"]?.string == face.test.now.adding(seconds: 600).text)
        let wallet = try await face.wallet("a")["id"]?.string ?? ""
        for destination in [
            #""addressBookEntryId":"\#(kept["id"]?.string ?? "")""#,
            #""destinationAddress":"\#(kept["address"]?.string ?? "")""#,
        ] {
            let early = try await face.post(
                "/v1/transactions/withdraw",
                #"{"sourceWalletId":"\#(wallet)",\#(destination),"amount":"1"}"#)
            #expect(early.status == 403)
            #expect(early.code == "not_in_address_book")
        }
        let path = "/v1/address-book/\(vetoed["id"]?.string ?? "")"
        #expect(try await face.send("DELETE", path).status == 204)
        #expect(try await face.send("GET", path).json["status"]?.string == "Removed")
        #expect(try await face.send("DELETE", path).status == 404)
        #expect(try await face.send("PATCH", path, Face.Parts(#"{"label":"y"}"#)).status == 404)
        #expect(try await listed() == [kept["id"]?.string])
        #expect(try await listed("?status=Pending") == [kept["id"]?.string])
        #expect(try await listed("?status=Active") == [])
        #expect(try await listed("?status=Removed") == [vetoed["id"]?.string])
        #expect(try await face.send("GET", "/v1/address-book?status=removed").status == 400)
    }

    @Test func `a webhook's secret is shown when it is made, and never again`() async throws {
        let face = try await Face()
        func put(_ url: String) async throws -> Face.Answer {
            try await face.send("PUT", "/v1/webhooks/outbound", Face.Parts(#"{"url":"\#(url)"}"#))
        }
        let before = try await face.send("GET", "/v1/webhooks/outbound")
        #expect(before.json["isConfigured"] == .bool(false))
        let made = try await put("http://127.0.0.1:9/hook")
        #expect(made.status == 200)
        #expect(made.json["signingSecret"]?.string != nil)
        #expect(made.json["isConfigured"] == .bool(true))
        #expect(try await put("http://127.0.0.1:9/hook").json["signingSecret"]?.string == nil)
        #expect(try await put("http://127.0.0.1:9/other").json["signingSecret"]?.string != nil)
        let shown = try await face.send("GET", "/v1/webhooks/outbound")
        #expect(shown.json["signingSecret"]?.string == nil)
        for url in ["", "ftp://x/y", "http://", "not a url", "http://a b/", "https://u:p@x/"] {
            let answer = try await put(url)
            #expect(answer.status == 400, "\(url)")
            #expect(answer.fields == ["url"], "\(url)")
        }
        #expect(try await face.send("DELETE", "/v1/webhooks/outbound").status == 204)
        let after = try await face.send("GET", "/v1/webhooks/outbound")
        #expect(after.json["isConfigured"] == .bool(false))
    }
}
