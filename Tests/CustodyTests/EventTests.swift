import Algebra
import Canonical
import Foundation
import GRDB
import Identity
import Intents
import TestKit
import Testing

@testable import Custody
@testable import Storage

@Suite struct `Deliveries` {
    private static func setUp() async throws -> (TestCustody, TenantID) {
        let test = try TestCustody()
        let tenant = newID(TenantID.self)
        _ = try await test.custody.write {
            try $0.setWebhook(url: "http://127.0.0.1:1/", for: tenant)
        }
        return (test, tenant)
    }

    private static func newID<ID: EntityID>(_: ID.Type = ID.self) -> ID {
        var random = SystemRandom()
        return ID(random: random.bytes(ID.byteCount))
    }

    private static func record(
        _ test: TestCustody, _ tenant: TenantID, of resource: EventID = newID(), times: Int = 1
    ) async throws -> [EventID] {
        try await test.custody.write { books in
            try (0..<times).map { _ in try books.enter(.webhookTest(resource), of: tenant) }
        }
    }

    private static func due(_ test: TestCustody) async throws -> [EventID] {
        let now = test.now
        return try await test.custody.read {
            try $0.store.dueDeliveries(at: now, most: 512, ofTenantMost: 8).map(\.event)
        }
    }

    /// One try of an event, as its sender notes it.
    private static func attempt(
        _ test: TestCustody, _ event: EventID, _ status: Int, pauses: [Int64] = []
    ) async throws {
        let attempt = DeliveryAttempt(
            began: test.now, milliseconds: 3, outcome: .answer(status: status, start: [1]))
        try await test.custody.write { books in
            guard let delivery = try books.store.delivery(event) else { return }
            try books.tried(
                delivery, attempt, DeliverySchedule(pauses: pauses.map { .seconds($0) }))
        }
    }

    private static func state(
        _ test: TestCustody, _ event: EventID, _ tenant: TenantID
    ) async throws -> RecordedEvent.State {
        try await test.custody.read { try $0.event(event, of: tenant).state }
    }

    @Test func `an event is sent again as often as it is asked for, and holds nothing back`()
        async throws
    {
        let (test, tenant) = try await Self.setUp()
        let events = try await Self.record(test, tenant, of: Self.newID(), times: 3)
        #expect(try await Self.due(test) == [events[0]])
        try await Self.attempt(test, events[0], 500)
        #expect(try await Self.state(test, events[0], tenant) == .dead)
        let figures = try await test.custody.read { try $0.store.figures() }
        #expect(figures.eventsDead == 1)
        #expect(figures.eventsWaiting == 2)
        #expect(figures.oldestWaiting == test.now)
        try await Self.attempt(test, events[1], 200)
        #expect(try await Self.due(test) == [events[2]])
        for event in events {
            _ = try await test.custody.write { try $0.redeliver(event, of: tenant) }
        }
        // The last keeps its place; the others come beside it.
        #expect(try await Set(Self.due(test)) == Set(events))
        #expect(try await Self.state(test, events[2], tenant) == .waiting)
        try await Self.attempt(test, events[0], 500, pauses: [60])
        try await Self.attempt(test, events[2], 200)
        #expect(try await Self.state(test, events[0], tenant) == .redelivering)
        #expect(try await Self.state(test, events[2], tenant) == .delivered)
        test.pass(seconds: 70)
        try await Self.attempt(test, events[0], 200)
        #expect(try await Self.state(test, events[0], tenant) == .delivered)
        let first = events[0]
        let attempts = try await test.custody.read { try $0.store.attempts(of: first) }
        #expect(
            attempts.map(\.outcome) == [500, 500, 200].map { .answer(status: $0, start: [1]) })
        #expect(attempts.allSatisfy { $0.milliseconds == 3 })
    }

    @Test func `an event that is queued is not sent ahead of its turn`() async throws {
        let (test, tenant) = try await Self.setUp()
        let events = try await Self.record(test, tenant, of: Self.newID(), times: 2)
        let second = events[1]
        _ = try await test.custody.write { try $0.redeliver(second, of: tenant) }
        #expect(try await Self.due(test) == [events[0]])
        #expect(try await Self.state(test, second, tenant) == .queued)
        try await Self.attempt(test, events[0], 200)
        #expect(try await Self.due(test) == [second])
    }

    @Test func `samples are of their type, and each of a resource of its own`() async throws {
        let (test, tenant) = try await Self.setUp()
        for type in DomainEvent.types + DomainEvent.types {
            let event = try await test.custody.write { try $0.trigger(type, of: tenant) }
            #expect(event.type == type && event.state == .waiting)
        }
        await #expect(throws: Refusal.self) {
            try await test.custody.write { try $0.trigger("no.such", of: tenant) }
        }
    }

    @Test func `the newest attempts of an event are kept`() async throws {
        let (test, tenant) = try await Self.setUp()
        let event = try await Self.record(test, tenant)[0]
        for number in 0..<60 {
            try await Self.attempt(
                test, event, 400 + number, pauses: Array(repeating: 0, count: 99))
            test.pass(seconds: 1)
        }
        let attempts = try await test.custody.read { try $0.store.attempts(of: event) }
        #expect(attempts.count == DeliveryAttempt.keptMost)
        #expect(attempts.last?.outcome == .answer(status: 459, start: [1]))
        #expect(try await test.custody.read { try $0.event(event, of: tenant).attempts } == 60)
    }

    @Test func `what has ended is forgotten after a while, what waits is not`() async throws {
        let (test, tenant) = try await Self.setUp()
        let done = try await Self.record(test, tenant)[0]
        let waits = try await Self.record(test, tenant)[0]
        try await Self.attempt(test, done, 200)
        test.pass(seconds: 100)
        let fresh = try await Self.record(test, tenant)[0]
        try await Self.attempt(test, fresh, 200)
        let before = test.now.adding(seconds: -50)
        let count = try await test.custody.write {
            try $0.store.purgeEvents(before: before, most: 10)
        }
        #expect(count == 1)
        let left = try await test.custody.read {
            try $0.store.events(of: tenant, matching: EventFilter(), PageRequest()).items.map(\.id)
        }
        #expect(left == [fresh, waits])
        #expect(try await test.custody.read { try $0.store.attempts(of: done) } == [])
    }

    @Test func `the secret before a rotation ends after a day`() async throws {
        let (test, tenant) = try await Self.setUp()
        func secrets() async throws -> Int {
            try await test.custody.read { try $0.webhookSecrets(of: tenant).count }
        }
        let (endpoint, secret) = try await test.custody.write {
            try $0.rotateWebhookSecret(for: tenant)
        }
        #expect(!endpoint.sealedSecret.contains(Array(secret.utf8)))
        #expect(try await secrets() == 2)
        // A second rotation keeps one secret beside the new one, not two.
        _ = try await test.custody.write { try $0.rotateWebhookSecret(for: tenant) }
        #expect(try await secrets() == 2)
        test.pass(seconds: 24 * 3600 - 1)
        #expect(try await secrets() == 2)
        test.pass(seconds: 1)
        #expect(try await secrets() == 1)
        // A new URL is a new endpoint: nothing of the one before signs for it.
        _ = try await test.custody.write { try $0.rotateWebhookSecret(for: tenant) }
        _ = try await test.custody.write {
            try $0.setWebhook(url: "http://127.0.0.1:2/", for: tenant)
        }
        #expect(try await secrets() == 1)
    }

    @Test func `a look for what is due reads only what is due`() async throws {
        let (test, tenant) = try await Self.setUp()
        let resource = Self.newID(EventID.self)
        let first = try await Self.record(test, tenant, of: resource, times: 2000)[0]
        // Another tenant's event is found behind all of these.
        let other = Self.newID(TenantID.self)
        _ = try await test.custody.write {
            try $0.setWebhook(url: "http://127.0.0.1:1/", for: other)
        }
        let others = try await Self.record(test, other)[0]
        #expect(try await Set(Self.due(test)) == [first, others])
        let queue = try DatabaseQueue(
            path: test.directory.appending(path: "platform.sqlite").path)
        let plan = try queue.read { db in
            try Row.fetchAll(
                db, sql: "EXPLAIN QUERY PLAN " + SQLStore.dueDeliveries, arguments: [0, 8, 512])
        }.map { $0["detail"] as String }
        let onEvents = plan.filter { $0.contains("events") || $0.contains("due") }
        #expect(onEvents.count >= 4, "\(plan)")
        #expect(onEvents.allSatisfy { !$0.hasPrefix("SCAN") }, "\(plan)")
        #expect(plan.count { $0.contains("events_to_try") } == 3, "\(plan)")
    }

    @Test func `the bell of deliveries rings for what is to be delivered, and for nothing else`()
        async throws
    {
        let test = try TestCustody()
        let tenant = Self.newID(TenantID.self)
        let rings = Rings(test.custody.bells.deliveries)
        _ = try await Self.record(test, tenant)
        _ = try await test.custody.write {
            try $0.setWebhook(url: "http://127.0.0.1:1/", for: tenant)
        }
        #expect(!(await rings.came(within: .milliseconds(100))))
        _ = try await Self.record(test, tenant)
        #expect(await rings.came(within: .seconds(5)))
    }
}

/// Listens to a bell.
private actor Rings {
    private var count = 0
    private var task: Task<Void, Never>?

    init(_ bell: Bell) { Task { await listen(bell) } }

    private func listen(_ bell: Bell) {
        task = Task { for await _ in bell.rings { count += 1 } }
    }

    func came(within limit: Duration) async -> Bool {
        let end = ContinuousClock.now + limit
        while count == 0, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(5))
        }
        return count > 0
    }
}
