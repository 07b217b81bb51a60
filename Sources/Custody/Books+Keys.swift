import Algebra
import Canonical
import Identity
import Intents

/// The keys by which tenants' back ends call.
extension Books {
    /// Makes an API key.
    ///
    /// - Parameters:
    ///   - cidrs: where it may be used from; nil for anywhere.
    ///   - vaults: what it may see and touch; nil for all that the tenant has.
    /// - Returns: the key and its secret, which is shown this once.
    public func createAPIKey(
        for tenant: TenantID, name: String?, scopes: Set<Scope>, cidrs: [String]? = nil,
        vaults: Set<VaultID>? = nil, expiresAt: Timestamp? = nil
    ) throws -> (key: APIKey, secret: String) {
        var validation = Validation()
        validation.text("name", name, most: Tenant.nameMost)
        if scopes.isEmpty { validation.reject("scopes", "'scopes' must not be empty.") }
        let ranges = validation.ranges(cidrs)
        validation.vaults(vaults, scopes)
        if let expiresAt, expiresAt <= now {
            validation.reject("expiresAt", "'expiresAt' must be in the future.")
        }
        try validation.finish()
        guard try store.tenant(tenant) != nil else { throw Refusal.notFound("tenant") }
        for vault in vaults ?? [] where try store.vault(vault, of: tenant) == nil {
            throw Refusal.notFound("vault")
        }
        let id = APIKeyID(isLive: isLive, random: randomBytes(12))
        let (sealed, secret) = newSecret(of: id)
        let key = APIKey(
            id: id, tenant: tenant, name: name ?? "", scopes: scopes, ranges: ranges,
            vaults: vaults, sealedSecret: sealed, createdAt: now, expiresAt: expiresAt)
        try checkGrant(of: key)
        try store.insert(key)
        return (key, secret)
    }

    public func apiKey(_ id: APIKeyID, of tenant: TenantID) throws -> APIKey {
        guard let key = try store.apiKey(id), key.tenant == tenant else {
            throw Refusal.notFound("API key")
        }
        return key
    }

    /// Revokes a key: no request with it counts from now on.
    public func revokeAPIKey(_ id: APIKeyID, of tenant: TenantID) throws {
        var key = try apiKey(id, of: tenant)
        guard key.revokedAt == nil else { throw Self.inactive(key, at: now) }
        key.revokedAt = now
        try store.update(key)
    }

    /// Gives a key another secret. Its id stays, and so do its idempotency keys; the secret that it
    /// had counts for the overlap as well, and the one before that no more.
    public func rotateAPIKey(
        _ id: APIKeyID, of tenant: TenantID, overlapSeconds: Int64?
    ) throws -> (key: APIKey, secret: String) {
        guard let overlap = overlapSeconds, (0...APIKey.overlapMost).contains(overlap) else {
            throw Refusal(
                .invalid, field: "overlapSeconds",
                "'overlapSeconds' must be from 0 to \(APIKey.overlapMost).")
        }
        var key = try apiKey(id, of: tenant)
        guard key.status(at: now) == .active else { throw Self.inactive(key, at: now) }
        try checkGrant(of: key)
        let (sealed, secret) = newSecret(of: id)
        key.previous =
            overlap == 0
            ? nil
            : APIKey.Previous(
                sealedSecret: key.sealedSecret, until: now.adding(seconds: overlap))
        key.sealedSecret = sealed
        try store.update(key)
        return (key, secret)
    }

    /// The key that a request names and the secrets that count for it now, or nil if there is none
    /// that may be used here.
    public func openAPIKey(
        _ id: APIKeyID
    ) throws -> (key: APIKey, secret: SecretBox<APISecret>, previous: SecretBox<APISecret>?)? {
        guard id.isLive == isLive, let key = try store.apiKey(id), key.status(at: now) == .active,
            let secret = APISecret(sealed: key.sealedSecret, vaultKey.key, for: id)
        else { return nil }
        var previous: SecretBox<APISecret>?
        if let before = key.previous, now < before.until,
            let secret = APISecret(sealed: before.sealedSecret, vaultKey.key, for: id)
        {
            previous = SecretBox(secret)
        }
        return (key, SecretBox(secret), previous)
    }

    /// Refuses a key that could do more than the key that asks: whoever gets its secret would have
    /// more than he had. The asking key counts as it is stored now.
    private func checkGrant(of key: APIKey) throws {
        guard case .key(let asking, _) = actor else { return }
        let own = try apiKey(asking.id, of: key.tenant)
        guard own.status(at: now) == .active else { throw Self.inactive(own, at: now) }
        if let field = own.exceeded(by: key) {
            throw Refusal(
                .exceedsOwnRights, field: field,
                "The key would exceed the one that asks for it in '\(field)'.")
        }
    }

    private static func inactive(_ key: APIKey, at now: Timestamp) -> Refusal {
        Refusal(
            .keyInactive, "The API key is \(key.status(at: now).rawValue.lowercased()) already.")
    }

    private var isLive: Bool { settings.environment == .production }

    private func randomBytes(_ count: Int) -> [UInt8] {
        var random = SystemRandom()
        return random.bytes(count)
    }

    private func newSecret(of id: APIKeyID) -> (sealed: [UInt8], shown: String) {
        var random = SystemRandom()
        let secret = APISecret(isLive: isLive, random: &random)
        return (secret.sealed(vaultKey.key, for: id), secret.dangerouslyReveal())
    }
}

extension Validation {
    /// The ranges that the texts spell.
    mutating func ranges(_ cidrs: [String]?) -> [AddressRange]? {
        guard let cidrs else { return nil }
        guard (1...APIKey.rangesMost).contains(cidrs.count) else {
            reject(
                "cidrs",
                "'cidrs' has 1 to \(APIKey.rangesMost) ranges; leave it out to allow any address.")
            return nil
        }
        return cidrs.compactMap { text in
            do throws(AddressRange.Malformed) {
                return try AddressRange(text)
            } catch {
                let sentence =
                    switch error {
                    case .address: "has no IPv4 or IPv6 address before its slash."
                    case .prefix: "must end in a slash and the length of its prefix."
                    case .hostBits: "has bits set behind its prefix."
                    }
                reject("cidrs", "'\(text.prefix(64))' \(sentence)")
                return nil
            }
        }
    }

    fileprivate mutating func vaults(_ vaults: Set<VaultID>?, _ scopes: Set<Scope>) {
        guard let vaults else { return }
        if !(1...APIKey.vaultsMost).contains(vaults.count) {
            reject(
                "vaults",
                "'vaults' has 1 to \(APIKey.vaultsMost) ids; leave it out to allow every vault.")
        }
        let wide = scopes.intersection(Scope.tenantWide).map(\.rawValue).sorted()
        if !wide.isEmpty {
            reject(
                "scopes",
                "A key with a list of vaults cannot have \(wide.joined(separator: ", ")).")
        }
    }
}
