import Algebra
import Canonical
import KeyGroups

/// A key ceremony, round 2: check every dealer's opening and share, answer the pair setups, and
/// echo what was opened.
struct DealRound<Scheme: KeyScheme>: ~Copyable {
    typealias Openings = [ParticipantIndex: (DealerOpening<Scheme.Group>, [Scheme.Group.Point])]

    let context: CeremonyContext<Scheme>
    /// What we deal to ourselves.
    let ownShare: SecretBox<Scheme.Group.SecretScalar>?
    let ownBody: [UInt8]?
    /// By seat, as all that follow.
    let commitments: [ParticipantIndex: Digest]
    let echo: Digest
    let setups: [ParticipantIndex: PairSetupsInMaking]

    /// - Throws: in this order, for all dealers before the next: wrong length (blame), echo
    ///   mismatch (nobody); then dealer by dealer opening, proof, constant and share (blame), and
    ///   the base transfer (the setup is discarded).
    consuming func deal(
        broadcasts: [ParticipantIndex: [UInt8]],
        whispers: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws(Abort) -> Advance<EchoRound<Scheme>> {
        let me = context.quorum.me
        var bodies = broadcasts
        bodies[me] = ownBody
        let openings = try checkedOpenings(bodies)
        let secret = try share(openings, whispers)
        let key = try sharedKey(openings)
        var messages: [RoundMessage] = []
        var alices: [ParticipantIndex: SecretBox<PairSetup.Alice>] = [:]
        var bobs: [ParticipantIndex: SecretBox<BobSetup>] = [:]
        for peer in context.setupPeers {
            guard let setup = setups[peer], let ownSide = setup.bob.take() else {
                preconditionFailure("each pair has its setup")
            }
            let (bob, answer) = try ownSide.answered(first(of: peer, whispers), to: peer)
            alices[peer] = setup.alice
            bobs[peer] = bob
            messages.append(.whisper(round: 3, to: peer, answer))
        }
        let digests = bodies.mapValues { body in
            var transcript = Transcript(Tag.openingDigest)
            transcript.append(body)
            return transcript.digest()
        }
        let echo = context.echo(Tag.openingEcho, digests)
        messages.append(RoundMessage(round: 3, me, .broadcast(echo.bytes)))
        let next = EchoRound(
            context: context, key: key, secret: secret, echo: echo, alices: alices, bobs: bobs)
        return Advance(round: next, messages: messages)
    }

    /// How many bytes of a peer's whisper are our share.
    private borrowing func shareBytes(from peer: ParticipantIndex) -> Int {
        context.dealers[peer] == nil ? 0 : Scheme.Group.Scalar.byteCount
    }

    /// The peer's base transfer, which follows the share.
    private borrowing func first(
        of peer: ParticipantIndex, _ whispers: [ParticipantIndex: SecretBox<SecretBytes>]
    ) -> [UInt8] {
        let skipped = shareBytes(from: peer)
        return whispers[peer]?.with { $0.withBytes { Array($0.dropFirst(skipped)) } } ?? []
    }

    /// Every dealer's opening with its points, our own included.
    private borrowing func checkedOpenings(
        _ bodies: [ParticipantIndex: [UInt8]]
    ) throws(Abort) -> Openings {
        let (seats, isNew) = (context.dealerSeats, context.source == nil)
        let size =
            Digest.byteCount
            + DealerOpening<Scheme.Group>.byteCount(context.threshold, isNew: isNew)
        for dealer in seats where bodies[dealer]?.count != size {
            throw Abort(.malformedMessage, by: dealer)
        }
        for body in bodies.values {
            guard body.prefix(Digest.byteCount).elementsEqual(echo.bytes) else {
                throw Abort(.echoMismatch)
            }
        }
        var openings: Openings = [:]
        for dealer in seats {
            do throws(Abort.Reason) {
                openings[dealer] = try checkedOpening(
                    bodies[dealer, default: []].dropFirst(Digest.byteCount), dealer, isNew: isNew)
            } catch {
                throw Abort(error, by: dealer)
            }
        }
        return openings
    }

    private borrowing func checkedOpening(
        _ bytes: ArraySlice<UInt8>, _ dealer: ParticipantIndex, isNew: Bool
    ) throws(Abort.Reason) -> (DealerOpening<Scheme.Group>, [Scheme.Group.Point]) {
        guard let place = context.dealers[dealer],
            let opening = try? DealerOpening<Scheme.Group>(
                bytes, context.threshold, isNew: isNew)
        else { throw .malformedMessage }
        guard context.commitment(of: place, opening) == commitments[dealer] else {
            throw .openingContradictsCommitment
        }
        let points = opening.commitments.compactMap { Scheme.Group.Point(compressed: $0) }
        guard points.count == context.threshold.required else { throw .malformedMessage }
        guard try opening.proof.proves(points[0], run: context.run, index: place) else {
            throw .proofOfPossession
        }
        if let source = context.source {
            let due = source.verifyingShares[place]?.variableTimeTimes(context.lagrange(place))
            guard points[0] == due else { throw .constantContradictsSource }
        }
        return (opening, points)
    }

    /// The sum of the shares dealt to us, each checked against its dealer's commitments; nil if we
    /// receive none.
    private borrowing func share(
        _ openings: Openings, _ whispers: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws(Abort) -> SecretBox<Scheme.Group.SecretScalar>? {
        guard let place = context.ownPlace else { return nil }
        var sum = Scheme.Group.SecretScalar(Scheme.Group.Scalar.zero)
        if let ownShare { sum = ownShare.with { $0.copy() } }
        for dealer in context.otherDealers {
            // What follows the share is looked at with the setup; where none is made, nothing may.
            guard let whisper = whispers[dealer], let dealt = whisper.with(Self.dealtShare),
                setups[dealer] != nil || first(of: dealer, whispers).isEmpty
            else {
                throw Abort(.malformedMessage, by: dealer)
            }
            guard let points = openings[dealer]?.1, let publicPart = dealt.timesGenerator(),
                publicPart == Sharing<Scheme.Group>.evaluate(points, at: place)
            else { throw Abort(.shareContradictsCommitment, by: dealer) }
            sum = sum + dealt
        }
        guard !sum.isZero else { throw Abort(.zeroShare) }
        return SecretBox(sum)
    }

    /// The first 32 bytes of a whisper, as the share that they must be.
    private static func dealtShare(
        _ whisper: borrowing SecretBytes
    ) -> Scheme.Group.SecretScalar? {
        let count = Scheme.Group.Scalar.byteCount
        guard whisper.count >= count else { return nil }
        return whisper.withBytes {
            Scheme.Group.SecretScalar(canonical: UnsafeRawBufferPointer(rebasing: $0[..<count]))
        }
    }

    /// The public side, computed by everyone from the same openings.
    private borrowing func sharedKey(_ openings: Openings) throws(Abort) -> SharedKey<Scheme> {
        var verifyingShares: [ParticipantIndex: Scheme.Group.Point] = [:]
        for place in context.receivers.values {
            let parts = openings.values.compactMap {
                Sharing<Scheme.Group>.evaluate($0.1, at: place)
            }
            guard parts.count == openings.count, let share = Scheme.Group.Point.sum(parts) else {
                throw Abort(.zeroShare)
            }
            verifyingShares[place] = share
        }
        let chainCode = context.chainCode(openings.mapValues { $0.0.chainCode })
        guard let publicKey = Scheme.Group.Point.sum(openings.values.map { $0.1[0] }),
            let key = SharedKey<Scheme>(
                threshold: context.threshold, publicKey: publicKey, chainCode: chainCode,
                verifyingShares: verifyingShares)
        else { throw Abort(.zeroShare) }
        if let source = context.source, source.publicKey != publicKey {
            throw Abort(.publicKeyMismatch)
        }
        return key
    }
}
