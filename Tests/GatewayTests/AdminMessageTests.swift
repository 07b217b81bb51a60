import Canonical
import Chains
import Custody
import Identity
import Intents
import TestKit
import Testing

@testable import Gateway

@Suite struct `Messages of the MPC administration face` {
    private static let path = "/v2/transactions/message_sign"
    private static let personal =
        #"{"destination_type":"EVM_EIP_191_Signature","message":"aGVsbG8="}"#
    private static let mail =
        #"{"types":{"EIP712Domain":[{"name":"chainId","type":"uint256"}],"#
        + #""Mail":[{"name":"n","type":"uint256"}]},"primaryType":"Mail","#
        + #""domain":{"chainId":31337},"message":{"n":115792089237316195423570985008687907853}}"#
    private static let typed =
        #"{"destination_type":"EVM_EIP_712_Signature","structured_data":\#(mail)}"#

    private func scene() async throws -> (face: Face, wallet: String, address: String) {
        let face = try await Face()
        try await face.admit()
        let vault = try await face.vault("V")
        let answer = try await face.admin(
            "POST", "/v2/wallets/\(vault)/addresses", #"{"chain_id":"SETH"}"#)
        return (face, vault, answer.json.array.first?["address"]?.string ?? "")
    }

    private func body(
        _ wallet: String, _ address: String, _ destination: String = personal, id: String = "m-1",
        chain: String = "SETH", more: String = ""
    ) -> String {
        #"{"request_id":"\#(id)","chain_id":"\#(chain)","source":{"#
            + #""source_type":"Org-Controlled","wallet_id":"\#(wallet)","address":"\#(address)"},"#
            + #""destination":\#(destination)\#(more)}"#
    }

    /// Has the holders sign what waits.
    private func sign(_ face: Face) async throws -> String {
        let test = face.test
        let requests = try await test.custody.write { try $0.makeIntents(signer: test.signer) }
        guard let request = requests.first else { return "nothing to sign" }
        let signature = try test.signature(request)
        _ = try await test.custody.write { try $0.take(signature: signature, of: request.digest) }
        return signature.evmText
    }

    @Test func `are answered with the signature, on both faces`() async throws {
        let (face, wallet, address) = try await scene()
        let balances = try await face.admin("GET", "/v2/wallets/\(wallet)/tokens").bytes
        for (at, destination) in [Self.personal, Self.typed].enumerated() {
            let asked = try await face.admin(
                "POST", Self.path, body(wallet, address, destination, id: "m-\(at)"))
            #expect(asked.status == 201 && asked.json["status"] == .string("Submitted"))
            let id = asked.json["transaction_id"]?.string ?? ""
            let waiting = try await face.admin("GET", "/v2/transactions/\(id)")
            #expect(waiting.json["type"] == .string("MessageSign"))
            #expect(waiting.json["result"] == nil && waiting.json["fee"] == nil)
            #expect(waiting.json["token_id"] == nil)
            let signature = try await sign(face)
            #expect(signature.utf8.count == 132)
            #expect(signature.hasSuffix("1b") || signature.hasSuffix("1c"))
            let done = try await face.admin("GET", "/v2/transactions/\(id)").json
            #expect(done["status"] == .string("Completed"))
            #expect(
                done["result"]
                    == .object([
                        "result_type": .string("Signature"), "signature": .string(signature),
                    ])
            )
            #expect(done["source"]?["address"] == .string(address))
            let shown = done["destination"]
            let asWritten = try JSONParser.parse(Array(destination.utf8))
            #expect(shown?["destination_type"] == asWritten["destination_type"])
            #expect(shown?["message"] == asWritten["message"])
            #expect(shown?["structured_data"] == asWritten["structured_data"])

            let other = try await face.send("GET", "/v1/transactions/\(id)").json
            #expect(other["type"] == .string("MessageSign") && other["amount"] == .string("0"))
            #expect(other["signature"] == .string(signature) && other["maxFee"] == .null)
        }
        let list = try await face.admin("GET", "/v2/transactions?types=MessageSign")
        #expect(list.data.count == 2)
        #expect(try await face.admin("GET", "/v2/transactions?types=Withdrawal").data.isEmpty)
        let first = try await face.send("GET", "/v1/transactions?type=MessageSign").json
        #expect(first["items"]?.array.count == 2)
        #expect(try await face.admin("GET", "/v2/wallets/\(wallet)/tokens").bytes == balances)
    }

    @Test func `are named once, and refused with the code that says why`() async throws {
        let (face, wallet, address) = try await scene()
        let foreign = try await face.vault("W", as: face.other)
        #expect(try await face.admin("POST", Self.path, body(wallet, address)).status == 201)
        func destination(_ type: String, _ more: String) -> String {
            #"{"destination_type":"\#(type)"\#(more)}"#
        }
        let big = #","message":"\#(String(repeating: "AAAA", count: 5462))""#
        let cases = [
            (body(wallet, address), 12009), (body(wallet, address, id: ""), 2006),
            (body(foreign, address, id: "m-2"), 2028),
            (body(wallet, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", id: "m-2"), 2006),
            (body(wallet, address, id: "m-2", chain: "ETH"), 2006),
            (body(wallet, address, id: "m-2", more: #","fee":{}"#), 2006),
            (body(wallet, address, destination("EVM_EIP_191_Signature", ""), id: "m-2"), 2003),
            (
                body(
                    wallet, address, destination("EVM_EIP_191_Signature", #","message":"%""#),
                    id: "m-2"), 2006
            ),
            (
                body(wallet, address, destination("EVM_EIP_191_Signature", big), id: "m-2"), 2006
            ),
            (
                body(
                    wallet, address,
                    destination("EVM_EIP_712_Signature", #","structured_data":{}"#), id: "m-2"),
                2006
            ),
            (
                body(
                    wallet, address,
                    destination(
                        "EVM_EIP_712_Signature", #","message":"","structured_data":\#(Self.mail)"#),
                    id: "m-2"), 2006
            ),
            (
                body(
                    wallet, address,
                    destination("EVM_EIP_712_Signature", #","structured_data":"x""#), id: "m-2"),
                2006
            ),
        ]
        for (at, (body, code)) in cases.enumerated() {
            let answer = try await face.admin("POST", Self.path, body)
            #expect(answer.errorCode == code, "case \(at): \(answer.json)")
        }
        for type in [
            "Raw_Message_Signature", "BTC_BIP_137_Signature", "BTC_BIP_322_Signature",
            "COSMOS_ADR_36_Signature",
        ] {
            let answer = try await face.admin(
                "POST", Self.path, body(wallet, address, destination(type, ""), id: "m-2"))
            #expect(answer.status == 405 && answer.errorCode == 2002)
        }
        // The name is taken for a transfer too.
        let transfer =
            #"{"request_id":"m-1","token_id":"SETH","source":{"source_type":"Org-Controlled","#
            + #""wallet_id":"\#(wallet)"},"destination":{"destination_type":"Address","#
            + #""account_output":{"address":"\#(address)","amount":"1"}}}"#
        let used = try await face.admin("POST", "/v2/transactions/transfer", transfer)
        #expect(used.errorCode == 12009)
        #expect(try await face.admin("GET", "/v2/transactions").data.count == 1)
    }

    @Test func `need a permission of their own`() async throws {
        let (face, wallet, address) = try await scene()
        let key = AdminKey.ed25519(0x33)
        try await face.admit(key, Set(Permission.allCases).subtracting([.transactionMessageSign]))
        var parts = Face.AdminParts(body(wallet, address))
        parts.key = key
        let answer = try await face.admin("POST", Self.path, parts)
        #expect(answer.status == 403 && answer.errorCode == 2025)
    }
}
