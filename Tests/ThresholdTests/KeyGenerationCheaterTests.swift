import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// A dealer that lies in key generation; the second of three, to the first or to all.
@Suite struct `A cheater in key generation` {
    static let threshold = SigningThreshold(2, of: 3)!
    static let name = "cheat/2-3"
    let cheater = ParticipantIndex(2)!
    let victim = ParticipantIndex(1)!
    let other = ParticipantIndex(3)!

    private func run(
        _ tamper: @escaping LocalNetwork<KeySharing<ECDSA>>.Tamper
    ) throws -> LocalNetwork<KeySharing<ECDSA>> {
        let network = try TestKeys.ceremony(Self.name, Self.threshold)
        network.run(tamper: tamper)
        return network
    }

    /// What the honest cheater's seed would have it open: known, since the seed is.
    private static let honest: [UInt8] = {
        guard let network = try? TestKeys.ceremony(name, threshold) else { return [] }
        network.run()
        let openings = network.sent.filter { $0.round == 2 && $0.isBroadcast && $0.from.raw == 2 }
        return openings.first?.bytes ?? []
    }()

    private static let run = TestKeys.ceremonyName(name)

    /// The opening as its parts, to be changed.
    private struct Opening {
        var commitments: [[UInt8]]
        var nonce: [UInt8]
        var response: [UInt8]
        var chainCode: [UInt8]
        var blinder: [UInt8]

        init(_ bytes: ArraySlice<UInt8>) throws {
            let opening = try DealerOpening<Secp256k1>(bytes, threshold, isNew: true)
            commitments = opening.commitments
            nonce = opening.proof.nonce
            response = opening.proof.response
            chainCode = opening.chainCode
            blinder = opening.blinder
        }

        var sent: DealerOpening<Secp256k1> {
            DealerOpening(
                commitments: commitments, proof: .init(nonce: nonce, response: response),
                chainCode: chainCode, blinder: blinder)
        }
    }

    /// The cheater commits to a changed opening and opens it, to everyone.
    private func opening(_ change: @escaping (inout Opening) -> Void) throws
        -> LocalNetwork<KeySharing<ECDSA>>
    {
        var changed = try Opening(Self.honest.dropFirst(32))
        change(&changed)
        let sent = changed.sent
        let context = CeremonyContext<ECDSA>(
            run: Self.run, plan: TestKeys.plan(Self.threshold), me: cheater, source: nil)!
        let commitment = context.commitment(of: cheater, sent)
        var commitments = [cheater: commitment]
        return try run { transit in
            var transit = transit
            guard transit.isBroadcast else { return transit }
            if transit.round == 1 {
                if transit.from == cheater { transit.bytes = commitment.bytes }
                commitments[transit.from] = Digest(transit.bytes)
            }
            if transit.round == 2 {
                // The echo of what everyone has received, the cheater's changed commitment with it.
                let echo = context.echo(Tag.commitmentEcho, commitments)
                let body = transit.from == cheater ? sent.bytes : Array(transit.bytes.dropFirst(32))
                transit.bytes = echo.bytes + body
            }
            return transit
        }
    }

    private func expect(
        _ reason: Abort.Reason, _ network: LocalNetwork<KeySharing<ECDSA>>, names: Bool,
        location: SourceLocation = #_sourceLocation
    ) {
        let abort = network.aborts[victim]
        #expect(abort?.reason == reason, sourceLocation: location)
        #expect(abort?.culprits == (names ? [cheater] : []), sourceLocation: location)
        #expect(network.outputs[victim] == nil, sourceLocation: location)
    }

    @Test func `21 commits to a polynomial of another degree: blame`() throws {
        let more = try opening { $0.commitments.append($0.commitments[0]) }
        expect(.malformedMessage, more, names: true)
        let less = try opening { $0.commitments.removeLast() }
        expect(.malformedMessage, less, names: true)
    }

    @Test func `21 opens another value than committed: blame`() throws {
        let network = try run { transit in
            var transit = transit
            if transit.round == 2, transit.isBroadcast, transit.from == cheater {
                transit.bytes[transit.bytes.count - 1] ^= 1
            }
            return transit
        }
        expect(.openingContradictsCommitment, network, names: true)
    }

    @Test func `21 commits to the identity, or to no point: blame`() throws {
        let identity = try opening { $0.commitments[0] = [UInt8](repeating: 0, count: 33) }
        expect(.malformedMessage, identity, names: true)
        let hybrid = try opening { $0.commitments[1][0] = 7 }
        expect(.malformedMessage, hybrid, names: true)
    }

    @Test func `21 proves nothing, or another key, or copies a proof: blame`() throws {
        let empty = try opening { $0.response = [UInt8](repeating: 0, count: 32) }
        expect(.proofOfPossession, empty, names: true)
        let copied = try opening { opening in
            // Another dealer's constant with that dealer's own proof.
            guard let network = try? TestKeys.ceremony(Self.name, Self.threshold) else { return }
            network.run()
            let theirs = network.sent.first { $0.round == 2 && $0.isBroadcast && $0.from.raw == 1 }
            guard let bytes = theirs?.bytes, let other = try? Opening(bytes.dropFirst(32)) else {
                return
            }
            opening.commitments[0] = other.commitments[0]
            opening.nonce = other.nonce
            opening.response = other.response
        }
        expect(.proofOfPossession, copied, names: true)
        let order = Hex.decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")!
        let large = try opening { $0.response = order }
        expect(.malformedMessage, large, names: true)
    }

    @Test func `21 proves its key in another run: blame`() throws {
        let elsewhere = try TestKeys.ceremony(
            Self.name, Self.threshold, run: TestKeys.ceremonyName("another"))
        elsewhere.run()
        let openings = elsewhere.sent.filter { $0.round == 2 && $0.isBroadcast }
        let own = try #require(openings.first { $0.from == cheater })
        let proof = try Opening(own.bytes.dropFirst(32))
        let network = try opening { opening in
            // The same key, drawn from the same stream: the proof is as good, for that run.
            #expect(opening.commitments == proof.commitments)
            opening.nonce = proof.nonce
            opening.response = proof.response
        }
        expect(.proofOfPossession, network, names: true)
    }

    @Test func `21 deals a share that contradicts its commitments: blame`() throws {
        for share in [true, false] {
            let network = try run { transit in
                var transit = transit
                if transit.round == 2, !transit.isBroadcast, transit.from == cheater,
                    transit.to == victim
                {
                    if share {
                        addOne(&transit.bytes, at: 0)
                    } else {
                        transit.bytes.replaceSubrange(0..<32, with: repeatElement(0xff, count: 32))
                    }
                }
                return transit
            }
            expect(share ? .shareContradictsCommitment : .malformedMessage, network, names: true)
            #expect(network.aborts[victim]?.consequence == .blame)
        }
    }

    @Test func `13, 21 shows different commitments to different holders: nobody is named`() throws {
        let network = try run { transit in
            var transit = transit
            if transit.round == 1, transit.from == cheater, transit.to == victim {
                transit.bytes[0] ^= 1
            }
            return transit
        }
        for abort in network.aborts.values {
            #expect(abort.reason == .echoMismatch)
            #expect(abort.culprits.isEmpty)
        }
        #expect(network.aborts.count >= 2)
        #expect(network.outputs.isEmpty)
    }

    @Test func `24 equivocates its part of the chain code: no holder has a key`() throws {
        // To one holder the commitment and opening of one chain code, to the other of another one.
        var changed = try Opening(Self.honest.dropFirst(32))
        changed.chainCode[0] ^= 1
        let sent = changed.sent
        let context = CeremonyContext<ECDSA>(
            run: Self.run, plan: TestKeys.plan(Self.threshold), me: cheater, source: nil)!
        let commitment = context.commitment(of: cheater, sent)
        let network = try run { transit in
            var transit = transit
            guard transit.isBroadcast, transit.from == cheater, transit.to == victim else {
                return transit
            }
            if transit.round == 1 { transit.bytes = commitment.bytes }
            if transit.round == 2 { transit.bytes.replaceSubrange(32..., with: sent.bytes) }
            return transit
        }
        #expect(network.aborts[victim]?.reason == .echoMismatch)
        #expect(network.aborts[other]?.reason == .echoMismatch)
        #expect(network.outputs.isEmpty)
    }

    @Test func `24 holders with different chain codes sign different certificates`() throws {
        let key = try KeyCache.shares(Self.threshold)[victim]!.with { stored in
            AnySharedKey(try KeyShare<ECDSA>(stored: stored).key)
        }
        var other = key.chainCode
        other[0] ^= 1
        let changed = AnySharedKey(
            .ecdsaSecp256k1, threshold: key.threshold, publicKey: key.publicKey, chainCode: other,
            verifyingShares: key.verifyingShares)!
        let echo = Digest.sha256([])
        #expect(
            KeyCertificate.digest(run: Self.run, key: key, echo: echo)
                != KeyCertificate.digest(run: Self.run, key: changed, echo: echo))
    }

    /// The cheater's base transfer message to the victim, changed on its way.
    private func setup(
        round: UInt8, from: ParticipantIndex, to: ParticipantIndex,
        _ change: @escaping (inout [UInt8]) -> Void
    ) throws -> LocalNetwork<KeySharing<ECDSA>> {
        try run { transit in
            var transit = transit
            if transit.round == round, !transit.isBroadcast, transit.from == from, transit.to == to
            {
                change(&transit.bytes)
            }
            return transit
        }
    }

    @Test func `25 breaks the base transfer: the setup is discarded and the cheater named`() throws
    {
        let size = Point.byteCount
        let changes: [(UInt8, (inout [UInt8]) -> Void)] = [
            (2, { $0.replaceSubrange(32..<32 + size, with: repeatElement(0, count: size)) }),
            (2, { $0[32 + 300 * size] = 6 }),
            (2, { $0.removeLast(2 * size) }),
            (3, { $0.replaceSubrange(0..<size, with: repeatElement(0, count: size)) }),
            (3, { $0.replaceSubrange(size..<2 * size, with: repeatElement(0, count: size)) }),
            (3, { $0.removeLast(2 * size) }),
        ]
        for (round, change) in changes {
            let network = try setup(round: round, from: cheater, to: victim, change)
            expect(.baseTransfer, network, names: true)
            #expect(network.aborts[victim]?.consequence == .discardSetup)
        }
    }

    @Test func `25 swaps the two points of a base transfer: the setup is discarded`() throws {
        // The receiver's own points come back swapped, so its trees do not fit.
        let network = try setup(round: 2, from: victim, to: cheater) { bytes in
            let (zero, one) = (Array(bytes[32..<65]), Array(bytes[65..<98]))
            bytes.replaceSubrange(32..<98, with: one + zero)
        }
        expect(.transferTree, network, names: true)
        #expect(network.aborts[victim]?.consequence == .discardSetup)
    }

    @Test func `25 breaks a tree's message: the setup is discarded, after all trees`() throws {
        let tree = BaseTransfer.messageBytes + 5 * PuncturedTrees.treeMessageBytes
        for offset in [Transfer.treeDepth * 64 + 1, Transfer.treeDepth * 64 + 64 + 1] {
            let network = try setup(round: 3, from: cheater, to: victim) { $0[tree + offset] ^= 1 }
            expect(.transferTree, network, names: true)
        }
        // One correction is looked at by the choice bit: both flipped is found for certain.
        let both = try setup(round: 3, from: cheater, to: victim) { bytes in
            bytes[tree] ^= 1
            bytes[tree + 32] ^= 1
        }
        expect(.transferTree, both, names: true)
    }

    @Test func `17 a ceremony of doubled, missing or foreign participants is refused`() throws {
        let roster = TestKeys.roster(3)
        #expect(Roster(roster.identities, [victim, victim, cheater]) == nil)
        #expect(Roster([roster.identities[0], roster.identities[0]], [victim, cheater]) == nil)
        #expect(
            SharingPlan(
                kind: .main, threshold: SigningThreshold(2, of: 2)!, holders: roster, source: nil)
                == nil)
        let stranger = ParticipantIndex(4)!
        for (me, isSeeded) in [(stranger, true), (victim, false)] {
            var random = TestRandom("x")
            let seeds = isSeeded ? TestKeys.zeroSeeds(Self.run, me, TestKeys.indices(3)) : [:]
            let error = #expect(throws: Abort.self) {
                _ = try KeySharing<ECDSA>(
                    ClaimedRun(Self.run, in: MemoryRegistry()),
                    plan: TestKeys.plan(Self.threshold), me: me, source: nil, share: nil,
                    zeroSeeds: seeds, random: &random)
            }
            #expect(error?.reason == .wrongQuorum)
        }
    }
}
