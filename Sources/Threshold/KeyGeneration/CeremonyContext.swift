import Algebra
import Canonical
import KeyGroups

/// What all rounds of one key ceremony know. Participants are called by their seats; what is hashed
/// or computed has their places: a dealer's on the source's polynomials, a receiver's on the new.
struct CeremonyContext<Scheme: KeyScheme>: Sendable {
    let run: RunID
    let plan: SharingPlan
    /// The key that is shared anew; nil if a new one is made.
    let source: SharedKey<Scheme>?
    let quorum: Quorum
    /// Places by seat.
    let dealers: [ParticipantIndex: ParticipantIndex]
    let receivers: [ParticipantIndex: ParticipantIndex]

    /// Nil if we are no participant, or the source does not fit the plan.
    init?(run: RunID, plan: SharingPlan, me: ParticipantIndex, source: SharedKey<Scheme>?) {
        guard let quorum = Quorum(me: me, members: plan.participants.indices),
            (plan.source == nil) == (source == nil)
        else { return nil }
        let dealers = plan.places(in: plan.dealers)
        if let source {
            guard dealers.count == source.threshold.required,
                dealers.values.allSatisfy({ source.verifyingShares[$0] != nil })
            else { return nil }
        }
        self.run = run
        self.plan = plan
        self.source = source
        self.quorum = quorum
        self.dealers = dealers
        receivers = plan.places(in: plan.holders)
    }

    var threshold: SigningThreshold { plan.threshold }
    /// Whether the receivers make the setups of their multiplications: recovery groups never sign.
    var makesSetups: Bool { Scheme.multiplies && plan.kind != .recovery }
    /// Our place as a dealer, as a receiver; nil if we are none.
    var ownDealing: ParticipantIndex? { dealers[quorum.me] }
    var ownPlace: ParticipantIndex? { receivers[quorum.me] }
    /// Seats, ascending by place.
    var dealerSeats: [ParticipantIndex] { dealers.sorted { $0.value < $1.value }.map(\.key) }
    var otherDealers: [ParticipantIndex] { dealerSeats.filter { $0 != quorum.me } }
    /// With whom we make setups.
    var setupPeers: [ParticipantIndex] {
        guard makesSetups, ownPlace != nil else { return [] }
        return quorum.others.filter { receivers[$0] != nil }
    }
    /// Who whispers to us in round 2: dealers our share, other receivers their base transfer.
    var whisperers: [ParticipantIndex] {
        guard ownPlace != nil else { return [] }
        return quorum.others.filter { dealers[$0] != nil || setupPeers.contains($0) }
    }

    /// λᵢ over the dealers: by what each multiplies its share of the source.
    func lagrange(_ place: ParticipantIndex) -> Scheme.Group.Scalar {
        Sharing<Scheme.Group>.lagrange(place, in: Array(dealers.values))
    }

    func commitment(
        of place: ParticipantIndex, _ opening: DealerOpening<Scheme.Group>
    ) -> Digest {
        var transcript = Transcript(Tag.dealerCommitment)
        transcript.append(run)
        transcript.append(u8: place.raw)
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
        for seat in dealerSeats {
            guard let place = dealers[seat], let digest = sent[seat] else { continue }
            transcript.append([place.raw] + digest.bytes)
        }
        return transcript.digest()
    }

    /// A new key's chain code, of all dealers' parts; a key that exists keeps its own.
    func chainCode(_ parts: [ParticipantIndex: [UInt8]]) -> [UInt8] {
        if let source { return source.chainCode }
        var transcript = Transcript(Tag.chainCode)
        transcript.append(run)
        for seat in dealerSeats { transcript.append(parts[seat] ?? []) }
        return transcript.digest().bytes
    }
}

/// What a dealer commits to in round 1 and opens in round 2.
struct DealerOpening<Group: PrimeGroup> {
    /// A₀…, compressed: as many as must sign.
    let commitments: [[UInt8]]
    let proof: ProofOfPossession<Group>
    /// The dealer's part of a new chain code; empty where a key is shared anew.
    let chainCode: [UInt8]
    let blinder: [UInt8]

    var bytes: [UInt8] {
        commitments.flatMap { $0 } + proof.nonce + proof.response + chainCode + blinder
    }

    init(
        commitments: [[UInt8]], proof: ProofOfPossession<Group>, chainCode: [UInt8],
        blinder: [UInt8]
    ) {
        self.commitments = commitments
        self.proof = proof
        self.chainCode = chainCode
        self.blinder = blinder
    }

    static func byteCount(_ threshold: SigningThreshold, isNew: Bool) -> Int {
        threshold.required * Group.pointBytes + ProofOfPossession<Group>.byteCount
            + (isNew ? 32 : 0) + 32
    }

    /// Splits `byteCount` bytes; what they mean is checked later.
    init(
        _ bytes: ArraySlice<UInt8>, _ threshold: SigningThreshold, isNew: Bool
    ) throws(MalformedBytes) {
        var reader = ByteReader(bytes)
        var commitments: [[UInt8]] = []
        for _ in 0..<threshold.required {
            commitments.append(Array(try reader.take(Group.pointBytes)))
        }
        self.commitments = commitments
        proof = ProofOfPossession(
            nonce: Array(try reader.take(Group.pointBytes)),
            response: Array(try reader.take(Group.Scalar.byteCount)))
        chainCode = Array(try reader.take(isNew ? 32 : 0))
        blinder = Array(try reader.take(32))
        try reader.finish()
    }
}
