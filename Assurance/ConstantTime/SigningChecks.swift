import Canonical
import KeyGroups

@testable import Algebra
@testable import Threshold

/// A run of 2-of-2 signing in which everything of one holder is marked: its share, both setups, and
/// all that it draws. What it sends is unmarked when it is sent. It ends with the last messages,
/// after which nothing is secret any more.
enum SigningChecks {
    private final class Registry: RunRegistry {
        func claim(_ run: RunID) -> Bool { true }
    }

    private final class Holder {
        var machine: Signing
        init(_ machine: consuming Signing) { self.machine = machine }
    }

    /// One ordered pair's setup, both halves.
    private final class Pair {
        let alice: AliceSetup
        let bob: BobSetup

        init(_ alice: ParticipantIndex, _ bob: ParticipantIndex, _ seed: UInt64) throws {
            var random = PlainRandom(seed)
            let run = RunID(.plain(200))
            let receiver = PairSetup.Alice(run: run, me: alice, bob: bob, random: &random)
            let sender = PairSetup.Bob(run: run, alice: alice, me: bob, random: &random)
            let answered = try sender.answer(receiver.message)
            self.alice = try receiver.finish(answered.message)
            self.bob = answered.takeSetup()
        }
    }

    private static func marked(_ alice: borrowing AliceSetup) -> AliceSetup {
        AliceSetup(id: alice.id, delta: alice.delta.marked(), leaves: alice.leaves.marked())
    }

    private static func plain(_ alice: borrowing AliceSetup) -> AliceSetup {
        AliceSetup(id: alice.id, delta: alice.delta.copy(), leaves: alice.leaves.copy())
    }

    /// The two shares of one key; the first is marked.
    private static func shares(_ members: [ParticipantIndex]) throws -> [SecretBox<KeyShare<ECDSA>>]
    {
        let there = try Pair(members[0], members[1], 201)
        let back = try Pair(members[1], members[0], 202)
        let (constant, slope) = (Scalar.plain(203), Scalar.plain(204))
        let values = members.map { constant + slope * $0.scalar() }
        let publics = values.compactMap { SecretScalar($0).timesGenerator() }
        guard let threshold = SigningThreshold(2, of: 2),
            let publicKey = SecretScalar(constant).timesGenerator(), publics.count == 2,
            let key = SharedKey<ECDSA>(
                threshold: threshold, publicKey: publicKey, chainCode: Digest.plain(205).bytes,
                verifyingShares: [members[0]: publics[0], members[1]: publics[1]])
        else { return [] }
        let zero = SecretBytes(copying: Digest.plain(206).bytes)
        let first = PairSecrets(
            zeroSeed: zero.marked(), alice: marked(there.alice),
            bob: BobSetup(id: back.bob.id, leaves: back.bob.leaves.marked()))
        let second = PairSecrets(
            zeroSeed: zero.copy(), alice: plain(back.alice),
            bob: BobSetup(id: there.bob.id, leaves: there.bob.leaves.copy()))
        let secret = SecretBytes(copying: values[0].bytes).marked().withBytes {
            SecretScalar(reducing: $0)
        }
        return [
            SecretBox(
                KeyShare(key: key, me: members[0], secret: secret, pairs: [members[1]: first])),
            SecretBox(
                KeyShare(
                    key: key, me: members[1], secret: SecretScalar(values[1]),
                    pairs: [members[0]: second])),
        ]
    }

    static func signing(_ bench: Bench) throws {
        let members = [1, 2].compactMap { ParticipantIndex($0) }
        guard let path = DerivationPath([44, 60]) else { return }
        let boxes = try shares(members)
        let items = [SigningItem(path: path, digest: .plain(207))]
        // 21 jumps, of which the comparison of the transcript's 32 bytes is taken 32 times.
        try bench.run(
            .constant, "signing, one holder until its last message",
            secret: "share, setups, draws",
            .told(
                21 + 31 + ThresholdChecks.tablePlaces,
                "draws in range, not zero, verdicts, transcript, table places")
        ) {
            guard let mine = boxes[0].take(), let theirs = boxes[1].take() else { return }
            var marked = MarkedRandom(208)
            var plain = PlainRandom(209)
            let run = RunID(.plain(210))
            let holders = [
                Holder(
                    try Signing(
                        ClaimedRun(run, in: Registry()), items: items, members: members,
                        share: mine, random: &marked)),
                Holder(
                    try Signing(
                        ClaimedRun(run, in: Registry()), items: items, members: members,
                        share: theirs, random: &plain)),
            ]
            var given = 0
            while given < 2 {
                for (at, holder) in holders.enumerated() {
                    switch try holder.machine.next() {
                    case .wait, .finish: break
                    case .send(let messages):
                        for message in messages {
                            holders[1 - at].machine.receive(carried(message, from: members[at]))
                        }
                    case .sendLast: given += 1
                    }
                }
            }
        }
    }

    /// The message as it arrives: what was sent is public.
    private static func carried(
        _ message: RoundMessage, from sender: ParticipantIndex
    ) -> RoundMessage {
        let content: RoundMessage.Content
        switch message.content {
        case .broadcast(let bytes): content = .broadcast(publish(bytes))
        case .whispered(let box):
            let bytes = publish(box.with { $0.withBytes { Array($0) } })
            content = .whispered(SecretBox(SecretBytes(copying: bytes)))
        }
        return RoundMessage(
            round: message.round, item: message.item, sender, content)
    }
}
