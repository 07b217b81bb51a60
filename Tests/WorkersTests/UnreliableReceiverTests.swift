import Custody
import Intents
import Synchronization
import TestKit
import Testing

@Suite struct `A receiver that fails often` {
    /// QUORUMKEEP_WEBHOOK_EVENTS=2000 is the whole run.
    private static let events = LongRun.count("QUORUMKEEP_WEBHOOK_EVENTS", short: 200)
    private static let perResource = 20
    /// Most failures of one event: an eighth would take the short run five minutes, and one run
    /// in fifty has such.
    private static let failuresMost = events > 200 ? Int.max : 5

    private struct Seen {
        var first: [String] = []
        var bodies: [String: Set<[UInt8]>] = [:]
        var acknowledged: [String] = []
        var failures: [String: Int] = [:]
        var hung = 0
        var failed = 0
    }

    /// The contract's schedule, a hundred times as fast; the receiver fails 30 of 100 deliveries
    /// and says nothing to 2.
    @Test func `gets every event, in order per resource, the same on each try`() async throws {
        let outbox = try Outbox()
        let seen = Mutex(Seen())
        let receiver = Receiver { got in
            let chance = Int.random(in: 0..<100)
            return seen.withLock { seen in
                seen.bodies[got.id, default: []].insert(got.body)
                let failures = seen.failures[got.id, default: 0]
                if chance < 32, failures < Self.failuresMost {
                    seen.failures[got.id] = failures + 1
                }
                switch failures < Self.failuresMost ? chance : 100 {
                case 0..<2:
                    seen.hung += 1
                    return .hang
                case 2..<32:
                    seen.failed += 1
                    return .answer(500)
                default:
                    seen.acknowledged.append(got.id)
                    return .answer(200)
                }
            }
        }
        let schedule = DeliverySchedule(
            pauses: DeliverySchedule.usualPauses.map { .milliseconds($0 * 10) },
            answerMost: DeliverySchedule.usualAnswer / 100)
        let resources = (0..<Self.events / Self.perResource).map { _ in Outbox.newID(EventID.self) }
        try await receiver.serving { port in
            let (tenant, _) = try await outbox.tenant("http://127.0.0.1:\(port)/")
            let start = ContinuousClock.now
            try await sending(outbox.custody, schedule) {
                var recorded: [EventID] = []
                for _ in 0..<Self.perResource {
                    recorded += try await outbox.record(resources, of: tenant)
                }
                let filter = EventFilter(states: [.delivered])
                let came = try await holds(within: .seconds(300)) {
                    try await outbox.count(tenant, filter) == Self.events
                }
                #expect(came)
                let took = start.duration(to: .now)
                let end = seen.withLock { $0 }
                // A receiver that answers too late has acknowledged all the same.
                let order = try await outbox.places(end.acknowledged, of: tenant)
                #expect(Set(end.acknowledged) == Set(recorded.map(\.text)))
                #expect(end.bodies.values.allSatisfy { $0.count == 1 })
                for sequence in order.values {
                    #expect(sequence == Array(1...Int64(Self.perResource)))
                }
                print(
                    "webhooks: \(Self.events) events in \(took), \(end.failed) failures, "
                        + "\(end.hung) silences, \(receiver.got.count) tries")
            }
        }
    }
}

extension Outbox {
    func count(_ tenant: TenantID, _ filter: EventFilter) async throws -> Int {
        var (count, after) = (0, PageCursor?.none)
        repeat {
            let request = try PageRequest(limit: 200, after: after)
            let page = try await custody.read {
                try $0.store.events(of: tenant, matching: filter, request)
            }
            count += page.items.count
            after = page.next
        } while after != nil
        return count
    }

    /// The sequences of these events by resource, in the order in which they stand; one that
    /// stands twice counts where it stands first.
    func places(_ ids: [String], of tenant: TenantID) async throws -> [[UInt8]: [Int64]] {
        var found: [[UInt8]: [Int64]] = [:]
        var seen: Set<String> = []
        for text in ids where seen.insert(text).inserted {
            guard let id = EventID(text: text) else { continue }
            let event = try await event(id, of: tenant)
            found[event.resource, default: []].append(event.sequence)
        }
        return found
    }
}
