import Algebra
import Canonical

/// Schnorr's proof that a holder's share still fits the certificate: of xⱼ, bound to group, epoch,
/// certificate and a fresh challenge (specification section 3.4).
///
/// It is no signature of anything else: its hash has a tag of its own.
public enum ShareCheck {
    public static let challengeBytes = 32

    /// What a proof is bound to.
    public struct Statement: Equatable, Sendable {
        public let group: GroupID
        public let epoch: UInt64
        public let certificate: Digest
        public let index: ParticipantIndex
        public let challenge: [UInt8]

        public init(
            group: GroupID, epoch: UInt64, certificate: Digest, index: ParticipantIndex,
            challenge: [UInt8]
        ) {
            self.group = group
            self.epoch = epoch
            self.certificate = certificate
            self.index = index
            self.challenge = challenge
        }

        public func factor<Group: PrimeGroup>(
            _ publicPart: Group.Point, _ nonce: [UInt8]
        ) -> Group.Scalar {
            var transcript = Transcript(Tag.shareCheck)
            transcript.append(group)
            transcript.append(epoch.bigEndianBytes)
            transcript.append(certificate)
            transcript.append(u8: index.raw)
            transcript.append(challenge)
            transcript.append(publicPart.compressed)
            transcript.append(nonce)
            return transcript.scalar()
        }
    }

    /// Whether R || s proves the statement for the holder's verifying share under this key.
    public static func verifies(
        _ proof: [UInt8], of statement: Statement, under key: AnySharedKey
    ) -> Bool {
        func check<Scheme: KeyScheme>(_ type: Scheme.Type) -> Bool {
            typealias Group = Scheme.Group
            let pointBytes = Group.pointBytes
            guard proof.count == pointBytes + Group.Scalar.byteCount,
                let share = key.key(of: type)?.verifyingShares[statement.index],
                let nonce = Group.Point(compressed: proof.prefix(pointBytes)),
                let response = Group.Scalar(canonical: proof.dropFirst(pointBytes)),
                let left = Group.SecretScalar(response).timesGenerator(),
                let product = share.variableTimeTimes(
                    statement.factor(share, Array(proof.prefix(pointBytes))) as Group.Scalar)
            else { return false }
            return left == nonce + product
        }
        return check(key.scheme.type)
    }
}
