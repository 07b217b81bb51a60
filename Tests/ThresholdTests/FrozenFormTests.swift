import Algebra
import Canonical
import Foundation
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// Forms that are on disks and wires of others: a change of one shows here, and needs a version.
///
/// `Vectors/frozen/` holds what version 2 wrote from the streams of `TestRandom`; the keys guard
/// nothing. `QUORUMKEEP_FREEZE=DIR` writes the files anew, for a new version beside the old.
@Suite struct `Frozen forms` {
    static let threshold = SigningThreshold(2, of: 3)!
    static let files = [
        SignatureScheme.ecdsaSecp256k1, .bip340Secp256k1, .ed25519,
    ]

    private func shares<Scheme: KeyScheme>(_ scheme: Scheme.Type) throws -> [UInt8] {
        let shares = try TestKeys.shares("frozen", Self.threshold, of: scheme)
        return shares[ParticipantIndex(2)!]!.with { $0.withBytes { Array($0) } }
    }

    @Test(arguments: files) func `a share of an earlier version opens, and is written the same`(
        _ scheme: SignatureScheme
    ) throws {
        func check<Scheme: KeyScheme>(_ type: Scheme.Type) throws {
            let name = "share-v2-\(scheme.name).bin"
            let made = try shares(type)
            if let directory = ProcessInfo.processInfo.environment["QUORUMKEEP_FREEZE"] {
                try Data(made).write(to: URL(filePath: directory).appending(path: name))
            }
            let kept = Array(try Vectors.data("frozen/\(name)"))
            #expect(made == kept, "the stored form, or the protocol's bytes, have changed")
            let share = try KeyShare<Scheme>(stored: SecretBytes(copying: kept))
            #expect(share.key.isConsistent)
            let again = share.stored().withBytes { Array($0) }
            #expect(again == kept)
        }
        try check(scheme.type)
    }

    /// Every message of a run, in order, as one digest.
    private func digest(_ sent: [Transit]) -> String {
        var transcript = Transcript(HashTag("test/frozen"))
        for transit in sent {
            transcript.append([transit.round, transit.from.raw, transit.to.raw])
            transcript.append(transit.bytes)
        }
        return transcript.digest().hex
    }

    private func schnorr<Scheme: SchnorrScheme>(_ scheme: Scheme.Type) throws -> String {
        let network = LocalNetwork<SchnorrSigning<Scheme>>()
        let members = TestKeys.indices(2)
        let shares = try TestKeys.shares("frozen", Self.threshold, of: scheme)
        for me in members {
            var random = TestRandom("frozen/\(me)")
            network.add(
                try SchnorrSigning(
                    ClaimedRun(RunID(.sha256([1])), in: MemoryRegistry()),
                    items: [SchnorrItem(path: DerivationPath([1, 2])!, message: [1, 2, 3])!],
                    members: members,
                    share: shares[me]!.with { try KeyShare<Scheme>(stored: $0) },
                    random: &random), me)
        }
        network.run()
        return digest(network.sent)
    }

    /// The messages of threshold ECDSA and of key generation are compared byte for byte with the
    /// reference model's (`KnownAnswerTests`); these are the others.
    @Test func `messages are those of version 1`() throws {
        let expected = try Vectors.json("frozen/messages.json")
        var made: [String: String] = [
            "frost ed25519": try schnorr(EdDSA.self),
            "frost secp256k1-schnorr": try schnorr(BIP340.self),
        ]
        for (name, network) in [
            ("sharing ed25519", try ceremony(EdDSA.self)),
            ("sharing secp256k1-schnorr", try ceremony(BIP340.self)),
        ] { made[name] = network }
        let plan = recovery
        made["descriptor"] =
            RunDescriptor(
                request: RequestID(unchecked: [UInt8](repeating: 1, count: 16)), attempt: 2,
                intent: .sha256([3]), group: GroupID(unchecked: [UInt8](repeating: 4, count: 16)),
                epoch: 5, scheme: .ed25519, purpose: .keyCeremony(plan), expires: 6
            ).digest.hex
        if let directory = ProcessInfo.processInfo.environment["QUORUMKEEP_FREEZE"] {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(made).write(
                to: URL(filePath: directory).appending(path: "messages.json"))
        }
        for (name, digest) in made { #expect(digest == expected[name].text, "\(name)") }
        #expect(made.count == expected.entries.count)
    }

    private var recovery: SharingPlan {
        `A key dealt anew`.plan(
            Self.threshold, receivers: [(1, 1), (3, 3), (6, 2)], dealers: [(4, 1), (5, 2)])
    }

    private func ceremony<Scheme: KeyScheme>(_ scheme: Scheme.Type) throws -> String {
        let network = try TestKeys.ceremony("frozen", Self.threshold, of: scheme)
        network.run()
        return digest(network.sent)
    }
}
