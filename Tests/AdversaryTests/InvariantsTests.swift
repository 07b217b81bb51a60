import Algebra
import Canonical
import Chains
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// A checker is tested on what it must find.
@Suite struct `The invariants` {
    private let quorum: SimulatedQuorum
    private let intent: Intent
    private let order: TransferOrder
    private let untouched: Invariants

    init() throws {
        quorum = try SimulatedQuorum(SigningThreshold(2, of: 2)!, seed: "invariants")
        try quorum.generateKey()
        order = quorum.order()
        intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        untouched = Invariants(quorum, corrupted: nil)
    }

    private func broken(
        _ outputs: [HolderOutput], admitting isAdmitted: Bool = true
    ) -> Invariants.Name? {
        var invariants = untouched
        if isAdmitted { invariants.admit(intent, quorum.items(order)) }
        for output in outputs { invariants.note(output, by: 0) }
        do {
            try invariants.check()
            return nil
        } catch {
            return (error as? Invariants.Broken)?.name
        }
    }

    /// Everything that member 0 says in a run that goes well.
    private func outputs() throws -> [HolderOutput] {
        var outputs: [HolderOutput] = []
        quorum.watch = { output, member in if member == 0 { outputs.append(output) } }
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        return outputs
    }

    @Test func `hold in a run that goes well`() throws {
        let outputs = try outputs()
        #expect(outputs.count > 4)
        #expect(broken(outputs) == nil)
    }

    @Test func `find what is signed and not approved, two nonces, and a change of mind`() throws {
        let first = try outputs()
        #expect(broken(first, admitting: false) == .onlyApprovedIsSigned)
        // The same places, said again with another body.
        let identity = quorum.identityOf(0)
        let changed: [(Envelope.Kind, HolderOutput)] = first.compactMap { output in
            guard case .envelope(let to, let bytes) = output, let envelope = try? Envelope(bytes)
            else { return nil }
            let other = identity.with { Envelope(envelope.header, [1], signedBy: $0) }
            return (envelope.header.kind, .envelope(to: to, bytes: other.bytes))
        }
        let ready = try #require(changed.first { $0.0 == .ready }?.1)
        #expect(broken(first + [ready]) == .oneReady)
        let round = try #require(changed.first { $0.0 == .round }?.1)
        #expect(broken(first + [round]) == .oneMessage)
        let closed = SignedVerdict(
            .closed, on: intent.digest, rules: .sha256([]), at: 1,
            signedBy: identity.take()!)
        #expect(broken([.verdict(closed)] + first) == .closedIsClosed)
        #expect(broken(first + [.verdict(closed)]) == .closedIsClosed)
    }

    @Test func `find a last message of no stored run, a ban, and one who is named`() throws {
        let last = try outputs().last { output in
            guard case .envelope(_, let bytes) = output else { return false }
            return (try? Envelope(bytes))?.header.round == 3
        }
        guard case .envelope(let to, let bytes) = last, let envelope = try? Envelope(bytes) else {
            Issue.record("a last message")
            return
        }
        let header = envelope.header
        let elsewhere = Envelope.Header(
            run: RunID(unchecked: [UInt8](repeating: 1, count: 32)), scheme: header.scheme,
            round: header.round, item: header.item, from: header.from, to: header.to,
            kind: header.kind)
        let other = quorum.identityOf(0).with { Envelope(elsewhere, [], signedBy: $0) }
        #expect(broken([.envelope(to: to, bytes: other.bytes)]) == .lastIsStored)
        let peer = quorum.members[1].identity
        let report = RunReport(
            descriptor: intent.digest, intent: intent.digest, reason: "keyCheck", culprits: [peer],
            missing: [])
        #expect(broken([.runEnded(report)]) == .noHonestBlame)
        #expect(bytes.count > 64)
        let database = quorum.members[0].database
        try database.commit {
            var key = try #require(try database.keys(of: quorum.group).first)
            key.state = .destroyed
            try database.update(key)
        }
        #expect(broken([]) == .keyStaysUsable)
    }

    @Test func `find a key that nobody asked for, or not all have confirmed, and a damaged share`()
        throws
    {
        var heard: [HolderOutput] = []
        quorum.watch = { output, member in if member == 0 { heard.append(output) } }
        quorum.post(.connected, to: 0)
        quorum.post(
            .checkUp(group: quorum.group, challenge: [UInt8](repeating: 1, count: 32)), to: 0)
        try quorum.run()
        #expect(heard.count >= 2)
        #expect(broken(heard) == nil)
        for output in heard {
            switch output {
            case .keyReady(let intent, let certificate, let activations):
                let half = HolderOutput.keyReady(
                    intent: intent, certificate: certificate, activations: [activations[0]])
                #expect(broken([half]) == .onlyApprovedIsMade)
                let other = try SimulatedQuorum(SigningThreshold(2, of: 2)!, seed: "another")
                try other.generateKey()
                let strange = HolderOutput.keyReady(
                    intent: intent, certificate: try #require(other.certificate),
                    activations: activations)
                #expect(broken([strange]) == .onlyApprovedIsMade)
            case .shareProof(let group, let epoch, let challenge, _):
                let none = HolderOutput.shareProof(
                    group: group, epoch: epoch, challenge: challenge, proof: [])
                #expect(broken([none]) == .shareIsWhole)
            default: break
            }
        }
    }
}
