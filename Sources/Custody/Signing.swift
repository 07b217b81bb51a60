import Algebra
import Canonical
import Chains
import Intents
import KeyGroups

/// An intent that was given to holders, and how far it is.
public struct SigningRequest: Equatable, Sendable {
    public enum State: String, Sendable {
        /// Offered; a run may be under way.
        case open
        /// Every member of its runs is asked to close it.
        case closing
        /// Signed; or, of a ceremony, the shares are dealt.
        case done
        /// No signature of it exists or can come to exist.
        case closed
        /// A last message of it exists and no signature is known: its nonce is used again.
        case unclear
    }

    /// What it is for.
    public enum Subject: Equatable, Sendable {
        case transaction(TransactionID)
        case ceremony(CeremonyID)
    }

    public let digest: Digest
    public let bytes: [UInt8]
    public let signature: IdentitySignature
    /// The group that signs, or that receives shares.
    public let group: GroupID
    public let subject: Subject
    /// Counts the intents of one transaction.
    public let attempt: Int
    /// The source address and its nonce; nil for a message and a key ceremony.
    public let source: String?
    public let nonce: UInt64?
    public var state: State
    /// Why it is being closed, for the transaction that then fails.
    public var closingBecause: Failure?
    public let createdAt: Timestamp
    public let expiresAt: Timestamp

    public init(
        digest: Digest, bytes: [UInt8], signature: IdentitySignature, group: GroupID,
        subject: Subject, attempt: Int, source: String?, nonce: UInt64?, state: State,
        closingBecause: Failure? = nil, createdAt: Timestamp, expiresAt: Timestamp
    ) {
        self.digest = digest
        self.bytes = bytes
        self.signature = signature
        self.group = group
        self.subject = subject
        self.attempt = attempt
        self.source = source
        self.nonce = nonce
        self.state = state
        self.closingBecause = closingBecause
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

extension SigningRequest {
    /// What is asked for; a fault if what was stored is no intent.
    func intent() throws -> Intent {
        do throws(MalformedBytes) {
            return try Intent(bytes)
        } catch {
            throw LedgerFault.impossible("intent \(digest.hex): \(error)")
        }
    }

    public var transaction: TransactionID? {
        if case .transaction(let id) = subject { id } else { nil }
    }
    public var ceremony: CeremonyID? {
        if case .ceremony(let id) = subject { id } else { nil }
    }
}

/// A run that was proposed for an intent.
public struct SigningRun: Equatable, Sendable {
    public enum State: String, Sendable {
        case live
        case failed
        case done
    }

    public let descriptor: Digest
    public let intent: Digest
    public let attempt: UInt16
    public let members: [IdentityPublicKey]
    public var state: State
    /// Members that a failed run did not hear from, or that a check named.
    public var silent: [IdentityPublicKey]
    public var reason: String?
    public let startedAt: Timestamp
    public let expiresAt: Timestamp
    public var endedAt: Timestamp?

    public init(
        descriptor: Digest, intent: Digest, attempt: UInt16, members: [IdentityPublicKey],
        state: State, silent: [IdentityPublicKey] = [], reason: String? = nil,
        startedAt: Timestamp, expiresAt: Timestamp, endedAt: Timestamp? = nil
    ) {
        self.descriptor = descriptor
        self.intent = intent
        self.attempt = attempt
        self.members = members
        self.state = state
        self.silent = silent
        self.reason = reason
        self.startedAt = startedAt
        self.expiresAt = expiresAt
        self.endedAt = endedAt
    }
}

/// What the platform has to say to holders. It is said again whenever it may not have been heard.
public enum HolderOrder: Equatable, Sendable {
    case offer(intent: [UInt8], signature: IdentitySignature, to: [IdentityPublicKey])
    case close(intent: Digest, signature: IdentitySignature, to: [IdentityPublicKey])
    /// A descriptor, and the certificate of a source that is dealt anew, or nothing.
    case run(descriptor: [UInt8], source: [UInt8], to: [IdentityPublicKey])
    /// Prove that your share is whole.
    case checkUp(group: GroupID, challenge: [UInt8], to: [IdentityPublicKey])
}

/// Knows how much gas calls take.
public protocol GasEstimator: Sendable {
    /// - Throws: a `Refusal` where the call would fail, or nobody can say.
    func gas(of question: EVMCallQuestion) async throws -> UInt64
}

/// Signs intents and orders with the platform's intent key. The relay never has one.
public protocol IntentSigner: Sendable {
    func sign(_ digest: Digest) -> IdentitySignature
}
