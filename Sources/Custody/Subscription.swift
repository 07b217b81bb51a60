import Intents

/// An endpoint of the MPC administration face: it is told of the types of events that it asked for,
/// each by itself and in no order.
public struct Subscription: Equatable, Sendable {
    public static let urlMost = 500
    public static let noteMost = 500
    /// Most that a tenant has at a time.
    public static let activeMost = 10

    public let id: SubscriptionID
    public let tenant: TenantID
    public let url: String
    /// As the face calls them, each once.
    public var types: [String]
    public var note: String?
    /// What was active once and is not any more stays so.
    public var isActive: Bool
    public let createdAt: Timestamp

    public init(
        id: SubscriptionID, tenant: TenantID, url: String, types: [String], note: String?,
        isActive: Bool = true, createdAt: Timestamp
    ) {
        self.id = id
        self.tenant = tenant
        self.url = url
        self.types = types
        self.note = note
        self.isActive = isActive
        self.createdAt = createdAt
    }
}

public struct SubscriptionFilter: Equatable, Sendable {
    public let isActive: Bool?
    public let type: String?

    public init(isActive: Bool? = nil, type: String? = nil) {
        self.isActive = isActive
        self.type = type
    }
}
