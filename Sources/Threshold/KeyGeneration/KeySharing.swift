import Algebra
import Canonical
import KeyGroups

/// A run that shares a key among the holders of a group, and makes the setups of every pair that
/// needs them: a new key, dealt by its holders, or one that exists, dealt anew by some of its
/// holders (refresh, a group made from another, recovery: specification section 3).
///
/// Commit, open, echo; who drives it then has every receiver certify the result
/// (`KeyCertificate`). Sans I/O, as `Signing`. Participants are called by their seats in the plan.
public struct KeySharing<Scheme: KeyScheme>: ~Copyable {
    public static var rounds: ClosedRange<UInt8> { 1...3 }

    private enum State {
        case committing(SecretBox<DealerCommitRound<Scheme>>, sent: Bool)
        case dealing(SecretBox<DealRound<Scheme>>)
        case echoing(SecretBox<EchoRound<Scheme>>)
        case closed
    }

    private var state: State
    private var mailbox = Mailbox()
    private let context: CeremonyContext<Scheme>
    private let zeroSeeds: [ParticipantIndex: SecretBox<SecretBytes>]

    /// - Parameters:
    ///   - me: our seat in the plan.
    ///   - source: the key that is shared anew, from its certificate; nil if a new one is made.
    ///   - share: our share of the source, if we deal it.
    ///   - zeroSeeds: k_ij with each other participant, by seat, agreed on outside (section 3.2).
    /// - Throws: `.wrongQuorum` if plan, source, share and seeds do not fit each other.
    public init(
        _ run: consuming ClaimedRun, plan: SharingPlan, me: ParticipantIndex,
        source: SharedKey<Scheme>?, share: consuming KeyShare<Scheme>?,
        zeroSeeds: [ParticipantIndex: SecretBox<SecretBytes>],
        random: inout some RandomSource & ~Copyable
    ) throws(Abort) {
        guard let context = CeremonyContext(run: run.id, plan: plan, me: me, source: source),
            context.setupPeers.allSatisfy({ zeroSeeds[$0] != nil })
        else { throw Abort(.wrongQuorum) }
        let constant = try Self.constant(context, share)
        let round = try DealerCommitRound(context, constant: constant, random: &random)
        state = .committing(SecretBox(round), sent: false)
        self.context = context
        self.zeroSeeds = zeroSeeds
    }

    /// λᵢ·xᵢ, if we deal a key that exists.
    private static func constant(
        _ context: CeremonyContext<Scheme>, _ share: consuming KeyShare<Scheme>?
    ) throws(Abort) -> Scheme.Group.SecretScalar? {
        guard let source = context.source, let place = context.ownDealing else { return nil }
        guard let share, share.me == place, share.key == source else { throw Abort(.wrongQuorum) }
        return share.secret * context.lagrange(place)
    }

    public mutating func receive(_ message: RoundMessage) {
        guard Self.rounds.contains(message.round), message.item == 0,
            context.quorum.others.contains(message.participant)
        else { return }
        mailbox.put(message)
    }

    /// The seats whose messages the current round still lacks.
    public var waitingFor: [ParticipantIndex] {
        switch state {
        case .committing:
            mailbox.missing(
                round: 1, items: 1, broadcasts: context.otherDealers, whispers: [])
        case .dealing:
            mailbox.missing(
                round: 2, items: 1, broadcasts: context.otherDealers,
                whispers: context.whisperers)
        case .echoing:
            mailbox.missing(
                round: 3, items: 1, broadcasts: context.quorum.others,
                whispers: context.setupPeers)
        case .closed: []
        }
    }

    public mutating func next() throws(Abort) -> Step<SecretBox<PendingKey<Scheme>>?> {
        let before = state
        state = .closed  // an `Abort` leaves the run closed
        switch before {
        case .committing(let round, sent: false):
            state = .committing(round, sent: true)
            return .send(round.with { $0.messages })
        case .committing(let box, sent: true):
            guard let inputs = mailbox.broadcasts(round: 1, item: 0, from: context.otherDealers)
            else { break }
            let advance = try Self.taken(box).open(inputs)
            let messages = advance.messages
            state = .dealing(SecretBox(advance.takeRound()))
            return .send(messages)
        case .dealing(let box):
            guard let (broadcasts, whispers) = inputs(2, context.otherDealers, context.whisperers)
            else { break }
            let advance = try Self.taken(box).deal(broadcasts: broadcasts, whispers: whispers)
            mailbox.drop(through: 2)
            let messages = advance.messages
            state = .echoing(SecretBox(advance.takeRound()))
            return .send(messages)
        case .echoing(let box):
            guard let (broadcasts, whispers) = inputs(3, context.quorum.others, context.setupPeers)
            else { break }
            return .finish(
                try Self.taken(box).finish(
                    broadcasts: broadcasts, whispers: whispers, zeroSeeds: zeroSeeds))
        case .closed:
            break
        }
        state = before
        return .wait
    }

    private static func taken<Round: ~Copyable>(_ box: SecretBox<Round>) -> Round {
        guard let round = box.take() else { preconditionFailure("a round is taken once") }
        return round
    }

    private func inputs(
        _ round: UInt8, _ senders: [ParticipantIndex], _ whisperers: [ParticipantIndex]
    ) -> ([ParticipantIndex: [UInt8]], [ParticipantIndex: SecretBox<SecretBytes>])? {
        guard let broadcasts = mailbox.broadcasts(round: round, item: 0, from: senders),
            let whispers = mailbox.whispers(round: round, item: 0, from: whisperers)
        else { return nil }
        return (broadcasts, whispers)
    }
}
