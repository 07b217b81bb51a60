import Algebra
import Canonical
import KeyGroups
import Threshold

/// A stored share that cannot be opened: the sealing key is another, or the file was changed.
struct CannotOpenShare: Error, CustomStringConvertible {
    let description: String
}

/// What has become of a share.
public enum ShareCondition: Equatable, Sendable {
    case whole
    /// Its key was replaced by a later epoch.
    case destroyed
    /// It is of no use, and the holder must be replaced; with why, for its operator.
    case damaged(String)
}

extension KeyRecord {
    /// What a proof of the holder's share is about.
    fileprivate func statement(_ challenge: [UInt8]) -> ShareCheck.Statement {
        ShareCheck.Statement(
            group: group, epoch: epoch, certificate: certificateDigest, index: me,
            challenge: challenge)
    }

    /// What the sealed share is bound to: it opens only as the share of this group and epoch.
    var sealingContext: [UInt8] {
        Array("quorumkeep/share/v1".utf8) + group.bytes + epoch.bigEndianBytes
            + scheme.rawValue.bigEndianBytes
    }
}

extension SealingKey {
    borrowing func openShare<Scheme: KeyScheme>(
        of key: KeyRecord, _: Scheme.Type, in store: any HolderStore
    ) throws -> KeyShare<Scheme> {
        guard let sealed = try store.sealedShare(of: key.group, epoch: key.epoch),
            let stored = openStored(sealed, authenticating: key.sealingContext)
        else {
            throw CannotOpenShare(
                description: "the share of group \(key.group), epoch \(key.epoch) does not open "
                    + "under this holder's sealing key")
        }
        return try KeyShare(stored: stored)
    }

    /// Proves that the share fits its certificate, or is nil if it does not.
    ///
    /// - Throws: if the share does not open.
    borrowing func proof(
        of key: KeyRecord, _ challenge: [UInt8], in store: any HolderStore
    ) throws -> [UInt8]? {
        try proof(of: key, challenge, store, key.scheme.type)
    }

    private borrowing func proof<Scheme: KeyScheme>(
        of key: KeyRecord, _ challenge: [UInt8], _ store: any HolderStore, _ scheme: Scheme.Type
    ) throws -> [UInt8]? {
        try openShare(of: key, scheme, in: store).proof(of: key.statement(challenge))
    }

    /// What the holder finds when it looks at its share of the key, as for a check-up of the
    /// platform's, but with nobody else: the share opens, and is the one whose public part stands
    /// in the certificate that every holder has signed.
    public borrowing func condition(
        of key: KeyRecord, in store: any HolderStore
    ) throws -> ShareCondition {
        if key.state == .destroyed { return .destroyed }
        let known: AnySharedKey
        if let certificate = key.certificate {
            guard let (verified, digest) = certificate.verified(), digest == key.certificateDigest
            else { return .damaged("the certificate is not what all holders have signed") }
            known = verified
        } else {
            known = key.key
        }
        guard try store.sealedShare(of: key.group, epoch: key.epoch) != nil else {
            return .damaged("the share is missing")
        }
        // The proof goes nowhere, so that anything will do for a challenge.
        let challenge = key.certificateDigest.bytes
        let proof: [UInt8]?
        do {
            proof = try self.proof(of: key, challenge, in: store)
        } catch {
            return .damaged("\(error)")
        }
        guard let proof, ShareCheck.verifies(proof, of: key.statement(challenge), under: known)
        else { return .damaged("the share is not that of the certificate") }
        return .whole
    }

    /// The number that is the holder's share, big-endian, for its operator's backup, and nothing of
    /// what the holder has with its peers.
    public borrowing func dangerouslyExportSecret(
        of key: KeyRecord, in store: any HolderStore
    ) throws -> SecretBytes {
        try export(key, store, key.scheme.type)
    }

    private borrowing func export<Scheme: KeyScheme>(
        _ key: KeyRecord, _ store: any HolderStore, _ scheme: Scheme.Type
    ) throws -> SecretBytes {
        try openShare(of: key, scheme, in: store).dangerouslyExportSecret()
    }
}
