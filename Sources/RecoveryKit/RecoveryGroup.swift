import Algebra
import Canonical
import KeyGroups

/// What is public about a key in a recovery file. All of it comes from the certificate, which every
/// holder signed, so that a file cannot say anything else.
public struct RecoveryGroup: Equatable, Sendable {
    public struct Participant: Equatable, Sendable {
        public let identity: IdentityPublicKey
        public let index: ParticipantIndex
        public let sharePublicKey: [UInt8]
    }

    public let id: GroupID
    public let epoch: UInt64
    public let scheme: RecoveryScheme
    public let threshold: SigningThreshold
    public let root: ExtendedPublicKey
    /// By ascending index.
    public let participants: [Participant]
    let certificate: [UInt8]

    /// What the certificate says, if all its signatures are good and its shares give its key.
    public init(certificate bytes: [UInt8]) throws(RecoveryFault) {
        let certificate: KeyCertificate
        do throws(MalformedBytes) {
            certificate = try KeyCertificate(bytes)
        } catch {
            throw .malformed("its certificate is none (\(error))")
        }
        let descriptor = certificate.descriptor
        guard let (key, _) = certificate.verified() else {
            throw .malformed("its certificate is not signed by every holder")
        }
        let scheme = RecoveryScheme(descriptor.scheme)
        guard
            let root = ExtendedPublicKey(
                root: scheme.form.serialized(key.publicKey), chainCode: key.chainCode, scheme.form)
        else { throw .malformed("its certificate is of another scheme") }
        id = descriptor.group
        epoch = descriptor.epoch
        threshold = key.threshold
        self.scheme = scheme
        self.root = root
        self.certificate = bytes
        guard let holders = descriptor.plan?.holders else {
            throw .malformed("its certificate is of no key ceremony")
        }
        participants = zip(holders.identities, holders.indices).compactMap { identity, index in
            key.verifyingShares[index].map {
                Participant(identity: identity, index: index, sharePublicKey: $0)
            }
        }.sorted { $0.index < $1.index }
    }

    public func participant(_ index: ParticipantIndex) -> Participant? {
        participants.first { $0.index == index }
    }

    /// Refuses two that are not of one key and one sharing of it.
    func requireSame(as other: RecoveryGroup) throws(RecoveryFault) {
        guard id == other.id else {
            throw .mixed(
                "the files are of two keys, of group \(id) and of group \(other.id): give the "
                    + "files of one")
        }
        guard epoch == other.epoch else {
            throw .mixed(
                "the files are of two epochs of group \(id), \(min(epoch, other.epoch)) and "
                    + "\(max(epoch, other.epoch)), whose shares do not fit each other: give "
                    + "files of one epoch, the highest of which there are enough")
        }
        guard self == other else {
            throw .mixed(
                "the files have two certificates for group \(id), epoch \(epoch): one of them "
                    + "is not from this key's ceremony; compare `addresses` of each with the "
                    + "addresses that you know")
        }
    }
}
