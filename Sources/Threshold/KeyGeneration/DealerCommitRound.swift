import Algebra
import Canonical
import KeyGroups

/// A key ceremony, round 1: each dealer commits to a polynomial, a proof that its constant is
/// known, and a part of a new key's chain code; everyone draws all that later rounds need.
///
/// Specification section 3.2; worked through in docs/protocols/key-generation.md.
struct DealerCommitRound<Scheme: KeyScheme>: ~Copyable {
    /// What a dealer deals.
    struct Dealing {
        let polynomial: SecretBox<SecretPolynomial<Scheme.Group>>
        let opening: DealerOpening<Scheme.Group>
        let commitment: Digest
    }

    let context: CeremonyContext<Scheme>
    private let dealing: Dealing?
    private let setups: [ParticipantIndex: PairSetupsInMaking]

    /// - Parameter constant: λᵢ·xᵢ of a dealer whose key is shared anew; else nil.
    /// - Throws: `.wrongQuorum` if the constant is zero.
    init(
        _ context: CeremonyContext<Scheme>, constant: consuming Scheme.Group.SecretScalar?,
        random: inout some RandomSource & ~Copyable
    ) throws(Abort) {
        self.context = context
        if let place = context.ownDealing {
            dealing = try Self.deal(context, place, constant, random: &random)
        } else {
            dealing = nil
        }
        setups = PairSetupsInMaking.all(
            run: context.run, me: context.quorum.me, places: context.receivers,
            peers: context.setupPeers, random: &random)
    }

    private static func deal(
        _ context: CeremonyContext<Scheme>, _ place: ParticipantIndex,
        _ constant: consuming Scheme.Group.SecretScalar?,
        random: inout some RandomSource & ~Copyable
    ) throws(Abort) -> Dealing {
        let polynomial = SecretPolynomial<Scheme.Group>(
            degree: context.threshold.required - 1, constant: constant, random: &random)
        guard let commitments = polynomial.commitments() else { throw Abort(.wrongQuorum) }
        let nonce = Scheme.Group.SecretScalar(random: &random)
        let proof = polynomial.withConstant {
            ProofOfPossession<Scheme.Group>(
                of: $0, publicPart: commitments[0], run: context.run, index: place, nonce: nonce)
        }
        let chainCode = context.source == nil ? random.bytes(32) : []
        let opening = DealerOpening(
            commitments: commitments.map(\.compressed), proof: proof, chainCode: chainCode,
            blinder: random.bytes(32))
        return Dealing(
            polynomial: SecretBox(polynomial), opening: opening,
            commitment: context.commitment(of: place, opening))
    }

    var messages: [RoundMessage] {
        guard let dealing else { return [] }
        return [RoundMessage(round: 1, context.quorum.me, .broadcast(dealing.commitment.bytes))]
    }

    /// Opens our commitment to all; gives each receiver its share and begins its pair setup.
    consuming func open(
        _ broadcasts: [ParticipantIndex: [UInt8]]
    ) throws(Abort) -> Advance<DealRound<Scheme>> {
        let me = context.quorum.me
        var commitments = dealing.map { [me: $0.commitment] } ?? [:]
        for dealer in context.otherDealers {
            guard let bytes = broadcasts[dealer], let commitment = Digest(bytes) else {
                throw Abort(.malformedMessage, by: dealer)
            }
            commitments[dealer] = commitment
        }
        let echo = context.echo(Tag.commitmentEcho, commitments)
        var messages: [RoundMessage] = []
        let body = dealing.map { echo.bytes + $0.opening.bytes }
        if let body { messages.append(RoundMessage(round: 2, me, .broadcast(body))) }
        for peer in context.quorum.others {
            if let whisper = whisper(to: peer) {
                messages.append(RoundMessage(round: 2, peer, .whispered(SecretBox(whisper))))
            }
        }
        let ownShare = context.ownPlace.flatMap { place in
            dealing?.polynomial.with { SecretBox($0.share(for: place)) }
        }
        let next = DealRound(
            context: context, ownShare: ownShare, ownBody: body, commitments: commitments,
            echo: echo, setups: setups)
        return Advance(round: next, messages: messages)
    }

    /// The share of a receiver, if we deal, and our base transfer, if the two make setups.
    private borrowing func whisper(to peer: ParticipantIndex) -> SecretBytes? {
        guard let place = context.receivers[peer] else { return nil }
        let share = dealing.map { dealing in
            dealing.polynomial.with { SecretBox($0.share(for: place).encoded()) }
        }
        let first = setups[peer]?.alice.with { $0.message } ?? []
        let shareBytes = share == nil ? 0 : Scheme.Group.Scalar.byteCount
        guard shareBytes + first.count > 0 else { return nil }
        var whisper = SecretBytes(count: shareBytes + first.count)
        if let share { share.with { whisper.replace(at: 0, with: $0) } }
        if !first.isEmpty { whisper.replace(at: shareBytes, with: first) }
        return whisper
    }
}

/// Both setups of one pair while they are made: ours as Alice and ours as Bob.
struct PairSetupsInMaking {
    let alice: SecretBox<PairSetup.Alice>
    let bob: SecretBox<PairSetup.Bob>

    /// Draws for the ordered pairs ascending by Alice's place, then by Bob's, those that we are
    /// part of: so the draws with one peer are apart from each other.
    ///
    /// - Parameter peers: the seats with which we make setups.
    static func all(
        run: RunID, me: ParticipantIndex, places: [ParticipantIndex: ParticipantIndex],
        peers: [ParticipantIndex], random: inout some RandomSource & ~Copyable
    ) -> [ParticipantIndex: PairSetupsInMaking] {
        guard !peers.isEmpty, let mine = places[me] else { return [:] }
        var alices: [ParticipantIndex: SecretBox<PairSetup.Alice>] = [:]
        var bobs: [ParticipantIndex: SecretBox<PairSetup.Bob>] = [:]
        let seats = (peers + [me]).sorted { places[$0] ?? $0 < places[$1] ?? $1 }
        for alice in seats {
            for bob in seats where bob != alice {
                if alice == me, let place = places[bob] {
                    alices[bob] = SecretBox(
                        PairSetup.Alice(run: run, me: mine, bob: place, random: &random))
                } else if bob == me, let place = places[alice] {
                    bobs[alice] = SecretBox(
                        PairSetup.Bob(run: run, alice: place, me: mine, random: &random))
                }
            }
        }
        var setups: [ParticipantIndex: PairSetupsInMaking] = [:]
        for peer in peers {
            guard let alice = alices[peer], let bob = bobs[peer] else {
                preconditionFailure("each pair draws once in each direction")
            }
            setups[peer] = PairSetupsInMaking(alice: alice, bob: bob)
        }
        return setups
    }
}
