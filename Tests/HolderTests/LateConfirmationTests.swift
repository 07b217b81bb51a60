import Canonical
import Holder
import Intents
import KeyGroups
import TestKit
import Testing
import Threshold

/// A holder that has said that it holds all signatures of a new epoch, and has not heard it of the
/// others.
@Suite struct `A holder that is told late that an epoch is active` {
    private func certified(_ quorum: SimulatedQuorum, _ index: Int) throws -> KeyCertificate {
        try #require(quorum.certificates.last { $0.member == index }?.certificate)
    }

    private func source(_ certificate: KeyCertificate) throws -> KeyCeremony.Source {
        let (key, digest) = try #require(certificate.verified())
        return KeyCeremony.Source(
            group: certificate.descriptor.group, epoch: certificate.descriptor.epoch,
            certificate: digest, publicKey: key.publicKey)
    }

    private func verdict(
        _ quorum: SimulatedQuorum, of certificate: KeyCertificate, request: UInt8
    ) throws -> Verdict? {
        let ceremony = KeyCeremony(
            occasion: .fromKeyGroup, scheme: .ecdsaSecp256k1, kind: .signing,
            threshold: quorum.threshold, holders: quorum.roster, source: try source(certificate))!
        let group = GroupID(unchecked: [UInt8](repeating: 77, count: 16))
        let intent = quorum.intent(.keyCeremony(ceremony), request: request, group: group)
        quorum.offer(intent, to: [0])
        try quorum.run()
        return quorum.verdicts.last { $0.verdict.intent == intent.digest }?.verdict.verdict
    }

    @Test func `waits to give a group shares of it, and does not refuse`() throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "late epoch")
        try quorum.generateKey()
        let first = try certified(quorum, 1)
        let old = try source(first)
        let refresh = KeyCeremony(
            occasion: .refresh, scheme: .ecdsaSecp256k1, kind: .main, threshold: quorum.threshold,
            holders: quorum.roster, source: old)!
        let intent = quorum.intent(.keyCeremony(refresh), epoch: 2, request: 2)
        var hasHeard = false
        quorum.relay = { transit in
            guard transit.to == 0, case .testimony(let bytes) = transit.input,
                var testimony = try? KeyTestimony(bytes)
            else { return [transit] }
            // It hears of all signatures once, and of nobody's activation.
            if hasHeard { return [] }
            hasHeard = testimony.signatures.count == 3
            testimony.activations = [:]
            return [.init(to: 0, input: .testimony(testimony.bytes))]
        }
        quorum.offer(intent)
        try quorum.run()
        let dealers = SharingPlan.Source(
            group: old.group, epoch: old.epoch, certificate: old.certificate,
            dealers: quorum.places(of: [0, 1]))
        let plan = SharingPlan(
            kind: .main, threshold: quorum.threshold, holders: quorum.roster, source: dealers)!
        quorum.propose(intent, .keyCeremony(plan), source: first.bytes)
        try quorum.run()
        let second = try certified(quorum, 1)
        #expect(second.descriptor.epoch == 2)

        guard case .waiting(let reason)? = try verdict(quorum, of: second, request: 3) else {
            Issue.record("an answer that may still change was expected")
            return
        }
        #expect(reason.code == .wrongEpoch)

        // Once it has heard, what is left to ask for is a person.
        quorum.relay = { [$0] }
        for index in quorum.members.indices { quorum.post(.connected, to: index) }
        try quorum.run()
        guard case .waiting(let later)? = try verdict(quorum, of: second, request: 3) else {
            Issue.record("the ceremony still waits, for a person")
            return
        }
        #expect(later.code == .ceremonyUnconfirmed)
    }
}
