import Algebra
import Canonical
import Chains
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

/// Withdrawals, speed-ups, drops, signatures, refusals, lapses, blocks and reorganisations in an
/// order that a seed draws. Of all bytes that were ever signed a block may have any.
@Suite struct `A walk with replacements` {
    private struct Walk {
        var scene: WithdrawalScene
        var random: TestRandom
        var blocks: [[ObservedBlock.Transfer]] = []
        var deposits: [ObservedBlock.Transfer] = []
        var raws: [SignedEVMTransaction] = []
        var names = 0
        var seen: Set<String> = []

        init(_ seed: Int) async throws {
            scene = try await WithdrawalScene()
            random = TestRandom("replacement walk \(seed)")
        }

        var address: String { scene.alice.depositAddress }

        /// What the chain has at the address, and its next nonce.
        func state() -> (funds: UInt128, nonce: UInt64) {
            var (funds, nonce) = (WithdrawalScene.start.baseUnits, UInt64(0))
            for transfer in blocks.joined() {
                let (sent, value) = (transfer.transaction, transfer.transaction.value ?? .zero)
                if sent.to?.text == address { funds += value.baseUnits }
                guard sent.from.text == address else { continue }
                funds -= value.baseUnits + transfer.receipt.fee.baseUnits
                nonce = sent.nonce + 1
            }
            return (funds, nonce)
        }

        mutating func mine(all: Bool = false) async throws {
            blocks.append(deposits)
            deposits = []
            for signed in random.shuffled(raws) where all || random.integer(below: 4) == 0 {
                let (funds, nonce) = state()
                let most = signed.transaction.fee.most!
                guard signed.transaction.nonce == nonce,
                    funds >= signed.transaction.value.baseUnits + most.baseUnits
                else { continue }
                let fee = random.integer(below: 2) == 0 ? most : Amount(UInt32(42_000))
                blocks[blocks.count - 1].append(TestChain.mined(signed, fee: fee))
            }
            try await scene.test.apply(scene.chain.block(blocks[blocks.count - 1]))
        }

        mutating func reorganise() async throws {
            for _ in 0..<(1 + random.integer(below: 5)) {
                guard let dropped = blocks.popLast() else { return }
                deposits += dropped.filter { $0.transaction.from.text != address }
                try await scene.test.revert(scene.chain.drop()!)
            }
        }

        mutating func withdraw() async throws {
            let most = try await scene.test.balance(scene.alice).available.baseUnits
            let wei = most * UInt128(1 + random.integer(below: 9)) / 10
            do {
                _ = try await scene.withdraw(scene.draft(Amount(wei)!.text(decimals: 18)))
            } catch is Refusal {}
        }

        mutating func replace() async throws {
            let sent = try await scene.test.custody.read {
                try $0.store.transactions(in: .broadcasting, kind: .withdrawal)
            }
            guard !sent.isEmpty else { return }
            names += 1
            let (id, tenant) = (sent[random.integer(below: sent.count)].id, scene.tenant)
            let draft = ReplacementDraft(
                externalID: "r-\(names)", price: nil, tip: nil, maxFee: nil)
            let kind = random.integer(below: 3) == 0 ? Replacement.Kind.drop : .speedUp
            do {
                _ = try await scene.test.custody.write {
                    try $0.replace(id, by: kind, draft, for: tenant)
                }
                seen.insert(kind.rawValue)
            } catch is Refusal {}
        }

        func open() async throws -> [SigningRequest] {
            _ = try await scene.requests()
            return try await scene.test.custody.read {
                try $0.store.signingRequests(in: [.open, .closing, .unclear])
            }
        }

        mutating func sign(_ request: SigningRequest) async throws {
            let signature = try scene.test.signature(request)
            let isTaken = try await scene.test.custody.write {
                try $0.take(signature: signature, of: request.digest)
            }
            guard isTaken else { return }
            raws.append(try Intent(request.bytes).transaction!.signed(signature))
        }

        func unfinished() async throws -> [Transaction] {
            try await scene.test.custody.read { books in
                var found: [Transaction] = []
                for status in Transaction.Status.allCases where !status.isFinal {
                    for kind in [Transaction.Kind.deposit, .withdrawal] {
                        found += try books.store.transactions(in: status, kind: kind)
                    }
                }
                return found
            }
        }

        /// A holder gives its last message, and the intent expires.
        func lapse(_ request: SigningRequest) async throws {
            for holder in 0...1 {
                _ = try await scene.say(.approval(digests: []), holder, on: request)
            }
            if names.isMultiple(of: 2) { _ = try await scene.say(.given, 0, on: request) }
            scene.test.pass(seconds: 3601)
            _ = try await scene.tend()
        }

        mutating func step() async throws {
            scene.test.pass(seconds: 1)
            let requests = try await open()
            let request = requests.isEmpty ? nil : requests[random.integer(below: requests.count)]
            switch random.integer(below: 12) {
            case 0...1: try await withdraw()
            case 2...4: try await replace()
            case 5...7: if let request { try await sign(request) }
            case 8:
                let no = Verdict.refusal(.init(.feeAboveLimit, "No."))
                guard let request, request.attempt > 1 else { return }
                for holder in 0...1 { _ = try await scene.say(no, holder, on: request) }
            case 9: if let request, request.attempt > 1 { try await lapse(request) }
            case 10: try await reorganise()
            default: try await mine()
            }
            if random.integer(below: 3) == 0 { _ = try await scene.tend() }
            try await scene.sums()
        }

        /// Goes on with nothing in the way until all has ended. What a reorganisation took for
        /// good, since what was freed is spent, is sent anew.
        mutating func settle() async throws {
            for round in 0..<200 {
                scene.test.pass(seconds: 1)
                for request in try await open() { try await sign(request) }
                _ = try await scene.tend()
                try await mine(all: true)
                let left = try await unfinished()
                if left.isEmpty, deposits.isEmpty { return }
                guard round % 20 == 19 else { continue }
                for transaction in left where transaction.kind == .withdrawal {
                    let more = transaction.amount.adding(transaction.feeMost)!
                    deposits.append(scene.chain.deposit(more, to: address))
                }
            }
            Issue.record("not all has ended: \(try await unfinished())")
        }
    }

    @Test(arguments: 0..<16) func `ends with ledger and chain of one mind, and nothing reserved`(
        _ seed: Int
    ) async throws {
        var walk = try await Walk(seed)
        for _ in 0..<150 { try await walk.step() }
        #expect(walk.seen == ["SpeedUp", "Drop"])
        try await walk.settle()
        let (test, alice) = (walk.scene.test, walk.scene.alice)
        let suspense = LedgerAccount(
            tenant: alice.tenant, asset: alice.asset, wallet: alice.id, role: .suspense)
        let (held, debt) = try await test.custody.read {
            (
                try $0.store.funds(of: alice.depositAddress, asset: TestCustody.eth.asset),
                try $0.store.balance(of: suspense)
            )
        }
        #expect(held.baseUnits == walk.state().funds)
        let balance = try await test.balance(walk.scene.alice)
        #expect(balance.reserved.isZero && balance.pending.isZero)
        // What was freed and spent before a reorganisation brought dearer bytes is a debt.
        #expect(balance.available == held.adding(debt))
        try await walk.scene.sums()
    }
}
