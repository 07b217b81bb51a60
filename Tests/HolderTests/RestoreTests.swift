import Algebra
import Canonical
import Holder
import Intents
import KeyGroups
import TestKit
import Testing
import Threshold

/// A holder whose disk was brought back from an old copy: the fence is at its peers.
@Suite(.serialized) struct `A holder restored from an old copy` {
    private func lastMessages(_ quorum: SimulatedQuorum) -> Int {
        quorum.envelopes.count {
            $0.envelope.header.kind == .round && $0.envelope.header.round == 3
        }
    }

    @Test func `does not sign a second time in a run that it has forgotten`() throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "forgotten run")
        try quorum.generateKey()
        let before = try SimulatedQuorum(copying: quorum)
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        let run = quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        #expect(quorum.signatures[intent.digest]?.count == 2)
        let (given, said) = (lastMessages(quorum), quorum.envelopes)

        try quorum.restore(0, from: before)
        quorum.offer(intent)
        try quorum.run()
        for member in 0...1 { quorum.post(.run(descriptor: run.bytes, source: []), to: member) }
        try quorum.run()
        // All that its peer ever said in that run is brought to it again.
        for (member, envelope) in said where member == 1 {
            quorum.post(.envelope(envelope.bytes), to: 0)
        }
        try quorum.run()
        #expect(lastMessages(quorum) == given, "neither gives a last message again")
        #expect(
            quorum.reports.last { $0.member == 1 }?.report.reason
                == "this descriptor was used before")
    }

    @Test func `signs nothing under an epoch that its peers have left`() throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "left epoch")
        try quorum.generateKey()
        let before = try SimulatedQuorum(copying: quorum)
        let certificate = try #require(quorum.certificate)
        let (key, digest) = try #require(certificate.verified())
        let ceremony = try #require(
            KeyCeremony(
                occasion: .refresh, scheme: key.scheme, kind: .main, threshold: key.threshold,
                holders: quorum.roster,
                source: KeyCeremony.Source(
                    group: quorum.group, epoch: 1, certificate: digest, publicKey: key.publicKey)))
        let refresh = quorum.intent(.keyCeremony(ceremony), epoch: 2, request: 8)
        quorum.offer(refresh)
        try quorum.run()
        quorum.propose(
            refresh,
            .keyCeremony(
                SharingPlan(
                    kind: .main, threshold: key.threshold, holders: quorum.roster,
                    source: SharingPlan.Source(
                        group: quorum.group, epoch: 1, certificate: digest,
                        dealers: quorum.places(of: [0, 1])))!), source: certificate.bytes)
        try quorum.run()
        #expect(quorum.certificates.count == 6, "all three hold epoch 2")

        let given = lastMessages(quorum)
        try quorum.restore(0, from: before)
        let order = quorum.order()
        let old = quorum.intent(.transfer(order), epoch: 1, request: 9)
        quorum.offer(old)
        try quorum.run()
        let said = Dictionary(
            quorum.verdicts.suffix(3).map { ($0.member, $0.verdict.verdict.name) },
            uniquingKeysWith: { $1 })
        #expect(said == [0: "approval", 1: "refusal", 2: "refusal"])
        quorum.proposeSigning(old, order, [0, 1])
        try quorum.run()
        #expect(quorum.signatures.isEmpty)
        #expect(lastMessages(quorum) == given)
    }
}
