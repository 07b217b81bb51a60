import Chains
import Custody
import Intents
import TestKit
import Testing

/// Further deposit addresses of a vault on a chain.
@Suite struct `Several addresses` {
    private typealias Scene = WithdrawalScene

    private func open(_ scene: Scene, _ wallet: Wallet? = nil) async throws -> WalletAddress {
        let (id, tenant) = ((wallet ?? scene.alice).id, scene.tenant)
        return try await scene.test.custody.write {
            try $0.openAddress(label: nil, for: id, of: tenant)
        }
    }

    @Test func `of one wallet are credited to it, and spent from under their own path`()
        async throws
    {
        var scene = try await Scene()
        let second = try await open(scene)
        #expect(second.text != scene.alice.depositAddress)
        let more = Amount(baseUnits: "2000000000000000")!
        try await scene.test.apply(scene.chain.block([scene.chain.deposit(more, to: second.text)]))
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        #expect(
            try await scene.test.balance(scene.alice).available == Scene.start.adding(more))
        // More than the first holds: it leaves the second.
        let asked = try await scene.withdraw(scene.draft("0.0015"))
        let request = try #require(try await scene.requests().first)
        #expect(request.source == second.text)
        guard case .transfer(let order) = try Intent(request.bytes).purpose else { return }
        #expect(order.sourcePath.text == "m/44/60/0/0/1")
        let signed = try await scene.sign(request)
        #expect(signed.sender?.text == second.text)
        try await scene.test.apply(scene.chain.block([TestChain.mined(signed)]))
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        #expect(try await scene.read(asked).transaction.status == .completed)
        try await scene.sums()
    }

    @Test func `are shared by the wallets of a vault on the chain, and none of another vault`()
        async throws
    {
        var scene = try await Tokens.Scene()
        let (tokens, coins, tenant) = (scene.tokens, scene.coins, scene.tenant)
        let further = try await scene.test.custody.write {
            try $0.openAddress(label: "till 2", for: tokens.id, of: tenant)
        }
        let bob = try await scene.test.wallet("bob", of: tenant)
        let page = try PageRequest()
        func paths(_ wallet: Wallet) async throws -> [String] {
            try await scene.test.custody.read {
                try $0.addresses(of: wallet.id, tenant, page).items.map(\.path.text)
            }
        }
        #expect(try await paths(coins) == ["m/44/60/0/0/1", "m/44/60/0/0/0"])
        #expect(try await paths(tokens) == paths(coins))
        #expect(try await paths(bob) == ["m/44/60/1/0/0"])
        try await scene.confirm([
            scene.chain.deposit(Amount(UInt32(5000)), to: further.text),
            scene.chain.call([try TestChain.log(7, to: further.text)]),
        ])
        #expect(try await scene.test.balance(coins).available == Amount(UInt32(5000)))
        #expect(try await scene.test.balance(tokens).available == Amount(UInt32(7)))
    }

    @Test func `are a thousand at most`() async throws {
        let scene = try await Scene()
        let (alice, tenant) = (scene.alice, scene.tenant)
        try await scene.test.custody.write { books in
            for _ in 1..<AccountPath.numbersMost {
                _ = try books.openAddress(label: nil, for: alice.id, of: tenant)
            }
        }
        let refusal = await #expect(throws: Refusal.self) { try await open(scene) }
        #expect(refusal?.code == .tooManyAddresses)
    }
}
