import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

extension AdminEndpoint {
    static let organisation: [AdminEndpoint] = [
        .get("get_org_info", "organizations/info", nil) { call in
            guard let tenant = try call.books.store.tenant(call.tenant) else {
                throw Refusal.notFound("organisation")
            }
            return .object([
                "org_id": .string(tenant.id.text), "name": .string(tenant.name),
                "created_timestamp": .integer(tenant.createdAt.milliseconds),
            ])
        },
        .get("get_api_key_info", "developers/api_key_info", .apiKeyRead) { call in
            let key = call.caller.apiKey
            var members: [JSONValue.Member] = [
                .init(name: "name", value: .string(key.name)),
                .init(name: "curve_type", value: .string(key.id.curve.rawValue)),
                .init(name: "key", value: .string(key.id.text)),
                .init(
                    name: "valid_ips",
                    value: .array((key.ranges ?? []).map { .string($0.text) })),
                .init(
                    name: "created_timestamp", value: .integer(key.createdAt.milliseconds)),
                .init(
                    name: "updated_timestamp", value: .integer(key.createdAt.milliseconds)),
            ]
            if let url = key.callbackURL {
                members.append(.init(name: "callback_url", value: .string(url)))
            }
            if let end = key.expiresAt {
                members.append(
                    .init(name: "expired_timestamp", value: .integer(end.milliseconds)))
            }
            return .object(members)
        },
    ]
}
