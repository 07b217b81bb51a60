import Algebra
import Canonical
import Chains
import Custody
import Intents
import TestKit
import Testing

/// Tokens on the chain and on the ledger.
@Suite struct `Tokens` {
    /// Alice's vault with wallets of the coin and the token at one address.
    struct Scene {
        let test: TestCustody
        let tenant: TenantID
        let coins: Wallet
        let tokens: Wallet
        var chain = TestChain()
        static let outside = EVMAddress(unchecked: [UInt8](repeating: 0xab, count: 20)).text

        init() async throws {
            test = try TestCustody(assets: [TestCustody.eth, TestCustody.usdt])
            tenant = try await test.tenant()
            coins = try await test.wallet("alice", of: tenant)
            tokens = try await test.wallet("alice", of: tenant, asset: "USDT")
            try await mine([])
        }

        mutating func mine(_ transfers: [ObservedBlock.Transfer]) async throws {
            try await test.apply(chain.block(transfers))
        }

        /// Mines what makes it final.
        mutating func confirm(_ transfers: [ObservedBlock.Transfer]) async throws {
            try await mine(transfers)
            for _ in 0..<2 { try await mine([]) }
        }

        /// 10^15 wei and 5 tokens, final.
        mutating func fund() async throws {
            let address = coins.depositAddress
            try await confirm([
                chain.deposit(Amount(baseUnits: "1000000000000000")!, to: address),
                chain.call([try TestChain.log(5_000_000, to: address)]),
            ])
        }

        func transactions() async throws -> [Transaction] {
            let (tenant, page) = (tenant, try PageRequest())
            return try await test.custody.read {
                try $0.transactions(of: tenant, matching: .init(), page).items.map(\.transaction)
            }
        }

        func status(_ wallet: Wallet) async throws -> Wallet.Status {
            let tenant = tenant
            return try await test.custody.read { try $0.wallet(wallet.id, of: tenant).status }
        }

        func sums() async throws {
            #expect(try await test.sums().allSatisfy { $0.owned == $0.owed })
        }
    }

    @Test func `the wallets of a vault on a chain share one address`() async throws {
        let scene = try await Scene()
        #expect(scene.coins.depositAddress == scene.tokens.depositAddress)
        let other = try await scene.test.wallet("bob", of: scene.tenant, asset: "USDT")
        #expect(other.depositAddress != scene.tokens.depositAddress)
    }

    @Test func `each transfer in a transaction is a deposit, twice the same too`() async throws {
        var scene = try await Scene()
        let to = scene.tokens.depositAddress
        let bob = try await scene.test.wallet("bob", of: scene.tenant, asset: "USDT")
        let call = scene.chain.call([
            try TestChain.log(100, to: to), try TestChain.log(100, to: to),
            try TestChain.log(7, to: to), try TestChain.log(50, to: bob.depositAddress),
            try TestChain.log(0, to: to),
            try TestChain.log(1, to: EVMAddress(unchecked: [UInt8](repeating: 9, count: 20)).text),
        ])
        try await scene.mine([call])
        #expect(try await scene.test.balance(scene.tokens).pending == Amount(UInt32(207)))
        #expect(try await scene.test.balance(bob).pending == Amount(UInt32(50)))
        #expect(try await scene.test.balance(scene.coins).total == .zero)
        let deposits = try await scene.transactions()
        #expect(deposits.count == 4)
        #expect(Set(deposits.map(\.hash)).count == 1)
        #expect(deposits.allSatisfy { $0.asset == "USDT" && $0.sourceAddress != nil })
        for _ in 0..<2 { try await scene.mine([]) }
        #expect(try await scene.test.balance(scene.tokens).available == Amount(UInt32(207)))
        try await scene.sums()
    }

    @Test func `a failed call, another contract and a transfer of nothing are no deposits`()
        async throws
    {
        var scene = try await Scene()
        let to = scene.tokens.depositAddress
        let fake = EVMAddress(unchecked: [UInt8](repeating: 0x66, count: 20))
        try await scene.confirm([
            scene.chain.call([try TestChain.log(100, to: to)], succeeded: false),
            scene.chain.call([try TestChain.log(100, to: to, of: fake)]),
            scene.chain.call([try TestChain.log(0, to: to)]),
        ])
        #expect(try await scene.test.balance(scene.tokens).total == .zero)
        #expect(try await scene.transactions().isEmpty)
    }

    @Test func `what comes to a vault without a wallet for it opens one`() async throws {
        let test = try TestCustody(assets: [TestCustody.eth, TestCustody.usdt])
        let tenant = try await test.tenant()
        let coins = try await test.wallet("alice", of: tenant)
        let tokens = try await test.wallet("bob", of: tenant, asset: "USDT")
        var chain = TestChain()
        try await test.apply(chain.block())
        try await test.apply(
            chain.block([
                chain.call([try TestChain.log(100, to: coins.depositAddress)]),
                chain.deposit(Amount(500), to: tokens.depositAddress),
            ]))
        let opened = try #require(try await test.wallet("USDT", in: coins.vault))
        #expect(opened.depositAddress == coins.depositAddress)
        #expect(try await test.balance(opened).pending == Amount(100))
        let gas = try #require(try await test.wallet("ETH", in: tokens.vault))
        #expect(try await test.balance(gas).pending == Amount(500))
        let refusal = await #expect(throws: Refusal.self) {
            _ = try await test.wallet("alice", of: tenant, asset: "USDT")
        }
        #expect(refusal?.code == .walletExists)
        try await test.revert(chain.drop()!)
        #expect(try await test.balance(opened).total == .zero)
        #expect(try await test.sums().allSatisfy { $0.owned == $0.owed })
    }

    @Test func `a token that is not configured is ignored`() async throws {
        let test = try TestCustody()
        let wallet = try await test.wallet("alice", of: try await test.tenant())
        var chain = TestChain()
        try await test.apply(
            chain.block([chain.call([try TestChain.log(100, to: wallet.depositAddress)])]))
        #expect(try await test.wallet("USDT", in: wallet.vault) == nil)
        #expect(try await test.balance(wallet).total == .zero)
    }

    @Test func `a reorganisation moves it, and may carry the same call out in another way`()
        async throws
    {
        var scene = try await Scene()
        let to = scene.tokens.depositAddress
        let call = scene.chain.call([try TestChain.log(100, to: to), try TestChain.log(5, to: to)])
        try await scene.confirm([call])
        for _ in 0..<3 { try await scene.test.revert(scene.chain.drop()!) }
        #expect(try await scene.test.balance(scene.tokens).total == .zero)
        // The same transaction, after another one: its amounts are others.
        let again = ObservedBlock.Transfer(
            transaction: call.transaction,
            receipt: EVMReceipt(
                transaction: call.transaction.hash, block: .sha256([]), succeeded: true,
                fee: TestChain.fee,
                tokenTransfers: [try TestChain.log(5, to: to), try TestChain.log(70, to: to)]))
        try await scene.confirm([again])
        #expect(try await scene.test.balance(scene.tokens).available == Amount(UInt32(75)))
        scene.test.pass(seconds: 3601)
        try await scene.mine([])
        let found = try await scene.transactions().map { ($0.amount.baseUnits, $0.status) }
        #expect(found.filter { $0.1 == .completed }.map(\.0).sorted() == [5, 70])
        #expect(found.filter { $0.1 == .failed }.map(\.0) == [100])
        try await scene.sums()
    }

    /// Anybody can write a transfer of zero in anybody's name; more than zero needs our signature,
    /// or the contract's owner.
    @Test func `a transfer of zero in our name does nothing, tokens that leave freeze the wallet`()
        async throws
    {
        var scene = try await Scene()
        try await scene.fund()
        let ours = try EVMAddress(text: scene.tokens.depositAddress)
        try await scene.mine([
            scene.chain.call([try TestChain.log(0, to: Scene.outside, from: ours)])
        ])
        #expect(try await scene.status(scene.tokens) == .active)
        try await scene.mine([
            scene.chain.call([try TestChain.log(1_000_000, to: Scene.outside, from: ours)])
        ])
        #expect(try await scene.status(scene.tokens) == .frozen)
        #expect(try await scene.status(scene.coins) == .active)
        try await scene.sums()
        try await scene.test.revert(scene.chain.drop()!)
        #expect(try await scene.status(scene.tokens) == .active)
        #expect(try await scene.test.balance(scene.tokens).available == Amount(UInt32(5_000_000)))
        try await scene.sums()
    }
}
