import Algebra
import Canonical
import Chains
import Intents
import KeyGroups

/// Telling holders of the address book: each of those who may sign hears of every entry when it is
/// made and when it is removed, and counts its own time from then.
extension Books {
    /// How long an answer is waited for before a notice is said again, and how long after an answer
    /// that was no yes, in seconds.
    private static let answerPause: Int64 = 30
    private static let waitingPause: Int64 = 10
    private static let refusalPause: Int64 = 24 * 3600
    /// Most notices that one holder has not answered.
    private static let unansweredMost = 512

    /// Has all holders that may sign told of the entry as it stands now.
    func tellHolders(of entry: AddressBookEntry) throws {
        let told = try store.notices(of: entry.id)
        for keyVault in try store.keyVaults(of: entry.tenant) {
            let signing = try signingGroups(of: keyVault.id).flatMap(\.holders.identities)
            let known = told.filter { $0.keyVault == keyVault.id }.map(\.holder)
            for holder in Set(signing + known) {
                try store.put(
                    AddressNotice(
                        entry: entry.id, holder: holder, keyVault: keyVault.id, isTold: false,
                        nextOffer: now))
            }
        }
        stirred.signing = true
    }

    /// Has the group's holders told of the whole book of their tenant.
    func tellBook(to group: HolderGroup) throws {
        guard try signingGroups(of: group.keyVault).contains(where: { $0.id == group.id })
        else { return }
        for holder in group.holders.identities {
            try store.addNotices(under: group.keyVault, for: holder, at: now)
        }
    }

    /// Has holders told of all that they were not told of: at start, for the books of a version
    /// that told them nothing.
    public func tellBooks() throws {
        for tenant in try store.tenants() {
            for keyVault in try store.keyVaults(of: tenant.id) {
                for group in try signingGroups(of: keyVault.id) { try tellBook(to: group) }
            }
        }
    }

    /// Active groups that sign or may be made to.
    private func signingGroups(of keyVault: KeyVaultID) throws -> [HolderGroup] {
        try store.groups(of: keyVault).filter {
            $0.scheme == .ecdsaSecp256k1 && $0.kind != .recovery && $0.isActive
        }
    }

    /// An entry under one of its tenant's keys.
    private struct Told: Hashable {
        let entry: AddressBookEntryID
        let keyVault: KeyVaultID
    }

    /// Makes the announcements that holders who are online have not heard or not answered.
    public func announce(
        to online: Set<IdentityPublicKey>, signer: any IntentSigner
    ) throws -> [HolderOrder] {
        var due: [Told: [AddressNotice]] = [:]
        var order: [Told] = []
        for holder in online.sorted() {
            let notices = try store.dueNotices(
                for: holder, at: now, most: Self.unansweredMost,
                unansweredUntil: now.adding(seconds: Self.answerPause))
            for notice in notices {
                let what = Told(entry: notice.entry, keyVault: notice.keyVault)
                if due[what] == nil { order.append(what) }
                due[what, default: []].append(notice)
            }
        }
        var groups: [KeyVaultID: [HolderGroup]] = [:]
        return try order.flatMap { what -> [HolderOrder] in
            guard let entry = try store.addressBookEntry(what.entry) else { return [] }
            let known = try groups[what.keyVault] ?? signingGroups(of: what.keyVault)
            groups[what.keyVault] = known
            return try announce(entry, due[what] ?? [], known, signer)
        }
    }

    /// One intent for each group, and each holder asked by one of them.
    private func announce(
        _ entry: AddressBookEntry, _ notices: [AddressNotice], _ groups: [HolderGroup],
        _ signer: any IntentSigner
    ) throws -> [HolderOrder] {
        var left = Set(notices.map(\.holder))
        var orders: [HolderOrder] = []
        for group in groups {
            let holders = group.holders.identities.filter(left.contains)
            guard !holders.isEmpty, let intent = try announcement(entry, group) else { continue }
            orders.append(
                .offer(intent: intent.bytes, signature: signer.sign(intent.digest), to: holders))
            left.subtract(holders)
        }
        for var notice in notices {
            // Who is of no group any more hears of it if it ever is again.
            let pause = left.contains(notice.holder) ? Self.refusalPause : Self.answerPause
            notice.nextOffer = now.adding(seconds: pause)
            try store.put(notice)
        }
        return orders
    }

    private func announcement(
        _ entry: AddressBookEntry, _ group: HolderGroup
    ) throws -> Intent? {
        guard let chain = ChainID(entry.network), let epoch = group.epoch else { return nil }
        let begins = now.adding(seconds: -1)
        let expires = begins.adding(seconds: settings.intentLifetime)
        let intent = Intent(
            environment: settings.environment, tenant: entry.tenant,
            vault: VaultID(unchecked: group.keyVault.bytes),
            request: RequestID(unchecked: entry.id.bytes), group: group.id, epoch: epoch,
            purpose: .announcement(Announcement(entry.change, entry.address, on: chain)),
            notBefore: UInt64(begins.seconds), expires: UInt64(expires.seconds),
            policy: settings.policy)
        try store.insert(
            AddressAnnouncement(
                digest: intent.digest, entry: entry.id, keyVault: group.keyVault,
                change: entry.change, expiresAt: expires))
        return intent
    }

    /// Takes in what a holder says to an announcement.
    func takeAnnouncement(_ verdict: SignedVerdict) throws {
        guard let said = try store.addressAnnouncement(verdict.intent),
            try store.addressBookEntry(said.entry)?.change == said.change,
            var notice = try store.notices(of: said.entry).first(where: {
                $0.holder == verdict.holder && $0.keyVault == said.keyVault
            }), !notice.isTold
        else { return }
        switch verdict.verdict {
        case .approval:
            notice.isTold = true
            notice.answer = nil
        case .refusal(let reason):
            notice.answer = reason.sentence
            notice.nextOffer = now.adding(seconds: Self.refusalPause)
        case .waiting(let reason):
            notice.answer = reason.sentence
            notice.nextOffer = now.adding(seconds: Self.waitingPause)
        case .closed, .given: return
        }
        try store.put(notice)
    }

    /// A holder that does not know what it was told was brought back from an old copy: it is told
    /// of the whole book again.
    func tellAgain(_ verdict: SignedVerdict, of request: SigningRequest) throws {
        guard case .refusal(let reason) = verdict.verdict,
            [.addressNotAnnounced, .addressRemoved].contains(reason.code),
            let id = request.transaction, let transaction = try store.transaction(id),
            try notices(of: transaction).contains(where: {
                $0.holder == verdict.holder && $0.isTold
            })
        else { return }
        try store.repeatNotices(
            under: keyVault(of: transaction.vault, transaction.tenant), for: verdict.holder,
            at: now)
        stirred.signing = true
    }

    /// The entry that a withdrawal goes to; nil if it was removed.
    func entry(of transaction: Transaction) throws -> AddressBookEntry? {
        let asset = try asset(transaction.asset)
        guard let address = transaction.destinationAddress else { return nil }
        return try store.addressBookEntry(
            network: asset.asset.chain.text, address: address, of: transaction.tenant)
    }

    /// What holders were told of a withdrawal's destination under its key; empty if that was
    /// removed.
    func notices(of transaction: Transaction) throws -> [AddressNotice] {
        guard let entry = try entry(of: transaction) else { return [] }
        let keyVault = try keyVault(of: transaction.vault, transaction.tenant)
        return try store.notices(of: entry.id).filter { $0.keyVault == keyVault }
    }

    /// Whether enough of the group's holders know the destination to sign; if not, notes that the
    /// withdrawal waits for them.
    func isKnown(_ waiting: Transaction, toEnoughOf group: HolderGroup) throws -> Bool {
        let notices = try notices(of: waiting)
        let told = Set(notices.filter(\.isTold).map(\.holder))
        let missing = group.holders.identities.filter { !told.contains($0) }
        guard group.holders.identities.count - missing.count < group.threshold.required else {
            return true
        }
        let names = try holderNames()
        func name(_ holder: IdentityPublicKey) -> String { names[holder] ?? holder.hex }
        let answers = notices.filter { missing.contains($0.holder) }.compactMap { notice in
            notice.answer.map { "\(name(notice.holder)): \($0)" }
        }
        var transaction = waiting
        try wait(
            &transaction, .announcement, who: missing.map(name).sorted(),
            next: answers.isEmpty ? nil : answers.sorted().joined(separator: " "))
        return false
    }
}

extension AddressBookEntry {
    /// What there is to announce of it.
    fileprivate var change: Announcement.Change { status == .removed ? .remove : .add }
}
