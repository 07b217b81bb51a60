import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

extension Endpoint {
    static let keys: [Endpoint] = [
        .change(
            .post, "createKey", "keys", .keysManage,
            "Makes an API key, which may do nothing that the asking one may not.",
            body: [
                Member("name", .text(most: Tenant.nameMost)),
                Member("scopes", .list(.choice(Scope.self))),
                Member("vaults", .list(.uuid), optional: true, "all if left out"),
                Member("cidrs", .list(.text()), optional: true, "any address if left out"),
                Member("expiresAt", .time, optional: true),
            ], status: 201, answer: Resource.keyShape,
            refusals: [.notFound, .exceedsOwnRights, .keyInactive]
        ) { call in
            var fields = try call.fields()
            let name = fields.string("name")
            let scopes = fields.list(
                "scopes", "one of \(Scope.allCases.map(\.rawValue).joined(separator: ", "))"
            ) { Scope(rawValue: $0) }
            let vaults = fields.list("vaults", "a UUID") { VaultID(text: $0.lowercased()) }
            let cidrs = fields.list("cidrs", "a text") { $0 }
            let expiresAt = fields.time("expiresAt")
            try fields.finish()
            let (key, secret) = try call.books.createAPIKey(
                for: call.tenant, name: name, scopes: Set(scopes ?? []), cidrs: cidrs,
                vaults: vaults.map { Set($0) }, expiresAt: expiresAt)
            return Resource.key(key, at: call.books.now, secret: secret)
        },
        .get(
            "listKeys", "keys", .keysManage, "Lists API keys, those that are revoked included.",
            answer: .page(Resource.keyShape)
        ) { call in
            call.list(try call.books.store.apiKeys(of: call.tenant, call.page())) {
                Resource.key($0, at: call.books.now)
            }
        },
        .get(
            "getKey", "keys/{key}", .keysManage, "Shows an API key.", answer: Resource.keyShape
        ) { call in
            Resource.key(try call.books.apiKey(call.key, of: call.tenant), at: call.books.now)
        },
        .change(
            .delete, "revokeKey", "keys/{key}", .keysManage,
            "Revokes an API key, which counts at once.", status: 204, refusals: [.keyInactive]
        ) { call in
            try call.books.revokeAPIKey(call.key, of: call.tenant)
            return nil
        },
        .change(
            .post, "rotateKey", "keys/{key}/rotation", .keysManage,
            "Gives an API key another secret; the one that it had counts on for a while.",
            body: [
                Member(
                    "overlapSeconds", .integer(0...Int(APIKey.overlapMost)),
                    "how long the old secret counts as well")
            ], status: 201, answer: Resource.keyShape, refusals: [.keyInactive, .exceedsOwnRights]
        ) { call in
            let id = try call.key
            var fields = try call.fields()
            let overlap = fields.integer("overlapSeconds")
            try fields.finish()
            let (key, secret) = try call.books.rotateAPIKey(
                id, of: call.tenant, overlapSeconds: overlap)
            return Resource.key(key, at: call.books.now, secret: secret)
        },
    ]
}

extension Call {
    /// The API key in the path. What is no key's id names nothing.
    fileprivate var key: APIKeyID {
        get throws {
            guard let id = APIKeyID(text: text("key")) else { throw Refusal.notFound("API key") }
            return id
        }
    }
}
