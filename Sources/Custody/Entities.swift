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

/// One end customer's container: an account index under one of the tenant's key vaults.
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
    /// Under whose key it is told: a holder has a book for each.
    public let keyVault: KeyVaultID
    /// Whether the holder has taken over what the entry's status says.
    public var isTold: Bool
    /// When it is said, or said again.
    public var nextOffer: Timestamp
    /// Why the holder did not take it over, in its own words.
    public var answer: String?

    public init(
        entry: AddressBookEntryID, holder: IdentityPublicKey, keyVault: KeyVaultID, isTold: Bool,
        nextOffer: Timestamp, answer: String? = nil
    ) {
        self.entry = entry
        self.holder = holder
        self.keyVault = keyVault
        self.isTold = isTold
        self.nextOffer = nextOffer
        self.answer = answer
    }
}

/// An intent that announces an entry: whose verdicts say who knows it.
public struct AddressAnnouncement: Equatable, Sendable {
    public let digest: Digest
    public let entry: AddressBookEntryID
    public let keyVault: KeyVaultID
    public let change: Announcement.Change
    public let expiresAt: Timestamp

    public init(
        digest: Digest, entry: AddressBookEntryID, keyVault: KeyVaultID,
        change: Announcement.Change, expiresAt: Timestamp
    ) {
        self.digest = digest
        self.entry = entry
        self.keyVault = keyVault
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
