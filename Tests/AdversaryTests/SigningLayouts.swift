import Algebra
import Canonical
import KeyGroups
import TestKit

@testable import Threshold

/// The messages of signing: docs/protocols/ecdsa-signing.md, "Messages" and "Checks".
enum SigningLayouts {
    private static let opening = [
        Layout.Field("R", .point, at: 32), Layout.Field("blinder", .bytes, at: 65),
        Layout.Field("pk", .point, at: 97), Layout.Field("Γ", .point, at: 130),
        Layout.Field("Γ'", .point, at: 163), Layout.Field("ψ", .scalar, at: 196),
        Layout.Field("a~", .scalar, at: 228, count: 512 * 3),
        Layout.Field("η", .scalar, at: 49_380), Layout.Field("μ", .bytes, at: 49_412),
    ]

    private static let parsed = ["R", "pk", "Γ", "Γ'", "ψ", "a~", "η"]

    static let committed = Layout(
        name: "sign 1 broadcast", round: 1, isBroadcast: true, byteCount: 32,
        fields: [Layout.Field("com", .bytes, at: 0)],
        rows: [
            .init(.length, .malformedMessage, .sender),
            .init(.value(["com"]), .transcriptMismatch, .nobody),
        ])

    static let extended = Layout(
        name: "sign 1 whisper", round: 1, isBroadcast: false, byteCount: 9264,
        fields: [
            .init("setup", .bytes, at: 0), .init("u", .bytes, at: 32, length: 80, count: 64),
            .init("X", .bytes, at: 5152, length: 16),
            .init("t", .bytes, at: 5168, length: 16, count: 256),
        ],
        rows: [
            .init(.length, .malformedMessage, .sender),
            .init(.value(["setup"]), .differentSetup, .nobody),
            .init(.value(["u", "X", "t"]), .transferCheck, .sender),
        ])

    static let multiplied = Layout(
        name: "sign 2 whisper", round: 2, isBroadcast: false, byteCount: 49_444,
        fields: [Layout.Field("tr", .bytes, at: 0)] + opening,
        rows: [
            .init(.length, .malformedMessage, .sender),
            .init(.value(["tr"]), .transcriptMismatch, .nobody),
            .init(.form(parsed), .malformedMessage, .sender),
            .init(.value(["R", "blinder"]), .openingContradictsCommitment, .sender),
            .init(.value(["a~", "η", "μ"]), .multiplicationCheck, .sender),
            .init(.value(["Γ"]), .nonceCheck, .sender),
            .init(.value(["pk", "Γ'"]), .keyCheck, .sender),
            .init(.value(["ψ"]), .invalidSignature, .otherOfTwo),
        ])

    /// An attacker that has committed to what it opens, and shows the transcript with it.
    static let recommitted = Layout(
        name: "sign 2 recommitted", round: 2, isBroadcast: false, byteCount: 49_444,
        fields: opening, targets: ["R", "blinder"],
        rows: [
            .init(.length, .malformedMessage, .sender),
            .init(.form(parsed), .malformedMessage, .sender),
            .init(.value(["a~", "η", "μ"]), .multiplicationCheck, .sender),
            .init(.value(["R", "Γ"]), .nonceCheck, .sender),
            .init(.value(["pk", "Γ'"]), .keyCheck, .sender),
            .init(.value(["blinder"]), .publicKeyMismatch, .nobody),
            .init(.value(["ψ"]), .invalidSignature, .otherOfTwo),
        ])

    static let summed = Layout(
        name: "sign 3 whisper", round: 3, isBroadcast: false, byteCount: 64,
        fields: [.init("w", .scalar, at: 0), .init("u", .scalar, at: 32)],
        rows: [
            .init(.length, .malformedMessage, .sender),
            .init(.form(["w", "u"]), .malformedMessage, .sender),
            .init(.value(["w", "u"]), .invalidSignature, .otherOfTwo),
        ])

    /// A run of these members and so many items, under a key that is made once for all of them.
    static func stage(
        _ name: String, _ size: (required: Int, holders: Int), _ members: [Int], items: Int = 1
    ) throws -> Stage<Signing> {
        let threshold = SigningThreshold(size.required, of: size.holders)!
        let shares = try TestKeys.shares("mutations \(size)", threshold)
        let members = members.map { ParticipantIndex($0)! }
        let items = (0..<items).map { number in
            SigningItem(
                path: DerivationPath([44, 60, 0, 0, UInt32(number)])!,
                digest: .sha256(Array("item \(number)".utf8)))
        }
        func share(_ index: ParticipantIndex) throws -> KeyShare<ECDSA> {
            try shares[index]!.with { try KeyShare(stored: $0) }
        }
        let key = try share(members[0]).key
        var layouts = [committed, extended, multiplied, summed]
        if members.count == 2, items.count == 1 { layouts.append(recommitted) }
        return try Stage<Signing>(
            name, members, layouts, items: UInt16(items.count),
            adapt: [recommitted.name: recommit(Array(items), members, key)],
            isGood: { signatures in
                zip(items, signatures).allSatisfy { item, signature in
                    signature.verifies(
                        item.digest, under: DerivedKey(item.path, of: key)!.publicKey)
                } && signatures.count == items.count
            },
            make: { index, run in
                var random = TestRandom("mutations/\(run)/\(index)")
                return try Signing(
                    ClaimedRun(run, in: MemoryRegistry()), items: Array(items), members: members,
                    share: try share(index), random: &random)
            })
    }

    private static func recommit(
        _ items: [SigningItem], _ members: [ParticipantIndex], _ key: SharedKey<ECDSA>
    ) -> Stage<Signing>.Adapt {
        { mutated, said in
            let cheater = mutated.from
            let context = SigningContext(
                0, items[0], of: Stage<Signing>.run, Quorum(me: cheater, members: members)!,
                derived: DerivedKey(items[0].path, of: key)!)
            let commitment = context.commitment(
                of: cheater, nonce: Array(mutated.bytes.dropFirst(32).prefix(33)),
                blinder: Array(mutated.bytes.dropFirst(65).prefix(32)))
            var commitments = [cheater: commitment]
            for transit in said where transit.round == 1 && transit.isBroadcast {
                if transit.from != cheater { commitments[transit.from] = Digest(transit.bytes) }
            }
            let transcript = context.transcript(commitments)
            return said.map { transit in
                var transit = transit
                guard transit.from == cheater else { return transit }
                if transit.round == 1, transit.isBroadcast { transit.bytes = commitment.bytes }
                if transit.round == 2, transit.bytes.count >= 32 {
                    transit.bytes.replaceSubrange(0..<32, with: transcript.bytes)
                }
                return transit
            }
        }
    }
}
