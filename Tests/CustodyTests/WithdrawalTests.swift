import Algebra
import Canonical
import Chains
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// A withdrawal from its request to its end, with every participant's part played by the test.
@Suite struct `A withdrawal` {
    private typealias Scene = WithdrawalScene

    private static let approval = Verdict.approval(digests: [])

    @Test func `reserves, is signed, mined and booked at its true cost`() async throws {
        var scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        #expect(asked.status == .submitted)
        // 21,000 gas at 2 × base + tip = 3 wei.
        #expect(asked.feeLimit == Amount(63_000))
        #expect(
            try await scene.test.balance(scene.alice).reserved
                == Amount(baseUnits: "100000000063000"))
        let request = try #require(try await scene.requests().first)
        #expect(try await scene.read(asked).transaction.status == .pendingSignature)
        #expect(scene.test.signer.publicKey.verifies(request.signature, of: request.digest))
        #expect(try await scene.say(Self.approval, 0, on: request).isEmpty)
        let orders = try await scene.say(Self.approval, 2, on: request)
        guard case .run(let bytes, _, let members) = orders.first else {
            Issue.record("\(orders)")
            return
        }
        #expect(members == [scene.test.holders[0], scene.test.holders[2]])
        #expect(try RunDescriptor(bytes).roster.indices.map(\.raw) == [1, 3])
        let signed = try await scene.sign(request)
        #expect(signed.sender?.text == scene.alice.depositAddress)
        #expect(try await scene.read(asked).transaction.status == .broadcasting)
        let mined = TestChain.mined(signed, fee: Amount(42_000))
        try await scene.test.apply(scene.chain.block([mined]))
        #expect(try await scene.read(asked).transaction.status == .confirming)
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        let done = try await scene.read(asked)
        #expect(done.transaction.status == .completed)
        #expect(done.transaction.fee == Amount(42_000))
        #expect(
            done.timeline.map(\.status) == [
                .submitted, .pendingSignature, .broadcasting, .confirming, .completed,
            ])
        let balance = try await scene.test.balance(scene.alice)
        #expect(
            balance
                == Balance(
                    available: Amount(baseUnits: "899999999958000")!, pending: .zero,
                    reserved: .zero))
        try await scene.sums()
    }

    @Test func `is refused for its reason, and nothing is reserved`() async throws {
        let scene = try await Scene()
        let other = try await scene.test.tenant("Other")
        let foreign = try await scene.test.custody.write { books in
            try books.addAddress(
                AddressBookDraft(
                    network: TestCustody.chain.text, address: Scene.stranger, tag: nil, label: "x",
                    externalID: nil), for: other)
        }
        func draft(
            wallet: WalletID? = nil, entry: AddressBookEntryID? = nil, address: String? = nil,
            tag: String? = nil, amount: String? = "0.0001", maxFee: String? = nil
        ) -> WithdrawalDraft {
            WithdrawalDraft(
                sourceWallet: wallet ?? scene.alice.id, addressBookEntry: entry,
                destinationAddress: address, destinationTag: tag, amount: amount, feeLevel: .slow,
                maxFee: maxFee, note: nil, externalID: nil)
        }
        let unlisted = EVMAddress(unchecked: [UInt8](repeating: 0xaa, count: 20)).text
        let rows: [(WithdrawalDraft, Refusal.Code, String?)] = [
            (draft(), .invalid, "destinationAddress"),
            (draft(entry: scene.entry.id, address: Scene.stranger), .invalid, "destinationAddress"),
            (draft(address: Scene.stranger, tag: "7"), .invalid, "destinationTag"),
            (
                draft(
                    wallet: WalletID(unchecked: [UInt8](repeating: 1, count: 16)),
                    entry: scene.entry.id), .notFound, nil
            ),
            (draft(entry: foreign.id), .notFound, nil),
            (draft(address: unlisted), .notInAddressBook, "destinationAddress"),
            (draft(address: Scene.stranger.lowercased()), .invalid, "destinationAddress"),
            (draft(address: "bc1q"), .invalid, "destinationAddress"),
            (draft(entry: scene.entry.id, amount: nil), .invalid, "amount"),
            (draft(entry: scene.entry.id, amount: "0.000000000000000999"), .belowMinimum, "amount"),
            (draft(entry: scene.entry.id, amount: "0.001"), .insufficientFunds, "amount"),
            (draft(entry: scene.entry.id, maxFee: "0.000000000000000001"), .feeTooHigh, "maxFee"),
        ]
        for (draft, code, field) in rows {
            let refusal = await #expect(throws: Refusal.self) {
                _ = try await scene.withdraw(draft)
            }
            #expect(refusal?.code == code)
            if let field { #expect(refusal?.fields.keys.contains(field) == true, "\(code)") }
        }
        #expect(try await scene.test.balance(scene.alice).reserved == .zero)
        #expect(try await scene.requests().isEmpty)
    }

    @Test func `two refusals of three end it at once, shown with their reasons`() async throws {
        let scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        let no = Verdict.refusal(.init(.amountAboveLimit, "Too much for this holder."))
        _ = try await scene.say(Self.approval, 0, on: request)
        _ = try await scene.say(no, 1, on: request)
        #expect(try await scene.read(asked).transaction.status == .pendingSignature)
        let orders = try await scene.say(no, 2, on: request)
        guard case .close = orders.first else {
            Issue.record("holders are told to close: \(orders)")
            return
        }
        let failed = try await scene.read(asked)
        #expect(failed.transaction.status == .failed)
        #expect(failed.transaction.failure?.code == .refusedByHolders)
        #expect(failed.refusals.map(\.code) == ["amount_above_limit", "amount_above_limit"])
        #expect(try await scene.test.balance(scene.alice).reserved == .zero)
        // A yes after a no does not count, nor does anything once it is closed.
        #expect(try await scene.say(Self.approval, 1, on: request).isEmpty)
        #expect(try await scene.requests().isEmpty)
        // The nonce was not used, so the next one gets it.
        _ = try await scene.withdraw(scene.draft())
        #expect(try await scene.requests().first?.nonce == 0)
    }

    @Test func `with two holders gone it says whom it waits for, since when, and goes on`()
        async throws
    {
        let scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        let one: Set = [scene.test.holders[0]]
        _ = try await scene.say(Self.approval, 0, on: request, online: one)
        _ = try await scene.tend(one)
        let waiting = try #require(try await scene.read(asked).transaction.waiting)
        #expect(waiting.cause == .holders)
        #expect(waiting.who == ["Test-2", "Test-3"])
        let since = waiting.since
        scene.test.pass(seconds: 30)
        _ = try await scene.tend(one)
        #expect(try await scene.read(asked).transaction.waiting?.since == since)
        let orders = try await scene.say(
            Self.approval, 1, on: request, online: Set(scene.test.holders[0...1]))
        guard case .run = orders.first else {
            Issue.record("\(orders)")
            return
        }
    }

    @Test func `of a holder that waits it says why; of runs that fail, who was silent`()
        async throws
    {
        let scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        let full = Verdict.waiting(.init(.dailyLimit, "The limit of a day is reached."))
        _ = try await scene.say(full, 1, on: request)
        let two = Set(scene.test.holders[0...1])
        _ = try await scene.tend(two)
        let waiting = try #require(try await scene.read(asked).transaction.waiting)
        #expect(waiting.who == ["Test-1", "Test-2", "Test-3"])
        #expect(waiting.next == "Test-2 waits: The limit of a day is reached.")
        // Another reason, and it has waited no less long.
        scene.test.pass(seconds: 5)
        let frozen = Verdict.waiting(.init(.frozen, "This holder is frozen."))
        _ = try await scene.say(frozen, 1, on: request)
        _ = try await scene.tend(two)
        let later = try #require(try await scene.read(asked).transaction.waiting)
        #expect(later.next == "Test-2 waits: This holder is frozen.")
        #expect(later.since == waiting.since)

        var orders: [HolderOrder] = []
        for number in 0...2 {
            orders += try await scene.say(Self.approval, number, on: request)
        }
        guard case .run(let bytes, _, let members) = orders.first else {
            Issue.record("a run was expected")
            return
        }
        let (run, online) = (try RunDescriptor(bytes).digest, Set(scene.test.holders))
        let signer = scene.test.signer
        _ = try await scene.test.custody.write {
            try $0.runEnded(
                run, reason: "declined", culprits: [], missing: [], isBan: false,
                heardFrom: members[1], online: online, signer: signer)
        }
        _ = try await scene.tend()
        let failing = try #require(try await scene.read(asked).transaction.waiting)
        #expect(failing.cause == .run)
        #expect(failing.who.count == 1)
        #expect(failing.next.contains("declined"))
    }

    @Test func `a failed run is followed by another, the silent member last`() async throws {
        let scene = try await Scene()
        _ = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        _ = try await scene.say(Self.approval, 0, on: request)
        let first = try await scene.say(Self.approval, 1, on: request)
        guard case .run(let bytes, _, _) = first.first else { return }
        _ = try await scene.say(Self.approval, 2, on: request)
        let holders = scene.test.holders
        let descriptor = try RunDescriptor(bytes).digest
        let signer = scene.test.signer
        _ = try await scene.test.custody.write {
            try $0.runEnded(
                descriptor, reason: "timeout", culprits: [], missing: [holders[1]], isBan: false,
                heardFrom: holders[0], online: Set(holders), signer: signer)
        }
        scene.test.pass(seconds: 1)
        let next = try await scene.tend()
        guard
            case .run(_, _, let members)? = next.first(where: {
                if case .run = $0 { true } else { false }
            })
        else {
            Issue.record("\(next)")
            return
        }
        #expect(members == [holders[0], holders[2]])
    }

    @Test func `a banned pair is never put together again`() async throws {
        let scene = try await Scene()
        _ = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        let holders = scene.test.holders
        let group = request.group
        try await scene.test.custody.write {
            try $0.store.insertBannedPair(holders[0], holders[1], in: group)
        }
        _ = try await scene.say(Self.approval, 0, on: request)
        #expect(try await scene.say(Self.approval, 1, on: request).isEmpty)
        let orders = try await scene.say(Self.approval, 2, on: request)
        guard case .run(_, _, let members) = orders.first else {
            Issue.record("\(orders)")
            return
        }
        #expect(members == [holders[0], holders[2]])
    }

    @Test func `expires where no run was made, and frees its funds`() async throws {
        let scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        _ = try await scene.say(Self.approval, 0, on: request)
        scene.test.pass(seconds: 3601)
        _ = try await scene.tend()
        let failed = try await scene.read(asked)
        #expect(failed.transaction.status == .failed)
        #expect(failed.transaction.failure?.code == .expired)
        #expect(try await scene.test.balance(scene.alice).reserved == .zero)
        try await scene.sums()
    }

    /// Once a run was proposed a signature may exist that nobody shows: funds stay reserved until
    /// every member of it has signed that it closed.
    @Test func `keeps its funds until every member of its runs has closed it`() async throws {
        let scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        _ = try await scene.say(Self.approval, 0, on: request)
        _ = try await scene.say(Self.approval, 1, on: request)
        scene.test.pass(seconds: 3601)
        _ = try await scene.tend()
        #expect(try await scene.read(asked).transaction.status == .pendingSignature)
        #expect(try await scene.read(asked).transaction.waiting?.cause == .closing)
        _ = try await scene.say(.closed, 0, on: request)
        #expect(try await scene.read(asked).transaction.status == .pendingSignature)
        // A holder that was in no run closes for itself alone.
        _ = try await scene.say(.closed, 2, on: request)
        #expect(try await scene.read(asked).transaction.status == .pendingSignature)
        _ = try await scene.say(.closed, 1, on: request)
        #expect(try await scene.read(asked).transaction.status == .failed)
        #expect(try await scene.test.balance(scene.alice).reserved == .zero)
    }

    @Test func `keeps its funds while one has given, though the others say that they closed it`()
        async throws
    {
        let scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        _ = try await scene.say(Self.approval, 0, on: request)
        _ = try await scene.say(Self.approval, 1, on: request)
        scene.test.pass(seconds: 3601)
        _ = try await scene.tend()
        // One of the two may lie, and have a signature with the last message of the first.
        _ = try await scene.say(.closed, 1, on: request)
        _ = try await scene.say(.closed, 2, on: request)
        #expect(try await scene.read(asked).transaction.status == .pendingSignature)
        _ = try await scene.say(.given, 0, on: request)
        #expect(try await scene.read(asked).transaction.status == .pendingSignature)
        #expect(try await scene.test.balance(scene.alice).reserved != .zero)
    }

    @Test func `keeps its funds where a holder has given in a run that was hidden`() async throws {
        let scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        // No run was proposed here, and yet: whoever carries messages can start one.
        _ = try await scene.say(.given, 0, on: request)
        scene.test.pass(seconds: 3601)
        _ = try await scene.tend()
        #expect(try await scene.read(asked).transaction.status == .pendingSignature)
        #expect(try await scene.test.balance(scene.alice).reserved != .zero)
    }

    @Test func `where a last message was given it is asked again with the same nonce`() async throws
    {
        var scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let first = try #require(try await scene.requests().first)
        _ = try await scene.say(Self.approval, 0, on: first)
        _ = try await scene.say(Self.approval, 1, on: first)
        scene.test.pass(seconds: 3601)
        _ = try await scene.tend()
        _ = try await scene.say(.given, 0, on: first)
        let second = try #require(try await scene.requests().first)
        #expect(second.nonce == first.nonce)
        #expect(second.source == first.source)
        #expect(second.attempt == 2)
        #expect(second.digest != first.digest)
        // Only one of the two can be mined; here the hidden one was, shown late by a holder.
        let hidden = try scene.test.signature(first)
        let signed = try await scene.sign(second)
        #expect(
            try await scene.test.custody.write { try $0.take(signature: hidden, of: first.digest) })
        #expect(try await scene.read(asked).transaction.hash == signed.hash, "the one that is sent")
        let mined = TestChain.mined(signed)
        try await scene.test.apply(scene.chain.block([mined]))
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        #expect(try await scene.read(asked).transaction.status == .completed)
        try await scene.sums()
    }

    @Test func `a source address signs one at a time; nonces follow each other`() async throws {
        let scene = try await Scene()
        let first = try await scene.withdraw(scene.draft())
        let second = try await scene.withdraw(scene.draft())
        let requests = try await scene.requests()
        #expect(requests.count == 1)
        #expect(requests[0].transaction == first.id)
        #expect(try await scene.read(second).transaction.waiting?.cause == .sourceAddress)
        _ = try await scene.sign(requests[0])
        let next = try await scene.requests()
        #expect(next.map(\.nonce) == [1])
        #expect(next[0].transaction == second.id)
    }

    @Test func `a signature that is not of this transfer and key is not taken`() async throws {
        let scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        let good = try scene.test.signature(request)
        let other = ECDSASignature(r: good.s, anyS: good.r, recoveryID: 0)!
        #expect(
            try await !scene.test.custody.write {
                try $0.take(signature: other, of: request.digest)
            })
        #expect(
            try await !scene.test.custody.write { try $0.take(signature: good, of: .sha256([1])) })
        #expect(try await scene.read(asked).transaction.status == .pendingSignature)
        #expect(
            try await scene.test.custody.write { try $0.take(signature: good, of: request.digest) })
        #expect(
            try await !scene.test.custody.write { try $0.take(signature: good, of: request.digest) }
        )
    }

    @Test func `a reorganisation takes it back, and the same bytes are broadcast again`()
        async throws
    {
        var scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        let signed = try await scene.sign(request)
        let mined = TestChain.mined(signed)
        try await scene.test.apply(scene.chain.block([mined]))
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        #expect(try await scene.read(asked).transaction.status == .completed)
        for _ in 0..<3 { try await scene.test.revert(scene.chain.drop()!) }
        #expect(try await scene.read(asked).transaction.status == .broadcasting)
        let now = scene.test.now
        let due = try await scene.test.custody.read {
            try $0.store.outgoingToBroadcast(on: TestCustody.chain, before: now)
        }
        #expect(due.map(\.raw) == [signed.raw])
        try await scene.sums()
        let again = TestChain.mined(signed, fee: Amount(50_000))
        try await scene.test.apply(scene.chain.block([again]))
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        let done = try await scene.read(asked)
        #expect(done.transaction.status == .completed)
        #expect(done.transaction.fee == Amount(50_000))
        #expect(
            try await scene.test.balance(scene.alice).available
                == Amount(baseUnits: "899999999950000"))
        try await scene.sums()
    }

    @Test func `a transfer that the chain mined and did not carry out costs its fee alone`()
        async throws
    {
        var scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        let signed = try await scene.sign(request)
        let mined = TestChain.mined(signed, fee: Amount(42_000), succeeded: false)
        try await scene.test.apply(scene.chain.block([mined]))
        for _ in 0..<2 { try await scene.test.apply(scene.chain.block()) }
        let done = try await scene.read(asked)
        #expect(done.transaction.status == .failed)
        #expect(done.transaction.failure?.code == .rejectedByChain)
        #expect(
            try await scene.test.balance(scene.alice).available
                == Amount(baseUnits: "999999999958000"))
        try await scene.sums()
    }

    @Test func `a transfer that nobody here made is shown as a debt and freezes the wallet`()
        async throws
    {
        var scene = try await Scene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        // A quorum outside signs what was never taken in here.
        guard case .transfer(let order) = try Intent(request.bytes).purpose else { return }
        let foreign = EVMTransaction(
            chainID: 31337, nonce: 0, fee: order.fee,
            to: EVMAddress(unchecked: [UInt8](repeating: 0x66, count: 20)), value: Amount(777))
        let network = try scene.test.group.signing(
            TestKeys.indices(2),
            [SigningItem(path: order.sourcePath.derivation, digest: foreign.signingDigest)])
        network.run()
        let signed = foreign.signed(network.outputs.values.first![0])
        let mined = TestChain.mined(signed)
        try await scene.test.apply(scene.chain.block([mined]))
        let (tenant, alice) = (scene.tenant, scene.alice.id)
        let wallet = try await scene.test.custody.read { try $0.wallet(alice, of: tenant) }
        #expect(wallet.status == .frozen)
        try await scene.sums()
        _ = try await scene.read(asked)
    }

    @Test func `with a known external id is the same one, also after its entry was removed`()
        async throws
    {
        let scene = try await Scene()
        let first = try await scene.withdraw(scene.draft(externalID: "payout 1"))
        let again = try await scene.withdraw(scene.draft(externalID: "payout 1"))
        #expect(first.id == again.id)
        let (tenant, entry) = (scene.tenant, scene.entry.id)
        try await scene.test.custody.write { try $0.removeAddress(entry, of: tenant) }
        #expect(try await scene.withdraw(scene.draft(externalID: "payout 1")).id == first.id)
        let refusal = await #expect(throws: Refusal.self) {
            _ = try await scene.withdraw(scene.draft())
        }
        #expect(refusal?.code == .notInAddressBook)
        // What it may cost makes no other payment of it; another amount does.
        let faster = WithdrawalDraft(
            sourceWallet: scene.alice.id, addressBookEntry: entry, destinationAddress: nil,
            destinationTag: nil, amount: "0.0001", feeLevel: .fast, maxFee: "0.1", note: nil,
            externalID: "payout 1")
        #expect(try await scene.withdraw(faster).id == first.id)
        let other = await #expect(throws: Refusal.self) {
            _ = try await scene.withdraw(scene.draft("0.0002", externalID: "payout 1"))
        }
        #expect(other?.code == .externalIDReused)
    }
}
