import Algebra
import Canonical
import Chains
import Custody
import Identity
import Intents
import TestKit
import Testing

@Suite struct `Repeated calls` {
    private let caller = APIKeyID(isLive: false, random: [UInt8](repeating: 1, count: 12))

    private func claim(_ byte: UInt8, _ test: TestCustody) -> SignatureClaim {
        SignatureClaim(
            signature: [UInt8](repeating: byte, count: 32), until: test.now.adding(seconds: 60))
    }

    @Test func `an idempotency key is one effect, with the first answer`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let once = try Once(key: "k", fingerprint: .sha256([1]))
        let caller = caller
        func call(_ byte: UInt8, _ once: Once) async throws -> StoredAnswer {
            let claim = claim(byte, test)
            return try await test.custody.write { books in
                try books.once(once, by: caller, claiming: claim) { books in
                    let vault = try books.openVault(
                        VaultDraft(externalID: "v\(byte)", name: "v", metadata: [:]), for: tenant)
                    return (201, Array(vault.id.text.utf8))
                }
            }
        }
        let first = try await call(1, once)
        #expect(try await call(2, once) == first)
        // The very same signature with its key is answered as well; without a key it is a replay.
        #expect(try await call(1, once) == first)
        let bare = try Once(key: nil, fingerprint: .sha256([1]))
        await #expect(throws: Replayed.self) { _ = try await call(1, bare) }
        let other = try Once(key: "k", fingerprint: .sha256([2]))
        let refusal = await #expect(throws: Refusal.self) { _ = try await call(3, other) }
        #expect(refusal?.code == .idempotencyKeyReused)
        let page = try PageRequest()
        #expect(
            try await test.custody.read { try $0.vaults(of: tenant, page).items.count } == 1)
    }

    @Test func `of fifty at once one has the effect`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let once = try Once(key: "same", fingerprint: .sha256([1]))
        let caller = caller
        let bodies = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for number in UInt8(0)..<50 {
                let claim = claim(number, test)
                group.addTask {
                    try await test.custody.write { books in
                        try books.once(once, by: caller, claiming: claim) { books in
                            let vault = try books.openVault(
                                VaultDraft(externalID: "v\(number)", name: "v", metadata: [:]),
                                for: tenant)
                            return (201, Array(vault.id.text.utf8))
                        }.body
                    }
                }
            }
            return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
        }
        #expect(bodies.count == 1)
        let page = try PageRequest()
        #expect(
            try await test.custody.read { try $0.vaults(of: tenant, page).items.count } == 1)
    }

    @Test func `a refusal stores no answer`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let once = try Once(key: "k", fingerprint: .sha256([1]))
        let (caller, claim) = (caller, claim(1, test))
        await #expect(throws: Refusal.self) {
            try await test.custody.write { books in
                _ = try books.once(once, by: caller, claiming: claim) { books in
                    _ = try books.openVault(
                        VaultDraft(externalID: nil, name: "v", metadata: [:]), for: tenant)
                    return (201, [])
                }
            }
        }
        #expect(try await test.custody.read { try $0.store.storedAnswer("k", of: caller) } == nil)
    }

    @Test func `what is old is forgotten, and not before`() async throws {
        let test = try TestCustody()
        let caller = caller
        let claim = claim(1, test)
        let once = try Once(key: "k", fingerprint: .sha256([1]))
        try await test.custody.write { books in
            _ = try books.once(once, by: caller, claiming: claim) { _ in (200, []) }
        }
        func purge() async throws {
            try await test.custody.write { books in
                try books.store.purge(
                    answersBefore: books.now.adding(seconds: -Once.keptSeconds),
                    signaturesBefore: books.now)
            }
        }
        test.pass(seconds: 24 * 3600)
        try await purge()
        #expect(try await test.custody.read { try $0.store.storedAnswer("k", of: caller) } != nil)
        test.pass(seconds: 25 * 3600)
        try await purge()
        #expect(try await test.custody.read { try $0.store.storedAnswer("k", of: caller) } == nil)
    }
}

@Suite struct `Vaults and tenants` {
    @Test func `an external id is one vault for ever`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        func open(_ name: String, _ metadata: [String: String] = [:]) async throws -> Vault {
            try await test.custody.write {
                try $0.openVault(
                    VaultDraft(externalID: "c", name: name, metadata: metadata), for: tenant)
            }
        }
        let first = try await open("C")
        #expect(try await open("C") == first)
        let refusal = await #expect(throws: Refusal.self) { _ = try await open("D") }
        #expect(refusal?.code == .externalIDReused)
        await #expect(throws: Refusal.self) { _ = try await open("C", ["a": "b"]) }
    }

    @Test func `every limit has its sentence`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let long = String(repeating: "x", count: 129)
        let large = String(repeating: "x", count: 513)
        let rows: [(VaultDraft, String)] = [
            (VaultDraft(externalID: nil, name: "n", metadata: [:]), "externalId"),
            (VaultDraft(externalID: "", name: "n", metadata: [:]), "externalId"),
            (VaultDraft(externalID: long, name: "n", metadata: [:]), "externalId"),
            (VaultDraft(externalID: "e", name: nil, metadata: [:]), "name"),
            (VaultDraft(externalID: "e", name: long, metadata: [:]), "name"),
            (VaultDraft(externalID: "e", name: "a\u{0}b", metadata: [:]), "name"),
            (VaultDraft(externalID: "e", name: "n", metadata: ["": "v"]), "metadata"),
            (VaultDraft(externalID: "e", name: "n", metadata: ["k": large]), "metadata"),
            (
                VaultDraft(
                    externalID: "e", name: "n",
                    metadata: Dictionary(uniqueKeysWithValues: (0..<33).map { ("\($0)", "") })),
                "metadata"
            ),
        ]
        for (draft, field) in rows {
            let refusal = await #expect(throws: Refusal.self) {
                try await test.custody.write { _ = try $0.openVault(draft, for: tenant) }
            }
            #expect(refusal?.code == .invalid)
            #expect(refusal?.fields.keys.contains(field) == true, "\(field)")
        }
    }

    @Test func `wallets have an address each, and none is given twice`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        var seen: Set<String> = []
        for number in 0..<20 {
            let wallet = try await test.wallet("v\(number)", of: tenant)
            #expect(seen.insert(wallet.depositAddress).inserted)
            let address = try await test.custody.read { books in
                try books.store.address(wallet.depositAddress, on: TestCustody.chain)
            }
            #expect(address?.path.text == "m/44/60/\(number)/0/0")
        }
        let refusal = await #expect(throws: Refusal.self) {
            try await test.custody.write { books in
                let vault = try books.store.vault(externalID: "v1", of: tenant)!
                _ = try books.createWallet(
                    WalletDraft(asset: "ETH", label: nil), in: vault.id, of: tenant)
            }
        }
        #expect(refusal?.code == .walletExists)
    }

    @Test func `another tenant's things are not there`() async throws {
        let test = try TestCustody()
        let (one, two) = (try await test.tenant("One"), try await test.tenant("Two"))
        let wallet = try await test.wallet("w", of: one)
        for work: @Sendable (Books) throws -> Void in [
            { _ = try $0.vault(wallet.vault, of: two) },
            { _ = try $0.wallet(wallet.id, of: two) },
            {
                _ = try $0.createWallet(
                    WalletDraft(asset: "ETH", label: nil), in: wallet.vault, of: two)
            },
        ] {
            let refusal = await #expect(throws: Refusal.self) {
                try await test.custody.write { try work($0) }
            }
            #expect(refusal?.code == .notFound)
        }
        let page = try PageRequest()
        #expect(try await test.custody.read { try $0.vaults(of: two, page).items.isEmpty })
    }

    @Test func `what was changed is still found by what it was made with`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        func vault(_ name: String, _ metadata: [String: String] = [:]) async throws -> Vault {
            try await test.custody.write {
                try $0.openVault(
                    VaultDraft(externalID: "v", name: name, metadata: metadata), for: tenant)
            }
        }
        func entry(_ label: String) async throws -> AddressBookEntry {
            let draft = AddressBookDraft(
                network: TestCustody.chain.text, address: TestChain.stranger.text, tag: nil,
                label: label, externalID: "e")
            return try await test.custody.write { try $0.addAddress(draft, for: tenant) }
        }
        let (made, listed) = (try await vault("a", ["k": "v"]), try await entry("a"))
        try await test.custody.write { books in
            _ = try books.changeVault(
                made.id, name: "b", metadata: [:], status: nil, of: tenant)
            _ = try books.relabel(listed.id, "b", of: tenant)
        }
        #expect(try await vault("a", ["k": "v"]).name == "b")
        #expect(try await entry("a").label == "b")
        for work in [
            { _ = try await vault("b") }, { _ = try await vault("a", ["kv": ""]) },
            { _ = try await vault("ak", ["v": ""]) }, { _ = try await entry("b") },
        ] as [() async throws -> Void] {
            let refusal = await #expect(throws: Refusal.self) { try await work() }
            #expect(refusal?.code == .externalIDReused)
        }
    }

    @Test func `pages are stable while others are inserted`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        func open(_ name: String) async throws {
            try await test.custody.write {
                _ = try $0.openVault(
                    VaultDraft(externalID: name, name: name, metadata: [:]), for: tenant)
            }
        }
        for number in 0..<25 { try await open("v\(number)") }
        var names: [String] = []
        var cursor: PageCursor?
        repeat {
            let request = try PageRequest(limit: 7, after: cursor)
            let page = try await test.custody.read { try $0.vaults(of: tenant, request) }
            names += page.items.map(\.name)
            cursor = page.next
            try await open("late \(names.count)")
        } while cursor != nil
        #expect(names == (0..<25).reversed().map { "v\($0)" })
        for limit in [0, -1, 201] {
            #expect(throws: Refusal.self) { try PageRequest(limit: limit) }
        }
    }

    @Test func `a cursor says nothing of what it counts, and is its tenant's alone`() async throws {
        let test = try TestCustody()
        let (tenant, other) = (try await test.tenant(), try await test.tenant("Other"))
        let cursor = PageCursor(number: 7)
        try await test.custody.read { books in
            let text = books.text(of: cursor, for: tenant)
            #expect(books.cursor(text, of: tenant) == cursor)
            #expect(books.cursor(text, of: other) == nil)
            #expect(books.text(of: cursor, for: tenant) != text)
            let last = text.hasSuffix("0") ? "1" : "0"
            for bad in [
                "", "x", "0000000000000007", text.uppercased(), String(text.dropLast()) + last,
                text + "00", String(repeating: "0", count: text.utf8.count),
            ] where bad != text {
                #expect(books.cursor(bad, of: tenant) == nil)
            }
        }
    }

    @Test func `a secret is shown once, kept sealed, and gone when revoked`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let (key, secret) = try await test.custody.write {
            try $0.createAPIKey(for: tenant, name: "k", scopes: [.vaultsRead])
        }
        #expect(secret.hasPrefix("qk_test_secret_"))
        #expect(!key.sealedSecret.contains(Array(secret.utf8)))
        #expect(try await test.custody.read { try $0.openAPIKey(key.id) != nil })
        try await test.custody.write { try $0.revokeAPIKey(key.id, of: tenant) }
        #expect(try await test.custody.read { try $0.openAPIKey(key.id) == nil })
        let live = APIKeyID(isLive: true, random: [UInt8](repeating: 1, count: 12))
        #expect(try await test.custody.read { try $0.openAPIKey(live) == nil })
    }
}

@Suite struct `Events` {
    @Test func `are numbered per resource without gaps and delivered in order`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let (_, secret) = try await test.custody.write {
            try $0.setWebhook(url: "http://127.0.0.1:1/hook", for: tenant)
        }
        #expect(secret != nil)
        let (_, again) = try await test.custody.write {
            try $0.setWebhook(url: "http://127.0.0.1:1/hook", for: tenant)
        }
        #expect(again == nil)
        let wallet = try await test.wallet("alice", of: tenant)
        var chain = TestChain()
        try await test.apply(chain.block())
        let deposit = chain.deposit(Amount(500), to: wallet.depositAddress)
        try await test.apply(chain.block([deposit]))
        for _ in 0..<2 { try await test.apply(chain.block()) }
        var order: [String] = []
        var postponed = false
        for _ in 0..<40 {
            guard let next = try await Self.due(test).first else { break }
            let line = String(decoding: next.event.body, as: UTF8.self)
            if line == "balance.updated 2", !postponed {
                // A failure holds back what comes later of the same resource, and nothing else.
                postponed = true
                try await Self.answer(500, to: next, [5], test)
                let rest = try await Self.due(test)
                #expect(
                    rest.allSatisfy {
                        !String(decoding: $0.event.body, as: UTF8.self).hasPrefix("balance")
                    })
                test.pass(seconds: 10)
                continue
            }
            order.append(line)
            try await Self.answer(200, to: next, [], test)
        }
        let walletEvents = order.filter { $0.hasPrefix("wallet") || $0.hasPrefix("balance") }
        #expect(walletEvents == ["wallet.created 1", "balance.updated 2", "balance.updated 3"])
        let transactionEvents = order.filter { $0.hasPrefix("transaction") }
        #expect(transactionEvents == ["transaction.created 1", "transaction.status.updated 2"])
    }

    @Test func `are dead after the last pause, and the next proceed`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        _ = try await test.custody.write {
            try $0.setWebhook(url: "http://127.0.0.1:1/", for: tenant)
        }
        let wallet = try await test.wallet("alice", of: tenant)
        var chain = TestChain()
        try await test.apply(chain.block())
        let deposit = chain.deposit(Amount(500), to: wallet.depositAddress)
        try await test.apply(chain.block([deposit]))
        var tries = 0
        func created() async throws -> Delivery? {
            try await Self.due(test).first {
                String(decoding: $0.event.body, as: UTF8.self).hasPrefix("wallet.created")
            }
        }
        while let first = try await created() {
            tries += 1
            try await Self.answer(500, to: first, [1, 1], test)
            test.pass(seconds: 2)
        }
        #expect(tries == 3)
        #expect(
            try await Self.due(test).contains {
                String(decoding: $0.event.body, as: UTF8.self).hasPrefix("balance.updated")
            })
    }

    private static func due(_ test: TestCustody) async throws -> [Delivery] {
        let now = test.now
        return try await test.custody.read { books in
            try books.store.dueDeliveries(at: now, most: 10, ofTenantMost: 64).compactMap {
                try books.store.delivery($0.event)
            }
        }
    }

    private static func answer(
        _ status: Int, to delivery: Delivery, _ pauses: [Int64], _ test: TestCustody
    ) async throws {
        let attempt = DeliveryAttempt(
            began: test.now, milliseconds: 1, outcome: .answer(status: status, start: []))
        try await test.custody.write {
            try $0.tried(
                delivery, attempt, DeliverySchedule(pauses: pauses.map { .seconds($0) }))
        }
    }

    @Test(arguments: [
        "ftp://x", "https://", "https://user@x/", "https://x/#f", "not a url", "https://x:0/",
        "http://example.com/", "https://127.0.0.1/", "https://10.1.2.3/", "https://192.168.0.1/",
        "https://169.254.169.254/latest", "https://[::1]/", "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/", "https://localhost/", "https://a.localhost/",
        "https://100.64.0.1/", "https://0.0.0.0/", "https://[64:ff9b::a00:1]/",
        "https://[fe80::1]/",
    ])
    func `go to public https only`(_ url: String) {
        #expect(throws: WebhookTarget.Unfit.self) { try WebhookTarget(url, allowsLocal: false) }
    }

    @Test(arguments: [
        "https://example.com/hook?x=1", "https://8.8.8.8:8443/", "https://[2606:4700::1]/",
    ])
    func `may go there`(_ url: String) throws {
        #expect(try WebhookTarget(url, allowsLocal: false).url == url)
    }
}

@Suite struct `Times` {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"), (1_769_860_800, "2026-01-31T12:00:00Z"),
        (4_107_542_399, "2100-02-28T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
    ])
    func `are written as ISO 8601 in UTC`(_ seconds: Int, _ text: String) {
        #expect(Timestamp(milliseconds: Int64(seconds) * 1000 + 999).text == text)
    }
}
