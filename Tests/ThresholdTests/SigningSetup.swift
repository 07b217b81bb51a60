import Algebra
import Canonical
import KeyGroups
import TestKit
import Threshold

@testable import Threshold

/// Random bytes of which the first are given: for a cheater that chooses its secrets.
struct ChosenRandom: RandomSource {
    var chosen: [[UInt8]]
    var rest: TestRandom

    mutating func fill(_ out: UnsafeMutableRawBufferPointer) {
        let honest = rest.bytes(out.count)
        guard let first = chosen.first, first.count == out.count else {
            out.copyBytes(from: honest)
            return
        }
        chosen.removeFirst()
        out.copyBytes(from: first)
    }
}

/// One signing session under known random streams, so that a test can know what a cheater knows.
final class SigningSetup {
    let scheme: `A cheater in signing`.Scheme
    let shares: [ParticipantIndex: SecretBox<SecretBytes>]
    let run = RunID(unchecked: [UInt8](repeating: 0x5a, count: 32))
    let item = SigningItem(
        path: DerivationPath([44, 60, 0, 0, 7])!, digest: .sha256(Array("hello".utf8)))

    init(_ scheme: `A cheater in signing`.Scheme) throws {
        self.scheme = scheme
        shares = try KeyCache.shares(scheme.threshold)
    }

    func seed(_ index: ParticipantIndex) -> String { "cheat/\(index)" }

    func share(_ index: ParticipantIndex) throws -> KeyShare<ECDSA> {
        try shares[index]!.with { try KeyShare<ECDSA>(stored: $0) }
    }

    func machine(
        _ index: ParticipantIndex, members: [ParticipantIndex], drawing chosen: [[UInt8]] = []
    ) throws -> Signing {
        var random = ChosenRandom(chosen: chosen, rest: TestRandom(seed(index)))
        return try Signing(
            ClaimedRun(run, in: MemoryRegistry()), items: [item], members: members,
            share: try share(index), random: &random)
    }

    func network(
        drawing chosen: [ParticipantIndex: [[UInt8]]] = [:]
    ) throws -> LocalNetwork<Signing> {
        let network = LocalNetwork<Signing>()
        for index in scheme.quorum {
            network.add(
                try machine(index, members: scheme.quorum, drawing: chosen[index] ?? []), index)
        }
        return network
    }

    func context(_ number: Int) throws -> SigningContext {
        let share = try share(scheme.cheater)
        return SigningContext(
            number, item, of: run, Quorum(me: scheme.cheater, members: scheme.quorum)!,
            derived: DerivedKey(item.path, of: share.key)!)
    }

    /// Replaces the multiplication in the cheater's second message to the victim by one that it
    /// made with inputs of its choice, knowing all its own secrets.
    func answeringAs(
        _ cheater: ParticipantIndex, to victim: ParticipantIndex,
        _ cheat: @escaping (Cheat) -> [UInt8]
    ) -> LocalNetwork<Signing>.Tamper {
        var received: [UInt8] = []
        return { [self] transit in
            if transit.round == 1, transit.from == victim, transit.to == cheater,
                !transit.isBroadcast
            {
                received = transit.bytes
            }
            guard transit.round == 2, transit.from == cheater, transit.to == victim,
                let prepared = try? Cheat(self, transit.bytes, received)
            else { return transit }
            var transit = transit
            transit.bytes = cheat(prepared)
            return transit
        }
    }

    /// What the cheater knows when it makes its second message.
    final class Cheat {
        private let setup: SigningSetup
        private let honest: [UInt8]
        private let message: TransferExtension.Message
        private let name: Digest
        private let nonce: SecretScalar
        private let key: SecretScalar
        private let check: SecretScalar
        private let pair: PairSecrets

        init(_ setup: SigningSetup, _ honest: [UInt8], _ received: [UInt8]) throws {
            self.setup = setup
            self.honest = honest
            message = TransferExtension.Message(Array(received.dropFirst(32)))!
            let (cheater, victim) = (setup.scheme.cheater, setup.scheme.victim)
            let share = try setup.share(cheater)
            let context = try setup.context(0)
            pair = share.pair(victim)
            name = context.multiplication(pair.alice.id, alice: cheater, bob: victim)
            // The draws of a run, in their order: r, φ, blinder, Bob's for each, Alice's for each.
            var random = TestRandom(setup.seed(cheater))
            nonce = SecretScalar(random: &random)
            _ = SecretScalar(random: &random)
            _ = random.bytes(32)
            for _ in context.quorum.others { _ = random.bytes(Transfer.columnBytes) }
            var checks: [ParticipantIndex: SecretBox<SecretScalar>] = [:]
            for peer in context.quorum.others {
                checks[peer] = SecretBox(SecretScalar(random: &random))
            }
            check = checks[victim]!.take()!
            key = share.additiveShare(context, Digest(honest.prefix(32))!)
        }

        private func replacing(_ answer: borrowing Multiplication.Answered) -> [UInt8] {
            let shares = (
                answer.shares.nonce.timesGenerator()!, answer.shares.key.timesGenerator()!
            )
            var bytes = honest
            bytes.replaceSubrange(Offset.nonceShare..<Offset.keyShare, with: shares.0.compressed)
            bytes.replaceSubrange(Offset.keyShare..<Offset.mask, with: shares.1.compressed)
            bytes.replaceSubrange(Offset.answer..., with: answer.answer.bytes)
            return bytes
        }

        /// Consistent, but with another nonce or key share than is opened.
        func answer(addingToNonce: UInt64 = 0, addingToKey: UInt64 = 0) -> [UInt8] {
            let inputs = Multiplication.Inputs(
                nonce: nonce + Scalar(addingToNonce), key: key + Scalar(addingToKey),
                check: check.copy())
            return replacing(try! Multiplication.answer(name, pair.alice, message, inputs: inputs))
        }

        /// Another nonce in the first rows only, everything after it honest.
        func answer(changingRowsBelow rows: Int) -> [UInt8] {
            let inputs = Multiplication.Inputs(
                nonce: nonce.copy(), key: key.copy(), check: check.copy())
            let honestAnswer = try! Multiplication.answer(
                name, pair.alice, message, inputs: inputs)
            var corrections = honestAnswer.answer.corrections.bytes
            for row in 0..<rows { addOne(&corrections, at: row * 3 * 32) }
            let changed = PublicMatrix(corrections, rows: Transfer.rowCount, columns: 3)!
            let theta = Multiplication.factors(name, message.digest, changed)
            let eta = (check + nonce * theta.0 + key * theta.1).published()
            // μ over Alice's own hashes, which she computes again.
            let zeta = try! TransferExtension.check(name, pair.alice, message)
            let alpha = SecretMatrix(
                hashing: zeta, xor: SecretBytes(count: 32), columns: 3, Tag.extensionRow, name)
            var transcript = Transcript(Tag.multiplicationCheck)
            transcript.append(name)
            alpha.append(
                combination: theta, minus: .zero, where: SecretBytes(count: 64), to: &transcript)
            var bytes = honest
            bytes.replaceSubrange(
                Offset.answer..., with: corrections + eta.bytes + transcript.digest().bytes)
            return bytes
        }
    }
}

/// Keys that the tests share, since making one takes half a second.
enum KeyCache {
    nonisolated(unsafe) private static var cache:
        [String: [ParticipantIndex: SecretBox<SecretBytes>]] = [:]
    private static let lock = Lock()

    static func shares(
        _ threshold: SigningThreshold
    ) throws -> [ParticipantIndex: SecretBox<SecretBytes>] {
        try lock.with {
            let name = "kat/\(threshold.required)-\(threshold.holders)"
            if let known = cache[name] { return known }
            let made = try TestKeys.shares(name, threshold)
            cache[name] = made
            return made
        }
    }
}
