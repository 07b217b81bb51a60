import Algebra
import Canonical
import Intents
import KeyGroups

/// Orders to share the keys of a key vault, and what becomes of them.
extension Books {
    /// The keys that a main group makes.
    private static let schemes: [SignatureScheme] = [.ecdsaSecp256k1, .ed25519]
    /// How many runs of one ceremony may fail before its request has.
    private static let failedRunsMost = 10

    /// Asks holders for shares: a ceremony for each key, which every one of them confirms.
    public func requestKeyShares(
        _ draft: KeyShareRequestDraft, in keyVaultID: KeyVaultID, of tenant: TenantID
    ) throws -> KeyShareRequest {
        try admitAll()
        var validation = Validation()
        validation.text(
            "description", draft.note, most: KeyShareRequest.noteMost, required: false)
        try validation.finish()
        let target = try holderGroup(draft.target, in: keyVaultID, of: tenant)
        let source = try draft.source.map { try holderGroup($0.group, in: keyVaultID, of: tenant) }
        try check(draft, target, source)
        try mustBeIdle(target.group)
        if let source { try mustBeIdle(source.group) }
        let dealers = try source.map { try self.dealers(draft.source?.holders, of: $0) }
        try mustBeOnline(target, source, dealers ?? [])
        var random = SystemRandom()
        let request = KeyShareRequest(
            id: KeyShareRequestID(at: now, random: random.bytes(8)), keyVault: keyVaultID,
            kind: draft.kind, target: target.group.id,
            source: source.map {
                KeyShareRequest.Source(group: $0.group.id, holders: dealers ?? [])
            },
            note: draft.note, createdAt: now,
            expiresAt: now.adding(seconds: KeyShareRequest.lifetimeSeconds))
        try store.insert(request)
        let schemes = source?.keys.map(\.scheme) ?? Self.schemes
        for scheme in schemes where try lacks(scheme, target) {
            let key = source?.keys.first(where: { $0.scheme == scheme })
            try beginCeremony(scheme, request, target, from: key)
        }
        try record(.keyShareRequestCreated(request), of: tenant)
        return request
    }

    private func check(
        _ draft: KeyShareRequestDraft, _ target: KeyShareHolderGroupView,
        _ source: KeyShareHolderGroupView?
    ) throws {
        guard (draft.kind == .keyGeneration) == (source == nil) else {
            throw Refusal(
                .invalid, field: "source",
                "A key that exists is dealt by a group, a new one is not.")
        }
        guard (target.group.kind == .main) == (draft.kind != .fromKeyGroup) else {
            throw Refusal(
                .invalid, field: "target",
                "The main group makes keys or is given them by a recovery; the others are given "
                    + "them by the main group.")
        }
        switch draft.kind {
        case .keyGeneration, .fromKeyGroup:
            guard target.state == .new else {
                throw Refusal(.groupExists, field: "target", "The group has its shares already.")
            }
        case .recovery:
            guard target.state != .new else { throw Self.groupNotValid("target") }
        }
        guard let source else { return }
        let kind: GroupKind = draft.kind == .recovery ? .recovery : .main
        guard source.group.kind == kind else {
            throw Refusal(.invalid, field: "source", "The source must be a \(kind.name) group.")
        }
        guard source.state != .new else { throw Self.groupNotValid("source") }
    }

    /// Who deals: those that were named, or all who have shares.
    private func dealers(
        _ chosen: [IdentityPublicKey]?, of source: KeyShareHolderGroupView
    ) throws -> [IdentityPublicKey] {
        let able = source.holders.map(\.holder.identity).filter { holder in
            source.keys.allSatisfy { $0.holders.position(of: holder) != nil }
        }
        guard let chosen, !chosen.isEmpty else { return able.sorted() }
        guard Set(chosen).count == chosen.count else {
            throw Refusal(.duplicateHolder, field: "source", "A holder is named twice.")
        }
        guard chosen.allSatisfy(able.contains) else {
            throw Refusal(
                .unknownHolder, field: "source", "A holder has no shares of the source group.")
        }
        guard chosen.count >= source.group.threshold.required else {
            throw Refusal(
                .invalid, field: "source",
                "At least \(source.group.threshold.required) holders must deal.")
        }
        return chosen.sorted()
    }

    /// A person's device comes online when the person does; everybody else must be.
    private func mustBeOnline(
        _ target: KeyShareHolderGroupView, _ source: KeyShareHolderGroupView?,
        _ dealers: [IdentityPublicKey]
    ) throws {
        let dealing = source?.holders.filter { dealers.contains($0.holder.identity) } ?? []
        let away = (target.holders + dealing).filter { !$0.isOnline && $0.holder.kind != .mobile }
        guard away.isEmpty else {
            let names = Set(away.map(\.holder.name)).sorted().joined(separator: ", ")
            throw Refusal(.holderOffline, "Offline: \(names).")
        }
    }

    /// Whether the target's holders must be given shares of the key: where some have them all, a
    /// request that ended half-way is made good.
    private func lacks(_ scheme: SignatureScheme, _ target: KeyShareHolderGroupView) throws -> Bool
    {
        func isSettled(_ key: HolderGroup) -> Bool {
            key.isActive
                && Set(key.holders.identities) == Set(target.holders.map(\.holder.identity))
        }
        if target.state == .valid { return true }
        return !(target.keys.first { $0.scheme == scheme }.map(isSettled) ?? false)
    }

    private func beginCeremony(
        _ scheme: SignatureScheme, _ request: KeyShareRequest, _ target: KeyShareHolderGroupView,
        from source: HolderGroup?
    ) throws {
        let identities = target.holders.map(\.holder.identity)
        let threshold = target.group.threshold
        if let known = target.keys.first(where: { $0.scheme == scheme }) {
            let holders = try Self.roster(of: known, for: identities)
            _ = try begin(
                request.kind.occasion, known, from: source, threshold, holders, request: request)
            return
        }
        let (_, holders) = try Self.quorum(threshold.required, of: identities)
        let group = HolderGroup(
            id: GroupID(unchecked: newID(CeremonyID.self).bytes), keyVault: request.keyVault,
            record: request.target, scheme: scheme, kind: target.group.kind,
            threshold: threshold, holders: holders, lastEpoch: 0, certificate: nil, createdAt: now)
        try store.insert(group)
        if request.kind == .keyGeneration {
            try store.put(
                VaultKey(
                    keyVault: request.keyVault, scheme: scheme, main: group.id, signing: group.id))
        }
        _ = try begin(
            request.kind.occasion, group, from: source, threshold, holders, request: request)
    }

    public func keyShareRequest(
        _ id: KeyShareRequestID, in keyVaultID: KeyVaultID, of tenant: TenantID
    ) throws -> KeyShareRequest {
        let keyVault = try keyVault(keyVaultID, of: tenant)
        guard let request = try store.keyShareRequest(id), request.keyVault == keyVault.id else {
            throw Refusal.notFound("request for key shares")
        }
        return request
    }

    /// Those by which the group was to be given shares.
    public func keyShareRequests(
        for group: KeyShareHolderGroupID, in keyVault: KeyVaultID, of tenant: TenantID,
        _ page: PageRequest
    ) throws -> Page<KeyShareRequest> {
        try store.keyShareRequests(for: try found(group, in: keyVault, of: tenant).id, page)
    }

    /// Gives a request up. What its holders finish nevertheless still counts.
    public func cancelKeyShareRequest(
        _ id: KeyShareRequestID, in keyVault: KeyVaultID, of tenant: TenantID
    ) throws -> KeyShareRequest {
        try admitAll()
        let request = try keyShareRequest(id, in: keyVault, of: tenant)
        if request.status == .cancelled { return request }
        guard !request.status.isFinal else {
            throw Refusal(.tooLate, "The request is \(request.status.rawValue) already.")
        }
        return try end(request, as: .cancelled, because: "It was cancelled.")
    }

    /// Ends a request, and its ceremonies with it; their holders are told to close them.
    @discardableResult
    func end(
        _ open: KeyShareRequest, as status: KeyShareRequest.Status, because failure: String
    ) throws -> KeyShareRequest {
        for var ceremony in try store.ceremonies(of: open.id) where ceremony.state == .open {
            ceremony.state = .failed
            ceremony.failure = failure
            try store.update(ceremony)
        }
        var request = open
        request.failure = failure
        try set(status, of: &request)
        stirred.signing = true
        return request
    }

    private func set(_ status: KeyShareRequest.Status, of request: inout KeyShareRequest) throws {
        request.status = status
        try store.update(request)
        guard let keyVault = try store.keyVault(request.keyVault) else {
            throw LedgerFault.impossible("key vault of request \(request.id)")
        }
        try record(.keyShareRequestStatusUpdated(request), of: keyVault.tenant)
    }

    /// Looks at all requests under way: how far their holders are, and whether their time is over.
    func followKeyShareRequests() throws {
        for var request in try store.openKeyShareRequests() {
            if now >= request.expiresAt {
                let isConfirmed = request.status != .confirming
                try end(
                    request, as: isConfirmed ? .failed : .refused,
                    because: isConfirmed
                        ? "It did not end within 24 hours."
                        : "Not every holder confirmed it within 24 hours.")
            } else if let status = try progress(of: request) {
                try set(status, of: &request)
            }
        }
    }

    /// What has come of the request, if it is further than it was.
    private func progress(of request: KeyShareRequest) throws -> KeyShareRequest.Status? {
        var isConfirmed = true
        for ceremony in try store.ceremonies(of: request.id) where ceremony.state == .open {
            guard let last = try store.signingRequests(of: ceremony.id).last, last.state == .open
            else {
                isConfirmed = false
                continue
            }
            if try store.runs(of: last.digest).contains(where: { $0.state == .live }) {
                return request.status == .running ? nil : .running
            }
            let verdicts = try standing(on: last.digest)
            isConfirmed =
                try isConfirmed
                && asked(last).quorums.allSatisfy { quorum in
                    quorum.required
                        <= quorum.holders.identities.count { verdicts[$0]?.isYes ?? false }
                }
        }
        return isConfirmed && request.status == .confirming ? .starting : nil
    }

    /// A ceremony has given its group shares: so has the request, if it was the last.
    func finish(_ done: Ceremony) throws {
        guard let id = done.request, var request = try store.keyShareRequest(id),
            try store.ceremonies(of: id).allSatisfy({ $0.state == .done })
        else { return }
        if !request.status.isFinal { try set(.done, of: &request) }
        if request.kind == .keyGeneration, let keyVault = try store.keyVault(request.keyVault) {
            // It has its roots now.
            try record(.keyVaultUpdated(keyVault), of: keyVault.tenant)
            try openVault(named: KeyVault.firstVault, under: keyVault)
        }
    }

    /// Ends the request of a ceremony that its holders refused, or that fails over and over.
    ///
    /// - Returns: whether there is one.
    func endRequest(
        of ceremony: Ceremony, as status: KeyShareRequest.Status, because failure: String
    ) throws -> Bool {
        guard let id = ceremony.request, let request = try store.keyShareRequest(id) else {
            return false
        }
        if !request.status.isFinal { try end(request, as: status, because: failure) }
        return true
    }

    /// Whether so many runs of a requested ceremony have failed that its request has.
    func isHopeless(_ ceremony: Ceremony) throws -> Bool {
        try ceremony.request != nil && store.failedRuns(of: ceremony.id) >= Self.failedRunsMost
    }

    /// The group's places, where those who came have the places of those who left.
    static func roster(of group: HolderGroup, for identities: [IdentityPublicKey]) throws -> Roster
    {
        var places = Dictionary(
            uniqueKeysWithValues: zip(group.holders.identities, group.holders.indices))
        let left = places.filter { !identities.contains($0.key) }.map(\.value).sorted()
        let came = identities.filter { places[$0] == nil }.sorted()
        for (identity, place) in zip(came, left) { places[identity] = place }
        let holders = identities.sorted()
        guard let roster = Roster(holders, holders.compactMap { places[$0] }) else {
            throw LedgerFault.impossible("holders of \(group.id)")
        }
        return roster
    }
}

extension Verdict {
    fileprivate var isYes: Bool {
        switch self {
        case .approval, .given: true
        case .waiting, .refusal, .closed: false
        }
    }
}
