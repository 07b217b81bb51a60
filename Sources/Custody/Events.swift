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
    /// A tenant tries its endpoint; a resource of its own, so that it waits for nothing.
    case webhookTest(EventID)

    /// All that `type` may be.
    public static let types = [
        "transaction.created", "transaction.status.updated", "wallet.created", "balance.updated",
        "vault.status.updated", "addressbook.entry.created", "addressbook.entry.activated",
        "addressbook.entry.deleted", "security.alert", "webhook.test",
    ]

    public var type: String {
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
        }
    }

    /// What the event is about: events of one resource are delivered in order.
    public var resource: [UInt8] {
        switch self {
        case .transactionCreated(let view), .transactionStatusUpdated(let view):
            view.transaction.id.bytes
        case .walletCreated(let wallet, _, _), .balanceUpdated(let wallet, _, _): wallet.id.bytes
        case .vaultStatusUpdated(let vault): vault.id.bytes
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

/// Writes an event as its receivers read it. A face implements it; the bytes are stored with the
/// event, so that every try of a delivery sends the same.
public protocol EventWriter: Sendable {
    func body(of event: DomainEvent, in frame: EventFrame) -> [UInt8]
}
