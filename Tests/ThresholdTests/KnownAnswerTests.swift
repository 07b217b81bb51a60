import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// Runs under the reference model's random streams, compared byte for byte with what it printed.
@Suite struct `Known answers` {
    let answers: JSON

    init() throws { answers = try Vectors.json("threshold-ecdsa/known-answers.json") }

    static let schemes = [
        Scheme("2-of-2", (2, 2), [1, 2], []), Scheme("2-of-3", (2, 3), [1, 3], [44, 60, 0, 0, 7]),
        Scheme("3-of-3", (3, 3), [1, 2, 3], [84, 0, 1]),
    ]

    struct Scheme: CustomStringConvertible {
        let description: String
        let threshold: SigningThreshold
        let quorum: [ParticipantIndex]
        let path: DerivationPath

        init(_ name: String, _ threshold: (Int, Int), _ quorum: [Int], _ path: [UInt32]) {
            description = name
            self.threshold = SigningThreshold(threshold.0, of: threshold.1)!
            self.quorum = quorum.map { ParticipantIndex($0)! }
            self.path = DerivationPath(path)!
        }

        var seed: String { "kat/\(threshold.required)-\(threshold.holders)" }
        var signName: String {
            "sign \(description) quorum=\(quorum.map { Int($0.raw) }) path=\(path.steps)"
        }
    }

    @Test func `primitives`() {
        var hash = Transcript(HashTag("test"))
        hash.append(Array("a".utf8))
        hash.append(Array("bc".utf8))
        #expect(hash.digest().hex == answers["H(\"test\",\"a\",\"bc\")"].text)
        var scalar = Transcript(HashTag("test"))
        scalar.append(Array("a".utf8))
        scalar.append(Array("bc".utf8))
        #expect(Hex.encode((scalar.scalar() as Scalar).bytes) == answers["Hs"].text)
        #expect(HashToCurve("test")(Array("a".utf8)).description == answers["H2C"].text)
        var random = TestRandom("seed")
        #expect(Hex.encode(random.bytes(40)) == answers["TestRNG(seed) first 40 bytes"].text)
    }

    @Test func `a pair's setup and one multiplication`() throws {
        var nameHash = Transcript(HashTag("kat/sid"))
        nameHash.append(Array("pair".utf8))
        let run = RunID(nameHash.digest())
        let (one, two) = (ParticipantIndex(1)!, ParticipantIndex(2)!)
        var (aliceRandom, bobRandom) = (TestRandom("kat/alice"), TestRandom("kat/bob"))
        let alice = PairSetup.Alice(run: run, me: one, bob: two, random: &aliceRandom)
        let bob = PairSetup.Bob(run: run, alice: one, me: two, random: &bobRandom)
        let first = alice.message
        let answered = try bob.answer(first)
        let answer = answered.message
        let bobSetup = answered.takeSetup()
        let aliceSetup = try alice.finish(answer)
        #expect(sha256(first) == answers["baseOT"]["msg1_sha256"].text)
        #expect(
            sha256(Array(answer.prefix(BaseTransfer.messageBytes)))
                == answers["baseOT"]["msg2_sha256"].text)
        #expect(
            sha256(Array(answer.dropFirst(BaseTransfer.messageBytes)))
                == answers["pprf"]["msg_sha256"].text)
        #expect(aliceSetup.id.hex == answers["pprf"]["setupId"].text)
        #expect(bobSetup.id == aliceSetup.id)
        let delta = aliceSetup.delta.withBytes { $0.map { Int($0) } }
        #expect(delta == answers["pprf"]["delta"].items.map(\.integer))
        let leaf = bobSetup.leaves.withBytes { Hex.encode($0.prefix(32)) }
        #expect(leaf == answers["pprf"]["leaf[0][0]"].text)

        let expected = answers["rvole"]
        let name = Multiplication.name(run, aliceSetup.id, alice: one, bob: two)
        #expect(name.hex == expected["vs"].text)
        let multiplication = Multiplication.Bob(name, bobSetup, random: &bobRandom)
        let inputs = Multiplication.Inputs(
            nonce: SecretScalar(random: &aliceRandom), key: SecretScalar(random: &aliceRandom),
            check: SecretScalar(random: &aliceRandom))
        #expect(sha256(multiplication.message.bytes) == expected["bob_msg_sha256"].text)
        #expect(hex(multiplication.factor) == expected["chi"].text)
        #expect([hex(inputs.nonce), hex(inputs.key)] == expected["a"].items.map(\.text))
        let result = try Multiplication.answer(
            name, aliceSetup, multiplication.message, inputs: inputs)
        #expect(sha256(result.answer.corrections.bytes) == expected["at_sha256"].text)
        #expect(Hex.encode(result.answer.check.bytes) == expected["eta"].text)
        #expect(result.answer.checkHash.hex == expected["mu"].text)
        #expect(
            [hex(result.shares.nonce), hex(result.shares.key)] == expected["c"].items.map(\.text))
        let shares = try multiplication.finish(result.answer)
        #expect([hex(shares.nonce), hex(shares.key)] == expected["d"].items.map(\.text))
    }

    @Test(arguments: schemes) func `key generation`(_ scheme: Scheme) throws {
        let network = try TestKeys.ceremony(scheme.seed, scheme.threshold)
        network.run()
        #expect(network.aborts.isEmpty)
        let expected = answers["key \(scheme.description)"]
        #expect(TestKeys.ceremonyName(scheme.seed).hex == expected["sid"].text)
        let outputs = network.outputs.compactMapValues { $0 }
        #expect(outputs.count == scheme.threshold.holders)
        for (index, box) in outputs {
            box.with { pending in
                let key = pending.share.key
                #expect(key.publicKey.description == expected["Y"].text)
                #expect(Hex.encode(key.chainCode) == expected["cc"].text)
                #expect(pending.echo.hex == expected["echo2"].text)
                #expect(pending.certificateDigest.hex == expected["cert"].text)
                #expect(hex(pending.share.secret) == expected["x"][index.description].text)
                for (holder, share) in key.verifyingShares {
                    #expect(share.description == expected["X"][holder.description].text)
                }
                for (peer, pair) in pending.share.pairs {
                    #expect(
                        pair.alice.id.hex
                            == expected["setupId alice->bob"]["\(index)->\(peer)"].text)
                    #expect(
                        pair.bob.id.hex
                            == expected["setupId alice->bob"]["\(peer)->\(index)"].text)
                }
            }
        }
        for transit in network.sent where transit.round == 1 && transit.isBroadcast {
            #expect(Hex.encode(transit.bytes) == expected["com"][transit.from.description].text)
        }
    }

    @Test(arguments: schemes) func `signing`(_ scheme: Scheme) throws {
        let message = Digest.sha256(Array("hello".utf8))
        try check(
            scheme, [SigningItem(path: scheme.path, digest: message)],
            seed: { "kat/sign/\($0)/a" }, answers[scheme.signName])
    }

    @Test func `signing two items in one session`() throws {
        let scheme = Self.schemes[1]
        let items = [
            SigningItem(path: scheme.path, digest: .sha256(Array("hello".utf8))),
            SigningItem(
                path: DerivationPath([44, 60, 0, 0, 8])!, digest: .sha256(Array("world".utf8))),
        ]
        try check(
            scheme, items, seed: { "kat/sign/\($0)/items" },
            answers["sign 2-of-3 quorum=[1, 3] two items"])
    }

    private func check(
        _ scheme: Scheme, _ items: [SigningItem], seed: (ParticipantIndex) -> String,
        _ expected: JSON
    ) throws {
        var runHash = Transcript(HashTag("sign/sid"))
        runHash.append(Array("kat".utf8))
        for item in items { runHash.append(item.digest) }
        let run = RunID(runHash.digest())
        #expect(run.hex == expected["S"].text)
        let shares = try TestKeys.shares(scheme.seed, scheme.threshold)
        let network = LocalNetwork<Signing>()
        for index in scheme.quorum {
            var random = TestRandom(seed(index))
            let share = try #require(shares[index]).with { try KeyShare<ECDSA>(stored: $0) }
            network.add(
                try Signing(
                    ClaimedRun(run, in: MemoryRegistry()), items: items, members: scheme.quorum,
                    share: share, random: &random), index)
        }
        network.run()
        #expect(network.aborts.isEmpty)
        #expect(network.outputs.count == scheme.quorum.count)
        #expect(expected["items"].items.count == items.count)
        for (number, expected) in expected["items"].items.enumerated() {
            for transit in network.sent where transit.item == number {
                let pair = "\(transit.from)->\(transit.to)"
                switch (transit.round, transit.isBroadcast) {
                case (1, true):
                    let known = expected["R1_com"][transit.from.description].text
                    #expect(Hex.encode(transit.bytes) == known)
                case (1, false):
                    #expect(sha256(transit.bytes) == expected["R1_p2p_sha256"][pair].text)
                case (2, _):
                    #expect(sha256(transit.bytes) == expected["R2_sha256"][pair].text)
                default:
                    let known = expected["R3"][transit.from.description]
                    #expect(Hex.encode(transit.bytes) == known["w"].text + known["u"].text)
                }
            }
            for signatures in network.outputs.values {
                #expect(Hex.encode(signatures[number].r.bytes) == expected["r"].text)
                #expect(Hex.encode(signatures[number].s.bytes) == expected["s"].text)
                #expect(Int(signatures[number].recoveryID) == expected["recid"].integer)
                let signer = signatures[number].signer(of: items[number].digest)
                #expect(signer?.description == expected["child"].text)
            }
        }
    }
}

func sha256(_ bytes: [UInt8]) -> String { Digest.sha256(bytes).hex }
func hex(_ scalar: borrowing SecretScalar) -> String { Hex.encode(scalar.published().bytes) }
