import Custody
import Identity
import Intents
import Logging
import Synchronization

/// Delivers events to tenants' endpoints: signed, in order per resource, again after a failure.
public final class WebhookSender: Sendable {
    private static let pause = Duration.milliseconds(200)
    /// Deliveries at a time, to one tenant; and as many callbacks.
    private static let atOnceOfTenantMost = 8
    /// Deliveries at a time, in all: so many tenants may hang at once before another waits for one
    /// of them, which it does for the time of one answer at most.
    private static let atOnceMost = 256
    /// Up to so many under way a tenant may have several; above, only its first. So no few tenants
    /// that hang take every place.
    private static let sharedMost = 128
    /// What one look reads; what is under way is among it, so it is more than may be under way.
    private static let lookMost = 2 * atOnceMost
    /// What the books do not take is not sent again at once.
    private static let pauseAfterFault = Duration.seconds(1)

    private struct UnderWay {
        var events: Set<EventID> = []
        var inLine: [Line: Int] = [:]
    }

    /// A tenant's deliveries, or its callbacks.
    private struct Line: Hashable {
        let tenant: TenantID
        let isCallback: Bool

        init(_ due: DueDelivery) { (tenant, isCallback) = (due.tenant, due.isCallback) }
    }

    private let custody: Bookkeeper
    private let responses: any ResponseSigner
    private let schedule: DeliverySchedule
    private let post: WebhookPost
    private let log: Logger
    private let underWay = Mutex(UnderWay())

    /// - Parameters:
    ///   - responses: signs what endpoints of the MPC administration face are sent.
    ///   - lookUp: the addresses that a name leads to.
    public init(
        custody: Bookkeeper, responses: any ResponseSigner, schedule: DeliverySchedule,
        lookUp: @escaping WebhookPost.LookUp = Resolver.addresses, log: Logger
    ) {
        self.custody = custody
        self.responses = responses
        self.schedule = schedule
        self.log = log
        post = WebhookPost(
            allowsLocal: custody.settings.allowsLocalWebhooks, lookUp: lookUp)
    }

    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.pause)
                    self.custody.bells.deliveries.ring()
                }
            }
            for await _ in custody.bells.deliveries.rings {
                let due: [DueDelivery]
                do {
                    let now = custody.now
                    due = try await custody.read { books in
                        let (most, ofTenantMost) = (Self.lookMost, Self.atOnceOfTenantMost)
                        let callbacks = try books.store.dueCallbacks(
                            at: now, most: most, ofTenantMost: ofTenantMost)
                        return try callbacks
                            + books.store.dueDeliveries(
                                at: now, most: most, ofTenantMost: ofTenantMost)
                    }
                } catch is CancellationError {
                    break
                } catch {
                    log.error("deliveries cannot be read: \(error)")
                    continue
                }
                for delivery in due where begin(delivery) {
                    group.addTask { await self.deliver(delivery) }
                }
            }
        }
    }

    /// False if the delivery is under way, or its tenant has its share.
    private func begin(_ due: DueDelivery) -> Bool {
        underWay.withLock { underWay in
            let own = underWay.inLine[Line(due), default: 0]
            guard own < Self.atOnceOfTenantMost,
                underWay.events.count < (own == 0 ? Self.atOnceMost : Self.sharedMost),
                underWay.events.insert(due.event).inserted
            else { return false }
            underWay.inLine[Line(due)] = own + 1
            return true
        }
    }

    private func end(_ due: DueDelivery) {
        underWay.withLock { underWay in
            underWay.events.remove(due.event)
            let left = underWay.inLine[Line(due), default: 1] - 1
            underWay.inLine[Line(due)] = left == 0 ? nil : left
        }
    }

    private func deliver(_ due: DueDelivery) async {
        // The next event of the same resource may follow then.
        defer {
            end(due)
            custody.bells.deliveries.ring()
        }
        do {
            let found = try await custody.read { try WebhookDraft(due.event, $0) }
            guard let draft = found else { return }
            let start = ContinuousClock.now
            let outcome = await post.send(draft.letter(responses, schedule))
            // An end of the process is no failure of the receiver's.
            guard !Task.isCancelled else { return }
            let took = start.duration(to: .now) / .milliseconds(1)
            let attempt = DeliveryAttempt(
                began: draft.at, milliseconds: Int64(took), outcome: outcome)
            let schedule = schedule
            try await custody.write { try $0.tried(draft.delivery, attempt, schedule) }
        } catch {
            log.error("a delivery could not be recorded: \(error)")
            try? await Task.sleep(for: Self.pauseAfterFault)
        }
    }
}
