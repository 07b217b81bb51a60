import Algebra
import Canonical
import Chains
import Intents

/// What an installation is set to.
public struct CustodySettings: Sendable {
    public let environment: CustodyEnvironment
    public let assets: [Asset]
    /// How long holders may sign an intent, in seconds; at most 24 hours.
    public let intentLifetime: Int64
    /// How long one run may take, in seconds.
    public let runSeconds: Int64
    /// Whether webhooks may go to plain HTTP and to private addresses: for development only.
    public let allowsLocalWebhooks: Bool
    /// How often a delivery that failed is sent again, at most.
    public let webhookRetriesMost: Int
    /// Whether every signature is made with setups of its own run, which takes about as much as a
    /// key generation.
    public let freshSetups: Bool
    /// SHA-256 of the policy that is applied; there is none yet but the address book.
    public let policy: Digest

    public init(
        environment: CustodyEnvironment, assets: [Asset], intentLifetime: Int64 = 3600,
        runSeconds: Int64 = 30, allowsLocalWebhooks: Bool = false,
        webhookRetriesMost: Int = DeliverySchedule.usualPauses.count, freshSetups: Bool = false
    ) {
        self.environment = environment
        self.assets = assets
        self.intentLifetime = intentLifetime
        self.runSeconds = runSeconds
        self.allowsLocalWebhooks = allowsLocalWebhooks
        self.webhookRetriesMost = webhookRetriesMost
        self.freshSetups = freshSetups
        policy = .sha256(Array("quorumkeep/policy/address-book/v1".utf8))
    }

    public func asset(_ id: String) -> Asset? { assets.first { $0.id == id } }

    /// The asset that is kept here of a coin or token; nil if it is none of ours.
    public func asset(_ id: AssetID) -> Asset? { assets.first { $0.asset == id } }

    /// For who asks for one that is not here.
    var assetNames: String { Self.names(assets.map(\.id)) }
    var networkNames: String { Self.names(Set(assets.map(\.asset.chain.text)).sorted()) }

    private static func names(_ names: [String]) -> String {
        names.prefix(20).joined(separator: ", ") + (names.count > 20 ? " and others" : "")
    }

    /// The contracts of the tokens that are kept here.
    public func tokens(on chain: ChainID) -> [EVMAddress] {
        assets.filter { $0.asset.chain == chain }.compactMap(\.asset.contract)
    }
}

/// The key under which the platform keeps API and webhook secrets: apart from the database.
public final class PlatformVaultKey: Sendable {
    let key: SealingKey
    public init(_ key: consuming SealingKey) { self.key = key }
}

/// The rules of the business: every face and every worker goes through here.
///
/// A verb of `Books` is one piece of a transaction; `read` and `write` give them a transaction.
public struct Bookkeeper: Sendable {
    public let database: any CustodyDatabase
    public let settings: CustodySettings
    public let bells: Bells
    private let vaultKey: PlatformVaultKey
    private let events: any EventWriter
    private let clock: @Sendable () -> Timestamp

    public init(
        database: any CustodyDatabase, settings: CustodySettings, vaultKey: PlatformVaultKey,
        events: any EventWriter, clock: @escaping @Sendable () -> Timestamp
    ) {
        self.database = database
        self.settings = settings
        self.vaultKey = vaultKey
        self.events = events
        self.clock = clock
        bells = Bells()
    }

    public var now: Timestamp { clock() }

    public func read<Result: Sendable>(
        as actor: Actor = .worker, _ body: @escaping @Sendable (Books) throws -> Result
    ) async throws -> Result {
        let (settings, vaultKey, events, now) = (settings, vaultKey, events, clock())
        return try await database.read { store in
            try body(
                Books(
                    store: store, actor: actor, settings: settings, vaultKey: vaultKey,
                    events: events, now: now))
        }
    }

    public func write<Result: Sendable>(
        as actor: Actor = .worker, _ body: @escaping @Sendable (Books) throws -> Result
    ) async throws -> Result {
        let (settings, vaultKey, events, clock) = (settings, vaultKey, events, clock)
        let (result, signing, broadcasting, deliveries) = try await database.write { store in
            let books = Books(
                store: store, actor: actor, settings: settings, vaultKey: vaultKey, events: events,
                now: clock())
            let result = try body(books)
            let stirred = books.stirred
            return (result, stirred.signing, stirred.broadcasting, stirred.deliveries)
        }
        if signing { bells.signing.ring() }
        if broadcasting { bells.broadcasting.ring() }
        if deliveries { bells.deliveries.ring() }
        return result
    }
}

/// Wakes workers when there may be something to do; they look by themselves now and then as well,
/// so a ring that is lost loses no work.
public struct Bells: Sendable {
    public let signing = Bell()
    public let broadcasting = Bell()
    public let deliveries = Bell()
}

/// One worker's bell. Ringing while it is awake wakes it once more.
public struct Bell: Sendable {
    public let rings: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (rings, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    public func ring() { continuation.yield() }
}

/// Custody's verbs within one transaction.
public struct Books {
    public let store: any CustodyStore
    let actor: Actor
    public let settings: CustodySettings
    let vaultKey: PlatformVaultKey
    let events: any EventWriter
    public let now: Timestamp
    /// Which workers have something to do when this is committed, and which vaults it touched.
    let stirred = Stirred()

    final class Stirred {
        var signing = false
        var broadcasting = false
        var vaults: [VaultID] = []
        var deliveries = false
    }

    /// The same read, for a caller that was found out within it.
    public func acting(as actor: Actor) -> Books {
        Books(
            store: store, actor: actor, settings: settings, vaultKey: vaultKey, events: events,
            now: now)
    }

    func newID<ID: EntityID>(_ type: ID.Type = ID.self) -> ID {
        var random = SystemRandom()
        return ID(random: random.bytes(ID.byteCount))
    }

    /// Records an event, and queues its delivery to the tenant's endpoints.
    func record(_ event: DomainEvent, of tenant: TenantID) throws {
        if event.type != nil { try enter(event, of: tenant) }
        try tell(event, of: tenant)
    }

    /// Records an event for the tenant's own endpoint, if it has one or not.
    @discardableResult
    func enter(_ event: DomainEvent, of tenant: TenantID) throws -> EventID {
        guard let type = event.type else { throw LedgerFault.impossible("event without a type") }
        let frame = EventFrame(
            id: newID(), type: type, createdAt: now,
            sequence: try store.nextSequence(of: event.resource, tenant: tenant), tenant: tenant,
            environment: settings.environment)
        let body = events.body(of: event, in: frame)
        let hasEndpoint = try store.endpoint(of: tenant) != nil
        try store.insert(
            event: frame, .custody, resource: event.resource, body: body, deliver: hasEndpoint)
        if hasEndpoint { stirred.deliveries = true }
        return frame.id
    }

    func asset(_ id: String) throws -> Asset {
        guard let asset = settings.asset(id) else {
            throw Refusal(
                .unknownAsset, field: "assetId",
                "There is no asset '\(id)' here; there are \(settings.assetNames).")
        }
        return asset
    }
}
