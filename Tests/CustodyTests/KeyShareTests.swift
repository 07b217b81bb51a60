import Algebra
import Canonical
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

@Suite struct `A request for key shares` {
    @Test func `a main group's holders make a key of each scheme, once, and a vault is there`()
        async throws
    {
        let it = try await KeyVaultScene("main group")
        let main = try await it.create(it.draft(.main, [1, 2]))
        #expect(
            main.state == .new && main.group.holders.map(\.kind) == [.server, .server, .platform])
        #expect(main.holders.allSatisfy { $0.isOnline && !$0.isReplacement })
        let request = try await it.request(.keyGeneration, main.group.id)
        #expect(request.status == .confirming && request.id.text.count == 32)
        #expect(
            await refused { try await it.request(.keyGeneration, main.group.id) } == .requestOpen)
        try await it.scene.settle(turns: 2)
        #expect(try await it.status(request) == .confirming)
        #expect(try await it.read(main.group.id).state == .new)
        try await it.scene.settle(confirmedBy: [0, 1], turns: 3)
        #expect(try await it.status(request) == .confirming, "one has not said yes")
        #expect(try await it.roots().isEmpty)
        try await it.scene.restart()
        try await it.scene.settle(confirmedBy: [2])
        #expect(try await it.status(request) == .done)
        let made = try await it.read(main.group.id)
        #expect(made.state == .valid && made.keys.map(\.scheme) == [.ecdsaSecp256k1, .ed25519])
        #expect(try await it.roots().map(\.count) == [33, 32])
        let (keyVault, tenant) = (it.keyVault, it.tenant)
        let vaults = try await it.scene.custody.read {
            try $0.vaults(of: tenant, matching: VaultFilter(keyVault: keyVault), PageRequest())
        }
        #expect(vaults.items.map(\.name) == ["Default"])
        #expect(
            await refused { try await it.request(.keyGeneration, main.group.id) } == .groupExists)
        #expect(await refused { try await it.cancel(request) } == .tooLate)
        #expect(try await it.status(request) == .done)
        #expect(await refused { try await it.group(.main, [3, 4]) } == .groupExists)
    }

    @Test func `one holder's no ends it for all keys, and it can be asked anew`() async throws {
        let it = try await KeyVaultScene("refused")
        let main = try await it.group(.main, [1, 2])
        let first = try await it.request(.keyGeneration, main)
        try await it.scene.settle(confirmedBy: [0, 1], turns: 2)
        try await it.scene.refuse(by: 2)
        try await it.scene.settle(turns: 2)
        #expect(try await it.status(first) == .refused)
        #expect(try await it.read(main).state == .new)
        #expect(try await it.scene.custody.read { try $0.store.openCeremonies().isEmpty })
        #expect(await refused { try await it.cancel(first) } == .tooLate)
        let second = try await it.request(.keyGeneration, main)
        try await it.scene.settle(confirmedBy: [0, 1, 2])
        #expect(try await it.status(second) == .done)
        #expect(try await it.status(first) == .refused)
        #expect(try await it.read(main).keys.map(\.epoch) == [2, 2])
    }

    @Test func `what nobody confirms is over after 24 hours`() async throws {
        let it = try await KeyVaultScene("expiry")
        let main = try await it.group(.main, [1, 2])
        let request = try await it.request(.keyGeneration, main)
        try await it.scene.settle(confirmedBy: [0, 2], turns: 2)
        try it.scene.pass(seconds: 24 * 3600 - 10)
        try await it.scene.settle(turns: 2)
        #expect(try await it.status(request) == .confirming)
        try it.scene.pass(seconds: 10)
        try await it.scene.settle(turns: 2)
        #expect(try await it.status(request) == .refused)
        try await it.scene.settle(confirmedBy: [0, 1, 2])
        #expect(try await it.read(main).state == .new, "a late yes makes no key")
    }

    @Test func `a cancelled request is closed at every holder, also after a restart`() async throws
    {
        let it = try await KeyVaultScene("cancelled")
        let main = try await it.group(.main, [1, 2])
        let request = try await it.request(.keyGeneration, main)
        try await it.scene.settle(confirmedBy: [0, 1], turns: 2)
        #expect(try await it.cancel(request).status == .cancelled)
        #expect(try await it.cancel(request).status == .cancelled, "said twice")
        try await it.scene.restart()
        try await it.scene.settle(confirmedBy: [0, 1, 2])
        #expect(try await it.status(request) == .cancelled)
        #expect(try await it.read(main).state == .new)
        let open = try await it.scene.custody.read {
            try $0.store.signingRequests(in: [.open, .closing])
        }
        #expect(open.isEmpty)
        // Nobody is kept from making the keys after all.
        let again = try await it.request(.keyGeneration, main)
        try await it.scene.settle(confirmedBy: [0, 1, 2])
        #expect(try await it.status(again) == .done)
    }

    @Test func `what must not be asked is refused, and nothing is changed`() async throws {
        let it = try await KeyVaultScene("refusals")
        let (recovery, signing) = (
            try await it.group(.recovery, [1, 3]), try await it.group(.signing, [3])
        )
        let unmade = try await it.group(.main, [1, 2])
        #expect(
            await refused { try await it.request(.fromKeyGroup, signing, from: unmade) }
                == .groupNotValid)
        #expect(
            await refused { try await it.request(.recovery, unmade, from: recovery) }
                == .groupNotValid)
        #expect(await refused { try await it.request(.keyGeneration, signing) } == .invalid)
        #expect(
            await refused { try await it.request(.keyGeneration, unmade, from: recovery) }
                == .invalid)
        try await it.scene.setOnline([0, 1, 3, 4])
        #expect(await refused { try await it.request(.keyGeneration, unmade) } == .holderOffline)
        try await it.scene.setOnline([0, 1, 2, 3, 4])
        let keys = try await it.request(.keyGeneration, unmade)
        try await it.scene.settle(confirmedBy: [0, 1, 2])
        #expect(try await it.status(keys) == .done)
        let main = unmade
        for (dealers, code) in [
            ([0], Refusal.Code.invalid), ([0, 0], .duplicateHolder), ([0, 3], .unknownHolder),
        ] {
            #expect(
                await refused {
                    try await it.request(.fromKeyGroup, signing, from: main, dealers: dealers)
                } == code)
        }
        #expect(
            await refused { try await it.request(.fromKeyGroup, main, from: main) } == .invalid)
        #expect(
            await refused { try await it.request(.fromKeyGroup, signing, from: recovery) }
                == .invalid)
        #expect(await refused { try await it.request(.fromKeyGroup, signing) } == .invalid)
        let (scene, tenant) = (it.scene, it.tenant)
        let other = try await scene.custody.write {
            try $0.createKeyVault(name: "Other", .organisation, project: nil, for: tenant).id
        }
        let elsewhere = try await scene.custody.write {
            try $0.createHolderGroup(it.draft(.recovery, [1, 2]), in: other, of: tenant).group.id
        }
        #expect(
            await refused { try await it.request(.recovery, main, from: elsewhere) } == .notFound)
        #expect(try await scene.custody.read { try $0.store.openKeyShareRequests().isEmpty })
        #expect(try await scene.custody.read { try $0.store.openCeremonies().isEmpty })
    }

    @Test func `another tenant finds nothing of it`() async throws {
        let it = try await KeyVaultScene("isolation")
        let main = try await it.group(.main, [1, 2])
        let request = try await it.request(.keyGeneration, main)
        let (keyVault, scene) = (it.keyVault, it.scene)
        let stranger = TenantID(unchecked: [UInt8](repeating: 7, count: 16))
        for attempt: @Sendable (Books) throws -> Any in [
            { try $0.keyVault(keyVault, of: stranger) },
            { try $0.renameKeyVault(keyVault, to: "mine", of: stranger) },
            { try $0.holderGroup(main, in: keyVault, of: stranger) },
            { try $0.holderGroups(nil, in: keyVault, of: stranger, PageRequest()) },
            { try $0.keyShareHolders(of: nil, in: keyVault, of: stranger) },
            { try $0.deleteHolderGroup(main, in: keyVault, of: stranger) },
            { try $0.keyShareRequest(request.id, in: keyVault, of: stranger) },
            { try $0.keyShareRequests(for: main, in: keyVault, of: stranger, PageRequest()) },
            { try $0.cancelKeyShareRequest(request.id, in: keyVault, of: stranger) },
            { try $0.openVault(named: "mine", under: keyVault, for: stranger) },
        ] {
            let code = await refused {
                try await scene.custody.write { books in
                    _ = try attempt(books)
                    return true
                }
            }
            #expect(code == .notFound)
        }
        #expect(try await it.status(request) == .confirming)
    }
}

@Suite struct `A group of key share holders` {
    @Test func `only what can be a group becomes one`() async throws {
        let it = try await KeyVaultScene("group drafts")
        func draft(_ kind: GroupKind, _ participants: Int, _ threshold: Int, _ members: [Int])
            -> KeyShareHolderGroupDraft
        {
            KeyShareHolderGroupDraft(
                kind: kind, participants: participants, threshold: threshold,
                holders: it.draft(kind, members).holders)
        }
        let refusals: [(KeyShareHolderGroupDraft, Refusal.Code)] = [
            (draft(.main, 4, 2, [1, 2, 3]), .unsupportedThreshold),
            (draft(.main, 3, 1, [1, 2]), .unsupportedThreshold),
            (draft(.main, 2, 3, [1]), .unsupportedThreshold),
            (draft(.main, 3, 2, [1]), .invalid), (draft(.main, 3, 2, [1, 2, 3]), .invalid),
            (draft(.main, 3, 2, [1, 1]), .duplicateHolder),
            (draft(.main, 3, 2, [0, 1]), .duplicateHolder),
            (draft(.recovery, 2, 2, [1]), .invalid),
        ]
        for (draft, code) in refusals {
            #expect(await refused { try await it.create(draft) } == code, "\(draft)")
        }
        let stranger = IdentityPublicKey(unchecked: [UInt8](repeating: 9, count: 32))
        for kind in KeyShareHolder.Kind.allCases {
            let draft = KeyShareHolderGroupDraft(
                kind: .recovery, participants: 2, threshold: 2,
                holders: [
                    .init(name: "a", kind: .server, identity: it.scene.identity(1), isSigner: true),
                    .init(name: "b", kind: kind, identity: stranger, isSigner: true),
                ])
            #expect(await refused { try await it.create(draft) } == .unknownHolder)
        }
        let keyVault = it.keyVault
        let made = try await it.scene.custody.read { try $0.store.holderGroups(of: keyVault) }
        #expect(made.isEmpty)
    }

    @Test func `a signing group takes the main group's place, which signs on or is gone`()
        async throws
    {
        let it = try await KeyVaultScene("upgrade")
        let main = try await it.made()
        let (before, scene) = (try await it.roots(), it.scene)
        let signing = try await it.given(.signing, [3], by: main)
        let (keyVault, tenant) = (it.keyVault, it.tenant)
        func upgrade(_ group: KeyShareHolderGroupID, _ isKept: Bool) async throws
            -> KeyShareHolderGroupView
        {
            try await scene.custody.write {
                try $0.makeMain(group, keepingOriginal: isKept, in: keyVault, of: tenant)
            }
        }
        #expect(await refused { try await upgrade(main, true) } == .invalid)
        let new = try await it.group(.signing, [4])
        #expect(await refused { try await upgrade(new, true) } == .groupNotValid)
        #expect(try await upgrade(signing, true).group.kind == .main)
        #expect(try await it.read(main).group.kind == .signing)
        #expect(try await it.roots() == before)
        // The new main group deals, and a recovery gives it shares.
        let request = try await it.request(.fromKeyGroup, new, from: signing)
        try await scene.settle(confirmedBy: [0, 3, 4])
        #expect(try await it.status(request) == .done)
        let recovery = try await it.group(.recovery, [1, 2])
        let given = try await it.request(.fromKeyGroup, recovery, from: signing)
        try await scene.settle(confirmedBy: [0, 1, 2, 3])
        #expect(try await it.status(given) == .done)
        let recovered = try await it.request(.recovery, signing, from: recovery)
        try await scene.settle(confirmedBy: [0, 1, 2, 3])
        #expect(try await it.status(recovered) == .done)
        #expect(try await it.roots() == before)
        #expect(try await upgrade(main, false).group.kind == .main)
        #expect(await refused { try await it.read(signing) } == .notFound)
        #expect(try await it.roots() == before)
    }

    @Test func `a lost holder is replaced, and a recovery makes the group whole`() async throws {
        let it = try await KeyVaultScene("replacement")
        let main = try await it.made()
        let before = try await it.roots()
        let recovery = try await it.given(.recovery, [1, 3], by: main)
        let (scene, keyVault, tenant) = (it.scene, it.keyVault, it.tenant)
        func replace(_ lost: Int, by replacement: Int) async throws -> KeyShareHolderGroupView {
            let (old, new) = (scene.identity(lost), scene.identity(replacement))
            return try await scene.custody.write {
                try $0.replaceHolder(old, by: new, in: main, of: keyVault, tenant)
            }
        }
        #expect(await refused { try await replace(3, by: 4) } == .unknownHolder)
        #expect(await refused { try await replace(2, by: 1) } == .duplicateHolder)
        let changed = try await replace(2, by: 4)
        #expect(changed.state == .unavailable)
        #expect(changed.holders.map(\.isReplacement) == [false, true, false])
        try await scene.setOnline([0, 1, 3, 4])
        let failed = try await it.request(.recovery, main, from: recovery, dealers: [1, 3])
        try await scene.settle(confirmedBy: [0, 1, 3], turns: 2)
        try await scene.refuse(by: 4)
        try await scene.settle(turns: 2)
        #expect(try await it.status(failed) == .refused)
        #expect(try await it.read(main).state == .unavailable)
        try await scene.restart()
        let request = try await it.request(.recovery, main, from: recovery, dealers: [1, 3])
        try await scene.settle(confirmedBy: [0, 1, 3, 4])
        #expect(try await it.status(request) == .done)
        let whole = try await it.read(main)
        #expect(whole.state == .valid && !whole.holders.contains { $0.isReplacement })
        for key in whole.keys {
            #expect(key.holders.position(of: scene.identity(2)) == nil)
            #expect(key.holders.position(of: scene.identity(4)) != nil)
        }
        #expect(try await it.roots() == before)
    }

    @Test func `a group is deleted when nothing depends on it`() async throws {
        let it = try await KeyVaultScene("deletion")
        let unmade = try await it.group(.main, [1, 2])
        let (scene, keyVault, tenant) = (it.scene, it.keyVault, it.tenant)
        func delete(_ group: KeyShareHolderGroupID) async throws -> Bool {
            try await scene.custody.write {
                try $0.deleteHolderGroup(group, in: keyVault, of: tenant)
            }
            return true
        }
        let open = try await it.request(.keyGeneration, unmade)
        #expect(await refused { try await delete(unmade) } == .requestOpen)
        _ = try await it.cancel(open)
        #expect(try await delete(unmade))
        #expect(await refused { try await it.read(unmade) } == .notFound)
        let main = try await it.made()
        #expect(await refused { try await delete(main) } == .groupInUse)
        let signing = try await it.given(.signing, [3], by: main)
        let shares = try await it.read(signing).keys
        try await scene.custody.write { books in
            for share in shares { try books.sign(with: share.id) }
        }
        #expect(try await delete(signing))
        let (keys, mains) = (
            try await scene.custody.read { try $0.store.keys(of: keyVault) },
            try await it.read(main).keys.map(\.id)
        )
        #expect(keys.map(\.signing) == mains && keys.map(\.main) == mains)
        #expect(
            await refused {
                try await scene.custody.write { try $0.sign(with: shares[0].id) }
            } == .notFound)
    }
}
