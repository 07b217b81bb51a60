import Algebra
import Canonical
import Identity
import Intents

/// A tenant's one webhook endpoint, and what is to be delivered to it.
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
        do throws(WebhookTarget.Unfit) {
            _ = try WebhookTarget(url, allowsLocal: settings.allowsLocalWebhooks)
        } catch {
            throw Refusal(.invalid, field: "url", error.sentence)
        }
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
    public func webhookSecrets(of endpoint: WebhookEndpoint) throws -> [SecretBox<WebhookSecret>] {
        let sealed = [endpoint.sealedSecret, endpoint.previous?.sealedSecret].compactMap(\.self)
        return try sealed.map { sealed in
            guard
                let secret = WebhookSecret(sealed: sealed, vaultKey.key, for: endpoint.tenant.text)
            else { throw LedgerFault.impossible("webhook secret of \(endpoint.tenant)") }
            return SecretBox(secret)
        }
    }

    public func event(_ id: EventID, of tenant: TenantID) throws -> RecordedEvent {
        guard let event = try store.event(id, of: tenant) else { throw Refusal.notFound("event") }
        return event
    }

    /// Has an event sent to the endpoint once more: as it was, and ahead of nothing.
    public func redeliver(_ id: EventID, of tenant: TenantID) throws -> RecordedEvent {
        _ = try event(id, of: tenant)
        _ = try requireWebhook(of: tenant)
        try store.redeliver(id, at: now)
        stirred.deliveries = true
        return try event(id, of: tenant)
    }

    /// Records an event that is about nothing, to be delivered.
    public func testWebhook(of tenant: TenantID) throws -> RecordedEvent {
        _ = try requireWebhook(of: tenant)
        return try event(try record(.webhookTest(newID()), of: tenant), of: tenant)
    }

    /// Notes a try: the end, or the next pause.
    public func tried(
        _ delivery: Delivery, _ attempt: DeliveryAttempt, _ schedule: DeliverySchedule
    ) throws {
        try store.insert(attempt, of: delivery.event)
        if attempt.isAcknowledged {
            return try store.finish(delivery: delivery.event, as: .delivered, at: now)
        }
        guard delivery.tries < schedule.pauses.count else {
            return try store.finish(delivery: delivery.event, as: .dead, at: now)
        }
        // Up to a tenth more, so that receivers that failed together do not retry together.
        var random = SystemRandom()
        let (seconds, attoseconds) = schedule.pauses[delivery.tries].components
        let pause = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        let jitter = Int64(random.bytes(1)[0]) * pause / 2560
        try store.postpone(
            delivery: delivery.event,
            until: Timestamp(milliseconds: now.milliseconds + pause + jitter))
    }
}
