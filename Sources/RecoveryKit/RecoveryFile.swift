import Algebra
import Canonical
import KeyGroups

/// A holder's shares as they are kept elsewhere: what is public about each key, and the share
/// sealed under a key that follows from a passphrase. `RecoveryFile+JSON.swift` has the form.
public struct RecoveryFile: Equatable, Sendable {
    /// Largest file that is read, in bytes, and most keys in it: 64 of 20 holders each.
    public static let byteLimit = 1024 * 1024
    public static let groupsMost = 64
    /// What a file of ours asks for: half a second or so.
    public static let iterations = 1_000_000

    public struct Entry: Equatable, Sendable {
        public let group: RecoveryGroup
        public let index: ParticipantIndex
        /// Nonce, then what AES-256-GCM made of the share.
        let sealed: [UInt8]
    }

    public let entries: [Entry]
    /// When the file was made, as its maker wrote it. Nothing depends on it, and it alone can be
    /// changed without being noticed.
    public let created: String
    let stretch: PassphraseStretch

    init(_ entries: [Entry], created: String, _ stretch: PassphraseStretch) {
        (self.entries, self.created, self.stretch) = (entries, created, stretch)
    }

    /// Seals shares of different keys, at most `groupsMost`, under one passphrase.
    public init(
        sealing shares: [SecretBox<RecoveryShare>], under passphrase: borrowing Passphrase,
        created: String, iterations: Int = Self.iterations,
        random: inout some RandomSource & ~Copyable
    ) {
        precondition(
            (1...Self.groupsMost).contains(shares.count), "a file has between one key and 64")
        guard
            let stretch = PassphraseStretch(
                .sha512, iterations: iterations, salt: random.bytes(PassphraseStretch.saltBytes))
        else { preconditionFailure("a count of iterations that nobody would read") }
        let key = AESGCMKey(stretch.key(from: passphrase.bytes))
        var entries: [Entry] = []
        for share in shares {
            let nonce = random.bytes(AESGCMKey.nonceBytes)
            let entry = share.with { share in
                Entry(
                    group: share.group, index: share.holder.index,
                    sealed: nonce + key.seal(share.secret, nonce: nonce))
            }
            entries.append(entry)
        }
        self.init(entries, created: created, stretch)
    }

    /// Every share of the file, each of which is what its certificate says.
    public func open(
        under passphrase: borrowing Passphrase
    ) throws(RecoveryFault) -> [SecretBox<RecoveryShare>] {
        let key = AESGCMKey(stretch.key(from: passphrase.bytes))
        var shares: [SecretBox<RecoveryShare>] = []
        for entry in entries {
            guard
                let secret = key.open(
                    entry.sealed.dropFirst(AESGCMKey.nonceBytes),
                    nonce: Array(entry.sealed.prefix(AESGCMKey.nonceBytes)))
            else { throw .doesNotOpen }
            shares.append(
                SecretBox(try RecoveryShare(of: entry.group, entry.index, secret: secret)))
        }
        return shares
    }
}
