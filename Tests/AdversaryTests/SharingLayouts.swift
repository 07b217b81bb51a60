import Algebra
import Canonical
import KeyGroups
import TestKit

@testable import Threshold

/// The messages of a ceremony that deals a key anew, without pair setups:
/// docs/protocols/key-generation.md, "Messages" and "Checks".
enum SharingLayouts<Scheme: KeyScheme> {
    private static var threshold: SigningThreshold { SigningThreshold(2, of: 3)! }

    private static func layout(
        _ name: String, round: UInt8, isBroadcast: Bool = true, byteCount: Int,
        _ fields: [Layout.Field], _ rows: [Layout.Row]
    ) -> Layout {
        Layout(
            name: "\(Scheme.scheme.name) \(name)", round: round, isBroadcast: isBroadcast,
            byteCount: byteCount, fields: fields, rows: rows, group: Scheme.Group.self)
    }

    private static var committed: Layout {
        layout(
            "deal 1 broadcast", round: 1, byteCount: 32, [.init("com", .bytes, at: 0)],
            [
                .init(.length, .malformedMessage, .sender),
                .init(.value(["com"]), .echoMismatch, .nobody),
            ])
    }

    private static var opening: [Layout.Field] {
        let size = Scheme.Group.pointBytes
        return [
            .init("A0", .point, at: 32, length: size),
            .init("A1", .point, at: 32 + size, length: size),
            .init("proof R", .point, at: 32 + 2 * size, length: size),
            .init("proof s", .scalar, at: 32 + 3 * size),
            .init("blinder", .bytes, at: 64 + 3 * size),
        ]
    }

    private static var openedBytes: Int { 96 + 3 * Scheme.Group.pointBytes }

    private static var opened: Layout {
        layout(
            "deal 2 broadcast", round: 2, byteCount: openedBytes,
            [.init("echo", .bytes, at: 0)] + opening,
            [
                .init(.length, .malformedMessage, .sender),
                .init(.value(["echo"]), .echoMismatch, .nobody),
                .init(.value(opening.map(\.name)), .openingContradictsCommitment, .sender),
            ])
    }

    /// An attacker that has committed to what it opens, and echoes it. The second echo is that of
    /// its true opening.
    private static var recommitted: Layout {
        layout(
            "deal 2 recommitted", round: 2, byteCount: openedBytes, opening,
            [
                .init(.length, .malformedMessage, .sender),
                .init(.form(["A0", "A1", "proof R", "proof s"]), .malformedMessage, .sender),
                .init(.value(["A0", "proof R", "proof s"]), .proofOfPossession, .sender),
                .init(.value(["A1"]), .shareContradictsCommitment, .sender),
                .init(.value(["blinder"]), .echoMismatch, .nobody),
            ])
    }

    private static var dealt: Layout {
        layout(
            "deal 2 whisper", round: 2, isBroadcast: false, byteCount: 32,
            [.init("share", .scalar, at: 0)],
            [
                .init(.length, .malformedMessage, .sender),
                .init(.form(["share"]), .malformedMessage, .sender),
                .init(.value(["share"]), .shareContradictsCommitment, .sender),
            ])
    }

    private static var echoed: Layout {
        layout(
            "deal 3 broadcast", round: 3, byteCount: 32, [.init("echo", .bytes, at: 0)],
            [
                .init(.length, .malformedMessage, .sender),
                .init(.value(["echo"]), .echoMismatch, .nobody),
            ])
    }

    /// Two of three deal to all three: one of the dealers lies to the other.
    static func refresh(_ name: String) throws -> Stage<KeySharing<Scheme>> {
        try stage(
            name, [1, 2, 3],
            plan(
                receivers: [(1, 1), (2, 2), (3, 3)], dealers: [(1, 1), (2, 2)], name))
    }

    /// Two who receive nothing deal to three: one of them lies to one who deals nothing.
    static func recovery(_ name: String) throws -> Stage<KeySharing<Scheme>> {
        try stage(
            name, [1, 4, 2, 3, 5],
            plan(
                receivers: [(1, 3), (2, 1), (3, 2)], dealers: [(4, 1), (5, 3)], name))
    }

    /// Identities are made up in the order of seats.
    private static func plan(
        receivers: [(seat: Int, place: Int)], dealers: [(seat: Int, place: Int)], _ name: String
    ) -> SharingPlan {
        func roster(_ seats: [(seat: Int, place: Int)]) -> Roster {
            let everyone = TestKeys.roster(5).identities
            return Roster(
                seats.map { everyone[$0.seat - 1] }, seats.map { ParticipantIndex($0.place)! })!
        }
        return SharingPlan(
            kind: .main, threshold: threshold, holders: roster(receivers),
            source: SharingPlan.Source(
                group: GroupID(unchecked: [UInt8](repeating: 1, count: 16)), epoch: 1,
                certificate: .sha256(Array(name.utf8)), dealers: roster(dealers)))!
    }

    private static func stage(
        _ name: String, _ seats: [Int], _ plan: SharingPlan
    ) throws -> Stage<KeySharing<Scheme>> {
        let shares = try TestKeys.shares("mutations dealt", threshold, of: Scheme.self)
        func share(_ place: ParticipantIndex) throws -> KeyShare<Scheme> {
            try shares[place]!.with { try KeyShare(stored: $0) }
        }
        let source = try share(ParticipantIndex(1)!).key
        let places = plan.places(in: plan.dealers)
        return try Stage<KeySharing<Scheme>>(
            name, seats.map { ParticipantIndex($0)! },
            [committed, opened, recommitted, dealt, echoed],
            adapt: [recommitted.name: recommit(plan, source)],
            isGood: { made in
                made?.with {
                    $0.share.key.isConsistent && $0.share.key.publicKey == source.publicKey
                        && $0.share.key.chainCode == source.chainCode
                } ?? true
            },
            make: { seat, run in
                var random = TestRandom("mutations/\(run)/\(seat)")
                var dealt: KeyShare<Scheme>?
                if let place = places[seat] { dealt = try share(place) }
                return try KeySharing(
                    ClaimedRun(run, in: MemoryRegistry()), plan: plan, me: seat, source: source,
                    share: dealt, zeroSeeds: [:], random: &random)
            })
    }

    private static func recommit(
        _ plan: SharingPlan, _ source: SharedKey<Scheme>
    ) -> Stage<KeySharing<Scheme>>.Adapt {
        { mutated, said in
            let cheater = mutated.from
            let context = CeremonyContext<Scheme>(
                run: Stage<KeySharing<Scheme>>.run, plan: plan, me: cheater, source: source)!
            let opening = try? DealerOpening<Scheme.Group>(
                mutated.bytes.dropFirst(32), plan.threshold, isNew: false)
            guard let opening, let place = context.dealers[cheater] else { return said }
            let commitment = context.commitment(of: place, opening)
            var commitments = [cheater: commitment]
            for transit in said
            where transit.round == 1 && transit.isBroadcast && transit.from != cheater {
                commitments[transit.from] = Digest(transit.bytes)
            }
            let echo = context.echo(Tag.commitmentEcho, commitments)
            return said.map { transit in
                var transit = transit
                guard transit.from == cheater, transit.isBroadcast else { return transit }
                if transit.round == 1 { transit.bytes = commitment.bytes }
                if transit.round == 2 { transit.bytes = echo.bytes + mutated.bytes.dropFirst(32) }
                return transit
            }
        }
    }
}
