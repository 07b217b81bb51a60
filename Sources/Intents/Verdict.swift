import Algebra
import Canonical
import KeyGroups

/// What a holder says of an intent. Approval and refusal are stored before they are sent and are
/// the same whenever asked; an approval may become a refusal, never the reverse.
public enum Verdict: Equatable, Sendable {
    /// - Parameter digests: what the holder itself computed and would sign; none for a ceremony.
    case approval(digests: [Digest])
    case refusal(Reason)
    /// Neither yes nor no yet; not stored, asked again later.
    case waiting(Reason)
    /// The intent is closed at this holder for good: no last message of it was or will be sent.
    case closed
    /// The holder gave its last message of the intent, so that a signature may exist: it cannot
    /// close it any more.
    case given

    /// Whether the holder will never sign the intent, whatever else it hears.
    public var isFinalNo: Bool {
        switch self {
        case .refusal, .closed: true
        case .approval, .waiting, .given: false
        }
    }

    /// What the verdict is called in its bytes and in stores.
    public var name: String {
        switch self {
        case .approval: "approval"
        case .refusal: "refusal"
        case .waiting: "waiting"
        case .closed: "closed"
        case .given: "given"
        }
    }

    /// For the log of the holder's operator.
    public var text: String {
        switch self {
        case .refusal(let reason), .waiting(let reason):
            "\(name) (\(reason.code.rawValue)): \(reason.sentence)"
        case .approval, .closed, .given: name
        }
    }

    /// A stable code, and a sentence for people.
    public struct Reason: Equatable, Sendable {
        public static let sentenceMost = 300
        public let code: RefusalCode
        public let sentence: String

        public init(_ code: RefusalCode, _ sentence: String) {
            self.code = code
            self.sentence = String(sentence.prefix(Self.sentenceMost))
        }
    }
}

/// Why a holder refuses or waits. Codes are stable: rules, dashboards and people refer to them.
public enum RefusalCode: String, Sendable, CaseIterable {
    case malformedIntent = "malformed_intent"
    case wrongEnvironment = "wrong_environment"
    case testNetwork = "test_network"
    case chainNotServed = "chain_not_served"
    case assetNotServed = "asset_not_served"
    case unknownGroup = "unknown_group"
    case wrongEpoch = "wrong_epoch"
    case lifetime = "lifetime"
    case expired = "expired"
    case notYet = "not_yet"
    case wrongSource = "wrong_source"
    case wrongScheme = "wrong_scheme"
    case wrongDestination = "wrong_destination"
    case addressNotAnnounced = "address_not_announced"
    case addressRemoved = "address_removed"
    case addressCooling = "address_cooling"
    case amountZero = "amount_zero"
    case amountAboveLimit = "amount_above_limit"
    case dailyLimit = "daily_limit"
    case feeAboveLimit = "fee_above_limit"
    case policyMismatch = "policy_mismatch"
    case contractNotAllowed = "contract_not_allowed"
    case messageMalformed = "message_malformed"
    case messageDomain = "message_domain"
    case messageNotAllowed = "message_not_allowed"
    case messageTooLong = "message_too_long"
    case ceremonyUnconfirmed = "ceremony_unconfirmed"
    case ceremonyNotForUs = "ceremony_not_for_us"
    case ceremonyMismatch = "ceremony_mismatch"
    case frozen = "frozen"
    case signingNotAllowed = "signing_not_allowed"
    case keyGenerationNotAllowed = "key_generation_not_allowed"
    case resharingNotAllowed = "resharing_not_allowed"
    case callbackPending = "callback_pending"
    case callbackRejected = "callback_rejected"
    case callbackUnanswered = "callback_unanswered"
}

/// A verdict as it travels: signed with the holder's identity key under a tag of its own kind.
public struct SignedVerdict: Equatable, Sendable {
    public static let byteLimit = 4096

    public let intent: Digest
    public let verdict: Verdict
    /// Hash of the rules that the holder applied.
    public let rules: Digest
    /// The holder's clock, Unix seconds.
    public let at: UInt64
    public let holder: IdentityPublicKey
    public let signature: IdentitySignature

    public init(
        _ verdict: Verdict, on intent: Digest, rules: Digest, at: UInt64,
        signedBy identity: borrowing IdentityKey
    ) {
        self.intent = intent
        self.verdict = verdict
        self.rules = rules
        self.at = at
        holder = identity.publicKey
        signature = identity.sign(Self.digest(verdict, Self.content(verdict, intent, rules, at)))
    }

    private static func digest(_ verdict: Verdict, _ content: [UInt8]) -> Digest {
        TaggedHash.digest("quorumkeep/verdict/\(verdict.name)/v1", content)
    }

    private static func content(
        _ verdict: Verdict, _ intent: Digest, _ rules: Digest, _ at: UInt64
    ) -> [UInt8] {
        var fields: [UInt64: CBOR] = [
            1: .text(verdict.name), 2: .bytes(intent.bytes), 3: .bytes(rules.bytes),
            4: .unsigned(at),
        ]
        switch verdict {
        case .approval(let digests): fields[5] = .array(digests.map { .bytes($0.bytes) })
        case .refusal(let reason), .waiting(let reason):
            fields[6] = .text(reason.code.rawValue)
            fields[7] = .text(reason.sentence)
        case .closed, .given: break
        }
        return CBOR.map(fields).encoded()
    }

    public var bytes: [UInt8] {
        CBOR.map([
            1: .bytes(Self.content(verdict, intent, rules, at)), 2: .bytes(holder.bytes),
            3: .bytes(signature.bytes),
        ]).encoded()
    }

    /// Reads a verdict and verifies its holder's signature.
    public init(_ bytes: [UInt8]) throws(MalformedBytes) {
        guard bytes.count <= Self.byteLimit else { throw MalformedBytes("verdict too large") }
        var outer = try CBORFields(CBOR.decode(bytes), "signed verdict")
        let content = try outer.bytes(1, most: Self.byteLimit)
        holder = try outer.fixed(2)
        signature = try outer.fixed(3)
        try outer.finish()
        var fields = try CBORFields(CBOR.decode(content), "verdict")
        let name = try fields.text(1, most: 16)
        intent = try fields.fixed(2)
        rules = try fields.fixed(3)
        at = try fields.unsigned(4)
        guard at <= Intent.timeMost else { throw MalformedBytes("a time after the year 9999") }
        switch name {
        case "approval":
            var digests: [Digest] = []
            for item in try fields.array(5, most: SigningItem.most) {
                guard case .bytes(let bytes) = item, let digest = Digest(bytes) else {
                    throw MalformedBytes("approval of no digest")
                }
                digests.append(digest)
            }
            verdict = .approval(digests: digests)
        case "refusal": verdict = .refusal(try Self.reason(&fields))
        case "waiting": verdict = .waiting(try Self.reason(&fields))
        case "closed": verdict = .closed
        case "given": verdict = .given
        default: throw MalformedBytes("unknown verdict")
        }
        try fields.finish()
        guard holder.verifies(signature, of: Self.digest(verdict, content)) else {
            throw MalformedBytes("verdict not signed by its holder")
        }
    }

    private static func reason(_ fields: inout CBORFields) throws(MalformedBytes) -> Verdict.Reason
    {
        guard let code = RefusalCode(rawValue: try fields.text(6, most: 64)) else {
            throw MalformedBytes("unknown refusal code")
        }
        return Verdict.Reason(code, try fields.text(7, most: Verdict.Reason.sentenceMost))
    }
}

/// What the platform signs for holders, beside intents: the order to close one.
public enum PlatformOrder {
    /// The digest that the platform's intent key signs to have an intent closed.
    public static func close(_ intent: Digest) -> Digest {
        TaggedHash.digest("quorumkeep/close/v1", intent.bytes)
    }
}
