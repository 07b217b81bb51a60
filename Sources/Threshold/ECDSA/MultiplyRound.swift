import Algebra
import Canonical
import KeyGroups

/// Signing, round 2 of 3: check every member's opening and multiplications, and give our share of
/// numerator and denominator.
///
/// DKLs23 protocol 3.6, steps 2 and 3; specification section 5.7, checks 1 to 6 in this order.
struct MultiplyRound: ~Copyable {
    let context: SigningContext
    let nonce: SecretScalar
    let nonceMask: SecretScalar
    let additive: SecretScalar
    let noncePoint: Point
    let additivePoint: Point
    let transcript: Digest
    let commitments: [ParticipantIndex: Digest]
    let multiplications: [ParticipantIndex: SecretBox<Multiplication.Bob>]
    let shares: [ParticipantIndex: SecretBox<Multiplication.Shares>]

    /// A member's message, decoded.
    private struct Opening {
        let noncePoint: Point
        let additivePoint: Point
        let nonceShare: Point
        let keyShare: Point
        let maskDifference: Scalar
        let answer: Multiplication.Answer
    }

    private static let headBytes = 32 + 33 + 32 + 4 * 33 - 33 + 32
    private static let correctionsEnd = headBytes + Multiplication.correctionBytes
    static let whisperBytes = headBytes + Multiplication.answerBytes

    /// The message that opens with `head`, written once: most of it are the answer's corrections.
    static func whisper(_ head: [UInt8], _ answer: Multiplication.Answer) -> SecretBytes {
        var body = SecretBytes(count: whisperBytes)
        body.replace(at: 0, with: head)
        body.replace(at: headBytes, with: answer.corrections.bytes)
        body.replace(at: correctionsEnd, with: answer.check.bytes + answer.checkHash.bytes)
        return body
    }

    /// - Throws: in this order, for all members before the next: malformed length (blame),
    ///   transcript mismatch (nobody), malformed or contradicting opening (blame), then member by
    ///   member the three checks that ban.
    consuming func sum(
        whispers: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws(Abort) -> SumRound {
        let openings = try open(whispers)
        var nonces = [noncePoint]
        var additives = [additivePoint]
        var mask = nonceMask.copy()
        var products = Multiplication.Shares(
            nonce: SecretScalar(Scalar.zero), key: SecretScalar(Scalar.zero))
        for peer in context.quorum.others {
            guard let opening = openings[peer], let multiplication = multiplications[peer]?.take(),
                let ours = shares[peer]?.take()
            else { preconditionFailure("every member has its multiplication") }
            let theirs = try Self.check(opening, multiplication, peer)
            nonces.append(opening.noncePoint)
            additives.append(opening.additivePoint)
            mask = mask + SecretScalar(opening.maskDifference)
            products = Multiplication.Shares(
                nonce: products.nonce + ours.nonce + theirs.nonce,
                key: products.key + ours.key + theirs.key)
        }
        guard let additiveSum = Point.sum(additives), additiveSum == context.derived.publicKey
        else { throw Abort(.publicKeyMismatch) }
        guard let noncePoint = Point.sum(nonces) else { throw Abort(.identityNonce) }
        let r = Scalar(reducing: Array(noncePoint.coordinates.prefix(32)))
        guard !r.isZero else { throw Abort(.identityNonce) }
        let digest = Scalar(reducing: context.item.digest.bytes)
        let denominator = nonce * mask + products.nonce
        let numerator = nonceMask * digest + (additive * mask + products.key) * r
        return SumRound(
            context: context, noncePoint: noncePoint, r: r,
            own: SignatureShare(
                numerator: numerator.published(), denominator: denominator.published()))
    }

    /// Checks 1 to 3 for all members: nothing secret is touched before all have passed.
    private borrowing func open(
        _ whispers: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws(Abort) -> [ParticipantIndex: Opening] {
        var bodies: [ParticipantIndex: SecretBox<SecretBytes>] = [:]
        for peer in context.quorum.others {
            guard let body = whispers[peer], body.with({ $0.count }) == Self.whisperBytes else {
                throw Abort(.malformedMessage, by: peer)
            }
            bodies[peer] = body
        }
        for (_, body) in bodies {
            let sent = body.with { $0.withBytes { Array($0.prefix(Digest.byteCount)) } }
            guard sent == transcript.bytes else { throw Abort(.transcriptMismatch) }
        }
        var openings: [ParticipantIndex: Opening] = [:]
        for peer in context.quorum.others {
            guard let body = bodies[peer] else { continue }
            openings[peer] = try opening(body, of: peer)
        }
        return openings
    }

    private borrowing func opening(
        _ box: SecretBox<SecretBytes>, of peer: ParticipantIndex
    ) throws(Abort) -> Opening {
        let (head, end, corrections) = box.with { body in
            body.withBytes { body in
                (
                    Array(body[..<Self.headBytes]), Array(body[Self.correctionsEnd...]),
                    PublicMatrix(
                        UnsafeRawBufferPointer(
                            rebasing: body[Self.headBytes..<Self.correctionsEnd]),
                        rows: Transfer.rowCount, columns: Multiplication.width)
                )
            }
        }
        let decoded: (Opening, nonce: [UInt8], blinder: [UInt8])?
        do throws(MalformedBytes) {
            var reader = ByteReader(head)
            _ = try reader.take(Digest.byteCount)
            let nonce = Array(try reader.take(Point.byteCount))
            let blinder = Array(try reader.take(Transcript.digestBytes))
            let additive = Point(compressed: try reader.take(Point.byteCount))
            let first = Point(compressed: try reader.take(Point.byteCount))
            let second = Point(compressed: try reader.take(Point.byteCount))
            let difference = Scalar(canonical: try reader.take(Scalar.byteCount))
            try reader.finish()
            reader = ByteReader(end)
            let check = Scalar(canonical: try reader.take(Scalar.byteCount))
            let hash = try reader.take(Digest.self)
            try reader.finish()
            if let noncePoint = Point(compressed: nonce), let additive, let first, let second,
                let difference, let corrections, let check
            {
                let answer = Multiplication.Answer(
                    corrections: corrections, check: check, checkHash: hash)
                decoded = (
                    Opening(
                        noncePoint: noncePoint, additivePoint: additive, nonceShare: first,
                        keyShare: second, maskDifference: difference, answer: answer),
                    nonce, blinder
                )
            } else {
                decoded = nil
            }
        } catch {
            decoded = nil
        }
        guard let (opening, nonce, blinder) = decoded else {
            throw Abort(.malformedMessage, by: peer)
        }
        guard context.commitment(of: peer, nonce: nonce, blinder: blinder) == commitments[peer]
        else { throw Abort(.openingContradictsCommitment, by: peer) }
        return opening
    }

    /// Checks 4 to 6 of one member: each that fails may have cost a bit of a secret, so it bans.
    private static func check(
        _ opening: Opening, _ multiplication: consuming Multiplication.Bob, _ peer: ParticipantIndex
    ) throws(Abort) -> Multiplication.Shares {
        let factor = multiplication.factor.copy()
        let shares: Multiplication.Shares
        do throws(Abort.Reason) {
            shares = try multiplication.finish(opening.answer)
        } catch {
            throw Abort(error, by: peer)
        }
        guard matches(factor, opening.noncePoint, shares.nonce, opening.nonceShare) else {
            throw Abort(.nonceCheck, by: peer)
        }
        guard matches(factor, opening.additivePoint, shares.key, opening.keyShare) else {
            throw Abort(.keyCheck, by: peer)
        }
        return shares
    }

    /// χ·P = d·G + Γ; a sum that is the identity is a failed check.
    private static func matches(
        _ factor: borrowing SecretScalar, _ point: Point, _ share: borrowing SecretScalar,
        _ theirs: Point
    ) -> Bool {
        guard let left = factor.times(point), let ours = share.timesGenerator(),
            let right = ours + theirs
        else { return false }
        return left == right
    }
}

/// One member's share of a signature: of s's numerator w and denominator u.
struct SignatureShare: Sendable {
    static let byteCount = 2 * Scalar.byteCount
    let numerator: Scalar
    let denominator: Scalar

    var bytes: [UInt8] { numerator.bytes + denominator.bytes }

    init(numerator: Scalar, denominator: Scalar) {
        (self.numerator, self.denominator) = (numerator, denominator)
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount, let numerator = Scalar(canonical: bytes.prefix(32)),
            let denominator = Scalar(canonical: bytes.suffix(32))
        else { return nil }
        self.init(numerator: numerator, denominator: denominator)
    }
}

/// Signing, round 3 of 3: put the shares together, and let nothing out that does not verify.
struct SumRound: Sendable {
    let context: SigningContext
    let noncePoint: Point
    let r: Scalar
    let own: SignatureShare

    var messages: [RoundMessage] {
        context.quorum.others.map {
            .whisper(round: 3, item: context.number, to: $0, own.bytes)
        }
    }

    /// s = Σw / Σu, verified under the derived key.
    ///
    /// - Throws: `.malformedMessage` naming the sender; `.invalidSignature`, which with two
    ///   members names the other one and with more nobody.
    func finish(
        whispers: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws(Abort) -> ECDSASignature {
        var (numerator, denominator) = (own.numerator, own.denominator)
        for peer in context.quorum.others {
            let body = whispers[peer].map { $0.with { $0.withBytes { Array($0) } } } ?? []
            guard let share = SignatureShare(body) else {
                throw Abort(.malformedMessage, by: peer)
            }
            numerator = numerator + share.numerator
            denominator = denominator + share.denominator
        }
        let culprits = context.quorum.others.count == 1 ? context.quorum.others : []
        let coordinates = noncePoint.coordinates
        let x = Array(coordinates.prefix(32))
        let isOdd = coordinates[63] & 1
        let overflows: UInt8 = Scalar(canonical: x) == nil ? 2 : 0
        guard let inverse = denominator.inverse,
            let signature = ECDSASignature(
                r: r, anyS: numerator * inverse, recoveryID: isOdd | overflows),
            signature.verifies(context.item.digest, under: context.derived.publicKey)
        else { throw Abort(.invalidSignature, by: culprits) }
        return signature
    }
}
