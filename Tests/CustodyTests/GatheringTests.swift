import Algebra
import Canonical
import Chains
import Custody
import Identity
import Intents
import KeyGroups
import TestKit
import Testing

/// Withdrawals for which more must be gathered than was counted when they were accepted.
@Suite struct `A withdrawal whose funds went elsewhere meanwhile` {
    /// Alice has 1000 · 10^12 at her first address, and more at others.
    private struct Scene {
        var base: WithdrawalScene
        var addresses: [String]
        /// A fee at most, and what is paid.
        static let (limit, paid): (UInt64, UInt64) = (63_000, 21_000)

        init(_ further: [UInt64]) async throws {
            base = try await WithdrawalScene()
            addresses = [base.alice.depositAddress]
            let (alice, tenant) = (base.alice, base.tenant)
            for funds in further {
                let address = try await base.test.custody.write {
                    try $0.openAddress(label: nil, for: alice.id, of: tenant).text
                }
                addresses.append(address)
                try await deposit(funds, to: address)
            }
        }

        static func amount(_ units: UInt64, and wei: UInt64 = 0) -> Amount {
            Amount(UInt128(units) * 1_000_000_000_000 + UInt128(wei))!
        }

        mutating func deposit(_ units: UInt64, to address: String) async throws {
            try await confirm([base.chain.deposit(Self.amount(units), to: address)])
        }

        mutating func confirm(_ transfers: [ObservedBlock.Transfer]) async throws {
            try await base.test.apply(base.chain.block(transfers))
            for _ in 0..<2 { try await base.test.apply(base.chain.block()) }
        }

        func withdraw(
            _ amount: Amount, maxFee: UInt64? = nil, from wallet: Wallet? = nil
        ) async throws -> Transaction {
            try await base.withdraw(
                WithdrawalDraft(
                    sourceWallet: (wallet ?? base.alice).id, addressBookEntry: base.entry.id,
                    destinationAddress: nil, destinationTag: nil,
                    amount: amount.text(decimals: 18), feeLevel: .medium,
                    maxFee: maxFee.map { Amount(UInt128($0))!.text(decimals: 18) }, note: nil,
                    externalID: nil))
        }

        /// Signs all that can be signed, and has it mined.
        mutating func go(fee: UInt64 = Scene.paid) async throws {
            var mined: [ObservedBlock.Transfer] = []
            for request in try await base.requests() {
                mined.append(
                    TestChain.mined(
                        try await base.sign(request), fee: Amount(UInt128(fee))!))
            }
            try await confirm(mined)
        }

        func has(_ available: Amount, _ reserved: Amount = .zero) async throws {
            let balance = try await base.test.balance(base.alice)
            #expect(balance.available == available)
            #expect(balance.reserved == reserved)
            try await base.sums()
        }

        /// What the ledger says that the chain holds, and what the addresses hold.
        func holdings(_ others: [String] = []) async throws {
            let (tenant, addresses) = (base.tenant, addresses + others)
            let (booked, held) = try await base.test.custody.read { books -> (Amount, Amount) in
                let account = LedgerAccount(
                    tenant: tenant, asset: "ETH", wallet: nil, role: .holdings)
                let funds = try addresses.map {
                    try books.store.funds(of: $0, asset: TestCustody.eth.asset)
                }
                return (
                    try books.store.balance(of: account), funds.reduce(.zero) { $0.adding($1)! }
                )
            }
            #expect(booked == held)
        }

        func status(_ transaction: Transaction) async throws -> Transaction.Status {
            try await base.read(transaction).transaction.status
        }

        func setVault(_ status: Vault.Status) async throws {
            let (vault, tenant) = (base.alice.vault, base.tenant)
            _ = try await base.test.custody.write {
                try $0.changeVault(vault, name: nil, metadata: nil, status: status, of: tenant)
            }
        }
    }

    @Test func `has it gathered, and reserves the fees then`() async throws {
        for isCancelled in [false, true] {
            var scene = try await Scene([300, 300])
            let first = try await scene.withdraw(Scene.amount(900))
            let second = try await scene.withdraw(Scene.amount(500))
            #expect(second.consolidationsLeft == 0, "the first address has it still")
            let own = try #require(try await scene.base.requests().first)
            let wait = try await scene.base.read(second).waiting
            #expect(wait?.cause == .sourceAddress && wait?.who == [first.id.text])
            let signed = try await scene.base.sign(own)
            let gathering = try await scene.base.requests()
            #expect(gathering.count == 1)
            let view = try await scene.base.read(second)
            #expect(view.waiting?.cause == .consolidation)
            #expect(view.consolidationFeeLimit == Amount(UInt128(Scene.limit)))
            try await scene.has(
                Amount(UInt128(200 * 1_000_000_000_000 - 3 * Scene.limit))!,
                Scene.amount(1400, and: 3 * Scene.limit))
            if isCancelled {
                let tenant = scene.base.tenant
                _ = try await scene.base.test.custody.write {
                    try $0.cancel(second.id, of: tenant)
                }
                _ = try await scene.base.tend()
                try await scene.has(
                    Amount(UInt128(700 * 1_000_000_000_000 - Scene.limit))!,
                    Scene.amount(900, and: Scene.limit))
                try await scene.confirm([TestChain.mined(signed)])
                try await scene.has(Amount(UInt128(700 * 1_000_000_000_000 - Scene.paid))!)
            } else {
                let part = try await scene.base.sign(gathering[0])
                try await scene.confirm([TestChain.mined(signed), TestChain.mined(part)])
                try await scene.go()
                #expect(try await scene.status(second) == .completed)
                try await scene.has(Amount(UInt128(200 * 1_000_000_000_000 - 3 * Scene.paid))!)
            }
            #expect(try await scene.status(first) == .completed)
            try await scene.holdings()
        }
    }

    @Test func `is one of a burst, and none is left behind`() async throws {
        var scene = try await Scene([400, 400])
        var asked: [Transaction] = []
        for _ in 0..<10 { asked.append(try await scene.withdraw(Scene.amount(175))) }
        for _ in 0..<20 { try await scene.go() }
        var parts = 0
        for withdrawal in asked {
            let view = try await scene.base.read(withdrawal)
            #expect(view.transaction.status == .completed)
            parts += view.consolidations.count
        }
        #expect(parts > 0)
        try await scene.has(
            Amount(UInt128(50 * 1_000_000_000_000 - UInt64(10 + parts) * Scene.paid))!)
        try await scene.holdings()
    }

    @Test func `pays no more than its maxFee for all together`() async throws {
        for (maxFee, isGathered) in [(2 * Scene.limit - 1, false), (2 * Scene.limit, true)] {
            var scene = try await Scene([300, 300])
            _ = try await scene.withdraw(Scene.amount(900))
            let second = try await scene.withdraw(Scene.amount(500), maxFee: maxFee)
            try await scene.go()
            try await scene.go()
            let view = try await scene.base.read(second)
            if isGathered {
                #expect(view.consolidations.map(\.status) == [.completed])
                try await scene.go()
            } else {
                #expect(view.waiting?.cause == .funds)
                #expect(view.waiting?.next.contains("above the 'maxFee'") == true)
                #expect(view.consolidations.isEmpty)
                // As the sentence says, it goes on when one address holds enough.
                try await scene.deposit(300, to: scene.addresses[1])
                try await scene.go()
            }
            #expect(try await scene.status(second) == .completed)
            try await scene.holdings()
        }
    }

    @Test func `waits while there is nothing for the fees, and says so`() async throws {
        for isCancelled in [false, true] {
            var scene = try await Scene([300])
            let (base, tenant) = (scene.base, scene.base.tenant)
            let bob = try await base.test.wallet("bob", of: tenant)
            try await scene.deposit(200, to: bob.depositAddress)
            let first = try await scene.withdraw(Scene.amount(900))
            let wei = 400 * 1_000_000_000_000 - 2 * Scene.limit
            let second = try await scene.withdraw(Amount(UInt128(wei))!)
            try await scene.has(.zero, Scene.amount(1300))
            let signed = try await base.sign(try #require(try await base.requests().first))
            #expect(try await base.requests().isEmpty)
            let wait = try await base.read(second).waiting
            #expect(wait?.cause == .funds)
            #expect(
                wait?.next.contains(
                    "1 further transfer, whose fees of up to 0.000000000000063 ETH the wallet "
                        + "\(base.alice.id) has not available") == true)
            if isCancelled {
                _ = try await base.test.custody.write { try $0.cancel(second.id, of: tenant) }
                try await scene.confirm([TestChain.mined(signed)])
                try await scene.has(Scene.amount(399, and: 1_000_000_000_000 - Scene.paid))
            } else {
                let draft = TransferDraft(
                    sourceWallet: bob.id, destinationWallet: base.alice.id, amount: "0.0001",
                    note: nil, externalID: nil)
                _ = try await base.test.custody.write { try $0.transfer(draft, for: tenant) }
                #expect(try await base.requests().count == 1)
                try await scene.has(
                    Scene.amount(99, and: 1_000_000_000_000 - Scene.limit),
                    Scene.amount(1300, and: Scene.limit))
                let request = try #require(
                    try await base.test.custody.read {
                        try $0.store.signingRequests(in: [.open]).first
                    })
                let part = try await base.sign(request)
                try await scene.confirm([TestChain.mined(signed), TestChain.mined(part)])
                try await scene.go()
                #expect(try await scene.status(second) == .completed)
            }
            #expect(try await scene.status(first) == .completed)
            try await scene.holdings([bob.depositAddress])
        }
    }

    @Test func `in a frozen vault lets others have it, and gathers anew`() async throws {
        var scene = try await Scene([1000])
        let (base, tenant) = (scene.base, scene.base.tenant)
        let bob = try await base.test.wallet("bob", of: tenant)
        try await scene.deposit(800, to: bob.depositAddress)
        let draft = TransferDraft(
            sourceWallet: base.alice.id, destinationWallet: bob.id, amount: "0.0004", note: nil,
            externalID: nil)
        _ = try await base.test.custody.write { try $0.transfer(draft, for: tenant) }
        let first = try await scene.withdraw(Scene.amount(1500))
        let part = try #require(try await base.requests().first)
        let second = try await scene.withdraw(Scene.amount(1100), from: bob)
        try await scene.setVault(.frozen)
        #expect(try await base.requests().isEmpty)
        // What comes in is still for the first, and the second knows whom it waits for.
        let wait = try await base.read(second).waiting
        #expect(wait?.cause == .sourceAddress && wait?.who == [first.id.text])
        try await scene.confirm([TestChain.mined(try await base.sign(part))])
        let request = try #require(try await base.requests().first)
        #expect(request.transaction == second.id)
        #expect(try await base.read(first).waiting?.cause == .vault)
        // While it is being signed the first may not have the address, though it was its own.
        try await scene.setVault(.active)
        #expect(try await base.requests().isEmpty)
        #expect(try await base.read(first).waiting?.who == [second.id.text])
        try await scene.confirm([TestChain.mined(try await base.sign(request))])
        #expect(try await scene.status(second) == .completed)
        try await scene.go()
        try await scene.go()
        let done = try await base.read(first)
        #expect(done.transaction.status == .completed)
        #expect(done.consolidations.count == 3)
        try await scene.has(Amount(UInt128(100 * 1_000_000_000_000 - 4 * Scene.paid))!)
        try await scene.holdings([bob.depositAddress])
    }

    @Test func `loses it to a reorganisation, and is stopped or says what it lacks`()
        async throws
    {
        for isSigned in [false, true] {
            var scene = try await Scene([1000])
            let withdrawal = try await scene.withdraw(Scene.amount(1500))
            let part = try await scene.base.sign(
                try #require(try await scene.base.requests().first))
            try await scene.confirm([TestChain.mined(part)])
            let own = try #require(try await scene.base.requests().first)
            let signed = isSigned ? try await scene.base.sign(own) : nil
            for _ in 0..<3 { try await scene.base.test.revert(scene.base.chain.drop()!) }
            try await scene.confirm([TestChain.mined(part, succeeded: false)])
            let view = try await scene.base.read(withdrawal)
            guard let signed else {
                #expect(view.transaction.stopping?.code == .rejectedByChain)
                _ = try await scene.base.tend()
                #expect(try await scene.status(withdrawal) == .failed)
                try await scene.has(Scene.amount(1999, and: 1_000_000_000_000 - Scene.paid))
                try await scene.holdings()
                continue
            }
            let (hash, target) = (signed.hash, try #require(own.source))
            let lacks = "lacks 0.000500000000063 ETH"
            #expect(view.transaction.status == .broadcasting)
            #expect(view.waiting?.next.contains(lacks) == true)
            for refusal in ["insufficient funds", nil] {
                try await scene.base.test.custody.write {
                    try $0.broadcasted(hash, on: TestCustody.chain, refusal: refusal)
                }
                let wait = try await scene.base.read(withdrawal).waiting
                #expect(wait?.cause == .chain && wait?.who == (refusal.map { [$0] } ?? []))
                #expect(wait?.next.contains(lacks) == true)
                #expect(wait?.next.contains("send as much to \(target)") == true)
            }
            try await scene.deposit(501, to: target)
            try await scene.base.test.custody.write {
                try $0.broadcasted(hash, on: TestCustody.chain, refusal: nil)
            }
            let wait = try await scene.base.read(withdrawal).waiting
            #expect(wait?.next.contains("lacks") == false)
            try await scene.confirm([TestChain.mined(signed)])
            #expect(try await scene.status(withdrawal) == .completed)
            try await scene.has(Scene.amount(1000, and: 1_000_000_000_000 - 2 * Scene.paid))
            try await scene.holdings()
        }
    }

    @Test func `is refused for want of gas, without other vaults' addresses`() async throws {
        var scene = try await Tokens.Scene()
        let (test, tenant, tokens) = (scene.test, scene.tenant, scene.tokens)
        let bob = try await test.wallet("bob", of: tenant, asset: "USDT")
        _ = try await test.custody.write { books in
            try books.addAddress(
                AddressBookDraft(
                    network: TestCustody.chain.text, address: Tokens.Scene.outside, tag: nil,
                    label: "x", externalID: nil), for: tenant)
        }
        try await test.announceAddresses()
        try await scene.fund()
        try await scene.confirm([
            scene.chain.call([try TestChain.log(4_000_000, to: bob.depositAddress)])
        ])
        let moved = TransferDraft(
            sourceWallet: bob.id, destinationWallet: tokens.id, amount: "4", note: nil,
            externalID: nil)
        _ = try await test.custody.write { try $0.transfer(moved, for: tenant) }
        let draft = WithdrawalDraft(
            sourceWallet: tokens.id, addressBookEntry: nil,
            destinationAddress: Tokens.Scene.outside, destinationTag: nil, amount: "8",
            feeLevel: .medium, maxFee: nil, note: nil, externalID: nil)
        let (key, _) = try await test.custody.write {
            try $0.createAPIKey(for: tenant, name: "key", scopes: [.transactionsWithdraw])
        }
        let limited = APIKey(
            id: key.id, tenant: tenant, name: "limited", scopes: key.scopes, ranges: nil,
            vaults: [tokens.vault], sealedSecret: [], createdAt: key.createdAt, expiresAt: nil)
        for (key, isNamed) in [(key, true), (limited, false)] {
            let actor = Actor.key(key, from: .init(address: nil, request: "1"))
            let refusal = await #expect(throws: Refusal.self) {
                try await test.custody.write(as: actor) { _ = try $0.withdraw(draft, for: tenant) }
            }
            #expect(refusal?.code == .insufficientGas)
            #expect(refusal?.message.contains(bob.depositAddress) == isNamed)
            #expect(refusal?.message.contains("1 address of other vaults") == !isNamed)
        }
    }
}
