import Algebra
import Canonical
import KeyGroups

/// Signing with setups that are made for this one run: rounds 1 and 2 make them, one for each
/// ordered pair, and rounds 3 to 5 are those of `Signing`.
///
/// Nothing that two holders share outlives the run, so a check that fails has told its cheater
/// nothing of use later: it discards the setup in place of banning. That costs two rounds and
/// about as much as a key generation (specification section 5.9).
public struct FreshSigning: ~Copyable {
    public static let rounds: ClosedRange<UInt8> = 1...5
    /// How far the rounds of `Signing` are moved.
    private static let shift: UInt8 = 2

    private enum State {
        case offering([ParticipantIndex: PairSetupsInMaking], sent: Bool)
        case answering(
            alices: [ParticipantIndex: SecretBox<PairSetup.Alice>],
            bobs: [ParticipantIndex: SecretBox<BobSetup>])
        case signing
        case closed
    }

    private var state: State
    private var signing: Signing?
    private var mailbox = Mailbox()
    private let share: SecretBox<KeyShare<ECDSA>>
    private let zeroSeeds: [ParticipantIndex: SecretBox<SecretBytes>]
    private let run: SecretBox<ClaimedRun>
    private let items: [SigningItem]
    private let quorum: Quorum
    /// What came for the rounds of signing before they began: of a peer that was faster.
    private var early: [RoundMessage] = []

    /// - Parameters:
    ///   - run: the claimed name of this run.
    ///   - members: exactly as many holders as must sign, us among them.
    ///   - zeroSeeds: this run's k_ij with each other member, 32 bytes.
    /// - Throws: `.wrongQuorum` as `Signing` does.
    public init(
        _ run: consuming ClaimedRun, items: [SigningItem], members: [ParticipantIndex],
        share: consuming KeyShare<ECDSA>, zeroSeeds: [ParticipantIndex: SecretBox<SecretBytes>],
        random: inout some RandomSource & ~Copyable
    ) throws(Abort) {
        guard let quorum = Quorum(me: share.me, members: members),
            members.count == share.key.threshold.required,
            members.allSatisfy({ share.key.verifyingShares[$0] != nil }),
            quorum.others.allSatisfy({ zeroSeeds[$0] != nil }),
            (1...SigningItem.most).contains(items.count)
        else { throw Abort(.wrongQuorum) }
        let places = Dictionary(uniqueKeysWithValues: quorum.members.map { ($0, $0) })
        let setups = PairSetupsInMaking.all(
            run: run.id, me: quorum.me, places: places, peers: quorum.others, random: &random)
        state = .offering(setups, sent: false)
        self.run = SecretBox(run)
        self.share = SecretBox(share)
        self.zeroSeeds = zeroSeeds
        self.items = items
        self.quorum = quorum
    }

    /// Keeps a message until its round comes. What is for no round or item of this run is dropped.
    public mutating func receive(_ message: RoundMessage) {
        guard Self.rounds.contains(message.round), message.item < items.count,
            quorum.others.contains(message.participant)
        else { return }
        guard message.round > Self.shift else {
            if message.item == 0 { mailbox.put(message) }
            return
        }
        let moved = message.moved(to: message.round - Self.shift)
        if signing == nil { early.append(moved) } else { signing?.receive(moved) }
    }

    /// Whose messages the current round still lacks.
    public var waitingFor: [ParticipantIndex] {
        switch state {
        case .offering:
            mailbox.missing(round: 1, items: 1, broadcasts: [], whispers: quorum.others)
        case .answering:
            mailbox.missing(round: 2, items: 1, broadcasts: [], whispers: quorum.others)
        case .signing:
            switch signing {
            case .some(let signing): signing.waitingFor
            case nil: []
            }
        case .closed: []
        }
    }

    public mutating func next() throws(Abort) -> Step<[ECDSASignature]> {
        let before = state
        state = .closed  // an `Abort` leaves the run closed
        switch before {
        case .offering(let setups, sent: false):
            state = .offering(setups, sent: true)
            return .send(
                quorum.others.compactMap { peer in
                    setups[peer].map {
                        .whisper(round: 1, to: peer, $0.alice.with { $0.message })
                    }
                })
        case .offering(let setups, sent: true):
            return try answer(setups)
        case .answering(let alices, let bobs):
            guard let whispers = mailbox.whispers(round: 2, item: 0, from: quorum.others) else {
                state = .answering(alices: alices, bobs: bobs)
                return .wait
            }
            try begin(alices, bobs, whispers)
            return try sign()
        case .signing:
            return try sign()
        case .closed:
            return .wait
        }
    }

    private mutating func answer(
        _ setups: [ParticipantIndex: PairSetupsInMaking]
    ) throws(Abort) -> Step<[ECDSASignature]> {
        guard let whispers = mailbox.whispers(round: 1, item: 0, from: quorum.others) else {
            state = .offering(setups, sent: true)
            return .wait
        }
        var bobs: [ParticipantIndex: SecretBox<BobSetup>] = [:]
        var messages: [RoundMessage] = []
        for peer in quorum.others {
            guard let bob = setups[peer]?.bob.take(), let first = whispers[peer] else {
                preconditionFailure("each pair has its setup")
            }
            let bytes = first.with { $0.withBytes { Array($0) } }
            let (setup, answer) = try bob.answered(bytes, to: peer)
            bobs[peer] = setup
            messages.append(.whisper(round: 2, to: peer, answer))
        }
        state = .answering(alices: setups.mapValues(\.alice), bobs: bobs)
        return .send(messages)
    }

    /// Finishes the setups, and begins to sign with a share that has no others.
    private mutating func begin(
        _ alices: [ParticipantIndex: SecretBox<PairSetup.Alice>],
        _ bobs: [ParticipantIndex: SecretBox<BobSetup>],
        _ whispers: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws(Abort) {
        var pairs: [ParticipantIndex: PairSecrets] = [:]
        for peer in quorum.others {
            guard let alice = alices[peer]?.take(), let bob = bobs[peer]?.take(),
                let seed = zeroSeeds[peer]?.take(), let whisper = whispers[peer]
            else { preconditionFailure("each pair has its setup and its seed") }
            let answer = whisper.with { $0.withBytes { Array($0) } }
            pairs[peer] = try PairSecrets.made(alice, bob, seed, answer, with: peer)
        }
        mailbox.drop(through: 2)
        guard let share = share.take(), let run = run.take() else {
            preconditionFailure("a run signs once")
        }
        var random = HedgedRandom(
            secret: share.hedge(), context: run.id.bytes + items.flatMap(\.digest.bytes))
        var signing = try Signing(
            run, items: items, members: quorum.members, share: share.with(pairs: pairs),
            random: &random)
        for message in early { signing.receive(message) }
        early = []
        self.signing = consume signing
    }

    private mutating func sign() throws(Abort) -> Step<[ECDSASignature]> {
        let step: Step<[ECDSASignature]>
        do throws(Abort) {
            step = try signing?.next() ?? .wait
        } catch {
            signing = nil
            throw error.ofFreshSetups
        }
        state = .signing
        func moved(_ messages: [RoundMessage]) -> [RoundMessage] {
            messages.map { $0.moved(to: $0.round + Self.shift) }
        }
        return switch step {
        case .wait: .wait
        case .send(let messages): .send(moved(messages))
        case .sendLast(let messages): .sendLast(moved(messages))
        case .finish(let signatures): .finish(signatures)
        }
    }
}
