import Algebra
import Canonical
import Chains
import Custody
import Intents
import TestKit
import Testing

/// Withdrawals of tokens: the amount is the token wallet's, the fee the coin wallet's.
@Suite struct `A withdrawal of tokens` {
    private typealias Scene = Tokens.Scene

    /// 100,000 gas at 2 × base + tip = 3 wei.
    private static let feeLimit = Amount(UInt32(300_000))
    private static let coins = Amount(baseUnits: "1000000000000000")!
    private static let tokens = Amount(UInt32(5_000_000))

    private func funded() async throws -> Scene {
        var scene = try await Scene()
        try await scene.fund()
        _ = try await add(Scene.outside, scene)
        return scene
    }

    private func add(_ address: String, _ scene: Scene) async throws {
        let tenant = scene.tenant
        _ = try await scene.test.custody.write { books in
            try books.addAddress(
                AddressBookDraft(
                    network: TestCustody.chain.text, address: address, tag: nil, label: "x",
                    externalID: nil), for: tenant)
        }
        try await scene.test.announceAddresses()
    }

    private func withdraw(
        _ amount: String = "1.5", from wallet: Wallet, to address: String = Scene.outside,
        maxFee: String? = nil, _ scene: Scene
    ) async throws -> Transaction {
        let tenant = scene.tenant
        let draft = WithdrawalDraft(
            sourceWallet: wallet.id, addressBookEntry: nil, destinationAddress: address,
            destinationTag: nil, amount: amount, feeLevel: .medium, maxFee: maxFee, note: nil,
            externalID: nil)
        return try await scene.test.custody.write { try $0.withdraw(draft, for: tenant) }
    }

    private func requests(_ scene: Scene) async throws -> [SigningRequest] {
        let signer = scene.test.signer
        return try await scene.test.custody.write { try $0.makeIntents(signer: signer) }
    }

    /// Makes the next intent and signs it.
    private func signNext(_ scene: Scene) async throws -> SignedEVMTransaction {
        try await sign(try #require(try await requests(scene).first), scene)
    }

    private func sign(
        _ request: SigningRequest, _ scene: Scene
    ) async throws -> SignedEVMTransaction {
        let signature = try scene.test.signature(request)
        let id = try #require(request.transaction)
        #expect(
            try await scene.test.custody.write {
                try $0.take(signature: signature, of: request.digest)
            })
        let raw = try await scene.test.custody.read { try $0.store.outgoing(of: id).last?.raw }
        return try #require(SignedEVMTransaction(raw: raw ?? []))
    }

    private func read(_ transaction: Transaction, _ scene: Scene) async throws -> TransactionView {
        let tenant = scene.tenant
        return try await scene.test.custody.read { try $0.transaction(transaction.id, of: tenant) }
    }

    private func balances(_ scene: Scene) async throws -> [Balance] {
        [try await scene.test.balance(scene.tokens), try await scene.test.balance(scene.coins)]
    }

    private func has(_ available: Amount?, _ reserved: Amount = .zero) -> Balance {
        Balance(available: available!, pending: .zero, reserved: reserved)
    }

    @Test func `reserves in two wallets, calls the contract, and books both`() async throws {
        var scene = try await funded()
        let asked = try await withdraw(from: scene.tokens, scene)
        #expect(asked.feeLimit == Self.feeLimit)
        #expect(
            try await balances(scene) == [
                has(Amount(UInt32(3_500_000)), Amount(UInt32(1_500_000))),
                has(Self.coins.subtracting(Self.feeLimit), Self.feeLimit),
            ])
        let request = try #require(try await requests(scene).first)
        let signed = try await sign(request, scene)
        #expect(
            signed.transaction.payment
                == .tokens(
                    ERC20Transfer(
                        recipient: try EVMAddress(text: Scene.outside),
                        amount: Amount(UInt32(1_500_000))),
                    contract: TestCustody.token))
        #expect(signed.transaction.fee.gasLimit == 100_000)
        #expect(signed.sender?.text == scene.tokens.depositAddress)
        try await scene.confirm([TestChain.mined(signed, fee: Amount(UInt32(52_000)))])
        let done = try await read(asked, scene)
        #expect(done.transaction.status == .completed)
        #expect(done.transaction.fee == Amount(UInt32(52_000)))
        #expect(done.feeAsset?.id == "ETH")
        #expect(
            try await balances(scene) == [
                has(Amount(UInt32(3_500_000))),
                has(Self.coins.subtracting(Amount(UInt32(52_000)))),
            ])
        try await scene.sums()
        #expect(try await scene.status(scene.tokens) == .active)
        #expect(try await scene.status(scene.coins) == .active)
    }

    private func replace(
        _ transaction: Transaction, by kind: Replacement.Kind, _ scene: Scene
    ) async throws {
        let (tenant, id) = (scene.tenant, transaction.id)
        let draft = ReplacementDraft(
            externalID: kind.rawValue, price: nil, tip: nil, maxFee: nil)
        scene.test.pass(seconds: 1)
        _ = try await scene.test.custody.write {
            try $0.replace(id, by: kind, draft, for: tenant)
        }
    }

    @Test func `is sped up and then dropped, for which its coins alone pay`() async throws {
        var scene = try await funded()
        let asked = try await withdraw(from: scene.tokens, scene)
        let first = try await signNext(scene)
        try await replace(asked, by: .speedUp, scene)
        // 100,000 gas at 3 × base + 2 × tip = 5 wei.
        let reserved = [
            has(Amount(UInt32(3_500_000)), Amount(UInt32(1_500_000))),
            has(Self.coins.subtracting(Amount(UInt32(500_000))), Amount(UInt32(500_000))),
        ]
        #expect(try await balances(scene) == reserved)
        let second = try await signNext(scene)
        #expect(second.transaction.payment == first.transaction.payment)
        #expect(second.transaction.fee.gasLimit == 100_000)
        try await replace(asked, by: .drop, scene)
        // A plain transfer's gas at a higher price takes less than that.
        #expect(try await balances(scene) == reserved)
        let drop = try await signNext(scene)
        let source = try EVMAddress(text: scene.tokens.depositAddress)
        #expect(drop.transaction.payment == .coins(.zero, to: source))
        #expect(drop.transaction.fee.gasLimit == 21_000 && drop.transaction.nonce == 0)
        try await scene.confirm([TestChain.mined(drop, fee: Amount(UInt32(100_000)))])
        #expect(try await read(asked, scene).transaction.status == .cancelled)
        #expect(
            try await balances(scene) == [
                has(Amount(UInt32(5_000_000))),
                has(Self.coins.subtracting(Amount(UInt32(100_000)))),
            ])
        try await scene.sums()
    }

    @Test func `is refused where nobody can pay the fee, with the name of who pays it`()
        async throws
    {
        var scene = try await Scene()
        try await add(Scene.outside, scene)
        try await scene.confirm([
            scene.chain.call([try TestChain.log(5_000_000, to: scene.tokens.depositAddress)])
        ])
        let poor = await #expect(throws: Refusal.self) {
            _ = try await withdraw(from: scene.tokens, scene)
        }
        #expect(poor?.code == .insufficientGas)
        #expect(poor?.message.contains(scene.coins.id.text) == true)
        let bob = try await scene.test.wallet("bob", of: scene.tenant, asset: "USDT")
        try await scene.confirm([
            scene.chain.call([try TestChain.log(5_000_000, to: bob.depositAddress)])
        ])
        let none = await #expect(throws: Refusal.self) {
            _ = try await withdraw(from: bob, scene)
        }
        #expect(none?.code == .insufficientGas)
        #expect(none?.message.contains("'ETH'") == true)
        #expect(try await scene.test.balance(bob).reserved == .zero)
        #expect(try await requests(scene).isEmpty)
    }

    @Test func `leaves an address that has the tokens and the gas, or is refused`() async throws {
        var scene = try await Scene()
        try await add(Scene.outside, scene)
        let bob = try await scene.test.wallet("bob", of: scene.tenant)
        // Alice's address has the tokens, Bob's the coins, which Bob gives Alice on the ledger.
        try await scene.confirm([
            scene.chain.call([try TestChain.log(5_000_000, to: scene.tokens.depositAddress)]),
            scene.chain.deposit(Self.coins, to: bob.depositAddress),
        ])
        let draft = TransferDraft(
            sourceWallet: bob.id, destinationWallet: scene.coins.id, amount: "0.0005", note: nil,
            externalID: nil)
        let tenant = scene.tenant
        try await scene.test.custody.write { _ = try $0.transfer(draft, for: tenant) }
        let refusal = await #expect(throws: Refusal.self) {
            _ = try await withdraw(from: scene.tokens, scene)
        }
        #expect(refusal?.code == .insufficientGas)
        #expect(refusal?.message.contains(scene.tokens.depositAddress) == true)
        // Tokens of the tenant at Bob's address can go, since its coins are there.
        try await scene.confirm([
            scene.chain.call([try TestChain.log(2_000_000, to: bob.depositAddress)])
        ])
        let asked = try await withdraw(from: scene.tokens, scene)
        let signed = try await signNext(scene)
        #expect(signed.sender?.text == bob.depositAddress)
        try await scene.confirm([TestChain.mined(signed)])
        #expect(try await read(asked, scene).transaction.status == .completed)
        #expect(try await scene.test.balance(scene.tokens).available == Amount(UInt32(3_500_000)))
        try await scene.sums()
    }

    @Test func `is refused for its reason, and nothing is reserved`() async throws {
        let scene = try await funded()
        try await add(TestCustody.token.text, scene)
        let rows: [(amount: String, to: String, maxFee: String?, code: Refusal.Code)] = [
            ("5.000001", Scene.outside, nil, .insufficientFunds),
            ("0.0000001", Scene.outside, nil, .invalid),
            ("0.009999", Scene.outside, nil, .belowMinimum),
            ("1", TestCustody.token.text, nil, .invalid),
            ("1", Scene.outside, "0.000000000000000001", .feeTooHigh),
        ]
        for row in rows {
            let refusal = await #expect(throws: Refusal.self, "\(row)") {
                _ = try await withdraw(
                    row.amount, from: scene.tokens, to: row.to, maxFee: row.maxFee, scene)
            }
            #expect(refusal?.code == row.code, "\(row)")
        }
        #expect(try await balances(scene) == [has(Self.tokens), has(Self.coins)])
    }

    @Test func `frees both wallets when it is cancelled, and estimates its fee in coins`()
        async throws
    {
        let scene = try await funded()
        let asked = try await withdraw(from: scene.tokens, scene)
        let (tenant, tokens) = (scene.tenant, scene.tokens.id)
        let (_, isDone) = try await scene.test.custody.write {
            try $0.cancel(asked.id, of: tenant)
        }
        #expect(isDone)
        #expect(try await balances(scene) == [has(Self.tokens), has(Self.coins)])
        let draft = WithdrawalDraft(
            sourceWallet: tokens, addressBookEntry: nil, destinationAddress: Scene.outside,
            destinationTag: nil, amount: "1", feeLevel: .medium, maxFee: nil, note: nil,
            externalID: nil)
        let (fees, coin, consolidations) = try await scene.test.custody.read {
            try $0.estimateFee(draft, for: tenant)
        }
        #expect(coin.id == "ETH")
        #expect(fees[.medium] == Self.feeLimit)
        #expect(consolidations == 0)
    }

    @Test func `frees both wallets when the holders refuse`() async throws {
        let scene = try await funded()
        let asked = try await withdraw(from: scene.tokens, scene)
        let request = try #require(try await requests(scene).first)
        for holder in 0...1 {
            let signed = scene.test.group.identities[holder].with {
                SignedVerdict(
                    .refusal(.init(.assetNotServed, "No limits for it.")), on: request.digest,
                    rules: .sha256([]), at: UInt64(scene.test.now.seconds), signedBy: $0)
            }
            let (online, signer) = (Set(scene.test.holders), scene.test.signer)
            _ = try await scene.test.custody.write {
                try $0.take(signed, online: online, signer: signer)
            }
        }
        #expect(try await read(asked, scene).transaction.status == .failed)
        #expect(try await balances(scene) == [has(Self.tokens), has(Self.coins)])
        try await scene.sums()
    }

    @Test(arguments: [false, true])
    func `costs its fee alone where the call fails, or ends well and moves nothing`(
        _ succeeded: Bool
    ) async throws {
        var scene = try await funded()
        let asked = try await withdraw(from: scene.tokens, scene)
        let signed = try await signNext(scene)
        let mined = TestChain.mined(
            signed, fee: Amount(UInt32(40_000)), succeeded: succeeded, [])
        try await scene.confirm([mined])
        let failed = try await read(asked, scene)
        #expect(failed.transaction.status == .failed)
        #expect(failed.transaction.failure?.code == .rejectedByChain)
        #expect(
            try await balances(scene) == [
                has(Self.tokens), has(Self.coins.subtracting(Amount(UInt32(40_000)))),
            ])
        try await scene.sums()
    }

    @Test func `a reorganisation takes it back in both wallets, and it is mined again`()
        async throws
    {
        var scene = try await funded()
        let asked = try await withdraw(from: scene.tokens, scene)
        let signed = try await signNext(scene)
        for (fee, spent) in [(UInt32(50_000), 3), (UInt32(60_000), 3)] {
            try await scene.confirm([TestChain.mined(signed, fee: Amount(fee))])
            #expect(try await read(asked, scene).transaction.status == .completed)
            for _ in 0..<spent { try await scene.test.revert(scene.chain.drop()!) }
            #expect(try await read(asked, scene).transaction.status == .broadcasting)
            #expect(
                try await balances(scene) == [
                    has(Amount(UInt32(3_500_000)), Amount(UInt32(1_500_000))),
                    has(Self.coins.subtracting(Self.feeLimit), Self.feeLimit),
                ])
            try await scene.sums()
        }
        // In the other block the call fails.
        try await scene.confirm([
            TestChain.mined(signed, fee: Amount(UInt32(40_000)), succeeded: false)
        ])
        #expect(try await read(asked, scene).transaction.status == .failed)
        #expect(
            try await balances(scene) == [
                has(Self.tokens), has(Self.coins.subtracting(Amount(UInt32(40_000)))),
            ])
        try await scene.sums()
        let funds = try await scene.test.custody.read { [tokens = scene.tokens] books in
            try books.store.funds(of: tokens.depositAddress, asset: TestCustody.usdt.asset)
        }
        #expect(funds == Self.tokens)
    }

    @Test func `to an address of ours it is a withdrawal and a deposit`() async throws {
        var scene = try await funded()
        let bob = try await scene.test.wallet("bob", of: scene.tenant, asset: "USDT")
        try await add(bob.depositAddress, scene)
        let asked = try await withdraw(from: scene.tokens, to: bob.depositAddress, scene)
        let signed = try await signNext(scene)
        try await scene.confirm([TestChain.mined(signed)])
        #expect(try await read(asked, scene).transaction.status == .completed)
        #expect(try await scene.test.balance(bob).available == Amount(UInt32(1_500_000)))
        #expect(try await scene.status(scene.tokens) == .active)
        try await scene.sums()
    }

    /// What is being broadcast counts, so that a second withdrawal does not rely on it.
    @Test func `waits for funds that another one is about to take`() async throws {
        var scene = try await funded()
        let bob = try await scene.test.wallet("bob", of: scene.tenant, asset: "USDT")
        try await scene.confirm([
            scene.chain.call([try TestChain.log(5_000_000, to: bob.depositAddress)])
        ])
        let draft = TransferDraft(
            sourceWallet: bob.id, destinationWallet: scene.tokens.id, amount: "5", note: nil,
            externalID: nil)
        let tenant = scene.tenant
        try await scene.test.custody.write { _ = try $0.transfer(draft, for: tenant) }
        _ = try await withdraw("4", from: scene.tokens, scene)
        let signed = try await signNext(scene)
        let second = try await withdraw("3", from: scene.tokens, scene)
        #expect(try await requests(scene).isEmpty)
        #expect(try await read(second, scene).transaction.waiting?.cause == .funds)
        try await scene.confirm([
            TestChain.mined(signed),
            scene.chain.call([try TestChain.log(2_000_000, to: scene.tokens.depositAddress)]),
        ])
        let request = try #require(try await requests(scene).first)
        #expect(request.transaction == second.id)
        #expect(request.nonce == 1)
    }
}
