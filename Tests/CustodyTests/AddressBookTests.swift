import Algebra
import Canonical
import Chains
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

/// An entry of the address book, from the platform's side: who is told of it, from when on it
/// counts, and what ends with it.
@Suite struct `An address-book entry` {
    /// Alice has 10^15; nobody was told of any address.
    private struct Scene {
        let test: TestCustody
        let tenant: TenantID
        let alice: Wallet
        var chain = TestChain()
        static let address = EVMAddress(unchecked: [UInt8](repeating: 0xee, count: 20)).text
        static let start = Amount(baseUnits: "1000000000000000")!

        init(cooling: Int64 = 0) async throws {
            test = try TestCustody()
            tenant = try await test.tenant()
            let (id, seconds) = (tenant, cooling)
            try await test.custody.write { try $0.setCooling(seconds, of: id) }
            _ = try await test.custody.write {
                try $0.setWebhook(url: "http://127.0.0.1:1/hook", for: id)
            }
            alice = try await test.wallet("alice", of: tenant)
            try await test.apply(chain.block())
            let deposit = chain.deposit(Self.start, to: alice.depositAddress)
            try await test.apply(chain.block([deposit]))
            for _ in 0..<2 { try await test.apply(chain.block()) }
        }

        func add(_ externalID: String? = nil) async throws -> AddressBookEntry {
            let tenant = tenant
            return try await test.custody.write { books in
                try books.addAddress(
                    AddressBookDraft(
                        network: TestCustody.chain.text, address: Self.address, tag: nil,
                        label: "stranger", externalID: externalID), for: tenant)
            }
        }

        func remove(_ entry: AddressBookEntry) async throws {
            let tenant = tenant
            try await test.custody.write { try $0.removeAddress(entry.id, of: tenant) }
        }

        func read(_ entry: AddressBookEntry) async throws -> AddressBookEntry {
            let tenant = tenant
            return try await test.custody.read { try $0.addressBookEntry(entry.id, of: tenant) }
        }

        func listed(_ status: AddressBookEntry.Status? = nil) async throws -> [AddressBookEntryID] {
            let tenant = tenant
            return try await test.custody.read {
                try $0.store.addressBook(
                    of: tenant, matching: .init(status: status), PageRequest()
                ).items.map(\.id)
            }
        }

        func withdraw(_ amount: String = "0.0001") async throws -> Transaction {
            let draft = WithdrawalDraft(
                sourceWallet: alice.id, addressBookEntry: nil, destinationAddress: Self.address,
                destinationTag: nil, amount: amount, feeLevel: .medium, maxFee: nil, note: nil,
                externalID: nil)
            let tenant = tenant
            return try await test.custody.write { try $0.withdraw(draft, for: tenant) }
        }

        func view(_ transaction: Transaction) async throws -> Transaction {
            let tenant = tenant
            return try await test.custody.read {
                try $0.transaction(transaction.id, of: tenant).transaction
            }
        }

        func requests() async throws -> [SigningRequest] {
            let signer = test.signer
            return try await test.custody.write { try $0.makeIntents(signer: signer) }
        }

        /// What the holders are told now: the announcement, and to whom it goes.
        func announced(
            to holders: [Int] = [0, 1, 2]
        ) async throws -> [(change: Announcement.Change, to: [Int], intent: Digest)] {
            let (signer, all) = (test.signer, test.holders)
            let online = Set(holders.map { all[$0] })
            let orders = try await test.custody.write {
                try $0.announce(to: online, signer: signer)
            }
            return try orders.map { order in
                guard case .offer(let bytes, let signature, let to) = order,
                    case .announcement(let announcement) = try Intent(bytes).purpose
                else { throw NotAnnounced() }
                #expect(signer.publicKey.verifies(signature, of: Intent.digest(of: bytes)))
                #expect(announcement.address == Self.address)
                #expect(announcement.chain == TestCustody.chain)
                return (
                    announcement.change, to.compactMap { all.firstIndex(of: $0) },
                    Intent.digest(of: bytes)
                )
            }
        }

        struct NotAnnounced: Error {}

        @discardableResult
        func say(
            _ verdict: Verdict, _ holder: Int, on intent: Digest
        ) async throws -> [HolderOrder] {
            let signed = test.group.identities[holder].with {
                SignedVerdict(
                    verdict, on: intent, rules: .sha256([]), at: UInt64(test.now.seconds),
                    signedBy: $0)
            }
            let (online, signer) = (Set(test.holders), test.signer)
            return try await test.custody.write {
                try $0.take(signed, online: online, signer: signer)
            }
        }

        func tend() async throws -> [HolderOrder] {
            let (online, signer) = (Set(test.holders), test.signer)
            return try await test.custody.write { try $0.tend(online: online, signer: signer) }
        }

        /// Delivers all that is due, and says what there was of the address book.
        func delivered() async throws -> [String] {
            var all: [String] = []
            while true {
                let now = test.now
                let due = try await test.custody.read { books in
                    try books.store.dueDeliveries(at: now, most: 100, ofTenantMost: 100)
                        .compactMap { try books.store.delivery($0.event) }
                }
                if due.isEmpty { return all.filter { $0.hasPrefix("address") } }
                all += due.map { String(decoding: $0.event.body, as: UTF8.self) }
                try await test.custody.write { books in
                    for delivery in due {
                        try books.store.finish(delivery: delivery.event.id, as: .delivered, at: now)
                    }
                }
            }
        }

        func available() async throws -> Amount { try await test.balance(alice).available }
    }

    private static let yes = Verdict.approval(digests: [])

    // Cooling.

    @Test func `cools, is refused with its time, and is activated once`() async throws {
        let scene = try await Scene(cooling: 3600)
        let entry = try await scene.add("stranger 1")
        #expect(entry.status == .pending)
        #expect(entry.activatesAt == scene.test.now.adding(seconds: 3600))
        #expect(try await scene.add("stranger 1") == entry, "the same content, the same entry")
        let refusal = await #expect(throws: Refusal.self) { try await scene.withdraw() }
        #expect(refusal?.code == .notInAddressBook)
        #expect(refusal?.message.contains(entry.activatesAt.text) == true)
        #expect(try await scene.available() == Scene.start)

        scene.test.pass(seconds: 3599)
        try await scene.test.custody.write { try $0.activateEntries() }
        #expect(try await scene.read(entry).status == .pending)
        scene.test.pass(seconds: 1)
        #expect(try await scene.test.custody.read { try $0.hasEntriesToActivate() })
        for _ in 0..<2 { try await scene.test.custody.write { try $0.activateEntries() } }
        #expect(try await scene.read(entry).status == .active)
        #expect(try await !scene.test.custody.read { try $0.hasEntriesToActivate() })
        _ = try await scene.withdraw()
        #expect(
            try await scene.delivered() == [
                "addressbook.entry.created 1", "addressbook.entry.activated 2",
            ])
    }

    @Test func `counts from its second on, whenever a worker comes by`() async throws {
        let scene = try await Scene(cooling: 60)
        let entry = try await scene.add()
        scene.test.pass(seconds: 60)
        _ = try await scene.withdraw()
        #expect(try await scene.read(entry).status == .active)
        try await scene.test.custody.write { try $0.activateEntries() }
        #expect(
            try await scene.delivered() == [
                "addressbook.entry.created 1", "addressbook.entry.activated 2",
            ])
    }

    @Test func `vetoed while it cools never counts, and is shown as removed`() async throws {
        let scene = try await Scene(cooling: 60)
        let entry = try await scene.add()
        #expect(try await scene.listed() == [entry.id])
        #expect(try await scene.listed(.pending) == [entry.id])
        try await scene.remove(entry)
        scene.test.pass(seconds: 60)
        try await scene.test.custody.write { try $0.activateEntries() }
        #expect(try await scene.read(entry).status == .removed)
        #expect(try await scene.listed() == [])
        #expect(try await scene.listed(.removed) == [entry.id])
        await #expect(throws: Refusal.self) { try await scene.withdraw() }
        await #expect(throws: Refusal.self) { try await scene.remove(entry) }
        #expect(
            try await scene.delivered() == [
                "addressbook.entry.created 1", "addressbook.entry.deleted 2",
            ])
        // Entered again, it is another entry, and cools anew.
        let again = try await scene.add()
        #expect(again.id != entry.id)
        #expect(again.status == .pending)
    }

    @Test func `a cooling period is from nothing to thirty days`() async throws {
        let scene = try await Scene()
        let tenant = scene.tenant
        for seconds in [-1, 30 * 24 * 3600 + 1] as [Int64] {
            await #expect(throws: Refusal.self) {
                try await scene.test.custody.write { try $0.setCooling(seconds, of: tenant) }
            }
        }
        let early = try await scene.add()
        try await scene.test.custody.write { try $0.setCooling(30 * 24 * 3600, of: tenant) }
        #expect(try await scene.read(early).status == .active, "what stands keeps its time")
    }

    // Announcing.

    @Test func `is announced to every holder, and a withdrawal waits until enough know it`()
        async throws
    {
        let scene = try await Scene()
        _ = try await scene.add()
        let withdrawal = try await scene.withdraw()
        #expect(try await scene.requests().isEmpty)
        let waiting = try await scene.view(withdrawal).waiting
        #expect(waiting?.cause == .announcement)
        #expect(waiting?.who == ["Test-1", "Test-2", "Test-3"])

        let told = try await scene.announced()
        #expect(told.count == 1, "one intent for the group")
        #expect(told.first?.change == .add)
        #expect(told.first?.to == [0, 1, 2])
        let intent = try #require(told.first?.intent)
        try await scene.say(Self.yes, 0, on: intent)
        #expect(try await scene.requests().isEmpty, "one of two is not enough")
        try await scene.say(Self.yes, 2, on: intent)
        let request = try #require(try await scene.requests().first)
        let asked = try await scene.test.custody.read { try $0.everyone(asked: request) }
        #expect(asked == [scene.test.holders[0], scene.test.holders[2]])
        // Who does not know the address would refuse for good, so it is not asked yet.
        let again = try await scene.tend()
        #expect(again.flatMap(\.offeredTo) == [scene.test.holders[0], scene.test.holders[2]])
        try await scene.say(Self.yes, 1, on: intent)
        #expect(try await scene.tend().flatMap(\.offeredTo) == scene.test.holders)
    }

    @Test func `is announced again until it is answered, and at once to who comes back`()
        async throws
    {
        let scene = try await Scene()
        _ = try await scene.add()
        // Stored, and the platform is killed before it is sent.
        #expect(try await scene.announced(to: [0]).count == 1)
        #expect(try await scene.announced(to: [0]).isEmpty)
        scene.test.pass(seconds: 30)
        #expect(try await scene.announced(to: [0]).count == 1)
        let (signer, holder) = (scene.test.signer, scene.test.holders[0])
        _ = try await scene.test.custody.write { try $0.orders(for: holder, signer: signer) }
        let third = try #require(try await scene.announced(to: [0]).first)
        try await scene.say(Self.yes, 0, on: third.intent)
        for _ in 0..<2 {
            scene.test.pass(seconds: 24 * 3600)
            #expect(try await scene.announced(to: [0]).isEmpty, "what is known is not said again")
            _ = try await scene.test.custody.write { try $0.orders(for: holder, signer: signer) }
        }
        // What a stranger says, or on another intent, tells nothing.
        let offer = try #require(try await scene.announced(to: [1]).first)
        try await scene.say(Self.yes, 1, on: .sha256([1]))
        scene.test.pass(seconds: 30)
        #expect(try await scene.announced(to: [1]).count == 1)
        try await scene.say(Self.yes, 1, on: offer.intent)
        scene.test.pass(seconds: 30)
        #expect(try await scene.announced(to: [1]).isEmpty, "an answer to an earlier one counts")
    }

    @Test func `that holders do not take over says why, and is tried again`() async throws {
        let scene = try await Scene()
        _ = try await scene.add()
        let withdrawal = try await scene.withdraw()
        let intent = try #require(try await scene.announced().first).intent
        try await scene.say(
            .refusal(.init(.chainNotServed, "This holder does not serve it.")), 0, on: intent)
        try await scene.say(.waiting(.init(.frozen, "Frozen.")), 1, on: intent)
        #expect(try await scene.requests().isEmpty)
        #expect(
            try await scene.view(withdrawal).waiting?.next
                == "Test-1: This holder does not serve it. Test-2: Frozen.")
        scene.test.pass(seconds: 10)
        #expect(try await scene.announced().flatMap(\.to) == [1])
        scene.test.pass(seconds: 30)
        #expect(try await scene.announced().flatMap(\.to) == [1, 2])
        scene.test.pass(seconds: 24 * 3600)
        #expect(try await scene.announced().flatMap(\.to) == [0, 1, 2])
    }

    @Test func `is announced again to a holder that has forgotten it`() async throws {
        let scene = try await Scene()
        _ = try await scene.add()
        try await scene.test.announceAddresses()
        _ = try await scene.withdraw()
        let request = try #require(try await scene.requests().first)
        #expect(try await scene.announced().isEmpty)
        try await scene.say(
            .refusal(.init(.addressNotAnnounced, "Never heard of it.")), 1, on: request.digest)
        #expect(try await scene.announced().flatMap(\.to) == [1])
    }

    @Test func `of a book that nobody was told of is told at the next start`() async throws {
        let scene = try await Scene()
        let entry = AddressBookEntry(
            id: AddressBookEntryID(unchecked: [UInt8](repeating: 7, count: 16)),
            tenant: scene.tenant, network: TestCustody.chain.text, address: Scene.address,
            label: "old", externalID: nil, status: .active, activatesAt: scene.test.now,
            createdAt: scene.test.now)
        try await scene.test.custody.write { try $0.store.insert(entry) }
        #expect(try await scene.announced().isEmpty)
        for _ in 0..<2 { try await scene.test.custody.write { try $0.tellBooks() } }
        #expect(try await scene.announced().map(\.to) == [[0, 1, 2]])
    }

    @Test func `removed and entered again is said in this order, whoever was away`() async throws {
        let scene = try await Scene()
        let first = try await scene.add()
        try await scene.test.announceAddresses()
        try await scene.remove(first)
        _ = try await scene.add()
        let removal = try await scene.announced()
        #expect(removal.map(\.change) == [.remove])
        try await scene.say(Self.yes, 0, on: removal[0].intent)
        let second = try await scene.announced()
        #expect(second.map(\.change) == [.add])
        #expect(second.map(\.to) == [[0]], "only to who has heard that it was removed")
    }

    // Removal.

    @Test func `removed ends withdrawals that no holder can have signed, at once`() async throws {
        let scene = try await Scene()
        let entry = try await scene.add()
        try await scene.test.announceAddresses()
        let asked = try await scene.withdraw()
        let request = try #require(try await scene.requests().first)
        try await scene.say(Self.yes, 0, on: request.digest)
        let queued = try await scene.withdraw("0.0002")
        try await scene.remove(entry)
        #expect(try await scene.view(queued).status == .failed)
        let orders = try await scene.tend()
        #expect(orders.contains { if case .close = $0 { true } else { false } })
        for withdrawal in [asked, queued] {
            let ended = try await scene.view(withdrawal)
            #expect(ended.status == .failed)
            #expect(ended.failure?.code == .addressRemoved)
        }
        #expect(try await scene.available() == Scene.start)
        // What holders say to it later begins nothing.
        #expect(try await scene.say(Self.yes, 1, on: request.digest).isEmpty)
        #expect(try await scene.requests().isEmpty)
        #expect(try await scene.announced().map(\.change) == [.remove])
        #expect(try await scene.test.sums().allSatisfy { $0.owned == $0.owed })
    }

    @Test func `removed ends a withdrawal under way when all that may have signed have closed it`()
        async throws
    {
        let scene = try await Scene()
        let entry = try await scene.add()
        try await scene.test.announceAddresses()
        let asked = try await scene.withdraw()
        let request = try #require(try await scene.requests().first)
        try await scene.say(Self.yes, 0, on: request.digest)
        #expect(try await !scene.say(Self.yes, 1, on: request.digest).isEmpty, "a run")
        try await scene.remove(entry)
        #expect(try await scene.view(asked).status == .pendingSignature)
        #expect(try await scene.available() < Scene.start)
        let orders = try await scene.tend()
        #expect(orders.contains { if case .close = $0 { true } else { false } })
        try await scene.say(.closed, 0, on: request.digest)
        #expect(try await scene.view(asked).status == .pendingSignature)
        try await scene.say(.closed, 1, on: request.digest)
        let ended = try await scene.view(asked)
        #expect(ended.status == .failed)
        #expect(ended.failure?.code == .addressRemoved)
        #expect(try await scene.available() == Scene.start)
    }

    @Test func `removed lets go what is signed, also if that is heard of afterwards`() async throws
    {
        let scene = try await Scene()
        let entry = try await scene.add()
        try await scene.test.announceAddresses()
        let asked = try await scene.withdraw()
        let request = try #require(try await scene.requests().first)
        try await scene.say(Self.yes, 0, on: request.digest)
        try await scene.say(Self.yes, 1, on: request.digest)
        try await scene.remove(entry)
        try await scene.say(.given, 0, on: request.digest)
        #expect(try await scene.view(asked).status == .pendingSignature)
        scene.test.pass(seconds: 7200)
        _ = try await scene.tend()
        #expect(try await scene.requests().isEmpty, "the same nonce is not asked for again")
        let signature = try scene.test.signature(request)
        #expect(
            try await scene.test.custody.write {
                try $0.take(signature: signature, of: request.digest)
            })
        #expect(try await scene.view(asked).status == .broadcasting)
    }

    @Test func `removed after the group was given new shares is not asked for anew`() async throws {
        let scene = try await Scene()
        let entry = try await scene.add()
        try await scene.test.announceAddresses()
        let asked = try await scene.withdraw()
        var request = try #require(try await scene.requests().first)
        request.state = .closed
        request.closingBecause = Failure(.keyChanged, "The group was given new shares.")
        let changed = request
        try await scene.test.custody.write { try $0.store.update(changed) }
        try await scene.remove(entry)
        #expect(try await scene.requests().isEmpty)
        #expect(try await scene.view(asked).failure?.code == .addressRemoved)
        #expect(try await scene.available() == Scene.start)
    }
}

extension HolderOrder {
    /// To whom a transfer is offered.
    fileprivate var offeredTo: [IdentityPublicKey] {
        guard case .offer(let bytes, _, let to) = self, let intent = try? Intent(bytes),
            case .transfer = intent.purpose
        else { return [] }
        return to
    }
}
