import Intents
import KeyGroups

/// Projects, key vaults and their keys.
extension Books {
    public func createProject(
        name: String?, threshold required: Int, participants: Int, for tenant: TenantID
    ) throws -> Project {
        try admitAll()
        var validation = Validation()
        validation.text("name", name, most: Project.nameMost)
        try validation.finish()
        let project = Project(
            id: newID(), tenant: tenant, name: name ?? "",
            threshold: try Self.threshold(required, of: participants), createdAt: now)
        try store.insert(project)
        return project
    }

    public func renameProject(
        _ id: ProjectID, to name: String?, of tenant: TenantID
    ) throws -> Project {
        try admitAll()
        var validation = Validation()
        validation.text("name", name, most: Project.nameMost)
        try validation.finish()
        var project = try project(id, of: tenant)
        project.name = name ?? ""
        try store.update(project)
        return project
    }

    public func project(_ id: ProjectID, of tenant: TenantID) throws -> Project {
        guard let project = try store.project(id, of: tenant) else {
            throw Refusal.notFound("project")
        }
        return project
    }

    public func projects(of tenant: TenantID, _ page: PageRequest) throws -> Page<Project> {
        try store.projects(of: tenant, page)
    }

    /// Makes a key vault. Its keys are made when its main group is asked for them.
    public func createKeyVault(
        name: String?, _ kind: KeyVault.Kind, project: ProjectID?, for tenant: TenantID
    ) throws -> KeyVault {
        try admitAll()
        var validation = Validation()
        validation.text("name", name, most: KeyVault.nameMost)
        switch (kind, project) {
        case (.user, nil): validation.reject("project", "Users' keys are part of a project.")
        case (.organisation, .some):
            validation.reject("project", "The organisation's keys are part of no project.")
        case (.user, .some), (.organisation, nil): break
        }
        try validation.finish()
        if let project { _ = try self.project(project, of: tenant) }
        let keyVault = KeyVault(
            id: newID(), tenant: tenant, name: name ?? "", kind: kind, project: project,
            createdAt: now)
        try store.insert(keyVault)
        try record(.keyVaultCreated(keyVault), of: tenant)
        return keyVault
    }

    public func renameKeyVault(
        _ id: KeyVaultID, to name: String?, of tenant: TenantID
    ) throws -> KeyVault {
        try admitAll()
        var validation = Validation()
        validation.text("name", name, most: KeyVault.nameMost)
        try validation.finish()
        var keyVault = try keyVault(id, of: tenant)
        keyVault.name = name ?? ""
        try store.update(keyVault)
        try record(.keyVaultUpdated(keyVault), of: tenant)
        return keyVault
    }

    public func keyVault(_ id: KeyVaultID, of tenant: TenantID) throws -> KeyVault {
        guard let keyVault = try store.keyVault(id), keyVault.tenant == tenant else {
            throw Refusal.notFound("key vault")
        }
        return keyVault
    }

    public func keyVaults(
        of tenant: TenantID, _ kind: KeyVault.Kind?, project: ProjectID?, _ page: PageRequest
    ) throws -> Page<KeyVault> {
        try store.keyVaults(of: tenant, kind, project: project, page)
    }

    /// The key vault's keys that its holders have made, by scheme.
    public func rootKeys(of keyVault: KeyVaultID) throws -> [AnySharedKey] {
        try store.keys(of: keyVault).compactMap {
            try store.group($0.main)?.certificate?.claimed()?.key
        }
    }

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
