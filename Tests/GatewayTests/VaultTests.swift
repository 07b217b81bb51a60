import Canonical
import Custody
import TestKit
import Testing

@testable import Gateway

@Suite struct `Vaults, assets and fees` {
    private func patch(_ face: Face, _ vault: String, _ body: String) async throws -> Face.Answer {
        try await face.send("PATCH", "/v1/vaults/\(vault)", Face.Parts(body))
    }

    @Test func `a vault's name, metadata and status change, what is left out stays`() async throws {
        let face = try await Face()
        let vault = try await face.vault("a")
        let named = try await patch(face, vault, #"{"name":"b","metadata":{"k":"v"}}"#)
        #expect(named.status == 200)
        let frozen = try await patch(face, vault, #"{"status":"Frozen"}"#)
        #expect(frozen.json["status"]?.string == "Frozen")
        #expect(frozen.json["name"]?.string == "b")
        #expect(frozen.json["metadata"]?["k"]?.string == "v")
        #expect(frozen.json["externalId"]?.string == "a")
        #expect(try await face.send("GET", "/v1/vaults/\(vault)").bytes == frozen.bytes)
        #expect(try await patch(face, vault, #"{"status":"Melted"}"#).fields == ["status"])
        #expect(try await patch(face, vault, #"{"name":""}"#).fields == ["name"])
        #expect(try await patch(face, vault, #"{"externalId":"c"}"#).fields == ["externalId"])
        #expect(try await patch(face, vault, #"{"metadata":{}}"#).json["metadata"] == .object([]))
        var parts = Face.Parts(#"{"name":"mine"}"#)
        parts.caller = face.other
        #expect(try await face.send("PATCH", "/v1/vaults/\(vault)", parts).status == 404)
    }

    @Test func `an archived vault takes no wallets`() async throws {
        let face = try await Face()
        let vault = try await face.vault("a")
        #expect(try await patch(face, vault, #"{"status":"Archived"}"#).status == 200)
        let answer = try await face.post("/v1/vaults/\(vault)/wallets", #"{"assetId":"ETH"}"#)
        #expect(answer.status == 400 && answer.code == "frozen")
    }

    @Test func `balances are listed by asset`() async throws {
        let face = try await Face()
        let wallet = try await face.wallet("a")
        let path = "/v1/vaults/\(wallet["vaultId"]?.string ?? "")/balances"
        let answer = try await face.send("GET", path)
        #expect(answer.json.array.map { $0["assetId"]?.string } == ["ETH"])
        var parts = Face.Parts()
        parts.caller = face.other
        #expect(try await face.send("GET", path, parts).status == 404)
    }

    @Test func `a disabled asset takes no wallets, of this tenant alone`() async throws {
        let face = try await Face()
        #expect(try await face.send("DELETE", "/v1/assets/ETH/enablement").status == 204)
        #expect(try await face.send("GET", "/v1/assets").json["items"]?.array.isEmpty == true)
        let disabled = try await face.send("GET", "/v1/assets?status=Disabled")
        #expect(disabled.json["items"]?.array.first?["status"]?.string == "Disabled")
        let vault = try await face.vault("a")
        let refused = try await face.post("/v1/vaults/\(vault)/wallets", #"{"assetId":"ETH"}"#)
        #expect(refused.code == "unknown_asset")
        let other = try await face.wallet("b", as: face.other)
        #expect(other["id"] != nil)
        let enabled = try await face.send("PUT", "/v1/assets/ETH/enablement")
        #expect(enabled.json["status"]?.string == "Enabled")
        let made = try await face.post("/v1/vaults/\(vault)/wallets", #"{"assetId":"ETH"}"#)
        #expect(made.status == 201)
        #expect(try await face.send("PUT", "/v1/assets/DOGE/enablement").status == 404)
    }

    @Test func `a fee is estimated for each level`() async throws {
        let face = try await Face()
        let wallet = try await face.wallet("a")
        let address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        let body =
            #"{"sourceWalletId":"\#(wallet["id"]?.string ?? "")","amount":"1","#
            + #""destinationAddress":"\#(address)"}"#
        let unknown = try await face.post("/v1/transactions/estimate-fee", body)
        #expect(unknown.status == 403 && unknown.code == "not_in_address_book")
        _ = try await face.post(
            "/v1/address-book",
            #"{"network":"eip155:31337","address":"\#(address)","label":"x"}"#)
        let fees = try await face.post("/v1/transactions/estimate-fee", body)
        // 21,000 gas at 2, 3 and 5 wei.
        #expect(fees.json["slow"]?.string == "0.000000000000042")
        #expect(fees.json["medium"]?.string == "0.000000000000063")
        #expect(fees.json["fast"]?.string == "0.000000000000105")
    }

    @Test(arguments: ["2026-01-31", "2026-02-30T00:00:00Z", "2026-01-31T12:00:00+00:00", "1e3"])
    func `a time that is none is refused`(_ time: String) async throws {
        let face = try await Face()
        let answer = try await face.send("GET", "/v1/transactions?from=\(time)")
        #expect(answer.status == 400 && answer.fields == ["from"])
    }

    @Test func `transactions are listed by time, half open`() async throws {
        let face = try await Face()
        let now = face.test.now
        let list = "/v1/transactions?from=\(now.adding(seconds: -5).text)&to=\(now.text)"
        #expect(try await face.send("GET", list).status == 200)
        let twice = try await face.send("GET", "/v1/transactions?limit=1&limit=2")
        #expect(twice.status == 400 && twice.fields == ["limit"])
    }
}
