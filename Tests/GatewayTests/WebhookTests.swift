import Canonical
import Chains
import Custody
import Intents
import TestKit
import Testing

@testable import Gateway

@Suite struct `Webhooks over the face` {
    private static func put(_ face: Face, as caller: Face.Caller? = nil) async throws {
        var parts = Face.Parts(#"{"url":"http://127.0.0.1:1/hook"}"#)
        parts.caller = caller
        #expect(try await face.send("PUT", "/v1/webhooks/outbound", parts).status == 200)
    }

    private static func fail(_ face: Face, _ event: String, _ status: Int) async throws {
        let id = try #require(EventID(text: event))
        let attempt = DeliveryAttempt(
            began: face.test.now, milliseconds: 12,
            outcome: status == 0
                ? .failure("no answer") : .answer(status: status, start: Array("é".utf8)))
        try await face.test.custody.write { books in
            let delivery = try #require(try books.store.delivery(id))
            try books.tried(delivery, attempt, DeliverySchedule(pauses: []))
        }
    }

    @Test func `a deposit that a reorganisation took back says so in its event`() async throws {
        let face = try await Face()
        let address = try await face.wallet("a")["depositAddress"]?.string ?? ""
        var chain = TestChain()
        try await face.test.apply(chain.block())
        try await face.test.apply(chain.block([chain.deposit(Amount(500), to: address)]))
        for _ in 0..<2 { try await face.test.apply(chain.block()) }
        for _ in 0..<3 { try await face.test.revert(try #require(chain.drop())) }
        let tenant = face.caller.tenant
        let told = try await face.test.custody.read { books in
            let page = try PageRequest()
            let all = try books.store.events(
                of: tenant, matching: EventFilter(type: "transaction.status.updated"), page)
            return all.items.map { try? JSONParser.parse($0.body)["data"] }
        }
        // The newest first.
        #expect(told.map { $0?["status"]?.string } == ["Confirming", "Completed"])
        #expect(told.first??["waitingFor"]?["what"]?.string == "BlockAfterReorganisation")
        #expect(told.first??["timeline"]?.array.count == 3)
    }

    @Test func `without an endpoint nothing can be sent`() async throws {
        let face = try await Face()
        for target in ["outbound/secret-rotation", "test-event"] {
            let answer = try await face.post("/v1/webhooks/\(target)", "")
            #expect(answer.status == 409 && answer.code == "no_webhook", "\(target)")
        }
        _ = try await face.vault("a")
        _ = try await face.wallet("b")
        let events = try await face.send("GET", "/v1/webhooks/events").json["items"]?.array ?? []
        let id = try #require(events.first?["id"]?.string)
        #expect(events.first?["state"]?.string == "Unsent")
        let answer = try await face.post("/v1/webhooks/events/\(id)/redelivery", "")
        #expect(answer.status == 409 && answer.code == "no_webhook")
        try await Self.put(face)
        #expect(try await face.post("/v1/webhooks/events/\(id)/redelivery", "").status == 202)
    }

    @Test func `an event shows every attempt, and is sent again when asked`() async throws {
        let face = try await Face()
        try await Self.put(face)
        let sent = try await face.post("/v1/webhooks/test-event", "")
        #expect(sent.status == 202)
        #expect(sent.json["type"]?.string == "webhook.test")
        #expect(sent.json["state"]?.string == "Waiting")
        let id = try #require(sent.json["id"]?.string)
        try await Self.fail(face, id, 0)
        let dead = try await face.send("GET", "/v1/webhooks/events/\(id)")
        #expect(dead.json["state"]?.string == "Dead")
        #expect(dead.json["nextAttemptAt"] == .null)
        #expect(dead.json["attempts"]?.array.first?["error"]?.string == "no answer")
        let again = try await face.post("/v1/webhooks/events/\(id)/redelivery", "")
        #expect(again.json["state"]?.string == "Redelivering")
        try await Self.fail(face, id, 204)
        #expect(try await face.post("/v1/webhooks/events/\(id)/redelivery", "").status == 202)
        try await Self.fail(face, id, 200)
        let done = try await face.send("GET", "/v1/webhooks/events/\(id)")
        #expect(done.json["state"]?.string == "Delivered")
        #expect(done.json["attemptCount"] == .number("3"))
        let attempts = done.json["attempts"]?.array ?? []
        #expect(
            attempts.map { $0["statusCode"] ?? .null } == [.null, .number("204"), .number("200")])
        #expect(attempts.last?["answer"]?.string == "é")
        #expect(attempts.last?["durationMilliseconds"] == .number("12"))
        #expect(done.json["body"]?.string == dead.json["body"]?.string)
        // Another tenant's event is as one that does not exist.
        for target in ["/v1/webhooks/events/\(id)", "/v1/webhooks/events/\(id)/redelivery"] {
            var parts = Face.Parts()
            parts.caller = face.other
            let method = target.hasSuffix("redelivery") ? "POST" : "GET"
            #expect(try await face.send(method, target, parts).status == 404)
        }
    }

    @Test func `events are listed by page, type and state`() async throws {
        let face = try await Face()
        try await Self.put(face)
        var ids: [String] = []
        for _ in 0..<5 {
            ids.append(try await face.post("/v1/webhooks/test-event", "").json["id"]?.string ?? "")
        }
        _ = try await face.wallet("w")
        try await Self.put(face, as: face.other)
        var parts = Face.Parts()
        parts.caller = face.other
        _ = try await face.send("POST", "/v1/webhooks/test-event", parts)
        try await Self.fail(face, ids[1], 200)
        func list(_ query: String) async throws -> [String] {
            var (found, after) = ([String](), "")
            while true {
                let page = try await face.send(
                    "GET", "/v1/webhooks/events?limit=2&\(query)\(after)"
                ).json
                found += page["items"]?.array.map { $0["id"]?.string ?? "" } ?? []
                guard let next = page["next"]?.string else { return found }
                after = "&after=\(next)"
            }
        }
        #expect(try await list("type=webhook.test") == ids.reversed())
        #expect(try await list("state=Delivered") == [ids[1]])
        #expect(try await list("type=webhook.test&state=Waiting").count == 4)
        #expect(try await list("type=wallet.created").count == 1)
        #expect(try await list("state=Dead").isEmpty)
        for query in ["type=no.such", "state=waiting", "kind=x"] {
            let answer = try await face.send("GET", "/v1/webhooks/events?\(query)")
            #expect(answer.status == 400, "\(query)")
        }
    }

    @Test func `a rotated secret is shown once, with the end of the one before`() async throws {
        let face = try await Face()
        try await Self.put(face)
        let rotated = try await face.post("/v1/webhooks/outbound/secret-rotation", "")
        #expect(rotated.status == 201)
        #expect(rotated.json["signingSecret"]?.string?.count == 44)
        #expect(rotated.json["previousSecretValidUntil"]?.string == "2027-01-16T08:00:00Z")
        let shown = try await face.send("GET", "/v1/webhooks/outbound").json
        #expect(shown["signingSecret"] == .null)
        #expect(shown["previousSecretValidUntil"]?.string == "2027-01-16T08:00:00Z")
        face.test.pass(seconds: 24 * 3600)
        #expect(
            try await face.send("GET", "/v1/webhooks/outbound").json["previousSecretValidUntil"]
                == .null)
    }
}
