import Algebra
import Canonical
import Intents
import KeyGroups

/// How a key ceremony ends.
extension Books {
    /// Takes in the certificate of shares that the holders have dealt, signed and confirmed by
    /// every one of them, whoever brings it.
    ///
    /// - Returns: whether it is new and good, and what the holders are to be told.
    public func take(
        _ certificate: KeyCertificate, activations: [IdentitySignature],
        signer: any IntentSigner
    ) throws -> (isNew: Bool, [HolderOrder]) {
        let descriptor = certificate.descriptor
        guard var group = try store.group(descriptor.group), !group.isRetired,
            let plan = descriptor.plan,
            descriptor.epoch > group.epoch ?? 0, descriptor.epoch <= group.lastEpoch,
            var ceremony = try ceremony(of: certificate, group),
            let (key, digest) = certificate.verified(),
            try isSameKey(key, group)
        else { return (false, []) }
        let activation = KeyActivation.digest(
            group: group.id, scheme: descriptor.scheme, epoch: descriptor.epoch,
            certificate: digest)
        guard activations.count == plan.holders.identities.count,
            zip(plan.holders.identities, activations).allSatisfy({
                $0.verifies($1, of: activation)
            })
        else { return (false, []) }
        group.certificate = certificate
        group.activeSince = now
        group.signatures = 0
        group.holders = plan.holders
        group.threshold = plan.threshold
        try store.update(group)
        try store.removeBannedPairs(in: group.id)
        try tellBook(to: group)
        ceremony.state = .done
        try store.update(ceremony)
        // Another order for the same new key has what it asked for.
        for var other in try store.openCeremonies()
        where other.group == group.id && other.occasion == .keyGeneration {
            other.state = .done
            try store.update(other)
            try finish(other)
        }
        try follow(plan.holders, of: group, ceremony)
        try finish(ceremony)
        var orders: [HolderOrder] = []
        let changed = Failure(.keyChanged, "The group was given new shares.")
        for var request in try store.signingRequests(in: [.open, .closing, .unclear])
        where request.group == group.id {
            if request.ceremony != nil {
                request.state = .done
                try store.update(request)
            } else if request.state == .open {
                orders += try close(request, try asked(request), because: changed, signer)
            } else if request.state == .closing {
                // Who must close it may be gone for good: it is asked again, with its nonce.
                request.closingBecause = changed
                try store.update(request)
            }
        }
        stirred.signing = true
        return (true, orders)
    }

    /// Where the operator has replaced a holder, the tenant's record follows the shares.
    private func follow(_ holders: Roster, of group: HolderGroup, _ ceremony: Ceremony) throws {
        guard ceremony.request == nil, var record = try store.holderGroup(group.record) else {
            return
        }
        let (names, known) = (try holderNames(), record.holders.map(\.identity))
        var came = holders.identities.filter { !known.contains($0) }[...]
        for (at, before) in record.holders.enumerated()
        where holders.position(of: before.identity) == nil {
            guard let identity = came.popFirst() else { break }
            record.holders[at] = KeyShareHolder(
                identity: identity, name: names[identity] ?? identity.hex, kind: before.kind,
                isSigner: before.isSigner)
        }
        try store.update(record)
    }

    /// After so long, or so many signatures, the holders of a group are given new shares, and with
    /// them new setups of their multiplications (specification section 5.9).
    static let rotationSeconds: Int64 = 90 * 24 * 3600
    static let rotationSignatures = 1 << 20
    /// How long after a ceremony that failed the next one is begun by itself.
    private static let rotationPauseSeconds: Int64 = 24 * 3600

    /// Begins refreshes that are due, of groups that sign with setups and whose holders are all
    /// there: a group whose holder is away goes on as it is.
    public func rotate(online: Set<IdentityPublicKey>) throws {
        let due = try store.groups(
            activeBefore: now.adding(seconds: -Self.rotationSeconds),
            orSignatures: Self.rotationSignatures)
        let pause = now.adding(seconds: -Self.rotationPauseSeconds)
        for group in due where group.kind != .recovery {
            guard group.certificate?.descriptor.scheme.type.multiplies == true,
                online.isSuperset(of: group.holders.identities),
                try store.ceremonies(of: group.id).allSatisfy({ $0.createdAt < pause }),
                try !isBusy(group)
            else { continue }
            _ = try refresh(group.id)
        }
    }

    /// Gives up the open ceremonies of a group, and those that it deals in. What its holders finish
    /// nevertheless still counts.
    public func abandonCeremonies(
        of id: GroupID, signer: any IntentSigner
    ) throws -> Int {
        _ = try group(id)
        let open = try store.openCeremonies().filter { $0.group == id || $0.source == id }
        for var ceremony in open {
            ceremony.state = .failed
            ceremony.failure = "It was given up."
            try store.update(ceremony)
            _ = try endRequest(of: ceremony, as: .failed, because: "It was given up.")
            for request in try store.signingRequests(in: [.open])
            where request.ceremony == ceremony.id {
                _ = try close(
                    request, try asked(request), because: Failure(.expired, "It was given up."),
                    signer)
            }
        }
        stirred.signing = true
        return open.count
    }

    /// Whom the ceremony waits for, and why in the holders' own words: for people who wait too.
    public func waits(for id: CeremonyID) throws -> [String] {
        let open = try store.signingRequests(in: [.open]).filter { $0.ceremony == id }
        return try open.flatMap { request -> [String] in
            let (verdicts, asked) = (try standing(on: request.digest), try asked(request).everyone)
            return try store.holders().compactMap { holder -> String? in
                guard asked.contains(holder.identity) else { return nil }
                if case .waiting(let reason) = verdicts[holder.identity] {
                    return "\(holder.name): \(reason.sentence)"
                }
                return holder.onlineSince == nil ? "\(holder.name) is offline" : nil
            }
        }
    }

    /// The ceremony that the certificate is of: the same holders, threshold, type and source, under
    /// an intent of ours. One that was given up counts too, since its holders have finished it.
    private func ceremony(
        of certificate: KeyCertificate, _ group: HolderGroup
    ) throws -> Ceremony? {
        let descriptor = certificate.descriptor
        guard let request = try store.signingRequest(descriptor.intent), let id = request.ceremony,
            let ceremony = try store.ceremony(id), ceremony.state != .done,
            ceremony.group == group.id, let plan = descriptor.plan, plan.kind == group.kind,
            plan.threshold == ceremony.threshold, plan.holders == ceremony.holders,
            plan.source?.group == ceremony.source,
            group.scheme == descriptor.scheme
        else { return nil }
        return ceremony
    }

    /// Whether the key is the one that its key vault has of the scheme, if it has one: a ceremony
    /// never changes it.
    private func isSameKey(_ key: AnySharedKey, _ group: HolderGroup) throws -> Bool {
        guard let kept = try store.key(group.scheme, of: group.keyVault) else { return false }
        guard let main = try store.group(kept.main)?.certificate?.claimed()?.key else {
            return group.id == kept.main
        }
        return key.publicKey == main.publicKey && key.chainCode == main.chainCode
    }
}
