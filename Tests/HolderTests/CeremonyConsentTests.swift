import Algebra
import Canonical
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing

/// What a platform can and cannot do with key ceremonies.
@Suite(.serialized) struct `A platform that orders key ceremonies` {
    private static let two = SigningThreshold(2, of: 3)!

    private func ceremony(_ quorum: SimulatedQuorum, _ threshold: SigningThreshold = two)
        -> KeyCeremony
    {
        KeyCeremony(
            occasion: .keyGeneration, scheme: .ecdsaSecp256k1, kind: .main, threshold: threshold,
            holders: quorum.roster, source: nil)!
    }

    private func plan(
        _ quorum: SimulatedQuorum, _ threshold: SigningThreshold = two,
        members: [Int] = [0, 1, 2], kind: GroupKind = .main
    ) -> RunDescriptor.Purpose {
        .keyCeremony(
            SharingPlan(
                kind: kind, threshold: threshold, holders: quorum.places(of: members),
                source: nil)!)
    }

    private func confirm(
        _ ceremony: KeyCeremony, by member: Int, _ quorum: SimulatedQuorum, request: UInt8 = 1
    ) throws {
        let database = quorum.members[member].database
        try database.commit {
            try database.confirm(
                fingerprint: ceremony.fingerprint(of: quorum.group),
                request: RequestID(unchecked: [UInt8](repeating: request, count: 16)))
        }
    }

    private func keyCounts(_ quorum: SimulatedQuorum) throws -> [Int] {
        try quorum.members.map { try $0.database.rowCount(of: "keys") }
    }

    @Test func `34 gets no key that not all have confirmed, or that differs from what they have`()
        throws
    {
        let quorum = try SimulatedQuorum(Self.two, seed: "unconfirmed")
        let wanted = ceremony(quorum)
        let other = ceremony(quorum, SigningThreshold(3, of: 3)!)
        let intent = quorum.intent(.keyCeremony(wanted))
        // Two have read this fingerprint to each other, the third another one.
        for member in 0..<2 { try confirm(wanted, by: member, quorum) }
        try confirm(other, by: 2, quorum)
        quorum.offer(intent)
        try quorum.run()
        let said = Dictionary(
            quorum.verdicts.map { ($0.member, $0.verdict.verdict.name) }, uniquingKeysWith: { $1 })
        #expect(said == [0: "approval", 1: "approval", 2: "waiting"])
        let purpose = plan(quorum)
        quorum.propose(intent, purpose)
        try quorum.run()
        #expect(
            quorum.reports.map(\.report.reason) == ["no approved intent stands behind the run"])
        try quorum.tick(70)

        // All have confirmed; the run is for another threshold, kind or group than that.
        try confirm(wanted, by: 2, quorum)
        quorum.offer(intent)
        try quorum.run()
        let attempts: [([Int], RunDescriptor.Purpose)] = [
            ([0, 1, 2], plan(quorum, other.threshold)),
            ([0, 1, 2], plan(quorum, kind: .signing)),
            ([0, 1], plan(quorum, SigningThreshold(2, of: 2)!, members: [0, 1])),
        ]
        for (members, purpose) in attempts {
            let before = quorum.reports.count
            quorum.propose(intent, purpose)
            try quorum.run()
            let reasons = quorum.reports.dropFirst(before).map(\.report.reason)
            #expect(
                reasons == members.map { _ in "the ceremony is another than was approved" })
        }
        #expect(try keyCounts(quorum) == [0, 0, 0])
        quorum.propose(intent, purpose)
        try quorum.run()
        #expect(quorum.certificates.count == 3)
    }

    /// A key of the next epoch by a new key generation is another key. What a person confirmed once
    /// is the group, and that it has one.
    @Test func `cannot have a key that is used destroyed by ordering another`() throws {
        let quorum = try SimulatedQuorum(Self.two, seed: "second key")
        try quorum.generateKey()
        for member in 0..<3 { try confirm(ceremony(quorum), by: member, quorum, request: 7) }
        let intent = quorum.intent(.keyCeremony(ceremony(quorum)), epoch: 2, request: 7)
        quorum.offer(intent)
        try quorum.run()
        quorum.propose(intent, plan(quorum))
        try quorum.run()
        for member in quorum.members { #expect(try member.database.activeEpochs().contains(1)) }
        try expectSigns(quorum)
    }

    /// Nor by holding back what confirms the first until there is a second.
    @Test func `cannot have it destroyed by confirming two keys one after the other`() throws {
        let quorum = try SimulatedQuorum(Self.two, seed: "two keys at once")
        var held: [(epoch: UInt64, transit: SimulatedQuorum.Transit)] = []
        var released: Set<UInt64> = []
        quorum.relay = { transit in
            guard case .testimony(let bytes) = transit.input,
                let epoch = (try? KeyTestimony(bytes))?.epoch, !released.contains(epoch)
            else { return [transit] }
            held.append((epoch, transit))
            return []
        }
        try quorum.generateKey()
        for member in 0..<3 { try confirm(ceremony(quorum), by: member, quorum, request: 7) }
        let intent = quorum.intent(.keyCeremony(ceremony(quorum)), epoch: 2, request: 7)
        quorum.offer(intent)
        try quorum.run()
        quorum.propose(intent, plan(quorum))
        try quorum.run()
        for epoch: UInt64 in 1...2 {
            released.insert(epoch)
            for (_, transit) in held where transit.input.isTestimony(of: epoch) {
                quorum.post(transit.input, to: transit.to)
            }
            try quorum.run()
            for member in quorum.members {
                #expect(try member.database.activeEpochs().contains(1))
            }
        }
        try expectSigns(quorum)
    }

    private func expectSigns(_ quorum: SimulatedQuorum) throws {
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

extension HolderInput {
    fileprivate func isTestimony(of epoch: UInt64) -> Bool {
        guard case .testimony(let bytes) = self else { return false }
        return (try? KeyTestimony(bytes))?.epoch == epoch
    }
}
