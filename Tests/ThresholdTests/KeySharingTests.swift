import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// Keys that exist and are dealt anew: refresh, another group, recovery.
@Suite struct `A key dealt anew` {
    static let two = SigningThreshold(2, of: 3)!
    static let pair = SigningThreshold(2, of: 2)!

    /// A plan in which the holders of the source sit first, by place.
    static func plan(
        kind: GroupKind = .main, _ threshold: SigningThreshold,
        receivers: [(seat: Int, place: Int)],
        dealers: [(seat: Int, place: Int)]
    ) -> SharingPlan {
        func roster(_ seats: [(seat: Int, place: Int)]) -> Roster {
            Roster(
                seats.map {
                    IdentityPublicKey(
                        unchecked: [UInt8($0.seat)] + [UInt8](repeating: 0, count: 31))
                }, seats.map { ParticipantIndex($0.place)! })!
        }
        return SharingPlan(
            kind: kind, threshold: threshold, holders: roster(receivers),
            source: SharingPlan.Source(
                group: GroupID(unchecked: [UInt8](repeating: 1, count: 16)), epoch: 1,
                certificate: .sha256([]), dealers: roster(dealers)))!
    }

    /// The secret that a quorum's shares make.
    private func secret<Scheme: KeyScheme>(
        _ shares: [ParticipantIndex: SecretBox<SecretBytes>], _ quorum: [Int], _: Scheme.Type
    ) throws -> Scheme.Group.Scalar {
        let members = quorum.map { ParticipantIndex($0)! }
        return try members.reduce(Scheme.Group.Scalar.zero) { sum, index in
            let share = try shares[index]!.with { try KeyShare<Scheme>(stored: $0) }
            return sum
                + (share.secret * Sharing<Scheme.Group>.lagrange(index, in: members)).published()
        }
    }

    private func key<Scheme: KeyScheme>(
        _ shares: [ParticipantIndex: SecretBox<SecretBytes>], _: Scheme.Type
    ) throws -> SharedKey<Scheme> {
        try shares.values.first!.with { try KeyShare<Scheme>(stored: $0).key }
    }

    @Test func `gives the reference model's resharing, byte for byte`() throws {
        let answers = try Vectors.json("threshold-ecdsa/known-answers.json")
        let expected = answers["reshare 2-of-3 {1,3} -> 2-of-2"]
        let shares = try TestKeys.shares("kat/2-3", Self.two)
        let run = TestKeys.ceremonyName("reshare")
        #expect(run.hex == expected["sid"].text)
        let plan = Self.plan(
            kind: .recovery, Self.pair, receivers: [(1, 1), (2, 2)], dealers: [(1, 1), (2, 3)])
        let network: LocalNetwork<KeySharing<ECDSA>> = try TestKeys.reshare(
            run, plan, source: key(shares, ECDSA.self), shares: shares
        ) { seat in TestRandom("reshare\(seat.raw == 1 ? 1 : 3)") }
        network.run()
        let dealt = try network.shares()
        #expect(dealt.count == 2)
        for (index, box) in network.outputs {
            try #require(box).with { pending in
                #expect(hex(pending.share.secret) == expected["x"][index.description].text)
                #expect(pending.share.key.publicKey.description == expected["Y"].text)
                #expect(Hex.encode(pending.share.key.chainCode) == expected["cc"].text)
                #expect(pending.echo.hex == expected["echo2"].text)
                #expect(pending.certificateDigest.hex == expected["cert"].text)
                for (holder, share) in pending.share.key.verifyingShares {
                    #expect(share.description == expected["X"][holder.description].text)
                }
            }
        }
        for transit in network.sent where transit.round == 1 {
            let place = transit.from.raw == 1 ? "1" : "3"
            #expect(Hex.encode(transit.bytes) == expected["com"][place].text)
        }
        print("vectors: known-answers.json reshare 1")
    }

    /// Each occasion for one scheme: the key stays, the shares are others, any quorum makes it, and
    /// shares of two epochs make something else.
    private func allOccasions<Scheme: KeyScheme>(_ scheme: Scheme.Type) throws {
        let main = try TestKeys.shares("sharing/\(Scheme.scheme.name)", Self.two, of: scheme)
        let root = try key(main, scheme)
        let whole = try secret(main, [1, 2], scheme)
        func deal(
            _ plan: SharingPlan, _ name: String,
            from shares: [ParticipantIndex: SecretBox<SecretBytes>]
        ) throws -> [ParticipantIndex: SecretBox<SecretBytes>] {
            let network: LocalNetwork<KeySharing<Scheme>> = try TestKeys.reshare(
                TestKeys.ceremonyName(name), plan, source: key(shares, scheme), shares: shares
            ) { seat in TestRandom("\(name)/\(seat)") }
            network.run()
            let bySeat = try network.shares()
            let places = plan.places(in: plan.holders)
            var dealt: [ParticipantIndex: SecretBox<SecretBytes>] = [:]
            for (seat, share) in bySeat { dealt[places[seat]!] = share }
            #expect(dealt.count == plan.threshold.holders)
            let new = try key(dealt, scheme)
            #expect(new.publicKey == root.publicKey)
            #expect(new.chainCode == root.chainCode)
            #expect(new.isConsistent)
            return dealt
        }
        let refreshed = try deal(
            Self.plan(Self.two, receivers: [(1, 1), (2, 2), (3, 3)], dealers: [(2, 2), (3, 3)]),
            "refresh", from: main)
        for quorum in [[1, 2], [1, 3], [2, 3]] {
            #expect(try secret(refreshed, quorum, scheme) == whole)
        }
        var mixed = refreshed
        mixed[ParticipantIndex(1)!] = main[ParticipantIndex(1)!]
        #expect(try secret(mixed, [1, 2], scheme) != whole)
        // To a recovery group of others, and from there to a main group with one holder replaced.
        let recovery = try deal(
            Self.plan(
                kind: .recovery, Self.pair, receivers: [(4, 1), (5, 2)], dealers: [(1, 1), (3, 3)]),
            "to recovery", from: refreshed)
        #expect(try secret(recovery, [1, 2], scheme) == whole)
        try recovery[ParticipantIndex(1)!]!.with {
            let share = try KeyShare<Scheme>(stored: $0)
            #expect(share.setupIDs.isEmpty, "a recovery group never signs")
        }
        let recovered = try deal(
            Self.plan(
                Self.two, receivers: [(1, 1), (3, 3), (6, 2)], dealers: [(4, 1), (5, 2)]),
            "recovery", from: recovery)
        for quorum in [[1, 2], [1, 3], [2, 3]] {
            #expect(try secret(recovered, quorum, scheme) == whole)
        }
        try recovered[ParticipantIndex(2)!]!.with {
            let share = try KeyShare<Scheme>(stored: $0)
            #expect(share.setupIDs.count == (Scheme.multiplies ? 2 : 0))
        }
    }

    @Test func `ECDSA: refreshed, given to a group, recovered`() throws {
        try allOccasions(ECDSA.self)
    }

    @Test func `BIP 340: refreshed, given to a group, recovered`() throws {
        try allOccasions(BIP340.self)
    }

    @Test func `Ed25519: refreshed, given to a group, recovered`() throws {
        try allOccasions(EdDSA.self)
    }

    @Test func `22 another secret than the dealer's share: blame`() throws {
        let main = try TestKeys.shares("sharing/ed25519", Self.two, of: EdDSA.self)
        let source = try key(main, EdDSA.self)
        let plan = Self.plan(
            Self.two, receivers: [(1, 1), (2, 2), (3, 3)], dealers: [(1, 1), (2, 2)])
        let run = TestKeys.ceremonyName("wrong constant")
        let network = LocalNetwork<KeySharing<EdDSA>>()
        for me in plan.participants.indices {
            var random = TestRandom("wrong/\(me)")
            var share: KeyShare<EdDSA>?
            if let stored = main[me], me.raw < 3 {
                let honest = try stored.with { try KeyShare<EdDSA>(stored: $0) }
                // The cheater brings one more than it has.
                share =
                    me.raw == 2
                    ? KeyShare(
                        key: source, me: me, secret: honest.secret + Ed25519.Scalar.one, pairs: [:])
                    : honest
            }
            network.add(
                try KeySharing(
                    ClaimedRun(run, in: MemoryRegistry()), plan: plan, me: me, source: source,
                    share: share, zeroSeeds: [:], random: &random), me)
        }
        network.run()
        for seat in [1, 3] {
            let abort = network.aborts[ParticipantIndex(seat)!]
            #expect(abort?.reason == .constantContradictsSource)
            #expect(abort?.culprits == [ParticipantIndex(2)!])
            #expect(abort?.consequence == .blame)
        }
    }

    @Test func `23 fewer dealers than must sign, or strangers, are no ceremony`() throws {
        let main = try TestKeys.shares("sharing/ed25519", Self.two, of: EdDSA.self)
        let source = try key(main, EdDSA.self)
        let three = Self.plan(
            Self.two, receivers: [(1, 1), (2, 2), (3, 3)], dealers: [(1, 1), (2, 2), (3, 3)])
        let stranger = Self.plan(
            Self.two, receivers: [(1, 1), (2, 2), (3, 3)], dealers: [(1, 1), (2, 4)])
        for plan in [three, stranger] {
            var random = TestRandom("few")
            let error = #expect(throws: Abort.self) {
                _ = try KeySharing<EdDSA>(
                    ClaimedRun(TestKeys.ceremonyName("few"), in: MemoryRegistry()), plan: plan,
                    me: ParticipantIndex(3)!, source: source, share: nil, zeroSeeds: [:],
                    random: &random)
            }
            #expect(error?.reason == .wrongQuorum)
        }
    }

    @Test func `a stored share of one scheme is none of another`() throws {
        let main = try TestKeys.shares("sharing/ed25519", Self.two, of: EdDSA.self)
        main[ParticipantIndex(1)!]!.with { stored in
            let copy = SecretBox(stored.copy())
            let error = #expect(throws: MalformedBytes.self) {
                _ = try copy.with { SecretBox(try KeyShare<BIP340>(stored: $0)) }
            }
            #expect(error?.description.contains("not secp256k1-schnorr") == true)
        }
    }

    @Test func `a share proves that it is whole, for one challenge only`() throws {
        let main = try TestKeys.shares("sharing/ed25519", Self.two, of: EdDSA.self)
        let index = ParticipantIndex(2)!
        let share = try main[index]!.with { try KeyShare<EdDSA>(stored: $0) }
        func statement(_ challenge: UInt8, epoch: UInt64 = 1) -> ShareCheck.Statement {
            ShareCheck.Statement(
                group: GroupID(unchecked: [UInt8](repeating: 1, count: 16)), epoch: epoch,
                certificate: .sha256([]), index: index,
                challenge: [UInt8](repeating: challenge, count: 32))
        }
        let made = share.proof(of: statement(1))
        let proof = try #require(made)
        let key = AnySharedKey(share.key)
        #expect(ShareCheck.verifies(proof, of: statement(1), under: key))
        #expect(!ShareCheck.verifies(proof, of: statement(2), under: key))
        #expect(!ShareCheck.verifies(proof, of: statement(1, epoch: 2), under: key))
        #expect(!ShareCheck.verifies([], of: statement(1), under: key))
        #expect(
            !ShareCheck.verifies(proof.dropLast() + [proof[63] ^ 1], of: statement(1), under: key))
        let damaged = KeyShare<EdDSA>(
            key: share.key, me: index, secret: share.secret + Ed25519.Scalar.one, pairs: [:])
        let none = damaged.proof(of: statement(1))
        #expect(none == nil)
    }

    /// No dealer can bring this about that does not know another's polynomial; the test does.
    @Test(arguments: [true, false])
    func `a sum of shares, or a key, that is zero: nobody is named`(_ isShare: Bool) throws {
        let run = TestKeys.ceremonyName("zero")
        var stream = TestRandom("zero/dkg/1")
        let first = SecretPolynomial<Ed25519>(degree: 1, constant: nil, random: &stream)
        // What the honest dealer has at the first holder's place, or at zero.
        let constant = first.withConstant { $0.copy().published() }
        let atFirst = first.share(for: ParticipantIndex(1)!).published()
        let network = LocalNetwork<KeySharing<EdDSA>>()
        for me in TestKeys.indices(2) {
            var random = Scripted(TestRandom("zero/dkg/\(me)"))
            if me.raw == 2 {
                let due = isShare ? -(atFirst + Ed25519.Scalar(5)) : -constant
                random.first = [due.bytes, Ed25519.Scalar(5).bytes]
            }
            network.add(
                try KeySharing(
                    ClaimedRun(run, in: MemoryRegistry()), plan: TestKeys.plan(Self.pair), me: me,
                    source: nil, share: nil, zeroSeeds: [:], random: &random), me)
        }
        network.run()
        for index in TestKeys.indices(2) {
            let abort = network.aborts[index]
            #expect(abort?.reason == .zeroShare)
            #expect(abort?.culprits == [] && abort?.consequence == Abort.Consequence.none)
        }
    }

    @Test func `a source whose shares are not of its key gives no other`() throws {
        let main = try TestKeys.shares("sharing/ed25519", Self.two, of: EdDSA.self)
        let certified = try key(main, EdDSA.self)
        let other = try #require(certified.publicKey.variableTimeAdding(generatorTimes: .one))
        let source = try #require(
            SharedKey<EdDSA>(
                threshold: certified.threshold, publicKey: other, chainCode: certified.chainCode,
                verifyingShares: certified.verifyingShares))
        let plan = Self.plan(
            Self.two, receivers: [(1, 1), (2, 2), (3, 3)], dealers: [(1, 1), (2, 2)])
        let network = LocalNetwork<KeySharing<EdDSA>>()
        for me in plan.participants.indices {
            var random = TestRandom("mismatch/\(me)")
            var share: KeyShare<EdDSA>?
            if me.raw < 3 {
                let honest = try main[me]!.with { try KeyShare<EdDSA>(stored: $0) }
                share = KeyShare(key: source, me: me, secret: honest.secret.copy(), pairs: [:])
            }
            network.add(
                try KeySharing(
                    ClaimedRun(TestKeys.ceremonyName("mismatch"), in: MemoryRegistry()),
                    plan: plan, me: me, source: source, share: share, zeroSeeds: [:],
                    random: &random), me)
        }
        network.run()
        for seat in plan.participants.indices {
            let abort = network.aborts[seat]
            #expect(abort?.reason == .publicKeyMismatch)
            #expect(abort?.culprits == [] && abort?.consequence == Abort.Consequence.none)
        }
    }
}

/// Gives some draws of a test's own before those of a stream.
private struct Scripted: RandomSource {
    var first: [[UInt8]] = []
    private var stream: TestRandom

    init(_ stream: TestRandom) { self.stream = stream }

    mutating func fill(_ out: UnsafeMutableRawBufferPointer) {
        if first.isEmpty { return stream.fill(out) }
        out.copyBytes(from: first.removeFirst())
    }
}
