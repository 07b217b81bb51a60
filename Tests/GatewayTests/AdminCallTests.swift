import Canonical
import Chains
import Custody
import Identity
import Intents
import TestKit
import Testing

@testable import Gateway

@Suite struct `Contract calls of the MPC administration face` {
    private static let path = "/v2/transactions/contract_call"
    private static let contract = EVMAddress(unchecked: [UInt8](repeating: 0xcc, count: 20)).text

    private func funded() async throws -> (face: Face, wallet: String, address: String) {
        let face = try await Face()
        try await face.admit()
        let vault = try await face.vault("V")
        let answer = try await face.admin(
            "POST", "/v2/wallets/\(vault)/addresses", #"{"chain_id":"SETH"}"#)
        let address = answer.json.array.first?["address"]?.string ?? ""
        var chain = TestChain()
        let coins = try Amount(text: "2", decimals: 18)
        for transfers in [[], [chain.deposit(coins, to: address)], [], []] {
            try await face.test.apply(chain.block(transfers))
        }
        return (face, vault, address)
    }

    private func body(
        _ wallet: String, _ address: String, id: String = "c-1", to: String = contract,
        value: String = #""value":"0.5","#, data: String = "0x01020304", more: String = "",
        type: String = "EVM_Contract"
    ) -> String {
        #"{"request_id":"\#(id)","chain_id":"SETH","source":{"source_type":"Org-Controlled","#
            + #""wallet_id":"\#(wallet)","address":"\#(address)"},"destination":{"#
            + #""destination_type":"\#(type)","address":"\#(to)",\#(value)"#
            + #""calldata":"\#(data)"}\#(more)}"#
    }

    @Test func `reserve value and fee, and show on both faces`() async throws {
        let (face, wallet, address) = try await funded()
        face.gas.say(40_000)
        let asked = try await face.admin("POST", Self.path, body(wallet, address))
        #expect(asked.status == 201 && asked.json["status"] == .string("Submitted"))
        let half = try Amount(text: "0.5", decimals: 18)
        #expect(face.gas.asked.map(\.data) == [[1, 2, 3, 4]])
        #expect(face.gas.asked.map(\.value) == [half])
        let id = asked.json["transaction_id"]?.string ?? ""
        let shown = try await face.admin("GET", "/v2/transactions/\(id)").json
        #expect(shown["type"] == .string("ContractCall"))
        #expect(
            shown["destination"]
                == .object([
                    "destination_type": .string("EVM_Contract"),
                    "address": .string(Self.contract), "value": .string("0.5"),
                    "calldata": .string("0x01020304"),
                ]))
        #expect(shown["source"]?["address"] == .string(address))
        // 50,000 gas at 3 wei.
        #expect(shown["fee"]?["max_fee_amount"] == .string("0.00000000000015"))
        let balances = try await face.admin("GET", "/v2/wallets/\(wallet)/tokens")
        #expect(balances.data.first?["balance"]?["locked"] == .string("0.50000000000015"))
        let other = try await face.send("GET", "/v1/transactions/\(id)").json
        #expect(other["type"] == .string("ContractCall") && other["amount"] == .string("0.5"))
        #expect(other["destinationAddress"] == .string(Self.contract))
        #expect(other["maxFee"] == .string("0.00000000000015"))
        let list = try await face.admin("GET", "/v2/transactions?types=ContractCall")
        #expect(list.data.count == 1)
        let cancelled = try await face.admin("POST", "/v2/transactions/\(id)/cancel")
        #expect(cancelled.status == 201)
        let freed = try await face.admin("GET", "/v2/wallets/\(wallet)/tokens")
        #expect(freed.data.first?["balance"]?["locked"] == .string("0"))
    }

    @Test func `take gas and price from their caller, whom the node then is not asked for`()
        async throws
    {
        let (face, wallet, address) = try await funded()
        let fee =
            #","fee":{"fee_type":"EVM_EIP_1559","token_id":"SETH","max_fee_per_gas":"7","#
            + #""max_priority_fee_per_gas":"1","gas_limit":"30000"}"#
        let asked = try await face.admin(
            "POST", Self.path, body(wallet, address, value: "", more: fee))
        let id = asked.json["transaction_id"]?.string ?? ""
        let shown = try await face.admin("GET", "/v2/transactions/\(id)").json
        #expect(shown["fee"]?["max_fee_amount"] == .string("0.00000000000021"))
        #expect(shown["destination"]?["value"] == .string("0"))
        #expect(face.gas.asked.isEmpty)
    }

    @Test func `are estimated with the gas that the node says, a quarter above`() async throws {
        let (face, wallet, address) = try await funded()
        let path = "/v2/transactions/estimate_fee"
        func body(_ data: String = "0x01020304", _ more: String = "") -> String {
            #"{"request_type":"ContractCall","chain_id":"SETH","source":{"source_type":"#
                + #""Org-Controlled","wallet_id":"\#(wallet)","address":"\#(address)"},"#
                + #""destination":{"destination_type":"EVM_Contract","#
                + #""address":"\#(Self.contract)","value":"0.5","calldata":"\#(data)"}\#(more)}"#
        }
        face.gas.say(40_000)
        let answer = try await face.admin("POST", path, body())
        #expect(answer.status == 201, "\(answer.json)")
        #expect(answer.json["recommended"]?["gas_limit"] == .string("50000"))
        // 50,000 gas at 3 wei, and at 5.
        #expect(answer.json["recommended"]?["reserved_fee"] == .string("0.00000000000015"))
        #expect(answer.json["fast"]?["reserved_fee"] == .string("0.00000000000025"))
        #expect(answer.json["token_id"] == .string("SETH"))
        #expect(face.gas.asked.map(\.data) == [[1, 2, 3, 4]])
        // A call that is asked for in the same way reserves as much.
        let asked = try await face.admin("POST", Self.path, self.body(wallet, address))
        let id = asked.json["transaction_id"]?.string ?? ""
        let shown = try await face.admin("GET", "/v2/transactions/\(id)").json
        #expect(shown["fee"]?["max_fee_amount"] == answer.json["recommended"]?["reserved_fee"])

        let count = face.gas.asked.count
        let cases = [
            (body("01"), 2006), (body("0x01", #","fee_type":"UTXO""#), 2002),
            (body("0x01", #","gas_limit":"1""#), 2006),
            (#"{"request_type":"ContractCall","chain_id":"SETH"}"#, 2003),
        ]
        for (at, (body, code)) in cases.enumerated() {
            #expect(try await face.admin("POST", path, body).errorCode == code, "case \(at)")
        }
        #expect(face.gas.asked.count == count, "what is refused asks no node")
        face.gas.fail(Refusal(.invalid, field: "calldata", "execution reverted"))
        #expect(try await face.admin("POST", path, body()).errorCode == 2006)
        face.gas.fail(Refusal(.chainUnavailable, "no node"))
        #expect(try await face.admin("POST", path, body()).status == 503)

        let key = AdminKey.ed25519(0x33)
        try await face.admit(
            key, Set(Permission.allCases).subtracting([.transactionEstimateFee]))
        var foreign = Face.AdminParts(body())
        foreign.key = key
        let before = face.gas.asked.count
        #expect(try await face.admin("POST", path, foreign).errorCode == 2025)
        #expect(face.gas.asked.count == before)
    }

    @Test func `are refused with the code that says why, and their nonce is used up`() async throws
    {
        let (face, wallet, address) = try await funded()
        face.gas.say(40_000)
        #expect(try await face.admin("POST", Self.path, body(wallet, address)).status == 201)
        let cases = [
            (body(wallet, address), 12009), (body(wallet, address, id: "c-2", data: "01"), 2006),
            (body(wallet, address, id: "c-2", data: "0x0"), 2006),
            (body(wallet, address, id: "c-2", to: address), 2006),
            (body(wallet, address, id: "c-2", value: #""value":"9","#), 12007),
            (body(wallet, address, id: "c-2", type: "SOL_Contract"), 2002),
            (body(wallet, "x", id: "c-2"), 2006),
            (body(wallet, address, id: "c-2", more: #","fee":{"fee_type":"UTXO"}"#), 2002),
            (
                body(
                    wallet, address, id: "c-2",
                    more: #","fee":{"fee_type":"EVM_EIP_1559","gas_limit":"3000001"}"#), 2006
            ),
        ]
        for (at, (body, code)) in cases.enumerated() {
            let answer = try await face.admin("POST", Self.path, body)
            #expect(answer.errorCode == code, "case \(at): \(answer.json)")
        }
        // What the node says of it.
        face.gas.fail(Refusal(.invalid, field: "calldata", "execution reverted"))
        var parts = Face.AdminParts(body(wallet, address, id: "c-3"))
        parts.nonce = String(face.test.now.milliseconds + 500)
        let failing = try await face.admin("POST", Self.path, parts)
        #expect(failing.status == 400 && failing.errorCode == 2006)
        #expect(try await face.admin("POST", Self.path, parts).errorCode == 2024)
        face.gas.fail(Refusal(.chainUnavailable, "no node"))
        let away = try await face.admin("POST", Self.path, body(wallet, address, id: "c-3"))
        #expect(away.status == 503 && away.errorCode == 2000)

        let key = AdminKey.ed25519(0x33)
        try await face.admit(key, Set(Permission.allCases).subtracting([.transactionContractCall]))
        var foreign = Face.AdminParts(body(wallet, address, id: "c-3"))
        foreign.key = key
        let count = face.gas.asked.count
        #expect(try await face.admin("POST", Self.path, foreign).errorCode == 2025)
        #expect(face.gas.asked.count == count, "who may not call asks no node")
    }
}
