import Algebra
import Canonical
import Chains
import Intents
import KeyGroups

/// An organisation, in one environment.
public struct Tenant: Equatable, Sendable {
    public static let nameMost = 100
    /// Longest cooling period, 30 days, in seconds.
    public static let coolingMost: Int64 = 30 * 24 * 3600

    public let id: TenantID
    public let name: String
    public let environment: CustodyEnvironment
    /// How long a new entry of its address book waits before withdrawals may go to it, so that its
    /// people can object.
    public var coolingSeconds: Int64
    public let createdAt: Timestamp

    public init(
        id: TenantID, name: String, environment: CustodyEnvironment, coolingSeconds: Int64 = 0,
        createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.environment = environment
        self.coolingSeconds = coolingSeconds
        self.createdAt = createdAt
    }
}

/// A tenant's key of one scheme, and the groups that hold shares of it.
public struct KeyVault: Equatable, Sendable {
    public let id: KeyVaultID
    public let tenant: TenantID
    public let scheme: SignatureScheme
    /// The group that made the key.
    public let main: GroupID
    /// The group that signs: the main group, or a signing group that was given shares.
    public var signing: GroupID
    public let createdAt: Timestamp

    public init(
        id: KeyVaultID, tenant: TenantID, scheme: SignatureScheme, main: GroupID,
        signing: GroupID, createdAt: Timestamp
    ) {
        self.id = id
        self.tenant = tenant
        self.scheme = scheme
        self.main = main
        self.signing = signing
        self.createdAt = createdAt
    }
}

/// Holders that share a key among them.
public struct HolderGroup: Equatable, Sendable {
    public let id: GroupID
    public let keyVault: KeyVaultID
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
    public let createdAt: Timestamp

    public init(
        id: GroupID, keyVault: KeyVaultID, kind: GroupKind, threshold: SigningThreshold,
        holders: Roster, lastEpoch: UInt64, certificate: KeyCertificate?,
        activeSince: Timestamp? = nil, signatures: Int = 0, createdAt: Timestamp
    ) {
        self.id = id
        self.keyVault = keyVault
        self.kind = kind
        self.threshold = threshold
        self.holders = holders
        self.lastEpoch = lastEpoch
        self.certificate = certificate
        self.activeSince = activeSince
        self.signatures = signatures
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
    public var state: State
    public var failure: String?
    /// How often it was begun.
    public var attempts: Int
    public let createdAt: Timestamp

    public init(
        id: CeremonyID, group: GroupID, occasion: KeyCeremony.Occasion, source: GroupID?,
        threshold: SigningThreshold, holders: Roster, state: State = .open,
        failure: String? = nil, attempts: Int = 0, createdAt: Timestamp
    ) {
        self.id = id
        self.group = group
        self.occasion = occasion
        self.source = source
        self.threshold = threshold
        self.holders = holders
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

    public init(
        identity: IdentityPublicKey, name: String, createdAt: Timestamp,
        onlineSince: Timestamp? = nil
    ) {
        self.identity = identity
        self.name = name
        self.createdAt = createdAt
        self.onlineSince = onlineSince
    }
}

/// One end customer's container: an account index under the tenant's key vault.
public struct Vault: Equatable, Sendable {
    public static let externalIDMost = 128
    public static let nameMost = 100
    public static let metadataEntriesMost = 32
    public static let metadataKeyMost = 64
    public static let metadataValueMost = 512

    public let id: VaultID
    public let tenant: TenantID
    public let keyVault: KeyVaultID
    public let index: UInt32
    public let externalID: String
    public var name: String
    public var metadata: [String: String]
    public var status: Status
    /// Hash of what it was opened with; nil of one that an earlier version opened.
    public let content: Digest?
    public let createdAt: Timestamp

    public enum Status: String, Sendable, CaseIterable {
        case active = "Active"
        /// Nothing leaves; deposits and transfers to it are credited.
        case frozen = "Frozen"
        /// Empty, and out of use: as frozen, and no wallets are opened.
        case archived = "Archived"
    }

    public init(
        id: VaultID, tenant: TenantID, keyVault: KeyVaultID, index: UInt32, externalID: String,
        name: String, metadata: [String: String], status: Status = .active, content: Digest?,
        createdAt: Timestamp
    ) {
        self.id = id
        self.tenant = tenant
        self.keyVault = keyVault
        self.index = index
        self.externalID = externalID
        self.name = name
        self.metadata = metadata
        self.status = status
        self.content = content
        self.createdAt = createdAt
    }
}

/// An asset that this installation keeps, from its configuration.
public struct Asset: Equatable, Sendable {
    /// What the API calls it.
    public let id: String
    public let symbol: String
    public let name: String
    public let asset: AssetID
    public let decimals: Int
    /// Blocks, its own included, after which a transaction is final for us.
    public let confirmations: UInt64
    public let minimumWithdrawal: Amount
    /// The gas that one withdrawal may use.
    public let gasLimit: UInt64

    /// - Parameter tokenGas: the gas limit of a token's transfer; what is usual if it is nil.
    public init(
        id: String, symbol: String, name: String, asset: AssetID, decimals: Int,
        confirmations: UInt64, minimumWithdrawal: Amount, tokenGas: UInt64? = nil
    ) {
        self.id = id
        self.symbol = symbol
        self.name = name
        self.asset = asset
        self.decimals = decimals
        self.confirmations = confirmations
        self.minimumWithdrawal = minimumWithdrawal
        gasLimit =
            asset.contract == nil ? EVMFeeLimit.transferGas : tokenGas ?? ERC20Transfer.usualGas
    }
}

/// One asset inside a vault: the ledger's account.
public struct Wallet: Equatable, Sendable {
    public static let labelMost = 100

    public enum Status: String, Sendable, CaseIterable {
        case active = "Active"
        /// A reorganisation took funds that were spent already; nothing leaves until it is settled.
        case frozen = "Frozen"
    }

    public let id: WalletID
    public let tenant: TenantID
    public let vault: VaultID
    public let asset: String
    public let label: String?
    public let depositAddress: String
    public var status: Status
    public let createdAt: Timestamp

    public init(
        id: WalletID, tenant: TenantID, vault: VaultID, asset: String, label: String?,
        depositAddress: String, status: Status, createdAt: Timestamp
    ) {
        self.id = id
        self.tenant = tenant
        self.vault = vault
        self.asset = asset
        self.label = label
        self.depositAddress = depositAddress
        self.status = status
        self.createdAt = createdAt
    }
}

/// A derived place on a chain: a vault's, where the wallets of all its assets on the chain receive.
public struct WalletAddress: Equatable, Sendable {
    public let chain: ChainID
    public let text: String
    public let tenant: TenantID
    public let vault: VaultID
    public let path: AccountPath
    public let label: String?
    /// The next nonce that has not been given to a signed transaction.
    public var nextNonce: UInt64
    public let createdAt: Timestamp

    public init(
        chain: ChainID, text: String, tenant: TenantID, vault: VaultID, path: AccountPath,
        label: String?, nextNonce: UInt64, createdAt: Timestamp
    ) {
        self.chain = chain
        self.text = text
        self.tenant = tenant
        self.vault = vault
        self.path = path
        self.label = label
        self.nextNonce = nextNonce
        self.createdAt = createdAt
    }
}

/// An outside address that withdrawals may go to.
public struct AddressBookEntry: Equatable, Sendable {
    public static let labelMost = 100

    public enum Status: String, Sendable, CaseIterable {
        /// It cools: no withdrawal goes there yet.
        case pending = "Pending"
        case active = "Active"
        case removed = "Removed"
    }

    public let id: AddressBookEntryID
    public let tenant: TenantID
    public let network: String
    public let address: String
    public var label: String
    public let externalID: String?
    public var status: Status
    public let activatesAt: Timestamp
    /// Hash of what it was made with; nil of one that an earlier version made.
    public let content: Digest?
    public let createdAt: Timestamp

    public init(
        id: AddressBookEntryID, tenant: TenantID, network: String, address: String, label: String,
        externalID: String?, status: Status, activatesAt: Timestamp, content: Digest? = nil,
        createdAt: Timestamp
    ) {
        self.id = id
        self.tenant = tenant
        self.network = network
        self.address = address
        self.label = label
        self.externalID = externalID
        self.status = status
        self.activatesAt = activatesAt
        self.content = content
        self.createdAt = createdAt
    }
}

/// What a holder is told of an entry: that it stands or, after its removal, that it does not.
public struct AddressNotice: Equatable, Sendable {
    public let entry: AddressBookEntryID
    public let holder: IdentityPublicKey
    /// Whether the holder has taken over what the entry's status says.
    public var isTold: Bool
    /// When it is said, or said again.
    public var nextOffer: Timestamp
    /// Why the holder did not take it over, in its own words.
    public var answer: String?

    public init(
        entry: AddressBookEntryID, holder: IdentityPublicKey, isTold: Bool, nextOffer: Timestamp,
        answer: String? = nil
    ) {
        self.entry = entry
        self.holder = holder
        self.isTold = isTold
        self.nextOffer = nextOffer
        self.answer = answer
    }
}

/// An intent that announces an entry: whose verdicts say who knows it.
public struct AddressAnnouncement: Equatable, Sendable {
    public let digest: Digest
    public let entry: AddressBookEntryID
    public let change: Announcement.Change
    public let expiresAt: Timestamp

    public init(
        digest: Digest, entry: AddressBookEntryID, change: Announcement.Change,
        expiresAt: Timestamp
    ) {
        self.digest = digest
        self.entry = entry
        self.change = change
        self.expiresAt = expiresAt
    }
}

/// Where a tenant hears of its events.
public struct WebhookEndpoint: Equatable, Sendable {
    public static let urlMost = 2048
    /// How long a secret that was replaced goes on signing beside the new one.
    public static let overlapSeconds: Int64 = 24 * 3600

    /// The secret before the last rotation.
    public struct Previous: Equatable, Sendable {
        public let sealedSecret: [UInt8]
        public let until: Timestamp

        public init(sealedSecret: [UInt8], until: Timestamp) {
            self.sealedSecret = sealedSecret
            self.until = until
        }
    }

    public let tenant: TenantID
    public let url: String
    public let sealedSecret: [UInt8]
    public let previous: Previous?
    public let createdAt: Timestamp

    public init(
        tenant: TenantID, url: String, sealedSecret: [UInt8], previous: Previous? = nil,
        createdAt: Timestamp
    ) {
        self.tenant = tenant
        self.url = url
        self.sealedSecret = sealedSecret
        self.previous = previous
        self.createdAt = createdAt
    }
}
