import Canonical
import Custody
import Intents
import TestKit
import Testing

@testable import Gateway

@Suite struct `Callbacks of the MPC administration face` {
    private static let asking = AdminKey.ed25519(0x33)
    private static let url = "http://127.0.0.1:1/ask"
    private static let path = "/v2/developers/callback_messages"

    /// Notes what the server said to the question that is due.
    private static func say(_ face: Face, _ status: Int, _ word: String) async throws {
        let now = face.test.now
        let attempt = DeliveryAttempt(
            began: now, milliseconds: 1, outcome: .answer(status: status, start: Array(word.utf8)))
        try await face.test.custody.write { books in
            let due = try books.store.dueCallbacks(at: now, most: 1, ofTenantMost: 1)
            let event = try #require(due.first).event
            let delivery = try #require(try books.store.delivery(event))
            try books.tried(delivery, attempt, DeliverySchedule(pauses: []))
        }
    }

    @Test func `hold a transaction back, and are listed when they were answered`() async throws {
        let face = try await Face()
        try await face.admit()
        try await face.admit(Self.asking, callbackURL: Self.url)
        try await face.admit(.ed25519(0x22), for: face.other.tenant)
        var parts = Face.AdminParts()
        parts.key = Self.asking
        let info = try await face.admin("GET", "/v2/developers/api_key_info", parts).json
        #expect(info["callback_url"] == .string(Self.url))

        let wallet = try await AdminScene.fund(face)
        let sent = try await AdminScene.send(face, from: wallet, "r-1", key: Self.asking)
        let id = sent.json["transaction_id"]?.string ?? ""
        let held = try await face.admin("GET", "/v2/transactions/\(id)").json
        #expect(held["status"] == .string("Submitted"))
        #expect(held["sub_status"] == .string("PendingApproverCheck"))
        let own = try await face.send("GET", "/v1/transactions/\(id)").json
        #expect(own["waitingFor"]?["what"] == .string("ApprovalCallback"))
        #expect(try await face.admin("GET", Self.path).data.isEmpty, "nothing came of it yet")

        try await Self.say(face, 500, "ok")
        let failing = try #require(try await face.admin("GET", Self.path).data.first)
        #expect(failing["status"] == .string("Failed") && failing["result"] == nil)
        #expect(failing["data"]?["transaction_id"] == .string(id))
        #expect(failing["request_id"] == .string("r-1"))
        let retry = Self.path + "/\(failing["id"]?.string ?? "")/retry"
        var stranger = Face.AdminParts()
        stranger.key = .ed25519(0x22)
        #expect(try await face.admin("POST", retry, stranger).errorCode == 2028)
        #expect(try await face.admin("GET", Self.path, stranger).data.isEmpty)
        let retried = try await face.admin("POST", retry)
        #expect(retried.status == 201 && retried.json["retried"] == .bool(true))

        try await Self.say(face, 200, "deny")
        let rejected = try await face.admin("GET", "/v2/transactions/\(id)").json
        #expect(rejected["status"] == .string("Rejected"))
        #expect(rejected["sub_status"] == .string("RejectedApproverAuth"))
        let balances = try await face.admin("GET", "/v2/wallets/\(wallet)/tokens").data
        #expect(balances.first?["balance"]?["locked"] == .string("0"))
        #expect(try await face.admin("GET", "/v2/transactions?statuses=Rejected").data.count == 1)
        #expect(try await face.admin("POST", retry).errorCode == 2006)
        for (query, count) in [
            ("status=Denied", 1), ("status=Approved", 0), ("request_ids=r-1%2Cx", 1),
            ("wallet_ids=\(wallet)", 1), ("transaction_ids=\(id)", 1), ("request_ids=x", 0),
        ] {
            let found = try await face.admin("GET", "\(Self.path)?\(query)").data
            #expect(found.count == count, "\(query)")
            #expect(found.allSatisfy { $0["result"] == .string("deny") })
        }
        #expect(try await face.admin("GET", Self.path + "?status=Waiting").errorCode == 2006)
    }

    @Test func `let a transaction go on`() async throws {
        let face = try await Face()
        try await face.admit(Self.asking, callbackURL: Self.url)
        try await face.admit()
        let wallet = try await AdminScene.fund(face)
        let sent = try await AdminScene.send(face, from: wallet, "r-1", key: Self.asking)
        try await Self.say(face, 201, "ok")
        let found = try await face.admin("GET", Self.path + "?status=Approved").data
        #expect(found.map { $0["result"] } == [.string("ok")])
        #expect(found.first?["transaction_id"] == sent.json["transaction_id"])
    }
}
