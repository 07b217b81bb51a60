import Algebra
import Canonical
import Chains
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

/// Withdrawals that no one address can pay: Alice has 10^15 on each of two addresses.
@Suite struct `A consolidation` {
    private struct Scene {
        var base: WithdrawalScene
        let second: WalletAddress

        /// A fee at most: 21,000 gas at 3 wei.
        static let limit: UInt64 = 63_000
        static let each: UInt64 = 1_000_000_000_000_000
        static let asked: UInt64 = 1_500_000_000_000_000
        static let amount = "0.0015"

        init() async throws {
            var base = try await WithdrawalScene()
            let (alice, tenant) = (base.alice, base.tenant)
            second = try await base.test.custody.write {
                try $0.openAddress(label: nil, for: alice.id, of: tenant)
            }
            try await base.test.apply(
                base.chain.block([base.chain.deposit(WithdrawalScene.start, to: second.text)]))
            for _ in 0..<2 { try await base.test.apply(base.chain.block()) }
            self.base = base
        }

        var first: String { base.alice.depositAddress }

        mutating func mine(_ transfers: [ObservedBlock.Transfer] = []) async throws {
            try await base.test.apply(base.chain.block(transfers))
        }

        mutating func confirm(_ transfers: [ObservedBlock.Transfer]) async throws {
            try await mine(transfers)
            for _ in 0..<2 { try await mine() }
        }

        mutating func drop(_ blocks: Int) async throws {
            for _ in 0..<blocks { try await base.test.revert(base.chain.drop()!) }
        }

        func has(_ available: UInt64, _ reserved: UInt64 = 0) async throws {
            let balance = try await base.test.balance(base.alice)
            #expect(balance.available == Amount(UInt128(available)))
            #expect(balance.reserved == Amount(UInt128(reserved)))
            try await base.sums()
        }

        /// What the ledger says that the chain holds, and what the addresses hold.
        func holdings() async throws {
            let (tenant, addresses) = (base.tenant, [first, second.text])
            let (booked, held) = try await base.test.custody.read { books -> (Amount, Amount) in
                let account = LedgerAccount(
                    tenant: tenant, asset: "ETH", wallet: nil, role: .holdings)
                let funds = try addresses.map {
                    try books.store.funds(of: $0, asset: TestCustody.eth.asset)
                }
                return (
                    try books.store.balance(of: account),
                    funds.reduce(.zero) { $0.adding($1)! }
                )
            }
            #expect(booked == held)
        }

        func parts(of transaction: Transaction) async throws -> [Transaction] {
            try await base.read(transaction).consolidations
        }

        func listed() async throws -> [Transaction.Kind] {
            let (tenant, page) = (base.tenant, try PageRequest())
            return try await base.test.custody.read {
                try $0.transactions(of: tenant, matching: .init(), page).items.map(
                    \.transaction.kind)
            }
        }

        /// Asks for more than either address holds, and for the transfer that gathers it.
        func gathering() async throws -> (Transaction, SigningRequest) {
            let asked = try await base.withdraw(base.draft(Scene.amount))
            return (asked, try #require(try await base.requests().first))
        }
    }

    private static let closed = Verdict.closed
    private static let approval = Verdict.approval(digests: [.sha256([1])])

    @Test func `gathers what is asked for on one address, and the withdrawal leaves that`()
        async throws
    {
        var scene = try await Scene()
        let (all, asked) = (2 * Scene.each, Scene.asked)
        let (withdrawal, request) = try await scene.gathering()
        #expect(withdrawal.feeLimit == Amount(UInt128(Scene.limit)))
        try await scene.has(all - asked - 2 * Scene.limit, asked + 2 * Scene.limit)
        let part = try #require(try await scene.parts(of: withdrawal).first)
        let view = try await scene.base.read(withdrawal)
        #expect(view.transaction.status == .submitted)
        #expect(view.waiting?.cause == .consolidation)
        #expect(view.waiting?.who == [part.id.text])
        #expect(view.consolidationFeeLimit == Amount(UInt128(Scene.limit)))
        // The holders see from where to where, and can derive both.
        guard case .transfer(let order) = try Intent(request.bytes).purpose else { return }
        #expect(order.sourceAddress == part.sourceAddress)
        #expect(order.output.address == part.destinationAddress)
        #expect(order.output.ownPath?.number == (order.output.address == scene.first ? 0 : 1))
        // What is needed beside what the other has: it pays both amount and fee.
        #expect(order.output.amount == Amount(UInt128(asked + Scene.limit - Scene.each)))
        #expect(try await scene.base.requests().isEmpty, "asked again, it makes none twice")

        let signed = try await scene.base.sign(request)
        try await scene.mine([TestChain.mined(signed)])
        try await scene.mine()
        #expect(try await scene.base.requests().isEmpty, "it is not final yet")
        try await scene.mine()
        try await scene.has(all - asked - 21_000 - Scene.limit, asked + Scene.limit)
        let own = try #require(try await scene.base.requests().first)
        #expect(own.transaction == withdrawal.id)
        #expect(own.source == part.destinationAddress)
        let paid = try await scene.base.sign(own)
        try await scene.confirm([TestChain.mined(paid)])
        let done = try await scene.base.read(withdrawal)
        #expect(done.transaction.status == .completed)
        #expect(done.consolidations.map(\.status) == [.completed])
        #expect(done.consolidationFee == Amount(UInt32(21_000)))
        try await scene.has(all - asked - 42_000)
        try await scene.holdings()
        // By itself it is shown to nobody, and it was a deposit to nobody.
        #expect(try await scene.listed() == [.withdrawal, .deposit, .deposit])
        let tenant = scene.base.tenant
        await #expect(throws: Refusal.self) {
            try await scene.base.test.custody.read { try $0.transaction(part.id, of: tenant) }
        }
        let events = try await scene.base.test.custody.read {
            try $0.store.events(
                of: tenant, matching: EventFilter(resource: part.id.bytes), try PageRequest())
        }
        #expect(events.items.isEmpty)
    }

    @Test func `is refused where it cannot be paid for, or would not do`() async throws {
        let scene = try await Scene()
        let (tenant, draft) = (scene.base.tenant, scene.base.draft(Scene.amount))
        let (fees, _, transfers) = try await scene.base.test.custody.read {
            try $0.estimateFee(draft, for: tenant)
        }
        #expect(fees[.medium] == Amount(UInt128(2 * Scene.limit)) && transfers == 1)
        // What is 2 · 10^15 − 126,000 can go, with no wei more.
        let rows: [(String, String?, Refusal.Code)] = [
            ("0.001999999999874001", nil, .insufficientFunds),
            ("0.0015", "0.000000000000083999", .feeTooHigh),  // 4 wei per gas in place of 2 · 2
        ]
        for (amount, maxFee, code) in rows {
            let refusal = await #expect(throws: Refusal.self, "\(amount)") {
                try await scene.base.withdraw(scene.base.draft(amount, maxFee: maxFee))
            }
            #expect(refusal?.code == code, "\(amount)")
        }
        try await scene.has(2 * Scene.each)
        let cheap = try await scene.base.withdraw(
            scene.base.draft("0.0015", maxFee: "0.000000000000084000"))
        #expect(cheap.feeLimit == Amount(UInt32(42_000)))
        try await scene.has(
            2 * Scene.each - Scene.asked - 84_000, Scene.asked + 84_000)
    }

    @Test func `is of sixteen transfers at most`() async throws {
        var scene = try await WithdrawalScene()
        let alice = scene.alice
        for _ in 0..<19 {
            let address = try await scene.test.custody.write {
                try $0.openAddress(label: nil, for: alice.id, of: alice.tenant)
            }
            let deposit = scene.chain.deposit(WithdrawalScene.start, to: address.text)
            try await scene.test.apply(scene.chain.block([deposit]))
        }
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        let refusal = await #expect(throws: Refusal.self) {
            try await scene.withdraw(scene.draft("0.0171"))
        }
        #expect(refusal?.code == .needsConsolidation)
        let words = try #require(refusal).message.split(separator: " ")
        let told = String(words[try #require(words.firstIndex(of: "most")) + 1])
        let more = try #require(
            try Amount(text: told, decimals: 18).adding(Amount(UInt32(1))))
        await #expect(throws: Refusal.self, "a wei more") {
            try await scene.withdraw(scene.draft(more.text(decimals: 18)))
        }
        let most = try await scene.withdraw(scene.draft(told))
        #expect(most.consolidationsLeft == 16)
        let requests = try await scene.requests()
        #expect(requests.count == 16)
        #expect(Set(requests.map(\.source)).count == 16)
        var mined: [ObservedBlock.Transfer] = []
        for request in requests { mined.append(TestChain.mined(try await scene.sign(request))) }
        try await scene.test.apply(scene.chain.block(mined))
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        let own = try #require(try await scene.requests().first)
        #expect(own.transaction == most.id)
        try await scene.sums()
    }

    @Test func `keeps what it gathers for its withdrawal`() async throws {
        var scene = try await Scene()
        let (withdrawal, request) = try await scene.gathering()
        // What the target holds by itself would do for this one; it must wait all the same.
        let second = try await scene.base.withdraw(scene.base.draft("0.00045"))
        #expect(try await scene.base.requests().isEmpty)
        #expect(try await scene.base.read(second).waiting?.cause == .sourceAddress)
        #expect(try await scene.base.read(second).waiting?.who == [withdrawal.id.text])
        let signed = try await scene.base.sign(request)
        // What is left at the source after that transfer can go at once.
        let early = try #require(try await scene.base.requests().first)
        #expect(early.transaction == second.id)
        #expect(early.source == signed.sender?.text)
        let other = try await scene.base.sign(early)
        try await scene.confirm([TestChain.mined(signed), TestChain.mined(other)])
        let own = try #require(try await scene.base.requests().first)
        #expect(own.transaction == withdrawal.id)
        try await scene.confirm([TestChain.mined(try await scene.base.sign(own))])
        #expect(try await scene.base.read(withdrawal).transaction.status == .completed)
        #expect(try await scene.base.read(second).transaction.status == .completed)
        try await scene.has(2 * Scene.each - Scene.asked - 450_000_000_000_000 - 63_000)
        try await scene.holdings()
    }

    @Test func `ends with its withdrawal if it is not signed, and is paid if it is`()
        async throws
    {
        for isSigned in [false, true] {
            var scene = try await Scene()
            let (withdrawal, request) = try await scene.gathering()
            _ = try await scene.base.say(Self.approval, 0, on: request)
            _ = try await scene.base.say(Self.approval, 1, on: request)
            let signed = isSigned ? try await scene.base.sign(request) : nil
            let tenant = scene.base.tenant
            let (view, isDone) = try await scene.base.test.custody.write {
                try $0.cancel(withdrawal.id, of: tenant)
            }
            #expect(isDone && view.transaction.status == .cancelled)
            try await scene.has(2 * Scene.each - Scene.limit, Scene.limit)
            if let signed {
                try await scene.confirm([TestChain.mined(signed)])
                try await scene.has(2 * Scene.each - 21_000)
                #expect(try await scene.parts(of: withdrawal).map(\.status) == [.completed])
            } else {
                // A quorum was asked to sign, so each of it must say that it did not.
                _ = try await scene.base.tend()
                try await scene.has(2 * Scene.each - Scene.limit, Scene.limit)
                for holder in 0...1 {
                    _ = try await scene.base.say(Self.closed, holder, on: request)
                }
                try await scene.has(2 * Scene.each)
                #expect(try await scene.parts(of: withdrawal).map(\.status) == [.cancelled])
            }
            #expect(try await scene.base.requests().isEmpty)
            try await scene.holdings()
            // What was gathered can leave by another withdrawal.
            _ = try await scene.base.withdraw(scene.base.draft(Scene.amount))
            #expect(try await scene.base.requests().count == 1)
        }
    }

    @Test func `that holders refuse ends its withdrawal, and all is free again`() async throws {
        let scene = try await Scene()
        let (withdrawal, request) = try await scene.gathering()
        _ = try await scene.base.tend([])
        let waiting = try await scene.base.read(withdrawal).waiting
        #expect(waiting?.cause == .consolidation)
        #expect(waiting?.next.contains("They wait for these key share holders: ") == true)
        let no = Verdict.refusal(.init(.feeAboveLimit, "Too dear."))
        for holder in 1...2 { _ = try await scene.base.say(no, holder, on: request) }
        let failed = try await scene.base.read(withdrawal)
        #expect(failed.transaction.status == .failed)
        #expect(failed.transaction.failure?.code == .refusedByHolders)
        #expect(failed.consolidations.map(\.status) == [.failed])
        try await scene.has(2 * Scene.each)
        #expect(try await scene.base.requests().isEmpty)
    }

    @Test func `that the chain does not carry out ends its withdrawal and costs its fee`()
        async throws
    {
        var scene = try await Scene()
        let (withdrawal, request) = try await scene.gathering()
        let signed = try await scene.base.sign(request)
        try await scene.confirm([TestChain.mined(signed, succeeded: false)])
        let failed = try await scene.base.read(withdrawal)
        #expect(failed.transaction.status == .failed)
        #expect(failed.transaction.failure?.code == .rejectedByChain)
        try await scene.has(2 * Scene.each - 21_000)
        try await scene.holdings()
        // In another block it is carried out: the money is on the other address, and still hers.
        try await scene.drop(3)
        try await scene.has(2 * Scene.each - Scene.limit, Scene.limit)
        try await scene.confirm([TestChain.mined(signed)])
        try await scene.has(2 * Scene.each - 21_000)
        try await scene.holdings()
        #expect(try await scene.base.read(withdrawal).transaction.status == .failed)
    }

    @Test func `is taken back by a reorganisation, before it is final and after`() async throws {
        var scene = try await Scene()
        let (withdrawal, request) = try await scene.gathering()
        let (all, asked) = (2 * Scene.each, Scene.asked)
        let signed = try await scene.base.sign(request)
        try await scene.mine([TestChain.mined(signed)])
        try await scene.drop(1)
        #expect(try await scene.parts(of: withdrawal).map(\.status) == [.broadcasting])
        try await scene.has(all - asked - 2 * Scene.limit, asked + 2 * Scene.limit)
        try await scene.holdings()
        try await scene.confirm([TestChain.mined(signed)])
        let own = try #require(try await scene.base.requests().first)
        let paid = try await scene.base.sign(own)
        try await scene.confirm([TestChain.mined(paid)])
        try await scene.has(all - asked - 42_000)
        // Both go, though both were final, and both come again, in one block and dearer.
        try await scene.drop(6)
        try await scene.holdings()
        try await scene.has(all - asked - 2 * Scene.limit, asked + 2 * Scene.limit)
        try await scene.confirm([
            TestChain.mined(signed, fee: Amount(UInt32(30_000))), TestChain.mined(paid),
        ])
        #expect(try await scene.base.read(withdrawal).transaction.status == .completed)
        try await scene.has(all - asked - 51_000)
        try await scene.holdings()
    }

    @Test func `is made whole or not at all, however often the platform dies`() async throws {
        struct Died: Error {}
        var scene = try await Scene()
        let (draft, tenant) = (scene.base.draft(Scene.amount), scene.base.tenant)
        let signer = scene.base.test.signer
        await #expect(throws: Died.self) {
            try await scene.base.test.custody.write { books in
                let asked = try books.withdraw(draft, for: tenant)
                _ = try books.makeIntents(signer: signer)
                #expect(try books.store.consolidations(of: asked.id).count == 1)
                throw Died()
            }
        }
        try await scene.has(2 * Scene.each)
        let asked = try await scene.base.withdraw(draft)
        await #expect(throws: Died.self) {
            try await scene.base.test.custody.write { books in
                _ = try books.makeIntents(signer: signer)
                throw Died()
            }
        }
        #expect(try await scene.parts(of: asked).isEmpty)
        let request = try #require(try await scene.base.requests().first)
        let signature = try scene.base.test.signature(request)
        await #expect(throws: Died.self) {
            try await scene.base.test.custody.write { books in
                _ = try books.take(signature: signature, of: request.digest)
                throw Died()
            }
        }
        let signed = try await scene.base.sign(request)
        // The same signature again, by another holder or after a restart, changes nothing.
        #expect(
            try await !scene.base.test.custody.write {
                try $0.take(signature: signature, of: request.digest)
            })
        try await scene.confirm([TestChain.mined(signed)])
        let own = try #require(try await scene.base.requests().first)
        try await scene.confirm([TestChain.mined(try await scene.base.sign(own))])
        #expect(try await scene.parts(of: asked).count == 1)
        try await scene.has(2 * Scene.each - Scene.asked - 42_000)
        try await scene.holdings()
    }

    @Test func `of tokens is paid for in coins, by addresses that have some`() async throws {
        var scene = try await Tokens.Scene()
        let (tenant, coins, tokens) = (scene.tenant, scene.coins, scene.tokens)
        let second = try await scene.test.custody.write {
            try $0.openAddress(label: nil, for: tokens.id, of: tenant)
        }
        _ = try await scene.test.custody.write { books in
            try books.addAddress(
                AddressBookDraft(
                    network: TestCustody.chain.text, address: Tokens.Scene.outside, tag: nil,
                    label: "x", externalID: nil), for: tenant)
        }
        try await scene.test.announceAddresses()
        try await scene.fund()
        try await scene.confirm([scene.chain.call([try TestChain.log(4_000_000, to: second.text)])])
        let draft = WithdrawalDraft(
            sourceWallet: tokens.id, addressBookEntry: nil,
            destinationAddress: Tokens.Scene.outside, destinationTag: nil, amount: "8",
            feeLevel: .medium, maxFee: nil, note: nil, externalID: nil)
        let refusal = await #expect(throws: Refusal.self) {
            try await scene.test.custody.write { _ = try $0.withdraw(draft, for: tenant) }
        }
        #expect(refusal?.code == .insufficientGas)
        #expect(refusal?.message.contains(second.text) == true)
        try await scene.confirm([scene.chain.deposit(Amount(UInt32(300_000)), to: second.text)])
        let held = Amount(baseUnits: "1000000000300000")!
        let asked = try await scene.test.custody.write { try $0.withdraw(draft, for: tenant) }
        #expect(try await scene.test.balance(coins).reserved == Amount(UInt32(600_000)))
        let (signer, test) = (scene.test.signer, scene.test)
        for step in 0...1 {
            let request = try #require(
                try await test.custody.write { try $0.makeIntents(signer: signer) }.first)
            #expect((request.transaction == asked.id) == (step == 1))
            let signature = try test.signature(request)
            _ = try await test.custody.write {
                try $0.take(signature: signature, of: request.digest)
            }
            let raw = try await test.custody.read {
                try $0.store.outgoing(of: request.transaction!).last!.raw
            }
            let signed = try #require(SignedEVMTransaction(raw: raw))
            #expect(signed.sender?.text == (step == 0 ? second.text : coins.depositAddress))
            try await scene.confirm([TestChain.mined(signed, fee: Amount(UInt32(50_000)))])
        }
        let done = try await test.custody.read { try $0.transaction(asked.id, of: tenant) }
        #expect(done.transaction.status == .completed)
        #expect(try await test.balance(tokens).total == Amount(UInt32(1_000_000)))
        #expect(
            try await test.balance(coins).available == held.subtracting(Amount(UInt32(100_000))))
        try await scene.sums()
        #expect(try await scene.transactions().count { $0.kind == .deposit } == 4)
    }
}
