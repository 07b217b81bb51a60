import Algebra
import KeyGroups

/// One holder's share of a key, by itself: nothing of what it signs with.
public struct RecoveryShare: ~Copyable, Sendable {
    public let group: RecoveryGroup
    public let holder: RecoveryGroup.Participant
    public let secret: SecretBytes

    /// - Throws: unless the secret is what the certificate says of this index.
    public init(
        of group: RecoveryGroup, _ index: ParticipantIndex, secret: consuming SecretBytes
    ) throws(RecoveryFault) {
        guard let holder = group.participant(index),
            group.scheme.sharePublicKey(of: secret) == holder.sharePublicKey
        else { throw .doesNotFit(share: "\(index) of group \(group.id)") }
        self.group = group
        self.holder = holder
        self.secret = secret
    }
}
