import Algebra
import Canonical
import Identity
import Intents

/// A tenant's own webhook endpoint, and what is to be delivered to it or to others.
extension Books {
    /// Sets the endpoint.
    ///
    /// - Returns: the secret where it is new: with the first endpoint, and when the URL changes.
    public func setWebhook(
        url: String?, for tenant: TenantID
    ) throws -> (endpoint: WebhookEndpoint, secret: String?) {
        var validation = Validation()
        validation.text("url", url, most: WebhookEndpoint.urlMost)
        try validation.finish()
        let url = url ?? ""
        try mustBeFit(url, field: "url")
        if let known = try store.endpoint(of: tenant), known.url == url { return (known, nil) }
        let (endpoint, secret) = newSecret(for: tenant, url: url, previous: nil)
        try store.setEndpoint(endpoint)
        return (endpoint, secret)
    }

    /// Gives the endpoint another secret. The one before goes on signing beside it for a while; the
    /// one before that ends at once.
    public func rotateWebhookSecret(
        for tenant: TenantID
    ) throws -> (endpoint: WebhookEndpoint, secret: String) {
        let known = try requireWebhook(of: tenant)
        let (endpoint, secret) = newSecret(
            for: tenant, url: known.url,
            previous: .init(
                sealedSecret: known.sealedSecret,
                until: now.adding(seconds: WebhookEndpoint.overlapSeconds)))
        try store.setEndpoint(endpoint)
        return (endpoint, secret)
    }

    /// Refuses a URL that the platform must not call.
    func mustBeFit(_ url: String, field: String) throws(Refusal) {
        do throws(WebhookTarget.Unfit) {
            _ = try WebhookTarget(url, allowsLocal: settings.allowsLocalWebhooks)
        } catch {
            throw Refusal(.invalid, field: field, error.sentence(of: field))
        }
    }

    private func newSecret(
        for tenant: TenantID, url: String, previous: WebhookEndpoint.Previous?
    ) -> (WebhookEndpoint, String) {
        var random = SystemRandom()
        let secret = WebhookSecret(random: &random)
        let endpoint = WebhookEndpoint(
            tenant: tenant, url: url, sealedSecret: secret.sealed(vaultKey.key, for: tenant.text),
            previous: previous, createdAt: now)
        return (endpoint, secret.dangerouslyReveal())
    }

    func requireWebhook(of tenant: TenantID) throws -> WebhookEndpoint {
        guard let endpoint = try store.endpoint(of: tenant) else {
            throw Refusal(.noWebhook, "There is no endpoint to deliver to; set one first.")
        }
        return endpoint
    }

    public func removeWebhook(of tenant: TenantID) throws {
        guard try store.removeEndpoint(of: tenant) else { throw Refusal.notFound("webhook") }
    }

    /// The endpoint, with a secret before the present one only while that is valid.
    public func webhook(of tenant: TenantID) throws -> WebhookEndpoint? {
        guard let endpoint = try store.endpoint(of: tenant) else { return nil }
        guard let previous = endpoint.previous, previous.until <= now else { return endpoint }
        return WebhookEndpoint(
            tenant: tenant, url: endpoint.url, sealedSecret: endpoint.sealedSecret,
            createdAt: endpoint.createdAt)
    }

    /// What signs a delivery, the newest first.
    public func webhookSecrets(of tenant: TenantID) throws -> [SecretBox<WebhookSecret>] {
        guard let endpoint = try webhook(of: tenant) else { return [] }
        let sealed = [endpoint.sealedSecret, endpoint.previous?.sealedSecret].compactMap(\.self)
        return try sealed.map { sealed in
            guard
                let secret = WebhookSecret(sealed: sealed, vaultKey.key, for: endpoint.tenant.text)
            else { throw LedgerFault.impossible("webhook secret of \(endpoint.tenant)") }
            return SecretBox(secret)
        }
    }

    /// - Parameter form: nil for any.
    public func event(
        _ id: EventID, _ form: DeliveryForm? = nil, of tenant: TenantID
    ) throws -> RecordedEvent {
        guard let event = try store.event(id, of: tenant), form == nil || event.form == form else {
            throw Refusal.notFound("event")
        }
        return event
    }

    /// Has an event sent to its endpoint once more: as it was, and ahead of nothing.
    public func redeliver(_ id: EventID, of tenant: TenantID) throws -> RecordedEvent {
        let event = try event(id, of: tenant)
        switch event.form {
        case .custody: _ = try requireWebhook(of: tenant)
        case .mpcAdmin: try requireActive(subscription(of: event, tenant))
        case .callback: try requireWaiting(callback(id, of: tenant))
        }
        try store.redeliver(id, at: now)
        stirred.deliveries = true
        return try self.event(id, of: tenant)
    }

    /// Records an event that is about nothing, to be delivered.
    public func testWebhook(of tenant: TenantID) throws -> RecordedEvent {
        _ = try requireWebhook(of: tenant)
        return try event(try enter(.webhookTest(newID()), of: tenant), of: tenant)
    }

    /// Notes a try: the end, or the next pause.
    public func tried(
        _ delivery: Delivery, _ attempt: DeliveryAttempt, _ schedule: DeliverySchedule
    ) throws {
        let event = delivery.event
        try store.insert(attempt, of: event.id)
        if event.form == .callback { return try heard(attempt, of: event, schedule) }
        if attempt.isAcknowledged(event.form) {
            return try store.finish(delivery: event.id, as: .delivered, at: now)
        }
        if try postpone(event, schedule) == nil {
            try store.finish(delivery: event.id, as: .dead, at: now)
        }
    }

    /// Sets the next try of an event whose last one failed.
    ///
    /// - Returns: when that is; nil if there are no more.
    func postpone(_ event: RecordedEvent, _ schedule: DeliverySchedule) throws -> Timestamp? {
        let pauses = schedule.pauses(event.form)
        guard event.tries < pauses.count else { return nil }
        // Up to a tenth more, so that receivers that failed together do not retry together.
        var random = SystemRandom()
        let (seconds, attoseconds) = pauses[event.tries].components
        let pause = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        let jitter = Int64(random.bytes(1)[0]) * pause / 2560
        let next = Timestamp(milliseconds: now.milliseconds + pause + jitter)
        try store.postpone(delivery: event.id, until: next)
        return next
    }
}
