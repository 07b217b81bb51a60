import Algebra
import Canonical
import Intents
import KeyGroups
import Threshold

/// What reaches a holder through the relay. Nothing of it is believed before it is checked.
public enum HolderInput: Sendable {
    /// The relay has accepted us: tell it what it may have missed.
    case connected
    /// An intent and the platform's signature of its digest.
    case offer(intent: [UInt8], signature: IdentitySignature)
    /// The platform's order to close an intent, signed.
    case close(intent: Digest, signature: IdentitySignature)
    /// A run is proposed: a descriptor's bytes, and those of the source's certificate if it deals
    /// a key that exists.
    case run(descriptor: [UInt8], source: [UInt8])
    case envelope([UInt8])
    case testimony([UInt8])
    /// Someone asks for a proof that our share of the group's active key is whole.
    case checkUp(group: GroupID, challenge: [UInt8])
    /// A callback server of the operator's has decided, as the node has verified.
    case decided(subject: Digest, server: Digest, ServerDecision)
    /// An event server has acknowledged an event, or is told of it no more.
    case delivered(event: String, server: Digest)
    /// Nothing came; the clock went on.
    case tick
}

/// What a holder sends, after it has stored what it says.
public enum HolderOutput: Sendable {
    case verdict(SignedVerdict)
    case envelope(to: [IdentityPublicKey], bytes: [UInt8])
    case testimony(to: [IdentityPublicKey], bytes: [UInt8])
    /// The signatures of an intent's items, in order.
    case signatures(intent: Digest, [ECDSASignature])
    /// A key is active: its certificate and every holder's activation, by position.
    case keyReady(intent: Digest, certificate: KeyCertificate, activations: [IdentitySignature])
    case runEnded(RunReport)
    /// The proof that was asked for; empty if the share does not open or does not fit.
    case shareProof(group: GroupID, epoch: UInt64, challenge: [UInt8], proof: [UInt8])
    /// To be asked of the operator's callback servers; not for the relay.
    case consult(Consultation)
    /// The servers need not be asked any more; not for the relay.
    case endConsultation(Digest)
    /// To be told to an event server of the operator's, until it says that it has heard; not for
    /// the relay.
    case deliver(HolderEvent, to: EventServer)
    /// For the operator's log: no secret, no owner of an address.
    case note(String)
}

/// How a run ended for this holder. It is one participant's word, and proves nothing.
public struct RunReport: Equatable, Sendable {
    public let descriptor: Digest
    public let intent: Digest
    public let reason: String
    /// Whom a check has shown to cheat.
    public let culprits: [IdentityPublicKey]
    /// Whose message never came.
    public let missing: [IdentityPublicKey]
    /// Whether the culprits are banned here.
    public let isBan: Bool

    public init(
        descriptor: Digest, intent: Digest, reason: String, culprits: [IdentityPublicKey],
        missing: [IdentityPublicKey], isBan: Bool = false
    ) {
        self.descriptor = descriptor
        self.intent = intent
        self.reason = reason
        self.culprits = culprits
        self.missing = missing
        self.isBan = isBan
    }
}

/// The two clocks of the machine, in seconds.
public struct HolderTime: Equatable, Sendable {
    /// Unix time.
    public let wall: UInt64
    /// Since the machine started, sleep included; only differences mean anything.
    public let monotonic: UInt64

    public init(wall: UInt64, monotonic: UInt64) {
        self.wall = wall
        self.monotonic = monotonic
    }
}
