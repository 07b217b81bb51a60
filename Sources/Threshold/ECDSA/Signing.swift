import Algebra
import Canonical
import KeyGroups

/// A run that signs one or more items with one quorum: threshold ECDSA by DKLs23 in three rounds.
///
/// Sans I/O: feed it what arrives with `receive`, and ask `next` until it says `.wait` or
/// `.finish`. An `Abort` closes it for good, and wipes its secrets.
public struct Signing: ~Copyable {
    public static let rounds: ClosedRange<UInt8> = 1...3

    private enum State: ~Copyable {
        case committing([SecretBox<CommitRound>], sent: Bool)
        case multiplying([SecretBox<MultiplyRound>])
        case summing([SumRound])
        case closed
    }

    private var state: State
    private var mailbox = Mailbox()
    private let share: KeyShare<ECDSA>
    private let quorum: Quorum
    private let itemCount: Int

    /// - Parameters:
    ///   - run: the claimed name of this run.
    ///   - members: exactly as many holders as must sign, us among them.
    /// - Throws: `.wrongQuorum` if the members are not such, or a path gives no key.
    public init(
        _ run: consuming ClaimedRun, items: [SigningItem], members: [ParticipantIndex],
        share: consuming KeyShare<ECDSA>, random: inout some RandomSource & ~Copyable
    ) throws(Abort) {
        guard let quorum = Quorum(me: share.me, members: members),
            members.count == share.key.threshold.required,
            members.allSatisfy({ share.key.verifyingShares[$0] != nil }),
            quorum.others.allSatisfy({ share.pairs[$0] != nil }),
            (1...SigningItem.most).contains(items.count)
        else { throw Abort(.wrongQuorum) }
        var rounds: [SecretBox<CommitRound>] = []
        for (number, item) in items.enumerated() {
            guard let derived = DerivedKey(item.path, of: share.key) else {
                throw Abort(.wrongQuorum)
            }
            let context = SigningContext(number, item, of: run.id, quorum, derived: derived)
            rounds.append(SecretBox(CommitRound(context, share, random: &random)))
        }
        state = .committing(rounds, sent: false)
        self.share = share
        self.quorum = quorum
        itemCount = items.count
    }

    /// Keeps a message until its round comes. What is for no round or item of this run is dropped.
    public mutating func receive(_ message: RoundMessage) {
        guard Self.rounds.contains(message.round), message.item < itemCount,
            quorum.others.contains(message.participant)
        else { return }
        mailbox.put(message)
    }

    /// Whose messages the current round still lacks.
    public var waitingFor: [ParticipantIndex] {
        let (round, broadcast): (UInt8, Bool)
        switch state {
        case .committing: (round, broadcast) = (1, true)
        case .multiplying: (round, broadcast) = (2, false)
        case .summing: (round, broadcast) = (3, false)
        case .closed: return []
        }
        return mailbox.missing(
            round: round, items: itemCount, broadcasts: broadcast ? quorum.others : [],
            whispers: quorum.others)
    }

    public mutating func next() throws(Abort) -> Step<[ECDSASignature]> {
        var taken = State.closed
        swap(&taken, &state)  // an `Abort` leaves the run closed
        switch consume taken {
        case .committing(let rounds, sent: false):
            state = .committing(rounds, sent: true)
            return .send(rounds.flatMap { round in round.with { $0.messages(share) } })
        case .committing(let rounds, sent: true):
            return try answer(rounds)
        case .multiplying(let rounds):
            return try sum(rounds)
        case .summing(let rounds):
            return try finish(rounds)
        case .closed:
            return .wait
        }
    }

    private mutating func answer(
        _ rounds: [SecretBox<CommitRound>]
    ) throws(Abort) -> Step<[ECDSASignature]> {
        var inputs: [([ParticipantIndex: [UInt8]], [ParticipantIndex: SecretBox<SecretBytes>])] = []
        for item in 0..<UInt16(itemCount) {
            guard
                let commitments = mailbox.broadcasts(round: 1, item: item, from: quorum.others),
                let whispers = mailbox.whispers(round: 1, item: item, from: quorum.others)
            else {
                state = .committing(rounds, sent: true)
                return .wait
            }
            inputs.append((commitments, whispers))
        }
        mailbox.drop(through: 1)
        var next: [SecretBox<MultiplyRound>] = []
        var messages: [RoundMessage] = []
        for (box, input) in zip(rounds, inputs) {
            guard let round = box.take() else { preconditionFailure("a round is taken once") }
            let advance = try round.answer(
                commitments: input.0, whispers: input.1, share)
            messages += advance.messages
            next.append(SecretBox(advance.takeRound()))
        }
        state = .multiplying(next)
        return .send(messages)
    }

    /// Gives the last messages only when every item's checks have passed.
    private mutating func sum(
        _ rounds: [SecretBox<MultiplyRound>]
    ) throws(Abort) -> Step<[ECDSASignature]> {
        var inputs: [[ParticipantIndex: SecretBox<SecretBytes>]] = []
        for item in 0..<UInt16(itemCount) {
            guard let whispers = mailbox.whispers(round: 2, item: item, from: quorum.others) else {
                state = .multiplying(rounds)
                return .wait
            }
            inputs.append(whispers)
        }
        mailbox.drop(through: 2)
        var next: [SumRound] = []
        for (box, whispers) in zip(rounds, inputs) {
            guard let round = box.take() else { preconditionFailure("a round is taken once") }
            next.append(try round.sum(whispers: whispers))
        }
        state = .summing(next)
        return .sendLast(next.flatMap(\.messages))
    }

    private mutating func finish(_ rounds: [SumRound]) throws(Abort) -> Step<[ECDSASignature]> {
        var signatures: [ECDSASignature] = []
        for round in rounds {
            guard
                let whispers = mailbox.whispers(
                    round: 3, item: round.context.number, from: quorum.others)
            else {
                state = .summing(rounds)
                return .wait
            }
            signatures.append(try round.finish(whispers: whispers))
        }
        return .finish(signatures)
    }
}
