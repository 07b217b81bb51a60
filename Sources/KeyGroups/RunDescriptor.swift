import Algebra
import Canonical

/// Says what one run is for, by whom, and until when: deterministic CBOR that every participant
/// hashes, so that consent to the request and the name of the run are bound to the same bytes
/// (specification section 3.2). A holder compares it with what it approved; nobody signs it.
public struct RunDescriptor: Equatable, Sendable {
    public static let version: UInt64 = 1

    public enum Purpose: Equatable, Sendable {
        /// These holders sign these items under a key of this group and epoch.
        case signing(certificate: Digest, items: [SigningItem], Roster)
        /// Share a key, new or old, among the holders of this group.
        case keyCeremony(SharingPlan)
    }

    public let request: RequestID
    /// Counts the runs for one request; a retry is a new descriptor.
    public let attempt: UInt16
    public let intent: Digest
    public let group: GroupID
    public let epoch: UInt64
    public let scheme: SignatureScheme
    public let purpose: Purpose
    /// All participants of the run. In a ceremony an index is a seat, not a place on a polynomial.
    public let roster: Roster
    /// Unix seconds; nothing of the run is sent afterwards.
    public let expires: UInt64
    /// Whether the run makes its own pair setups and uses no stored ones; never in a ceremony.
    public let isFresh: Bool

    public init(
        request: RequestID, attempt: UInt16, intent: Digest, group: GroupID, epoch: UInt64,
        scheme: SignatureScheme, purpose: Purpose, expires: UInt64, isFresh: Bool = false
    ) {
        self.request = request
        self.attempt = attempt
        self.intent = intent
        self.group = group
        self.epoch = epoch
        self.scheme = scheme
        self.purpose = purpose
        self.expires = expires
        roster = Self.roster(of: purpose)
        if case .signing = purpose { self.isFresh = isFresh } else { self.isFresh = false }
    }

    private static func roster(of purpose: Purpose) -> Roster {
        switch purpose {
        case .signing(_, _, let quorum): quorum
        case .keyCeremony(let plan): plan.participants
        }
    }

    /// How many items the run has; a key ceremony has one.
    public var itemCount: Int {
        if case .signing(_, let items, _) = purpose { items.count } else { 1 }
    }

    /// What a key ceremony is for; nil of a run that signs.
    public var plan: SharingPlan? {
        if case .keyCeremony(let plan) = purpose { plan } else { nil }
    }

    private enum Key {
        static let version: UInt64 = 1, type: UInt64 = 2, request: UInt64 = 3, attempt: UInt64 = 4
        static let intent: UInt64 = 5, group: UInt64 = 6, epoch: UInt64 = 7, scheme: UInt64 = 8
        static let identities: UInt64 = 9, indices: UInt64 = 10, expires: UInt64 = 11
        static let certificate: UInt64 = 12, items: UInt64 = 13
        static let kind: UInt64 = 14, threshold: UInt64 = 15, source: UInt64 = 16
        static let fresh: UInt64 = 17
    }

    public var bytes: [UInt8] {
        var fields: [UInt64: CBOR] = [
            Key.version: .unsigned(Self.version),
            Key.request: .bytes(request.bytes),
            Key.attempt: .unsigned(UInt64(attempt)),
            Key.intent: .bytes(intent.bytes),
            Key.group: .bytes(group.bytes),
            Key.epoch: .unsigned(epoch),
            Key.scheme: .unsigned(scheme.rawValue),
            Key.expires: .unsigned(expires),
        ]
        switch purpose {
        case .signing(let certificate, let items, let quorum):
            fields[Key.type] = .unsigned(1)
            fields[Key.identities] = quorum.encodedIdentities
            fields[Key.indices] = quorum.encodedIndices
            fields[Key.certificate] = .bytes(certificate.bytes)
            fields[Key.items] = .array(
                items.map { item in
                    .array([
                        .array(item.path.steps.map { .unsigned(UInt64($0)) }),
                        .bytes(item.digest.bytes),
                    ])
                })
            if isFresh { fields[Key.fresh] = .unsigned(1) }
        case .keyCeremony(let plan):
            fields[Key.type] = .unsigned(2)
            fields[Key.identities] = plan.holders.encodedIdentities
            fields[Key.indices] = plan.holders.encodedIndices
            fields[Key.kind] = .unsigned(plan.kind.rawValue)
            fields[Key.threshold] = .unsigned(UInt64(plan.threshold.required))
            if let source = plan.source { fields[Key.source] = source.encoded }
        }
        return CBOR.map(fields).encoded()
    }

    /// H("descriptor", bytes): stored before a Ready leaves, and never used twice.
    public var digest: Digest {
        var transcript = Transcript(Tag.descriptor)
        transcript.append(bytes)
        return transcript.digest()
    }

    public init(_ bytes: [UInt8]) throws(MalformedBytes) {
        var fields = try CBORFields(CBOR.decode(bytes), "run descriptor")
        guard try fields.unsigned(Key.version, UInt64.self) == Self.version else {
            throw MalformedBytes("run descriptor of another version")
        }
        request = try fields.fixed(Key.request)
        attempt = try fields.unsigned(Key.attempt)
        intent = try fields.fixed(Key.intent)
        group = try fields.fixed(Key.group)
        epoch = try fields.unsigned(Key.epoch)
        guard let scheme = SignatureScheme(rawValue: try fields.unsigned(Key.scheme)) else {
            throw MalformedBytes("unknown signature scheme")
        }
        self.scheme = scheme
        expires = try fields.unsigned(Key.expires)
        let named = try Roster(&fields, identities: Key.identities, indices: Key.indices)
        switch try fields.unsigned(Key.type, UInt64.self) {
        case 1:
            let certificate: Digest = try fields.fixed(Key.certificate)
            var items: [SigningItem] = []
            for item in try fields.array(Key.items, most: SigningItem.most) {
                items.append(try Self.item(item))
            }
            purpose = .signing(certificate: certificate, items: items, named)
            let fresh = fields.optional(Key.fresh)
            guard fresh == nil || fresh == .unsigned(1) else {
                throw MalformedBytes("the mark of fresh setups is 1, or not there")
            }
            isFresh = fresh != nil
        case 2:
            isFresh = false
            var source: SharingPlan.Source?
            if let value = fields.optional(Key.source) { source = try SharingPlan.Source(value) }
            guard let kind = GroupKind(rawValue: try fields.unsigned(Key.kind)),
                let threshold = SigningThreshold(
                    Int(try fields.unsigned(Key.threshold, UInt8.self)),
                    of: named.identities.count),
                let plan = SharingPlan(
                    kind: kind, threshold: threshold, holders: named, source: source)
            else { throw MalformedBytes("impossible key ceremony") }
            purpose = .keyCeremony(plan)
        case let type: throw MalformedBytes("unknown type \(type) of run")
        }
        roster = Self.roster(of: purpose)
        try fields.finish()
    }

    private static func item(_ value: CBOR) throws(MalformedBytes) -> SigningItem {
        guard case .array(let parts) = value, parts.count == 2, case .array(let path) = parts[0],
            case .bytes(let bytes) = parts[1], let digest = Digest(bytes)
        else { throw MalformedBytes("item that is no path and digest") }
        var steps: [UInt32] = []
        for step in path {
            guard case .unsigned(let raw) = step, let step = UInt32(exactly: raw) else {
                throw MalformedBytes("path step out of range")
            }
            steps.append(step)
        }
        guard let path = DerivationPath(steps) else {
            throw MalformedBytes("path hardened or too long")
        }
        return SigningItem(path: path, digest: digest)
    }
}
