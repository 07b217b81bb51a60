import Algebra
import Canonical
import Identity
import Intents
import KeyGroups

/// Tenants, their keys and those who hold them.
extension Books {
    /// Makes a tenant and asks for its key: the holders then make it by themselves.
    ///
    /// - Parameter threshold: how many of the holders must sign.
    public func createTenant(
        name: String, threshold required: Int, holders: [RegisteredHolder],
        coolingSeconds: Int64 = 0
    ) throws -> (Tenant, KeyVault) {
        var validation = Validation()
        validation.text("name", name, most: Tenant.nameMost)
        validation.cooling(coolingSeconds)
        try validation.finish()
        let tenant = Tenant(
            id: newID(), name: name, environment: settings.environment,
            coolingSeconds: coolingSeconds, createdAt: now)
        try store.insert(tenant)
        let (keyVault, _) = try createKeyVault(
            for: tenant.id, .ecdsaSecp256k1, threshold: required, holders: holders)
        return (tenant, keyVault)
    }

    /// Sets how long new entries of the tenant's address book wait; those that are there keep the
    /// time that they were told.
    public func setCooling(_ seconds: Int64, of id: TenantID) throws {
        var validation = Validation()
        validation.cooling(seconds)
        try validation.finish()
        guard var tenant = try store.tenant(id) else { throw Refusal.notFound("tenant") }
        tenant.coolingSeconds = seconds
        try store.update(tenant)
    }

    public func register(_ identity: IdentityPublicKey, name: String) throws -> RegisteredHolder {
        var validation = Validation()
        validation.text("name", name, most: Tenant.nameMost)
        try validation.finish()
        let known = try store.holders()
        guard !known.contains(where: { $0.identity == identity || $0.name == name }) else {
            throw Refusal(.invalid, field: "holder", "A holder of this identity or name is known.")
        }
        let holder = RegisteredHolder(identity: identity, name: name, createdAt: now)
        try store.insert(holder)
        return holder
    }

    /// Makes an API key.
    ///
    /// - Returns: the key and its secret, which is shown this once.
    public func createAPIKey(
        for tenant: TenantID, name: String, scopes: Set<Scope>
    ) throws -> (key: APIKey, secret: String) {
        var validation = Validation()
        validation.text("name", name, most: Tenant.nameMost)
        if scopes.isEmpty { validation.reject("scopes", "'scopes' must not be empty.") }
        try validation.finish()
        guard try store.tenant(tenant) != nil else { throw Refusal.notFound("tenant") }
        var random = SystemRandom()
        let isLive = settings.environment == .production
        let id = APIKeyID(isLive: isLive, random: random.bytes(12))
        let secret = APISecret(isLive: isLive, random: &random)
        let key = APIKey(
            id: id, tenant: tenant, name: name, scopes: scopes,
            sealedSecret: secret.sealed(vaultKey.key, for: id), createdAt: now)
        try store.insert(key)
        return (key, secret.dangerouslyReveal())
    }

    public func revokeAPIKey(_ id: APIKeyID) throws {
        guard try store.revoke(id, at: now) else { throw Refusal.notFound("API key") }
    }

    /// The key that a request names and its secret, or nil if there is none that may be used here.
    public func openAPIKey(_ id: APIKeyID) throws -> (key: APIKey, secret: SecretBox<APISecret>)? {
        guard id.isLive == (settings.environment == .production),
            let key = try store.apiKey(id), key.revokedAt == nil,
            let secret = APISecret(sealed: key.sealedSecret, vaultKey.key, for: id)
        else { return nil }
        return (key, SecretBox(secret))
    }
}

extension Validation {
    fileprivate mutating func cooling(_ seconds: Int64) {
        guard (0...Tenant.coolingMost).contains(seconds) else {
            return reject(
                "coolingSeconds", "The cooling period must be from 0 to \(Tenant.coolingMost) s.")
        }
    }
}
