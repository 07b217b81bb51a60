import Canonical
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing
import Threshold

/// What bounds the runs that a holder takes part in at one time.
@Suite struct `A holder's live runs` {
    private func quorum(_ seed: String) throws -> SimulatedQuorum {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: seed)
        try quorum.generateKey()
        return quorum
    }

    @Test func `get no message from a holder that hears the others too late`() throws {
        let quorum = try quorum("late")
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        var held: [HolderInput] = []
        quorum.relay = { transit in
            guard transit.to == 0, case .envelope = transit.input else { return [transit] }
            held.append(transit.input)
            return []
        }
        quorum.proposeSigning(intent, order, [0, 1], expiresIn: 60)
        try quorum.run()
        // The Ready and the first messages of member 1 wait for member 0.
        #expect(held.count == 3)
        quorum.members[0].wall += 61
        quorum.members[0].monotonic += 61
        try quorum.handle(held, by: 0)
        let said = quorum.envelopes.filter { $0.member == 0 }.map(\.envelope.header.kind)
        #expect(said == [.ready, .abort])
        #expect(quorum.reports.last { $0.member == 0 }?.report.reason == "timeout")
    }

    @Test func `are one for an intent, that of the highest attempt`() throws {
        let quorum = try quorum("attempts")
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        func propose(attempt: UInt16) throws {
            let descriptor = RunDescriptor(
                request: intent.request, attempt: attempt, intent: intent.digest,
                group: intent.group, epoch: 1, scheme: .ecdsaSecp256k1,
                purpose: .signing(
                    certificate: quorum.certificate!.verified()!.digest,
                    items: quorum.items(order), quorum.places(of: [0, 1])),
                expires: SimulatedQuorum.start + 60)
            try quorum.handle(.run(descriptor: descriptor.bytes, source: []), by: 0)
        }
        try propose(attempt: 5)
        try propose(attempt: 5)
        #expect(quorum.reports.isEmpty)
        try propose(attempt: 4)
        let reasons = quorum.reports.map(\.report.reason)
        #expect(reasons == ["a run for the intent is under way"])
        try propose(attempt: 6)
        #expect(quorum.envelopes.map(\.envelope.header.kind) == [.ready, .ready])
        try quorum.tick(61)
        // The run of attempt 5 is gone, so one is left to end.
        #expect(quorum.reports.dropFirst().map(\.report.reason) == ["timeout"])
    }

    @Test func `are 64 at most`() throws {
        let quorum = try quorum("many")
        quorum.relay = { transit in
            guard transit.to == 0 else { return [] }
            if case .envelope = transit.input { return [] }
            return [transit]
        }
        for number: UInt8 in 0..<65 {
            let order = quorum.order(nonce: UInt64(number), maxFee: 1000)
            let intent = quorum.intent(.transfer(order), request: number)
            quorum.offer(intent, to: [0])
            quorum.proposeSigning(intent, order, [0, 1])
            try quorum.run()
        }
        #expect(quorum.envelopes.count == 64)
        #expect(quorum.reports.map(\.report.reason) == ["too many runs"])
    }

    @Test func `refuses setups with who broke eight, and nothing else`() throws {
        let quorum = try quorum("eight")
        let database = quorum.members[0].database
        let cheater = quorum.members[1].identity
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        for _ in 0..<8 {
            try database.commit {
                _ = try database.countDiscardedSetup(group: quorum.group, peer: cheater)
            }
        }
        func reason() -> String? { quorum.reports.last { $0.member == 0 }?.report.reason }
        quorum.proposeSigning(intent, order, [0, 1], isFresh: true)
        try quorum.run()
        #expect(reason()?.hasPrefix("8 setups with \(cheater.hex) were discarded") == true)
        #expect(quorum.signatures.isEmpty)
        // With setups that are there already, or with another, it signs as before.
        quorum.proposeSigning(intent, order, [0, 2], isFresh: true)
        try quorum.run()
        #expect(Set(quorum.signatures[intent.digest]?.keys.map { $0 } ?? []) == [0, 2])
        try database.commit { try database.thaw() }
        let next = quorum.order(nonce: 1)
        let second = quorum.intent(.transfer(next))
        quorum.offer(second)
        try quorum.run()
        quorum.proposeSigning(second, next, [0, 1], isFresh: true)
        try quorum.run()
        #expect(Set(quorum.signatures[second.digest]?.keys.map { $0 } ?? []) == [0, 1])
    }
}
