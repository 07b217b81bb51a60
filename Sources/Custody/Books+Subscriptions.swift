import Canonical
import Intents

/// Endpoints of the MPC administration face, and what they are told.
extension Books {
    /// - Parameter types: as the face calls them, which has checked them.
    public func subscribe(
        _ url: String, to types: [String], note: String?, for tenant: TenantID
    ) throws -> Subscription {
        try admitAll()
        var validation = Validation()
        validation.text("url", url, most: Subscription.urlMost)
        validation.subscription(types, note)
        try validation.finish()
        try mustBeFit(url, field: "url")
        let others = try store.subscriptions(of: tenant)
        guard others.count < Subscription.activeMost else {
            throw Refusal(
                .invalid,
                "There are \(Subscription.activeMost) endpoints already, the most that "
                    + "there can be.")
        }
        let subscription = Subscription(
            id: newID(), tenant: tenant, url: url, types: types, note: note, createdAt: now)
        try store.insert(subscription)
        return subscription
    }

    public func subscription(
        _ id: SubscriptionID, of tenant: TenantID
    ) throws -> Subscription {
        guard let subscription = try store.subscription(id, of: tenant) else {
            throw Refusal.notFound("endpoint")
        }
        return subscription
    }

    /// Changes what is not nil of an endpoint. One that is ended is told nothing more, of what
    /// waits for it neither.
    public func change(
        _ id: SubscriptionID, types: [String]?, note: String?, ends: Bool, of tenant: TenantID
    ) throws -> Subscription {
        try admitAll()
        var validation = Validation()
        var subscription = try subscription(id, of: tenant)
        subscription.types = types ?? subscription.types
        subscription.note = note ?? subscription.note
        validation.subscription(subscription.types, subscription.note)
        try validation.finish()
        try requireActive(subscription)
        subscription.isActive = !ends
        try store.update(subscription)
        return subscription
    }

    func requireActive(_ subscription: Subscription) throws(Refusal) {
        guard subscription.isActive else {
            throw Refusal(.invalid, "The endpoint is not active any more.")
        }
    }

    /// The endpoint that an event is for.
    func subscription(of event: RecordedEvent, _ tenant: TenantID) throws -> Subscription {
        guard let id = SubscriptionID(event.resource),
            let subscription = try store.subscription(id, of: tenant)
        else { throw LedgerFault.impossible("endpoint of event \(event.id)") }
        return subscription
    }

    /// An event that the endpoint was to be told.
    public func event(
        _ id: EventID, of subscription: SubscriptionID, _ tenant: TenantID
    ) throws -> RecordedEvent {
        let event = try event(id, .mpcAdmin, of: tenant)
        guard event.resource == subscription.bytes else { throw Refusal.notFound("event") }
        return event
    }

    /// Tells the tenant's endpoints that asked for events of this kind.
    func tell(_ event: DomainEvent, of tenant: TenantID) throws {
        let subscriptions = try store.subscriptions(of: tenant)
        guard !subscriptions.isEmpty else { return }
        for notice in try events.notices(of: event, self) {
            for subscription in subscriptions where subscription.types.contains(notice.type) {
                try tell(notice, to: subscription)
            }
        }
    }

    private func tell(_ notice: Notice, to subscription: Subscription) throws {
        let resource = subscription.id.bytes
        let frame = EventFrame(
            id: newID(), type: notice.type, createdAt: now,
            sequence: try store.nextSequence(of: resource, tenant: subscription.tenant),
            tenant: subscription.tenant, environment: settings.environment)
        try store.insert(
            event: frame, .mpcAdmin, resource: resource, body: notice.data, deliver: true)
        stirred.deliveries = true
    }

    /// Tells every endpoint that asked for events of this kind of one that never was.
    ///
    /// - Returns: whether there is such an endpoint.
    /// - Throws: a refusal in production, where a receiver could take it for one that was.
    public func trigger(_ notice: Notice, of tenant: TenantID) throws -> Bool {
        try admitAll()
        guard settings.environment == .sandbox else {
            throw Refusal(.invalid, "In production there are no events about nothing.")
        }
        let subscriptions = try store.subscriptions(of: tenant).filter {
            $0.types.contains(notice.type)
        }
        for subscription in subscriptions { try tell(notice, to: subscription) }
        return !subscriptions.isEmpty
    }

    /// What an event's endpoint is sent in the next try, and where that is; nil if it has none any
    /// more.
    public func letter(for delivery: Delivery) throws -> (url: String, body: [UInt8])? {
        let event = delivery.event
        switch event.form {
        case .custody:
            return try webhook(of: delivery.tenant).map { ($0.url, event.body) }
        case .mpcAdmin:
            let url = try subscription(of: event, delivery.tenant).url
            let left = max(0, settings.webhookRetriesMost - event.tries)
            return (url, try events.body(of: event, to: url, retriesLeft: left))
        case .callback:
            return (try callback(event.id, of: delivery.tenant).url, event.body)
        }
    }
}

extension Validation {
    /// Most types of events that an endpoint asks for.
    private static let typesMost = 100

    fileprivate mutating func subscription(_ types: [String], _ note: String?) {
        if types.isEmpty || types.count > Self.typesMost || Set(types).count < types.count {
            reject(
                "subscribed_events",
                "'subscribed_events' has 1 to \(Self.typesMost) types, each once.")
        }
        text("description", note, most: Subscription.noteMost, required: false)
    }
}
