import Algebra
import Canonical
import KeyGroups

/// A run that makes a new key, shared among all its participants, and the setups of every pair.
///
/// Commit, open, echo; who drives it then has every holder certify the result (`KeyCertificate`).
/// Sans I/O, as `Signing`.
public struct KeyGeneration: ~Copyable {
    public static let rounds: ClosedRange<UInt8> = 1...3

    private enum State: ~Copyable {
        case committing(DealerCommitRound, sent: Bool)
        case dealing(DealRound)
        case echoing(EchoRound)
        case closed
    }

    private var state: State
    private var mailbox = Mailbox()
    private let quorum: Quorum
    private let zeroSeeds: [ParticipantIndex: SecretBox<SecretBytes>]

    /// - Parameters:
    ///   - holders: all indices of the group, ours among them.
    ///   - zeroSeeds: k_ij with each other holder, agreed on outside (section 3.2).
    /// - Throws: `.wrongQuorum` if holders, threshold and seeds do not fit each other.
    public init(
        _ run: consuming ClaimedRun, me: ParticipantIndex, holders: [ParticipantIndex],
        threshold: SigningThreshold, zeroSeeds: [ParticipantIndex: SecretBox<SecretBytes>],
        random: inout some RandomSource & ~Copyable
    ) throws(Abort) {
        guard let quorum = Quorum(me: me, members: holders), holders.count == threshold.holders,
            Set(zeroSeeds.keys) == Set(quorum.others)
        else { throw Abort(.wrongQuorum) }
        let context = CeremonyContext(run: run.id, threshold: threshold, quorum: quorum)
        state = .committing(DealerCommitRound(context, random: &random), sent: false)
        self.quorum = quorum
        self.zeroSeeds = zeroSeeds
    }

    public mutating func receive(_ message: RoundMessage) {
        guard Self.rounds.contains(message.round), message.item == 0,
            quorum.others.contains(message.participant)
        else { return }
        mailbox.put(message)
    }

    /// Whose messages the current round still lacks.
    public var waitingFor: [ParticipantIndex] {
        let round: UInt8
        switch state {
        case .committing:
            let come = mailbox.broadcasts(round: 1, item: 0, from: quorum.others)
            return come == nil ? quorum.others : []
        case .dealing: round = 2
        case .echoing: round = 3
        case .closed: return []
        }
        return mailbox.missing(round: round, items: 1, broadcast: true, from: quorum.others)
    }

    public mutating func next() throws(Abort) -> Step<SecretBox<PendingKey>> {
        var taken = State.closed
        swap(&taken, &state)  // an `Abort` leaves the run closed
        switch consume taken {
        case .committing(let round, sent: false):
            let messages = round.messages
            state = .committing(round, sent: true)
            return .send(messages)
        case .committing(let round, sent: true):
            guard let broadcasts = mailbox.broadcasts(round: 1, item: 0, from: quorum.others) else {
                state = .committing(round, sent: true)
                return .wait
            }
            let advance = try round.open(broadcasts)
            let messages = advance.messages
            state = .dealing(advance.takeRound())
            return .send(messages)
        case .dealing(let round):
            guard let (broadcasts, whispers) = inputs(of: 2) else {
                state = .dealing(round)
                return .wait
            }
            let advance = try round.deal(broadcasts: broadcasts, whispers: whispers)
            mailbox.drop(through: 2)
            let messages = advance.messages
            state = .echoing(advance.takeRound())
            return .send(messages)
        case .echoing(let round):
            guard let (broadcasts, whispers) = inputs(of: 3) else {
                state = .echoing(round)
                return .wait
            }
            return .finish(
                SecretBox(
                    try round.finish(
                        broadcasts: broadcasts, whispers: whispers, zeroSeeds: zeroSeeds)))
        case .closed:
            return .wait
        }
    }

    private func inputs(
        of round: UInt8
    ) -> ([ParticipantIndex: [UInt8]], [ParticipantIndex: SecretBox<SecretBytes>])? {
        guard let broadcasts = mailbox.broadcasts(round: round, item: 0, from: quorum.others),
            let whispers = mailbox.whispers(round: round, item: 0, from: quorum.others)
        else { return nil }
        return (broadcasts, whispers)
    }
}
