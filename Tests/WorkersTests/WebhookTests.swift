import Algebra
import AsyncHTTPClient
import Canonical
import Chains
import Foundation
import Identity
import Intents
import Synchronization
import TestKit
import Testing

@testable import Custody
@testable import Workers

/// Tenants with an endpoint, and events of theirs.
struct Outbox: Sendable {
    let test: TestCustody
    var custody: Bookkeeper { test.custody }

    init(allowsLocal: Bool = true) throws {
        test = try TestCustody(allowsLocalWebhooks: allowsLocal, machineClock: true)
    }

    static func newID<ID: EntityID>(_ type: ID.Type = ID.self) -> ID {
        var random = SystemRandom()
        return ID(random: random.bytes(ID.byteCount))
    }

    /// A tenant with an endpoint there, and the endpoint's secret.
    func tenant(_ url: String) async throws -> (id: TenantID, secret: SecretBox<WebhookSecret>) {
        let id: TenantID = Self.newID()
        let secret = try await custody.write { try $0.setWebhook(url: url, for: id).secret }
        return (id, try Self.secret(secret ?? ""))
    }

    /// The platform's next process, with the same books.
    func restarted() -> Bookkeeper {
        let key = SealingKey(SecretBytes(copying: [UInt8](repeating: 5, count: 32)))
        return Bookkeeper(
            database: test.database, settings: custody.settings, vaultKey: PlatformVaultKey(key),
            events: PlainEvents(),
            clock: { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) })
    }

    static func secret(_ text: String) throws -> SecretBox<WebhookSecret> {
        guard let secret = WebhookSecret(base64: text) else {
            throw LedgerFault.impossible("secret")
        }
        return SecretBox(secret)
    }

    /// Records one event for each resource, in this order.
    @discardableResult
    func record(_ resources: [EventID], of tenant: TenantID) async throws -> [EventID] {
        try await custody.write { books in
            try resources.map { try books.enter(.webhookTest($0), of: tenant) }
        }
    }

    func event(_ id: EventID, of tenant: TenantID) async throws -> RecordedEvent {
        try await custody.read { try $0.event(id, of: tenant) }
    }

    /// Waits until the event's delivery is so far.
    func expect(
        _ state: RecordedEvent.State, _ id: EventID, of tenant: TenantID,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let came = try await holds { try await event(id, of: tenant).state == state }
        #expect(came, sourceLocation: sourceLocation)
    }

    func attempts(_ id: EventID) async throws -> [DeliveryAttempt] {
        try await custody.read { try $0.store.attempts(of: id) }
    }
}

@Suite struct `Deliveries over HTTP` {
    private static let brisk = DeliverySchedule(
        pauses: [.milliseconds(50), .milliseconds(50)], answerMost: .milliseconds(400))

    @Test func `each try has the same id and body, and both forms of signature`() async throws {
        let outbox = try Outbox()
        let count = Mutex(0)
        let receiver = Receiver { _ in
            .answer(
                count.withLock {
                    $0 += 1; return $0
                } == 3 ? 204 : 500, Array("no".utf8))
        }
        try await receiver.serving { port in
            let (tenant, secret) = try await outbox.tenant("http://127.0.0.1:\(port)/a?b=c")
            let id = try await outbox.record([Outbox.newID()], of: tenant)[0]
            try await sending(outbox.custody, Self.brisk) {
                try await outbox.expect(.delivered, id, of: tenant)
            }
            let got = receiver.got
            #expect(got.count == 3)
            #expect(Set(got.map(\.id)) == [id.text])
            #expect(Set(got.map(\.body)).count == 1)
            for delivery in got {
                let time = Int64(delivery.header("webhook-timestamp")) ?? 0
                secret.with { secret in
                    #expect(
                        delivery.header("X-Webhook-Signature")
                            == secret.signature(of: delivery.body))
                    #expect(
                        delivery.header("webhook-signature")
                            == secret.standardSignature(
                                id: id.text, timestamp: time, body: delivery.body))
                }
                #expect(delivery.header("X-Webhook-Id") == id.text)
                #expect(delivery.header("X-Webhook-Timestamp") == String(time))
            }
            let attempts = try await outbox.attempts(id)
            #expect(
                attempts.map(\.outcome) == [
                    .answer(status: 500, start: Array("no".utf8)),
                    .answer(status: 500, start: Array("no".utf8)), .answer(status: 204, start: []),
                ])
        }
    }

    @Test func `silence, a head that does not come and a line that is refused are failures`()
        async throws
    {
        let outbox = try Outbox()
        let receiver = Receiver { _ in .hang }
        try await receiver.serving { port in
            let (slow, _) = try await outbox.tenant("http://127.0.0.1:\(port)/")
            let (none, _) = try await outbox.tenant("http://127.0.0.1:1/")
            let (nameless, _) = try await outbox.tenant("http://nowhere.invalid/")
            let start = ContinuousClock.now
            try await sending(outbox.custody, Self.brisk) {
                for (tenant, words) in [
                    (slow, "no whole answer within 0.4 seconds"), (none, ""),
                    (nameless, "nowhere.invalid has no address"),
                ] {
                    let id = try await outbox.record([Outbox.newID()], of: tenant)[0]
                    try await outbox.expect(.dead, id, of: tenant)
                    let attempts = try await outbox.attempts(id)
                    #expect(attempts.count == 3)
                    guard case .failure(let why)? = attempts.first?.outcome else {
                        Issue.record("an answer from nobody")
                        return
                    }
                    #expect(words.isEmpty ? !why.isEmpty : why == words)
                }
            }
            #expect(start.duration(to: .now) < .seconds(60))
        }
    }

    @Test(arguments: [200, 503])
    func `a body that trickles holds nothing up; the status decides`(_ status: Int) async throws {
        let outbox = try Outbox()
        let receiver = Receiver { _ in .trickle(status) }
        try await receiver.serving { port in
            let (tenant, _) = try await outbox.tenant("http://127.0.0.1:\(port)/")
            let id = try await outbox.record([Outbox.newID()], of: tenant)[0]
            try await sending(outbox.custody, Self.brisk) {
                let end: RecordedEvent.State = status == 200 ? .delivered : .dead
                try await outbox.expect(end, id, of: tenant)
            }
            let attempt = try #require(try await outbox.attempts(id).first)
            #expect((400..<30_000).contains(attempt.milliseconds), "\(attempt.milliseconds)")
            guard case .answer(status, let start) = attempt.outcome else {
                Issue.record("\(attempt.outcome)")
                return
            }
            #expect(!start.isEmpty)
        }
    }

    @Test func `a long answer is kept to its first 2 KiB`() async throws {
        let outbox = try Outbox()
        let long = [UInt8](repeating: 0x61, count: 5_000_000)
        let receiver = Receiver { _ in .answer(200, long) }
        try await receiver.serving { port in
            let (tenant, _) = try await outbox.tenant("http://127.0.0.1:\(port)/")
            let id = try await outbox.record([Outbox.newID()], of: tenant)[0]
            try await sending(outbox.custody, Self.brisk) {
                try await outbox.expect(.delivered, id, of: tenant)
            }
            #expect(
                try await outbox.attempts(id).map(\.outcome) == [
                    .answer(status: 200, start: Array(long.prefix(2048)))
                ])
        }
    }

    @Test func `a redirect is a failure and is not followed`() async throws {
        let outbox = try Outbox()
        let second = Receiver { _ in .answer(200) }
        try await second.serving { place in
            let first = Receiver { _ in .redirect("http://127.0.0.1:\(place)/") }
            try await first.serving { port in
                let (tenant, _) = try await outbox.tenant("http://127.0.0.1:\(port)/")
                let id = try await outbox.record([Outbox.newID()], of: tenant)[0]
                try await sending(outbox.custody, Self.brisk) {
                    try await outbox.expect(.dead, id, of: tenant)
                }
                #expect(
                    try await outbox.attempts(id).map { $0.isAcknowledged(.custody) }
                        == [false, false, false])
            }
            #expect(first.got.count == 3)
        }
        #expect(second.got.isEmpty)
    }

    @Test func `a name is looked up once a try, and the call goes to what was judged`()
        async throws
    {
        let outbox = try Outbox()
        let lookups = Mutex<[String]>([])
        let receiver = Receiver { _ in .answer(lookups.withLock { $0.count } == 1 ? 500 : 200) }
        try await receiver.serving { port in
            // Nobody else knows this name, so only a pinned call can arrive.
            let (tenant, _) = try await outbox.tenant("http://Receiver.test:\(port)/")
            let id = try await outbox.record([Outbox.newID()], of: tenant)[0]
            try await sending(outbox.custody, Self.brisk) { host, _ in
                lookups.withLock { $0.append(host) }
                return ["127.0.0.1"]
            } _: {
                try await outbox.expect(.delivered, id, of: tenant)
            }
            #expect(lookups.withLock { $0 } == ["Receiver.test", "Receiver.test"])
            #expect(receiver.got.count == 2)
        }
    }

    @Test(arguments: [
        ["127.0.0.1"], ["10.1.2.3"], ["192.168.1.1"], ["169.254.169.254"], ["100.64.0.1"],
        ["::1"], ["::ffff:127.0.0.1"], ["::ffff:10.0.0.1"], ["fe80::1"], ["fe80::1%lo"],
        ["fd00::1"], ["64:ff9b::7f00:1"], ["8.8.8.8", "127.0.0.1"],
    ])
    func `a name that leads inside is not called`(_ addresses: [String]) async throws {
        let outbox = try Outbox(allowsLocal: false)
        let receiver = Receiver { _ in .answer(200) }
        try await receiver.serving { port in
            let (tenant, _) = try await outbox.tenant("https://receiver.test:\(port)/")
            let id = try await outbox.record([Outbox.newID()], of: tenant)[0]
            let schedule = DeliverySchedule(pauses: [], answerMost: .seconds(1))
            try await sending(outbox.custody, schedule) { _, _ in
                addresses
            } _: {
                try await outbox.expect(.dead, id, of: tenant)
            }
            #expect(
                try await outbox.attempts(id).map(\.outcome) == [
                    .failure("receiver.test leads to a private address")
                ])
        }
        #expect(receiver.got.isEmpty)
    }

    @Test func `after a rotation both secrets sign`() async throws {
        let outbox = try Outbox()
        let receiver = Receiver { _ in .answer(200) }
        try await receiver.serving { port in
            let (tenant, old) = try await outbox.tenant("http://127.0.0.1:\(port)/")
            let text = try await outbox.custody.write {
                try $0.rotateWebhookSecret(for: tenant).secret
            }
            let new = try Outbox.secret(text)
            let id = try await outbox.record([Outbox.newID()], of: tenant)[0]
            try await sending(outbox.custody, Self.brisk) {
                try await outbox.expect(.delivered, id, of: tenant)
            }
            let got = try #require(receiver.got.first)
            let time = Int64(got.header("webhook-timestamp")) ?? 0
            let signatures = [new, old].map { secret in
                secret.with {
                    $0.standardSignature(id: id.text, timestamp: time, body: got.body)
                }
            }
            #expect(got.header("webhook-signature") == signatures.joined(separator: " "))
            #expect(got.header("X-Webhook-Signature") == new.with { $0.signature(of: got.body) })
        }
    }

    @Test func `tenants that hang do not delay another`() async throws {
        let outbox = try Outbox()
        let receiver = Receiver { $0.header("Host").hasPrefix("localhost") ? .hang : .answer(200) }
        try await receiver.serving { port in
            // More tenants with more to deliver than there are places.
            for _ in 0..<60 {
                let (tenant, _) = try await outbox.tenant("http://localhost:\(port)/")
                try await outbox.record((0..<12).map { _ in Outbox.newID() }, of: tenant)
            }
            let schedule = DeliverySchedule(pauses: [.seconds(60)], answerMost: .seconds(30))
            try await sending(outbox.custody, schedule) {
                try? await Task.sleep(for: .seconds(1))
                let hanging = receiver.got.count
                #expect(hanging >= 100, "\(hanging)")
                let (tenant, _) = try await outbox.tenant("http://127.0.0.1:\(port)/")
                let ids = try await outbox.record(
                    (0..<20).map { _ in Outbox.newID() }, of: tenant)
                let came = try await holds(within: .seconds(30)) {
                    try await outbox.count(tenant, EventFilter(states: [.delivered])) == ids.count
                }
                #expect(came)
            }
        }
    }

    @Test func `a node that trickles its answer is given up`() async throws {
        let receiver = Receiver { _ in .trickle(200) }
        try await receiver.serving { port in
            let node = EVMNode(
                url: "http://127.0.0.1:\(port)/", client: .shared, answerMost: .milliseconds(300))
            let start = ContinuousClock.now
            await #expect(throws: EVMNode.Failure.self) { try await node.ask(EVMRPC.chainID()) }
            #expect(start.duration(to: .now) < .seconds(60))
        }
    }
}
