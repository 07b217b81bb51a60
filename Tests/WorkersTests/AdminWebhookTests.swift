import Algebra
import Canonical
import Custody
import Intents
import TestKit
import Testing

@testable import Workers

/// Deliveries to endpoints of the MPC administration face.
@Suite struct `Deliveries in the other form` {
    private static let brisk = DeliverySchedule(
        pauses: [.milliseconds(50), .milliseconds(50)], answerMost: .milliseconds(400))

    /// A tenant with an endpoint there.
    private static func subscription(
        _ outbox: Outbox, _ url: String
    ) async throws -> Subscription {
        let tenant = try await outbox.test.tenant(url)
        return try await outbox.custody.write {
            try $0.subscribe(url, to: ["sample"], note: nil, for: tenant)
        }
    }

    private static func tell(_ outbox: Outbox, _ subscription: Subscription) async throws -> EventID
    {
        let tenant = subscription.tenant
        #expect(
            try await outbox.custody.write {
                try $0.trigger(Notice(type: "sample", data: Array("data".utf8)), of: tenant)
            })
        let filter = EventFilter(form: .mpcAdmin, resource: subscription.id.bytes)
        let found = try await outbox.custody.read {
            try $0.store.events(of: tenant, matching: filter, PageRequest()).items
        }
        return try #require(found.first).id
    }

    @Test func `each try is signed by the platform, with the same id and content`() async throws {
        let outbox = try Outbox()
        let answers = [500, 202, 201]
        let turns = Turns()
        let receiver = Receiver { _ in .answer(answers[turns.next()]) }
        try await receiver.serving { port in
            let url = "http://127.0.0.1:\(port)/hook"
            let subscription = try await Self.subscription(outbox, url)
            let id = try await Self.tell(outbox, subscription)
            try await sending(outbox.custody, Self.brisk) {
                try await outbox.expect(.delivered, id, of: subscription.tenant)
            }
            #expect(
                receiver.got.map { String(decoding: $0.body, as: UTF8.self) }
                    == [10, 9, 8].map { "\(id) \(url) \($0) data" })
            for got in receiver.got {
                let time = got.header("BIZ-TIMESTAMP")
                let digest = Digest.sha256(
                    Digest.sha256(got.body + Array("|\(time)".utf8)).bytes)
                let signature = try #require(
                    Hex.decode(got.header("BIZ-RESP-SIGNATURE")).flatMap { IdentitySignature($0) })
                #expect(TestSigner().publicKey.verifies(signature, of: digest))
                #expect(got.header("X-Webhook-Signature").isEmpty)
            }
            #expect(
                try await outbox.attempts(id).map { $0.isAcknowledged(.mpcAdmin) }
                    == [false, false, true])
        }
    }

    @Test func `an answer after two seconds is none, and a redirect is not followed`()
        async throws
    {
        let outbox = try Outbox()
        let second = Receiver { _ in .answer(200) }
        try await second.serving { place in
            let first = Receiver { _ in .redirect("http://127.0.0.1:\(place)/") }
            let slow = Receiver { _ in .hang }
            try await first.serving { port in
                try await slow.serving { other in
                    let moved = try await Self.subscription(outbox, "http://127.0.0.1:\(port)/")
                    let late = try await Self.subscription(outbox, "http://127.0.0.1:\(other)/")
                    let ids = [
                        try await Self.tell(outbox, moved), try await Self.tell(outbox, late),
                    ]
                    try await sending(outbox.custody, DeliverySchedule(pauses: [])) {
                        try await outbox.expect(.dead, ids[0], of: moved.tenant)
                        try await outbox.expect(.dead, ids[1], of: late.tenant)
                    }
                    #expect(
                        try await outbox.attempts(ids[1]).map(\.outcome) == [
                            .failure("no whole answer within 2.0 seconds")
                        ])
                }
            }
            #expect(first.got.count == 1)
        }
        #expect(second.got.isEmpty)
    }

    @Test func `what was not acknowledged before an end is sent by the next process`()
        async throws
    {
        let outbox = try Outbox()
        let turns = Turns()
        let receiver = Receiver { _ in turns.next() == 0 ? .hang : .answer(200) }
        try await receiver.serving { port in
            let subscription = try await Self.subscription(outbox, "http://127.0.0.1:\(port)/")
            let id = try await Self.tell(outbox, subscription)
            try await sending(outbox.custody, DeliverySchedule(pauses: [])) {
                let came = try await holds { receiver.got.count == 1 }
                #expect(came)
            }
            #expect(try await outbox.attempts(id).isEmpty)
            try await sending(outbox.restarted(), DeliverySchedule(pauses: [])) {
                try await outbox.expect(.delivered, id, of: subscription.tenant)
            }
            #expect(Set(receiver.got.map(\.body)).count == 1 && receiver.got.count == 2)
        }
    }
}
