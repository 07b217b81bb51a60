import Canonical
import Custody
import Intents

// Events and their deliveries, as the REST face shows them.
extension Resource {
    static let eventShape = Shape.named("Event", eventMembers)

    static let deliveredEventShape = Shape.named(
        "EventWithAttempts",
        eventMembers + [
            Member("body", .text(), "what is sent, byte for byte"),
            Member("attempts", .list(attemptShape), "oldest first"),
        ])

    private static let eventMembers = [
        Member("id", .uuid), Member("type", .text()),
        Member("resourceId", .text(), "what it is about"),
        Member("sequence", .integer(), "within the resource, from 1"),
        Member("state", .choice(RecordedEvent.State.self)), Member("createdAt", .time),
        Member("nextAttemptAt", .nullable(.time)),
        Member("attemptCount", .integer(), "how often it was sent"),
    ]

    private static let attemptShape = Shape.named(
        "DeliveryAttempt",
        [
            Member("at", .time), Member("durationMilliseconds", .integer()),
            Member("statusCode", .nullable(.integer()), "null where there was no answer"),
            Member(
                "answer", .nullable(.text()),
                "how its body begins, up to \(DeliveryAttempt.answerBytesMost) bytes"),
            Member("error", .nullable(.text()), "why there was no answer"),
        ])

    static func event(_ event: RecordedEvent) -> JSONValue { .object(members(event)) }

    static func event(_ event: RecordedEvent, _ attempts: [DeliveryAttempt]) -> JSONValue {
        .object(
            members(event) + [
                .init(name: "body", value: .string(String(decoding: event.body, as: UTF8.self))),
                .init(name: "attempts", value: .array(attempts.map(attempt))),
            ])
    }

    private static func members(_ event: RecordedEvent) -> [JSONValue.Member] {
        [
            .init(name: "id", value: .string(event.id.text)),
            .init(name: "type", value: .string(event.type)),
            .init(name: "resourceId", value: .string(resource(event.resource))),
            .init(name: "sequence", value: .integer(event.sequence)),
            .init(name: "state", value: .string(event.state.rawValue)),
            .init(name: "createdAt", value: .string(event.createdAt.text)),
            .init(name: "nextAttemptAt", value: .optional(event.nextTry?.text)),
            .init(name: "attemptCount", value: .integer(event.attempts)),
        ]
    }

    /// A UUID, or the name of what has none.
    private static func resource(_ bytes: [UInt8]) -> String {
        EventID(bytes)?.text ?? String(decoding: bytes, as: UTF8.self)
    }

    private static func attempt(_ attempt: DeliveryAttempt) -> JSONValue {
        var (status, answer, failure): (JSONValue, String?, String?) = (.null, nil, nil)
        switch attempt.outcome {
        case .answer(let code, let start):
            (status, answer) = (.integer(code), String(decoding: start, as: UTF8.self))
        case .failure(let why): failure = why
        }
        return .object([
            "at": .string(attempt.began.text),
            "durationMilliseconds": .integer(attempt.milliseconds), "statusCode": status,
            "answer": .optional(answer), "error": .optional(failure),
        ])
    }
}
