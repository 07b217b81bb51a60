import Algebra
import Canonical
import KeyGroups

/// A run that signs one or more messages with one quorum: FROST in two rounds, on either group
/// (RFC 9591). Sans I/O, as `Signing`.
///
/// Nonces live in the round that drew them, are never stored, and end with the share that they
/// make: a run that is interrupted starts anew with others.
public struct SchnorrSigning<Scheme: SchnorrScheme>: ~Copyable {
    public static var rounds: ClosedRange<UInt8> { 1...2 }

    private enum State {
        case committing([SecretBox<SchnorrCommitRound<Scheme>>], sent: Bool)
        case summing([SchnorrSumRound<Scheme>])
        case closed
    }

    private var state: State
    private var mailbox = Mailbox()
    private let share: KeyShare<Scheme>
    private let quorum: Quorum
    private let itemCount: Int

    /// - Parameters:
    ///   - run: the claimed name of this run.
    ///   - members: exactly as many holders as must sign, us among them.
    /// - Throws: `.wrongQuorum` if the members are not such, or a path gives no key.
    public init(
        _ run: consuming ClaimedRun, items: [SchnorrItem], members: [ParticipantIndex],
        share: consuming KeyShare<Scheme>, random: inout some RandomSource & ~Copyable
    ) throws(Abort) {
        guard let quorum = Quorum(me: share.me, members: members),
            members.count == share.key.threshold.required,
            members.allSatisfy({ share.key.verifyingShares[$0] != nil }),
            (1...SigningItem.most).contains(items.count)
        else { throw Abort(.wrongQuorum) }
        var rounds: [SecretBox<SchnorrCommitRound<Scheme>>] = []
        for (number, item) in items.enumerated() {
            guard
                let context = SchnorrContext<Scheme>(number, item, of: run.id, quorum, share.key)
            else { throw Abort(.wrongQuorum) }
            rounds.append(
                SecretBox(try SchnorrCommitRound(context, share, random: &random)))
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
        switch state {
        case .committing:
            mailbox.missing(round: 1, items: itemCount, broadcasts: quorum.others, whispers: [])
        case .summing:
            mailbox.missing(round: 2, items: itemCount, broadcasts: [], whispers: quorum.others)
        case .closed: []
        }
    }

    /// - Returns: in the end each item's signature, R || z, 64 bytes.
    public mutating func next() throws(Abort) -> Step<[[UInt8]]> {
        let before = state
        state = .closed  // an `Abort` leaves the run closed
        switch before {
        case .committing(let rounds, sent: false):
            state = .committing(rounds, sent: true)
            return .send(rounds.map { round in round.with { $0.message } })
        case .committing(let rounds, sent: true):
            if let next = try sign(rounds) {
                state = .summing(next)
                return .sendLast(next.flatMap(\.messages))
            }
        case .summing(let rounds):
            if let signatures = try finish(rounds) { return .finish(signatures) }
        case .closed:
            break
        }
        state = before
        return .wait
    }

    /// Every item's share, or nil while a commitment is missing.
    private mutating func sign(
        _ rounds: [SecretBox<SchnorrCommitRound<Scheme>>]
    ) throws(Abort) -> [SchnorrSumRound<Scheme>]? {
        var inputs: [[ParticipantIndex: [UInt8]]] = []
        for item in 0..<UInt16(itemCount) {
            guard let input = mailbox.broadcasts(round: 1, item: item, from: quorum.others) else {
                return nil
            }
            inputs.append(input)
        }
        mailbox.drop(through: 1)
        var next: [SchnorrSumRound<Scheme>] = []
        for (box, input) in zip(rounds, inputs) {
            guard let round = box.take() else { preconditionFailure("a round is taken once") }
            next.append(try round.sign(input, share))
        }
        return next
    }

    private func finish(_ rounds: [SchnorrSumRound<Scheme>]) throws(Abort) -> [[UInt8]]? {
        var signatures: [[UInt8]] = []
        for (item, round) in rounds.enumerated() {
            guard
                let whispers = mailbox.whispers(
                    round: 2, item: UInt16(item), from: quorum.others)
            else { return nil }
            signatures.append(try round.finish(whispers: whispers))
        }
        return signatures
    }
}
