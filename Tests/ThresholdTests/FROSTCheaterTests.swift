import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// FROST on both groups, and a member that lies in it.
@Suite struct `A cheater in FROST` {
    static let all = SigningThreshold(3, of: 3)!
    static let two = SigningThreshold(2, of: 3)!
    static let path = DerivationPath([86, 0, 0, 0, 7])!
    let message = Array("a message of any length".utf8)
    let cheater = ParticipantIndex(2)!
    let victim = ParticipantIndex(1)!

    /// Shares of every scheme and threshold, made once.
    private static let eddsa = Result { try TestKeys.shares("frost", two, of: EdDSA.self) }
    private static let bip340 = Result { try TestKeys.shares("frost", two, of: BIP340.self) }
    private static let eddsa3 = Result { try TestKeys.shares("frost3", all, of: EdDSA.self) }
    private static let bip3403 = Result { try TestKeys.shares("frost3", all, of: BIP340.self) }

    private static func shares<Scheme: KeyScheme>(
        _ threshold: SigningThreshold, _: Scheme.Type
    ) throws -> [ParticipantIndex: SecretBox<SecretBytes>] {
        switch (Scheme.scheme, threshold.required) {
        case (.ed25519, 2): try eddsa.get()
        case (.ed25519, _): try eddsa3.get()
        case (_, 2): try bip340.get()
        case (_, _): try bip3403.get()
        }
    }

    private func network<Scheme: SchnorrScheme>(
        _ scheme: Scheme.Type, _ threshold: SigningThreshold = two, _ members: [Int] = [1, 2],
        items: Int = 1, seed: String = "a"
    ) throws -> LocalNetwork<SchnorrSigning<Scheme>> {
        let network = LocalNetwork<SchnorrSigning<Scheme>>()
        let members = members.map { ParticipantIndex($0)! }
        let run = RunID(.sha256(Array("frost \(seed)".utf8)))
        let shares = try Self.shares(threshold, scheme)
        for me in members {
            var random = TestRandom("frost/\(seed)/\(me)")
            let list = (0..<items).map {
                SchnorrItem(path: Self.path, message: message + [UInt8($0)])!
            }
            network.add(
                try SchnorrSigning(
                    ClaimedRun(run, in: MemoryRegistry()), items: list, members: members,
                    share: shares[me]!.with { try KeyShare<Scheme>(stored: $0) }, random: &random),
                me)
        }
        return network
    }

    private func publicKey<Scheme: SchnorrScheme>(_ scheme: Scheme.Type) throws
        -> Scheme.Group.Point
    {
        let key = try Self.shares(Self.two, scheme)[victim]!.with {
            try KeyShare<Scheme>(stored: $0).key
        }
        return Scheme.tweak(DerivedKey(Self.path, of: key)!)!.publicKey
    }

    private func signs<Scheme: SchnorrScheme>(_ scheme: Scheme.Type) throws {
        let key = try publicKey(scheme)
        for members in [[1, 2], [1, 3], [2, 3]] {
            let network = try network(scheme, Self.two, members, items: 2, seed: "\(members)")
            network.run()
            #expect(network.aborts.isEmpty)
            #expect(network.gaveLast.count == 2)
            for signatures in network.outputs.values {
                #expect(signatures.count == 2)
                for (number, signature) in signatures.enumerated() {
                    #expect(signature.count == 64)
                    #expect(
                        Scheme.verifies(signature, of: message + [UInt8(number)], under: key))
                }
            }
            #expect(network.outputs.count == 2)
        }
    }

    @Test func `honest quorums sign, on both groups`() throws {
        try signs(EdDSA.self)
        try signs(BIP340.self)
    }

    /// Both parities of keys and nonces come up: signatures verify for many paths and runs.
    @Test func `BIP 340 signs under keys and nonces of either parity`() throws {
        let shares = try Self.bip340.get()
        var keyParities: Set<Bool> = []
        for step in UInt32(0)..<12 {
            let path = DerivationPath([step])!
            let members = [ParticipantIndex(1)!, ParticipantIndex(3)!]
            let network = LocalNetwork<SchnorrSigning<BIP340>>()
            for me in members {
                var random = TestRandom("parity/\(step)/\(me)")
                network.add(
                    try SchnorrSigning(
                        ClaimedRun(RunID(.sha256([UInt8(step)])), in: MemoryRegistry()),
                        items: [SchnorrItem(path: path, message: message)!], members: members,
                        share: shares[me]!.with { try KeyShare<BIP340>(stored: $0) },
                        random: &random), me)
            }
            network.run()
            let key = try shares[victim]!.with { try KeyShare<BIP340>(stored: $0).key }
            let derived = DerivedKey(path, of: key)!
            keyParities.insert(derived.publicKey.hasOddY)
            let output = BIP340.tweak(derived)!.publicKey
            #expect(network.outputs.count == 2)
            for signatures in network.outputs.values {
                #expect(output.verifiesBIP340(signatures[0], of: message))
            }
        }
        #expect(keyParities.count == 2)
    }

    private func blames<Scheme: SchnorrScheme>(_ scheme: Scheme.Type) throws {
        let network = try network(scheme, Self.all, [1, 2, 3])
        network.run { transit in
            var transit = transit
            if transit.round == 2, transit.from == cheater {
                let part = Scheme.Group.Scalar(canonical: transit.bytes.suffix(32))! + .one
                transit.bytes.replaceSubrange(32..., with: part.bytes)
            }
            return transit
        }
        for index in [1, 3] {
            let abort = network.aborts[ParticipantIndex(index)!]
            #expect(abort?.reason == .signatureShare)
            #expect(abort?.culprits == [cheater])
            #expect(abort?.consequence == .blame)
        }
        #expect(network.outputs[victim] == nil)
    }

    @Test func `28 a wrong share of the signature names its sender`() throws {
        try blames(EdDSA.self)
        try blames(BIP340.self)
    }

    @Test func `35 equivocated commitments in 3-of-3: nobody is blamed`() throws {
        let other = try network(EdDSA.self, Self.all, [1, 2, 3], seed: "other")
        other.run()
        let second = other.sent.first { $0.round == 1 && $0.from == cheater }
        let network = try network(EdDSA.self, Self.all, [1, 2, 3])
        network.run { transit in
            var transit = transit
            if transit.round == 1, transit.from == cheater, transit.to == victim, let second {
                transit.bytes = second.bytes
            }
            return transit
        }
        for index in [1, 3] {
            let abort = network.aborts[ParticipantIndex(index)!]
            #expect(abort?.reason == .commitmentsDiffer)
            #expect(abort?.culprits == [])
            #expect(abort?.consequence == Abort.Consequence.none)
        }
        #expect(network.outputs.isEmpty)
    }

    private func refuses<Scheme: SchnorrScheme>(
        _ scheme: Scheme.Type, _ name: String, round: UInt8 = 1,
        location: SourceLocation = #_sourceLocation, _ change: @escaping (inout [UInt8]) -> Void
    ) throws {
        let network = try network(scheme)
        network.run { transit in
            var transit = transit
            if transit.round == round, transit.from == cheater { change(&transit.bytes) }
            return transit
        }
        let abort = network.aborts[victim]
        #expect(abort?.reason == .malformedMessage, "\(name)", sourceLocation: location)
        #expect(abort?.culprits == [cheater], "\(name)", sourceLocation: location)
        #expect(round == 2 || !network.gaveLast.contains(victim), "\(name)")
    }

    @Test func `15 and 28 commitments and shares that are none: blame, and no share leaves`() throws
    {
        let order = Hex.decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")!
        let identity: [UInt8] = [1] + [UInt8](repeating: 0, count: 31)
        let small = Hex.decode("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")!
        let mixed = Hex.decode("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")!
        try refuses(EdDSA.self, "short") { $0.removeLast() }
        try refuses(EdDSA.self, "long") { $0.append(0) }
        try refuses(EdDSA.self, "empty") { $0 = [] }
        for (name, point) in [("identity", identity), ("order 2", small), ("order 8", mixed)] {
            try refuses(EdDSA.self, name) { $0.replaceSubrange(0..<32, with: point) }
            try refuses(EdDSA.self, name) { $0.replaceSubrange(32..<64, with: point) }
        }
        try refuses(EdDSA.self, "not canonical") { bytes in
            // y = p + 1, another spelling of the identity.
            bytes.replaceSubrange(
                0..<32,
                with: Hex.decode(
                    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")!)
        }
        try refuses(EdDSA.self, "share = L", round: 2) { $0.replaceSubrange(32..., with: order) }
        try refuses(EdDSA.self, "share short", round: 2) { $0.removeLast() }
        try refuses(BIP340.self, "hybrid") { $0[0] = 6 }
        try refuses(BIP340.self, "not on the curve") { bytes in
            bytes.replaceSubrange(1..<33, with: [UInt8](repeating: 0xff, count: 32))
        }
        try refuses(BIP340.self, "share = n", round: 2) { bytes in
            bytes.replaceSubrange(
                32...,
                with: Hex.decode(
                    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")!)
        }
    }

    @Test func `28 reused commitments give another signature share`() throws {
        // A member that says again what it said in another run cannot make others sign twice with
        // one nonce: theirs are fresh, so both signatures have their own R.
        let first = try network(EdDSA.self, seed: "first")
        first.run()
        let replayed = first.sent.first { $0.round == 1 && $0.from == cheater }!
        let second = try network(EdDSA.self, seed: "second")
        second.run { transit in
            var transit = transit
            if transit.round == 1, transit.from == cheater { transit.bytes = replayed.bytes }
            return transit
        }
        let shares = [first, second].map { network in
            network.sent.first { $0.round == 2 && $0.from == victim }!.bytes
        }
        #expect(shares[0] != shares[1])
        #expect(second.aborts[victim]?.reason == .commitmentsDiffer)
    }

    @Test func `17 a quorum that is none is refused before a nonce is drawn`() throws {
        for members in [[1], [1, 2, 3], [1, 1], [2, 3], [1, 4]] {
            #expect(throws: Abort(.wrongQuorum)) {
                let shares = try Self.eddsa.get()
                var random = TestRandom("x")
                _ = try SchnorrSigning<EdDSA>(
                    ClaimedRun(RunID(.sha256([])), in: MemoryRegistry()),
                    items: [SchnorrItem(path: Self.path, message: [])!],
                    members: members.map { ParticipantIndex($0)! },
                    share: shares[victim]!.with { try KeyShare<EdDSA>(stored: $0) },
                    random: &random
                ).waitingFor
            }
        }
        let long = [UInt8](repeating: 0, count: SchnorrItem.messageMost + 1)
        #expect(SchnorrItem(path: Self.path, message: long) == nil)
    }

    private func rigged<Scheme: SchnorrScheme>(
        _ scheme: Scheme.Type, _ shares: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws -> LocalNetwork<SchnorrSigning<Scheme>> {
        let network = LocalNetwork<SchnorrSigning<Scheme>>()
        for me in TestKeys.indices(2) {
            var random = TestRandom("rigged/\(me)")
            network.add(
                try SchnorrSigning(
                    ClaimedRun(RunID(.sha256([7])), in: MemoryRegistry()),
                    items: [SchnorrItem(path: Self.path, message: message)!],
                    members: TestKeys.indices(2),
                    share: shares[me]!.with { try KeyShare<Scheme>(stored: $0) }, random: &random),
                me)
        }
        return network
    }

    /// What no honest hash lets happen.
    @Test func `nonces that cancel out, and a signature that none is: nobody is blamed`() throws {
        let shares = try TestKeys.shares("rigged", Self.two, of: Rigged.self)
        for isSum in [false, true] {
            let network = try rigged(Rigged.self, shares)
            var honest: [Ed25519.Point] = []
            network.run { transit in
                guard transit.round == 1 else { return transit }
                let points = [transit.bytes.prefix(32), transit.bytes.suffix(32)].map {
                    Ed25519.Point(compressed: $0)!
                }
                if transit.from == victim { honest = points }
                guard transit.from == cheater else { return transit }
                // D + E is nothing, or what the honest member's is but for the sign.
                let all = isSum ? honest + [points[1]] : [points[1]]
                var transit = transit
                transit.bytes = (-Ed25519.Point.sum(all)!).compressed + points[1].compressed
                return transit
            }
            let abort = network.aborts[victim]
            #expect(abort?.reason == .identityNonce)
            #expect(abort?.culprits == [] && abort?.consequence == Abort.Consequence.none)
            #expect(!network.gaveLast.contains(victim))
        }
        let network = try rigged(Rigged.self, shares)
        network.run()
        for index in TestKeys.indices(2) {
            let abort = network.aborts[index]
            #expect(abort?.reason == .invalidSignature)
            #expect(abort?.culprits == [] && abort?.consequence == Abort.Consequence.none)
        }
    }
}

/// Ed25519 whose binding factor is one, and whose signatures never verify.
private enum Rigged: SchnorrScheme {
    typealias Group = Ed25519

    static var scheme: SignatureScheme { .ed25519 }
    static var multiplies: Bool { false }
    static func serialized(_ publicKey: Ed25519.Point) -> [UInt8] { EdDSA.serialized(publicKey) }
    static func offset(_ left: [UInt8]) -> Ed25519.Scalar? { EdDSA.offset(left) }
    static func bindingFactor(_ input: [UInt8]) -> Ed25519.Scalar { .one }
    static func challenge(
        _ nonce: Ed25519.Point, _ key: Ed25519.Point, _ message: [UInt8]
    ) -> Ed25519.Scalar { EdDSA.challenge(nonce, key, message) }
    static func nonce(_ input: borrowing SecretBytes) -> Ed25519.SecretScalar {
        EdDSA.nonce(input)
    }
    static func messageHash(_ message: [UInt8]) -> [UInt8] { EdDSA.messageHash(message) }
    static func commitmentHash(_ commitments: [UInt8]) -> [UInt8] {
        EdDSA.commitmentHash(commitments)
    }
    static func encoded(nonce: Ed25519.Point) -> [UInt8] { nonce.compressed }
    static func negates(nonce: Ed25519.Point) -> Bool { false }
    static func tweak(_ derived: DerivedKey<Rigged>) -> KeyTweak<Rigged>? {
        KeyTweak(isNegated: false, offset: derived.offset, publicKey: derived.publicKey)
    }
    static func verifies(_ signature: [UInt8], of message: [UInt8], under key: Ed25519.Point)
        -> Bool
    { false }
}
