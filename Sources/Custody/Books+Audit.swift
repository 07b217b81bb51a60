import Identity
import Intents

/// One line of the audit trail: who did what, where and when. It is never changed or removed.
public struct AuditEntry: Equatable, Sendable {
    /// Nil where it is about the installation as a whole.
    public let tenant: TenantID?
    public let at: Timestamp
    /// A key's id, or `operator`.
    public let actor: String
    /// The endpoint's name, the command's, or the alert's kind.
    public let action: String
    /// What it was done to.
    public let subjects: [String]
    /// The vaults that it touched.
    public let vaults: [VaultID]
    /// What it set, by the names of the request's members.
    public let changes: [String: String]
    public let address: String?
    public let request: String?

    public init(
        tenant: TenantID?, at: Timestamp, actor: String, action: String, subjects: [String],
        vaults: [VaultID], changes: [String: String], address: String?, request: String?
    ) {
        self.tenant = tenant
        self.at = at
        self.actor = actor
        self.action = action
        self.subjects = subjects
        self.vaults = vaults
        self.changes = changes
        self.address = address
        self.request = request
    }
}

/// Which lines of the audit trail are asked for.
public struct AuditFilter: Equatable, Sendable {
    public let vault: VaultID?
    /// At this time or later; and before that one.
    public let from: Timestamp?
    public let to: Timestamp?

    public init(vault: VaultID?, from: Timestamp?, to: Timestamp?) {
        self.vault = vault
        self.from = from
        self.to = to
    }
}

/// A call with a right signature from where, or to what, its key is not for.
public struct SecurityAlert: Equatable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case addressNotAllowed = "AddressNotAllowed"
        case vaultNotAllowed = "VaultNotAllowed"
    }

    public let kind: Kind
    /// The key's id.
    public let key: String
    public let address: String?
    public let request: String
}

/// What was done, for who has to answer for it.
extension Books {
    /// Notes what this transaction does, with the vaults that it has looked up.
    public func audit(
        _ action: String, of tenant: TenantID?, _ subjects: [String],
        changes: [String: String] = [:]
    ) throws {
        try store.insert(
            AuditEntry(
                tenant: tenant, at: now, actor: actor.text, action: action, subjects: subjects,
                vaults: stirred.vaults, changes: changes, address: actor.origin?.address?.text,
                request: actor.origin?.request))
    }

    /// Notes that the asking key was used from where or for what it may not be, and tells its
    /// tenant.
    public func alert(_ kind: SecurityAlert.Kind) throws {
        guard let tenant = actor.tenant, let origin = actor.origin else { return }
        try audit(kind.rawValue, of: tenant, [actor.text])
        try record(
            .securityAlert(
                SecurityAlert(
                    kind: kind, key: actor.text, address: origin.address?.text,
                    request: origin.request)), of: tenant)
    }
}

/// How often a tenant has called an endpoint on a day.
public struct UsageCount: Equatable, Sendable {
    public let tenant: TenantID
    /// Days since 1970, UTC.
    public let day: Int64
    public let endpoint: String
    public let count: Int64

    public init(tenant: TenantID, day: Int64, endpoint: String, count: Int64) {
        self.tenant = tenant
        self.day = day
        self.endpoint = endpoint
        self.count = count
    }

    /// The day in ISO 8601.
    public var date: String { Self.date(day) }

    public static func date(_ day: Int64) -> String {
        String(Timestamp(milliseconds: day * 86_400_000).text.prefix(10))
    }

    /// The day that a text such as `2026-01-31` names.
    public static func day(_ text: String) -> Int64? {
        Timestamp(text: "\(text)T00:00:00Z")?.day
    }
}

extension Timestamp {
    /// Days since 1970, UTC.
    public var day: Int64 { seconds / 86_400 }
}

extension Books {
    /// Most days that are counted up at once.
    public static let usageDaysMost: Int64 = 366

    /// Counts of the days from the one to the other, both included: the last 30 if left out.
    public func usage(of tenant: TenantID, from: Int64?, to: Int64?) throws -> [UsageCount] {
        let to = to ?? now.day
        let from = from ?? to - 29
        guard from <= to, to - from < Self.usageDaysMost else {
            throw Refusal(
                .invalid, field: "from",
                "'from' must be no later than 'to', and at most \(Self.usageDaysMost) days before.")
        }
        return try store.usage(of: tenant, days: from...to)
    }
}
