import Canonical
import Chains
import Custody
import Identity
import Intents
import TestKit
import Testing

@testable import Gateway

@Suite struct `Speed-up and drop over the MPC administration face` {
    private static let payee = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

    /// A wallet with two coins, and a transfer of one that waits for a block.
    private struct Scene {
        let face: Face
        let wallet: String
        let id: String
        var chain = TestChain()

        init(more: String = "") async throws {
            face = try await Face()
            try await face.admit()
            try await face.admit(.ed25519(0x22), for: face.other.tenant)
            wallet = try await face.vault("V")
            let answer = try await face.admin(
                "POST", "/v2/wallets/\(wallet)/addresses", #"{"chain_id":"SETH"}"#)
            let address = answer.json.array.first?["address"]?.string ?? ""
            let coins = try Amount(text: "2", decimals: 18)
            for transfers in [[], [chain.deposit(coins, to: address)], [], []] {
                try await face.test.apply(chain.block(transfers))
            }
            _ = try await face.admin(
                "POST", "/v2/address_books",
                #"{"address_books":[{"chain_ids":["SETH"],"address":"\#(payee)"}]}"#)
            try await face.test.announceAddresses()
            let sent = try await face.admin(
                "POST", "/v2/transactions/transfer",
                #"{"request_id":"r-1","token_id":"SETH","source":{"source_type":"Org-Controlled","#
                    + #""wallet_id":"\#(wallet)"},"destination":{"destination_type":"Address","#
                    + #""account_output":{"address":"\#(payee)","amount":"1"}}\#(more)}"#)
            id = sent.json["transaction_id"]?.string ?? "status \(sent.status)"
        }

        /// Signs what waits for a signature.
        func sign() async throws -> SignedEVMTransaction {
            let signer = face.test.signer
            let requests = try await face.test.custody.write { try $0.makeIntents(signer: signer) }
            let request = try #require(requests.first)
            let signature = try face.test.signature(request)
            #expect(
                try await face.test.custody.write {
                    try $0.take(signature: signature, of: request.digest)
                })
            face.test.pass(seconds: 1)
            let raw = try await face.test.custody.read { books in
                let hash = try books.store.transaction(request.transaction!)!.hash!
                return try books.store.outgoing(hash, on: TestCustody.chain)!.raw
            }
            return try #require(SignedEVMTransaction(raw: raw))
        }

        mutating func mine(_ signed: SignedEVMTransaction) async throws {
            for transfers in [[TestChain.mined(signed)], [], []] {
                try await face.test.apply(chain.block(transfers))
            }
        }

        func ask(_ verb: String, _ body: String, id: String? = nil) async throws -> Face.Answer {
            try await face.admin("POST", "/v2/transactions/\(id ?? self.id)/\(verb)", body)
        }

        func shown() async throws -> JSONValue {
            try await face.admin("GET", "/v2/transactions/\(id)").json
        }
    }

    private func body(_ name: String, price: String = "9", tip: String = "4") -> String {
        #"{"request_id":"\#(name)","fee":{"fee_type":"EVM_EIP_1559","token_id":"SETH","#
            + #""max_fee_per_gas":"\#(price)","max_priority_fee_per_gas":"\#(tip)"}}"#
    }

    @Test func `a transfer is sped up, as its caller prices it, and stays what it was`()
        async throws
    {
        var scene = try await Scene()
        let first = try await scene.sign()
        let asked = try await scene.ask("speedup", body("s-1"))
        #expect(asked.status == 201 && asked.json["status"] == .string("Broadcasting"))
        #expect(asked.json["transaction_id"] == .string(scene.id))
        #expect(asked.json["request_id"] == .string("s-1"))
        // 21,000 gas at 9 wei.
        #expect(
            try await scene.shown()["fee"]?["max_fee_amount"] == .string("0.000000000000189"))
        let second = try await scene.sign()
        #expect(second.transaction.fee.maxFeePerGas == 9)
        #expect(second.transaction.fee.maxPriorityFeePerGas == 4)
        let shown = try await scene.shown()
        #expect(shown["transaction_hash"] == .string("0x" + second.hash.hex))
        #expect(shown["request_id"] == .string("r-1"))
        #expect(shown["replacement"]?["replaced_type"] == .string("SpeedUp"))
        #expect(
            shown["replacement"]?["replaced_transaction_hash"] == .string("0x" + first.hash.hex))
        for name in ["r-1", "s-1"] {
            let found = try await scene.face.admin("GET", "/v2/transactions?request_id=\(name)")
            #expect(found.data.map { $0["transaction_id"] } == [.string(scene.id)])
        }
        try await scene.mine(second)
        #expect(try await scene.shown()["status"] == .string("Completed"))
        let other = try await scene.face.send("GET", "/v1/transactions/\(scene.id)").json
        #expect(other["txHash"] == .string("0x" + second.hash.hex))
    }

    @Test func `an estimate says what nodes ask for in place of its bytes`() async throws {
        let scene = try await Scene()
        let path = "/v2/transactions/estimate_fee"
        func body(_ id: String?) -> String {
            #"{"request_type":"Transfer","token_id":"SETH","source":{"source_type":"#
                + #""Org-Controlled","wallet_id":"\#(scene.wallet)"}"#
                + (id.map { #","replaced_transaction_id":"\#($0)"}"# } ?? "}")
        }
        #expect(try await scene.face.admin("POST", path, body(scene.id)).errorCode == 60007)
        #expect(try await scene.face.admin("POST", path, body("nothing")).errorCode == 60004)
        _ = try await scene.sign()
        let usual = try await scene.face.admin("POST", path, body(nil)).json
        #expect(usual["slow"]?["max_fee_per_gas"] == .string("2"))
        let raised = try await scene.face.admin("POST", path, body(scene.id)).json
        #expect(raised["slow"]?["max_fee_per_gas"] == .string("4"))
        #expect(raised["slow"]?["max_priority_fee_per_gas"] == .string("2"))
        #expect(raised["recommended"]?["max_fee_per_gas"] == .string("4"))
        #expect(raised["fast"]?["max_fee_per_gas"] == .string("5"))
        let asked = try await scene.ask("speedup", self.body("s-1", price: "4", tip: "2"))
        #expect(asked.status == 201, "\(asked.json)")
    }

    @Test func `a transfer is dropped, and only a fee is gone`() async throws {
        var scene = try await Scene()
        _ = try await scene.sign()
        let legacy = #"{"request_id":"d-1","fee":{"fee_type":"EVM_Legacy","gas_price":"8"}}"#
        #expect(try await scene.ask("drop", legacy).status == 201)
        let drop = try await scene.sign()
        #expect(drop.transaction.value == .zero && drop.transaction.fee.maxFeePerGas == 8)
        #expect(try await scene.shown()["replacement"]?["replaced_type"] == .string("Drop"))
        #expect(try await scene.ask("speedup", body("s-1", price: "20")).errorCode == 60007)
        try await scene.mine(drop)
        let shown = try await scene.shown()
        #expect(shown["status"] == .string("Failed"))
        #expect(shown["sub_status"] == .string("CanceledByAPI"))
        let balances = try await scene.face.admin("GET", "/v2/wallets/\(scene.wallet)/tokens")
        #expect(balances.data.first?["balance"]?["locked"] == .string("0"))
        #expect(
            balances.data.first?["balance"]?["available"] == .string("1.999999999999979"))
    }

    @Test func `is refused with the code that says why, and changes nothing`() async throws {
        let scene = try await Scene()
        #expect(try await scene.ask("speedup", body("s-1")).errorCode == 60007)
        #expect(try await scene.ask("drop", body("s-1")).errorCode == 60006)
        _ = try await scene.sign()
        let before = try await scene.shown()
        let fixed = #"{"request_id":"s-1","fee":{"fee_type":"Fixed","max_fee_amount":"1"},"#
        let source =
            #""source":{"source_type":"User-Controlled","wallet_id":"\#(scene.wallet)"}}"#
        let cases = [
            (body("r-1"), 12009), (body("s-1", price: "3"), 2006), (body("s-1", tip: "1"), 2006),
            (body("s-1", price: "3.5"), 2006), (body("s-1", price: "-4"), 2006),
            (body("s-1", tip: "10"), 2006),
            (body("s-1", price: "1000000000000000"), 12007),
            (#"{"request_id":"s-1"}"#, 2003), (#"{"fee":{"fee_type":"Fixed"}}"#, 2003),
            (#"{"request_id":"s-1","fee":{"fee_type":"UTXO"}}"#, 2002),
            (fixed + #""category_names":["x"]}"#, 2006),
            (fixed + source, 2006),
        ]
        for (at, (body, code)) in cases.enumerated() {
            let answer = try await scene.ask("speedup", body)
            #expect(answer.errorCode == code, "case \(at): \(answer.json)")
        }
        let nobody = "00000000-0000-4000-8000-000000000000"
        #expect(try await scene.ask("drop", body("s-1"), id: nobody).errorCode == 60004)
        var foreign = Face.AdminParts(body("s-1"))
        foreign.key = .ed25519(0x22)
        let path = "/v2/transactions/\(scene.id)/drop"
        #expect(try await scene.face.admin("POST", path, foreign).errorCode == 60004)
        #expect(try await scene.shown() == before)

        #expect(try await scene.ask("drop", body("s-1")).status == 201)
        #expect(try await scene.ask("drop", body("s-1")).errorCode == 12009)
        _ = try await scene.sign()
        #expect(try await scene.ask("speedup", body("s-2", price: "99")).errorCode == 60007)
        let late = try await scene.face.admin(
            "POST", "/v2/transactions/transfer",
            #"{"request_id":"s-1","token_id":"SETH","source":{"source_type":"Org-Controlled","#
                + #""wallet_id":"\#(scene.wallet)"},"destination":{"destination_type":"Address","#
                + #""account_output":{"address":"\#(Self.payee)","amount":"0.1"}}}"#)
        #expect(late.errorCode == 12009)

        let key = AdminKey.ed25519(0x33)
        try await scene.face.admit(key, Set(Permission.allCases).subtracting([.transactionManage]))
        var reader = Face.AdminParts(body("s-3"))
        reader.key = key
        #expect(try await scene.face.admin("POST", path, reader).errorCode == 2025)
    }

    @Test func `a transfer that is built only waits for its caller, over a restart too`()
        async throws
    {
        var scene = try await Scene(more: #","transaction_process_type":"BuildOnly""#)
        let shown = try await scene.shown()
        #expect(shown["status"] == .string("Submitted") && shown["sub_status"] == .string("Built"))
        let signer = scene.face.test.signer
        func requests() async throws -> Int {
            try await scene.face.test.custody.write { try $0.makeIntents(signer: signer).count }
        }
        #expect(try await requests() == 0)
        let own = try await scene.face.send("GET", "/v1/transactions/\(scene.id)").json
        #expect(own["waitingFor"]?["what"] == .string("SignAndBroadcast"))
        let nobody = "00000000-0000-4000-8000-000000000000"
        let unknown = try await scene.ask("sign_and_broadcast", "", id: nobody)
        #expect(unknown.errorCode == 60004)
        #expect(try await scene.ask("sign_and_broadcast", "").status == 201)
        #expect(try await scene.ask("sign_and_broadcast", "").errorCode == 2006, "once")
        let signed = try await scene.sign()
        try await scene.mine(signed)
        #expect(try await scene.shown()["status"] == .string("Completed"))
        #expect(try await scene.ask("sign_and_broadcast", "").errorCode == 2006)
    }

    @Test func `what failed is sent again by a key that may make it`() async throws {
        let scene = try await Scene(more: #","transaction_process_type":"BuildOnly""#)
        #expect(try await scene.ask("resend", #"{"request_id":"a"}"#).errorCode == 2006)
        #expect(try await scene.ask("cancel", "").status == 201)
        #expect(try await scene.ask("sign_and_broadcast", "").errorCode == 2006)
        #expect(try await scene.ask("resend", #"{"request_id":"r-1"}"#).errorCode == 12009)
        #expect(try await scene.ask("resend", "{}").errorCode == 2003)
        let key = AdminKey.ed25519(0x33)
        try await scene.face.admit(
            key, Set(Permission.allCases).subtracting([.transactionWithdraw]))
        var manager = Face.AdminParts(#"{"request_id":"a"}"#)
        manager.key = key
        let path = "/v2/transactions/\(scene.id)/resend"
        #expect(try await scene.face.admin("POST", path, manager).errorCode == 2025)
        let again = try await scene.ask("resend", #"{"request_id":"a"}"#)
        #expect(again.status == 201 && again.json["request_id"] == .string("a"))
        #expect(again.json["transaction_id"] != .string(scene.id))
        #expect(try await scene.ask("resend", #"{"request_id":"a"}"#).errorCode == 12009)
    }
}
