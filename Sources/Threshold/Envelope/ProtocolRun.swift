import Algebra
import KeyGroups

/// A protocol without its transport: what `RunSession` drives.
public protocol ProtocolRun: ~Copyable {
    associatedtype Output

    /// The rounds that messages come in.
    static var rounds: ClosedRange<UInt8> { get }
    mutating func receive(_ message: RoundMessage)
    mutating func next() throws(Abort) -> Step<Output>
    var waitingFor: [ParticipantIndex] { get }
}

extension Signing: ProtocolRun {}
extension FreshSigning: ProtocolRun {}
extension SchnorrSigning: ProtocolRun {}
extension KeySharing: ProtocolRun {}

/// What a run is started with once every participant is ready.
public struct RunOpening: ~Copyable {
    public let run: ClaimedRun
    /// k_ij with each other participant: HKDF of the ephemeral keys' agreement (section 3.2).
    public let zeroSeeds: [ParticipantIndex: SecretBox<SecretBytes>]
    /// What everyone put into the run's name, by position.
    public let contributions: [RunContribution]

    public consuming func takeRun() -> ClaimedRun { run }
}

/// An envelope and for whom it is.
public struct AddressedEnvelope: Sendable {
    public let recipients: [IdentityPublicKey]
    public let bytes: [UInt8]
}

/// What a session asks of whoever drives it; as `Step`, with envelopes for messages.
public enum SessionStep<Output> {
    case wait
    case send([AddressedEnvelope])
    /// Store that these were made before they are sent. They are made once.
    case sendLast([AddressedEnvelope], run: RunID)
    case finish(Output, run: RunID)
}

/// What became of an envelope.
public enum Reception: Equatable, Sendable {
    case kept
    /// It does not belong here, or was here before: it changes nothing. Never a reason to abort,
    /// since anyone can send it.
    case dropped(String)
}
