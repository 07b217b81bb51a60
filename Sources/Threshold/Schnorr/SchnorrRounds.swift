import Algebra
import Canonical
import KeyGroups

/// A message to be signed by a key below the root.
public struct SchnorrItem: Equatable, Sendable {
    /// Longest message, in bytes: 64 times a Solana transaction.
    public static let messageMost = 64 * 1232

    public let path: DerivationPath
    public let message: [UInt8]

    /// Nil of a message longer than `messageMost`.
    public init?(path: DerivationPath, message: [UInt8]) {
        guard message.count <= Self.messageMost else { return nil }
        (self.path, self.message) = (path, message)
    }
}

/// What both rounds of one item know.
struct SchnorrContext<Scheme: SchnorrScheme>: Sendable {
    typealias Group = Scheme.Group

    let run: RunID
    let number: UInt16
    let message: [UInt8]
    let quorum: Quorum
    let tweak: KeyTweak<Scheme>
    let verifyingShares: [ParticipantIndex: Group.Point]

    /// Nil where the path gives no key.
    init?(
        _ number: Int, _ item: SchnorrItem, of run: RunID, _ quorum: Quorum,
        _ key: SharedKey<Scheme>
    ) {
        guard let derived = DerivedKey(item.path, of: key), let tweak = Scheme.tweak(derived)
        else { return nil }
        var transcript = Transcript(Tag.signingItem)
        transcript.append(run)
        transcript.append(u16: UInt16(number))
        transcript.append(item.path.bytes)
        transcript.append(item.message)
        self.run = RunID(transcript.digest())
        self.number = UInt16(number)
        message = item.message
        self.quorum = quorum
        self.tweak = tweak
        verifyingShares = key.verifyingShares
    }

    func lagrange(_ index: ParticipantIndex) -> Group.Scalar {
        Sharing<Group>.lagrange(index, in: quorum.members)
    }

    /// hB: a hash of all commitments, by which all learn that all received the same.
    func commitmentsDigest(_ list: [UInt8]) -> Digest {
        var transcript = Transcript(Tag.frostCommitments)
        transcript.append(run)
        transcript.append(list)
        return transcript.digest()
    }
}

/// FROST, round 1 of 2: draw two nonces and commit to them (RFC 9591 section 5.1).
struct SchnorrCommitRound<Scheme: SchnorrScheme>: ~Copyable {
    typealias Group = Scheme.Group

    let context: SchnorrContext<Scheme>
    let hiding: Group.SecretScalar
    let binding: Group.SecretScalar
    let commitments: NonceCommitments<Group>

    /// Draws 32 bytes for each nonce; both are hashed with the share, so that a generator that
    /// repeats itself does not repeat them for two keys.
    init(
        _ context: SchnorrContext<Scheme>, _ share: borrowing KeyShare<Scheme>,
        random: inout some RandomSource & ~Copyable
    ) throws(Abort) {
        self.context = context
        hiding = Self.nonce(share, random: &random)
        binding = Self.nonce(share, random: &random)
        guard let hidingPoint = hiding.timesGenerator(), let bindingPoint = binding.timesGenerator()
        else { throw Abort(.identityNonce) }
        commitments = NonceCommitments(
            hiding: hidingPoint, encodedBinding: bindingPoint.compressed)
    }

    private static func nonce(
        _ share: borrowing KeyShare<Scheme>, random: inout some RandomSource & ~Copyable
    ) -> Group.SecretScalar {
        let secret = share.secret.encoded()
        var input = SecretBytes(count: 32 + secret.count)
        input.replace(at: 0, with: SecretBytes(count: 32, from: &random))
        input.replace(at: 32, with: secret)
        return Scheme.nonce(input)
    }

    /// An index as RFC 9591 hashes it.
    private static func identifier(_ index: ParticipantIndex) -> [UInt8] {
        let scalar: Group.Scalar = index.scalar()
        return scalar.bytes
    }

    var message: RoundMessage {
        RoundMessage(
            round: 1, item: context.number, context.quorum.me, .broadcast(commitments.bytes))
    }

    /// Our share of the signature, made once: the nonces end with it.
    ///
    /// - Throws: `.malformedMessage` naming whose commitments are none.
    consuming func sign(
        _ broadcasts: [ParticipantIndex: [UInt8]], _ share: borrowing KeyShare<Scheme>
    ) throws(Abort) -> SchnorrSumRound<Scheme> {
        let (quorum, me) = (context.quorum, context.quorum.me)
        var all = [me: commitments]
        for peer in quorum.others {
            guard let theirs = NonceCommitments<Group>(broadcasts[peer] ?? []) else {
                throw Abort(.malformedMessage, by: peer)
            }
            all[peer] = theirs
        }
        let list = quorum.members.flatMap { member in
            Self.identifier(member) + (all[member]?.bytes ?? [])
        }
        let key = context.tweak.publicKey
        let head =
            key.compressed + Scheme.messageHash(context.message) + Scheme.commitmentHash(list)
        var factors: [ParticipantIndex: Group.Scalar] = [:]
        for member in quorum.members {
            factors[member] = Scheme.bindingFactor(head + Self.identifier(member))
        }
        let own = hiding + binding * (factors[me] ?? .one)
        var nonces: [ParticipantIndex: Group.Point] = [:]
        nonces[me] = own.timesGenerator()
        for peer in quorum.others {
            guard let theirs = all[peer], let factor = factors[peer] else { continue }
            let bound = Group.Point.variableTimeTimes(factor, encoded: theirs.encodedBinding)
            guard let bound else { throw Abort(.malformedMessage, by: peer) }
            nonces[peer] = theirs.hiding + bound
        }
        guard nonces.count == quorum.members.count,
            let nonce = Group.Point.sum(quorum.members.compactMap { nonces[$0] })
        else { throw Abort(.identityNonce) }
        let challenge = Scheme.challenge(nonce, key, context.message)
        let factor = challenge * context.lagrange(me)
        let weighted = context.tweak.applied(to: share.secret) * factor
        let part = (Scheme.negates(nonce: nonce) ? weighted - own : weighted + own).published()
        return SchnorrSumRound(
            context: context, nonce: nonce, nonces: nonces, challenge: challenge,
            commitments: context.commitmentsDigest(list), part: part)
    }
}

/// D and E of one participant. E is looked at when it is multiplied.
struct NonceCommitments<Group: PrimeGroup> {
    let hiding: Group.Point
    let encodedBinding: [UInt8]

    init(hiding: Group.Point, encodedBinding: [UInt8]) {
        (self.hiding, self.encodedBinding) = (hiding, encodedBinding)
    }

    var bytes: [UInt8] { hiding.compressed + encodedBinding }

    /// Nil unless the bytes are as many as two points have, and the first is one.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == 2 * Group.pointBytes,
            let hiding = Group.Point(compressed: bytes.prefix(Group.pointBytes))
        else { return nil }
        self.init(hiding: hiding, encodedBinding: Array(bytes.suffix(Group.pointBytes)))
    }
}

/// FROST, round 2 of 2: exchange the shares of the signature, and sum them.
struct SchnorrSumRound<Scheme: SchnorrScheme>: Sendable {
    typealias Group = Scheme.Group

    static var messageBytes: Int { Digest.byteCount + Group.Scalar.byteCount }

    let context: SchnorrContext<Scheme>
    /// R.
    let nonce: Group.Point
    /// Each member's part of R.
    let nonces: [ParticipantIndex: Group.Point]
    let challenge: Group.Scalar
    let commitments: Digest
    /// zᵢ of ours.
    let part: Group.Scalar

    /// hB || zᵢ, sealed to each member.
    var messages: [RoundMessage] {
        context.quorum.others.map {
            .whisper(round: 2, item: context.number, to: $0, commitments.bytes + part.bytes)
        }
    }

    /// - Returns: R || z, 64 bytes.
    /// - Throws: wrong length or range (blame); then `.commitmentsDiffer`, before any share is
    ///   looked at (nobody: an equivocator would have honest members blamed); then, only if the
    ///   signature is none, `.signatureShare` naming all whose share is wrong.
    func finish(
        whispers: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws(Abort) -> [UInt8] {
        var parts = [context.quorum.me: part]
        var agree = true
        for peer in context.quorum.others {
            let bytes = whispers[peer]?.with { $0.withBytes { Array($0) } } ?? []
            guard bytes.count == Self.messageBytes,
                let theirs = Group.Scalar(canonical: bytes.suffix(Group.Scalar.byteCount))
            else { throw Abort(.malformedMessage, by: peer) }
            agree = agree && bytes.prefix(Digest.byteCount).elementsEqual(commitments.bytes)
            parts[peer] = theirs
        }
        guard agree else { throw Abort(.commitmentsDiffer) }
        let sum = parts.values.reduce(Group.Scalar.zero) { $0 + $1 }
        let signature = Scheme.encoded(nonce: nonce) + sum.bytes
        if Scheme.verifies(signature, of: context.message, under: context.tweak.publicKey) {
            return signature
        }
        let culprits = context.quorum.others.filter { !isGood(parts[$0] ?? .zero, of: $0) }
        throw culprits.isEmpty
            ? Abort(.invalidSignature) : Abort(.signatureShare, by: culprits)
    }

    /// Whether zᵢ·G = Dᵢ + ρᵢ·Eᵢ + c·λᵢ·Xᵢ, signs as the scheme has them.
    private func isGood(_ part: Group.Scalar, of member: ParticipantIndex) -> Bool {
        guard let nonce = nonces[member], let root = context.verifyingShares[member],
            let share = context.tweak.applied(to: root),
            let weighted = share.variableTimeTimes(challenge * context.lagrange(member)),
            let left = Group.SecretScalar(part).timesGenerator()
        else { return false }
        return left == (Scheme.negates(nonce: self.nonce) ? -nonce : nonce) + weighted
    }
}
