import Identity
import Intents

/// A key by which a tenant's back end calls. Its secret is kept sealed.
public struct APIKey: AccessKey, Equatable {
    public static let rangesMost = 64
    public static let vaultsMost = 256
    /// How long a replaced secret may go on, in seconds.
    public static let overlapMost: Int64 = 7 * 86_400

    public enum Status: String, Sendable, CaseIterable {
        case active = "Active"
        case expired = "Expired"
        case revoked = "Revoked"
    }

    /// A secret that was replaced, and until when it counts as well.
    public struct Previous: Equatable, Sendable {
        public let sealedSecret: [UInt8]
        public let until: Timestamp

        public init(sealedSecret: [UInt8], until: Timestamp) {
            self.sealedSecret = sealedSecret
            self.until = until
        }
    }

    public let id: APIKeyID
    public let tenant: TenantID
    public let name: String
    public let scopes: Set<Scope>
    /// Where it may be used from; nil for anywhere.
    public let ranges: [AddressRange]?
    /// The vaults that it may see and touch; nil for all of its tenant's.
    public let vaults: Set<VaultID>?
    public internal(set) var sealedSecret: [UInt8]
    public internal(set) var previous: Previous?
    public let createdAt: Timestamp
    public let expiresAt: Timestamp?
    public internal(set) var revokedAt: Timestamp?
    public let lastUsedAt: Timestamp?

    public init(
        id: APIKeyID, tenant: TenantID, name: String, scopes: Set<Scope>, ranges: [AddressRange]?,
        vaults: Set<VaultID>?, sealedSecret: [UInt8], previous: Previous? = nil,
        createdAt: Timestamp, expiresAt: Timestamp?, revokedAt: Timestamp? = nil,
        lastUsedAt: Timestamp? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.name = name
        self.scopes = scopes
        self.ranges = ranges
        self.vaults = vaults
        self.sealedSecret = sealedSecret
        self.previous = previous
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
        self.lastUsedAt = lastUsedAt
    }

    /// In what the other key exceeds this one: it may do what this one may not, or from elsewhere,
    /// or for longer. Nil if in nothing.
    func exceeded(by other: APIKey) -> String? {
        if !other.scopes.isSubset(of: scopes) { return "scopes" }
        if let vaults, !(other.vaults?.isSubset(of: vaults) ?? false) { return "vaults" }
        if let ranges {
            let isWithin = other.ranges?.allSatisfy { range in
                ranges.contains { $0.contains(range) }
            }
            guard isWithin ?? false else { return "cidrs" }
        }
        if let expiresAt, other.expiresAt.map({ $0 > expiresAt }) ?? true { return "expiresAt" }
        return nil
    }
}

/// What limits the use of a key, of whichever kind.
public protocol AccessKey: Sendable {
    /// Where it may be used from; nil for anywhere.
    var ranges: [AddressRange]? { get }
    var expiresAt: Timestamp? { get }
    var revokedAt: Timestamp? { get }
}

extension AccessKey {
    public func status(at now: Timestamp) -> APIKey.Status {
        if revokedAt != nil { return .revoked }
        return expiresAt.map { $0 <= now } ?? false ? .expired : .active
    }

    /// Whether it may be used from the address; one that is not known is no address of a list.
    public func admits(_ address: IPAddress?) -> Bool {
        guard let ranges else { return true }
        return address.map { address in ranges.contains { $0.contains(address) } } ?? false
    }
}

/// A key of the MPC administration face: the platform knows its public half only.
public struct PublicAPIKey: AccessKey, Equatable {
    /// Most nonces of a key that are no times. They are remembered for ever, at some 300 bytes.
    public static let wordsMost = 100_000

    public let id: APIPublicKey
    public let tenant: TenantID
    public let name: String
    public let permissions: Set<Permission>
    public let ranges: [AddressRange]?
    /// Where it is asked about transactions that the key starts; nil if they need no answer.
    public let callbackURL: String?
    public let createdAt: Timestamp
    public let expiresAt: Timestamp?
    public internal(set) var revokedAt: Timestamp?
    public let lastUsedAt: Timestamp?

    public init(
        id: APIPublicKey, tenant: TenantID, name: String, permissions: Set<Permission>,
        ranges: [AddressRange]?, callbackURL: String? = nil, createdAt: Timestamp,
        expiresAt: Timestamp?, revokedAt: Timestamp? = nil, lastUsedAt: Timestamp? = nil
    ) {
        self.callbackURL = callbackURL
        self.id = id
        self.tenant = tenant
        self.name = name
        self.permissions = permissions
        self.ranges = ranges
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
        self.lastUsedAt = lastUsedAt
    }
}
