import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// Every check of signing has a participant here that lies just there. Numbers are those of the
/// specification's section 5.13. The cheater is the quorum's second member.
@Suite struct `A cheater in signing` {
    static let schemes = [Scheme("2-of-3", (2, 3), [1, 3]), Scheme("3-of-3", (3, 3), [1, 2, 3])]

    struct Scheme: CustomStringConvertible, Sendable {
        let description: String
        let threshold: SigningThreshold
        let quorum: [ParticipantIndex]

        init(_ name: String, _ threshold: (Int, Int), _ quorum: [Int]) {
            description = name
            self.threshold = SigningThreshold(threshold.0, of: threshold.1)!
            self.quorum = quorum.map { ParticipantIndex($0)! }
        }

        var victim: ParticipantIndex { quorum[0] }
        var cheater: ParticipantIndex { quorum[1] }
    }

    /// What a cheater changes of one message; the same to every other member unless it says so.
    typealias Change = (inout [UInt8]) -> Void

    private func run(
        _ scheme: Scheme, round: UInt8, broadcast: Bool = false, _ change: Change
    ) throws -> LocalNetwork<Signing> {
        let network = try SigningSetup(scheme).network()
        network.run { transit in
            var transit = transit
            if transit.round == round, transit.from == scheme.cheater, transit.to == scheme.victim,
                transit.isBroadcast == broadcast
            {
                change(&transit.bytes)
            }
            return transit
        }
        return network
    }

    /// The victim has ended with this reason, naming the cheater where the reason names anyone, and
    /// has given no last message.
    private func expect(
        _ reason: Abort.Reason, _ network: LocalNetwork<Signing>, _ scheme: Scheme,
        names: Bool, location: SourceLocation = #_sourceLocation
    ) {
        let abort = network.aborts[scheme.victim]
        #expect(abort?.reason == reason, sourceLocation: location)
        #expect(abort?.culprits == (names ? [scheme.cheater] : []), sourceLocation: location)
        #expect(!network.gaveLast.contains(scheme.victim), sourceLocation: location)
        #expect(network.outputs[scheme.victim] == nil, sourceLocation: location)
    }

    @Test(arguments: schemes) func `1 flips a correction bit in every tree: ban`(_ scheme: Scheme)
        throws
    {
        let network = try run(scheme, round: 1) { bytes in
            for tree in 0..<Transfer.treeCount { bytes[32 + tree * Transfer.columnBytes + 3] ^= 16 }
        }
        expect(.transferCheck, network, scheme, names: true)
        #expect(network.aborts[scheme.victim]?.consequence == .ban)
    }

    @Test(arguments: schemes) func `4 alters one correction of a multiplication: ban`(
        _ scheme: Scheme
    ) throws {
        for offset in [0, 700 * 32, MultiplyRound.whisperBytes - Offset.answer - 65] {
            let network = try run(scheme, round: 2) { bytes in
                bytes[Offset.answer + offset / 32 * 32 + 31] ^= 1
            }
            expect(.multiplicationCheck, network, scheme, names: true)
            #expect(network.aborts[scheme.victim]?.consequence == .ban)
        }
    }

    @Test(arguments: schemes) func `5 uses another input in some rows: ban`(_ scheme: Scheme) throws
    {
        let setup = try SigningSetup(scheme)
        let network = try setup.network()
        network.run(
            tamper: setup.answeringAs(scheme.cheater, to: scheme.victim) { cheat in
                cheat.answer(changingRowsBelow: 64)
            })
        expect(.multiplicationCheck, network, scheme, names: true)
    }

    @Test(arguments: schemes) func `6 multiplies another nonce than it opens: ban`(
        _ scheme: Scheme
    ) throws {
        let setup = try SigningSetup(scheme)
        let network = try setup.network()
        network.run(
            tamper: setup.answeringAs(scheme.cheater, to: scheme.victim) { cheat in
                cheat.answer(addingToNonce: 1)
            })
        expect(.nonceCheck, network, scheme, names: true)
        #expect(network.aborts[scheme.victim]?.consequence == .ban)
    }

    @Test(arguments: schemes) func `6 multiplies another key share than it shows: ban`(
        _ scheme: Scheme
    ) throws {
        let setup = try SigningSetup(scheme)
        let network = try setup.network()
        network.run(
            tamper: setup.answeringAs(scheme.cheater, to: scheme.victim) { cheat in
                cheat.answer(addingToKey: 1)
            })
        expect(.keyCheck, network, scheme, names: true)
        #expect(network.aborts[scheme.victim]?.consequence == .ban)
    }

    @Test(arguments: schemes) func `7 shifts the public parts of its product shares: ban`(
        _ scheme: Scheme
    ) throws {
        let nonce = try run(scheme, round: 2) { shiftPoint(&$0, at: Offset.nonceShare) }
        expect(.nonceCheck, nonce, scheme, names: true)
        let key = try run(scheme, round: 2) { shiftPoint(&$0, at: Offset.keyShare) }
        expect(.keyCheck, key, scheme, names: true)
    }

    @Test(arguments: schemes) func `8 shifts the public part of its key share: ban`(
        _ scheme: Scheme
    ) throws {
        let network = try run(scheme, round: 2) { shiftPoint(&$0, at: Offset.additive) }
        expect(.keyCheck, network, scheme, names: true)
    }

    @Test(arguments: schemes) func `9 opens another nonce or blinder than committed: blame`(
        _ scheme: Scheme
    ) throws {
        let nonce = try run(scheme, round: 2) { shiftPoint(&$0, at: Offset.nonce) }
        expect(.openingContradictsCommitment, nonce, scheme, names: true)
        #expect(nonce.aborts[scheme.victim]?.consequence == .blame)
        let blinder = try run(scheme, round: 2) { $0[Offset.blinder] ^= 1 }
        expect(.openingContradictsCommitment, blinder, scheme, names: true)
    }

    @Test(arguments: schemes) func `10 shows another transcript: no ban, and no ban check is run`(
        _ scheme: Scheme
    ) throws {
        let plain = try run(scheme, round: 2) {
            $0.replaceSubrange(0..<32, with: repeatElement(0, count: 32))
        }
        expect(.transcriptMismatch, plain, scheme, names: false)
        #expect(plain.aborts[scheme.victim]?.consequence == Abort.Consequence.none)
        // With a broken multiplication behind it, the answer is the same: it was not looked at.
        let broken = try run(scheme, round: 2) { bytes in
            bytes[0] ^= 1
            bytes[Offset.answer + 31] ^= 1
        }
        expect(.transcriptMismatch, broken, scheme, names: false)
    }

    @Test(arguments: schemes) func `11 shifts its mask: the signature is invalid and not released`(
        _ scheme: Scheme
    ) throws {
        let network = try run(scheme, round: 2) { addOne(&$0, at: Offset.mask) }
        let abort = try #require(network.aborts[scheme.victim])
        #expect(abort.reason == .invalidSignature)
        #expect(abort.consequence == Abort.Consequence.none)
        #expect(network.outputs.isEmpty)
    }

    @Test(arguments: schemes) func `12 shifts its share of the signature: two members know who`(
        _ scheme: Scheme
    ) throws {
        for offset in [0, 32] {
            let network = try run(scheme, round: 3) { addOne(&$0, at: offset) }
            let abort = try #require(network.aborts[scheme.victim])
            #expect(abort.reason == .invalidSignature)
            #expect(abort.culprits == (scheme.quorum.count == 2 ? [scheme.cheater] : []))
            #expect(network.outputs[scheme.victim] == nil)
        }
    }

    @Test(arguments: schemes) func `13 equivocates its commitment: nobody honest is banned`(
        _ scheme: Scheme
    ) throws {
        let network = try run(scheme, round: 1, broadcast: true) { $0[0] ^= 1 }
        for (index, abort) in network.aborts {
            #expect(abort.reason == .transcriptMismatch, "of member \(index)")
            #expect(abort.culprits.isEmpty)
        }
        #expect(network.aborts.count == scheme.quorum.count)
        #expect(network.gaveLast.isEmpty)
    }

    @Test(arguments: schemes) func `15 sends scalars out of range, points off the curve: blame`(
        _ scheme: Scheme
    ) throws {
        let order = Hex.decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")!
        let scalars = [Offset.mask, Offset.answer, Offset.check, Offset.check - 32]
        for offset in scalars {
            let network = try run(scheme, round: 2) {
                $0.replaceSubrange(offset..<offset + 32, with: order)
            }
            expect(.malformedMessage, network, scheme, names: true)
            #expect(network.aborts[scheme.victim]?.consequence == .blame)
        }
        for offset in [Offset.nonce, Offset.additive, Offset.nonceShare, Offset.keyShare] {
            for prefix: UInt8 in [0, 4, 5, 6, 7] {
                let network = try run(scheme, round: 2) { $0[offset] = prefix }
                expect(.malformedMessage, network, scheme, names: true)
            }
            // x = 5 is no coordinate of the curve.
            let off = [2] + [UInt8](repeating: 0, count: 31) + [5]
            let network = try run(scheme, round: 2) {
                $0.replaceSubrange(offset..<offset + 33, with: off)
            }
            expect(.malformedMessage, network, scheme, names: true)
        }
        for offset in [0, 32] {
            let network = try run(scheme, round: 3) {
                $0.replaceSubrange(offset..<offset + 32, with: order)
            }
            #expect(network.aborts[scheme.victim]?.reason == .malformedMessage)
            #expect(network.aborts[scheme.victim]?.culprits == [scheme.cheater])
        }
    }

    @Test(arguments: schemes) func `15 sends messages that are too short or too long: blame`(
        _ scheme: Scheme
    ) throws {
        let changes: [Change] = [
            { $0 = [0] }, { $0.removeLast() }, { $0.append(0) },
            { $0 += [UInt8](repeating: 0, count: 32) },
        ]
        for round: UInt8 in 1...2 {
            for change in changes {
                let network = try run(scheme, round: round, change)
                expect(.malformedMessage, network, scheme, names: true)
            }
        }
        // A whisper without a byte does not open.
        for change in changes + [{ $0 = [] }] {
            let commitment = try run(scheme, round: 1, broadcast: true, change)
            expect(.malformedMessage, commitment, scheme, names: true)
        }
        for change in changes {
            let last = try run(scheme, round: 3, change)
            #expect(last.aborts[scheme.victim]?.reason == .malformedMessage)
        }
    }

    @Test(arguments: schemes) func `15 sends a point with both coordinates: blame`(
        _ scheme: Scheme
    ) throws {
        for offset in [Offset.nonce, Offset.additive, Offset.nonceShare, Offset.keyShare] {
            let network = try run(scheme, round: 2) { bytes in
                let point = Point(compressed: bytes[offset..<offset + 33])!
                bytes.replaceSubrange(offset..<offset + 33, with: [4] + point.coordinates)
            }
            expect(.malformedMessage, network, scheme, names: true)
        }
    }

    @Test func `16 makes the sum of nonces the identity: abort, nothing is sent`() throws {
        let scheme = Self.schemes[0]
        let setup = try SigningSetup(scheme)
        var stream = TestRandom(setup.seed(scheme.victim))
        let opposite = Scalar.zero - SecretScalar(random: &stream)
        let network = try setup.network(drawing: [
            scheme.cheater: [opposite.encoded().withBytes { Array($0) }]
        ])
        network.run()
        expect(.identityNonce, network, scheme, names: false)
    }

    @Test func `16 makes the denominator zero: abort, no signature`() throws {
        let scheme = Self.schemes[0]
        let setup = try SigningSetup(scheme)
        var stream = TestRandom(setup.seed(scheme.victim))
        _ = SecretScalar(random: &stream)
        let opposite = Scalar.zero - SecretScalar(random: &stream)
        var own = TestRandom(setup.seed(scheme.cheater))
        let nonce = SecretScalar(random: &own).encoded().withBytes { Array($0) }
        let network = try setup.network(drawing: [
            scheme.cheater: [nonce, opposite.encoded().withBytes { Array($0) }]
        ])
        network.run()
        #expect(network.aborts[scheme.victim]?.reason == .invalidSignature)
        #expect(network.outputs.isEmpty)
    }

    @Test func `17 doubles, lacks or invents a member: refused before anything is made`() throws {
        let setup = try SigningSetup(Self.schemes[0])
        let me = ParticipantIndex(1)!
        let quorums: [[Int]] = [[1, 1], [1], [1, 2, 3], [2, 3], [1, 4]]
        for quorum in quorums {
            let error = #expect(throws: Abort.self) {
                _ = try setup.machine(me, members: quorum.map { ParticipantIndex($0)! })
            }
            #expect(error?.reason == .wrongQuorum)
        }
        #expect(Roster([], []) == nil)
        let identity = IdentityPublicKey(unchecked: [UInt8](repeating: 1, count: 32))
        let indices = [ParticipantIndex(1)!, ParticipantIndex(2)!]
        #expect(Roster([identity, identity], indices) == nil)
    }

    @Test(arguments: schemes) func `31 names another setup: no ban, even with a broken message`(
        _ scheme: Scheme
    ) throws {
        let plain = try run(scheme, round: 1) { $0[0] ^= 1 }
        expect(.differentSetup, plain, scheme, names: false)
        #expect(plain.aborts[scheme.victim]?.consequence == Abort.Consequence.none)
        let broken = try run(scheme, round: 1) { bytes in
            bytes[0] ^= 1
            for tree in 0..<Transfer.treeCount { bytes[32 + tree * Transfer.columnBytes] ^= 1 }
        }
        expect(.differentSetup, broken, scheme, names: false)
    }

    @Test func `32 offers a run's name twice: refused before anything is computed`() throws {
        let registry = MemoryRegistry()
        let run = RunID(unchecked: [UInt8](repeating: 3, count: 32))
        _ = try ClaimedRun(run, in: registry)
        let error = #expect(throws: Abort.self) { _ = try ClaimedRun(run, in: registry) }
        #expect(error?.reason == .runNameUsed)
    }

    @Test func `32 two items of one session have names of their own`() throws {
        let setup = try SigningSetup(Self.schemes[0])
        let one = try setup.context(0), other = try setup.context(1)
        #expect(one.run != other.run)
    }
}

/// Where the parts of the second message stand.
enum Offset {
    static let nonce = 32
    static let blinder = nonce + 33
    static let additive = blinder + 32
    static let nonceShare = additive + 33
    static let keyShare = nonceShare + 33
    static let mask = keyShare + 33
    static let answer = mask + 32
    static let check = answer + Multiplication.correctionBytes
}

func shiftPoint(_ bytes: inout [UInt8], at offset: Int) {
    let point = Point(compressed: bytes[offset..<offset + 33])!
    let shifted = point.variableTimeAdding(generatorTimes: .one)!
    bytes.replaceSubrange(offset..<offset + 33, with: shifted.compressed)
}

func addOne(_ bytes: inout [UInt8], at offset: Int) {
    let scalar = Scalar(canonical: bytes[offset..<offset + 32])!
    bytes.replaceSubrange(offset..<offset + 32, with: (scalar + .one).bytes)
}
