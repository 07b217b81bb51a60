import Algebra
import Canonical
import Chains
import Custody
import Foundation
import GRDB
import Intents
import KeyGroups
import TestKit
import Testing

@testable import Storage

@Suite struct `Several key vaults` {
    /// Two key vaults with keys of the same holders, a vault with a wallet under each.
    private struct Two {
        let one: KeyVaultScene
        let other: KeyVaultScene
        let wallets: [Wallet]
        var chain = TestChain()

        init(_ seed: String) async throws {
            one = try await KeyVaultScene(seed)
            let (scene, tenant) = (one.scene, one.tenant)
            try await scene.test.apply(chain.block())
            let second = try await scene.custody.write {
                try $0.createKeyVault(name: "Other", .organisation, project: nil, for: tenant).id
            }
            other = KeyVaultScene(scene: scene, keyVault: second)
            for keyVault in [one, other] { _ = try await keyVault.made() }
            let ids = [one.keyVault, other.keyVault]
            wallets = try await scene.custody.write { books in
                try ids.map { id in
                    let vault = try books.openVault(named: "vault", under: id, for: tenant)
                    return try books.createWallet(
                        WalletDraft(asset: "ETH", label: nil), in: vault.id, of: tenant)
                }
            }
        }
    }

    @Test func `an address is of its key vault's key, and that key's holders sign for it`()
        async throws
    {
        var two = try await Two("two keys")
        let (scene, tenant, wallets) = (two.one.scene, two.one.tenant, two.wallets)
        #expect(wallets[0].depositAddress != wallets[1].depositAddress)
        #expect(try await two.one.roots() != two.other.roots())
        let start = Amount(baseUnits: "1000000000")!
        let deposits = wallets.map { two.chain.deposit(start, to: $0.depositAddress) }
        try await scene.test.apply(two.chain.block(deposits))
        for _ in 0..<2 { try await scene.test.apply(two.chain.block()) }
        let destination = EVMAddress(unchecked: [UInt8](repeating: 0xee, count: 20)).text
        let entry = try await scene.custody.write { books in
            try books.addAddress(
                AddressBookDraft(
                    network: TestCustody.chain.text, address: destination, tag: nil,
                    label: "stranger", externalID: nil), for: tenant)
        }
        try await scene.settle(turns: 2)
        let notices = try await scene.custody.read { try $0.store.notices(of: entry.id) }
        #expect(notices.count == 6 && notices.allSatisfy(\.isTold), "each under both keys")
        for wallet in wallets {
            let transaction = try await scene.custody.write { books in
                try books.withdraw(
                    WithdrawalDraft(
                        sourceWallet: wallet.id, addressBookEntry: entry.id,
                        destinationAddress: nil, destinationTag: nil, amount: "0.000000000000005",
                        feeLevel: .medium, maxFee: nil, note: nil, externalID: nil),
                    for: tenant)
            }
            try await scene.settle(turns: 3)
            let sent = try await scene.custody.read {
                try $0.store.outgoing(of: transaction.id).first
            }
            let signed = try #require(sent.flatMap { SignedEVMTransaction(raw: $0.raw) })
            #expect(signed.sender?.text == wallet.depositAddress)
        }
    }

    @Test func `the ledger moves nothing from one key to another`() async throws {
        var two = try await Two("apart")
        let (scene, tenant, wallets) = (two.one.scene, two.one.tenant, two.wallets)
        let deposit = two.chain.deposit(Amount(UInt32(5000)), to: wallets[0].depositAddress)
        try await scene.test.apply(two.chain.block([deposit]))
        for _ in 0..<2 { try await scene.test.apply(two.chain.block()) }
        let code = await refused {
            try await scene.custody.write {
                try $0.transfer(
                    TransferDraft(
                        sourceWallet: wallets[0].id, destinationWallet: wallets[1].id,
                        amount: "0.000000000000001", note: nil, externalID: nil), for: tenant)
            }
        }
        #expect(code == .differentKeyVaults)
        #expect(try await scene.test.balance(wallets[0]).available == Amount(UInt32(5000)))
    }

    @Test func `a project's users have key vaults, listed both ways`() async throws {
        let scene = try await KeyShareScene("projects")
        let (custody, tenant) = (scene.custody, scene.tenant)
        let project = try await custody.write {
            try $0.createProject(name: "Game", threshold: 2, participants: 2, for: tenant)
        }
        let renamed = try await custody.write {
            try $0.renameProject(project.id, to: "Games", of: tenant)
        }
        #expect(
            try await custody.read { try $0.projects(of: tenant, PageRequest()) }.items == [renamed]
        )
        for (kind, id) in [(KeyVault.Kind.user, nil), (.organisation, Optional(project.id))] {
            let code = await refused {
                try await custody.write {
                    try $0.createKeyVault(name: "x", kind, project: id, for: tenant)
                }
            }
            #expect(code == .invalid)
        }
        let made = try await custody.write { books in
            try (1...5).map {
                try books.createKeyVault(
                    name: "user \($0)", .user, project: project.id, for: tenant)
            }
        }
        let draft = KeyVaultScene(scene: scene, keyVault: made[0].id)
        #expect(await refused { try await draft.group(.main, [1, 2]) } == .unsupportedThreshold)
        let group = try await draft.group(.main, [1])
        #expect(try await draft.read(group).state == .new)
        func page(after: PageCursor? = nil, before: PageCursor? = nil) async throws -> Page<
            KeyVault
        > {
            let request = try PageRequest(
                limit: 2, after: after, before: before, order: .oldestFirst, isCounted: true)
            return try await custody.read {
                try $0.keyVaults(of: tenant, .user, project: project.id, request)
            }
        }
        func names(_ page: Page<KeyVault>) -> [String] { page.items.map(\.name) }
        let first = try await page()
        #expect(names(first) == ["user 1", "user 2"] && first.previous == nil && first.total == 5)
        let second = try await page(after: first.next)
        #expect(names(second) == ["user 3", "user 4"] && second.total == 5)
        let third = try await page(after: second.next)
        #expect(names(third) == ["user 5"] && third.next == nil)
        let back = try await page(before: third.previous)
        #expect(names(back) == ["user 3", "user 4"] && back.next == second.next)
        let start = try await page(before: back.previous)
        #expect(names(start) == ["user 1", "user 2"] && start.previous == nil)
        #expect(throws: Refusal.self) { try PageRequest(after: first.next, before: first.next) }
    }

    /// A database as it was with one key vault for each scheme.
    @Test func `key vaults of a scheme become keys of the tenant's first key vault`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "quorumkeep-migration-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appending(path: "platform.sqlite").path
        let queue = try DatabaseQueue(path: path)
        try Schema.migrator.migrate(queue, upTo: "contents")
        @Sendable func id(_ byte: UInt8) -> Data { Data(repeating: byte, count: 16) }
        let holders = [UInt8(1), 2].map { Data(repeating: $0, count: 32) }
        try await queue.write { db in
            try db.execute(
                sql: """
                    INSERT INTO tenants (id, name, environment, created_at) VALUES (?, 'T', 1, 1);
                    INSERT INTO holders (identity, name, created_at) VALUES (?, 'one', 1);
                    """, arguments: [id(1), holders[0]])
            for (vault, scheme, group) in [(UInt8(10), 1, UInt8(20)), (11, 3, 21)] {
                try db.execute(
                    sql: """
                        INSERT INTO key_vaults
                            (id, tenant, scheme, main_group, signing_group, next_vault, created_at)
                        VALUES (?, ?, ?, ?, ?, 4, 1);
                        INSERT INTO holder_groups (id, key_vault, kind, required, identities,
                            indices, last_epoch, signatures, created_at)
                        VALUES (?, ?, 1, 2, ?, x'0102', 3, 0, 1);
                        """,
                    arguments: [
                        id(vault), id(1), scheme, id(group), id(group), id(group), id(vault),
                        holders[0] + holders[1],
                    ])
            }
            try db.execute(
                sql: """
                    INSERT INTO address_book (id, tenant, network, address, label, status,
                        activates_at, created_at)
                    VALUES (?, ?, 'eip155:1', '0x', 'l', 'Active', 1, 1);
                    INSERT INTO address_notices (entry, holder, is_told, next_offer)
                    VALUES (?, ?, 1, 1);
                    INSERT INTO announcements VALUES (x'00', ?, 1, 5);
                    """, arguments: [id(30), id(1), id(30), holders[0], id(30)])
        }
        try queue.close()
        let database = try PlatformDatabase(path: path)
        let first = KeyVaultID(unchecked: Array(id(10)))
        let tenant = TenantID(unchecked: Array(id(1)))
        try await database.read { store in
            #expect(try store.keyVaults(of: tenant).map(\.id) == [first])
            let keys = try store.keys(of: first)
            #expect(keys.map(\.scheme) == [.ecdsaSecp256k1, .ed25519])
            #expect(keys.map { $0.main.bytes[0] } == [20, 21])
            let groups = try store.groups(of: first)
            #expect(groups.map(\.scheme) == [.ecdsaSecp256k1, .ed25519])
            #expect(groups.map(\.lastEpoch) == [3, 3])
            let known = try store.holderGroups(of: first)
            #expect(known.map(\.id) == groups.map(\.record))
            #expect(known.map { $0.holders.map(\.name) }.first?.first == "one")
            #expect(
                known.map { $0.holders.map(\.identity.bytes) }
                    == groups.map { $0.holders.identities.map(\.bytes) })
            let entry = AddressBookEntryID(unchecked: Array(id(30)))
            let notices = try store.notices(of: entry)
            #expect(notices.map(\.keyVault) == [first] && notices.allSatisfy(\.isTold))
        }
        let next = try await database.write { try $0.nextVaultIndex(under: first) }
        #expect(next == 4)
    }
}
