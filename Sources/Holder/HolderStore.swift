import Algebra
import Canonical
import Chains
import Intents
import KeyGroups
import Threshold

/// What a holder keeps. All verbs are synchronous and belong to the transaction that `commit`
/// opened; what a holder answers leaves after it.
///
/// A verb that fails ends the process: what is in memory would no longer be what is stored.
public protocol HolderStore: RunRegistry {
    /// Runs `body` in one transaction that is on disk when this returns.
    func commit<Result>(_ body: () throws -> Result) throws -> Result

    // Keys.
    func keys(of group: GroupID) throws -> [KeyRecord]
    func unfinishedKeys() throws -> [KeyRecord]
    func activeKeys() throws -> [KeyRecord]
    /// False if another certificate stands for this group, scheme and epoch already.
    func insert(_ key: KeyRecord, sealedShare: [UInt8]) throws -> Bool
    func update(_ key: KeyRecord) throws
    func sealedShare(of group: GroupID, epoch: UInt64) throws -> [UInt8]?
    func replaceSealedShare(of group: GroupID, epoch: UInt64, with sealed: [UInt8]) throws
    func retiredKeys() throws -> [KeyRecord]
    func destroyShare(of group: GroupID, epoch: UInt64) throws
    /// When this holder was last given a share of a key of which it did not know what was spent;
    /// nil if it never was.
    func joined(root: [UInt8]) throws -> UInt64?
    func keepJoined(root: [UInt8], at: UInt64) throws

    // Fences.
    /// Remembers a descriptor for ever; false if it is known.
    func use(descriptor: Digest) throws -> Bool
    /// Remembers that the last message of this item was made; false if one was before.
    func recordLast(run: RunID, item: UInt16, hash: Digest, intent: Digest) throws -> Bool
    func hasLast(for intent: Digest) throws -> Bool

    // Bans and evidence.
    func add(_ ban: Ban) throws
    func banned(group: GroupID, epoch: UInt64) throws -> Set<IdentityPublicKey>
    /// Counts a discarded setup with the peer, and says how many there were.
    func countDiscardedSetup(group: GroupID, peer: IdentityPublicKey) throws -> Int
    /// With whom at least so many setups were discarded in the group, since the last `thaw`.
    func peers(withDiscardedSetups count: Int, in group: GroupID) throws -> Set<IdentityPublicKey>
    func keepEvidence(_ envelopes: [[UInt8]], run: Digest, reason: String, at: UInt64) throws

    // Intents.
    func intent(_ digest: Digest) throws -> IntentRecord?
    func put(_ intent: IntentRecord) throws
    /// Intents that are not closed and expired before this time.
    func unclosedIntents(expiredBefore time: UInt64) throws -> [IntentRecord]
    /// Approved intents of which no last message was made and that expire after this time.
    func unsignedIntents(expiringAfter time: UInt64) throws -> [IntentRecord]

    // What callback servers decided.
    /// By server.
    func decisions(on subject: Digest) throws -> [Digest: ServerDecision]
    /// Keeps the first decision of a server on a subject; a later one changes nothing.
    func keep(_ decision: ServerDecision, of server: Digest, on subject: Digest, at: UInt64) throws

    // What event servers are told.
    /// Keeps an event for a server and drops the server's oldest ones above `most`.
    ///
    /// - Returns: how many were dropped.
    func keep(_ event: HolderEvent, for server: Digest, most: Int) throws -> Int
    /// The oldest event that is kept for the server.
    func oldestEvent(for server: Digest) throws -> HolderEvent?
    func dropEvent(_ id: String, for server: Digest) throws
    /// Drops what is kept for servers that are not named any more.
    func dropEvents(exceptFor servers: Set<Digest>) throws
    /// What servers were last told of the request; nil if nothing.
    func told(of subject: Digest) throws -> HolderEvent.Status?
    /// - Parameter expires: when the request does, Unix seconds.
    func setTold(_ status: HolderEvent.Status, of subject: Digest, expires: UInt64) throws
    /// Forgets what was told of requests that expired before this time and have come to an end
    /// here: closed, signed, or their keys made and confirmed.
    func forgetTold(expiredBefore time: UInt64) throws

    // Announced addresses, by root key.
    func announced(_ address: String, on chain: ChainID, under root: [UInt8]) throws
        -> AnnouncedAddress?
    func keep(
        _ announced: AnnouncedAddress, of address: String, on chain: ChainID, under root: [UInt8])
        throws

    // Counters.
    func reserve(
        _ amount: Amount, of asset: AssetID, under root: [UInt8], intent: Digest, at: UInt64)
        throws
    func release(intent: Digest) throws
    func spent(of asset: AssetID, under root: [UInt8], since: UInt64, except: Digest) throws
        -> Amount

    // Results, time and the operator's word.
    func keep(signatures: [ECDSASignature], of intent: Digest) throws
    func signatures(of intent: Digest) throws -> [ECDSASignature]?
    func latestTime() throws -> UInt64
    func setLatestTime(_ time: UInt64) throws
    func frozen() throws -> String?
    func freeze(_ why: String) throws
    func isConfirmed(fingerprint: String, request: RequestID) throws -> Bool
    func awaitConfirmation(fingerprint: String, request: RequestID, of what: String) throws
}

/// A key of which this holder has a share.
public struct KeyRecord: Equatable, Sendable {
    public enum State: String, Sendable, CaseIterable {
        /// The share is stored, our signature for the certificate was given.
        case pending
        /// Every holder has signed.
        case certified
        /// Every holder has confirmed that it knows: signs.
        case active
        /// Replaced by a higher epoch: no new run begins, and the share goes with the last one.
        case retired
        /// Its share is gone.
        case destroyed
    }

    public let group: GroupID
    public let epoch: UInt64
    public let scheme: SignatureScheme
    public let kind: GroupKind
    /// The group's holders.
    public let roster: Roster
    public let me: ParticipantIndex
    public let key: AnySharedKey
    public let certificateDigest: Digest
    public let descriptor: RunDescriptor
    public let contributions: [RunContribution]
    public let echo: Digest
    /// The intent that asked for the key.
    public let intent: Digest
    public var state: State
    public var testimony: KeyTestimony

    public init(
        group: GroupID, epoch: UInt64, scheme: SignatureScheme, kind: GroupKind, roster: Roster,
        me: ParticipantIndex, key: AnySharedKey, certificateDigest: Digest,
        descriptor: RunDescriptor, contributions: [RunContribution], echo: Digest, intent: Digest,
        state: State, testimony: KeyTestimony
    ) {
        self.group = group
        self.epoch = epoch
        self.scheme = scheme
        self.kind = kind
        self.roster = roster
        self.me = me
        self.key = key
        self.certificateDigest = certificateDigest
        self.descriptor = descriptor
        self.contributions = contributions
        self.echo = echo
        self.intent = intent
        self.state = state
        self.testimony = testimony
    }

    /// The certificate, once every holder has signed.
    public var certificate: KeyCertificate? {
        let signatures = roster.identities.indices.compactMap {
            testimony.signatures[UInt16($0)]
        }
        guard signatures.count == roster.identities.count else { return nil }
        return KeyCertificate(
            descriptor: descriptor, contributions: contributions, key: key, echo: echo,
            signatures: signatures)
    }
}

/// An intent as this holder judged it.
public struct IntentRecord: Equatable, Sendable {
    public enum State: String, Sendable {
        case approved
        case refused
        case closed
    }

    public let digest: Digest
    public let bytes: [UInt8]
    public var state: State
    /// The signed verdict as it was sent.
    public var verdict: [UInt8]
    /// Unix seconds.
    public let expires: UInt64

    public init(
        digest: Digest, bytes: [UInt8], state: State, verdict: [UInt8], expires: UInt64
    ) {
        self.digest = digest
        self.bytes = bytes
        self.state = state
        self.verdict = verdict
        self.expires = expires
    }
}

/// A peer that failed a check which depends on long-lived secrets: refused for good in this epoch.
public struct Ban: Equatable, Sendable {
    public let group: GroupID
    public let epoch: UInt64
    public let peer: IdentityPublicKey
    public let run: Digest
    public let reason: Abort.Reason
    /// Unix seconds.
    public let at: UInt64
}
