import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

extension Endpoint {
    static let webhooks: [Endpoint] = [
        .change(
            .put, "setWebhook", "webhooks/outbound", .webhooksManage,
            "Sets where events are delivered to.",
            body: [Member("url", .text(most: WebhookEndpoint.urlMost))], status: 200,
            answer: Resource.webhookShape
        ) { call in
            var fields = try call.fields()
            let url = fields.string("url")
            try fields.finish()
            let (endpoint, secret) = try call.books.setWebhook(url: url, for: call.tenant)
            return Resource.webhook(endpoint, secret: secret)
        },
        .get(
            "getWebhook", "webhooks/outbound", .webhooksManage,
            "Shows where events are delivered to.", answer: Resource.webhookShape
        ) { call in Resource.webhook(try call.books.webhook(of: call.tenant), secret: nil) },
        .change(
            .delete, "removeWebhook", "webhooks/outbound", .webhooksManage,
            "Delivers events no more.", status: 204, refusals: [.notFound]
        ) { call in
            try call.books.removeWebhook(of: call.tenant)
            return nil
        },
        .change(
            .post, "rotateWebhookSecret", "webhooks/outbound/secret-rotation", .webhooksManage,
            "Gives the endpoint another secret; the one before signs beside it for 24 hours.",
            status: 201, answer: Resource.webhookShape, refusals: [.noWebhook]
        ) { call in
            let (endpoint, secret) = try call.books.rotateWebhookSecret(for: call.tenant)
            return Resource.webhook(endpoint, secret: secret)
        },
        .change(
            .post, "testWebhook", "webhooks/test-event", .webhooksManage,
            "Sends an event of the type `webhook.test`.", status: 202, answer: Resource.eventShape,
            refusals: [.noWebhook]
        ) { call in Resource.event(try call.books.testWebhook(of: call.tenant)) },
        .get(
            "listEvents", "webhooks/events", .webhooksManage, "Lists events.",
            query: [
                Member("type", .choice(DomainEvent.types)),
                Member("state", .choice(RecordedEvent.State.self)),
            ], answer: .page(Resource.eventShape)
        ) { call in
            let filter = EventFilter(
                form: .custody,
                type: try call.value("type") { DomainEvent.types.contains($0) ? $0 : nil },
                states: try call.value("state") { RecordedEvent.State(rawValue: $0).map { [$0] } })
            return call.list(
                try call.books.store.events(of: call.tenant, matching: filter, call.page())
            ) { Resource.event($0) }
        },
        .get(
            "getEvent", "webhooks/events/{event}", .webhooksManage,
            "Shows an event, what is sent of it, and what came of each attempt.",
            answer: Resource.deliveredEventShape
        ) { call in
            let event = try call.books.event(call.id("event"), .custody, of: call.tenant)
            return Resource.event(event, try call.books.store.attempts(of: event.id))
        },
        .change(
            .post, "redeliverEvent", "webhooks/events/{event}/redelivery", .webhooksManage,
            "Sends an event once more, as it was.", status: 202, answer: Resource.eventShape,
            refusals: [.noWebhook]
        ) { call in
            let event = try call.books.event(call.id("event"), .custody, of: call.tenant)
            return Resource.event(try call.books.redeliver(event.id, of: call.tenant))
        },
    ]
}
