import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// Gives the bytes of a vector, and nothing else.
private struct FixedRandom: RandomSource {
    var left: [UInt8]

    mutating func fill(_ out: UnsafeMutableRawBufferPointer) {
        precondition(left.count >= out.count, "the vector has no more randomness")
        out.copyBytes(from: left.prefix(out.count))
        left.removeFirst(out.count)
    }
}

/// FROST(secp256k1, SHA-256) as RFC 9591 section 6.5 has it: its vectors are run through the same
/// implementation as the BIP 340 variant, which has none of its own.
private enum PlainSecp256k1: SchnorrScheme {
    typealias Group = Secp256k1
    static var scheme: SignatureScheme { .bip340Secp256k1 }
    static var multiplies: Bool { false }

    private static let hashes = FieldHashes("FROST-secp256k1-SHA256-v1")

    static func bindingFactor(_ input: [UInt8]) -> Scalar { hashes.scalar("rho", input) }
    static func challenge(_ nonce: Point, _ key: Point, _ message: [UInt8]) -> Scalar {
        hashes.scalar("chal", nonce.compressed + key.compressed + message)
    }
    static func nonce(_ input: borrowing SecretBytes) -> SecretScalar {
        hashes.secretScalar("nonce", input)
    }
    static func messageHash(_ message: [UInt8]) -> [UInt8] { hashes.hash("msg", message) }
    static func commitmentHash(_ list: [UInt8]) -> [UInt8] { hashes.hash("com", list) }
    static func encoded(nonce: Point) -> [UInt8] { nonce.compressed }
    static func negates(nonce: Point) -> Bool { false }
    static func tweak(_ derived: DerivedKey<Self>) -> KeyTweak<Self>? {
        KeyTweak(isNegated: false, offset: derived.offset, publicKey: derived.publicKey)
    }

    /// z·G = R + c·PK.
    static func verifies(_ signature: [UInt8], of message: [UInt8], under key: Point) -> Bool {
        guard let nonce = Point(compressed: signature.prefix(33)),
            let response = Scalar(canonical: signature.dropFirst(33)),
            let right = key.variableTimeTimes(challenge(nonce, key, message))
        else { return false }
        return SecretScalar(response).timesGenerator() == nonce + right
    }
}

@Suite struct `FROST's published vectors` {
    /// Runs a vector's signers under its randomness, and compares every value that it gives.
    private func check<Scheme: SchnorrScheme>(_: Scheme.Type, _ file: String) throws {
        let vector = try Vectors.json("frost/\(file)")
        let inputs = vector["inputs"]
        let threshold = SigningThreshold(2, of: 3)!
        let message = Hex.decode(inputs["message"].text)!
        var secrets: [ParticipantIndex: [UInt8]] = [:]
        for share in inputs["participant_shares"].items {
            secrets[ParticipantIndex(share["identifier"].integer!)!] =
                Hex.decode(share["participant_share"].text)!
        }
        func secret(_ index: ParticipantIndex) -> Scheme.Group.SecretScalar {
            SecretBytes(copying: secrets[index]!).withBytes {
                Scheme.Group.SecretScalar(canonical: $0)!
            }
        }
        let publicKey = Scheme.Group.Point(
            compressed: Hex.decode(inputs["group_public_key"].text)!)!
        var verifyingShares: [ParticipantIndex: Scheme.Group.Point] = [:]
        for index in secrets.keys { verifyingShares[index] = secret(index).timesGenerator() }
        let key = SharedKey<Scheme>(
            threshold: threshold, publicKey: publicKey,
            chainCode: [UInt8](repeating: 0, count: 32), verifyingShares: verifyingShares)!
        #expect(key.isConsistent)

        let network = LocalNetwork<SchnorrSigning<Scheme>>()
        let signers = inputs["participant_list"].items.map { ParticipantIndex($0.integer!)! }
        let run = RunID(.sha256(Array(file.utf8)))
        for output in vector["round_one_outputs"]["outputs"].items {
            let index = ParticipantIndex(output["identifier"].integer!)!
            var random = FixedRandom(
                left: Hex.decode(output["hiding_nonce_randomness"].text)!
                    + Hex.decode(output["binding_nonce_randomness"].text)!)
            network.add(
                try SchnorrSigning(
                    ClaimedRun(run, in: MemoryRegistry()),
                    items: [SchnorrItem(path: DerivationPath([])!, message: message)!],
                    members: signers,
                    share: KeyShare(key: key, me: index, secret: secret(index), pairs: [:]),
                    random: &random), index)
        }
        network.run()
        #expect(network.aborts.isEmpty)
        for output in vector["round_one_outputs"]["outputs"].items {
            let sent = network.sent.first {
                $0.round == 1 && Int($0.from.raw) == output["identifier"].integer
            }
            let expected =
                output["hiding_nonce_commitment"].text + output["binding_nonce_commitment"].text
            #expect(sent.map { Hex.encode($0.bytes) } == expected)
            let factor = Scheme.bindingFactor(Hex.decode(output["binding_factor_input"].text)!)
            #expect(Hex.encode(factor.bytes) == output["binding_factor"].text)
        }
        for output in vector["round_two_outputs"]["outputs"].items {
            let sent = network.sent.first {
                $0.round == 2 && Int($0.from.raw) == output["identifier"].integer
            }
            #expect(sent.map { Hex.encode($0.bytes.dropFirst(32)) } == output["sig_share"].text)
        }
        for signature in network.outputs.values {
            #expect(Hex.encode(signature[0]) == vector["final_output"]["sig"].text)
        }
        #expect(network.outputs.count == signers.count)
    }

    @Test func `RFC 9591 E.1, FROST(Ed25519, SHA-512)`() throws {
        try check(EdDSA.self, "rfc9591_frost_ed25519-sha512.json")
    }

    @Test func `RFC 9591 E.5, FROST(secp256k1, SHA-256)`() throws {
        try check(PlainSecp256k1.self, "rfc9591_frost_secp256k1-sha256.json")
    }

    @Test func `BIP 340: what verifies and what does not`() throws {
        let lines = try Vectors.text("frost/bip-0340_test-vectors.csv").split(
            whereSeparator: \.isNewline
        ).dropFirst()
        var checked = 0
        for line in lines {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false).map(
                String.init)
            let isValid = fields[6] == "TRUE"
            // A key that is no x coordinate is no point here.
            let key = Point(compressed: [2] + Hex.decode(fields[2].lowercased())!)
            let signature = Hex.decode(fields[5].lowercased())!
            let message = Hex.decode(fields[4].lowercased())!
            let verifies = key?.verifiesBIP340(signature, of: message) ?? false
            #expect(verifies == isValid, "\(fields[0]): \(fields[7])")
            checked += 1
        }
        print("vectors: bip-0340_test-vectors.csv \(checked)")
        #expect(checked == 19)
    }

    @Test func `BIP 341: the output key of an internal key without scripts`() throws {
        let vector = try Vectors.json("frost/bip-0341_wallet-test-vectors.json")
        var checked = 0
        for item in vector["scriptPubKey"].items
        where item["intermediary"]["merkleRoot"].isNull {
            let x = Hex.decode(item["given"]["internalPubkey"].text)!
            for parity: UInt8 in [2, 3] {
                let derived = DerivedKey<BIP340>(
                    DerivationPath([])!, below: Point(compressed: [parity] + x)!,
                    chainCode: [UInt8](repeating: 0, count: 32))!
                let tweak = try #require(BIP340.tweak(derived))
                #expect(Hex.encode(tweak.publicKey.x) == item["intermediary"]["tweakedPubkey"].text)
                #expect(!tweak.publicKey.hasOddY)
            }
            checked += 1
        }
        for item in vector["keyPathSpending"].items[0]["inputSpending"].items
        where item["given"]["merkleRoot"].isNull {
            try spend(item)
            checked += 1
        }
        print("vectors: bip-0341_wallet-test-vectors.json \(checked)")
        #expect(checked == 2)
    }

    /// Shares the vector's private key, and signs its hash by FROST: the signature must verify
    /// under the output key of the vector's own tweaked private key.
    private func spend(_ item: JSON) throws {
        var random = TestRandom("bip341")
        let secret = SecretBytes(copying: Hex.decode(item["given"]["internalPrivkey"].text)!)
            .withBytes {
                SecretScalar(canonical: $0)!
            }
        let publicKey = secret.timesGenerator()!
        let polynomial = SecretPolynomial<Secp256k1>(
            degree: 1, constant: secret, random: &random)
        var shares: [ParticipantIndex: SecretBox<SecretScalar>] = [:]
        for index in TestKeys.indices(3) { shares[index] = SecretBox(polynomial.share(for: index)) }
        let key = SharedKey<BIP340>(
            threshold: SigningThreshold(2, of: 3)!, publicKey: publicKey,
            chainCode: [UInt8](repeating: 0, count: 32),
            verifyingShares: shares.mapValues { $0.with { $0.timesGenerator()! } })!
        let hash = Hex.decode(item["intermediary"]["sigHash"].text)!
        let tweaked = SecretBytes(copying: Hex.decode(item["intermediary"]["tweakedPrivkey"].text)!)
            .withBytes {
                SecretScalar(canonical: $0)!
            }
        let network = LocalNetwork<SchnorrSigning<BIP340>>()
        let members = [ParticipantIndex(1)!, ParticipantIndex(3)!]
        for index in members {
            var random = SystemRandom()
            network.add(
                try SchnorrSigning(
                    ClaimedRun(RunID(.sha256(hash)), in: MemoryRegistry()),
                    items: [SchnorrItem(path: DerivationPath([])!, message: hash)!],
                    members: members,
                    share: KeyShare(
                        key: key, me: index, secret: shares[index]!.with { $0.copy() }, pairs: [:]),
                    random: &random), index)
        }
        network.run()
        for signatures in network.outputs.values {
            #expect(tweaked.timesGenerator()!.verifiesBIP340(signatures[0], of: hash))
        }
        #expect(network.outputs.count == 2)
    }
}
