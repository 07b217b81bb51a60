import Algebra
import KeyGroups

/// Opened shares of one key and epoch, from several holders.
public struct RecoveryQuorum: Sendable {
    public let group: RecoveryGroup
    /// By ascending index, each once.
    public let shares: [SecretBox<RecoveryShare>]

    /// Refuses shares that do not belong together.
    public init(_ opened: [SecretBox<RecoveryShare>]) throws(RecoveryFault) {
        let shares = opened.sorted { one, other in one.index < other.index }
        group = try Self.group(of: shares.map { $0.with { $0.group } })
        for (one, other) in zip(shares, shares.dropFirst()) where one.index == other.index {
            throw .mixed(
                "two files hold the same share, \(one.index) of group \(group.id): leave one out")
        }
        self.shares = shares
    }

    /// The one key that all of these are: what can be known before a passphrase is asked for.
    public static func group(of groups: [RecoveryGroup]) throws(RecoveryFault) -> RecoveryGroup {
        guard let first = groups.first else { throw .mixed("there is no share: name a file") }
        for other in groups { try first.requireSame(as: other) }
        return first
    }

    public var isEnough: Bool { shares.count >= group.threshold.required }

    /// Whether the opened shares give the root key, calculated on what is public of them: the key
    /// itself is never made.
    public var givesRoot: Bool {
        let opened = shares.prefix(group.threshold.required).map { share in
            share.with { share in
                (share.holder.index, group.scheme.sharePublicKey(of: share.secret) ?? [])
            }
        }
        let root = group.scheme.rootPublicKey(of: Dictionary(uniqueKeysWithValues: opened))
        return isEnough && root == group.root.key
    }
}

extension SecretBox<RecoveryShare> {
    public var index: ParticipantIndex { with { $0.holder.index } }
}
