import Algebra
import Canonical
import Chains
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

/// A withdrawal that is signed and that no block takes. Its first bytes are of 21,000 gas at 3 wei.
struct StuckScene {
    var scene: WithdrawalScene
    let asked: Transaction
    let first: SignedEVMTransaction

    static let approval = Verdict.approval(digests: [])

    init() async throws {
        scene = try await WithdrawalScene()
        asked = try await scene.withdraw(scene.draft(externalID: "w"))
        first = try await scene.sign(try #require(try await scene.requests().first))
        scene.test.pass(seconds: 1)
    }

    func draft(
        _ name: String = "r-1", price: UInt64? = nil, tip: UInt64? = nil, maxFee: String? = nil
    ) -> ReplacementDraft {
        ReplacementDraft(externalID: name, price: price, tip: tip, maxFee: maxFee)
    }

    @discardableResult func replace(
        by kind: Replacement.Kind = .speedUp, _ draft: ReplacementDraft? = nil,
        of transaction: TransactionID? = nil, for tenant: TenantID? = nil
    ) async throws -> Transaction {
        let (draft, tenant) = (draft ?? self.draft(), tenant ?? scene.tenant)
        let id = transaction ?? asked.id
        return try await scene.test.custody.write {
            try $0.replace(id, by: kind, draft, for: tenant)
        }
    }

    /// Its intent, with the holders; a second later another may follow.
    func offered() async throws -> SigningRequest {
        let request = try #require(
            try await scene.requests().first { $0.transaction == asked.id })
        scene.test.pass(seconds: 1)
        return request
    }

    /// Asks for a speed-up that ends unclear: a quorum may have signed it, and nobody shows it.
    mutating func leaveUnclear() async throws -> SigningRequest {
        try await replace()
        let request = try await offered()
        for holder in 0...1 { _ = try await scene.say(Self.approval, holder, on: request) }
        scene.test.pass(seconds: 3601)
        _ = try await scene.tend()
        _ = try await scene.say(.given, 0, on: request)
        #expect(try await replacements().map(\.state) == [.unclear])
        return request
    }

    func sign(_ request: SigningRequest) async throws -> SignedEVMTransaction {
        #expect(try await take(scene.test.signature(request), request))
        let hash = try #require(
            try await replacements().first { $0.intent == request.digest }?.hash)
        let raw = try await scene.test.custody.read {
            try $0.store.outgoing(hash, on: TestCustody.chain)!.raw
        }
        return SignedEVMTransaction(raw: raw)!
    }

    func take(_ signature: ECDSASignature, _ request: SigningRequest) async throws -> Bool {
        try await scene.test.custody.write {
            try $0.take(signature: signature, of: request.digest)
        }
    }

    func replacements() async throws -> [Replacement] {
        let id = asked.id
        return try await scene.test.custody.read { try $0.store.replacements(of: id) }
    }

    /// The hashes that are sent now.
    func sent() async throws -> [Digest] {
        let later = scene.test.now.adding(seconds: 3600)
        return try await scene.test.custody.read {
            try $0.store.outgoingToBroadcast(on: TestCustody.chain, before: later).map(\.hash)
        }
    }

    mutating func mine(_ signed: SignedEVMTransaction? = nil, fee: UInt32 = 42_000) async throws {
        let transfers = signed.map { [TestChain.mined($0, fee: Amount(fee))] } ?? []
        try await scene.test.apply(scene.chain.block(transfers))
    }

    mutating func drop() async throws {
        try await scene.test.revert(try #require(scene.chain.drop()))
    }

    func reserved() async throws -> Amount { try await scene.test.balance(scene.alice).reserved }
    func available() async throws -> Amount { try await scene.test.balance(scene.alice).available }
    func read() async throws -> TransactionView { try await scene.read(asked) }
}

/// What comes of bytes that take the place of others, with every participant's part played by the
/// test.
@Suite struct `A transaction that is replaced` {
    private static let start = Amount(baseUnits: "1000000000000000")!
    private static let amount = Amount(baseUnits: "100000000000000")!

    private func sum(_ amounts: Amount...) -> Amount {
        amounts.reduce(.zero) { $0.adding($1)! }
    }

    @Test func `is sped up with the same nonce, at the same id, for the difference`() async throws {
        var stuck = try await StuckScene()
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(63_000)))
        try await stuck.replace()
        // 21,000 gas at 3 × base + 2 × tip = 5 wei.
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(105_000)))
        let request = try await stuck.offered()
        #expect(request.attempt == 2 && request.nonce == 0)
        #expect(try await stuck.read().transaction.status == .broadcasting)
        #expect(try await stuck.sent() == [stuck.first.hash], "the earlier bytes go on")
        let second = try await stuck.sign(request)
        #expect(second.transaction.to == stuck.first.transaction.to)
        #expect(second.transaction.value == stuck.first.transaction.value)
        #expect(second.transaction.nonce == stuck.first.transaction.nonce)
        #expect(second.transaction.fee.maxFeePerGas == 5)
        #expect(second.transaction.fee.maxPriorityFeePerGas == 2)
        #expect(try await stuck.sent() == [second.hash])
        #expect(try await stuck.read().transaction.hash == second.hash)
        try await stuck.mine(second, fee: 100_000)
        for _ in 0..<2 { try await stuck.mine() }
        let done = try await stuck.read()
        #expect(done.transaction.status == .completed && done.transaction.fee == Amount(100_000))
        #expect(
            done.timeline.map(\.status) == [
                .submitted, .pendingSignature, .broadcasting, .broadcasting, .confirming,
                .completed,
            ])
        #expect(try await stuck.reserved() == .zero)
        #expect(
            try await stuck.available()
                == Self.start.subtracting(sum(Self.amount, Amount(100_000))))
        try await stuck.scene.sums()
    }

    @Test func `whose earlier bytes are mined first is whole, and stays so if the later come`()
        async throws
    {
        var stuck = try await StuckScene()
        try await stuck.replace()
        let request = try await stuck.offered()
        _ = try await stuck.scene.say(StuckScene.approval, 0, on: request)
        let orders = try await stuck.scene.say(StuckScene.approval, 1, on: request)
        guard case .run = orders.first else {
            Issue.record("a run was expected: \(orders)")
            return
        }
        try await stuck.mine(stuck.first)
        #expect(try await stuck.read().transaction.hash == stuck.first.hash)
        guard case .close = try await stuck.scene.tend().first else {
            Issue.record("the holders are told that it is needed no more")
            return
        }
        // The signature was under way; it is kept, and not sent.
        let second = try await stuck.sign(request)
        #expect(try await stuck.sent().isEmpty)
        #expect(try await stuck.read().transaction.status == .confirming)
        try await stuck.drop()
        #expect(try await stuck.read().transaction.status == .broadcasting)
        #expect(try await stuck.sent() == [second.hash])
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(105_000)))
        try await stuck.mine(second, fee: 99_000)
        for _ in 0..<2 { try await stuck.mine() }
        #expect(try await stuck.read().transaction.status == .completed)
        // Final, and taken back all the same: the earlier bytes come again.
        for _ in 0..<3 { try await stuck.drop() }
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(105_000)))
        try await stuck.mine(stuck.first, fee: 40_000)
        for _ in 0..<2 { try await stuck.mine() }
        let done = try await stuck.read().transaction
        #expect(done.status == .completed && done.hash == stuck.first.hash)
        #expect(try await stuck.reserved() == .zero)
        #expect(
            try await stuck.available() == Self.start.subtracting(sum(Self.amount, Amount(40_000))))
        try await stuck.scene.sums()
    }

    @Test func `that the holders refuse goes on as it was, says why, and may be asked again`()
        async throws
    {
        var stuck = try await StuckScene()
        try await stuck.replace()
        let request = try await stuck.offered()
        _ = try await stuck.scene.tend([stuck.scene.test.holders[0]])
        let waiting = try #require(try await stuck.read().waiting)
        #expect(waiting.next.contains("Its speed-up is with the key share holders."))
        #expect(waiting.next.contains("Test-2, Test-3"))
        let no = Verdict.refusal(.init(.feeAboveLimit, "The fee is too high here."))
        for holder in 1...2 { _ = try await stuck.scene.say(no, holder, on: request) }
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(63_000)))
        #expect(try await stuck.sent() == [stuck.first.hash])
        let view = try await stuck.read()
        #expect(view.transaction.status == .broadcasting)
        #expect(view.waiting?.next.contains("Its speed-up came to nothing") == true)
        #expect(view.waiting?.next.contains("The fee is too high here.") == true)
        #expect(view.refusals.map(\.code) == ["fee_above_limit", "fee_above_limit"])
        #expect(try await !stuck.take(stuck.scene.test.signature(request), request))
        try await stuck.replace(by: .speedUp, stuck.draft("r-2", price: 4, tip: 2))
        let second = try await stuck.sign(try await stuck.offered())
        #expect(try await stuck.sent() == [second.hash])
        try await stuck.mine(second)
        for _ in 0..<2 { try await stuck.mine() }
        #expect(try await stuck.reserved() == .zero)
        try await stuck.scene.sums()
    }

    @Test func `whose new bytes may be signed keeps what they can cost`() async throws {
        var stuck = try await StuckScene()
        let request = try await stuck.leaveUnclear()
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(105_000)))
        // What nobody shows may be in some node: the next is above it.
        let refusal = await #expect(throws: Refusal.self) {
            try await stuck.replace(by: .speedUp, stuck.draft("r-2", price: 5, tip: 2))
        }
        #expect(refusal?.message.contains("at least 6 wei for a gas, of which 3") == true)
        try await stuck.replace(by: .speedUp, stuck.draft("r-3"))
        let third = try await stuck.sign(try await stuck.offered())
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(126_000)))
        // Shown after all, it is kept, and the newest goes on.
        _ = try await stuck.sign(request)
        #expect(try await stuck.sent() == [third.hash])
        try await stuck.mine(third)
        for _ in 0..<2 { try await stuck.mine() }
        #expect(try await stuck.reserved() == .zero)
        try await stuck.scene.sums()
    }

    @Test func `whose bytes a holder keeps to itself and has mined is whole`() async throws {
        var stuck = try await StuckScene()
        let request = try await stuck.leaveUnclear()
        let kept = try Intent(request.bytes).transaction!
            .signed(stuck.scene.test.signature(request))
        try await stuck.mine(kept, fee: 105_000)
        #expect(try await stuck.replacements().map(\.hash) == [kept.hash])
        #expect(try await stuck.read().transaction.status == .confirming)
        for _ in 0..<2 { try await stuck.mine() }
        #expect(try await stuck.read().transaction.status == .completed)
        #expect(
            try await stuck.available()
                == Self.start.subtracting(sum(Self.amount, Amount(105_000))))
        #expect(try await stuck.reserved() == .zero)
        try await stuck.scene.sums()
    }

    @Test func `is not needed for a first signature that is kept back and mined`() async throws {
        var scene = try await WithdrawalScene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        for holder in 0...1 {
            _ = try await scene.say(StuckScene.approval, holder, on: request)
        }
        let kept = try Intent(request.bytes).transaction!.signed(scene.test.signature(request))
        try await scene.test.apply(scene.chain.block([TestChain.mined(kept)]))
        #expect(try await scene.read(asked).transaction.status == .confirming)
        #expect(try await scene.read(asked).transaction.hash == kept.hash)
        try await scene.sums()
    }

    @Test func `whose holder is gone while it is closed may be asked for again`() async throws {
        let stuck = try await StuckScene()
        try await stuck.replace()
        let request = try await stuck.offered()
        for holder in 0...1 {
            _ = try await stuck.scene.say(StuckScene.approval, holder, on: request)
        }
        stuck.scene.test.pass(seconds: 3601)
        _ = try await stuck.scene.tend()
        _ = try await stuck.scene.tend()
        let waiting = try #require(try await stuck.read().waiting)
        #expect(waiting.next.contains("being closed"))
        #expect(waiting.next.contains("Test-1, Test-2"))
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(105_000)))
        try await stuck.replace(by: .drop, stuck.draft("r-2"))
        #expect(try await stuck.offered().attempt == 3)
        // Closed after all, it needs nothing any more; what the drop may cost stays reserved.
        for holder in 0...1 { _ = try await stuck.scene.say(.closed, holder, on: request) }
        #expect(try await stuck.replacements().map(\.state) == [.ended, .signing])
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(126_000)))
        try await stuck.scene.sums()
    }

    @Test func `that expires frees the difference and leaves the address to others`() async throws {
        let stuck = try await StuckScene()
        try await stuck.replace()
        let request = try await stuck.offered()
        _ = try await stuck.scene.withdraw(stuck.scene.draft())
        #expect(try await stuck.scene.requests().isEmpty, "one intent of an address at a time")
        stuck.scene.test.pass(seconds: 3601)
        _ = try await stuck.scene.tend()
        #expect(try await stuck.replacements().map(\.state) == [.ended])
        #expect(
            try await stuck.reserved() == sum(Self.amount, Self.amount, Amount(2 * 63_000)))
        let next = try #require(try await stuck.scene.requests().first)
        #expect(next.nonce == 1 && next.transaction != request.transaction)
        try await stuck.scene.sums()
    }

    @Test func `is dropped: the fee is spent, and the amount is free again`() async throws {
        var stuck = try await StuckScene()
        try await stuck.replace(by: .drop)
        let request = try await stuck.offered()
        // Whoever knows nothing of the destination may sign it.
        #expect(
            try await stuck.scene.test.custody.read { try $0.everyone(asked: request).count } == 3)
        let drop = try await stuck.sign(request)
        #expect(drop.transaction.to.text == stuck.scene.alice.depositAddress)
        #expect(drop.transaction.value == .zero && drop.transaction.data.isEmpty)
        let late = await #expect(throws: Refusal.self) {
            try await stuck.replace(by: .speedUp, stuck.draft("r-2"))
        }
        #expect(late?.message == "It is being dropped.")
        try await stuck.mine(drop, fee: 100_000)
        #expect(try await stuck.read().transaction.status == .confirming)
        for _ in 0..<2 { try await stuck.mine() }
        let done = try await stuck.read().transaction
        #expect(done.status == .cancelled && done.failure == nil && done.hash == drop.hash)
        #expect(try await stuck.reserved() == .zero)
        #expect(try await stuck.available() == Self.start.subtracting(Amount(100_000)))
        try await stuck.scene.sums()
        // A reorganisation brings the payment.
        for _ in 0..<3 { try await stuck.drop() }
        #expect(try await stuck.read().transaction.status == .broadcasting)
        #expect(try await stuck.sent() == [drop.hash])
        try await stuck.mine(stuck.first)
        for _ in 0..<2 { try await stuck.mine() }
        #expect(try await stuck.read().transaction.status == .completed)
        #expect(
            try await stuck.available() == Self.start.subtracting(sum(Self.amount, Amount(42_000))))
        try await stuck.scene.sums()
    }

    @Test func `is dropped in place of a speed-up that no holder has seen`() async throws {
        let stuck = try await StuckScene()
        try await stuck.replace()
        try await stuck.replace(by: .drop, stuck.draft("r-2"))
        #expect(try await stuck.replacements().map(\.state) == [.ended, .asked])
        #expect(
            try await stuck.replacements().first?.explanation == "A drop was asked for instead.")
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(105_000)))
        let drop = try await stuck.sign(try await stuck.offered())
        #expect(drop.transaction.value == .zero)
        try await stuck.scene.sums()
    }

    @Test func `may be dropped however often its speed-up was refused`() async throws {
        let stuck = try await StuckScene()
        let no = Verdict.refusal(.init(.feeAboveLimit, "The fee is too high here."))
        for number in 1...Replacement.ofTransactionMost {
            try await stuck.replace(by: .speedUp, stuck.draft("r-\(number)"))
            let request = try await stuck.offered()
            for holder in 1...2 { _ = try await stuck.scene.say(no, holder, on: request) }
        }
        try await stuck.replace(by: .drop, stuck.draft("drop"))
        _ = try await stuck.sign(try await stuck.offered())
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(105_000)))
        try await stuck.scene.sums()
    }

    @Test func `whose dearer bytes a node refuses has the cheaper ones sent beside them`()
        async throws
    {
        let stuck = try await StuckScene()
        try await stuck.replace()
        let second = try await stuck.sign(try await stuck.offered())
        func answered(_ hash: Digest, _ refusal: String?) async throws {
            try await stuck.scene.test.custody.write {
                try $0.broadcasted(hash, on: TestCustody.chain, refusal: refusal)
            }
        }
        try await answered(second.hash, "tx fee exceeds the configured cap")
        #expect(try await Set(stuck.sent()) == [stuck.first.hash, second.hash])
        try await answered(stuck.first.hash, nil)
        let waiting = try #require(try await stuck.read().waiting)
        #expect(waiting.who == ["tx fee exceeds the configured cap"])
        try await answered(second.hash, nil)
        #expect(try await stuck.sent() == [second.hash])
    }

    @Test func `and dropped twice over a reorganisation owes nothing, whatever was spent between`()
        async throws
    {
        var stuck = try await StuckScene()
        try await stuck.replace(by: .drop)
        let drop = try await stuck.sign(try await stuck.offered())
        try await stuck.mine(drop, fee: 105_000)
        for _ in 0..<2 { try await stuck.mine() }
        let rest = try #require(
            try await stuck.available().subtracting(Amount(63_000)))
        _ = try await stuck.scene.withdraw(stuck.scene.draft(rest.text(decimals: 18)))
        #expect(try await stuck.available() == .zero)
        for _ in 0..<3 { try await stuck.drop() }
        let id = stuck.scene.alice.id
        func status() async throws -> Wallet.Status? {
            try await stuck.scene.test.custody.read { try $0.store.wallet(id)?.status }
        }
        #expect(try await status() == .frozen, "what is free again is spent")
        try await stuck.mine(drop, fee: 105_000)
        for _ in 0..<2 { try await stuck.mine() }
        #expect(try await stuck.read().transaction.status == .cancelled)
        #expect(try await status() == .active)
        #expect(try await stuck.available() == .zero)
        #expect(try await stuck.reserved() == sum(rest, Amount(63_000)))
        try await stuck.scene.sums()
    }

    @Test func `may be dropped, but not sped up, once its address was removed`() async throws {
        let stuck = try await StuckScene()
        let (tenant, entry) = (stuck.scene.tenant, stuck.scene.entry.id)
        _ = try await stuck.scene.test.custody.write {
            try $0.removeAddress(entry, of: tenant)
        }
        let refusal = await #expect(throws: Refusal.self) { try await stuck.replace() }
        #expect(refusal?.code == .notInAddressBook)
        try await stuck.replace(by: .drop)
        let request = try await stuck.offered()
        #expect(
            try await stuck.scene.test.custody.read { try $0.everyone(asked: request).count } == 3)
        _ = try await stuck.sign(request)
    }

    @Test func `is refused for its reason, and nothing is reserved`() async throws {
        var stuck = try await StuckScene()
        let before = try await stuck.scene.test.balance(stuck.scene.alice)
        let other = try await stuck.scene.test.tenant("Other")
        let early = try await stuck.scene.withdraw(stuck.scene.draft(externalID: "early"))
        let rows: [(ReplacementDraft, Refusal.Code, String)] = [
            (stuck.draft("w"), .externalIDReused, "external id"),
            (stuck.draft(""), .invalid, "externalId"),
            (stuck.draft(price: 3, tip: 2), .invalid, "at least 4 wei for a gas, of which 2"),
            (stuck.draft(price: 4, tip: 1), .invalid, "at least 4 wei for a gas, of which 2"),
            (stuck.draft(price: 5, tip: 6), .invalid, "not below its tip"),
            (stuck.draft(price: 1 << 60 - 1, tip: 6), .insufficientFunds, "lacks"),
            (stuck.draft(price: .max, tip: 6), .invalid, "below 2^60"),
            (stuck.draft(maxFee: "0.000000000000063"), .invalid, "at least 4 wei"),
            (stuck.draft(maxFee: "x"), .invalid, "decimal number"),
        ]
        for (draft, code, sentence) in rows {
            let refusal = await #expect(throws: Refusal.self) {
                try await stuck.replace(by: .speedUp, draft)
            }
            #expect(refusal?.code == code, "\(draft)")
            #expect(refusal?.message.contains(sentence) == true, "\(refusal?.message ?? "")")
        }
        var refusal = await #expect(throws: Refusal.self) {
            try await stuck.replace(of: early.id)
        }
        #expect(refusal?.message == "It is Submitted, not signed yet: cancel it instead.")
        refusal = await #expect(throws: Refusal.self) { try await stuck.replace(for: other) }
        #expect(refusal?.code == .notFound)
        let tenant = stuck.scene.tenant
        _ = try await stuck.scene.test.custody.write { try $0.cancel(early.id, of: tenant) }
        #expect(try await stuck.scene.test.balance(stuck.scene.alice) == before)

        try await stuck.replace()
        refusal = await #expect(throws: Refusal.self) { try await stuck.replace() }
        #expect(refusal?.code == .externalIDReused)
        let request = try await stuck.offered()
        refusal = await #expect(throws: Refusal.self) {
            try await stuck.replace(by: .drop, stuck.draft("r-2"))
        }
        #expect(refusal?.message == "Its speed-up is with the key share holders.")
        let second = try await stuck.sign(request)
        try await stuck.mine(second)
        refusal = await #expect(throws: Refusal.self) {
            try await stuck.replace(by: .drop, stuck.draft("r-2"))
        }
        #expect(refusal?.message == "It is Confirming already.")
        #expect(try await stuck.replacements().count == 1)
    }

    @Test func `has so many attempts and no more, and what others reserve stays theirs`()
        async throws
    {
        let stuck = try await StuckScene()
        for number in 1...Replacement.ofTransactionMost {
            try await stuck.replace(by: .speedUp, stuck.draft("r-\(number)"))
            _ = try await stuck.sign(try await stuck.offered())
        }
        let refusal = await #expect(throws: Refusal.self) {
            try await stuck.replace(by: .speedUp, stuck.draft("one more"))
        }
        #expect(refusal?.message.hasPrefix("A transaction is replaced at most 16 times") == true)
        // Of all bytes with its nonce the dearest counts, once.
        let most = try #require(try await stuck.replacements().last?.fee.most)
        #expect(try await stuck.reserved() == sum(Self.amount, most))
        let address = stuck.scene.alice.depositAddress
        let rest = try #require(Self.start.subtracting(sum(Self.amount, most)))
        let next = try #require(rest.subtracting(Amount(63_000)))
        _ = try await stuck.scene.withdraw(stuck.scene.draft(next.text(decimals: 18)))
        let request = try #require(try await stuck.scene.requests().first)
        #expect(request.source == address && request.nonce == 1)
        try await stuck.scene.sums()
    }

    @Test func `dropped may be sent again, as a transaction of its own`() async throws {
        var stuck = try await StuckScene()
        let tenant = stuck.scene.tenant
        func resend(_ name: String, _ id: TransactionID? = nil) async throws -> Transaction {
            let id = id ?? stuck.asked.id
            return try await stuck.scene.test.custody.write {
                try $0.resend(id, as: name, for: tenant)
            }
        }
        var refusal = await #expect(throws: Refusal.self) { try await resend("again") }
        #expect(refusal?.message == "It is Broadcasting: only what has failed is sent again.")
        try await stuck.replace(by: .drop)
        let drop = try await stuck.sign(try await stuck.offered())
        try await stuck.mine(drop, fee: 100_000)
        for _ in 0..<2 { try await stuck.mine() }
        for name in ["w", "r-1"] {
            refusal = await #expect(throws: Refusal.self) { try await resend(name) }
            #expect(refusal?.code == .externalIDReused)
        }
        let again = try await resend("again")
        #expect(again.id != stuck.asked.id && again.externalID == "again")
        #expect(again.amount == stuck.asked.amount)
        #expect(again.destinationAddress == stuck.asked.destinationAddress)
        #expect(try await stuck.reserved() == sum(Self.amount, Amount(63_000)))
        refusal = await #expect(throws: Refusal.self) { try await resend("again") }
        #expect(refusal?.code == .externalIDReused)
        let signed = try await stuck.scene.sign(
            try #require(try await stuck.scene.requests().first))
        #expect(signed.transaction.nonce == 1)
        try await stuck.mine(signed)
        for _ in 0..<2 { try await stuck.mine() }
        #expect(try await stuck.scene.read(again).transaction.status == .completed)
        #expect(try await stuck.read().transaction.status == .cancelled)
        // The address is not what it was: the rules of now count.
        let entry = stuck.scene.entry.id
        _ = try await stuck.scene.test.custody.write { try $0.removeAddress(entry, of: tenant) }
        refusal = await #expect(throws: Refusal.self) { try await resend("third") }
        #expect(refusal?.code == .notInAddressBook)
        let other = try await stuck.scene.test.tenant("Other")
        let (custody, id) = (stuck.scene.test.custody, stuck.asked.id)
        refusal = await #expect(throws: Refusal.self) {
            try await custody.write { try $0.resend(id, as: "x", for: other) }
        }
        #expect(refusal?.code == .notFound)
        try await stuck.scene.sums()
    }
}
