import Algebra
import Canonical
import KeyGroups

/// What all rounds of one key generation know.
struct CeremonyContext: Sendable {
    let run: RunID
    let threshold: SigningThreshold
    let quorum: Quorum

    func commitment(of dealer: ParticipantIndex, _ opening: DealerOpening) -> Digest {
        var transcript = Transcript(Tag.dealerCommitment)
        transcript.append(run)
        transcript.append(u8: dealer.raw)
        for point in opening.commitments { transcript.append(point) }
        transcript.append(opening.proof.nonce)
        transcript.append(opening.proof.response)
        transcript.append(opening.chainCode)
        transcript.append(opening.blinder)
        return transcript.digest()
    }

    /// A hash over what every dealer sent, by which all learn that all received the same.
    func echo(_ tag: HashTag, _ sent: [ParticipantIndex: Digest]) -> Digest {
        var transcript = Transcript(tag)
        transcript.append(run)
        for (dealer, digest) in sent.sorted(by: { $0.key < $1.key }) {
            transcript.append([dealer.raw] + digest.bytes)
        }
        return transcript.digest()
    }

    func chainCode(_ contributions: [ParticipantIndex: [UInt8]]) -> [UInt8] {
        var transcript = Transcript(Tag.chainCode)
        transcript.append(run)
        for (_, contribution) in contributions.sorted(by: { $0.key < $1.key }) {
            transcript.append(contribution)
        }
        return transcript.digest().bytes
    }
}

/// What a dealer commits to in round 1 and opens in round 2.
struct DealerOpening {
    /// A₀…, compressed: as many as must sign.
    let commitments: [[UInt8]]
    let proof: ProofOfPossession
    let chainCode: [UInt8]
    let blinder: [UInt8]

    var bytes: [UInt8] {
        commitments.flatMap { $0 } + proof.nonce + proof.response + chainCode + blinder
    }

    init(
        commitments: [[UInt8]], proof: ProofOfPossession, chainCode: [UInt8], blinder: [UInt8]
    ) {
        self.commitments = commitments
        self.proof = proof
        self.chainCode = chainCode
        self.blinder = blinder
    }

    static func byteCount(_ threshold: SigningThreshold) -> Int {
        threshold.required * Point.byteCount + ProofOfPossession.byteCount + 32 + 32
    }

    /// Splits `byteCount` bytes; what they mean is checked later.
    init(_ bytes: ArraySlice<UInt8>, _ threshold: SigningThreshold) throws(MalformedBytes) {
        var reader = ByteReader(bytes)
        var commitments: [[UInt8]] = []
        for _ in 0..<threshold.required { commitments.append(Array(try reader.take(33))) }
        self.commitments = commitments
        proof = ProofOfPossession(
            nonce: Array(try reader.take(Point.byteCount)),
            response: Array(try reader.take(Scalar.byteCount)))
        chainCode = Array(try reader.take(32))
        blinder = Array(try reader.take(32))
        try reader.finish()
    }
}

/// Key generation, round 1: commit to a polynomial, a proof that its constant is known, and a
/// contribution to the chain code; and draw everything that the later rounds need.
///
/// Specification section 3.2; worked through in docs/protocols/key-generation.md.
struct DealerCommitRound: ~Copyable {
    let context: CeremonyContext
    private let polynomial: SecretPolynomial
    private let opening: DealerOpening
    private let setups: [ParticipantIndex: PairSetupsInMaking]

    init(_ context: CeremonyContext, random: inout some RandomSource & ~Copyable) {
        self.context = context
        let me = context.quorum.me
        polynomial = SecretPolynomial(degree: context.threshold.required - 1, random: &random)
        let commitments = polynomial.commitments()
        let nonce = SecretScalar(random: &random)
        let proof = polynomial.withConstant {
            ProofOfPossession(
                of: $0, publicPart: commitments[0], run: context.run, index: me, nonce: nonce)
        }
        opening = DealerOpening(
            commitments: commitments.map(\.compressed), proof: proof,
            chainCode: random.bytes(SharedKey.chainCodeBytes), blinder: random.bytes(32))
        setups = PairSetupsInMaking.all(context, random: &random)
    }

    var commitment: Digest { context.commitment(of: context.quorum.me, opening) }

    var messages: [RoundMessage] {
        [RoundMessage(round: 1, context.quorum.me, .broadcast(commitment.bytes))]
    }

    /// Opens our commitment to all; gives each holder its share and begins its pair setup.
    consuming func open(
        _ broadcasts: [ParticipantIndex: [UInt8]]
    ) throws(Abort) -> Advance<DealRound> {
        let me = context.quorum.me
        var commitments = [me: commitment]
        for peer in context.quorum.others {
            guard let bytes = broadcasts[peer], let commitment = Digest(bytes) else {
                throw Abort(.malformedMessage, by: peer)
            }
            commitments[peer] = commitment
        }
        let echo = context.echo(Tag.commitmentEcho, commitments)
        let body = echo.bytes + opening.bytes
        var messages = [RoundMessage(round: 2, me, .broadcast(body))]
        for peer in context.quorum.others {
            guard let setup = setups[peer] else { continue }
            let first = setup.alice.with { $0.message }
            var whisper = SecretBytes(count: Scalar.byteCount + first.count)
            whisper.replace(at: 0, with: polynomial.share(for: peer).encoded())
            whisper.replace(at: Scalar.byteCount, with: first)
            messages.append(RoundMessage(round: 2, peer, .whispered(SecretBox(whisper))))
        }
        let next = DealRound(
            context: context, ownShare: polynomial.share(for: me), ownBody: body,
            commitments: commitments, echo: echo, setups: setups)
        return Advance(round: next, messages: messages)
    }
}

/// Both setups of one pair while they are made: ours as Alice and ours as Bob.
struct PairSetupsInMaking {
    let alice: SecretBox<PairSetup.Alice>
    let bob: SecretBox<PairSetup.Bob>

    /// Draws for the ordered pairs ascending by Alice, then by Bob, those that we are part of: so
    /// the draws with one peer are apart from each other.
    static func all(
        _ context: CeremonyContext, random: inout some RandomSource & ~Copyable
    ) -> [ParticipantIndex: PairSetupsInMaking] {
        let me = context.quorum.me
        var alices: [ParticipantIndex: SecretBox<PairSetup.Alice>] = [:]
        var bobs: [ParticipantIndex: SecretBox<PairSetup.Bob>] = [:]
        for alice in context.quorum.members {
            for bob in context.quorum.members where bob != alice {
                if alice == me {
                    alices[bob] = SecretBox(
                        PairSetup.Alice(run: context.run, me: me, bob: bob, random: &random))
                } else if bob == me {
                    bobs[alice] = SecretBox(
                        PairSetup.Bob(run: context.run, alice: alice, me: me, random: &random))
                }
            }
        }
        var setups: [ParticipantIndex: PairSetupsInMaking] = [:]
        for peer in context.quorum.others {
            guard let alice = alices[peer], let bob = bobs[peer] else {
                preconditionFailure("each pair draws once in each direction")
            }
            setups[peer] = PairSetupsInMaking(alice: alice, bob: bob)
        }
        return setups
    }
}
