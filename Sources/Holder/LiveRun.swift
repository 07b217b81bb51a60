import Algebra
import Canonical
import Intents
import KeyGroups
import Threshold

/// A session, whichever protocol it drives.
protocol LiveSession: AnyObject {
    var runID: RunID? { get }
    var waitingFor: [IdentityPublicKey] { get }
    var evidence: [Envelope] { get }
    func ready(signedBy identity: borrowing IdentityKey) -> AddressedEnvelope
    func receive(_ envelope: Envelope) throws(Abort) -> Reception
    func abort(_ abort: Abort, signedBy identity: borrowing IdentityKey) -> AddressedEnvelope
}

extension RunSession: LiveSession where Machine: ~Copyable {}

/// A run that this holder takes part in, in memory only: a restart ends it.
final class LiveRun {
    let descriptor: RunDescriptor
    let digest: Digest
    let session: any LiveSession
    /// Moves the run on as far as it goes.
    let advance: (LiveRun) throws -> Void

    init(
        _ descriptor: RunDescriptor, _ session: any LiveSession,
        advance: @escaping (LiveRun) throws -> Void
    ) {
        self.descriptor = descriptor
        digest = descriptor.digest
        self.session = session
        self.advance = advance
    }

    func involves(_ peer: IdentityPublicKey) -> Bool { descriptor.roster.identities.contains(peer) }

    /// Whether the run uses a share of this epoch.
    func uses(_ group: GroupID, epoch: UInt64) -> Bool {
        switch descriptor.purpose {
        case .signing: descriptor.group == group && descriptor.epoch == epoch
        case .keyCeremony(let plan): plan.source?.group == group && plan.source?.epoch == epoch
        }
    }
}

/// A value that is set once, later.
final class Latch<Value> {
    var value: Value?
}
