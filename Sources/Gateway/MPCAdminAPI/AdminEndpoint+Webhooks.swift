import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

/// Endpoints that are told of events, and what they were told.
extension AdminEndpoint {
    private static let endpoint = "webhooks/endpoints/{endpoint_id}"
    private static let event = endpoint + "/events/{event_id}"

    static let webhooks: [AdminEndpoint] = webhookEndpoints + webhookEvents

    private static let webhookEndpoints: [AdminEndpoint] = [
        .list(
            "list_webhook_endpoints", "webhooks/endpoints", .webhookRead,
            query: ["status", "event_type"]
        ) { call in
            let filter = SubscriptionFilter(
                isActive: try call.value("status") {
                    ["STATUS_ACTIVE": true, "STATUS_INACTIVE": false][$0]
                }, type: try call.value("event_type") { AdminEventType(rawValue: $0) }?.rawValue)
            return call.list(
                try call.books.store.subscriptions(
                    of: call.tenant, matching: filter, call.page()), AdminResource.endpoint)
        },
        .change(
            .post, "create_webhook_endpoint", "webhooks/endpoints", .webhookEdit,
            made: "endpoint_id"
        ) { call in
            var fields = try call.fields("url", "subscribed_events", "description")
            let url = fields.string("url")
            let types = fields.eventTypes()
            let note = fields.string("description")
            try fields.finish()
            return AdminResource.endpoint(
                try call.books.subscribe(
                    call.required("url", url), to: call.required("subscribed_events", types),
                    note: note, for: call.tenant))
        },
        .get("get_webhook_endpoint_by_id", endpoint, .webhookRead) { call in
            AdminResource.endpoint(try call.subscription())
        },
        .change(.put, "update_webhook_endpoint_by_id", endpoint, .webhookEdit) { call in
            var fields = try call.fields("subscribed_events", "status", "description")
            let types = fields.eventTypes()
            let (status, note) = (fields.string("status"), fields.string("description"))
            try fields.finish()
            guard [nil, "STATUS_INACTIVE"].contains(status) else {
                throw AdminProblem(.badValue, "'status' can be changed to STATUS_INACTIVE alone.")
            }
            return AdminResource.endpoint(
                try call.books.change(
                    call.subscription().id, types: types, note: note, ends: status != nil,
                    of: call.tenant))
        },
    ]

    private static let webhookEvents: [AdminEndpoint] = [
        .get("list_webhook_event_definitions", "webhooks/events/definitions", nil) { _ in
            .array(
                AdminEventType.allCases.map { type in
                    .object([
                        "event_type": .string(type.rawValue), "description": .string(type.says),
                    ])
                })
        },
        .change(
            .post, "trigger_test_webhook_event", "webhooks/events/trigger", .webhookEdit
        ) { call in
            .object(["triggered": .bool(try call.books.trigger(call.sample(), of: call.tenant))])
        },
        .list(
            "list_webhook_events", endpoint + "/events", .webhookRead, query: ["status", "type"]
        ) { call in
            let subscription = try call.subscription()
            let filter = EventFilter(
                form: .mpcAdmin,
                type: try call.value("type") { AdminEventType(rawValue: $0) }?.rawValue,
                states: try call.value("status", RecordedEvent.State.all),
                resource: subscription.id.bytes)
            let page = try call.books.store.events(of: call.tenant, matching: filter, call.page())
            return try call.list(page) { try call.show($0, to: subscription) }
        },
        .get("get_webhook_event_by_id", event, .webhookRead) { call in
            try call.show(call.event(), to: call.subscription())
        },
        .list("list_webhook_event_logs", event + "/logs", .webhookRead) { call in
            let event = try call.event()
            let shown = try call.show(event, to: call.subscription())
            let attempts = try call.books.store.attempts(of: event.id)
            return try call.list(all: attempts.reversed()) {
                AdminResource.attempt($0, of: event.id, shown)
            }
        },
        .change(.post, "retry_webhook_event_by_id", event + "/retry", .webhookResend) { call in
            let event = try call.event()
            guard event.state != .delivered else {
                throw AdminProblem(.badValue, "The event was delivered.")
            }
            _ = try call.books.redeliver(event.id, of: call.tenant)
            return .object(["retried": .bool(true)])
        },
    ]
}

extension RequestFields {
    /// Types of events that endpoints are told of.
    fileprivate mutating func eventTypes() -> [String]? {
        list("subscribed_events", "a type of events that are sent here") {
            AdminEventType(rawValue: $0)?.rawValue
        }
    }
}

extension AdminCall {
    /// The endpoint in the path.
    fileprivate func subscription() throws -> Subscription {
        try books.subscription(id("endpoint_id", "endpoint"), of: tenant)
    }

    /// The event in the path, of the endpoint in the path.
    fileprivate func event() throws -> RecordedEvent {
        try books.event(id("event_id", "event"), of: subscription().id, tenant)
    }

    fileprivate func show(
        _ event: RecordedEvent, to subscription: Subscription
    ) throws -> JSONValue {
        try AdminResource.event(
            event, to: subscription.url,
            retriesLeft: max(0, settings.webhookRetriesMost - event.tries), nextTry: event.nextTry)
    }

    /// What is told of nothing: a sample, with the members that the caller gives in place of its
    /// own.
    fileprivate func sample() throws -> Notice {
        var fields = try self.fields("event_type", "override_data")
        let name = fields.string("event_type")
        let others = fields.members("override_data")
        try fields.finish()
        let type = AdminEventType(rawValue: try required("event_type", name))
        guard let type, case .object(var members)? = type.sample(settings, at: books.now) else {
            throw AdminProblem(
                .badValue, "There are samples of transactions' and TSS requests' events alone.")
        }
        for other in others ?? [] {
            guard other.name != "data_type",
                let place = members.firstIndex(where: { $0.name == other.name })
            else {
                throw AdminProblem(
                    .badValue, "The sample has no '\(other.name.prefix(64))' to be replaced.")
            }
            members[place] = other
        }
        return Notice(type: type.rawValue, data: JSONValue.object(members).bytes)
    }
}
