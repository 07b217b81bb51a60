import Algebra
import Canonical
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing
import Threshold

@testable import Holder

/// Check-ups that the operator has a say in, and the operator's own.
@Suite(.serialized) struct `A check-up` {
    private static let servers = ["http://one:11020", "http://two:11020"].map {
        CallbackServer(address: $0, publicKey: [1])
    }

    /// Member 0 has two callback servers, the others none.
    private func quorum(_ seed: String) throws -> SimulatedQuorum {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: seed)
        try quorum.generateKey()
        quorum.members[0].callbackServers = Self.servers
        quorum.restart(0)
        return quorum
    }

    private func order(_ quorum: SimulatedQuorum, _ challenge: UInt8, to members: [Int] = [0])
        throws
    {
        for member in members {
            quorum.post(.checkUp(group: quorum.group, challenge: bytes(challenge)), to: member)
        }
        try quorum.run()
    }

    private func bytes(_ challenge: UInt8) -> [UInt8] { [UInt8](repeating: challenge, count: 32) }

    private func decide(
        _ decision: ServerDecision, _ server: Int, on subject: Digest, _ quorum: SimulatedQuorum
    ) throws {
        try quorum.handle(
            .decided(subject: subject, server: Self.servers[server].id, decision), by: 0)
    }

    private func isWhole(_ proof: [UInt8], _ challenge: UInt8, _ quorum: SimulatedQuorum) -> Bool {
        guard let (key, digest) = quorum.certificate?.verified(),
            let place = quorum.roster.position(of: quorum.members[0].identity),
            let index = quorum.roster.index(at: place)
        else { return false }
        return ShareCheck.verifies(
            proof,
            of: ShareCheck.Statement(
                group: quorum.group, epoch: 1, certificate: digest, index: index,
                challenge: bytes(challenge)), under: key)
    }

    @Test func `is answered when all callback servers have approved it`() throws {
        let quorum = try quorum("check-up approved")
        try order(quorum, 3, to: [0, 1])
        #expect(quorum.proofs.map(\.member) == [1], "who has no servers answers at once")
        let asked = try #require(quorum.consultations.first?.consultation)
        #expect(asked.kind.rawValue == 5 && asked.servers == Self.servers)
        #expect(asked.detail["node_id"] == .string(quorum.members[0].identity.hex))
        #expect(
            asked.detail["details"]
                == .array([
                    .object([
                        "group_id": .string(quorum.group.hex),
                        "message": .string(Hex.encode(bytes(3))),
                    ])
                ]))
        try decide(.approved, 0, on: asked.subject, quorum)
        // The platform orders it again, every second.
        try order(quorum, 3)
        #expect(quorum.proofs.count == 1 && quorum.consultations.count == 1)
        try decide(.approved, 1, on: asked.subject, quorum)
        let proof = try #require(quorum.proofs.last)
        #expect(proof.member == 0 && isWhole(proof.proof, 3, quorum))
        try order(quorum, 3)
        #expect(quorum.proofs.count == 3 && quorum.consultations.count == 1)
        #expect(try quorum.members[0].database.rowCount(of: "decisions") == 0)
    }

    @Test(arguments: [ServerDecision.rejected(why: "no"), .silent(why: "away")])
    func `is not answered when one says no, or nothing`(_ no: ServerDecision) throws {
        let quorum = try quorum("check-up refused")
        try order(quorum, 3)
        let asked = try #require(quorum.consultations.first?.consultation)
        try decide(.approved, 0, on: asked.subject, quorum)
        try decide(no, 1, on: asked.subject, quorum)
        // Its first word counts.
        try decide(.approved, 1, on: asked.subject, quorum)
        try order(quorum, 3)
        #expect(quorum.proofs.isEmpty && quorum.consultations.count == 1)
        #expect(quorum.endedConsultations.contains { $0.subject == asked.subject })
    }

    /// Who orders check-ups with ever new challenges neither floods the servers nor the memory, and
    /// keeps nothing from being signed.
    @Test func `is asked about once in a while, whoever orders how many`() throws {
        let quorum = try quorum("check-ups in a flood")
        for challenge in UInt8(1)...200 { try order(quorum, challenge) }
        #expect(quorum.consultations.count == 1)
        for server in [0, 1] {
            try decide(
                .approved, server, on: quorum.consultations[0].consultation.subject, quorum)
        }
        #expect(quorum.proofs.count == 1)
        for challenge in UInt8(2)...200 { try order(quorum, challenge) }
        #expect(quorum.proofs.count == 1 && quorum.consultations.count == 1)
        try quorum.tick(HolderCore.checkUpPause)
        try order(quorum, 7)
        #expect(quorum.consultations.count == 2)
        // Nobody answers that one: another takes its place when it is over.
        try quorum.tick(HolderCore.checkUpSeconds - 1)
        try order(quorum, 8)
        #expect(quorum.consultations.count == 2)
        try quorum.tick()
        try order(quorum, 8)
        #expect(quorum.consultations.count == 3)
        let late = quorum.consultations[1].consultation.subject
        for server in [0, 1] { try decide(.approved, server, on: late, quorum) }
        #expect(quorum.proofs.count == 1)
        let intent = quorum.intent(.transfer(quorum.order()))
        quorum.offer(intent, to: [0])
        try quorum.run()
        #expect(quorum.consultations.last?.consultation.subject == intent.digest)
    }

    @Test func `is not answered where the operator's rules forbid it`() throws {
        let quorum = try quorum("check-up forbidden")
        let rules = SimulatedQuorum.rules()
        quorum.members[0].rules = HolderRules(
            environment: rules.environment, chains: rules.chains, assets: rules.assets,
            keys: KeyRules(rejectsCheckUps: true), digest: rules.digest)
        quorum.restart(0)
        try order(quorum, 3)
        #expect(quorum.proofs.isEmpty && quorum.consultations.isEmpty)
        #expect(quorum.notes.contains { $0.member == 0 && $0.text.contains("checkUp") })
        // The rest of what the holder does goes on.
        quorum.offer(quorum.intent(.transfer(quorum.order())), to: [0])
        try quorum.run()
        #expect(quorum.consultations.last?.consultation.kind == .signing)
    }

    private func sealing(_ member: Int) -> SealingKey {
        var random = TestRandom("sealing/\(member)")
        return SealingKey(SecretBytes(count: 32, from: &random))
    }

    @Test(arguments: SignatureScheme.allCases)
    func `of the operator's own finds what is damaged`(_ scheme: SignatureScheme) throws {
        let scene = try CeremonyScene("own check-up", scheme)
        let signing = GroupID(unchecked: [UInt8](repeating: 5, count: 16))
        try scene.run(
            .fromKeyGroup, signing, 1, scene.holders([0, 1]), kind: .signing,
            from: scene.main, dealers: [0, 1], confirmedBy: [0, 1, 2])
        let database = scene.quorum.members[0].database
        let key = try #require(
            try database.commit { try database.keys(of: scene.main) }.first)
        func condition(_ member: Int = 0) throws -> ShareCondition {
            try database.commit { try sealing(member).condition(of: key, in: database) }
        }
        func replace(by sealed: [UInt8]) throws {
            try database.commit {
                try database.replaceSealedShare(of: scene.main, epoch: 1, with: sealed)
            }
        }
        #expect(try condition() == .whole)
        // Another holder's sealing key.
        #expect(try condition(1) == .damaged(notOpen(key)))
        let sealed = try #require(
            try database.commit { try database.sealedShare(of: scene.main, epoch: 1) })
        try replace(by: sealed.dropLast() + [sealed.last! ^ 1])
        #expect(try condition() == .damaged(notOpen(key)))
        // A share that is good, but of another group; and sealed as if it were of this one.
        let other = try #require(try database.commit { try database.keys(of: signing) }.first)
        let foreign = try #require(
            try database.commit { try database.sealedShare(of: signing, epoch: 1) })
        try replace(by: foreign)
        #expect(try condition() == .damaged(notOpen(key)))
        guard let plain = sealing(0).openStored(foreign, authenticating: other.sealingContext)
        else {
            Issue.record("the other share does not open")
            return
        }
        try replace(by: sealing(0).sealForStorage(plain, authenticating: key.sealingContext))
        #expect(try condition() == .damaged("the share is not that of the certificate"))
        try replace(by: sealed)
        #expect(try condition() == .whole)
        try database.commit { try database.destroyShare(of: scene.main, epoch: 1) }
        #expect(try condition() == .damaged("the share is missing"))
        let gone = try #require(
            try database.commit { try database.keys(of: scene.main) }.first)
        #expect(
            try database.commit { try sealing(0).condition(of: gone, in: database) } == .destroyed)
    }

    private func notOpen(_ key: KeyRecord) -> String {
        CannotOpenShare(
            description: "the share of group \(key.group), epoch \(key.epoch) does not open under "
                + "this holder's sealing key"
        ).description
    }
}
