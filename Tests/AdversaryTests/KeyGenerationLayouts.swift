import Algebra
import Canonical
import KeyGroups
import TestKit

@testable import Threshold

/// The messages of key generation: docs/protocols/key-generation.md, "Messages" and "Checks". All
/// that depends on the names of its code is in this file.
enum KeyGenerationLayouts {
    private static let committed = Layout(
        name: "key 1 broadcast", round: 1, isBroadcast: true, byteCount: 32,
        fields: [Layout.Field("com", .bytes, at: 0)],
        rows: [
            .init(.length, .malformedMessage, .sender),
            .init(.value(["com"]), .echoMismatch, .nobody),
        ])

    private static func opening(_ required: Int) -> [Layout.Field] {
        let end = 32 + 33 * required
        return [
            .init("A0", .point, at: 32), .init("A1…", .point, at: 65, count: required - 1),
            .init("proof R", .point, at: end), .init("proof s", .scalar, at: end + 33),
            .init("chain code", .bytes, at: end + 65), .init("blinder", .bytes, at: end + 97),
        ]
    }

    private static func opened(_ required: Int) -> Layout {
        let fields = opening(required)
        return Layout(
            name: "key 2 broadcast", round: 2, isBroadcast: true, byteCount: 161 + 33 * required,
            fields: [.init("echo", .bytes, at: 0)] + fields,
            rows: [
                .init(.length, .malformedMessage, .sender),
                .init(.value(["echo"]), .echoMismatch, .nobody),
                .init(.value(fields.map(\.name)), .openingContradictsCommitment, .sender),
            ])
    }

    /// An attacker that has committed to what it opens, and echoes it.
    private static func recommitted(_ required: Int) -> Layout {
        Layout(
            name: "key 2 recommitted", round: 2, isBroadcast: true, byteCount: 161 + 33 * required,
            fields: opening(required),
            rows: [
                .init(.length, .malformedMessage, .sender),
                .init(
                    .form(["A0", "A1…", "proof R", "proof s"]), .malformedMessage, .sender),
                .init(.value(["A0", "proof R", "proof s"]), .proofOfPossession, .sender),
                .init(.value(["A1…"]), .shareContradictsCommitment, .sender),
                .init(.value(["chain code", "blinder"]), .echoMismatch, .nobody),
            ])
    }

    private static let dealt = Layout(
        name: "key 2 whisper", round: 2, isBroadcast: false, byteCount: 16_928,
        fields: [.init("share", .scalar, at: 0), .init("r", .point, at: 32, count: 512)],
        rows: [
            .init(.atLeast(32), .malformedMessage, .sender),
            .init(.form(["share"]), .malformedMessage, .sender),
            .init(.value(["share"]), .shareContradictsCommitment, .sender),
            .init(.length, .baseTransfer, .sender),
            .init(.form(["r"]), .baseTransfer, .sender),
            // The attacker spoils its own keys: the setups' names differ, and no run begins.
            .init(.value(["r"]), nil, .nobody),
        ])

    private static let echoed = Layout(
        name: "key 3 broadcast", round: 3, isBroadcast: true, byteCount: 32,
        fields: [Layout.Field("echo", .bytes, at: 0)],
        rows: [
            .init(.length, .malformedMessage, .sender),
            .init(.value(["echo"]), .echoMismatch, .nobody),
        ])

    private static let trees = 16_896 * 2

    private static let answered = Layout(
        name: "key 3 whisper", round: 3, isBroadcast: false, byteCount: 16_896 + 64 * 352,
        fields: [.init("Y", .point, at: 0, count: 512)]
            + (0..<8).map { number in
                .init(
                    "corr", .bytes, at: 16_896 + 32 * number, count: 64, stride: 352)
            } + [
                .init("tt", .bytes, at: 16_896 + 256, length: 64, count: 64, stride: 352),
                .init("hc", .bytes, at: 16_896 + 320, count: 64, stride: 352),
            ],
        rows: [
            .init(.length, .baseTransfer, .sender),
            .init(.form(["Y"]), .baseTransfer, .sender),
            .init(.value(["tt", "hc"]), .transferTree, .sender),
            // By the choice bit: the other half of each pair is not looked at.
            .init(.perhaps(["Y", "corr"]), .transferTree, .sender),
        ])

    static func stage(
        _ name: String, _ size: (required: Int, holders: Int)
    ) throws -> Stage<KeySharing<ECDSA>> {
        let threshold = SigningThreshold(size.required, of: size.holders)!
        let holders = TestKeys.indices(size.holders)
        return try Stage<KeySharing<ECDSA>>(
            name, holders,
            [
                committed, opened(size.required), recommitted(size.required), dealt, echoed,
                answered,
            ],
            adapt: [recommitted(size.required).name: recommit(threshold, holders)],
            isGood: { $0?.with { $0.share.key.isConsistent } ?? false },
            make: { index, run in
                try TestKeys.participant("mutations \(size)", threshold, run: run, me: index)
            })
    }

    private static func recommit(
        _ threshold: SigningThreshold, _ holders: [ParticipantIndex]
    ) -> Stage<KeySharing<ECDSA>>.Adapt {
        { mutated, said in
            let cheater = mutated.from
            let bytes = mutated.bytes.dropFirst(32)
            guard
                let opening = try? DealerOpening<Secp256k1>(bytes, threshold, isNew: true)
            else { return said }
            let context = CeremonyContext<ECDSA>(
                run: Stage<KeySharing<ECDSA>>.run, plan: TestKeys.plan(threshold), me: cheater,
                source: nil)!
            let commitment = context.commitment(of: cheater, opening)
            var commitments = [cheater: commitment]
            for transit in said where transit.round == 1 && transit.isBroadcast {
                if transit.from != cheater { commitments[transit.from] = Digest(transit.bytes) }
            }
            let echo = context.echo(Tag.commitmentEcho, commitments)
            return said.map { transit in
                var transit = transit
                guard transit.from == cheater, transit.isBroadcast else { return transit }
                if transit.round == 1 { transit.bytes = commitment.bytes }
                if transit.round == 2 {
                    transit.bytes = echo.bytes + mutated.bytes.dropFirst(32)
                }
                return transit
            }
        }
    }
}
