import Algebra
import Canonical
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// kill -9 at every point between two commits: only what a holder has stored is left.
@Suite(.serialized) struct `A holder that is killed` {
    /// 19, 36: kills member 0 after it has handled so many inputs of a run, before or after its
    /// answers have left, restarts it, and has the relay offer everything again.
    @Test(arguments: 0..<9, [false, true])
    func `resumes no run, makes no second last message, and signs in the next`(
        _ inputs: Int, _ answersLost: Bool
    ) throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "crash")
        try quorum.generateKey()
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        var handled = 0
        var seen: [SimulatedQuorum.Transit] = []
        var isDead = false
        quorum.relay = { transit in
            guard transit.to == 0 else { return [transit] }
            seen.append(transit)
            if isDead { return [] }
            guard handled < inputs else {
                // The last input is handled, and its answers may be lost with the process.
                isDead = true
                if answersLost {
                    quorum.handleAndDrop(transit.input, by: 0)
                } else {
                    try? quorum.handle(transit.input, by: 0)
                }
                return []
            }
            handled += 1
            return [transit]
        }
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        let before = quorum.envelopes.filter { $0.member == 0 }.map(\.envelope)

        quorum.restart(0)
        quorum.relay = { [$0] }
        // Everything that it was ever sent comes again, twice and the other way round.
        for transit in seen + seen.reversed() { quorum.post(transit.input, to: 0) }
        try quorum.run()
        let after = quorum.envelopes.filter { $0.member == 0 }.dropFirst(before.count).map(
            \.envelope)
        #expect(after.isEmpty, "no session resumes, and a used descriptor is refused for ever")

        try quorum.tick(70)
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        let signed = try #require(quorum.signatures[intent.digest])
        #expect(Set(signed.keys).isSuperset(of: [0, 1]))
        // One nonce under one descriptor, one last message under one run.
        let all = quorum.envelopes.filter { $0.member == 0 }.map(\.envelope)
        for kind in [Envelope.Kind.ready, .round] {
            let places = all.filter { $0.header.kind == kind }.map(\.header)
            #expect(Set(places).count == places.count)
        }
    }

    @Test func `19 a second last message for one run is refused by the store`() throws {
        let database = try HolderDatabase(path: nil)
        let run = RunID(unchecked: [UInt8](repeating: 1, count: 32))
        let intent = Digest.sha256([1])
        #expect(
            try database.commit {
                try database.recordLast(run: run, item: 0, hash: .sha256([2]), intent: intent)
            })
        #expect(
            try !database.commit {
                try database.recordLast(run: run, item: 0, hash: .sha256([3]), intent: intent)
            })
        #expect(try database.commit { try database.hasLast(for: intent) })
        #expect(try database.commit { database.claim(run) })
        #expect(try !database.commit { database.claim(run) })
        #expect(try database.commit { try database.use(descriptor: intent) })
        #expect(try !database.commit { try database.use(descriptor: intent) })
    }

    @Test func `what fails to be stored is not said`() throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "full disk")
        try quorum.generateKey()
        let intent = quorum.intent(.transfer(quorum.order()))
        try quorum.members[0].database.refuseWrites()
        quorum.offer(intent, to: [0])
        let before = quorum.verdicts.count
        #expect(throws: (any Error).self) { try quorum.run() }
        #expect(quorum.verdicts.count == before)
    }

    @Test func `a key ceremony cut off after the shares were stored is finished by all`() throws {
        for victim in 0..<3 {
            let quorum = try SimulatedQuorum(
                SigningThreshold(2, of: 3)!, seed: "ceremony \(victim)")
            // Testimonies are lost at first: every holder has stored its share and knows no
            // other's.
            quorum.relay = { transit in
                if case .testimony = transit.input { return [] }
                return [transit]
            }
            try quorum.generateKey()
            #expect(quorum.certificates.isEmpty)
            quorum.restart(victim)
            quorum.relay = { [$0] }
            // One holder that connects again is enough for all to find out.
            try quorum.handle(.connected, by: victim)
            try quorum.run()
            #expect(Set(quorum.certificates.map(\.member)) == [0, 1, 2])
            try quorum.announce(SimulatedQuorum.stranger, to: [0, 1, 2])
            let order = quorum.order()
            let intent = quorum.intent(.transfer(order))
            quorum.offer(intent)
            try quorum.run()
            quorum.proposeSigning(intent, order, [0, 2])
            try quorum.run()
            #expect(quorum.signatures[intent.digest]?.count == 2)
        }
    }

    @Test func `a testimony for another key, or with a false signature, changes nothing`() throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "testimony")
        quorum.relay = { transit in
            if case .testimony = transit.input { return [] }
            return [transit]
        }
        try quorum.generateKey()
        let database = quorum.members[0].database
        let key = try database.commit { try database.unfinishedKeys()[0] }
        quorum.relay = { [$0] }
        let forged = IdentitySignature(unchecked: [UInt8](repeating: 7, count: 64))
        var testimony = key.testimony
        testimony.signatures = [0: forged, 1: forged, 2: forged]
        testimony.activations = [0: forged, 1: forged, 2: forged]
        try quorum.handle(.testimony(testimony.bytes), by: 0)
        let other = KeyTestimony(
            group: key.group, epoch: key.epoch, scheme: key.scheme, certificateDigest: .sha256([1]),
            signatures: [1: forged])
        try quorum.handle(.testimony(other.bytes), by: 0)
        #expect(try database.commit { try database.keys(of: key.group)[0].state } == .pending)
    }

    @Test func `a share opens only under its sealing key, and the store never holds it open`()
        throws
    {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "sealed")
        try quorum.generateKey()
        let share = try quorum.share(0)
        let stored = share.stored().withBytes { Array($0) }
        let secret = Array(stored[4..<36])
        let database = quorum.members[0].database
        let sealed = try database.commit { try database.sealedShare(of: quorum.group, epoch: 1)! }
        #expect(!sealed.contains(secret))
        #expect(sealed.count > stored.count)
    }
}

@Suite(.serialized) struct `Closing an intent` {
    private func scene(_ seed: String) throws -> (SimulatedQuorum, Intent, TransferOrder) {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: seed)
        try quorum.generateKey()
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order), lifetime: 300)
        quorum.offer(intent)
        try quorum.run()
        return (quorum, intent, order)
    }

    private func close(_ intent: Intent, _ quorum: SimulatedQuorum) throws {
        for index in 0..<3 {
            quorum.post(
                .close(
                    intent: intent.digest,
                    signature: quorum.sign(PlatformOrder.close(intent.digest))),
                to: index)
        }
        try quorum.run()
    }

    @Test func `frees the counters, and nothing of it is signed afterwards`() throws {
        let (quorum, intent, order) = try scene("closing")
        try close(intent, quorum)
        #expect(quorum.verdicts.suffix(3).allSatisfy { $0.verdict.verdict == .closed })
        #expect(try quorum.members[0].database.rowCount(of: "reservations") == 0)
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        #expect(quorum.signatures.isEmpty)
        quorum.offer(intent)
        try quorum.run()
        #expect(quorum.verdicts.last?.verdict.verdict == .closed)
    }

    @Test func `is refused by whoever has given its last message, and says so`() throws {
        let (quorum, intent, order) = try scene("given")
        // Member 1's last message never arrives; member 0 has given its own.
        quorum.relay = { transit in
            if transit.to == 0, case .envelope(let bytes) = transit.input,
                (try? Envelope(bytes))?.header.round == 3
            {
                return []
            }
            return [transit]
        }
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        quorum.relay = { [$0] }
        try close(intent, quorum)
        let last = Dictionary(
            quorum.verdicts.map { ($0.member, $0.verdict.verdict) }, uniquingKeysWith: { $1 })
        #expect(last == [0: .given, 1: .given, 2: .closed])
        #expect(try quorum.members[0].database.rowCount(of: "reservations") == 1)
        // Who has the signature shows it when asked to close.
        #expect(quorum.signatures[intent.digest]?.keys.contains(1) == true)
    }

    @Test func `happens by itself a minute after the end`() throws {
        let (quorum, _, _) = try scene("by itself")
        try quorum.tick(330)
        #expect(quorum.verdicts.last?.verdict.verdict != .closed)
        try quorum.tick(40)
        #expect(quorum.verdicts.suffix(3).allSatisfy { $0.verdict.verdict == .closed })
    }

    @Test func `is the platform's word alone`() throws {
        let (quorum, intent, _) = try scene("forged")
        let before = quorum.verdicts.count
        let forged = IdentitySignature(unchecked: [UInt8](repeating: 1, count: 64))
        try quorum.handle(.close(intent: intent.digest, signature: forged), by: 0)
        // The signature of the intent itself is none of an order to close it.
        try quorum.handle(
            .close(intent: intent.digest, signature: quorum.sign(intent.digest)), by: 0)
        #expect(quorum.verdicts.count == before)
    }
}
