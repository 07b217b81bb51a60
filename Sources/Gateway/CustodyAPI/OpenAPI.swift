import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

/// The face's OpenAPI 3.1 document, written from the table of endpoints.
enum OpenAPI {
    static func document(_ endpoints: [Endpoint]) -> JSONValue {
        .object([
            "openapi": .string("3.1.0"),
            "info": .object([
                "title": .string("Quorumkeep custody API"), "version": .string("1"),
                "description": .string(
                    "Vaults, wallets, deposits, transfers, withdrawals. \(signing)"),
            ]),
            "servers": .array([.object(["url": .string("/")])]),
            "security": .array([.object(["apiKey": .array([]), "signature": .array([])])]),
            "paths": paths(endpoints),
            "webhooks": .object(["event": .object(["post": delivery])]),
            "components": .object([
                "securitySchemes": securitySchemes,
                "schemas": .object(
                    schemas(endpoints).sorted { $0.key < $1.key }.map {
                        JSONValue.Member(name: $0.key, value: $0.value)
                    }),
            ]),
        ])
    }

    /// How requests are signed, in a paragraph.
    static let signing =
        "Every request carries X-API-Key, X-Timestamp (Unix time in seconds), X-Signature. The "
        + "signature is the hexadecimal HMAC-SHA256, keyed with the secret, over these lines, "
        + "joined by \\n: timestamp, method, path with query, hexadecimal SHA-256 of the body and, "
        + "if it is sent, X-Nonce. A POST may carry Idempotency-Key. More: "
        + "docs/api/authentication.md of the project."

    /// What a tenant's webhook is sent.
    private static let delivery: JSONValue = {
        func header(_ name: String, _ says: String) -> JSONValue {
            .object([
                "name": .string(name), "in": .string("header"), "required": .bool(true),
                "description": .string(says), "schema": .object(["type": .string("string")]),
            ])
        }
        let taken = JSONValue.object(["description": .string("Any status from 200 to 299: taken.")])
        return .object([
            "summary": .string("An event. Which types there are: docs/api/webhooks.md."),
            "parameters": .array([
                header("X-Webhook-Id", "the event's, the same at each try"),
                header("X-Webhook-Timestamp", "Unix time of the try, in seconds"),
                header(
                    "X-Webhook-Signature",
                    "hexadecimal HMAC-SHA256 of the body, keyed with the decoded signing secret"),
                header("webhook-id", "as X-Webhook-Id"),
                header("webhook-timestamp", "as X-Webhook-Timestamp"),
                header(
                    "webhook-signature",
                    "Standard Webhooks: v1 and base64, over id, time and body; prefer it"),
            ]),
            "requestBody": .object([
                "required": .bool(true), "content": content(schema(FaceEventWriter.shape)),
            ]),
            "responses": .object(["2XX": taken]),
        ])
    }()

    private static let securitySchemes: JSONValue = {
        func header(_ name: String, _ says: String) -> JSONValue {
            .object([
                "type": .string("apiKey"), "in": .string("header"), "name": .string(name),
                "description": .string(says),
            ])
        }
        return .object([
            "apiKey": header("X-API-Key", "The key's id; X-Timestamp and X-Signature go with it."),
            "signature": header(
                "X-Signature",
                "HMAC-SHA256 of time, method, path, hash of the body and X-Nonce, hexadecimal."
            ),
        ])
    }()

    private static func paths(_ endpoints: [Endpoint]) -> JSONValue {
        var order: [String] = []
        var byPath: [String: [Endpoint]] = [:]
        for endpoint in endpoints {
            if byPath[endpoint.path] == nil { order.append(endpoint.path) }
            byPath[endpoint.path, default: []].append(endpoint)
        }
        return .object(
            order.map { path in
                .init(
                    name: "/v1/\(path)",
                    value: .object(
                        byPath[path, default: []].map {
                            .init(name: $0.method.rawValue.lowercased(), value: operation($0))
                        }))
            })
    }

    private static func operation(_ endpoint: Endpoint) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init(name: "operationId", value: .string(endpoint.name)),
            .init(name: "summary", value: .string(endpoint.says)),
            .init(
                name: "description",
                value: .string("Needs the scope `\(endpoint.scope.rawValue)`.")),
            .init(
                name: "tags",
                value: .array([.string(String(endpoint.path.prefix { $0 != "/" }))])),
            .init(name: "parameters", value: .array(parameters(endpoint))),
        ]
        if let body = endpoint.body {
            members.append(
                .init(
                    name: "requestBody",
                    value: .object([
                        "required": .bool(true),
                        "content": content(schema(.object(body), strict: true)),
                    ])))
        }
        members.append(.init(name: "responses", value: responses(endpoint)))
        return .object(members)
    }

    private static func parameters(_ endpoint: Endpoint) -> [JSONValue] {
        func parameter(_ name: String, _ place: String, _ required: Bool, _ shape: Shape)
            -> JSONValue
        {
            .object([
                "name": .string(name), "in": .string(place), "required": .bool(required),
                "schema": schema(shape),
            ])
        }
        // All but the ids of keys and assets are UUIDs.
        var found = endpoint.parameters.map {
            parameter($0, "path", true, ["key", "asset"].contains($0) ? .text() : .uuid)
        }
        found += endpoint.query.map { parameter($0.name, "query", !$0.isOptional, $0.shape) }
        if endpoint.isPaged {
            found.append(
                parameter("limit", "query", false, .integer(1...PageRequest.limitMost)))
            found.append(parameter("after", "query", false, .text()))
        }
        if endpoint.method == .post {
            found.append(
                .object([
                    "name": .string("Idempotency-Key"), "in": .string("header"),
                    "required": .bool(false),
                    "schema": .object([
                        "type": .string("string"),
                        "pattern": .string("^[ -~]{1,\(Once.keyMost)}$"),
                    ]),
                ]))
        }
        return found
    }

    private static func responses(_ endpoint: Endpoint) -> JSONValue {
        var answer: [JSONValue.Member] = [
            .init(name: "description", value: .string("Done."))
        ]
        if let shape = endpoint.answer.shape {
            answer.append(.init(name: "content", value: content(schema(shape))))
        }
        var members: [JSONValue.Member] = [
            .init(name: String(endpoint.answer.status), value: .object(answer))
        ]
        if let also = endpoint.answer.also {
            members.append(.init(name: String(also), value: .object(answer)))
        }
        for (status, codes) in Problem.codes(of: endpoint).sorted(by: { $0.key < $1.key }) {
            members.append(
                .init(
                    name: String(status),
                    value: .object([
                        "description": .string(
                            codes.map { "`\($0)`" }.joined(separator: ", ")),
                        "content": content(reference("Error")),
                    ])))
        }
        return .object(members)
    }

    private static func content(_ schema: JSONValue) -> JSONValue {
        .object(["application/json": .object(["schema": schema])])
    }

    private static func reference(_ name: String) -> JSONValue {
        .object(["$ref": .string("#/components/schemas/\(name)")])
    }

    /// Every named shape that an endpoint mentions, and the form of errors.
    private static func schemas(_ endpoints: [Endpoint]) -> [String: JSONValue] {
        var found: [String: JSONValue] = ["Error": schema(Problem.shape)]
        func gather(_ shape: Shape) {
            switch shape {
            case .named(let name, let members):
                found[name] = schema(.object(members))
                members.forEach { gather($0.shape) }
            case .object(let members): members.forEach { gather($0.shape) }
            case .list(let item), .page(let item), .nullable(let item): gather(item)
            case .text, .uuid, .time, .day, .amount, .integer, .boolean, .choice, .texts: break
            }
        }
        for endpoint in endpoints { if let shape = endpoint.answer.shape { gather(shape) } }
        return found
    }
}

// JSON Schema.
extension OpenAPI {
    /// - Parameter strict: of a request: what is not named, empty or no plain text is refused.
    private static func schema(_ shape: Shape, strict: Bool = false) -> JSONValue {
        switch shape {
        case .text(let most):
            return text(most: most, strict: strict)
        case .uuid: return .object(["type": .string("string"), "format": .string("uuid")])
        case .time: return .object(["type": .string("string"), "format": .string("date-time")])
        case .day: return .object(["type": .string("string"), "format": .string("date")])
        case .amount:
            return .object(["type": .string("string"), "pattern": .string(#"^[0-9]+(\.[0-9]+)?$"#)])
        case .integer(let range):
            guard let range else { return .object(["type": .string("integer")]) }
            return .object([
                "type": .string("integer"), "minimum": .integer(range.lowerBound),
                "maximum": .integer(range.upperBound),
            ])
        case .boolean: return .object(["type": .string("boolean")])
        case .choice(let values):
            return .object([
                "type": .string("string"), "enum": .array(values.map { .string($0) }),
            ])
        case .texts:
            guard strict else {
                return .object([
                    "type": .string("object"), "additionalProperties": schema(.text()),
                ])
            }
            return .object([
                "type": .string("object"), "maxProperties": .integer(Vault.metadataEntriesMost),
                "propertyNames": .object([
                    "minLength": .integer(1), "maxLength": .integer(Vault.metadataKeyMost),
                ]),
                "additionalProperties": schema(.text(most: Vault.metadataValueMost)),
            ])
        case .list(let item):
            return .object(["type": .string("array"), "items": schema(item, strict: strict)])
        case .named(let name, _): return reference(name)
        case .object(let members): return object(members, strict: strict)
        case .page(let item):
            return object(
                [Member("items", .list(item)), Member("next", .nullable(.text()))], strict: false)
        case .nullable(let inner):
            return .object([
                "oneOf": .array([schema(inner), .object(["type": .string("null")])])
            ])
        }
    }

    private static func text(most: Int?, strict: Bool) -> JSONValue {
        var members: [JSONValue.Member] = [.init(name: "type", value: .string("string"))]
        if strict {
            members += [
                .init(name: "minLength", value: .integer(1)),
                .init(name: "pattern", value: .string(#"^[^\u0000-\u001F\u007F]*$"#)),
            ]
        }
        if let most { members.append(.init(name: "maxLength", value: .integer(most))) }
        return .object(members)
    }

    private static func object(_ members: [Member], strict: Bool) -> JSONValue {
        var parts: [JSONValue.Member] = [
            .init(name: "type", value: .string("object")),
            .init(
                name: "properties",
                value: .object(
                    members.map {
                        .init(
                            name: $0.name,
                            value: described(
                                schema(
                                    strict && $0.isOptional ? .nullable($0.shape) : $0.shape,
                                    strict: strict), $0.says))
                    })),
            .init(
                name: "required",
                value: .array(members.filter { !$0.isOptional }.map { .string($0.name) })),
        ]
        if strict { parts.append(.init(name: "additionalProperties", value: .bool(false))) }
        return .object(parts)
    }

    private static func described(_ schema: JSONValue, _ says: String) -> JSONValue {
        guard !says.isEmpty, case .object(let members) = schema else { return schema }
        return .object(members + [.init(name: "description", value: .string(says))])
    }
}
