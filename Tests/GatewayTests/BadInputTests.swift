import Canonical
import Custody
import HTTPTypes
import Identity
import TestKit
import Testing

@testable import Gateway

@Suite struct `Bad input` {
    /// A malformed, misspelt or oversized body of each endpoint, and the field that is named.
    static let vaults: [(body: String, field: String)] = [
        ("{}", "externalId"), (#"{"externalId":"a"}"#, "name"),
        (#"{"externalId":"","name":"a"}"#, "externalId"),
        (#"{"externalId":7,"name":"a"}"#, "externalId"),
        (#"{"externalId":null,"name":"a"}"#, "externalId"),
        (#"{"externalId":"a","name":"a","nmae":"b"}"#, "nmae"),
        (#"{"externalId":"a","name":"\#(String(repeating: "x", count: 5000))"}"#, "name"),
        (#"{"externalId":"a","name":"a\u0000b"}"#, "name"),
        (#"{"externalId":"a","name":"a","metadata":[]}"#, "metadata"),
        (#"{"externalId":"a","name":"a","metadata":{"k":1}}"#, "metadata"),
    ]

    @Test(arguments: vaults) func `a vault's field is named`(
        _ row: (body: String, field: String)
    ) async throws {
        let face = try await Face()
        let answer = try await face.post("/v1/vaults", row.body)
        #expect(answer.status == 400)
        #expect(answer.fields.contains(row.field), "\(answer.fields)")
        #expect(try await face.send("GET", "/v1/vaults").json["items"]?.array.count == 0)
    }

    static let texts = [
        "", "{", "[]", "null", "\"text\"", "{\"a\":1,}", "{'a':1}", "{\"a\":1}{\"b\":2}",
        "{\"a\":1,\"a\":2}", "{\"a\":01}", "{\"a\":NaN}", "{\"a\":\"\u{1}\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":tru}", "\u{feff}{}", String(repeating: "[", count: 4000), "{\"a\":1e999999999}x",
    ]

    @Test(arguments: texts) func `what is no JSON object is refused`(_ text: String) async throws {
        let face = try await Face()
        let answer = try await face.post("/v1/vaults", text)
        #expect(answer.status == 400)
        #expect(answer.json["requestId"]?.string != nil)
    }

    @Test func `bytes that are no UTF-8, that are too many, or of another type`() async throws {
        let face = try await Face()
        var parts = Face.Parts()
        parts.body = Array("{\"name\":\"".utf8) + [0xff, 0xc0] + Array("\"}".utf8)
        #expect(try await face.send("POST", "/v1/vaults", parts).status == 400)
        parts.body = [UInt8](repeating: UInt8(ascii: " "), count: 1024 * 1024)
        let large = try await face.send("POST", "/v1/vaults", parts)
        #expect(large.status == 413)
        #expect(large.code == "too_large")
        parts = Face.Parts(#"{"externalId":"a","name":"a"}"#)
        parts.contentType = "text/plain"
        #expect(try await face.send("POST", "/v1/vaults", parts).status == 415)
        parts.contentType = "Application/JSON; charset=utf-8"
        #expect(try await face.send("POST", "/v1/vaults", parts).status == 201)
    }

    @Test func `an amount is a positive decimal string with the asset's decimals`() async throws {
        let face = try await Face()
        let (from, to) = (try await face.wallet("a"), try await face.wallet("b"))
        let amounts = [
            "\"0\"", "\"-1\"", "\"+1\"", "\"1e3\"", "\"1E-3\"", "\"0x10\"", "\"1,5\"", "\" 1\"",
            "\"1 \"", "\"\"", "\".5\"", "\"5.\"", "\"1.0000000000000000001\"", "\"٣\"", "\"NaN\"",
            "\"\(String(repeating: "9", count: 40))\"",
            "\"\(String(repeating: "9", count: 4000))\"",
            "1", "0.5", "null", "true", "[\"1\"]", "{}",
        ]
        for amount in amounts {
            let ids = [from, to].map { $0["id"]?.string ?? "" }
            let transfer = try await face.post(
                "/v1/transactions/transfer",
                #"{"sourceWalletId":"\#(ids[0])","destinationWalletId":"\#(ids[1])""#
                    + #","amount":\#(amount)}"#
            )
            #expect(transfer.status == 400, "\(amount)")
            #expect(transfer.fields == ["amount"], "\(amount)")
            let withdrawal = try await face.post(
                "/v1/transactions/withdraw",
                #"{"sourceWalletId":"\#(ids[0])","addressBookEntryId":"\#(ids[1])""#
                    + #","amount":\#(amount)}"#
            )
            #expect(withdrawal.status == 400, "\(amount)")
            #expect(withdrawal.fields.contains("amount"), "\(amount)")
        }
        let misspelt = try await face.post(
            "/v1/transactions/transfer", #"{"sourceWalletId":null,"ammount":"1"}"#)
        #expect(misspelt.status == 400)
        #expect(misspelt.fields.contains("ammount"))
        #expect(try await face.send("GET", "/v1/transactions").json["items"]?.array.count == 0)
    }

    @Test func `an address must be one of the network, with its checksum`() async throws {
        let face = try await Face()
        let good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        let network = "eip155:31337"
        let rows: [(String, String, String)] = [
            (network, "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "address"),
            (network, String(good.dropLast()), "address"), (network, good + "0", "address"),
            (network, String(good.dropFirst(2)), "address"), (network, "", "address"),
            (network, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "address"),
            (network, "0x0000000000000000000000000000000000000000", "address"),
            ("eip155:1", good, "network"), ("bitcoin", good, "network"), ("", good, "network"),
        ]
        for (network, address, field) in rows {
            let answer = try await face.post(
                "/v1/address-book",
                #"{"network":"\#(network)","address":"\#(address)","label":"x"}"#)
            #expect(answer.status == 400, "\(network) \(address)")
            #expect(answer.fields == [field], "\(network) \(address) \(answer.fields)")
        }
        #expect(try await face.send("GET", "/v1/address-book").json["items"]?.array.count == 0)
        let body = #"{"network":"\#(network)","address":"\#(good)","label":"x"}"#
        #expect(try await face.post("/v1/address-book", body).status == 201)
        #expect(try await face.post("/v1/address-book", body).status == 409)
        #expect(try await face.post("/v1/address-book", body, as: face.other).status == 201)
    }

    @Test func `what another tenant has answers like what is missing`() async throws {
        let face = try await Face()
        let theirs = try await face.wallet("theirs", as: face.other)
        let ours = try await face.wallet("ours")["id"]?.string ?? ""
        let wallet = theirs["id"]?.string ?? ""
        let vault = theirs["vaultId"]?.string ?? ""
        let entry =
            try await face.post(
                "/v1/address-book",
                #"{"network":"eip155:31337""#
                    + #","address":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","label":"x"}"#,
                as: face.other
            ).json["id"]?.string ?? ""
        let missing = "00000000-0000-4000-8000-000000000000"
        func rows(_ vault: String, _ wallet: String, _ entry: String) -> [(String, String, String)]
        {
            [
                ("GET", "/v1/vaults/\(vault)", ""), ("GET", "/v1/vaults/\(vault)/wallets", ""),
                ("POST", "/v1/vaults/\(vault)/wallets", #"{"assetId":"ETH"}"#),
                ("GET", "/v1/wallets/\(wallet)", ""), ("GET", "/v1/address-book/\(entry)", ""),
                ("PATCH", "/v1/address-book/\(entry)", #"{"label":"y"}"#),
                ("DELETE", "/v1/address-book/\(entry)", ""),
                ("GET", "/v1/transactions/\(wallet)", ""),
                (
                    "POST", "/v1/transactions/transfer",
                    #"{"sourceWalletId":"\#(wallet)","destinationWalletId":"\#(ours)""#
                        + #","amount":"1"}"#
                ),
                (
                    "POST", "/v1/transactions/transfer",
                    #"{"sourceWalletId":"\#(ours)","destinationWalletId":"\#(wallet)""#
                        + #","amount":"1"}"#
                ),
                (
                    "POST", "/v1/transactions/withdraw",
                    #"{"sourceWalletId":"\#(wallet)","addressBookEntryId":"\#(entry)""#
                        + #","amount":"1"}"#
                ),
                (
                    "POST", "/v1/transactions/withdraw",
                    #"{"sourceWalletId":"\#(ours)","addressBookEntryId":"\#(entry)","amount":"1"}"#
                ),
            ]
        }
        let pairs = zip(rows(vault, wallet, entry), rows(missing, missing, missing))
        for (foreign, absent) in pairs {
            let one = try await face.send(foreign.0, foreign.1, Face.Parts(foreign.2))
            let two = try await face.send(absent.0, absent.1, Face.Parts(absent.2))
            #expect(one.status == 404, "\(foreign)")
            #expect(two.status == 404, "\(absent)")
            #expect(one.json["message"] == two.json["message"])
            #expect(one.code == two.code)
        }
        let filters = try await face.send("GET", "/v1/transactions?walletId=\(wallet)")
        #expect(filters.status == 200)
        #expect(filters.json["items"]?.array.count == 0)
    }

    @Test func `unknown paths, methods, filters, pages and ids`() async throws {
        let face = try await Face()
        for target in ["/v1/nothing", "/v1/vaults/not-an-id", "/v1/vaults/%00", "/v1/wallets/../x"]
        {
            #expect(try await face.send("GET", target).status == 404, "\(target)")
        }
        for (target, field) in [
            ("/v1/vaults?limit=0", "limit"), ("/v1/vaults?limit=201", "limit"),
            ("/v1/vaults?limit=-1", "limit"), ("/v1/vaults?limit=x", "limit"),
            ("/v1/vaults?after=x", "after"), ("/v1/transactions?stauts=Failed", "stauts"),
            ("/v1/transactions?status=failed", "status"),
            ("/v1/transactions?walletId=7", "walletId"),
        ] {
            let answer = try await face.send("GET", target)
            #expect(answer.status == 400, "\(target)")
            #expect(answer.fields == [field], "\(target)")
        }
        #expect([404, 405].contains(try await face.send("DELETE", "/v1/vaults").status))
    }

    @Test func `an error says what would be right`() async throws {
        let face = try await Face()
        for (target, sentence) in [
            ("/v1/nothing?secret=1", "There is nothing at /v1/nothing."),
            ("/v1/v1/vaults", "There is nothing at /v1/v1/vaults: '/v1' stands twice."),
            ("/v1/v1x", "There is nothing at /v1/v1x."),
            (
                "/v1/\(String(repeating: "x", count: 500))",
                "There is nothing at /v1/\(String(repeating: "x", count: 196))."
            ),
            ("/v1/vaults?limit=x", "'limit' must be a whole number from 1 to 200."),
            ("/v1/vaults?after=x", "'after' must be what 'next' of a page of this list was."),
            ("/v1/assets?status=on", "'status' must be one of Enabled, Disabled."),
            ("/v1/transactions?walletId=7", "'walletId' must be a UUID."),
            ("/v1/audit?from=now", "'from' must be a time such as 2026-01-31T12:00:00Z."),
            ("/v1/usage?to=now", "'to' must be a day such as 2026-01-31."),
        ] {
            let answer = try await face.send("GET", target)
            #expect(answer.json["message"]?.string == sentence)
        }
        let bare = try await face.post("/v1/vaults", "")
        #expect(
            bare.json["message"]?.string
                == "A JSON object is needed as the body; there is none.")
        let scopes = try await face.post(
            "/v1/keys", #"{"name":"x","scopes":["vaults:read","vaults:reed"]}"#)
        let said = scopes.json["message"]?.string ?? ""
        #expect(said.hasPrefix("'scopes' has 'vaults:reed', which is not one of vaults:read, "))
        #expect(Scope.allCases.allSatisfy { said.contains($0.rawValue) })
    }

    @Test func `a draft that is wrong is told which part of it, and what there is`() async throws {
        let face = try await Face()
        let wallet = try await face.wallet("one")
        let (vault, id) = (wallet["vaultId"]?.string ?? "", wallet["id"]?.string ?? "")
        let none = "00000000-0000-4000-8000-000000000000"
        let lower = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
        func transfer(_ source: String, _ destination: String) -> String {
            #"{"sourceWalletId":"\#(source)","destinationWalletId":"\#(destination)","amount":"1"}"#
        }
        let rows: [(String, String, field: String, String)] = [
            (
                "vaults/\(vault)/wallets", #"{"assetId":"eth"}"#, "assetId",
                "There is no asset 'eth' here; there are ETH."
            ),
            (
                "vaults/\(vault)/wallets", #"{"assetId":"ETH"}"#, "assetId",
                "The vault has a wallet for 'ETH' already: \(id)."
            ),
            (
                "address-book", #"{"network":"ethereum","address":"\#(lower)","label":"x"}"#,
                "network", "There is no network 'ethereum' here; there are eip155:31337."
            ),
            (
                "address-book", #"{"network":"eip155:31337","address":"\#(lower)","label":"x"}"#,
                "address",
                "'address' has no EIP-55 checksum, without which a wrong digit is not seen: ask "
                    + "its owner for the form with small and capital letters."
            ),
            (
                "vaults", #"{"external_id":"x","name":"x"}"#, "external_id",
                "'external_id' is not known here: 'externalId' is."
            ),
            (
                "vaults", #"{"id":"x","name":"x"}"#, "id", "'id' is not known here."
            ),
            (
                "transactions/transfer", transfer(none, id), "sourceWalletId",
                "There is no such wallet."
            ),
            (
                "transactions/transfer", transfer(id, none), "destinationWalletId",
                "There is no such wallet."
            ),
            (
                "transactions/withdraw",
                #"{"sourceWalletId":"\#(id)","addressBookEntryId":"\#(none)","amount":"1"}"#,
                "addressBookEntryId", "There is no such address-book entry."
            ),
        ]
        for (path, body, field, sentence) in rows {
            let answer = try await face.post("/v1/\(path)", body)
            #expect(answer.json["message"]?.string == sentence)
            #expect(answer.fields == [field])
        }
        let many = (0..<100).map { "\"a\($0)\":0" }.joined(separator: ",")
        #expect(try await face.post("/v1/vaults", "{\(many)}").fields.count == 8)
        // Null is as if it were not there, where the member is known.
        let null = Face.Parts(#"{"metadata":null,"name":"two"}"#)
        #expect(try await face.send("PATCH", "/v1/vaults/\(vault)", null).status == 200)
        var parts = Face.Parts()
        parts.tamper = { $0[.timestamp] = nil }
        #expect(
            try await face.send("GET", "/v1/vaults", parts).json["message"]?.string
                == "X-API-Key, X-Timestamp and X-Signature are required; there is no X-Timestamp.")
    }

    @Test func `errors have the contract's shape, or that of RFC 9457`() async throws {
        let face = try await Face()
        let plain = try await face.post("/v1/vaults", "{}")
        #expect(plain.json["statusCode"] == .number("400"))
        #expect(plain.json["code"]?.string == "invalid")
        #expect(plain.json["requestId"]?.string == plain.headers[.requestID])
        #expect(plain.headers[.contentType] == "application/json")
        var parts = Face.Parts("{}")
        parts.extra[.accept] = "application/problem+json"
        let problem = try await face.send("POST", "/v1/vaults", parts)
        #expect(problem.headers[.contentType] == "application/problem+json")
        #expect(problem.json["status"] == .number("400"))
        #expect(problem.json["title"]?.string == "Bad Request")
        let missing = try await face.send("GET", "/v1/vaults/x")
        guard case .array(let sentences)? = missing.json["errors"]?["generalErrors"] else {
            Issue.record("general errors")
            return
        }
        #expect(sentences.count == 1)
    }
}
