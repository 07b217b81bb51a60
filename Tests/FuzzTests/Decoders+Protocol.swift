import Canonical
import KeyGroups
import TestKit

@testable import Algebra
@testable import Threshold

/// What holders send each other, and what they keep.
extension Decoders {
    static func random(_ name: String, _ count: Int) -> [UInt8] {
        var random = TestRandom("fuzz/\(name)")
        return random.bytes(count)
    }

    static func point(_ name: String) -> Point {
        SecretScalar(Scalar(reducing: random(name, 32))).timesGenerator()!
    }

    static func identity(_ name: String) -> IdentityKey {
        IdentityKey(seed: SecretBytes(copying: random(name, 32)))!
    }

    static let threshold2of3 = SigningThreshold(2, of: 3)!

    static let roster: Roster = {
        let keys = ["a", "b", "c"].map { identity($0).publicKey }.sorted()
        return Roster(keys, TestKeys.indices(3))!
    }()

    static func descriptor(
        _ purpose: RunDescriptor.Purpose, isFresh: Bool = false
    ) -> RunDescriptor {
        RunDescriptor(
            request: RequestID(unchecked: random("request", 16)), attempt: 1,
            intent: .sha256([1]), group: GroupID(unchecked: random("group", 16)), epoch: 1,
            scheme: .ecdsaSecp256k1, purpose: purpose, expires: 1_800_000_000,
            isFresh: isFresh)
    }

    private static func plan(source: SharingPlan.Source?) -> SharingPlan {
        SharingPlan(kind: .main, threshold: threshold2of3, holders: roster, source: source)!
    }

    static let descriptors = [
        descriptor(.keyCeremony(plan(source: nil))),
        descriptor(
            .keyCeremony(
                plan(
                    source: SharingPlan.Source(
                        group: GroupID(unchecked: random("source", 16)), epoch: 7,
                        certificate: .sha256([8]),
                        dealers: Roster(
                            Array(roster.identities.prefix(2)), TestKeys.indices(2))!)))),
        descriptor(
            .signing(
                certificate: .sha256([2]),
                items: (0..<3).map { number in
                    SigningItem(
                        path: DerivationPath([44, 60, UInt32(number), 0, 7])!,
                        digest: .sha256([number]))
                }, roster)),
        descriptor(
            .signing(
                certificate: .sha256([2]),
                items: [SigningItem(path: DerivationPath([0])!, digest: .sha256([1]))], roster),
            isFresh: true),
    ]

    static let certificate: KeyCertificate = {
        let key = AnySharedKey(
            .ecdsaSecp256k1, threshold: threshold2of3, publicKey: point("key").compressed,
            chainCode: random("code", 32),
            verifyingShares: Dictionary(
                uniqueKeysWithValues: TestKeys.indices(3).map {
                    ($0, point("share \($0)").compressed)
                }))!
        return KeyCertificate(
            descriptor: descriptors[0],
            contributions: (0..<3).map { number in
                RunContribution(
                    nonce: random("nonce \(number)", 32),
                    ephemeral: EphemeralPublicKey(unchecked: random("ephemeral \(number)", 32)))
            }, key: key, echo: .sha256([3]),
            signatures: (0..<3).map { _ in identity("a").sign(.sha256([4])) })!
    }()

    static let sealing = SecretBox(SealingKey(SecretBytes(copying: random("sealing", 32))))
    static let nonce = random("nonce", SealingKey.nonceBytes)

    static let algebra: [Decoder] = [
        Decoder(
            name: "Scalar", seeds: [[UInt8](repeating: 0, count: 32), (-Scalar.one).bytes]
        ) { Scalar(canonical: $0)?.bytes },
        Decoder(name: "Point", seeds: [point("a").compressed, point("b").compressed]) {
            Point(compressed: $0)?.compressed
        },
        Decoder(
            name: "ECDSASignature",
            seeds: [
                Scalar(7).bytes + Scalar(9).bytes + [1],
                random("s", 31) + [1] + random("s", 31) + [1, 0],
            ]
            .filter { ECDSASignature($0) != nil }
        ) { ECDSASignature($0)?.bytes },
        Decoder(
            name: "PublicMatrix", seeds: [random("m", 6 * 32), [UInt8](repeating: 0, count: 192)]
        ) { PublicMatrix($0, rows: 2, columns: 3)?.bytes },
        Decoder(
            name: "sealed box",
            seeds: [sealing.with { $0.seal([1, 2, 3], nonce: nonce, authenticating: [9]) }]
        ) { bytes in
            sealing.with { key in
                guard let plain = key.open(bytes, nonce: nonce, authenticating: [9]) else {
                    return nil
                }
                return key.seal(plain, nonce: nonce, authenticating: [9])
            }
        },
    ]

    static let keyGroups: [Decoder] = [
        Decoder(
            name: "CBOR", form: .cbor, limit: CBOR.byteLimit,
            seeds: descriptors.map(\.bytes) + [certificate.bytes, CBOR.bool(true).encoded()]
        ) { try? CBOR.decode($0).encoded() },
        Decoder(
            name: "RunDescriptor", form: .cbor, limit: CBOR.byteLimit,
            seeds: descriptors.map(\.bytes)
        ) { try? RunDescriptor($0).bytes },
        Decoder(
            name: "KeyCertificate", form: .cbor, limit: KeyCertificate.byteLimit,
            seeds: [certificate.bytes]
        ) { bytes in
            guard let certificate = try? KeyCertificate(bytes) else { return nil }
            _ = certificate.claimed()
            return certificate.bytes
        },
        .text(
            "DerivationPath", seeds: ["m", "m/44/60/0/0/7", "m/2147483647"],
            pieces: ["m/", "/", "0", "4294967296", "2147483648", "'", "+", "-0", "00"]
        ) { DerivationPath(text: $0)?.description },
    ]

    /// Each holder's share with and without what it has in common with the other.
    static let stored: [[UInt8]] = {
        let shares = (try? TestKeys.shares("fuzz", SigningThreshold(2, of: 2)!)) ?? [:]
        let whole = shares.mapValues { box in box.with { $0.withBytes { Array($0) } } }
        let alone = whole.map { index, bytes in
            let peer = TestKeys.indices(2).first { $0 != index }
            guard let peer, let share = try? KeyShare<ECDSA>(stored: SecretBytes(copying: bytes))
            else {
                return [UInt8]()
            }
            return share.withoutPair(peer).stored().withBytes { Array($0) }
        }
        return (alone + whole.values).sorted { $0.lexicographicallyPrecedes($1) }
    }()

    static let sender = SecretBox(identity("a"))

    static let envelope: [UInt8] = {
        let header = Envelope.Header(
            run: RunID(unchecked: random("run", 32)), scheme: 1, round: 2, item: 0, from: 0, to: 1,
            kind: .round)
        return sender.with { Envelope(header, [1, 2, 3, 4], signedBy: $0).bytes }
    }()

    private static func edwards(_ name: String) -> [UInt8] {
        let scalar = Ed25519.Scalar(reducing: random(name, 32))
        return Ed25519.SecretScalar(scalar).timesGenerator()!.compressed
    }

    private static let checked: SharedKey<EdDSA> = {
        let shares = try! TestKeys.shares("fuzz", threshold2of3, of: EdDSA.self)
        return try! shares[ParticipantIndex(1)!]!.with { try KeyShare<EdDSA>(stored: $0).key }
    }()

    private static let statement = ShareCheck.Statement(
        group: GroupID(unchecked: random("group", 16)), epoch: 1, certificate: .sha256([3]),
        index: ParticipantIndex(1)!, challenge: random("challenge", 32))

    private static let shareProof: [UInt8] = {
        let shares = try! TestKeys.shares("fuzz", threshold2of3, of: EdDSA.self)
        return try! shares[ParticipantIndex(1)!]!.with {
            try KeyShare<EdDSA>(stored: $0).proof(of: statement) ?? []
        }
    }()

    private static let openingBytes = DealerOpening<Secp256k1>.byteCount(
        threshold2of3, isNew: true)

    static let threshold: [Decoder] = [
        Decoder(
            name: "Envelope",
            limit: Envelope.headerBytes + Envelope.bodyBytesMost + IdentitySignature.byteCount,
            seeds: [envelope]
        ) { bytes in
            guard let envelope = try? Envelope(bytes) else { return nil }
            _ = envelope.isSigned(by: sender.with { $0.publicKey })
            return envelope.bytes
        },
        Decoder(
            name: "Ready",
            seeds: [0, 1, 2].map { count in
                Ready(
                    descriptor: .sha256([1]), nonce: random("n", 32),
                    ephemeral: EphemeralPublicKey(unchecked: random("e", 32)),
                    setups: Dictionary(
                        uniqueKeysWithValues: (0..<count).map { position in
                            let id = SetupID(unchecked: random("id \(position)", 32))
                            return (UInt16(position), PairSetupIDs(asAlice: id, asBob: id))
                        })
                ).bytes
            }
        ) { try? Ready($0).bytes },
        Decoder(name: "KeyShare", seeds: stored) { bytes in
            guard !bytes.isEmpty else { return nil }
            let share = try? KeyShare<ECDSA>(stored: SecretBytes(copying: bytes))
            switch share {
            case .some(let share): return share.stored().withBytes { Array($0) }
            case nil: return nil
            }
        },
        Decoder(
            name: "TransferExtension.Message",
            seeds: [random("bob", TransferExtension.messageBytes)]
        ) { bytes in
            TransferExtension.Message(bytes).map(\.bytes)
        },
        Decoder(
            name: "DealerOpening", seeds: [random("o", Self.openingBytes)]
        ) { try? DealerOpening<Secp256k1>($0[...], threshold2of3, isNew: true).bytes },
        Decoder(
            name: "NonceCommitments on secp256k1",
            seeds: [point("d").compressed + point("e").compressed]
        ) { NonceCommitments<Secp256k1>($0)?.bytes },
        Decoder(name: "NonceCommitments on edwards25519", seeds: [edwards("d") + edwards("e")]) {
            NonceCommitments<Ed25519>($0)?.bytes
        },
        Decoder(name: "share proof", seeds: [shareProof]) { proof in
            ShareCheck.verifies(proof, of: statement, under: AnySharedKey(checked)) ? proof : nil
        },
        Decoder(
            name: "SignatureShare", seeds: [Scalar(5).bytes + (-Scalar(5)).bytes]
        ) { SignatureShare($0)?.bytes },
        Decoder(
            name: "base transfer message", divisor: 20,
            seeds: [(0..<2 * Transfer.baseCount).flatMap { point("p \($0 % 8)").compressed }]
        ) { bytes in
            guard let pairs = try? BaseTransfer.points(bytes) else { return nil }
            return pairs.flatMap { $0.0.compressed + $0.1.compressed }
        },
    ]
}
