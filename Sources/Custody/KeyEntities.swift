import Algebra
import Canonical
import Intents
import KeyGroups

/// What keys belong to: at most one of each scheme, and below them vaults with their addresses.
///
/// A tenant's oldest one is its default: there vaults are opened where no other is named.
public struct KeyVault: Equatable, Sendable {
    public static let nameMost = 100
    /// The name of a tenant's first.
    static let defaultName = "Default"
    /// The name of the vault that a main group's keys come with.
    static let firstVault = "Default"

    public let id: KeyVaultID
    public let tenant: TenantID
    public var name: String
    public let kind: Kind
    /// Of users' funds.
    public let project: ProjectID?
    public let createdAt: Timestamp

    public enum Kind: String, Sendable, CaseIterable {
        /// The tenant's own funds.
        case organisation = "Organisation"
        /// Its users' funds, and holders of theirs; part of a project.
        case user = "User"
    }

    public init(
        id: KeyVaultID, tenant: TenantID, name: String, kind: Kind, project: ProjectID? = nil,
        createdAt: Timestamp
    ) {
        self.id = id
        self.tenant = tenant
        self.name = name
        self.kind = kind
        self.project = project
        self.createdAt = createdAt
    }
}

/// A key vault's key of one scheme, and the groups that hold shares of it.
public struct VaultKey: Equatable, Sendable {
    public let keyVault: KeyVaultID
    public let scheme: SignatureScheme
    /// The group that made the key, or that took the place of the one that did.
    public var main: GroupID
    /// The group that signs: the main group, or a signing group that was given shares.
    public var signing: GroupID

    public init(
        keyVault: KeyVaultID, scheme: SignatureScheme, main: GroupID, signing: GroupID
    ) {
        self.keyVault = keyVault
        self.scheme = scheme
        self.main = main
        self.signing = signing
    }
}

/// Holders that share a key among them.
public struct HolderGroup: Equatable, Sendable {
    public let id: GroupID
    public let keyVault: KeyVaultID
    /// Whose shares these are, as the tenant knows it.
    public let record: KeyShareHolderGroupID
    public let scheme: SignatureScheme
    public let kind: GroupKind
    public var threshold: SigningThreshold
    public var holders: Roster
    /// The highest epoch that a ceremony was begun for.
    public var lastEpoch: UInt64
    /// Of the active epoch, once the holders have shares.
    public var certificate: KeyCertificate?
    /// Since when the epoch is active.
    public var activeSince: Timestamp?
    /// Signatures made under the epoch.
    public var signatures: Int
    /// It was taken away: nothing is asked of it any more.
    public let isRetired: Bool
    public let createdAt: Timestamp

    public init(
        id: GroupID, keyVault: KeyVaultID, record: KeyShareHolderGroupID, scheme: SignatureScheme,
        kind: GroupKind, threshold: SigningThreshold, holders: Roster, lastEpoch: UInt64,
        certificate: KeyCertificate?, activeSince: Timestamp? = nil, signatures: Int = 0,
        isRetired: Bool = false, createdAt: Timestamp
    ) {
        self.id = id
        self.keyVault = keyVault
        self.record = record
        self.scheme = scheme
        self.kind = kind
        self.threshold = threshold
        self.holders = holders
        self.lastEpoch = lastEpoch
        self.certificate = certificate
        self.activeSince = activeSince
        self.signatures = signatures
        self.isRetired = isRetired
        self.createdAt = createdAt
    }

    /// The epoch that signs; nil before the first ceremony has ended.
    public var epoch: UInt64? { certificate?.descriptor.epoch }
    public var isActive: Bool { certificate != nil }
}

/// A key ceremony that was asked for: it is begun anew, in an epoch of its own, until the holders
/// have finished it or refuse.
public struct Ceremony: Equatable, Sendable {
    public enum State: String, Sendable {
        case open
        case done
        case failed
    }

    public let id: CeremonyID
    /// The group that receives shares.
    public let group: GroupID
    public let occasion: KeyCeremony.Occasion
    /// The group that deals; nil if a new key is made.
    public let source: GroupID?
    /// Who will hold shares afterwards.
    public let threshold: SigningThreshold
    public let holders: Roster
    /// Of the group that deals those who may; nil for all.
    public let dealers: [IdentityPublicKey]?
    /// What it is a part of.
    public let request: KeyShareRequestID?
    public var state: State
    public var failure: String?
    /// How often it was begun.
    public var attempts: Int
    public let createdAt: Timestamp

    public init(
        id: CeremonyID, group: GroupID, occasion: KeyCeremony.Occasion, source: GroupID?,
        threshold: SigningThreshold, holders: Roster, dealers: [IdentityPublicKey]? = nil,
        request: KeyShareRequestID? = nil, state: State = .open, failure: String? = nil,
        attempts: Int = 0, createdAt: Timestamp
    ) {
        self.id = id
        self.group = group
        self.occasion = occasion
        self.source = source
        self.threshold = threshold
        self.holders = holders
        self.dealers = dealers
        self.request = request
        self.state = state
        self.failure = failure
        self.attempts = attempts
        self.createdAt = createdAt
    }
}

/// The last time that a group's holders were asked whether their shares are whole.
public struct CheckUp: Equatable, Sendable {
    public let group: GroupID
    public let epoch: UInt64
    public let certificate: Digest
    public let challenge: [UInt8]
    /// Whose proof was good.
    public var proved: [IdentityPublicKey]
    /// Who could prove nothing: its share does not open or does not fit.
    public var damaged: [IdentityPublicKey]
    public let at: Timestamp

    public init(
        group: GroupID, epoch: UInt64, certificate: Digest, challenge: [UInt8],
        proved: [IdentityPublicKey], damaged: [IdentityPublicKey], at: Timestamp
    ) {
        self.group = group
        self.epoch = epoch
        self.certificate = certificate
        self.challenge = challenge
        self.proved = proved
        self.damaged = damaged
        self.at = at
    }
}

/// A key share holder that this installation knows: its relay accepts no other.
public struct RegisteredHolder: Equatable, Sendable {
    public let identity: IdentityPublicKey
    public let name: String
    public let createdAt: Timestamp
    /// Since when its line to the relay stands; nil while there is none.
    public let onlineSince: Timestamp?
    /// Whether it is the platform's, which tenants' main and signing groups come with.
    public let isOwn: Bool

    public init(
        identity: IdentityPublicKey, name: String, createdAt: Timestamp,
        onlineSince: Timestamp? = nil, isOwn: Bool = false
    ) {
        self.identity = identity
        self.name = name
        self.createdAt = createdAt
        self.onlineSince = onlineSince
        self.isOwn = isOwn
    }
}
