import Algebra
import Canonical
import KeyGroups

/// Key generation, round 2: check every dealer's opening and share, answer its pair setup, and echo
/// what was opened.
struct DealRound: ~Copyable {
    let context: CeremonyContext
    let ownShare: SecretScalar
    let ownBody: [UInt8]
    let commitments: [ParticipantIndex: Digest]
    let echo: Digest
    let setups: [ParticipantIndex: PairSetupsInMaking]

    /// - Throws: in this order, for all dealers before the next: wrong length (blame), echo
    ///   mismatch (nobody); then dealer by dealer opening, proof and share (blame), and the base
    ///   transfer (the setup is discarded).
    consuming func deal(
        broadcasts: [ParticipantIndex: [UInt8]],
        whispers: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws(Abort) -> Advance<EchoRound> {
        let (context, me) = (context, context.quorum.me)
        var bodies = broadcasts
        bodies[me] = ownBody
        let openings = try checkedOpenings(bodies)
        let secret = try share(openings, whispers)
        let key = try sharedKey(openings)
        var messages: [RoundMessage] = []
        var alices: [ParticipantIndex: SecretBox<PairSetup.Alice>] = [:]
        var bobs: [ParticipantIndex: SecretBox<BobSetup>] = [:]
        for peer in context.quorum.others {
            guard let setup = setups[peer], let ownSide = setup.bob.take() else {
                preconditionFailure("each pair has its setup")
            }
            let first = whispers[peer]?.with { $0.withBytes { Array($0.dropFirst(32)) } } ?? []
            let (bob, answer) = try Self.answer(ownSide, first, peer)
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

    private static func answer(
        _ bob: consuming PairSetup.Bob, _ first: [UInt8], _ peer: ParticipantIndex
    ) throws(Abort) -> (SecretBox<BobSetup>, [UInt8]) {
        do throws(Abort.Reason) {
            let answered = try bob.answer(first)
            let message = answered.message
            return (SecretBox(answered.takeSetup()), message)
        } catch {
            throw Abort(error, by: peer)
        }
    }

    /// Every dealer's opening with its points, own included.
    private borrowing func checkedOpenings(
        _ bodies: [ParticipantIndex: [UInt8]]
    ) throws(Abort) -> [ParticipantIndex: (DealerOpening, [Point])] {
        let size = Digest.byteCount + DealerOpening.byteCount(context.threshold)
        for dealer in context.quorum.members where bodies[dealer]?.count != size {
            throw Abort(.malformedMessage, by: dealer)
        }
        for body in bodies.values {
            guard body.prefix(Digest.byteCount).elementsEqual(echo.bytes) else {
                throw Abort(.echoMismatch)
            }
        }
        var openings: [ParticipantIndex: (DealerOpening, [Point])] = [:]
        for dealer in context.quorum.members {
            let opening: DealerOpening
            do throws(MalformedBytes) {
                opening = try DealerOpening(
                    bodies[dealer, default: []].dropFirst(Digest.byteCount), context.threshold)
            } catch {
                throw Abort(.malformedMessage, by: dealer)
            }
            guard context.commitment(of: dealer, opening) == commitments[dealer] else {
                throw Abort(.openingContradictsCommitment, by: dealer)
            }
            let points = opening.commitments.compactMap { Point(compressed: $0) }
            guard points.count == context.threshold.required else {
                throw Abort(.malformedMessage, by: dealer)
            }
            guard try opening.proof.proves(points[0], run: context.run, index: dealer) else {
                throw Abort(.proofOfPossession, by: dealer)
            }
            openings[dealer] = (opening, points)
        }
        return openings
    }

    /// The sum of the shares dealt to us, each checked against its dealer's commitments.
    private borrowing func share(
        _ openings: [ParticipantIndex: (DealerOpening, [Point])],
        _ whispers: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws(Abort) -> SecretScalar {
        var sum = ownShare.copy()
        for dealer in context.quorum.others {
            guard let whisper = whispers[dealer], let dealt = whisper.with(Self.dealtShare) else {
                throw Abort(.malformedMessage, by: dealer)
            }
            guard let points = openings[dealer]?.1, let publicPart = dealt.timesGenerator(),
                publicPart == Sharing.evaluate(points, at: context.quorum.me)
            else { throw Abort(.shareContradictsCommitment, by: dealer) }
            sum = sum + dealt
        }
        guard !sum.isZero else { throw Abort(.zeroShare) }
        return sum
    }

    /// The first 32 bytes of a whisper, as the share that they must be.
    private static func dealtShare(_ whisper: borrowing SecretBytes) -> SecretScalar? {
        guard whisper.count >= Scalar.byteCount else { return nil }
        return whisper.withBytes {
            SecretScalar(canonical: UnsafeRawBufferPointer(rebasing: $0[..<Scalar.byteCount]))
        }
    }

    /// The public side, computed by everyone from the same openings.
    private borrowing func sharedKey(
        _ openings: [ParticipantIndex: (DealerOpening, [Point])]
    ) throws(Abort) -> SharedKey {
        var verifyingShares: [ParticipantIndex: Point] = [:]
        for holder in context.quorum.members {
            let parts = openings.values.compactMap { Sharing.evaluate($0.1, at: holder) }
            guard parts.count == openings.count, let share = Point.sum(parts) else {
                throw Abort(.zeroShare)
            }
            verifyingShares[holder] = share
        }
        let chainCode = context.chainCode(openings.mapValues { $0.0.chainCode })
        guard let publicKey = Point.sum(openings.values.map { $0.1[0] }),
            let key = SharedKey(
                threshold: context.threshold, publicKey: publicKey, chainCode: chainCode,
                verifyingShares: verifyingShares)
        else { throw Abort(.zeroShare) }
        return key
    }
}

/// Key generation, round 3: see that all were opened the same, and finish the pair setups.
struct EchoRound: ~Copyable {
    let context: CeremonyContext
    let key: SharedKey
    let secret: SecretScalar
    let echo: Digest
    let alices: [ParticipantIndex: SecretBox<PairSetup.Alice>]
    let bobs: [ParticipantIndex: SecretBox<BobSetup>]

    /// - Parameter zeroSeeds: k_ij with each other holder, 32 bytes.
    /// - Throws: `.echoMismatch` (nobody); `.baseTransfer` or `.transferTree` naming the peer,
    ///   after all trees were looked at.
    consuming func finish(
        broadcasts: [ParticipantIndex: [UInt8]],
        whispers: [ParticipantIndex: SecretBox<SecretBytes>],
        zeroSeeds: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws(Abort) -> PendingKey {
        for peer in context.quorum.others {
            guard let bytes = broadcasts[peer], let theirs = Digest(bytes) else {
                throw Abort(.malformedMessage, by: peer)
            }
            guard theirs == echo else { throw Abort(.echoMismatch) }
        }
        var pairs: [ParticipantIndex: PairSecrets] = [:]
        for peer in context.quorum.others {
            guard let alice = alices[peer]?.take(), let bob = bobs[peer]?.take(),
                let seed = zeroSeeds[peer]?.take()
            else { preconditionFailure("each pair has its setup and its seed") }
            let answer = whispers[peer]?.with { $0.withBytes { Array($0) } } ?? []
            pairs[peer] = try Self.pair(alice, bob, seed, answer, peer)
        }
        let certificate = KeyCertificate.digest(run: context.run, key: key, echo: echo)
        return PendingKey(
            share: KeyShare(key: key, me: context.quorum.me, secret: secret, pairs: pairs),
            echo: echo, certificateDigest: certificate)
    }

    private static func pair(
        _ alice: consuming PairSetup.Alice, _ bob: consuming BobSetup,
        _ seed: consuming SecretBytes, _ answer: [UInt8], _ peer: ParticipantIndex
    ) throws(Abort) -> PairSecrets {
        do throws(Abort.Reason) {
            let alice = try alice.finish(answer)
            return PairSecrets(zeroSeed: seed, alice: alice, bob: bob)
        } catch {
            throw Abort(error, by: peer)
        }
    }
}

/// A key that all checks of ours admit. It becomes usable when every holder has certified it.
public struct PendingKey: ~Copyable {
    public let share: KeyShare
    /// The echo over all openings, part of what is certified.
    public let echo: Digest
    /// What each holder signs with its identity key.
    public let certificateDigest: Digest

    public consuming func takeShare() -> KeyShare { share }
}
