import Algebra
import Canonical
import Identity
import Intents
import KeyGroups

/// Key vaults, the groups that hold their shares, and the ceremonies that deal them.
extension Books {
    /// Asks for the key of a scheme of the tenant's default key vault: the holders then make it by
    /// themselves.
    ///
    /// - Parameter threshold: how many of the holders must sign.
    public func createKey(
        for tenant: TenantID, _ scheme: SignatureScheme, threshold required: Int,
        holders: [RegisteredHolder]
    ) throws -> (VaultKey, Ceremony) {
        guard let keyVault = try defaultKeyVault(of: tenant) else {
            throw Refusal.notFound("tenant")
        }
        guard try store.key(scheme, of: keyVault.id) == nil else {
            throw Refusal(
                .invalid, field: "scheme", "The tenant has a key for \(scheme.name) already.")
        }
        let (threshold, roster) = try Self.quorum(required, of: holders.map(\.identity))
        let record = try insertRecord(.main, keyVault.id, threshold, holders)
        let group = HolderGroup(
            id: GroupID(unchecked: newID(CeremonyID.self).bytes), keyVault: keyVault.id,
            record: record, scheme: scheme, kind: .main, threshold: threshold, holders: roster,
            lastEpoch: 0,
            certificate: nil, createdAt: now)
        let key = VaultKey(
            keyVault: keyVault.id, scheme: scheme, main: group.id, signing: group.id)
        try store.insert(group)
        try store.put(key)
        return (key, try begin(.keyGeneration, group, from: nil, threshold, roster))
    }

    /// Gives another group shares of a key that a main group holds.
    public func createGroup(
        _ kind: GroupKind, for tenant: TenantID, _ scheme: SignatureScheme,
        threshold required: Int, holders: [RegisteredHolder]
    ) throws -> (HolderGroup, Ceremony) {
        guard kind != .main else {
            throw Refusal(
                .invalid, field: "kind",
                "A key has one main group; make a signing or a recovery "
                    + "group.")
        }
        guard let key = try key(of: tenant, scheme), let main = try store.group(key.main) else {
            throw Refusal.notFound("\(scheme.name) key of the tenant")
        }
        try mustBeIdle(main)
        let (threshold, roster) = try Self.quorum(required, of: holders.map(\.identity))
        let record = try insertRecord(kind, key.keyVault, threshold, holders)
        let group = HolderGroup(
            id: GroupID(unchecked: newID(CeremonyID.self).bytes), keyVault: key.keyVault,
            record: record, scheme: scheme, kind: kind, threshold: threshold, holders: roster,
            lastEpoch: 0,
            certificate: nil, createdAt: now)
        try store.insert(group)
        return (group, try begin(.fromKeyGroup, group, from: main, threshold, roster))
    }

    /// What tenants see of a group that the operator makes.
    private func insertRecord(
        _ kind: GroupKind, _ keyVault: KeyVaultID, _ threshold: SigningThreshold,
        _ holders: [RegisteredHolder]
    ) throws -> KeyShareHolderGroupID {
        let record = KeyShareHolderGroup(
            id: newID(), keyVault: keyVault, kind: kind, threshold: threshold,
            holders: holders.map {
                KeyShareHolder(
                    identity: $0.identity, name: $0.name, kind: $0.isOwn ? .platform : .server,
                    isSigner: true)
            }, createdAt: now)
        try store.insert(record)
        return record.id
    }

    /// Gives the holders of a group new shares of the key that they have.
    public func refresh(_ id: GroupID) throws -> Ceremony {
        let group = try group(id)
        try mustBeIdle(group)
        return try begin(.refresh, group, from: group, group.threshold, group.holders)
    }

    /// Has a recovery group give all holders of the main group new shares, where `replacement`
    /// takes the place of a holder that is lost.
    ///
    /// - Returns: the ceremony, and the other groups that count on the lost holder: each must be
    ///   given shares without it, or it is one loss nearer to its end.
    public func recover(
        from id: GroupID, lost: IdentityPublicKey, replacement: IdentityPublicKey
    ) throws -> (Ceremony, others: [HolderGroup]) {
        let source = try group(id)
        guard source.kind == .recovery, source.isActive,
            let key = try store.key(source.scheme, of: source.keyVault),
            let main = try store.group(key.main)
        else {
            throw Refusal(.invalid, field: "group", "The group is no recovery group with shares.")
        }
        try mustBeIdle(main)
        try mustBeIdle(source)
        guard main.holders.position(of: lost) != nil else {
            throw Refusal(.invalid, field: "lost", "The lost holder is not of the main group.")
        }
        guard main.holders.position(of: replacement) == nil else {
            throw Refusal(
                .invalid, field: "replacement", "The replacement is of the main group already.")
        }
        let holders = try Self.roster(
            of: main, for: main.holders.identities.filter { $0 != lost } + [replacement])
        let ceremony = try begin(.recovery, main, from: source, main.threshold, holders)
        let others = try store.groups(of: key.keyVault).filter {
            $0.scheme == key.scheme && $0.id != main.id && $0.isActive
                && $0.holders.position(of: lost) != nil
        }
        return (ceremony, others)
    }

    /// Lets another group of the same key sign from now on.
    public func sign(with id: GroupID) throws {
        let group = try group(id)
        guard group.isActive, group.kind != .recovery,
            var key = try store.key(group.scheme, of: group.keyVault)
        else {
            throw Refusal(.invalid, field: "group", "The group has no shares, or may not sign.")
        }
        key.signing = group.id
        try store.put(key)
        stirred.signing = true
    }

    /// Asks the holders of a group to prove that their shares are whole.
    public func checkUp(_ id: GroupID) throws -> CheckUp {
        let group = try group(id)
        guard let certificate = group.certificate, let (_, digest) = certificate.claimed() else {
            throw Refusal(.invalid, field: "group", "The group has no shares.")
        }
        var random = SystemRandom()
        let checkUp = CheckUp(
            group: id, epoch: certificate.descriptor.epoch, certificate: digest,
            challenge: random.bytes(ShareCheck.challengeBytes), proved: [], damaged: [], at: now)
        try store.put(checkUp)
        stirred.signing = true
        return checkUp
    }

    /// How long holders are asked for a proof.
    private static let checkUpSeconds: Int64 = 600

    /// Whom to ask for a proof that has not come.
    public func checkUpOrders(online: Set<IdentityPublicKey>) throws -> [HolderOrder] {
        let since = now.adding(seconds: -Self.checkUpSeconds)
        return try store.checkUps(since: since).compactMap { checkUp in
            guard let group = try store.group(checkUp.group), group.epoch == checkUp.epoch else {
                return nil
            }
            let open = group.holders.identities.filter {
                online.contains($0) && !checkUp.proved.contains($0)
                    && !checkUp.damaged.contains($0)
            }
            return open.isEmpty
                ? nil : .checkUp(group: group.id, challenge: checkUp.challenge, to: open)
        }
    }

    /// Takes in a holder's proof, which is verified under its verifying share.
    public func take(
        proof: [UInt8], of id: GroupID, epoch: UInt64, challenge: [UInt8],
        from holder: IdentityPublicKey
    ) throws {
        guard var checkUp = try store.checkUp(of: id), checkUp.challenge == challenge,
            checkUp.epoch == epoch, let group = try store.group(id),
            let (key, digest) = group.certificate?.claimed(), digest == checkUp.certificate,
            let index = group.holders.position(of: holder).flatMap({ group.holders.index(at: $0) })
        else { return }
        let statement = ShareCheck.Statement(
            group: id, epoch: epoch, certificate: digest, index: index, challenge: challenge)
        if ShareCheck.verifies(proof, of: statement, under: key) {
            checkUp.damaged.removeAll { $0 == holder }
            if !checkUp.proved.contains(holder) { checkUp.proved.append(holder) }
        } else if !checkUp.proved.contains(holder), !checkUp.damaged.contains(holder) {
            checkUp.damaged.append(holder)
        }
        try store.put(checkUp)
    }

    public func holder(named name: String) throws -> RegisteredHolder {
        guard let holder = try store.holders().first(where: { $0.name == name }) else {
            throw Refusal(.notFound, "There is no holder '\(name)'.")
        }
        return holder
    }

    func group(_ id: GroupID) throws -> HolderGroup {
        guard let group = try store.group(id), !group.isRetired else {
            throw Refusal.notFound("group")
        }
        return group
    }

    static func quorum(
        _ required: Int, of holders: [IdentityPublicKey]
    ) throws -> (SigningThreshold, Roster) {
        let identities = holders.sorted()
        guard let threshold = SigningThreshold(required, of: identities.count),
            let roster = Roster(
                identities, (1...identities.count).compactMap { ParticipantIndex($0) })
        else {
            throw Refusal(
                .invalid, field: "holders",
                "\(required) of \(holders.count) holders is no possible quorum; 2 to 20 holders, "
                    + "of which at least 2 sign.")
        }
        return (threshold, roster)
    }

    /// A group deals, or is dealt to, by one ceremony at a time.
    private func mustBeIdle(_ group: HolderGroup) throws {
        guard group.isActive else {
            throw Refusal(
                .keyNotReady, "The key share holders have not made the group's shares yet.")
        }
        if try isBusy(group) {
            throw Refusal(
                .invalid, field: "group",
                "A ceremony of this group is under way: see quorumkeep group list, or give it up "
                    + "with quorumkeep group abandon.")
        }
    }

    /// Whether a ceremony of the group, or one that it deals in, is under way.
    func isBusy(_ group: HolderGroup) throws -> Bool {
        try store.openCeremonies().contains { $0.group == group.id || $0.source == group.id }
    }

    func begin(
        _ occasion: KeyCeremony.Occasion, _ group: HolderGroup, from source: HolderGroup?,
        _ threshold: SigningThreshold, _ holders: Roster, request: KeyShareRequest? = nil
    ) throws -> Ceremony {
        let everyone = Set(holders.identities + (source?.holders.identities ?? []))
        guard everyone.count <= Int(ParticipantIndex.most) else {
            throw Refusal(
                .invalid, field: "holders",
                "A ceremony has at most \(ParticipantIndex.most) participants.")
        }
        let ceremony = Ceremony(
            id: newID(), group: group.id, occasion: occasion, source: source?.id,
            threshold: threshold, holders: holders, dealers: request?.source?.holders,
            request: request?.id, createdAt: now)
        try store.insert(ceremony)
        stirred.signing = true
        return ceremony
    }
}
