import Algebra
import Canonical
import KeyGroups
import TestKit

@testable import Threshold

/// The messages of FROST: docs/protocols/frost.md, "Messages" and "Checks".
enum FROSTLayouts<Scheme: SchnorrScheme> {
    private typealias Run = SchnorrSigning<Scheme>

    private static var points: [Layout.Field] {
        let size = Scheme.Group.pointBytes
        return [
            .init("D", .point, at: 0, length: size), .init("E", .point, at: size, length: size),
        ]
    }

    private static func layout(
        _ name: String, round: UInt8, _ fields: [Layout.Field], _ rows: [Layout.Row]
    ) -> Layout {
        let byteCount = fields.map { $0.offsets[0] + $0.length }.max() ?? 0
        return Layout(
            name: "\(Scheme.scheme.name) \(name)", round: round, isBroadcast: round == 1,
            byteCount: byteCount, fields: fields, rows: rows, group: Scheme.Group.self,
            lastRound: round)
    }

    /// The attacker's hash of all commitments is that of its true ones. It is looked at when ours
    /// has left.
    private static var committed: Layout {
        layout(
            "frost 1 broadcast", round: 1, points,
            [
                .init(.length, .malformedMessage, .sender),
                .init(.form(["D", "E"]), .malformedMessage, .sender),
                .init(.value(["D", "E"]), .commitmentsDiffer, .nobody),
            ])
    }

    /// An attacker whose hash of all commitments fits.
    private static var recommitted: Layout {
        layout(
            "frost 1 recommitted", round: 1, points,
            [
                .init(.length, .malformedMessage, .sender),
                .init(.form(["D", "E"]), .malformedMessage, .sender),
                .init(.value(["D", "E"]), .signatureShare, .sender),
            ])
    }

    private static var summed: Layout {
        layout(
            "frost 2 whisper", round: 2, [.init("hB", .bytes, at: 0), .init("z", .scalar, at: 32)],
            [
                .init(.length, .malformedMessage, .sender),
                .init(.form(["z"]), .malformedMessage, .sender),
                .init(.value(["hB"]), .commitmentsDiffer, .nobody),
                .init(.value(["z"]), .signatureShare, .sender),
            ])
    }

    static func stage(
        _ name: String, _ size: (required: Int, holders: Int), _ members: [Int], items: Int = 1
    ) throws -> Stage<SchnorrSigning<Scheme>> {
        let shares = try TestKeys.shares(
            "mutations \(size)", SigningThreshold(size.required, of: size.holders)!,
            of: Scheme.self)
        let members = members.map { ParticipantIndex($0)! }
        let items = (0..<items).map { number in
            SchnorrItem(
                path: DerivationPath([86, 0, UInt32(number)])!, message: Array("item".utf8))!
        }
        func share(_ index: ParticipantIndex) throws -> KeyShare<Scheme> {
            try shares[index]!.with { try KeyShare(stored: $0) }
        }
        let key = try share(members[0]).key
        let layouts = [committed, summed] + (members.count == 2 ? [recommitted] : [])
        return try Stage<SchnorrSigning<Scheme>>(
            name, members, layouts, items: UInt16(items.count),
            adapt: [recommitted.name: recommit(items, members, key)],
            isGood: { signatures in
                signatures.count == items.count
                    && zip(items, signatures).allSatisfy { item, signature in
                        let output = Scheme.tweak(DerivedKey(item.path, of: key)!)!.publicKey
                        return Scheme.verifies(signature, of: item.message, under: output)
                    }
            },
            make: { index, run in
                var random = TestRandom("mutations/\(run)/\(index)")
                return try SchnorrSigning(
                    ClaimedRun(run, in: MemoryRegistry()), items: items, members: members,
                    share: try share(index), random: &random)
            })
    }

    private static func recommit(
        _ items: [SchnorrItem], _ members: [ParticipantIndex], _ key: SharedKey<Scheme>
    ) -> Stage<SchnorrSigning<Scheme>>.Adapt {
        { mutated, said in
            let number = Int(mutated.item)
            let context = SchnorrContext<Scheme>(
                number, items[number], of: Stage<SchnorrSigning<Scheme>>.run,
                Quorum(me: mutated.from, members: members)!, key)!
            var commitments = [mutated.from: mutated.bytes]
            for transit in said
            where transit.round == 1 && transit.item == mutated.item
                && transit.from != mutated.from
            {
                commitments[transit.from] = transit.bytes
            }
            let list = members.flatMap { member in
                (member.scalar() as Scheme.Group.Scalar).bytes + (commitments[member] ?? [])
            }
            let digest = context.commitmentsDigest(list)
            return said.map { transit in
                var transit = transit
                if transit.from == mutated.from, transit.round == 2, transit.item == mutated.item {
                    transit.bytes.replaceSubrange(0..<32, with: digest.bytes)
                }
                return transit
            }
        }
    }
}
