import Algebra
import Canonical
import KeyGroups
import Threshold

/// A stored share that cannot be opened: the sealing key is another, or the file was changed.
struct CannotOpenShare: Error, CustomStringConvertible {
    let description: String
}

extension KeyRecord {
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
