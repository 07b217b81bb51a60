import Canonical
import Chains
import Custody
import Intents
import TestKit
import Testing

@testable import Gateway

@Suite struct `Webhooks of the MPC administration face` {
    private static let transfers = [
        "wallets.transaction.created", "wallets.transaction.updated",
        "wallets.transaction.failed", "wallets.transaction.succeeded",
    ]

    private static func face() async throws -> Face {
        let face = try await Face()
        try await face.admit()
        try await face.admit(.ed25519(0x22), for: face.other.tenant)
        return face
    }

    private static func subscribe(
        _ face: Face, _ types: [String], url: String = "http://127.0.0.1:1/hook", more: String = ""
    ) async throws -> Face.Answer {
        let list = types.map { "\"\($0)\"" }.joined(separator: ",")
        return try await face.admin(
            "POST", "/v2/webhooks/endpoints",
            #"{"url":"\#(url)","subscribed_events":[\#(list)]\#(more)}"#)
    }

    /// The id of an endpoint that is told of these.
    private static func endpoint(_ face: Face, _ types: [String]) async throws -> String {
        let answer = try await subscribe(face, types)
        return answer.json["endpoint_id"]?.string ?? "status \(answer.status)"
    }

    private static func events(
        _ face: Face, _ endpoint: String, _ query: String = ""
    ) async throws -> [JSONValue] {
        try await face.admin("GET", "/v2/webhooks/endpoints/\(endpoint)/events?\(query)").data
    }

    /// One try of an event, as its sender notes it.
    private static func attempt(_ face: Face, _ event: JSONValue, _ status: Int) async throws {
        let id = try #require(event["event_id"]?.string.flatMap { EventID(text: $0) })
        let attempt = DeliveryAttempt(
            began: face.test.now, milliseconds: 12,
            outcome: status == 0
                ? .failure("no answer") : .answer(status: status, start: Array("x".utf8)))
        try await face.test.custody.write { books in
            let delivery = try #require(try books.store.delivery(id))
            try books.tried(delivery, attempt, DeliverySchedule(pauses: [.seconds(5)]))
        }
    }

    @Test func `an endpoint is made, found, changed and ended`() async throws {
        let face = try await Self.face()
        let made = try await Self.subscribe(
            face, Self.transfers, more: #","description":"Ledger""#)
        #expect(made.status == 201 && made.json["status"] == .string("STATUS_ACTIVE"))
        let id = made.json["endpoint_id"]?.string ?? ""
        let path = "/v2/webhooks/endpoints/\(id)"
        #expect(try await face.admin("GET", path).json == made.json)
        let list = "/v2/webhooks/endpoints?"
        #expect(try await face.admin("GET", list).data == [made.json])
        for (query, count) in [
            ("event_type=wallets.transaction.failed", 1), ("event_type=wallets.created", 0),
            ("status=STATUS_ACTIVE", 1), ("status=STATUS_INACTIVE", 0),
        ] {
            #expect(try await face.admin("GET", list + query).data.count == count, "\(query)")
        }
        let changed = try await face.admin(
            "PUT", path, #"{"subscribed_events":["wallets.created"]}"#)
        #expect(changed.json["subscribed_events"] == .array([.string("wallets.created")]))
        #expect(changed.json["description"] == .string("Ledger"))
        let ended = try await face.admin("PUT", path, #"{"status":"STATUS_INACTIVE"}"#)
        #expect(ended.status == 200 && ended.json["status"] == .string("STATUS_INACTIVE"))
        #expect(try await face.admin("GET", list + "status=STATUS_INACTIVE").data.count == 1)
        let again = try await face.admin("PUT", path, #"{"description":"x"}"#)
        #expect(again.errorCode == 2006)

        var stranger = Face.AdminParts(#"{"description":"x"}"#)
        stranger.key = .ed25519(0x22)
        #expect(try await face.admin("PUT", path, stranger).errorCode == 2028)
        stranger.body = []
        #expect(try await face.admin("GET", path, stranger).errorCode == 2028)
        #expect(try await face.admin("GET", path + "/events", stranger).errorCode == 2028)
        #expect(try await face.admin("GET", "/v2/webhooks/endpoints", stranger).data.isEmpty)
    }

    @Test func `what is never sent cannot be asked for, nor a URL that must not be called`()
        async throws
    {
        let face = try await Self.face()
        let long = "http://127.0.0.1/" + String(repeating: "a", count: 500)
        for (types, url) in [
            (["wallet.mpc.balance.updated"], "http://127.0.0.1:1/"), ([], "http://127.0.0.1:1/"),
            (["wallets.created", "wallets.created"], "http://127.0.0.1:1/"),
            (["wallets.created"], "ftp://example.com/"), (["wallets.created"], long),
            (["wallets.created"], "http://user@example.com/"),
        ] {
            let answer = try await Self.subscribe(face, types, url: url)
            #expect(answer.status == 400 && answer.errorCode == 2006, "\(types) \(url)")
        }
        for _ in 0..<10 { _ = try await Self.endpoint(face, ["wallets.created"]) }
        #expect(try await Self.subscribe(face, ["wallets.created"]).errorCode == 2006)
        let known = try await face.admin("GET", "/v2/webhooks/events/definitions").json.array
        let names = known.compactMap { $0["event_type"]?.string }
        #expect(names == AdminEventType.allCases.map(\.rawValue))
        let texts = known.compactMap { $0["description"]?.string }
        #expect(texts.count == names.count && !texts.contains(""))
    }

    @Test func `a transaction's events are kept with what it was then, and sent until heard`()
        async throws
    {
        let face = try await Self.face()
        let wallet = try await AdminScene.fund(face)
        let id = try await Self.endpoint(face, Self.transfers)
        let other = try await Self.endpoint(face, ["wallets.transaction.failed"])
        let sent = try await AdminScene.send(face, from: wallet, "r-1")
        let transaction = sent.json["transaction_id"]?.string ?? ""
        _ = try await face.admin("POST", "/v2/transactions/\(transaction)/cancel")

        let found = try await Self.events(face, id)
        #expect(
            found.map { $0["type"]?.string } == [
                "wallets.transaction.failed", "wallets.transaction.created",
            ])
        let created = try #require(found.last)
        #expect(created["data"]?["data_type"] == .string("Transaction"))
        #expect(created["data"]?["status"] == .string("Submitted"))
        #expect(created["data"]?["transaction_id"] == .string(transaction))
        #expect(created["status"] == .string("Retrying"))
        #expect(created["retries_left"] == .number("10"))
        #expect(try await Self.events(face, other).count == 1)
        let path = "/v2/webhooks/endpoints/\(id)/events/\(created["event_id"]?.string ?? "")"
        let elsewhere = path.replacing(id, with: other)
        #expect(try await face.admin("GET", elsewhere).errorCode == 2028)
        // The other face's list knows neither, though it has the transaction's events too.
        let own = try await face.send("GET", "/v1/webhooks/events?type=transaction.created")
        let states = own.json["items"]?.array.map { $0["state"]?.string }
        #expect(states == ["Unsent", "Unsent"])
        let theirs = "/v1/webhooks/events/\(created["event_id"]?.string ?? "")"
        #expect(try await face.send("GET", theirs).status == 404)
        #expect(try await face.post(theirs + "/redelivery", "").status == 404)

        try await Self.attempt(face, created, 202)
        let once = try await face.admin("GET", path).json
        #expect(once["status"] == .string("Retrying") && once["retries_left"] == .number("9"))
        #expect(once["next_retry_timestamp"] != nil && once["data"] == created["data"])
        try await Self.attempt(face, created, 0)
        #expect(try await Self.events(face, id, "status=Failed").count == 1)
        #expect(try await Self.events(face, id, "status=Success").isEmpty)
        let retried = try await face.admin("POST", path + "/retry")
        #expect(retried.status == 201 && retried.json["retried"] == .bool(true))
        try await Self.attempt(face, created, 201)
        #expect(try await face.admin("GET", path).json["status"] == .string("Success"))
        #expect(try await face.admin("POST", path + "/retry").errorCode == 2006)
        let logs = try await face.admin("GET", path + "/logs").data
        #expect(logs.map { $0["success"] } == [.bool(true), .bool(false), .bool(false)])
        #expect(logs.first?["response_status_code"] == .number("201"))
        #expect(logs[1]["failure_reason"] == .string("no answer"))
    }

    @Test func `an endpoint that is ended is sent nothing more`() async throws {
        let face = try await Self.face()
        let types = ["wallets.created", "wallets.updated", "wallets.addresses.created"]
        let id = try await Self.endpoint(face, types)
        let vault = try await face.vault("V")
        _ = try await face.admin(
            "PUT", "/v2/wallets/\(vault)", #"{"wallet_type":"MPC","name":"W"}"#)
        _ = try await face.admin(
            "POST", "/v2/wallets/\(vault)/addresses", #"{"chain_id":"SETH","count":2}"#)
        let found = try await Self.events(face, id)
        #expect(
            found.map { $0["type"]?.string } == [
                "wallets.addresses.created", "wallets.addresses.created", "wallets.updated",
                "wallets.created",
            ])
        #expect(found[2]["data"]?["wallet"]?["name"] == .string("W"))
        #expect(found[3]["data"]?["wallet"]?["name"] == .string("V"))
        let address = found[0]["data"]?["addresses"]?.array.first
        #expect(address?["wallet_id"] == .string(vault))
        _ = try await face.admin(
            "PUT", "/v2/webhooks/endpoints/\(id)", #"{"status":"STATUS_INACTIVE"}"#)
        #expect(try await Self.events(face, id, "status=Failed").count == 4)
        _ = try await face.vault("X")
        #expect(try await Self.events(face, id).count == 4)
        let path = "/v2/webhooks/endpoints/\(id)/events/\(found[0]["event_id"]?.string ?? "")"
        #expect(try await face.admin("POST", path + "/retry").errorCode == 2006)
    }

    @Test func `samples are of nothing, with what the caller wants to see in them`() async throws {
        let face = try await Self.face()
        let path = "/v2/webhooks/events/trigger"
        let type = "wallets.mpc.tss_request.succeeded"
        let body = #"{"event_type":"\#(type)"}"#
        #expect(try await face.admin("POST", path, body).json["triggered"] == .bool(false))
        let id = try await Self.endpoint(face, [type] + Self.transfers)
        let answer = try await face.admin("POST", path, body)
        #expect(answer.status == 201 && answer.json["triggered"] == .bool(true))
        let sample = try #require(try await Self.events(face, id).first)
        #expect(sample["data"]?["status"] == .string("Success"))
        let own =
            #"{"event_type":"wallets.transaction.updated","override_data":"#
            + #"{"status":"Confirming","confirmed_num":2}}"#
        #expect(try await face.admin("POST", path, own).json["triggered"] == .bool(true))
        let changed = try #require(try await Self.events(face, id).first)
        #expect(changed["data"]?["confirmed_num"] == .number("2"))
        for wrong in [
            #"{"event_type":"wallets.created"}"#, #"{"event_type":"no.such"}"#, "{}",
            #"{"event_type":"\#(type)","override_data":{"data_type":"Chains"}}"#,
            #"{"event_type":"\#(type)","override_data":{"amount":"1"}}"#,
            #"{"event_type":"\#(type)","override_data":"status"}"#,
        ] {
            #expect(try await face.admin("POST", path, wrong).status == 400, "\(wrong)")
        }
    }
}

/// A wallet of the face with two coins, and an address to send them to.
enum AdminScene {
    static let payee = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

    static func fund(_ face: Face) async throws -> String {
        let vault = try await face.vault("V")
        let answer = try await face.admin(
            "POST", "/v2/wallets/\(vault)/addresses", #"{"chain_id":"SETH"}"#)
        let address = answer.json.array.first?["address"]?.string ?? "status \(answer.status)"
        var chain = TestChain()
        let coins = try Amount(text: "2", decimals: 18)
        for transfers in [[], [chain.deposit(coins, to: address)], [], []] {
            try await face.test.apply(chain.block(transfers))
        }
        _ = try await face.admin(
            "POST", "/v2/address_books",
            #"{"address_books":[{"chain_ids":["SETH"],"address":"\#(payee)"}]}"#)
        return vault
    }

    static func send(
        _ face: Face, from wallet: String, _ id: String, key: AdminKey = .ed25519(0x11)
    ) async throws -> Face.Answer {
        var parts = Face.AdminParts(
            #"{"request_id":"\#(id)","token_id":"SETH","source":{"source_type":"Org-Controlled","#
                + #""wallet_id":"\#(wallet)"},"destination":{"destination_type":"Address","#
                + #""account_output":{"address":"\#(payee)","amount":"0.5"}}}"#)
        parts.key = key
        return try await face.admin("POST", "/v2/transactions/transfer", parts)
    }
}
