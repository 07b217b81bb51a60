import Algebra
import Custody
import Identity
import Intents

/// Everything that one try needs, as the books have it at its begin.
struct WebhookDraft: Sendable {
    let delivery: Delivery
    let url: String
    let body: [UInt8]
    /// Of the tenant's own endpoint, the newest first.
    let secrets: [SecretBox<WebhookSecret>]
    let at: Timestamp

    /// Nil if there is nothing to try, or nowhere to send it.
    init?(_ event: EventID, _ books: Books) throws {
        guard let delivery = try books.store.delivery(event),
            let letter = try books.letter(for: delivery)
        else { return nil }
        self.delivery = delivery
        (url, body) = letter
        secrets =
            delivery.event.form == .custody ? try books.webhookSecrets(of: delivery.tenant) : []
        at = books.now
    }

    func letter(_ responses: any ResponseSigner, _ schedule: DeliverySchedule)
        -> WebhookPost.Letter
    {
        let form = delivery.event.form
        let headers =
            switch form {
            case .custody: ownHeaders()
            case .mpcAdmin, .callback: adminHeaders(responses)
            }
        return WebhookPost.Letter(
            url: url, headers: headers, body: body, answerMost: schedule.answerMost(form),
            needsWholeAnswer: form == .callback)
    }

    private func ownHeaders() -> [(name: String, value: String)] {
        let (id, time) = (delivery.event.id.text, at.seconds)
        var plain = ""
        var standard: [String] = []
        for secret in secrets {
            secret.with { secret in
                if plain.isEmpty { plain = secret.signature(of: body) }
                standard.append(secret.standardSignature(id: id, timestamp: time, body: body))
            }
        }
        return [
            ("X-Webhook-Id", id), ("X-Webhook-Timestamp", String(time)),
            ("X-Webhook-Signature", plain), ("webhook-id", id),
            ("webhook-timestamp", String(time)),
            ("webhook-signature", standard.joined(separator: " ")),
        ]
    }

    /// As answers of the face have them.
    private func adminHeaders(
        _ responses: any ResponseSigner
    ) -> [(name: String, value: String)] {
        let time = at.milliseconds
        return [
            ("BIZ-TIMESTAMP", String(time)),
            ("BIZ-RESP-SIGNATURE", responses.signature(of: body, at: time)),
        ]
    }
}
