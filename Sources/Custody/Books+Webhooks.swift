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
        var random = SystemRandom()
        let secret = WebhookSecret(random: &random)
        let endpoint = WebhookEndpoint(
            tenant: tenant, url: url, sealedSecret: secret.sealed(vaultKey.key, for: tenant.text),
            createdAt: now)
        try store.setEndpoint(endpoint)
        return (endpoint, secret.dangerouslyReveal())
    }

    public func removeWebhook(of tenant: TenantID) throws {
        guard try store.removeEndpoint(of: tenant) else { throw Refusal.notFound("webhook") }
    }

    public func webhook(of tenant: TenantID) throws -> WebhookEndpoint? {
        try store.endpoint(of: tenant)
    }

    /// The endpoint's secret, for signing a delivery.
    public func webhookSecret(of endpoint: WebhookEndpoint) throws -> SecretBox<WebhookSecret> {
        guard
            let secret = WebhookSecret(
                sealed: endpoint.sealedSecret, vaultKey.key, for: endpoint.tenant.text)
        else { throw LedgerFault.impossible("webhook secret of \(endpoint.tenant)") }
        return SecretBox(secret)
    }

    /// Notes a failed try: the next pause, or the end.
    public func deliveryFailed(
        _ delivery: Delivery, answer: String, pauses: [Int64]
    ) throws {
        let attempts = delivery.attempts + 1
        guard attempts <= pauses.count else {
            return try store.bury(delivery: delivery.event, attempts: attempts, answer: answer)
        }
        // Up to a tenth more, so that receivers that failed together do not retry together.
        var random = SystemRandom()
        let pause = pauses[attempts - 1] * 1000
        let jitter = Int64(random.bytes(1)[0]) * pause / 2560
        try store.postpone(
            delivery: delivery.event,
            until: Timestamp(milliseconds: now.milliseconds + pause + jitter), attempts: attempts,
            answer: answer)
    }
}
