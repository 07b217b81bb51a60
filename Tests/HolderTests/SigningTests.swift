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

    @Test func `signs the same nonce again, dearer or for nothing, and counts each in full`() throws
    {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "again")
        // Room for 1000 at 1 and at 2 gwei for a gas, and for a drop at 3.
        for index in quorum.members.indices {
            quorum.members[index].rules = SimulatedQuorum.rules(perDay: 126_000_000_002_000)
            quorum.restart(index)
        }
        try quorum.generateKey()
        let payment = quorum.order()
        let gwei: UInt64 = 1_000_000_000
        let dearer = quorum.order(maxFee: 2 * gwei)
        let drop = TransferOrder(
            chain: payment.chain, sourcePath: payment.sourcePath,
            sourceAddress: payment.sourceAddress,
            output: .init(
                asset: payment.output.asset, address: payment.sourceAddress, amount: .zero,
                ownPath: payment.sourcePath),
            nonce: payment.nonce, fee: quorum.order(maxFee: 3 * gwei).fee)
        var hashes: Set<Digest> = []
        for order in [payment, dearer, drop] {
            let intent = quorum.intent(.transfer(order))
            quorum.offer(intent)
            try quorum.run()
            quorum.proposeSigning(intent, order, [0, 2])
            try quorum.run()
            let signature = try #require(quorum.signatures[intent.digest]?[0]?.first)
            let signed = try #require(intent.transaction?.signed(signature))
            #expect(signed.sender?.text == payment.sourceAddress)
            #expect(signed.transaction.nonce == payment.nonce)
            hashes.insert(signed.hash)
        }
        #expect(hashes.count == 3)
        let more = quorum.intent(.transfer(quorum.order(nonce: 1)))
        quorum.offer(more)
        try quorum.run()
        let last = try #require(quorum.verdicts.last { $0.verdict.intent == more.digest })
        guard case .waiting(let reason) = last.verdict.verdict else {
            Issue.record("the counter is full: \(last.verdict.verdict)")
            return
        }
        #expect(reason.code == .dailyLimit)
    }
}
