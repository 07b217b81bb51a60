import Intents
import KeyGroups

/// Key vaults and their keys.
extension Books {
    /// Where vaults are opened if no key vault is named.
    func defaultKeyVault(of tenant: TenantID) throws -> KeyVault? {
        try store.keyVaults(of: tenant).first
    }

    /// The key vault that a vault's addresses are derived under.
    func keyVault(of vault: VaultID, _ tenant: TenantID) throws -> KeyVaultID {
        guard let vault = try store.vault(vault, of: tenant) else {
            throw LedgerFault.impossible("key vault of \(vault)")
        }
        return vault.keyVault
    }

    /// The key of the tenant's default key vault.
    public func key(of tenant: TenantID, _ scheme: SignatureScheme) throws -> VaultKey? {
        try defaultKeyVault(of: tenant).flatMap { try store.key(scheme, of: $0.id) }
    }

    /// The key below which addresses are derived, or a refusal that says that its holders have not
    /// made it yet.
    func activeKey(of keyVault: KeyVaultID) throws -> SharedKey<ECDSA> {
        guard
            let key = try store.key(.ecdsaSecp256k1, of: keyVault).flatMap({
                try store.group($0.main)
            })?.certificate?.claimed()?.key.key(of: ECDSA.self)
        else {
            throw Refusal(.keyNotReady, "The key share holders have not made this key yet.")
        }
        return key
    }

    /// The tenant's ECDSA key, once its holders have made it.
    public func rootKey(of tenant: TenantID) throws -> AnySharedKey? {
        try key(of: tenant, .ecdsaSecp256k1).flatMap { try store.group($0.main) }?
            .certificate?.claimed()?.key
    }

    public func isKeyMade(of tenant: TenantID) throws -> Bool {
        try rootKey(of: tenant) != nil
    }

    /// The group that signs for the vaults of a key vault, and its epoch.
    func signingGroup(of keyVault: KeyVaultID) throws -> (group: HolderGroup, epoch: UInt64) {
        guard let key = try store.key(.ecdsaSecp256k1, of: keyVault),
            let group = try store.group(key.signing), let epoch = group.epoch
        else { throw LedgerFault.impossible("signing group of \(keyVault)") }
        return (group, epoch)
    }
}
