import Algebra
import Canonical
import Chains
import Holder
import Intents
import KeyGroups
import TestKit
import Testing
import Threshold

@Suite struct `A quorum of holders` {
    @Test func `makes a key and signs what two of three approve`() throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "happy")
        try quorum.generateKey()
        #expect(quorum.certificates.count == 3)
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        let approvals = quorum.verdicts.filter { $0.verdict.intent == intent.digest }
        #expect(approvals.count == 3)
        quorum.proposeSigning(intent, order, [0, 2])
        try quorum.run()
        let signed = try #require(quorum.signatures[intent.digest])
        #expect(Set(signed.keys) == [0, 2])
        let key = try #require(quorum.certificate?.verified()?.key.key(of: ECDSA.self))
        let derived = DerivedKey(order.sourcePath.derivation, of: key)!
        #expect(signed[0]![0].verifies(quorum.items(order)[0].digest, under: derived.publicKey))
    }

    @Test func `makes its own setups in a run, where a member's rules ask for it`() throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "fresh")
        quorum.members[2].rules = SimulatedQuorum.rules(freshSetups: true)
        quorum.restart(2)
        try quorum.generateKey()
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        quorum.proposeSigning(intent, order, [0, 2])
        try quorum.run()
        #expect(quorum.signatures[intent.digest] == nil)
        let report = try #require(quorum.reports.last { $0.member == 2 }?.report)
        #expect(
            report.reason == "this holder signs with setups of the run alone (freshSetups)")
        quorum.proposeSigning(intent, order, [0, 2], isFresh: true)
        try quorum.run()
        #expect(Set(try #require(quorum.signatures[intent.digest]).keys) == [0, 2])
        let rounds = quorum.envelopes.filter { $0.envelope.header.kind == .round }
        #expect(rounds.map(\.envelope.header.round).max() == FreshSigning.rounds.upperBound)
    }
}
