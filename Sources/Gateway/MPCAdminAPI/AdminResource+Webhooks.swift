import Canonical
import Custody
import Intents

extension AdminResource {
    static func endpoint(_ subscription: Subscription) -> JSONValue {
        .object([
            "endpoint_id": .string(subscription.id.text), "url": .string(subscription.url),
            "subscribed_events": .array(subscription.types.map { .string($0) }),
            "status": .string(subscription.isActive ? "STATUS_ACTIVE" : "STATUS_INACTIVE"),
            "description": .string(subscription.note ?? ""),
            "created_timestamp": .integer(subscription.createdAt.milliseconds),
        ])
    }

    /// As it is sent and as it is shown; the time of a next try is known between two tries alone.
    static func event(
        _ event: RecordedEvent, to url: String, retriesLeft: Int, nextTry: Timestamp? = nil
    ) throws -> JSONValue {
        let data: JSONValue
        do throws(MalformedJSON) {
            data = try JSONParser.parse(event.body)
        } catch {
            throw LedgerFault.impossible("content of event \(event.id)")
        }
        var members: [JSONValue.Member] = [
            .init(name: "event_id", value: .string(event.id.text)),
            .init(name: "url", value: .string(url)),
            .init(name: "created_timestamp", value: .integer(event.createdAt.milliseconds)),
            .init(name: "type", value: .string(event.type)), .init(name: "data", value: data),
            .init(name: "status", value: .string(event.state.adminStatus)),
        ]
        guard event.state.isTried else { return .object(members) }
        if let nextTry {
            members.append(
                .init(name: "next_retry_timestamp", value: .integer(nextTry.milliseconds)))
        }
        members.append(.init(name: "retries_left", value: .integer(retriesLeft)))
        return .object(members)
    }

    /// One try, and what came of it.
    ///
    /// - Parameter event: the event as it is shown.
    static func attempt(
        _ attempt: DeliveryAttempt, of id: EventID, _ event: JSONValue
    ) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init(name: "id", value: .string("\(id)-\(attempt.began.milliseconds)")),
            .init(name: "created_timestamp", value: .integer(attempt.began.milliseconds)),
            .init(
                name: "request_headers",
                value: .object([
                    "Content-Type": .string("application/json"),
                    "BIZ-TIMESTAMP": .string(String(attempt.began.milliseconds)),
                ])),
            .init(name: "request_body", value: event),
            .init(name: "response_time", value: .integer(attempt.milliseconds)),
            .init(name: "success", value: .bool(attempt.isAcknowledged(.mpcAdmin))),
        ]
        switch attempt.outcome {
        case .answer(let status, let start):
            let text = String(decoding: start, as: UTF8.self)
            members.append(.init(name: "response_status_code", value: .integer(status)))
            members.append(.init(name: "response_body", value: .string(text)))
        case .failure(let why):
            members.append(.init(name: "failure_reason", value: .string(why)))
        }
        return .object(members)
    }
}

extension RecordedEvent.State {
    fileprivate var adminStatus: String {
        switch self {
        case .queued, .waiting, .redelivering: "Retrying"
        case .delivered: "Success"
        case .unsent, .dead: "Failed"
        }
    }

    /// The states that a filter by one of the face's statuses means.
    static func all(_ status: String) -> [RecordedEvent.State]? {
        let states = allCases.filter { $0.adminStatus == status }
        return states.isEmpty ? nil : states
    }
}
