import Canonical
import Custody
import Identity
import Intents

/// Keys, audit trail and usage as the REST face shows them.
extension Resource {
    static let keyShape = Shape.named(
        "ApiKey",
        [
            Member("id", .text()), Member("name", .text()),
            Member("scopes", .list(.choice(Scope.self))),
            Member("vaults", .nullable(.list(.uuid)), "null for all"),
            Member("cidrs", .nullable(.list(.text())), "null for any address"),
            Member("status", .choice(APIKey.Status.self)), Member("createdAt", .time),
            Member("expiresAt", .nullable(.time)), Member("revokedAt", .nullable(.time)),
            Member("lastUsedAt", .nullable(.time), "to about a second"),
            Member("previousSecretUntil", .nullable(.time), "how long the one before counts"),
            Member("secret", .nullable(.text()), "only when it is new"),
        ])

    static func key(_ key: APIKey, at now: Timestamp, secret: String? = nil) -> JSONValue {
        func texts(_ texts: [String]?) -> JSONValue {
            texts.map { .array($0.map { .string($0) }) } ?? .null
        }
        let previous = key.previous.flatMap { $0.until > now ? $0.until : nil }
        return .object([
            "id": .string(key.id.text), "name": .string(key.name),
            "scopes": texts(key.scopes.map(\.rawValue).sorted()),
            "vaults": texts(key.vaults?.map(\.text).sorted()),
            "cidrs": texts(key.ranges?.map(\.text)),
            "status": .string(key.status(at: now).rawValue),
            "createdAt": .string(key.createdAt.text), "expiresAt": .optional(key.expiresAt?.text),
            "revokedAt": .optional(key.revokedAt?.text),
            "lastUsedAt": .optional(key.lastUsedAt?.text),
            "previousSecretUntil": .optional(previous?.text), "secret": .optional(secret),
        ])
    }

    static let auditShape = Shape.named(
        "AuditEntry",
        [
            Member("at", .time), Member("actor", .text(), "a key's id, or operator"),
            Member("action", .text(), "the operation's name, or the kind of an alert"),
            Member("subjectIds", .list(.text())), Member("vaultIds", .list(.uuid)),
            Member("changes", .texts, "what a PATCH has set"),
            Member("address", .nullable(.text())), Member("requestId", .nullable(.text())),
        ])

    static func audit(_ entry: AuditEntry) -> JSONValue {
        .object([
            "at": .string(entry.at.text), "actor": .string(entry.actor),
            "action": .string(entry.action),
            "subjectIds": .array(entry.subjects.map { .string($0) }),
            "vaultIds": .array(entry.vaults.map { .string($0.text) }),
            "changes": .object(
                entry.changes.sorted { $0.key < $1.key }.map {
                    JSONValue.Member(name: $0.key, value: .string($0.value))
                }),
            "address": .optional(entry.address), "requestId": .optional(entry.request),
        ])
    }

    static let usageShape = Shape.named(
        "Usage",
        [
            Member(
                "items",
                .list(
                    .object([
                        Member("day", .text(), optional: true),
                        Member("endpoint", .text(), optional: true),
                        Member("requests", .integer()),
                    ])))
        ])

    /// - Parameter byDay: or else by endpoint.
    static func usage(_ counts: [UsageCount], byDay: Bool) -> JSONValue {
        let groups = Dictionary(grouping: counts) { byDay ? $0.date : $0.endpoint }
        let sums = groups.mapValues { $0.reduce(0) { $0 + $1.count } }
        // Days newest first, endpoints busiest first.
        let sorted = sums.sorted {
            byDay || $0.value == $1.value
                ? (byDay ? $0.key > $1.key : $0.key < $1.key) : $0.value > $1.value
        }
        return .object([
            "items": .array(
                sorted.map { name, count in
                    .object([
                        (byDay ? "day" : "endpoint"): .string(name), "requests": .integer(count),
                    ])
                })
        ])
    }

    static func alert(_ alert: SecurityAlert) -> JSONValue {
        .object([
            "kind": .string(alert.kind.rawValue), "apiKeyId": .string(alert.key),
            "address": .optional(alert.address), "requestId": .string(alert.request),
        ])
    }
}
