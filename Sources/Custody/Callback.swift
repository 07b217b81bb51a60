import Intents

/// A question to the server of the API key that started a transaction: whether it may go on. Until
/// the server has said so no holder hears of the transaction.
public struct Callback: Equatable, Sendable {
    public static let urlMost = 500

    public enum State: String, Sendable, CaseIterable {
        case waiting = "Waiting"
        case approved = "Approved"
        case denied = "Denied"
        /// It gave no answer, which is a no.
        case failed = "Failed"
        /// The transaction ended in another way before it was answered.
        case dropped = "Dropped"
    }

    /// What is sent.
    public let event: EventID
    public let tenant: TenantID
    public let transaction: TransactionID
    public let url: String
    public var state: State
    public let createdAt: Timestamp
    public var updatedAt: Timestamp

    public init(
        event: EventID, tenant: TenantID, transaction: TransactionID, url: String,
        state: State = .waiting, createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.event = event
        self.tenant = tenant
        self.transaction = transaction
        self.url = url
        self.state = state
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// A question that was decided, or that was sent in vain at least once.
public struct CallbackView: Equatable, Sendable {
    public let callback: Callback
    /// What is sent.
    public let body: [UInt8]
    /// Of the transaction.
    public let externalID: String?
    public let vault: VaultID

    public init(callback: Callback, body: [UInt8], externalID: String?, vault: VaultID) {
        self.callback = callback
        self.body = body
        self.externalID = externalID
        self.vault = vault
    }
}

/// Questions that are one of several; nil where it does not matter.
public struct CallbackFilter: Equatable, Sendable {
    public var events: [EventID]?
    public var transactions: [TransactionID]?
    public var externalIDs: [String]?
    public var vaults: [VaultID]?
    public var states: [Callback.State]?

    public init() {}
}
