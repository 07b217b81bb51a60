import Algebra
import Canonical
import KeyGroups

/// What all rounds of one item know.
struct SigningContext: Sendable {
    let run: RunID
    let item: SigningItem
    let number: UInt16
    let quorum: Quorum
    let derived: DerivedKey<ECDSA>

    /// sid_k = H("sign/item", sid, k, path, digest): every hash below is bound to this item, since
    /// two answers under one name would give the key away (section 4.3).
    init(
        _ number: Int, _ item: SigningItem, of run: RunID, _ quorum: Quorum,
        derived: DerivedKey<ECDSA>
    ) {
        var transcript = Transcript(Tag.signingItem)
        transcript.append(run)
        transcript.append(u16: UInt16(number))
        transcript.append(item.path.bytes)
        transcript.append(item.digest)
        self.run = RunID(transcript.digest())
        self.item = item
        self.number = UInt16(number)
        self.quorum = quorum
        self.derived = derived
    }

    func commitment(of index: ParticipantIndex, nonce: [UInt8], blinder: [UInt8]) -> Digest {
        var transcript = Transcript(Tag.nonceCommitment)
        transcript.append(run)
        transcript.append(u8: index.raw)
        transcript.append(nonce)
        transcript.append(blinder)
        return transcript.digest()
    }

    /// tr = H("sign/tr1", sid, i || comᵢ of each member ascending).
    func transcript(_ commitments: [ParticipantIndex: Digest]) -> Digest {
        var transcript = Transcript(Tag.firstRound)
        transcript.append(run)
        for (index, commitment) in commitments.sorted(by: { $0.key < $1.key }) {
            transcript.append([index.raw] + commitment.bytes)
        }
        return transcript.digest()
    }

    func multiplication(
        _ setup: SetupID, alice: ParticipantIndex, bob: ParticipantIndex
    ) -> Digest {
        Multiplication.name(run, setup, alice: alice, bob: bob)
    }
}

/// Signing, round 1 of 3: commit to the nonce, and begin a multiplication with each other member.
///
/// DKLs23 protocol 3.6, step 1; worked through in docs/protocols/ecdsa-signing.md.
struct CommitRound: ~Copyable {
    let context: SigningContext
    private let nonce: SecretScalar
    private let nonceMask: SecretScalar
    private let blinder: [UInt8]
    private let noncePoint: Point
    private let multiplications: [ParticipantIndex: SecretBox<Multiplication.Bob>]
    private let checkValues: [ParticipantIndex: SecretBox<SecretScalar>]

    static let whisperBytes = SetupID.byteCount + TransferExtension.messageBytes

    /// Draws r, φ, the blinder, Bob's values for each member and Alice's check value for each.
    init(
        _ context: SigningContext, _ share: borrowing KeyShare<ECDSA>,
        random: inout some RandomSource & ~Copyable
    ) {
        self.context = context
        nonce = SecretScalar(random: &random)
        nonceMask = SecretScalar(random: &random)
        blinder = random.bytes(Transcript.digestBytes)
        guard let point = nonce.timesGenerator() else {
            preconditionFailure("a nonce is drawn from 1…n−1")
        }
        noncePoint = point
        var multiplications: [ParticipantIndex: SecretBox<Multiplication.Bob>] = [:]
        for peer in context.quorum.others {
            let setup = share.pair(peer)
            let name = context.multiplication(setup.bob.id, alice: peer, bob: context.quorum.me)
            multiplications[peer] = SecretBox(Multiplication.Bob(name, setup.bob, random: &random))
        }
        var checkValues: [ParticipantIndex: SecretBox<SecretScalar>] = [:]
        for peer in context.quorum.others {
            checkValues[peer] = SecretBox(SecretScalar(random: &random))
        }
        self.multiplications = multiplications
        self.checkValues = checkValues
    }

    var commitment: Digest {
        context.commitment(of: context.quorum.me, nonce: noncePoint.compressed, blinder: blinder)
    }

    /// The broadcast commitment, and for each member Bob's message under the setup it is for.
    func messages(_ share: borrowing KeyShare<ECDSA>) -> [RoundMessage] {
        var messages = [
            RoundMessage(
                round: 1, item: context.number, context.quorum.me, .broadcast(commitment.bytes))
        ]
        for peer in context.quorum.others {
            guard let multiplication = multiplications[peer] else { continue }
            let body = share.pair(peer).bob.id.bytes + multiplication.with { $0.message.bytes }
            messages.append(.whisper(round: 1, item: context.number, to: peer, body))
        }
        return messages
    }

    /// Answers every member's multiplication with our nonce and our additive share of the key.
    ///
    /// Lengths and setups of all members are looked at before any check that could ban.
    consuming func answer(
        commitments: [ParticipantIndex: [UInt8]],
        whispers: [ParticipantIndex: SecretBox<SecretBytes>], _ share: borrowing KeyShare<ECDSA>
    ) throws(Abort) -> Advance<MultiplyRound> {
        let (context, me) = (context, context.quorum.me)
        var seen = [me: commitment]
        var received: [ParticipantIndex: TransferExtension.Message] = [:]
        for peer in context.quorum.others {
            guard let bytes = commitments[peer], let commitment = Digest(bytes),
                let whisper = whispers[peer].map({ $0.with { $0.withBytes { Array($0) } } }),
                whisper.count == Self.whisperBytes,
                let message = TransferExtension.Message(Array(whisper.dropFirst(SetupID.byteCount)))
            else { throw Abort(.malformedMessage, by: peer) }
            seen[peer] = commitment
            guard whisper.prefix(SetupID.byteCount).elementsEqual(share.pair(peer).alice.id.bytes)
            else { throw Abort(.differentSetup) }
            received[peer] = message
        }
        let transcript = context.transcript(seen)
        let additive = share.additiveShare(context, transcript)
        guard let additivePoint = additive.timesGenerator() else { throw Abort(.publicKeyMismatch) }
        let opening = transcript.bytes + noncePoint.compressed + blinder + additivePoint.compressed
        var shares: [ParticipantIndex: SecretBox<Multiplication.Shares>] = [:]
        var messages: [RoundMessage] = []
        for peer in context.quorum.others {
            guard let message = received[peer], let check = checkValues[peer]?.take(),
                let factor = multiplications[peer]?.with({ $0.factor.copy() })
            else { preconditionFailure("every member has its multiplication") }
            let setup = share.pair(peer)
            let name = context.multiplication(setup.alice.id, alice: me, bob: peer)
            let inputs = Multiplication.Inputs(
                nonce: nonce.copy(), key: additive.copy(), check: check)
            let answered: Multiplication.Answered
            do throws(Abort.Reason) {
                answered = try Multiplication.answer(name, setup.alice, message, inputs: inputs)
            } catch {
                throw Abort(error, by: peer)
            }
            guard let first = answered.shares.nonce.timesGenerator(),
                let second = answered.shares.key.timesGenerator()
            else { throw Abort(.publicKeyMismatch) }
            let head =
                opening + first.compressed + second.compressed
                + (nonceMask - factor).published().bytes
            messages.append(
                RoundMessage(
                    round: 2, item: context.number, peer,
                    .whispered(SecretBox(MultiplyRound.whisper(head, answered.answer)))))
            shares[peer] = SecretBox(answered.takeShares())
        }
        let next = MultiplyRound(
            context: context, nonce: nonce, nonceMask: nonceMask, additive: additive,
            noncePoint: noncePoint, additivePoint: additivePoint, transcript: transcript,
            commitments: seen, multiplications: multiplications, shares: shares)
        return Advance(round: next, messages: messages)
    }
}

extension KeyShare<ECDSA> {
    borrowing func pair(_ peer: ParticipantIndex) -> PairSecrets {
        guard let pair = pairs[peer] else {
            preconditionFailure("a run's members have setups with us: Signing.init checks it")
        }
        return pair
    }

    /// skᵢ = λᵢ(S)·(xᵢ + δ) + ζᵢ, where the ζ of all members sum to zero and are bound to the
    /// transcript of round 1.
    borrowing func additiveShare(_ context: SigningContext, _ transcript: Digest) -> SecretScalar {
        let factor = Sharing<Secp256k1>.lagrange(me, in: context.quorum.members)
        var sum = (secret + context.derived.offset) * factor
        for peer in context.quorum.others {
            var hash = Transcript(Tag.zeroShare)
            hash.append(pair(peer).zeroSeed)
            hash.append(context.run)
            hash.append(transcript)
            let zero = hash.secretScalar()
            sum = me < peer ? sum + zero : sum - zero
        }
        return sum
    }
}
