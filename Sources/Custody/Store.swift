import Algebra
import Canonical
import Chains
import Identity
import Intents
import KeyGroups

/// Opens transactions on the platform's database.
public protocol CustodyDatabase: Sendable {
    /// Runs `body` on a snapshot.
    func read<Result: Sendable>(
        _ body: @escaping @Sendable (any CustodyStore) throws -> Result
    ) async throws -> Result

    /// Runs `body` in a transaction that is on disk when this returns, or, if it throws, has left
    /// nothing. Concurrent writers share one commit; each can fail alone.
    func write<Result: Sendable>(
        _ body: @escaping @Sendable (any CustodyStore) throws -> Result
    ) async throws -> Result
}

/// What custody keeps, within one transaction. Lookups that name a tenant find nothing of another.
public protocol CustodyStore {
    /// Counted anew at each call, from what the indices hold.
    func figures() throws -> InstallationFigures

    // Tenants and their keys.
    func insert(_ tenant: Tenant) throws
    func update(_ tenant: Tenant) throws
    func tenant(_ id: TenantID) throws -> Tenant?
    func tenants() throws -> [Tenant]
    func insert(_ project: Project) throws
    /// Stores its name.
    func update(_ project: Project) throws
    func project(_ id: ProjectID, of tenant: TenantID) throws -> Project?
    func projects(of tenant: TenantID, _ page: PageRequest) throws -> Page<Project>
    func insert(_ keyVault: KeyVault) throws
    /// Stores its name.
    func update(_ keyVault: KeyVault) throws
    func keyVault(_ id: KeyVaultID) throws -> KeyVault?
    /// The oldest first.
    func keyVaults(of tenant: TenantID) throws -> [KeyVault]
    func keyVaults(
        of tenant: TenantID, _ kind: KeyVault.Kind?, project: ProjectID?, _ page: PageRequest
    ) throws -> Page<KeyVault>
    /// Takes the place of what was kept of the key.
    func put(_ key: VaultKey) throws
    func key(_ scheme: SignatureScheme, of keyVault: KeyVaultID) throws -> VaultKey?
    func keys(of keyVault: KeyVaultID) throws -> [VaultKey]
    func insert(_ group: HolderGroup) throws
    func update(_ group: HolderGroup) throws
    func group(_ id: GroupID) throws -> HolderGroup?
    /// Without those that were taken away.
    func groups(of keyVault: KeyVaultID) throws -> [HolderGroup]
    func groups(of record: KeyShareHolderGroupID) throws -> [HolderGroup]
    func retireGroups(of record: KeyShareHolderGroupID) throws
    func insert(_ group: KeyShareHolderGroup) throws
    /// Stores its kind and holders, and that it was taken away.
    func update(_ group: KeyShareHolderGroup) throws
    /// Nil if it was taken away.
    func holderGroup(_ id: KeyShareHolderGroupID) throws -> KeyShareHolderGroup?
    func holderGroups(of keyVault: KeyVaultID) throws -> [KeyShareHolderGroup]
    func holderGroups(
        of keyVault: KeyVaultID, _ kind: GroupKind?, _ page: PageRequest
    ) throws -> Page<KeyShareHolderGroup>
    func insert(_ request: KeyShareRequest) throws
    /// Stores its status and failure.
    func update(_ request: KeyShareRequest) throws
    func keyShareRequest(_ id: KeyShareRequestID) throws -> KeyShareRequest?
    func keyShareRequests(
        for target: KeyShareHolderGroupID, _ page: PageRequest
    ) throws -> Page<KeyShareRequest>
    func openKeyShareRequests() throws -> [KeyShareRequest]
    func countSignature(by group: GroupID) throws
    /// Active groups whose epoch began before this time, or made so many signatures.
    func groups(activeBefore time: Timestamp, orSignatures count: Int) throws -> [HolderGroup]
    func insert(_ ceremony: Ceremony) throws
    func update(_ ceremony: Ceremony) throws
    func ceremony(_ id: CeremonyID) throws -> Ceremony?
    func openCeremonies() throws -> [Ceremony]
    func ceremonies(of group: GroupID) throws -> [Ceremony]
    func ceremonies(of request: KeyShareRequestID) throws -> [Ceremony]
    /// How many of its intents ended after a run of theirs had begun.
    func failedRuns(of ceremony: CeremonyID) throws -> Int
    /// Replaces the group's check-up.
    func put(_ checkUp: CheckUp) throws
    func checkUp(of group: GroupID) throws -> CheckUp?
    func checkUps(since: Timestamp) throws -> [CheckUp]
    func removeBannedPairs(in group: GroupID) throws
    func insert(_ holder: RegisteredHolder) throws
    func holders() throws -> [RegisteredHolder]
    /// Notes that a holder's line stands since then, or that there is none.
    func setOnline(_ holder: IdentityPublicKey, since: Timestamp?) throws
    /// At start nobody is online.
    func setAllOffline() throws
    /// Makes this one the platform's own, and no other.
    func setOwn(_ holder: IdentityPublicKey) throws
    func insert(_ key: APIKey) throws
    /// Stores the key's secrets, and that it is revoked.
    func update(_ key: APIKey) throws
    func apiKey(_ id: APIKeyID) throws -> APIKey?
    func apiKeys(of tenant: TenantID, _ page: PageRequest) throws -> Page<APIKey>
    func setUsed(_ key: APIKeyID, at: Timestamp) throws
    func insert(_ key: PublicAPIKey) throws
    /// Stores that the key is revoked.
    func update(_ key: PublicAPIKey) throws
    func publicAPIKey(_ id: APIPublicKey) throws -> PublicAPIKey?
    func publicAPIKeys(of tenant: TenantID, _ page: PageRequest) throws -> Page<PublicAPIKey>
    func setUsed(_ key: APIPublicKey, at: Timestamp) throws

    // Audit and usage.
    func insert(_ entry: AuditEntry) throws
    func audit(
        of tenant: TenantID, matching filter: AuditFilter, _ page: PageRequest
    ) throws -> Page<AuditEntry>
    /// Adds to the count of the day and endpoint.
    func add(_ usage: UsageCount) throws
    func usage(of tenant: TenantID, days: ClosedRange<Int64>) throws -> [UsageCount]

    // Vaults, wallets, addresses.
    func insert(_ vault: Vault) throws
    func update(_ vault: Vault) throws
    func vault(_ id: VaultID, of tenant: TenantID) throws -> Vault?
    func vault(externalID: String, of tenant: TenantID) throws -> Vault?
    func vaults(
        of tenant: TenantID, matching filter: VaultFilter, _ page: PageRequest
    ) throws -> Page<Vault>
    func disabledAssets(of tenant: TenantID) throws -> Set<String>
    func set(_ asset: String, enabled: Bool, for tenant: TenantID) throws
    func nextVaultIndex(under keyVault: KeyVaultID) throws -> UInt32
    func insert(_ wallet: Wallet) throws
    func setStatus(_ status: Wallet.Status, of wallet: WalletID) throws
    func wallet(_ id: WalletID) throws -> Wallet?
    func wallet(_ id: WalletID, of tenant: TenantID) throws -> Wallet?
    func wallet(in vault: VaultID, asset: String) throws -> Wallet?
    func wallets(in vault: VaultID, _ page: PageRequest) throws -> Page<Wallet>
    func nextAddressNumber(of vault: VaultID, coin: UInt32) throws -> UInt32
    func insert(_ address: WalletAddress) throws
    /// The vault's on these chains; of them those that are named, if any are.
    func addresses(
        of vault: VaultID, on chains: [ChainID], named names: [String]?, _ page: PageRequest
    ) throws -> Page<WalletAddress>
    func address(_ text: String, on chain: ChainID) throws -> WalletAddress?
    func addresses(
        of vault: VaultID, on chain: ChainID, _ page: PageRequest
    ) throws -> Page<WalletAddress>
    /// The vault's address that its wallets on the chain show.
    func firstAddress(of vault: VaultID, on chain: ChainID) throws -> WalletAddress?
    /// The key vault's addresses, or the vault's, that hold as much; the fullest of the asset
    /// first.
    func addresses(
        under keyVault: KeyVaultID, in vault: VaultID?, holding need: SourceNeed, most: Int
    ) throws -> [WalletAddress]
    func setNextNonce(_ nonce: UInt64, of address: WalletAddress) throws
    /// What the chain says that an address holds.
    func funds(of address: String, asset: AssetID) throws -> Amount
    func setFunds(_ funds: Amount, of address: WalletAddress, asset: AssetID) throws

    // Ledger.
    /// False if an entry with this key stands already.
    func post(_ entry: LedgerEntry) throws -> Bool
    func balance(of account: LedgerAccount) throws -> Amount
    /// Of the accounts that the wallet has so far.
    func balances(of wallet: Wallet) throws -> [LedgerAccount.Role: Amount]
    /// How many entries of a transaction have a key that begins so.
    func entryCount(of transaction: TransactionID, prefix: String) throws -> Int
    /// The assets that have wallets.
    func assetsInUse() throws -> Set<String>
    func ledgerSums() throws -> [LedgerSum]

    // Transactions.
    func insert(_ transaction: Transaction) throws
    func update(_ transaction: Transaction) throws
    func transaction(_ id: TransactionID) throws -> Transaction?
    func transaction(_ id: TransactionID, of tenant: TenantID) throws -> Transaction?
    func transaction(
        externalID: String, kind: Transaction.Kind, of tenant: TenantID
    ) throws -> Transaction?
    /// Consolidations are not among them.
    func transactions(
        of tenant: TenantID, matching filter: TransactionFilter, _ page: PageRequest
    ) throws -> Page<Transaction>
    /// The transfers that gather what a withdrawal needs, oldest first.
    func consolidations(of withdrawal: TransactionID) throws -> [Transaction]
    func transactions(in status: Transaction.Status, kind: Transaction.Kind) throws -> [Transaction]
    func append(_ entry: TimelineEntry, to transaction: TransactionID) throws
    func timeline(of transaction: TransactionID) throws -> [TimelineEntry]

    // Address book.
    func insert(_ entry: AddressBookEntry) throws
    func update(_ entry: AddressBookEntry) throws
    func addressBookEntry(_ id: AddressBookEntryID, of tenant: TenantID) throws -> AddressBookEntry?
    func addressBookEntry(
        network: String, address: String, of tenant: TenantID
    ) throws -> AddressBookEntry?
    func addressBookEntry(externalID: String, of tenant: TenantID) throws -> AddressBookEntry?
    func addressBookEntry(_ id: AddressBookEntryID) throws -> AddressBookEntry?
    func addressBook(
        of tenant: TenantID, matching filter: AddressBookFilter, _ page: PageRequest
    ) throws -> Page<AddressBookEntry>
    /// Pending entries whose time has come, the oldest first.
    func entriesToActivate(at: Timestamp, most: Int) throws -> [AddressBookEntry]
    /// Withdrawals to the address that are not signed.
    func unsignedWithdrawals(to address: String, of tenant: TenantID) throws -> [Transaction]

    // What holders are told of the address book.
    /// Takes the place of what the holder was told of the entry before.
    func put(_ notice: AddressNotice) throws
    /// Has the holder told, under the key vault's key, of every entry that stands and that it was
    /// told nothing of.
    func addNotices(
        under keyVault: KeyVaultID, for holder: IdentityPublicKey, at: Timestamp) throws
    /// Has the holder told again of every entry that stands.
    func repeatNotices(
        under keyVault: KeyVaultID, for holder: IdentityPublicKey, at: Timestamp) throws
    /// Whatever the holder was not told yet is said now.
    func hastenNotices(for holder: IdentityPublicKey, at: Timestamp) throws
    /// What the holder is to be told now, at most so many with those that it has not answered since
    /// they were said. An address that was removed and entered again is said in this order.
    func dueNotices(
        for holder: IdentityPublicKey, at: Timestamp, most: Int, unansweredUntil: Timestamp
    ) throws -> [AddressNotice]
    func notices(of entry: AddressBookEntryID) throws -> [AddressNotice]
    func insert(_ announcement: AddressAnnouncement) throws
    func addressAnnouncement(_ intent: Digest) throws -> AddressAnnouncement?
    func forgetAnnouncements(before: Timestamp) throws

    // Signing.
    func insert(_ request: SigningRequest) throws
    func update(_ request: SigningRequest) throws
    func signingRequest(_ intent: Digest) throws -> SigningRequest?
    func signingRequests(of transaction: TransactionID) throws -> [SigningRequest]
    func signingRequests(of ceremony: CeremonyID) throws -> [SigningRequest]
    func signingRequests(in states: [SigningRequest.State]) throws -> [SigningRequest]
    /// Keeps a verdict beside the holder's others on the same intent; one of each kind.
    func put(_ verdict: SignedVerdict) throws
    func verdicts(on intent: Digest) throws -> [SignedVerdict]
    func insert(_ run: SigningRun) throws
    func update(_ run: SigningRun) throws
    func runs(of intent: Digest) throws -> [SigningRun]
    func run(_ descriptor: Digest) throws -> SigningRun?
    /// Remembers that two holders do not sign together any more, as one of them says.
    func insertBannedPair(_ one: IdentityPublicKey, _ other: IdentityPublicKey, in group: GroupID)
        throws
    func bannedPairs(in group: GroupID) throws -> [Set<IdentityPublicKey>]

    func insert(_ replacement: Replacement) throws
    func update(_ replacement: Replacement) throws
    func replacements(of transaction: TransactionID) throws -> [Replacement]
    func replacement(by intent: Digest) throws -> Replacement?
    func replacement(externalID: String, of tenant: TenantID) throws -> Replacement?
    /// Those of which no intent is made yet, oldest first.
    func askedReplacements() throws -> [Replacement]

    // Chains.
    func insert(_ outgoing: OutgoingTransfer) throws
    func update(_ outgoing: OutgoingTransfer) throws
    func outgoing(_ hash: Digest, on chain: ChainID) throws -> OutgoingTransfer?
    func outgoing(of transaction: TransactionID) throws -> [OutgoingTransfer]
    /// Every transfer of the source that is not final: broadcasting ones, or those with the nonce.
    func outgoing(from source: String, nonce: UInt64, on chain: ChainID) throws
        -> [OutgoingTransfer]
    func broadcasting(from source: String, on chain: ChainID) throws -> [OutgoingTransfer]
    func outgoingToBroadcast(on chain: ChainID, before: Timestamp) throws -> [OutgoingTransfer]
    func chainState(_ chain: ChainID) throws -> ChainState?
    func put(_ state: ChainState) throws
    func insert(_ block: FollowedBlock, on chain: ChainID) throws
    func followedBlock(_ number: UInt64, on chain: ChainID) throws -> FollowedBlock?
    func forgetBlocks(on chain: ChainID, from number: UInt64) throws
    func forgetBlocks(on chain: ChainID, below number: UInt64) throws
    func insert(_ effect: ChainEffect) throws
    func effects(ofBlock hash: Digest, on chain: ChainID) throws -> [ChainEffect]
    func removeEffects(ofBlock hash: Digest, on chain: ChainID) throws
    func insert(deposit transaction: TransactionID, _ place: PaymentPlace) throws
    func deposit(at place: PaymentPlace) throws -> TransactionID?

    // Idempotency and replay.
    func storedAnswer(_ key: String, of caller: APIKeyID) throws -> StoredAnswer?
    func insert(_ answer: StoredAnswer, key: String, of caller: APIKeyID) throws
    /// False if the signature was seen in its window already.
    func claim(signature: [UInt8], of caller: APIKeyID, until: Timestamp) throws -> Bool
    /// False if the key used the nonce already.
    func claim(nonce: String, of caller: APIPublicKey, until: Timestamp) throws -> Bool
    /// Counts a nonce of the key that is no time.
    ///
    /// - Returns: how many there were, with this one.
    func countWord(of key: APIPublicKey) throws -> Int
    /// Forgets what is too old to matter.
    func purge(answersBefore: Timestamp, signaturesBefore: Timestamp) throws

    // Events.
    func nextSequence(of resource: [UInt8], tenant: TenantID) throws -> Int64
    /// Events of the form `custody` are delivered in order.
    func insert(
        event frame: EventFrame, _ form: DeliveryForm, resource: [UInt8], body: [UInt8],
        deliver: Bool) throws
    func setEndpoint(_ endpoint: WebhookEndpoint) throws
    func removeEndpoint(of tenant: TenantID) throws -> Bool
    func endpoint(of tenant: TenantID) throws -> WebhookEndpoint?
    func insert(_ subscription: Subscription) throws
    /// Stores its types and note, and that it has ended; then nothing that waits for it is sent.
    func update(_ subscription: Subscription) throws
    func subscription(_ id: SubscriptionID, of tenant: TenantID) throws -> Subscription?
    /// Those that are active.
    func subscriptions(of tenant: TenantID) throws -> [Subscription]
    func subscriptions(
        of tenant: TenantID, matching filter: SubscriptionFilter, _ page: PageRequest
    ) throws -> Page<Subscription>
    /// Notes that a transaction was built only.
    func hold(_ transaction: TransactionID) throws
    func letGo(_ transaction: TransactionID) throws
    func isHeld(_ transaction: TransactionID) throws -> Bool
    func insert(_ callback: Callback) throws
    /// Stores its state.
    func update(_ callback: Callback) throws
    func callback(_ event: EventID) throws -> Callback?
    func callback(of transaction: TransactionID) throws -> Callback?
    func callbacks(
        of tenant: TenantID, matching filter: CallbackFilter, _ page: PageRequest
    ) throws -> Page<CallbackView>
    /// What may be asked now, in the same manner as what may be sent.
    func dueCallbacks(at now: Timestamp, most: Int, ofTenantMost: Int) throws -> [DueDelivery]
    /// What may be sent now, without callbacks: of each tenant what is due longest, tenants taking
    /// turns.
    func dueDeliveries(at now: Timestamp, most: Int, ofTenantMost: Int) throws -> [DueDelivery]
    /// nil if the event is not to be tried now.
    func delivery(_ event: EventID) throws -> Delivery?
    /// Keeps an attempt, and forgets the oldest of the event if there are too many.
    func insert(_ attempt: DeliveryAttempt, of event: EventID) throws
    /// Ends an event's delivery; the next of its resource may go.
    func finish(delivery: EventID, as state: RecordedEvent.State, at now: Timestamp) throws
    func postpone(delivery: EventID, until: Timestamp) throws
    /// Has an event sent, whatever came of it before; one that is queued keeps its place.
    func redeliver(_ event: EventID, at now: Timestamp) throws
    func event(_ id: EventID, of tenant: TenantID) throws -> RecordedEvent?
    func events(
        of tenant: TenantID, matching filter: EventFilter, _ page: PageRequest
    ) throws -> Page<RecordedEvent>
    /// Oldest first.
    func attempts(of event: EventID) throws -> [DeliveryAttempt]
    /// Forgets events whose delivery has ended, with their attempts; says how many.
    func purgeEvents(before: Timestamp, most: Int) throws -> Int
}

/// Which part of a list is asked for: after a cursor or before one.
public struct PageRequest: Equatable, Sendable {
    public static let limitMost = 200
    public static let limitUsual = 50

    public enum Order: Sendable {
        case newestFirst
        case oldestFirst
    }

    public let limit: Int
    public let after: PageCursor?
    /// Read backwards from here, and shown in the list's order nevertheless.
    public let before: PageCursor?
    public let order: Order
    /// Whether the whole list is counted too.
    public let isCounted: Bool

    /// Throws unless the limit is in 1…200, and one cursor at most is given.
    public init(
        limit: Int? = nil, after: PageCursor? = nil, before: PageCursor? = nil,
        order: Order = .newestFirst, isCounted: Bool = false
    ) throws(Refusal) {
        let limit = limit ?? Self.limitUsual
        guard (1...Self.limitMost).contains(limit) else {
            throw Refusal(.invalid, field: "limit", "'limit' must be from 1 to \(Self.limitMost).")
        }
        guard after == nil || before == nil else {
            throw Refusal(.invalid, field: "before", "Only one of 'after' and 'before' is taken.")
        }
        self.limit = limit
        self.after = after
        self.before = before
        self.order = order
        self.isCounted = isCounted
    }
}

/// A place in a list, stable while others are inserted: the number that the last item got when it
/// was stored. It counts what all tenants have, so callers see it sealed.
public struct PageCursor: Equatable, Sendable {
    public let number: Int64

    public init(number: Int64) { self.number = number }
}

public struct Page<Item: Sendable>: Sendable {
    public let items: [Item]
    /// What the page after this one comes after; nil if it is the last.
    public let next: PageCursor?
    /// What the page before this one comes before; nil if it is the first.
    public let previous: PageCursor?
    /// Of the whole list, if it was to be counted.
    public let total: Int?

    public init(
        items: [Item], next: PageCursor?, previous: PageCursor? = nil, total: Int? = nil
    ) {
        self.items = items
        self.next = next
        self.previous = previous
        self.total = total
    }

    public func map<Other: Sendable>(_ transform: (Item) throws -> Other) rethrows -> Page<Other> {
        Page<Other>(
            items: try items.map(transform), next: next, previous: previous, total: total)
    }
}

public struct VaultFilter: Equatable, Sendable {
    public var keyVault: KeyVaultID?
    public var project: ProjectID?
    public var kind: KeyVault.Kind?
    /// Only these; nil for all.
    public internal(set) var within: Set<VaultID>?

    public init(
        keyVault: KeyVaultID? = nil, project: ProjectID? = nil, kind: KeyVault.Kind? = nil
    ) {
        self.keyVault = keyVault
        self.project = project
        self.kind = kind
    }
}

/// Which entries of the address book are asked for.
public struct AddressBookFilter: Equatable, Sendable {
    /// Nil for those that were not removed.
    public let status: AddressBookEntry.Status?
    public let network: String?
    public let address: String?
    public let label: String?

    public init(
        status: AddressBookEntry.Status? = nil, network: String? = nil, address: String? = nil,
        label: String? = nil
    ) {
        self.status = status
        self.network = network
        self.address = address
        self.label = label
    }
}

public struct TransactionFilter: Equatable, Sendable {
    public var wallet: WalletID?
    public var vault: VaultID?
    public var kind: Transaction.Kind?
    public var status: Transaction.Status?
    /// Only what leaves or reaches one of these vaults; nil for all.
    public internal(set) var within: Set<VaultID>?
    /// Created at this time or later; and before that one.
    public var from: Timestamp?
    public var to: Timestamp?
    public var choice: TransactionChoice

    public init(
        wallet: WalletID? = nil, vault: VaultID? = nil, kind: Transaction.Kind? = nil,
        status: Transaction.Status? = nil, from: Timestamp? = nil, to: Timestamp? = nil,
        choice: TransactionChoice = TransactionChoice()
    ) {
        self.wallet = wallet
        self.vault = vault
        self.kind = kind
        self.status = status
        self.from = from
        self.to = to
        self.choice = choice
    }
}

/// The answer that a repeated request gets.
public struct StoredAnswer: Equatable, Sendable {
    public let fingerprint: Digest
    public let status: Int
    public let body: [UInt8]
    public let at: Timestamp

    public init(fingerprint: Digest, status: Int, body: [UInt8], at: Timestamp) {
        self.fingerprint = fingerprint
        self.status = status
        self.body = body
        self.at = at
    }
}
