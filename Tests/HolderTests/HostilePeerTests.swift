import Algebra
import Canonical
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing

@testable import Holder
@testable import Threshold

/// A member that cheats in a run, and what the honest holder has stored when it answers.
@Suite(.serialized) struct `A holder whose peer cheats` {
    /// Members 0 (honest) and 1 (moved by the test) have an approved intent.
    private struct Scene {
        let quorum: SimulatedQuorum
        let puppet: Puppet
        let intent: Intent
        let order: TransferOrder

        init(_ seed: String) throws {
            quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: seed)
            try quorum.generateKey()
            order = quorum.order()
            intent = quorum.intent(.transfer(order))
            quorum.offer(intent)
            try quorum.run()
            puppet = Puppet(quorum, 1)
            quorum.replace(1, by: puppet)
        }

        func run(isFresh: Bool = false) throws {
            quorum.proposeSigning(intent, order, [0, 1], isFresh: isFresh)
            try quorum.run()
        }

        var peer: IdentityPublicKey { quorum.members[1].identity }

        func banned(_ index: Int = 0) throws -> Set<IdentityPublicKey> {
            let database = quorum.members[index].database
            return try database.commit { try database.banned(group: quorum.group, epoch: 1) }
        }

        /// Envelopes of round 3 that the honest holder has given away.
        var lastMessages: [Envelope] {
            quorum.envelopes.filter { $0.member == 0 && $0.envelope.header.round == 3 }
                .map(\.envelope)
        }
    }

    /// Where the second message has its parts; the same offsets as in the threshold room's tests.
    private static let mask = 32 + 33 + 32 + 3 * 33

    static let bans: [(String, Abort.Reason, UInt8, @Sendable (inout [UInt8]) -> Void)] = [
        (
            "1 correction bits flipped", .transferCheck, 1,
            { bytes in
                for tree in 0..<64 { bytes[32 + tree * 80] ^= 1 }
            }
        ),
        ("2 one bit of one correction flipped", .transferCheck, 1, { $0[32 + 7 * 80 + 11] ^= 4 }),
        ("4 one correction altered", .multiplicationCheck, 2, { $0[mask + 32 + 31] ^= 1 }),
        ("7 nonce share shifted", .nonceCheck, 2, { shift(&$0, 32 + 33 + 32 + 33) }),
        ("7 key share shifted", .keyCheck, 2, { shift(&$0, 32 + 33 + 32 + 66) }),
        ("8 additive share shifted", .keyCheck, 2, { shift(&$0, 32 + 33 + 32) }),
    ]

    private static func shift(_ bytes: inout [UInt8], _ offset: Int) {
        let point = Point(compressed: bytes[offset..<offset + 33])!
        let shifted = point.variableTimeAdding(generatorTimes: .one)!
        bytes.replaceSubrange(offset..<offset + 33, with: shifted.compressed)
    }

    @Test(arguments: bans.indices) func `has banned it before anything is answered`(_ number: Int)
        throws
    {
        let (name, reason, round, change) = Self.bans[number]
        let scene = try Scene("ban \(number)")
        scene.puppet.change = { message in
            let isWhisper = if case .whispered = message.content { true } else { false }
            return message.round == round && isWhisper ? message.changed(change) : message
        }
        var bannedWhenAnswered = false
        scene.quorum.relay = { transit in
            // The honest holder's abort is on its way: by then the ban must be stored.
            if transit.to == 1, case .envelope(let bytes) = transit.input,
                let envelope = try? Envelope(bytes), envelope.header.kind == .abort
            {
                bannedWhenAnswered = (try? scene.banned()) == [scene.peer]
            }
            return [transit]
        }
        try scene.run()
        let report = try #require(scene.quorum.reports.first { $0.member == 0 }?.report)
        #expect(report.reason == reason.rawValue, "\(name)")
        #expect(report.culprits == [scene.peer] && report.isBan, "\(name)")
        #expect(try scene.banned() == [scene.peer], "\(name)")
        #expect(bannedWhenAnswered, "\(name)")
        #expect(scene.lastMessages.isEmpty, "\(name)")
        #expect(scene.quorum.signatures.isEmpty, "\(name)")

        // The setups with the peer are gone from the stored share, and it is refused for good.
        let share = try scene.quorum.share(0)
        let peers = Set(share.setupIDs.keys.map(\.raw))
        #expect(peers == [3], "\(name)")
        scene.quorum.restart(0)
        scene.puppet.change = { $0 }
        try scene.run()
        #expect(scene.quorum.reports.last?.report.reason == "a member of the run is banned here")
        #expect(scene.quorum.signatures.isEmpty)

        // With the third holder it goes on signing.
        scene.quorum.proposeSigning(scene.intent, scene.order, [0, 2])
        try scene.quorum.run()
        #expect(scene.quorum.signatures[scene.intent.digest]?.count == 2)
    }

    @Test func `with fresh setups nobody is banned, at the holder or as it is told`() throws {
        let scene = try Scene("fresh cheat")
        // Round 3 is signing's first: its check of the extension fails.
        scene.puppet.change = { message in
            let isWhisper = if case .whispered = message.content { true } else { false }
            return message.round == 3 && isWhisper
                ? message.changed { $0[32 + 7 * 80 + 11] ^= 4 } : message
        }
        try scene.run(isFresh: true)
        let report = try #require(scene.quorum.reports.first { $0.member == 0 }?.report)
        #expect(report.reason == Abort.Reason.transferCheck.rawValue)
        #expect(report.culprits == [scene.peer] && !report.isBan)
        #expect(try scene.banned().isEmpty)
        let database = scene.quorum.members[0].database
        #expect(try database.commit { try database.discardedSetups().map(\.count) } == [1])
        // The next run signs.
        scene.puppet.change = { $0 }
        try scene.run(isFresh: true)
        #expect(scene.quorum.signatures[scene.intent.digest]?[0] != nil)
    }

    @Test func `10, 31 does not ban for another transcript, and goes on in the next run`() throws {
        let scene = try Scene("transcript")
        scene.puppet.change = { $0.round == 2 ? $0.changed { $0[0] ^= 1 } : $0 }
        try scene.run()
        #expect(
            scene.quorum.reports.first { $0.member == 0 }?.report.reason == "transcriptMismatch")
        #expect(try scene.banned().isEmpty)
        #expect(scene.lastMessages.isEmpty)
        scene.puppet.change = { $0 }
        try scene.run()
        #expect(scene.quorum.signatures[scene.intent.digest]?[0] != nil)
    }

    @Test func `13 keeps what shows who equivocated, and bans nobody`() throws {
        let quorum = try SimulatedQuorum(SigningThreshold(3, of: 3)!, seed: "equivocation")
        try quorum.generateKey()
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        // Member 1 shows member 2 another commitment, signed as well as the first.
        let liar = quorum.identityOf(1)
        quorum.relay = { transit in
            guard transit.to == 2, case .envelope(let bytes) = transit.input,
                let envelope = try? Envelope(bytes), envelope.header.kind == .round,
                envelope.header.round == 1, envelope.header.from == 1,
                envelope.header.to == Envelope.toAll
            else { return [transit] }
            var body = envelope.body
            body[0] ^= 1
            let other = liar.with { Envelope(envelope.header, body, signedBy: $0) }
            return [.init(to: 2, input: .envelope(other.bytes))]
        }
        quorum.proposeSigning(intent, order, [0, 1, 2])
        try quorum.run()
        #expect(quorum.reports.contains { $0.report.reason == "transcriptMismatch" })
        for index in 0..<3 {
            let database = quorum.members[index].database
            #expect(
                try database.commit { try database.banned(group: quorum.group, epoch: 1) }.isEmpty)
        }
        // Held together, the evidence of the two honest holders shows two messages for one place.
        let held = try [0, 2].flatMap { index in
            try quorum.members[index].database.evidence().compactMap { try? Envelope($0) }
        }
        let ofLiar = held.filter { $0.header.from == 1 && $0.header.round == 1 }
        #expect(Set(ofLiar.map(\.body)).count == 2)
        #expect(ofLiar.allSatisfy { $0.isSigned(by: quorum.members[1].identity) })
        #expect(quorum.signatures.isEmpty)
    }

    @Test func `18 times out when the last message is withheld; the next run has another nonce`()
        throws
    {
        let scene = try Scene("withheld")
        scene.puppet.change = { $0.round == 3 ? nil : $0 }
        try scene.run()
        let first = try #require(scene.lastMessages.first)
        #expect(scene.quorum.signatures.isEmpty)
        try scene.quorum.tick(61)
        let report = try #require(scene.quorum.reports.last { $0.member == 0 }?.report)
        #expect(report.reason == "timeout")
        #expect(report.missing == [scene.peer])
        scene.puppet.change = { $0 }
        try scene.run()
        let signatures = try #require(scene.quorum.signatures[scene.intent.digest]?[0])
        let second = try #require(scene.lastMessages.last)
        #expect(first.header.run != second.header.run)
        #expect(signatures.count == 1)
        let nonces = scene.quorum.envelopes.filter {
            $0.member == 0 && $0.envelope.header.round == 1
                && $0.envelope.header.to == Envelope.toAll
        }.map(\.envelope.body)
        #expect(nonces.count == 2)
        #expect(Set(nonces).count == 2)
    }

    @Test func `26 a ban in one run ends every other run with that peer`() throws {
        let scene = try Scene("two runs")
        let order = scene.quorum.order(amount: 2000, nonce: 1)
        let other = scene.quorum.intent(.transfer(order), request: 2)
        scene.quorum.restart(1)
        scene.quorum.offer(other)
        try scene.quorum.run()
        scene.quorum.replace(1, by: scene.puppet)
        // The second run is stopped before its end: its second messages do not arrive.
        scene.puppet.change = { $0.round == 2 ? nil : $0 }
        scene.quorum.proposeSigning(other, order, [0, 1])
        try scene.quorum.run()
        scene.puppet.change = { $0.round == 2 ? $0.changed { $0[Self.mask + 63] ^= 1 } : $0 }
        try scene.run()
        let reasons = scene.quorum.reports.filter { $0.member == 0 }.map(\.report.reason)
        #expect(reasons == ["multiplicationCheck", "endedByPeer"])
        #expect(scene.lastMessages.isEmpty)
    }

    /// Of each reason, whichever protocol gives it.
    @Test func `leaves the signed messages that show who contradicted itself`() throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "evidence")
        try quorum.generateKey()
        var kept: Set<Abort.Reason> = []
        for (number, reason) in Abort.Reason.allCases.enumerated() {
            let copy = try SimulatedQuorum(copying: quorum)
            let order = copy.order(nonce: UInt64(number))
            let intent = copy.intent(.transfer(order))
            copy.offer(intent)
            try copy.run()
            // The others' Readys never come: the run goes on.
            copy.relay = { transit in
                if case .envelope = transit.input { return [] }
                return [transit]
            }
            copy.proposeSigning(intent, order, [0, 1])
            try copy.run()
            let core = try #require(copy.members[0].core)
            let run = try #require(core.runs.values.first)
            let database = copy.members[0].database
            try database.commit { try core.end(run, Abort(reason)) }
            if try database.rowCount(of: "evidence") > 0 { kept.insert(reason) }
        }
        #expect(
            kept == [
                .equivocation, .transcriptMismatch, .echoMismatch, .commitmentsDiffer,
                .transferCheck, .multiplicationCheck, .nonceCheck, .keyCheck,
            ])
    }
}
