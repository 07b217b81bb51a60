import Algebra
import Canonical
import Intents
import KeyGroups

/// Tenants, and who holds their keys.
extension Books {
    /// Makes a tenant and asks for its key: the holders then make it by themselves.
    ///
    /// - Parameter threshold: how many of the holders must sign.
    public func createTenant(
        name: String, threshold required: Int, holders: [RegisteredHolder],
        coolingSeconds: Int64 = 0
    ) throws -> (Tenant, VaultKey) {
        var validation = Validation()
        validation.text("name", name, most: Tenant.nameMost)
        validation.cooling(coolingSeconds)
        try validation.finish()
        let tenant = Tenant(
            id: newID(), name: name, environment: settings.environment,
            coolingSeconds: coolingSeconds, createdAt: now)
        try store.insert(tenant)
        try store.insert(
            KeyVault(
                id: newID(), tenant: tenant.id, name: KeyVault.defaultName, kind: .organisation,
                createdAt: now))
        let (key, _) = try createKey(
            for: tenant.id, .ecdsaSecp256k1, threshold: required, holders: holders)
        return (tenant, key)
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
}

extension Validation {
    fileprivate mutating func cooling(_ seconds: Int64) {
        guard (0...Tenant.coolingMost).contains(seconds) else {
            return reject(
                "coolingSeconds", "The cooling period must be from 0 to \(Tenant.coolingMost) s.")
        }
    }
}
