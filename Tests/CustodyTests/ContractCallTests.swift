import Algebra
import Canonical
import Chains
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

@Suite struct `A contract call` {
    private static let contract = EVMAddress(unchecked: [UInt8](repeating: 0xcc, count: 20)).text
    private static let data: [UInt8] = [1, 2, 3, 4, 5]
    private static let gas: UInt64 = 100_000

    private func draft(
        _ scene: WithdrawalScene, value: String? = "0.0001", id: String = "c-1",
        contract: String = contract, source: String? = nil, data: [UInt8] = data,
        gasLimit: UInt64? = gas, gasPrice: UInt64? = nil, maxFee: String? = nil
    ) -> CallDraft {
        CallDraft(
            vault: scene.alice.vault, chain: TestCustody.chain,
            source: source ?? scene.alice.depositAddress, contract: contract, value: value,
            data: data, gasLimit: gasLimit, gasPrice: gasPrice, maxFee: maxFee, note: nil,
            externalID: id)
    }

    private func ask(
        _ scene: WithdrawalScene, _ draft: CallDraft, estimate: UInt64? = nil
    ) async throws -> Transaction {
        let tenant = scene.tenant
        return try await scene.test.custody.write {
            try $0.call(draft, gas: estimate, for: tenant)
        }
    }

    /// One that is signed, with its bytes.
    private func signed(
        _ scene: WithdrawalScene, _ draft: CallDraft
    ) async throws -> (Transaction, SignedEVMTransaction) {
        let asked = try await ask(scene, draft)
        let request = try #require(try await scene.requests().first)
        return (asked, try await scene.sign(request))
    }

    @Test func `is signed as it was asked for, and booked when it is deep enough`() async throws {
        var scene = try await WithdrawalScene()
        let (asked, signed) = try await signed(scene, draft(scene))
        #expect(asked.kind == .contractCall && asked.feeLimit == Amount(UInt32(300_000)))
        let transaction = signed.transaction
        #expect(transaction.to.text == Self.contract && transaction.data == Self.data)
        #expect(transaction.value == asked.amount && transaction.fee.gasLimit == Self.gas)
        #expect(signed.sender?.text == scene.alice.depositAddress)
        let reserved = try await scene.test.balance(scene.alice)
        #expect(reserved.reserved.baseUnits == 100_000_000_300_000)

        try await scene.test.apply(
            scene.chain.block([TestChain.mined(signed, fee: Amount(UInt32(90_000)))]))
        #expect(try await scene.read(asked).transaction.status == .confirming)
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        let view = try await scene.read(asked)
        #expect(view.transaction.status == .completed)
        #expect(view.transaction.fee == Amount(UInt32(90_000)) && view.feeAsset?.id == "ETH")
        #expect(
            view.timeline.map(\.status) == [
                .submitted, .pendingSignature, .broadcasting, .confirming, .completed,
            ])
        let after = try await scene.test.balance(scene.alice)
        #expect(after.reserved.isZero)
        #expect(after.available.baseUnits == 900_000_000_000_000 - 90_000)
        try await scene.sums()
    }

    @Test func `is sped up with the same data and gas`() async throws {
        var scene = try await WithdrawalScene()
        let (asked, first) = try await signed(scene, draft(scene))
        scene.test.pass(seconds: 1)
        let (tenant, more) = (
            scene.tenant, ReplacementDraft(externalID: "s", price: 9, tip: 3, maxFee: nil)
        )
        _ = try await scene.test.custody.write {
            try $0.replace(asked.id, by: .speedUp, more, for: tenant)
        }
        let second = try await scene.sign(try #require(try await scene.requests().first))
        #expect(second.transaction.payment == first.transaction.payment)
        #expect(second.transaction.fee.gasLimit == Self.gas)
        #expect(second.transaction.fee.maxFeePerGas == 9)
        try await scene.test.apply(
            scene.chain.block([TestChain.mined(second, fee: Amount(UInt32(800_000)))]))
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        #expect(try await scene.read(asked).transaction.status == .completed)
        #expect(try await scene.test.balance(scene.alice).reserved.isZero)
        try await scene.sums()
    }

    @Test func `that fails on the chain costs its fee alone`() async throws {
        var scene = try await WithdrawalScene()
        let (asked, signed) = try await signed(scene, draft(scene))
        try await scene.test.apply(
            scene.chain.block([
                TestChain.mined(signed, fee: Amount(UInt32(90_000)), succeeded: false)
            ]))
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        let view = try await scene.read(asked)
        #expect(view.transaction.status == .failed)
        #expect(view.transaction.failure?.code == .rejectedByChain)
        let after = try await scene.test.balance(scene.alice)
        #expect(after.available.baseUnits == 1_000_000_000_000_000 - 90_000)
        try await scene.sums()
    }

    @Test func `a reorganisation takes it back, and the same bytes go out again`() async throws {
        var scene = try await WithdrawalScene()
        let (asked, signed) = try await signed(scene, draft(scene))
        let before = try await scene.test.balance(scene.alice)
        try await scene.test.apply(
            scene.chain.block([TestChain.mined(signed, fee: Amount(UInt32(90_000)))]))
        try await scene.test.revert(scene.chain.drop()!)
        #expect(try await scene.read(asked).transaction.status == .broadcasting)
        #expect(try await scene.test.balance(scene.alice) == before)
        let id = asked.id
        let outgoing = try await scene.test.custody.read { try $0.store.outgoing(of: id) }
        #expect(outgoing.map(\.raw) == [signed.raw] && outgoing[0].state == .broadcasting)
        try await scene.sums()
    }

    @Test func `shares its address's nonces with withdrawals`() async throws {
        let scene = try await WithdrawalScene()
        _ = try await ask(scene, draft(scene))
        _ = try await scene.withdraw(scene.draft())
        let first = try await scene.requests()
        #expect(first.count == 1, "one at a time")
        _ = try await scene.sign(first[0])
        let second = try #require(try await scene.requests().first)
        #expect([first[0].nonce, second.nonce] == [0, 1])
        let other = try await scene.sign(second)
        #expect(other.transaction.nonce == 1)
    }

    @Test func `takes the gas that the node says and a quarter, and no more than may be`()
        async throws
    {
        let scene = try await WithdrawalScene()
        let tenant = scene.tenant
        let open = draft(scene, value: nil, gasLimit: nil)
        let question = try await scene.test.custody.read {
            try $0.question(before: open, for: tenant)
        }
        #expect(
            question
                == EVMCallQuestion(
                    chain: TestCustody.chain,
                    from: try EVMAddress(text: scene.alice.depositAddress),
                    to: try EVMAddress(text: Self.contract), value: .zero, data: Self.data))
        let limited = draft(scene)
        #expect(
            try await scene.test.custody.read { try $0.question(before: limited, for: tenant) }
                == nil)
        for (at, (estimate, limit)) in [
            (40_000, 50_000), (2_900_000, 3_000_000), (3_000_000, 3_000_000),
        ].enumerated() {
            let asked = try await ask(
                scene, draft(scene, value: nil, id: "e-\(at)", gasLimit: nil),
                estimate: UInt64(estimate))
            #expect(asked.call?.gasLimit == UInt64(limit))
        }
        for (limit, estimate) in [(nil, 3_000_001), (3_000_001, nil), (20_999, nil)] {
            let refusal = await #expect(throws: Refusal.self) {
                _ = try await ask(
                    scene, draft(scene, gasLimit: limit.map { UInt64($0) }),
                    estimate: estimate.map { UInt64($0) })
            }
            #expect(refusal?.code == .feeTooHigh)
        }
    }

    @Test func `costs what its caller says at most`() async throws {
        let scene = try await WithdrawalScene()
        // 100,000 gas at 2 wei, and at 5.
        let fixed = try await ask(scene, draft(scene, id: "c-1", maxFee: "0.000000000000200001"))
        #expect(fixed.feeLimit == Amount(UInt32(200_000)))
        let priced = try await ask(scene, draft(scene, id: "c-2", gasPrice: 5))
        #expect(priced.feeLimit == Amount(UInt32(500_000)))
        for wrong in [
            draft(scene, id: "c-3", maxFee: "0.0000000000001"),
            draft(scene, id: "c-3", gasPrice: 1), draft(scene, id: "c-3", gasPrice: .max),
        ] {
            let refusal = await #expect(throws: Refusal.self) { _ = try await ask(scene, wrong) }
            #expect(refusal?.code == .feeTooHigh || refusal?.code == .insufficientFunds)
        }
    }

    @Test func `is refused where it would pass the ledger by, or cannot be paid`() async throws {
        let scene = try await WithdrawalScene()
        let tenant = scene.tenant
        let bob = try await scene.test.wallet("bob", of: tenant)
        let zero = EVMAddress(unchecked: [UInt8](repeating: 0, count: 20)).text
        let long = [UInt8](repeating: 1, count: ContractCall.dataMost + 1)
        let rows: [(CallDraft, Refusal.Code)] = [
            (draft(scene, contract: scene.alice.depositAddress), .invalid),
            (draft(scene, contract: bob.depositAddress), .invalid),
            (draft(scene, contract: Self.contract.lowercased()), .invalid),
            (draft(scene, contract: zero), .invalid), (draft(scene, data: long), .invalid),
            (draft(scene, source: bob.depositAddress), .invalid),
            (draft(scene, source: WithdrawalScene.stranger), .invalid),
            (draft(scene, value: "-1"), .invalid), (draft(scene, value: "x"), .invalid),
            (draft(scene, value: "0.001"), .insufficientFunds),
            (draft(scene, value: "5"), .insufficientFunds),
            (draft(scene, gasLimit: nil), .chainUnavailable),
        ]
        for (at, row) in rows.enumerated() {
            let refusal = await #expect(throws: Refusal.self, "row \(at)") {
                _ = try await ask(scene, row.0)
            }
            #expect(refusal?.code == row.1, "row \(at): \(refusal?.message ?? "")")
        }
        _ = try await ask(scene, draft(scene))
        let used = await #expect(throws: Refusal.self) { _ = try await ask(scene, draft(scene)) }
        #expect(used?.code == .externalIDReused)
        try await scene.sums()
    }

    @Test func `of a token that is kept here is refused`() async throws {
        let test = try TestCustody(assets: [TestCustody.eth, TestCustody.usdt])
        let tenant = try await test.tenant()
        let alice = try await test.wallet("alice", of: tenant)
        let draft = CallDraft(
            vault: alice.vault, chain: TestCustody.chain, source: alice.depositAddress,
            contract: TestCustody.token.text, value: nil, data: [0x09, 0x5e, 0xa7, 0xb3],
            gasLimit: nil, gasPrice: nil, maxFee: nil, note: nil, externalID: "c-1")
        for isAsked in [true, false] {
            let refusal = await #expect(throws: Refusal.self) {
                try await test.custody.write {
                    if isAsked {
                        _ = try $0.question(before: draft, for: tenant)
                    } else {
                        _ = try $0.call(draft, gas: 50_000, for: tenant)
                    }
                }
            }
            #expect(refusal?.code == .invalid)
            #expect(refusal?.message.contains("token") == true)
        }
    }

    @Test func `that is cancelled or refused frees what it had reserved`() async throws {
        let scene = try await WithdrawalScene()
        let tenant = scene.tenant
        let first = try await ask(scene, draft(scene))
        let (view, isDone) = try await scene.test.custody.write {
            try $0.cancel(first.id, of: tenant)
        }
        #expect(isDone && view.transaction.status == .cancelled)
        let second = try await ask(scene, draft(scene, id: "c-2"))
        let request = try #require(try await scene.requests().first)
        let no = Verdict.refusal(.init(.contractNotAllowed, "Not here."))
        _ = try await scene.say(no, 0, on: request)
        _ = try await scene.say(no, 1, on: request)
        #expect(try await scene.read(second).transaction.status == .failed)
        #expect(try await scene.test.balance(scene.alice).available == WithdrawalScene.start)
        try await scene.sums()
    }
}
