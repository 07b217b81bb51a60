import Identity
import Intents

/// The keys of the MPC administration face.
extension Books {
    /// Lets the owner of a key call as the tenant.
    ///
    /// - Parameters:
    ///   - cidrs: where it may be used from; nil for anywhere.
    ///   - callbackURL: where it is asked about transactions that the key starts; nil for nowhere.
    public func createPublicAPIKey(
        _ publicKey: String, for tenant: TenantID, name: String?, permissions: Set<Permission>,
        cidrs: [String]? = nil, callbackURL: String? = nil, expiresAt: Timestamp? = nil
    ) throws -> PublicAPIKey {
        var validation = Validation()
        validation.text("callbackUrl", callbackURL, most: Callback.urlMost, required: false)
        validation.text("name", name, most: Tenant.nameMost)
        if permissions.isEmpty {
            validation.reject("permissions", "'permissions' must not be empty.")
        }
        let ranges = validation.ranges(cidrs)
        if let expiresAt, expiresAt <= now {
            validation.reject("expiresAt", "'expiresAt' must be in the future.")
        }
        let id = APIPublicKey(text: publicKey)
        if id == nil {
            validation.reject(
                "publicKey",
                "'publicKey' must be 64 lower-case hexadecimal digits of Ed25519, or 66 of a "
                    + "compressed point on secp256k1.")
        }
        try validation.finish()
        if let callbackURL { try mustBeFit(callbackURL, field: "callbackUrl") }
        guard let id, try store.tenant(tenant) != nil else { throw Refusal.notFound("tenant") }
        guard try store.publicAPIKey(id) == nil else {
            throw Refusal(
                .invalid, field: "publicKey", "The public key is an API key's already.")
        }
        let key = PublicAPIKey(
            id: id, tenant: tenant, name: name ?? "", permissions: permissions, ranges: ranges,
            callbackURL: callbackURL, createdAt: now, expiresAt: expiresAt)
        try store.insert(key)
        return key
    }

    /// Revokes a key: no request with it counts from now on.
    public func revokePublicAPIKey(_ id: APIPublicKey) throws -> PublicAPIKey {
        guard var key = try store.publicAPIKey(id) else { throw Refusal.notFound("API key") }
        guard key.revokedAt == nil else {
            throw Refusal(.keyInactive, "The API key is revoked already.")
        }
        key.revokedAt = now
        try store.update(key)
        return key
    }

    /// The key that a request names, or nil if it may not be used now.
    public func openPublicAPIKey(_ id: APIPublicKey) throws -> PublicAPIKey? {
        guard let key = try store.publicAPIKey(id), key.status(at: now) == .active else {
            return nil
        }
        return key
    }

    /// Takes a request's nonce, which counts once. One that is a time is forgotten when a request
    /// with it would be too old; another never, so that a key has so many of these and no more.
    ///
    /// - Throws: `Replayed` if it was taken before, `NoncesSpent` if the key has no such more.
    public func claim(_ request: KeySignedRequest) throws {
        let until = request.sentAt.map {
            Timestamp(milliseconds: $0).adding(seconds: 2 * KeySignedRequest.windowSeconds)
        }
        guard
            try store.claim(
                nonce: request.nonce, of: request.key,
                until: until ?? Timestamp(milliseconds: .max))
        else { throw Replayed() }
        guard try until != nil || store.countWord(of: request.key) <= PublicAPIKey.wordsMost
        else { throw NoncesSpent() }
    }
}
