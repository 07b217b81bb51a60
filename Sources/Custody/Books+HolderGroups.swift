import Algebra
import Canonical
import Intents
import KeyGroups

/// Groups of key share holders, as their tenants know them.
extension Books {
    /// Most groups of a key vault.
    static let groupsMost = 100

    /// How many of how many a tenant may choose.
    static func threshold(_ required: Int, of participants: Int) throws -> SigningThreshold {
        guard let threshold = SigningThreshold(required, of: participants), participants <= 3 else {
            throw Refusal(
                .unsupportedThreshold, field: "threshold",
                "\(required) of \(participants) is not served; 2 of 2, 2 of 3 and 3 of 3 are.")
        }
        return threshold
    }

    /// Makes a group of holders, who have no shares until they are asked for.
    public func createHolderGroup(
        _ draft: KeyShareHolderGroupDraft, in keyVaultID: KeyVaultID, of tenant: TenantID
    ) throws -> KeyShareHolderGroupView {
        try admitAll()
        let keyVault = try keyVault(keyVaultID, of: tenant)
        let threshold = try Self.threshold(draft.threshold, of: draft.participants)
        let others = try store.holderGroups(of: keyVault.id)
        guard others.count < Self.groupsMost else {
            throw Refusal(.invalid, "A key vault has at most \(Self.groupsMost) groups.")
        }
        if draft.kind == .main {
            try mustFit(threshold, keyVault)
            guard !others.contains(where: { $0.kind == .main }) else {
                throw Refusal(.groupExists, "The key vault has a main group.")
            }
        }
        var holders = try draft.holders.map(holder)
        if draft.kind != .recovery { holders.append(try ownHolder()) }
        guard Set(holders.map(\.identity)).count == holders.count else {
            throw Refusal(.duplicateHolder, field: "holders", "A holder is named twice.")
        }
        guard holders.count == threshold.holders else {
            let own = draft.kind == .recovery ? "" : ", the platform's own among them"
            throw Refusal(
                .invalid, field: "holders",
                "The group is of \(threshold.holders) holders\(own).")
        }
        let group = KeyShareHolderGroup(
            id: newID(), keyVault: keyVault.id, kind: draft.kind, threshold: threshold,
            holders: holders, createdAt: now)
        try store.insert(group)
        return try view(group)
    }

    /// The main groups of a project's key vaults are of one form.
    private func mustFit(_ threshold: SigningThreshold, _ keyVault: KeyVault) throws {
        guard let id = keyVault.project else { return }
        let project = try project(id, of: keyVault.tenant)
        guard project.threshold == threshold else {
            throw Refusal(
                .unsupportedThreshold, field: "threshold",
                "The project's main groups are \(project.threshold.required) of "
                    + "\(project.threshold.holders).")
        }
    }

    private func holder(_ draft: KeyShareHolderGroupDraft.Holder) throws -> KeyShareHolder {
        var validation = Validation()
        validation.text("name", draft.name, most: KeyShareHolder.nameMost)
        try validation.finish()
        guard let identity = draft.identity,
            let known = try store.holders().first(where: { $0.identity == identity }),
            draft.kind != .platform || known.isOwn
        else {
            throw Refusal(.unknownHolder, field: "holders", "A holder is not known here.")
        }
        return KeyShareHolder(
            identity: identity, name: draft.name ?? "", kind: draft.kind,
            isSigner: draft.isSigner)
    }

    private func ownHolder() throws -> KeyShareHolder {
        guard let own = try ownHolders().first else {
            throw Refusal(
                .keyNotReady,
                "The platform has no holder of its own: quorumkeep holder own names it.")
        }
        return KeyShareHolder(
            identity: own.identity, name: own.name, kind: .platform, isSigner: true)
    }

    /// The platform's own holders, of which there is one at most.
    public func ownHolders() throws -> [RegisteredHolder] {
        try store.holders().filter(\.isOwn)
    }

    /// Names the holder that is added to main and signing groups from now on.
    public func setOwnHolder(_ name: String) throws {
        try store.setOwn(try holder(named: name).identity)
    }

    public func holderGroup(
        _ id: KeyShareHolderGroupID, in keyVault: KeyVaultID, of tenant: TenantID
    ) throws -> KeyShareHolderGroupView {
        try view(try found(id, in: keyVault, of: tenant))
    }

    public func holderGroups(
        _ kind: GroupKind?, in keyVaultID: KeyVaultID, of tenant: TenantID, _ page: PageRequest
    ) throws -> Page<KeyShareHolderGroupView> {
        let keyVault = try keyVault(keyVaultID, of: tenant)
        return try store.holderGroups(of: keyVault.id, kind, page).map(view)
    }

    /// The holders of these groups, or of all that the key vault has, each once.
    public func keyShareHolders(
        of groups: [KeyShareHolderGroupID]?, in keyVaultID: KeyVaultID, of tenant: TenantID
    ) throws -> [KeyShareHolderView] {
        let keyVault = try keyVault(keyVaultID, of: tenant)
        let all = try store.holderGroups(of: keyVault.id)
        var holders: [IdentityPublicKey: KeyShareHolderView] = [:]
        for group in all where groups?.contains(group.id) ?? true {
            for holder in try view(group).holders {
                let known = holders[holder.holder.identity]
                holders[holder.holder.identity] = KeyShareHolderView(
                    holder: known?.holder ?? holder.holder, isOnline: holder.isOnline,
                    isReplacement: holder.isReplacement || known?.isReplacement ?? false)
            }
        }
        return holders.values.sorted { $0.holder.identity < $1.holder.identity }
    }

    func found(
        _ id: KeyShareHolderGroupID, in keyVaultID: KeyVaultID, of tenant: TenantID
    ) throws -> KeyShareHolderGroup {
        let keyVault = try keyVault(keyVaultID, of: tenant)
        guard let group = try store.holderGroup(id), group.keyVault == keyVault.id else {
            throw Refusal.notFound("key share holder group")
        }
        return group
    }

    func view(_ group: KeyShareHolderGroup) throws -> KeyShareHolderGroupView {
        let keys = try store.groups(of: group.id)
        let online = try store.holders().filter { $0.onlineSince != nil }.map(\.identity)
        let active = keys.filter(\.isActive)
        return KeyShareHolderGroupView(
            group: group, keys: keys,
            holders: group.holders.map { holder in
                KeyShareHolderView(
                    holder: holder, isOnline: online.contains(holder.identity),
                    isReplacement: active.contains {
                        $0.holders.position(of: holder.identity) == nil
                    })
            })
    }

    /// A group deals, is dealt to or is changed by one request at a time.
    func mustBeIdle(_ group: KeyShareHolderGroup) throws {
        let isRequested = try store.openKeyShareRequests().contains {
            $0.target == group.id || $0.source?.group == group.id
        }
        guard try !isRequested && store.groups(of: group.id).allSatisfy({ try !isBusy($0) }) else {
            throw Refusal(.requestOpen, "A request of this group is under way.")
        }
    }

    /// Takes a group away. Its holders keep their shares, which are asked for nothing any more.
    public func deleteHolderGroup(
        _ id: KeyShareHolderGroupID, in keyVault: KeyVaultID, of tenant: TenantID
    ) throws {
        try admitAll()
        let group = try found(id, in: keyVault, of: tenant)
        try mustBeIdle(group)
        let shares = try store.groups(of: group.id)
        guard group.kind != .main || shares.allSatisfy({ !$0.isActive }) else {
            throw Refusal(.groupInUse, "The main group has the keys.")
        }
        for var key in try store.keys(of: keyVault)
        where shares.contains(where: { $0.id == key.signing }) {
            key.signing = key.main
            try store.put(key)
        }
        try retire(group)
    }

    private func retire(_ group: KeyShareHolderGroup) throws {
        var group = group
        group.deletedAt = now
        try store.update(group)
        try store.retireGroups(of: group.id)
        stirred.signing = true
    }

    /// Puts a signing group in the place of the main group, which becomes a signing group or goes.
    public func makeMain(
        _ id: KeyShareHolderGroupID, keepingOriginal isKept: Bool, in keyVaultID: KeyVaultID,
        of tenant: TenantID
    ) throws -> KeyShareHolderGroupView {
        try admitAll()
        let keyVault = try keyVault(keyVaultID, of: tenant)
        var group = try found(id, in: keyVaultID, of: tenant)
        guard group.kind == .signing else {
            throw Refusal(.invalid, field: "group", "Only a signing group becomes the main group.")
        }
        guard try view(group).state == .valid else { throw Self.groupNotValid("group") }
        try mustFit(group.threshold, keyVault)
        let originals = try store.holderGroups(of: keyVault.id).filter { $0.kind == .main }
        for group in [group] + originals { try mustBeIdle(group) }
        let shares = try store.groups(of: group.id)
        for var key in try store.keys(of: keyVault.id) {
            guard let own = shares.first(where: { $0.scheme == key.scheme }) else {
                throw Refusal(
                    .invalid, field: "group",
                    "The group has no shares of the \(key.scheme.name) key.")
            }
            if key.signing == key.main { key.signing = own.id }
            key.main = own.id
            try store.put(key)
        }
        group.kind = .main
        try store.update(group)
        for var original in originals {
            original.kind = .signing
            if isKept { try store.update(original) } else { try retire(original) }
        }
        stirred.signing = true
        return try view(group)
    }

    /// Puts another holder in the place of one that is lost. It has shares, and the group is valid
    /// again, when a recovery has succeeded.
    public func replaceHolder(
        _ lost: IdentityPublicKey, by replacement: IdentityPublicKey, name: String? = nil,
        in id: KeyShareHolderGroupID, of keyVault: KeyVaultID, _ tenant: TenantID
    ) throws -> KeyShareHolderGroupView {
        try admitAll()
        var group = try found(id, in: keyVault, of: tenant)
        guard group.kind == .main else {
            throw Refusal(
                .invalid, field: "group",
                "A recovery is of the main group; make another group in place of this one.")
        }
        guard try view(group).state != .new else { throw Self.groupNotValid("group") }
        try mustBeIdle(group)
        guard let place = group.holders.firstIndex(where: { $0.identity == lost }) else {
            throw Refusal(.unknownHolder, field: "lost", "The lost holder is not of the group.")
        }
        if group.holders[place].kind == .platform, actor.tenant != nil {
            throw Refusal(.invalid, field: "lost", "The platform replaces its own holder itself.")
        }
        guard let known = try store.holders().first(where: { $0.identity == replacement }) else {
            throw Refusal(.unknownHolder, field: "replacement", "The holder is not known here.")
        }
        guard !group.holders.contains(where: { $0.identity == replacement }) else {
            throw Refusal(
                .duplicateHolder, field: "replacement", "The holder is of the group already.")
        }
        var validation = Validation()
        validation.text("name", name, most: KeyShareHolder.nameMost, required: false)
        try validation.finish()
        let before = group.holders[place]
        group.holders[place] = KeyShareHolder(
            identity: replacement, name: name ?? known.name, kind: before.kind,
            isSigner: before.isSigner)
        try store.update(group)
        return try view(group)
    }

    static func groupNotValid(_ field: String) -> Refusal {
        Refusal(.groupNotValid, field: field, "The group's holders have no shares yet.")
    }
}
