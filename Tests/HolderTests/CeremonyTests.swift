import Algebra
import Canonical
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing
import Threshold

@testable import Holder

/// Keys that exist and are dealt anew, by holders with their real stores.
@Suite(.serialized) struct `Holders that deal a key anew` {
    /// Each member proves that its share of the group's active key is whole.
    private func proofs(
        _ scene: CeremonyScene, _ group: GroupID, by members: [Int]
    ) throws -> [Bool] {
        let quorum = scene.quorum
        let challenge = [UInt8](repeating: 3, count: 32)
        let before = quorum.proofs.count
        for member in members {
            quorum.post(.checkUp(group: group, challenge: challenge), to: member)
        }
        try quorum.run()
        let certificate = try #require(scene.certificate(of: group))
        let (key, digest) = try #require(certificate.verified())
        let holders = try #require(certificate.descriptor.plan?.holders)
        return quorum.proofs.dropFirst(before).map { member, proof in
            let position = holders.position(of: quorum.members[member].identity)!
            return ShareCheck.verifies(
                proof,
                of: ShareCheck.Statement(
                    group: group, epoch: certificate.descriptor.epoch, certificate: digest,
                    index: holders.index(at: position)!, challenge: challenge), under: key)
        }
    }

    private static let signing = GroupID(unchecked: [UInt8](repeating: 5, count: 16))
    private static let recovery = GroupID(unchecked: [UInt8](repeating: 6, count: 16))

    @Test(arguments: SignatureScheme.allCases)
    func `refresh, give to groups and recover, and the key stays`(_ scheme: SignatureScheme) throws
    {
        let scene = try CeremonyScene("all \(scheme.name)", scheme)
        let (main, first) = (scene.main, scene.publicKey(scene.main))
        // A refresh needs nobody's confirmation; the old shares are destroyed.
        try scene.run(
            .refresh, main, 2, scene.holders([0, 1, 2]), from: main, dealers: [0, 2])
        #expect(try scene.states(main)[1] == ["1 destroyed", "2 active"])
        try scene.run(
            .fromKeyGroup, Self.signing, 1, scene.holders([1, 3]), kind: .signing, from: main,
            dealers: [0, 1], confirmedBy: [0, 1, 2, 3])
        try scene.run(
            .fromKeyGroup, Self.recovery, 1, scene.holders([2, 4]), kind: .recovery, from: main,
            dealers: [0, 1], confirmedBy: [0, 1, 2, 4])
        // Holder 0 is lost: 3 takes its place.
        scene.quorum.stop(0)
        let replaced = scene.holders([1, 2, 3], places: [2, 3, 1])
        try scene.run(
            .recovery, main, 3, replaced, from: Self.recovery, dealers: [2, 4],
            confirmedBy: [1, 2, 3, 4])
        #expect(try scene.states(main)[1] == ["1 destroyed", "2 destroyed", "3 active"])
        #expect(try scene.states(main)[0] == ["1 destroyed", "2 active"], "the lost one's own")
        for group in [main, Self.signing, Self.recovery] {
            #expect(scene.publicKey(group) == first)
        }
        #expect(try proofs(scene, main, by: [1, 2, 3]) == [true, true, true])
        #expect(try proofs(scene, Self.recovery, by: [2, 4]) == [true, true])
    }

    @Test func `34 nobody is given shares without a person's word at every holder`() throws {
        let scene = try CeremonyScene("unconfirmed reshare")
        let intent = try scene.intent(
            .fromKeyGroup, Self.signing, 1, scene.holders([3, 4]), kind: .signing,
            from: scene.main)
        // Everyone but one dealer has confirmed.
        try scene.confirm(intent, by: [0, 3, 4])
        scene.quorum.offer(intent)
        try scene.quorum.run()
        try scene.propose(intent, dealers: [0, 1])
        try scene.quorum.run()
        #expect(try scene.states(Self.signing) == [[], [], [], [], []])
        #expect(scene.quorum.reports.map(\.member) == [1])
        // A "refresh" that would change the holders is none.
        let disguised = try scene.intent(
            .refresh, scene.main, 2, scene.holders([0, 1, 3]), from: scene.main)
        scene.quorum.offer(disguised)
        try scene.quorum.run()
        let refusals = scene.quorum.verdicts.suffix(5).compactMap { entry in
            if case .refusal(let reason) = entry.verdict.verdict { reason.code } else { nil }
        }
        #expect(Set(refusals) == [.ceremonyMismatch, .unknownGroup, .ceremonyNotForUs])
    }

    /// Held back until a newer epoch is active, a lower one neither signs nor hides it.
    @Test func `an epoch that is confirmed late does not take a newer one's place`() throws {
        let scene = try CeremonyScene("late", .ed25519)
        var held: [SimulatedQuorum.Transit] = []
        scene.quorum.relay = { transit in
            if case .testimony = transit.input {
                held.append(transit)
                return []
            }
            return [transit]
        }
        let holders = scene.holders([0, 1, 2])
        let late = try scene.intent(.refresh, scene.main, 2, holders, from: scene.main)
        scene.quorum.offer(late)
        try scene.quorum.run()
        try scene.propose(late, dealers: [0, 1])
        try scene.quorum.run()
        scene.quorum.relay = { [$0] }
        try scene.run(.refresh, scene.main, 3, holders, from: scene.main, dealers: [1, 2])
        for transit in held { scene.quorum.post(transit.input, to: transit.to) }
        try scene.quorum.run()
        for states in try scene.states(scene.main).prefix(3) {
            #expect(states.filter { $0.hasSuffix("active") } == ["3 active"], "\(states)")
        }
        #expect(try proofs(scene, scene.main, by: [0, 1, 2]) == [true, true, true])
    }

    /// What asked for a key is never closed, and is not talked about for ever either.
    @Test func `a ceremony that gave a key is quiet after its end`() throws {
        let scene = try CeremonyScene("quiet", .ed25519)
        try scene.quorum.tick(5000)
        let before = scene.quorum.verdicts.count
        for _ in 0..<3 { try scene.quorum.tick() }
        #expect(scene.quorum.verdicts.count == before)
    }

    /// The same holders again, months later, are asked about again.
    @Test func `34 a person's yes is for one request`() throws {
        let scene = try CeremonyScene("used up", .ed25519)
        let pair = scene.holders([1, 3])
        try scene.run(
            .fromKeyGroup, Self.signing, 1, pair, kind: .signing, from: scene.main,
            dealers: [0, 1], confirmedBy: [0, 1, 2, 3])
        let again = try scene.intent(
            .fromKeyGroup, Self.signing, 2, pair, kind: .signing, from: scene.main)
        let before = scene.quorum.verdicts.count
        scene.quorum.offer(again, to: [0, 1, 3])
        try scene.quorum.run()
        let said = scene.quorum.verdicts.dropFirst(before).map(\.verdict.verdict.name)
        #expect(said == ["waiting", "waiting", "waiting"])
    }

    @Test func `shares of different epochs never meet, and the error names both`() throws {
        let scene = try CeremonyScene("epochs")
        try scene.run(
            .refresh, scene.main, 2, scene.holders([0, 1, 2]), from: scene.main, dealers: [0, 1])
        let stale = try scene.intent(
            .refresh, scene.main, 3, scene.holders([0, 1, 2]), from: scene.main)
        guard case .keyCeremony(let ceremony) = stale.purpose, let source = ceremony.source else {
            return
        }
        let old = KeyCeremony(
            occasion: .refresh, scheme: .ecdsaSecp256k1, kind: .main,
            threshold: ceremony.threshold, holders: ceremony.holders,
            source: KeyCeremony.Source(
                group: source.group, epoch: 1, certificate: source.certificate,
                publicKey: source.publicKey))!
        let intent = scene.quorum.intent(
            .keyCeremony(old), epoch: 3, request: 77, group: scene.main)
        scene.quorum.offer(intent, to: [0])
        try scene.quorum.run()
        guard case .refusal(let reason)? = scene.quorum.verdicts.last?.verdict.verdict else {
            Issue.record("a refusal was expected")
            return
        }
        #expect(reason.code == .wrongEpoch)
        #expect(reason.sentence.contains("epoch 1") && reason.sentence.contains("epoch 2"))
    }

    /// A message of the ceremony is the last that some holder hears before it is killed: every
    /// fourth of a refresh, every eighth of a recovery, or each with `QUORUMKEEP_CUTS=1`.
    private static func cuts(every usual: Int) -> Int {
        LongRun.count("QUORUMKEEP_CUTS", short: usual)
    }

    @Test func `19 and 33 killed at any message, the old epoch signs or the new one is finished`()
        throws
    {
        for cut in stride(from: 0, to: 44, by: Self.cuts(every: 4)) {
            let scene = try CeremonyScene("cut", .ed25519)
            let intent = try scene.intent(
                .refresh, scene.main, 2, scene.holders([0, 1, 2]), from: scene.main)
            scene.quorum.offer(intent)
            try scene.quorum.run()
            var count = 0
            scene.quorum.relay = { transit in
                guard case .offer = transit.input else {
                    count += 1
                    if count == cut { scene.quorum.handleAndDrop(transit.input, by: transit.to) }
                    return count == cut ? [] : [transit]
                }
                return [transit]
            }
            try scene.propose(intent, dealers: [0, 1])
            try scene.quorum.run()
            scene.quorum.relay = { [$0] }
            for member in 0..<3 { scene.quorum.restart(member) }
            for member in 0..<3 { scene.quorum.post(.connected, to: member) }
            try scene.quorum.run()
            let active = try scene.states(scene.main).prefix(3).map { states in
                states.filter { $0.hasSuffix(" active") }
            }
            // Nobody is without an active share, and all agree after they have met.
            #expect(Set(active).count == 1, "cut \(cut): \(active)")
            #expect(active.allSatisfy { $0.count == 1 }, "cut \(cut): \(active)")
            if active[0] == ["1 active"] {
                // Abandoned: the next epoch number succeeds.
                let again = try scene.intent(
                    .refresh, scene.main, 3, scene.holders([0, 1, 2]), from: scene.main)
                scene.quorum.offer(again)
                try scene.quorum.run()
                try scene.propose(again, dealers: [1, 2])
                try scene.quorum.run()
                #expect(
                    try scene.states(scene.main).prefix(3).allSatisfy {
                        $0.last == "3 active"
                    }, "cut \(cut)")
            }
        }
    }

    /// The same of an ECDSA recovery: 0 is lost, 3 takes its place.
    @Test func `19 and 33 a recovery killed at any message leaves the old epoch, or is finished`()
        throws
    {
        let original = try CeremonyScene("cut recovery")
        try original.run(
            .fromKeyGroup, Self.recovery, 1, original.holders([2, 4]), kind: .recovery,
            from: original.main, dealers: [0, 1], confirmedBy: [0, 1, 2, 4])
        var (cut, isOver) = (1, false)
        var ends: Set<String> = []
        while !isOver {
            let scene = original.copy(with: try SimulatedQuorum(copying: original.quorum))
            let quorum = scene.quorum
            quorum.stop(0)
            var count = 0
            quorum.relay = { transit in
                if case .offer = transit.input { return [transit] }
                count += 1
                if count == cut { quorum.handleAndDrop(transit.input, by: transit.to) }
                return count == cut ? [] : [transit]
            }
            try beginRecovery(scene, epoch: 2)
            isOver = count < cut
            quorum.relay = { [$0] }
            // Whatever is unfinished, the holders that are left have one epoch, which signs.
            for member in 1...4 { quorum.restart(member) }
            for member in 1...4 { quorum.post(.connected, to: member) }
            try quorum.run()
            let active = try scene.states(scene.main)[1...2].map { states in
                states.filter { $0.hasSuffix(" active") }
            }
            #expect(active[0] == active[1] && active[0].count == 1, "cut \(cut): \(active)")
            ends.formUnion(active[0])
            #expect(try signs(scene), "cut \(cut)")
            if active[0] == ["1 active"] {
                try beginRecovery(scene, epoch: 3)
                #expect(try scene.states(scene.main)[3].last == "3 active", "cut \(cut)")
                #expect(try signs(scene), "cut \(cut), again")
            }
            #expect(scene.publicKey(scene.main) == original.publicKey(original.main))
            cut += Self.cuts(every: 8)
        }
        #expect(ends == ["1 active", "2 active"])
    }

    private func beginRecovery(_ scene: CeremonyScene, epoch: UInt64) throws {
        let intent = try scene.intent(
            .recovery, scene.main, epoch, scene.holders([1, 2, 3], places: [2, 3, 1]),
            from: Self.recovery)
        try scene.confirm(intent, by: [1, 2, 3, 4])
        scene.quorum.offer(intent)
        try scene.quorum.run()
        try scene.propose(intent, dealers: [2, 4])
        try scene.quorum.run()
    }

    /// Whether the two who had the key before sign under the group's newest epoch.
    private func signs(_ scene: CeremonyScene) throws -> Bool {
        let certificate = try #require(scene.certificate(of: scene.main))
        let epoch = certificate.descriptor.epoch
        let order = scene.quorum.order(nonce: epoch, certificate: certificate)
        let intent = scene.quorum.intent(
            .transfer(order), epoch: epoch, request: UInt8(10 + epoch))
        scene.quorum.offer(intent, to: [1, 2])
        try scene.quorum.run()
        try scene.proposeSigning(intent, order, [1, 2], under: certificate)
        try scene.quorum.run()
        return scene.quorum.signatures[intent.digest]?.count == 2
    }

    @Test func `a share that is damaged cannot prove that it is whole`() throws {
        let scene = try CeremonyScene("damage", .ed25519)
        let database = scene.quorum.members[1].database
        try database.commit {
            let sealed = try #require(try database.sealedShare(of: scene.main, epoch: 1))
            try database.replaceSealedShare(
                of: scene.main, epoch: 1, with: sealed.dropLast() + [sealed.last! ^ 1])
        }
        #expect(try proofs(scene, scene.main, by: [0, 1, 2]) == [true, false, true])
    }

    @Test func `who is given a share of a used key counts its limits as full for a day`() throws {
        let scene = try CeremonyScene("joined")
        try scene.run(
            .fromKeyGroup, Self.signing, 1, scene.holders([1, 3]), kind: .signing,
            from: scene.main, dealers: [0, 1], confirmedBy: [0, 1, 2, 3])
        let order = scene.quorum.order(certificate: scene.certificate(of: Self.signing))
        let intent = scene.quorum.intent(.transfer(order), request: 9, group: Self.signing)
        scene.quorum.offer(intent, to: [1, 3])
        try scene.quorum.run()
        let said = Dictionary(
            scene.quorum.verdicts.suffix(2).map { ($0.member, $0.verdict.verdict.name) },
            uniquingKeysWith: { $1 })
        #expect(said == [1: "approval", 3: "waiting"])
    }
}
