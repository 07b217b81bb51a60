import Canonical
import Chains
import Custody
import Identity
import Intents
import TestKit
import Testing

@testable import Gateway

@Suite struct `Wallets of the MPC administration face` {
    private static let payee = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

    /// A face with a key of each tenant, and a wallet of the first with two coins.
    private func funded() async throws -> (face: Face, wallet: String, address: String) {
        let face = try await Face()
        try await face.admit()
        try await face.admit(.ed25519(0x22), for: face.other.tenant)
        let vault = try await face.vault("V")
        let answer = try await face.admin(
            "POST", "/v2/wallets/\(vault)/addresses", #"{"chain_id":"SETH"}"#)
        let address = answer.json.array.first?["address"]?.string ?? "status \(answer.status)"
        var chain = TestChain()
        let coins = try Amount(text: "2", decimals: 18)
        for transfers in [[], [chain.deposit(coins, to: address)], [], []] {
            try await face.test.apply(chain.block(transfers))
        }
        return (face, vault, address)
    }

    private func transfer(
        _ wallet: String, _ amount: String = "1", id: String = "r-1", to: String = payee,
        more: String = ""
    ) -> String {
        #"{"request_id":"\#(id)","token_id":"SETH","source":{"source_type":"Org-Controlled","#
            + #""wallet_id":"\#(wallet)"},"destination":{"destination_type":"Address","#
            + #""account_output":{"address":"\#(to)","amount":"\#(amount)"}}\#(more)}"#
    }

    private func enter(_ face: Face) async throws -> Face.Answer {
        try await face.admin(
            "POST", "/v2/address_books",
            #"{"address_books":[{"chain_ids":["SETH"],"address":"\#(Self.payee)"}]}"#)
    }

    @Test func `are vaults of the other face`() async throws {
        let (face, wallet, address) = try await funded()
        let shown = try await face.admin("GET", "/v2/wallets/\(wallet)")
        #expect(shown.json["wallet_subtype"] == .string("Org-Controlled"))
        let balances = try await face.admin("GET", "/v2/wallets/\(wallet)/tokens")
        #expect(balances.data.first?["balance"]?["available"] == .string("2"))
        let held = try await face.admin("GET", "/v2/wallets/\(wallet)/addresses/\(address)/tokens")
        #expect(held.data.first?["balance"]?["total"] == .string("2"))
        let elsewhere = try await face.admin(
            "GET", "/v2/wallets/\(wallet)/addresses/\(Self.payee)/tokens")
        #expect(elsewhere.status == 404 && elsewhere.errorCode == 2028)

        let vault = shown.json["vault_id"]?.string ?? ""
        let made = try await face.admin(
            "POST", "/v2/wallets",
            #"{"name":"N","wallet_type":"MPC","wallet_subtype":"Org-Controlled","#
                + #""vault_id":"\#(vault)"}"#)
        #expect(made.status == 201)
        let id = made.json["wallet_id"]?.string ?? ""
        #expect(try await face.send("GET", "/v1/vaults/\(id)").json["name"] == .string("N"))
        let listed = try await face.admin("GET", "/v2/wallets?vault_id=\(vault)")
        #expect(listed.data.map { $0["wallet_id"] } == [.string(id), .string(wallet)])
        let wrong = try await face.admin(
            "POST", "/v2/wallets",
            #"{"name":"N","wallet_type":"MPC","wallet_subtype":"User-Controlled","#
                + #""vault_id":"\#(vault)"}"#)
        #expect(wrong.status == 400 && wrong.errorCode == 2006)
    }

    @Test func `pay to the address book, once for each request`() async throws {
        let (face, wallet, _) = try await funded()
        let path = "/v2/transactions/transfer"
        #expect(try await face.admin("POST", path, transfer(wallet)).errorCode == 30014)
        let entry = try await enter(face)
        #expect(entry.status == 201)
        #expect(try await enter(face).errorCode == 2040)

        let sent = try await face.admin("POST", path, transfer(wallet))
        #expect(sent.status == 201 && sent.json["status"] == .string("Submitted"))
        let again = try await face.admin("POST", path, transfer(wallet))
        #expect(again.status == 400 && again.errorCode == 12009)

        // The other face shows the same.
        let id = sent.json["transaction_id"]?.string ?? ""
        let other = try await face.send("GET", "/v1/transactions/\(id)")
        #expect(other.json["externalId"] == .string("r-1"))
        let balances = try await face.admin("GET", "/v2/wallets/\(wallet)/tokens")
        #expect(balances.data.first?["balance"]?["locked"] != .string("0"))
        let list = "/v2/transactions?types=Withdrawal&statuses="
        #expect(try await face.admin("GET", list + "Submitted%2CFailed").data.count == 1)
        #expect(try await face.admin("GET", list + "Completed%2CRejected").data.isEmpty)
        #expect(
            try await face.admin("GET", "/v2/transactions?token_ids=SETH").data.map {
                $0["type"]?.string
            } == ["Deposit", "Withdrawal"])

        let cancelled = try await face.admin("POST", "/v2/transactions/\(id)/cancel")
        #expect(cancelled.status == 201 && cancelled.json["status"] == .string("Failed"))
        let detail = try await face.admin("GET", "/v2/transactions/\(id)")
        #expect(detail.json["sub_status"] == .string("CanceledByAPI"))
        #expect(detail.json["timeline"]?.array.count == 2)
        let deposit = try await face.admin("GET", "/v2/transactions?types=Deposit")
        let late = deposit.data.first?["transaction_id"]?.string ?? ""
        let refused = try await face.admin("POST", "/v2/transactions/\(late)/cancel")
        #expect(refused.status == 400 && refused.errorCode == 60005)
    }

    @Test func `are refused what cannot be done, with the code that says why`() async throws {
        let (face, wallet, _) = try await funded()
        _ = try await enter(face)
        let path = "/v2/transactions/transfer"
        let long = String(repeating: "d", count: 101)
        let cases = [
            (transfer(wallet, "3"), 12007), (transfer(wallet, "2"), 12007),
            (transfer(wallet, "0"), 2006), (transfer(wallet, "-1"), 2006),
            (transfer(wallet, "0.0000000000000001"), 30010),
            (transfer(wallet, to: "0x52908400098527886E0F7030069857D2E4169EE7"), 30014),
            (transfer(wallet, more: #","description":"\#(long)""#), 30018),
            (transfer(wallet, more: #","transaction_process_type":"Later""#), 2006),
            (transfer(wallet, more: #","transaction_process_type":"SignOnly""#), 2002),
            (transfer(wallet, more: #","fee":{"fee_type":"UTXO"}"#), 2002),
            (transfer(wallet, more: #","fee":{"fee_type":"Fixed","token_id":"BTC"}"#), 2006),
            (
                transfer(
                    wallet, more: #","fee":{"fee_type":"EVM_EIP_1559","max_fee_per_gas":"1.5"}"#),
                2006
            ), (transfer(wallet, more: #","auto_fuel":"x""#), 2006),
            (
                transfer(wallet).replacing("SETH", with: "BTC"), 12002
            ), (transfer(wallet).replacing("Org-Controlled", with: "User-Controlled"), 2006),
            (transfer(wallet).replacing(#""request_id":"r-1","#, with: ""), 2003),
            (transfer("11111111-1111-4111-8111-111111111111"), 2028),
        ]
        for (body, code) in cases {
            let answer = try await face.admin("POST", path, body)
            #expect(answer.errorCode == code, "\(body): \(answer.json)")
        }
        #expect(try await face.admin("GET", "/v2/transactions?types=Withdrawal").data.isEmpty)
    }

    @Test func `estimate what a transfer costs at most`() async throws {
        let (face, wallet, _) = try await funded()
        let body =
            #"{"request_type":"Transfer","token_id":"SETH","source":{"source_type":"#
            + #""Org-Controlled","wallet_id":"\#(wallet)"}}"#
        let answer = try await face.admin("POST", "/v2/transactions/estimate_fee", body)
        #expect(answer.status == 201 && answer.json["fee_type"] == .string("EVM_EIP_1559"))
        #expect(answer.json["recommended"]?["gas_limit"] == .string("21000"))
    }

    @Test func `are missing to another tenant`() async throws {
        let (face, wallet, address) = try await funded()
        let entry = try await enter(face).json["data"]?.array.first?["entry_id"]?.string ?? ""
        let sent = try await face.admin("POST", "/v2/transactions/transfer", transfer(wallet))
        let transaction = sent.json["transaction_id"]?.string ?? ""
        var parts = Face.AdminParts()
        parts.key = .ed25519(0x22)
        for path in [
            "wallets/\(wallet)", "wallets/\(wallet)/addresses", "wallets/\(wallet)/tokens",
            "wallets/\(wallet)/tokens/SETH", "wallets/\(wallet)/addresses/\(address)/tokens",
            "address_books/\(entry)", "transactions/\(transaction)",
        ] {
            let answer = try await face.admin("GET", "/v2/\(path)", parts)
            #expect(answer.status == 404, "\(path)")
        }
        for path in ["wallets", "transactions", "address_books"] {
            #expect(try await face.admin("GET", "/v2/\(path)", parts).data.isEmpty)
        }
        parts.body = Array(transfer(wallet, id: "mine").utf8)
        let theft = try await face.admin("POST", "/v2/transactions/transfer", parts)
        #expect(theft.status == 404 && theft.errorCode == 2028)
        parts.body = []
        for path in ["transactions/\(transaction)/cancel", "address_books/\(entry)/delete"] {
            #expect(try await face.admin("POST", "/v2/\(path)", parts).status == 404)
        }
    }

    @Test func `have no more addresses at once than so many`() async throws {
        let face = try await Face()
        try await face.admit()
        let vault = try await face.vault("V")
        let path = "/v2/wallets/\(vault)/addresses"
        for count in ["0", "51", "-1", "9223372036854775807", "1.5", "\"1\""] {
            let body = #"{"chain_id":"SETH","count":\#(count)}"#
            #expect(try await face.admin("POST", path, body).errorCode == 2006)
        }
        let many = try await face.admin("POST", path, #"{"chain_id":"SETH","count":50}"#)
        #expect(Set(many.json.array.map { $0["address"]?.string }).count == 50)
        #expect(try await face.admin("GET", path + "?limit=50").data.count == 50)
        let more = try await face.admin("POST", path, #"{"chain_id":"SETH"}"#)
        #expect(more.json.array.first?["path"] == .string("m/44/60/0/0/50"))
    }
}
