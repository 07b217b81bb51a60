import Algebra
import Canonical
import Chains
import Custody
import Intents
import TestKit
import Testing

/// Deposits and reorganisations, against what the chain itself holds.
@Suite struct `Following a chain` {
    @Test func `a deposit is pending, then available, and its events come in order`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let wallet = try await test.wallet("alice", of: tenant)
        var chain = TestChain()
        try await test.apply(chain.block())
        let deposit = chain.deposit(Amount(500), to: wallet.depositAddress)
        try await test.apply(chain.block([deposit]))
        #expect(
            try await test.balance(wallet)
                == Balance(available: .zero, pending: Amount(500), reserved: .zero))
        try await test.apply(chain.block())
        #expect(try await test.balance(wallet).pending == Amount(500))
        try await test.apply(chain.block())
        #expect(
            try await test.balance(wallet)
                == Balance(available: Amount(500), pending: .zero, reserved: .zero))
        let page = try PageRequest()
        let view = try await test.custody.read {
            try $0.transactions(of: tenant, matching: .init(), page).items[0]
        }
        #expect(view.timeline.map(\.status) == [.confirming, .completed])
        #expect(view.confirmations == 3)
        #expect(view.transaction.hash == deposit.transaction.hash)
    }

    @Test func `a failed, empty or foreign transfer is no deposit`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let wallet = try await test.wallet("alice", of: tenant)
        var chain = TestChain()
        try await test.apply(chain.block())
        let good = chain.deposit(Amount(500), to: wallet.depositAddress)
        let failed = ObservedBlock.Transfer(
            transaction: good.transaction,
            receipt: EVMReceipt(
                transaction: good.transaction.hash, block: .sha256([]), succeeded: false, fee: .zero
            ))
        let empty = chain.deposit(.zero, to: wallet.depositAddress)
        try await test.apply(chain.block([failed, empty]))
        #expect(try await test.balance(wallet).total == .zero)
    }

    @Test func `a reorganisation moves a deposit to another block, once`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let wallet = try await test.wallet("alice", of: tenant)
        var chain = TestChain()
        try await test.apply(chain.block())
        let deposit = chain.deposit(Amount(500), to: wallet.depositAddress)
        try await test.apply(chain.block([deposit]))
        try await test.revert(chain.drop()!)
        #expect(try await test.balance(wallet).total == .zero)
        let page = try PageRequest()
        func deposits() async throws -> [TransactionView] {
            try await test.custody.read {
                try $0.transactions(of: tenant, matching: .init(), page).items
            }
        }
        #expect(try await deposits().first?.transaction.waiting?.cause == .block)
        try await test.apply(chain.block())
        try await test.apply(chain.block([deposit]))
        for _ in 0..<2 { try await test.apply(chain.block()) }
        #expect(try await test.balance(wallet).available == Amount(500))
        let found = try await deposits()
        #expect(found.count == 1)
        #expect(found[0].transaction.status == .completed)
        #expect(found[0].transaction.waiting == nil)
    }

    @Test func `a deposit that no block takes up again fails after an hour`() async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let wallet = try await test.wallet("alice", of: tenant)
        var chain = TestChain()
        try await test.apply(chain.block())
        let deposit = chain.deposit(Amount(500), to: wallet.depositAddress)
        try await test.apply(chain.block([deposit]))
        try await test.revert(chain.drop()!)
        test.pass(seconds: 3601)
        try await test.apply(chain.block())
        let page = try PageRequest()
        let view = try await test.custody.read {
            try $0.transactions(of: tenant, matching: .init(), page).items[0]
        }
        #expect(view.transaction.status == .failed)
        #expect(view.transaction.failure?.code == .reorganised)
    }

    @Test func `a spent deposit that is taken back is a debt, freezes the wallet, and is settled`()
        async throws
    {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let alice = try await test.wallet("alice", of: tenant)
        let bob = try await test.wallet("bob", of: tenant)
        var chain = TestChain()
        try await test.apply(chain.block())
        let deposit = chain.deposit(Amount(500), to: alice.depositAddress)
        try await test.apply(chain.block([deposit]))
        for _ in 0..<2 { try await test.apply(chain.block()) }
        let draft = TransferDraft(
            sourceWallet: alice.id, destinationWallet: bob.id, amount: "0.0000000000000004",
            note: nil, externalID: nil)
        try await test.custody.write { _ = try $0.transfer(draft, for: tenant) }
        for _ in 0..<3 { try await test.revert(chain.drop()!) }
        #expect(try await test.balance(alice).total == .zero)
        let frozen = try await test.custody.read { try $0.wallet(alice.id, of: tenant) }
        #expect(frozen.status == .frozen)
        let figures = try await test.custody.read { try $0.store.figures() }
        #expect(figures.suspense == ["ETH": Amount(400)])
        #expect(figures.underWay == [.init(kind: .deposit, status: .confirming): 1])
        #expect(try await test.sums().allSatisfy { $0.owned == $0.owed })
        let refusal = await #expect(throws: Refusal.self) {
            try await test.custody.write { _ = try $0.transfer(draft, for: tenant) }
        }
        #expect(refusal?.code == .frozen)
        // The deposit is mined again: the debt of 400 is settled first.
        try await test.apply(chain.block([deposit]))
        for _ in 0..<2 { try await test.apply(chain.block()) }
        #expect(try await test.balance(alice).available == Amount(100))
        let thawed = try await test.custody.read { try $0.wallet(alice.id, of: tenant) }
        #expect(thawed.status == .active)
        let settled = try await test.custody.read { try $0.store.figures() }
        #expect(settled.suspense == ["ETH": Amount.zero])
        #expect(settled.underWay.isEmpty)
    }

    /// What an outsider would compute from the chain alone, after any sequence of blocks,
    /// reorganisations and transfers between customers.
    @Test func `a chain may come back to a block that it left`() async throws {
        let test = try TestCustody()
        let alice = try await test.wallet("alice", of: try await test.tenant())
        var chain = TestChain()
        try await test.apply(chain.block())
        let first = chain.block([chain.deposit(Amount(UInt32(500)), to: alice.depositAddress)])
        for _ in 0..<3 {
            try await test.apply(first)
            #expect(try await test.balance(alice).pending == Amount(UInt32(500)))
            try await test.revert(first.block)
            #expect(try await test.balance(alice).pending == .zero)
        }
        try await test.apply(first)
        let deeper = [chain.block(), chain.block()]
        for _ in 0..<2 {
            for block in deeper { try await test.apply(block) }
            #expect(try await test.balance(alice).available == Amount(UInt32(500)))
            for block in deeper.reversed() { try await test.revert(block.block) }
            try await test.revert(first.block)
            #expect(try await test.balance(alice).available == .zero)
            try await test.apply(first)
        }
        #expect(try await test.sums().allSatisfy { $0.owned == $0.owed })
    }

    @Test(arguments: 1...12) func `the ledger equals the chain after random reorganisations`(
        _ seed: Int
    ) async throws {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        var wallets: [Wallet] = []
        for name in ["a", "b", "c"] { wallets.append(try await test.wallet(name, of: tenant)) }
        var random = TestRandom("reorg \(seed)")
        var chain = TestChain()
        var onChain: [[ObservedBlock.Transfer]] = [[]]
        var pool: [ObservedBlock.Transfer] = []
        try await test.apply(chain.block())
        for step in 0..<60 {
            switch random.integer(below: 10) {
            case 0 where onChain.count > 4, 1 where onChain.count > 4:
                for _ in 0...random.integer(below: min(5, onChain.count - 2)) {
                    try await test.revert(chain.drop()!)
                    pool += onChain.removeLast()
                }
            case 2, 3:
                let (from, to) = (
                    wallets[random.integer(below: 3)], wallets[random.integer(below: 3)]
                )
                let available = try await test.balance(from).available
                let status = try await test.custody.read {
                    try $0.wallet(from.id, of: tenant).status
                }
                guard from.id != to.id, !available.isZero, status == .active else { break }
                let part = Amount(1 + available.baseUnits / 2)!
                let draft = TransferDraft(
                    sourceWallet: from.id, destinationWallet: to.id,
                    amount: part.text(decimals: 18),
                    note: nil, externalID: "s\(step)")
                _ = try? await test.custody.write { _ = try $0.transfer(draft, for: tenant) }
            default:
                if random.integer(below: 2) == 0 {
                    let wallet = wallets[random.integer(below: 3)]
                    pool.append(
                        chain.deposit(
                            Amount(UInt128(1 + random.integer(below: 1000)))!,
                            to: wallet.depositAddress))
                }
                let taken = pool.filter { _ in random.integer(below: 3) > 0 }
                pool.removeAll { transfer in
                    taken.contains { $0.transaction.hash == transfer.transaction.hash }
                }
                try await test.apply(chain.block(taken))
                onChain.append(taken)
            }
            let held = onChain.joined().reduce(UInt128(0)) {
                $0 + ($1.transaction.value?.baseUnits ?? 0)
            }
            for sum in try await test.sums() { #expect(sum.owned == sum.owed, "step \(step)") }
            let addresses = wallets.map(\.depositAddress)
            let funds = try await test.custody.read { books in
                try addresses.map {
                    try books.store.funds(of: $0, asset: TestCustody.eth.asset).baseUnits
                }
            }
            #expect(funds.reduce(0, +) == held, "step \(step) of seed \(seed)")
            let holdings = try await test.custody.read {
                try $0.store.balance(
                    of: LedgerAccount(tenant: tenant, asset: "ETH", wallet: nil, role: .holdings))
            }
            #expect(holdings.baseUnits == held, "step \(step) of seed \(seed)")
        }
    }
}
