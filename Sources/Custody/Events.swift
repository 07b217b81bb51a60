import Identity
import Intents

/// Something that a tenant hears of, recorded in the same transaction as what happened.
public enum DomainEvent: Sendable {
    case transactionCreated(TransactionView)
    case transactionStatusUpdated(TransactionView)
    case walletCreated(Wallet, Balance, Asset)
    case balanceUpdated(Wallet, Balance, Asset)
    case vaultStatusUpdated(Vault)
    case addressBookEntryCreated(AddressBookEntry)
    case addressBookEntryActivated(AddressBookEntry)
    case addressBookEntryDeleted(AddressBookEntry)
    case securityAlert(SecurityAlert)
    case keyVaultCreated(KeyVault)
    case keyVaultUpdated(KeyVault)
    case vaultCreated(Vault)
    /// Its name was changed.
    case vaultUpdated(Vault)
    case addressCreated(WalletAddress, Vault)
    case keyShareRequestCreated(KeyShareRequest)
    case keyShareRequestStatusUpdated(KeyShareRequest)
    /// A tenant tries its endpoint; a resource of its own, so that it waits for nothing.
    case webhookTest(EventID)

    /// All that `type` may be. What other endpoints are told of is named by their face.
    public static let types = [
        "transaction.created", "transaction.status.updated", "wallet.created", "balance.updated",
        "vault.status.updated", "addressbook.entry.created", "addressbook.entry.activated",
        "addressbook.entry.deleted", "security.alert", "webhook.test",
    ]

    /// As the tenant's own endpoint knows it; nil of what it is not told.
    public var type: String? {
        switch self {
        case .transactionCreated: "transaction.created"
        case .transactionStatusUpdated: "transaction.status.updated"
        case .walletCreated: "wallet.created"
        case .balanceUpdated: "balance.updated"
        case .vaultStatusUpdated: "vault.status.updated"
        case .addressBookEntryCreated: "addressbook.entry.created"
        case .addressBookEntryActivated: "addressbook.entry.activated"
        case .addressBookEntryDeleted: "addressbook.entry.deleted"
        case .securityAlert: "security.alert"
        case .webhookTest: "webhook.test"
        case .keyVaultCreated, .keyVaultUpdated, .vaultCreated, .vaultUpdated, .addressCreated,
            .keyShareRequestCreated, .keyShareRequestStatusUpdated:
            nil
        }
    }

    /// What the event is about: events of one resource are delivered in order.
    public var resource: [UInt8] {
        switch self {
        case .transactionCreated(let view), .transactionStatusUpdated(let view):
            view.transaction.id.bytes
        case .walletCreated(let wallet, _, _), .balanceUpdated(let wallet, _, _): wallet.id.bytes
        case .vaultStatusUpdated(let vault), .vaultCreated(let vault), .vaultUpdated(let vault):
            vault.id.bytes
        case .keyVaultCreated(let keyVault), .keyVaultUpdated(let keyVault): keyVault.id.bytes
        case .addressCreated(let address, _): Array(address.text.utf8)
        case .keyShareRequestCreated(let request), .keyShareRequestStatusUpdated(let request):
            Array(request.id.text.utf8)
        case .addressBookEntryCreated(let entry), .addressBookEntryActivated(let entry),
            .addressBookEntryDeleted(let entry):
            entry.id.bytes
        case .securityAlert(let alert): Array(alert.key.utf8)
        case .webhookTest(let id): id.bytes
        }
    }
}

/// What an event's delivery carries beside its data.
public struct EventFrame: Sendable {
    public let id: EventID
    public let type: String
    public let createdAt: Timestamp
    /// Gap-free per resource, from 1.
    public let sequence: Int64
    public let tenant: TenantID
    public let environment: CustodyEnvironment
}

/// What endpoints of another form than `custody` are told of an event.
public struct Notice: Sendable {
    /// As their face calls it.
    public let type: String
    /// The thing that it is about, as it was then.
    public let data: [UInt8]

    public init(type: String, data: [UInt8]) {
        self.type = type
        self.data = data
    }
}

/// Writes events as their receivers read them. A face implements it; what it writes of the content
/// is stored with the event, so that every try of a delivery sends the same.
public protocol EventWriter: Sendable {
    /// What an endpoint of the form `custody` is sent.
    func body(of event: DomainEvent, in frame: EventFrame) -> [UInt8]
    /// What endpoints of the form `mpcAdmin` are told: nothing, or one thing or more.
    func notices(of event: DomainEvent, _ books: Books) throws -> [Notice]
    /// What one of them is sent in a try.
    func body(of event: RecordedEvent, to url: String, retriesLeft: Int) throws -> [UInt8]
    /// What the server of an API key is asked about a transaction.
    func question(about transaction: TransactionView, _ books: Books) throws -> [UInt8]
}
