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
    ]
}
