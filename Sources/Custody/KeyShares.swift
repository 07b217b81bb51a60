import Algebra
import Canonical
import Intents
import KeyGroups

/// What a tenant's users' key vaults have in common.
public struct Project: Equatable, Sendable {
    public static let nameMost = 100

    public let id: ProjectID
    public let tenant: TenantID
    public var name: String
    /// Of the main groups of its key vaults.
    public let threshold: SigningThreshold
    public let createdAt: Timestamp

    public init(
        id: ProjectID, tenant: TenantID, name: String, threshold: SigningThreshold,
        createdAt: Timestamp
    ) {
        self.id = id
        self.tenant = tenant
        self.name = name
        self.threshold = threshold
        self.createdAt = createdAt
    }
}

/// A holder as one of a group, as the group's tenant named it.
public struct KeyShareHolder: Equatable, Sendable {
    public static let nameMost = 100

    public enum Kind: String, Sendable, CaseIterable {
        /// The platform's own.
        case platform = "Platform"
        /// A person's device.
        case mobile = "Mobile"
        /// A machine of the tenant's.
        case server = "Server"
    }

    public let identity: IdentityPublicKey
    public let name: String
    public let kind: Kind
    /// Whether the tenant means it to sign; no holder is kept from it.
    public let isSigner: Bool

    public init(identity: IdentityPublicKey, name: String, kind: Kind, isSigner: Bool) {
        self.identity = identity
        self.name = name
        self.kind = kind
        self.isSigner = isSigner
    }
}

/// Holders that share all keys of a key vault among them: of each key a `HolderGroup` of the
/// protocol.
public struct KeyShareHolderGroup: Equatable, Sendable {
    public let id: KeyShareHolderGroupID
    public let keyVault: KeyVaultID
    /// What it is to its tenant. The protocol's groups keep the kind that they were made with.
    public var kind: GroupKind
    public let threshold: SigningThreshold
    /// Who is to hold shares: once all keys are shared, who does.
    public var holders: [KeyShareHolder]
    public var deletedAt: Timestamp?
    public let createdAt: Timestamp

    public init(
        id: KeyShareHolderGroupID, keyVault: KeyVaultID, kind: GroupKind,
        threshold: SigningThreshold, holders: [KeyShareHolder], deletedAt: Timestamp? = nil,
        createdAt: Timestamp
    ) {
        self.id = id
        self.keyVault = keyVault
        self.kind = kind
        self.threshold = threshold
        self.holders = holders
        self.deletedAt = deletedAt
        self.createdAt = createdAt
    }
}

/// A group with what is known of it now.
public struct KeyShareHolderGroupView: Equatable, Sendable {
    public enum State: String, Sendable {
        /// Not all keys are shared yet.
        case new = "New"
        case valid = "Valid"
        /// A holder was replaced, and its replacement has no share of some key yet.
        case unavailable = "Unavailable"
    }

    public let group: KeyShareHolderGroup
    /// The protocol's groups, by scheme.
    public let keys: [HolderGroup]
    public let holders: [KeyShareHolderView]

    public var state: State {
        if keys.isEmpty || keys.contains(where: { !$0.isActive }) { return .new }
        return holders.contains { $0.isReplacement } ? .unavailable : .valid
    }
}

public struct KeyShareHolderView: Equatable, Sendable {
    public let holder: KeyShareHolder
    public let isOnline: Bool
    /// It took the place of another, and has no share of some key yet.
    public let isReplacement: Bool
}

/// What a caller says of a new group.
public struct KeyShareHolderGroupDraft: Sendable {
    public struct Holder: Sendable {
        public let name: String?
        public let kind: KeyShareHolder.Kind
        public let identity: IdentityPublicKey?
        public let isSigner: Bool

        public init(
            name: String?, kind: KeyShareHolder.Kind, identity: IdentityPublicKey?, isSigner: Bool
        ) {
            self.name = name
            self.kind = kind
            self.identity = identity
            self.isSigner = isSigner
        }
    }

    public let kind: GroupKind
    public let participants: Int
    public let threshold: Int
    /// Without the platform's own.
    public let holders: [Holder]

    public init(kind: GroupKind, participants: Int, threshold: Int, holders: [Holder]) {
        self.kind = kind
        self.participants = participants
        self.threshold = threshold
        self.holders = holders
    }
}

/// An order to share the keys of a key vault: a ceremony for each of them, with one end.
public struct KeyShareRequest: Equatable, Sendable {
    public static let noteMost = 500
    /// How long holders have to confirm and to finish it.
    public static let lifetimeSeconds: Int64 = 24 * 3600

    public enum Kind: String, Sendable, CaseIterable {
        /// New keys for a main group.
        case keyGeneration = "KeyGeneration"
        /// The keys of a main group for a signing or a recovery group.
        case fromKeyGroup = "FromKeyGroup"
        /// The keys of a recovery group for the main group.
        case recovery = "Recovery"

        var occasion: KeyCeremony.Occasion {
            switch self {
            case .keyGeneration: .keyGeneration
            case .fromKeyGroup: .fromKeyGroup
            case .recovery: .recovery
            }
        }
    }

    public enum Status: String, Sendable, CaseIterable {
        /// Not every holder has said yes.
        case confirming = "Confirming"
        /// All have, and no run has begun.
        case starting = "Starting"
        case running = "Running"
        case done = "Done"
        /// A holder refused, or said nothing in time.
        case refused = "Refused"
        case failed = "Failed"
        case cancelled = "Cancelled"

        public var isFinal: Bool {
            switch self {
            case .confirming, .starting, .running: false
            case .done, .refused, .failed, .cancelled: true
            }
        }
    }

    /// Who deals.
    public struct Source: Equatable, Sendable {
        public let group: KeyShareHolderGroupID
        /// Of the group's holders those who take part.
        public let holders: [IdentityPublicKey]

        public init(group: KeyShareHolderGroupID, holders: [IdentityPublicKey]) {
            self.group = group
            self.holders = holders
        }
    }

    public let id: KeyShareRequestID
    public let keyVault: KeyVaultID
    public let kind: Kind
    public let target: KeyShareHolderGroupID
    public let source: Source?
    public let note: String?
    public var status: Status
    /// Why it did not end well, for people.
    public var failure: String?
    public let createdAt: Timestamp
    public let expiresAt: Timestamp

    public init(
        id: KeyShareRequestID, keyVault: KeyVaultID, kind: Kind, target: KeyShareHolderGroupID,
        source: Source?, note: String?, status: Status = .confirming, failure: String? = nil,
        createdAt: Timestamp, expiresAt: Timestamp
    ) {
        self.id = id
        self.keyVault = keyVault
        self.kind = kind
        self.target = target
        self.source = source
        self.note = note
        self.status = status
        self.failure = failure
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

/// What a caller says of a new request.
public struct KeyShareRequestDraft: Sendable {
    public struct Source: Sendable {
        public let group: KeyShareHolderGroupID
        /// Nil for all of the group's.
        public let holders: [IdentityPublicKey]?

        public init(group: KeyShareHolderGroupID, holders: [IdentityPublicKey]?) {
            self.group = group
            self.holders = holders
        }
    }

    public let kind: KeyShareRequest.Kind
    public let target: KeyShareHolderGroupID
    public let source: Source?
    public let note: String?

    public init(
        kind: KeyShareRequest.Kind, target: KeyShareHolderGroupID, source: Source?, note: String?
    ) {
        self.kind = kind
        self.target = target
        self.source = source
        self.note = note
    }
}

/// The name of a request: the second that it was made in, and random digits; 32 in all.
public struct KeyShareRequestID: Hashable, Sendable, CustomStringConvertible {
    private static let digits = 32

    public let text: String

    public init?(text: String) {
        guard text.utf8.count == Self.digits,
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        self.text = text
    }

    init(at now: Timestamp, random: [UInt8]) {
        let second = now.text.filter(\.isNumber).prefix(14)
        let number = random.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let tail = String(number % 1_000_000_000_000_000_000)
        let zeros = String(repeating: "0", count: Self.digits - second.count - tail.count)
        text = second + zeros + tail
    }

    public var description: String { text }
}
