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
        name: String, threshold required: Int, holders: [RegisteredHolder]
    ) throws -> (Tenant, KeyVault) {
        var validation = Validation()
        validation.text("name", name, most: Tenant.nameMost)
        try validation.finish()
        let identities = holders.map(\.identity).sorted()
        guard let threshold = SigningThreshold(required, of: identities.count),
            let roster = Roster(
                identities, (1...identities.count).compactMap { ParticipantIndex($0) })
        else {
            throw Refusal(
                .invalid, field: "holders",
                "\(required) of \(holders.count) holders is no possible quorum; 2 to 20 holders, "
                    + "of which at least 2 sign.")
        }
        let tenant = Tenant(
            id: newID(), name: name, environment: settings.environment, createdAt: now)
        let random = newID(KeyVaultID.self)
        let keyVault = KeyVault(
            id: random, tenant: tenant.id, group: GroupID(unchecked: newID(KeyVaultID.self).bytes),
            epoch: 1, threshold: threshold, holders: roster, status: .pending, certificate: nil,
            createdAt: now)
        try store.insert(tenant)
        try store.insert(keyVault)
        stirred.signing = true
        return (tenant, keyVault)
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

    /// The tenant's key, or a refusal that says that its holders have not made it yet.
    func activeKeyVault(of tenant: TenantID) throws -> (KeyVault, SharedKey) {
        guard let keyVault = try store.keyVault(of: tenant), keyVault.status == .active,
            let (key, _) = keyVault.certificate?.claimed()
        else {
            throw Refusal(
                .keyNotReady, "The key share holders have not made this tenant's key yet.")
        }
        return (keyVault, key)
    }
}
