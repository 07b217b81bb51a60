import Algebra
import Canonical
import Intents
import KeyGroups
import Threshold

/// A run that this holder takes part in, in memory only: a restart ends it.
final class LiveRun {
    enum Session {
        case signing(RunSession<Signing>)
        case keyGeneration(RunSession<KeyGeneration>, contributions: Latch<[RunContribution]>)
    }

    let descriptor: RunDescriptor
    let digest: Digest
    let session: Session

    init(_ descriptor: RunDescriptor, _ digest: Digest, _ session: Session) {
        self.descriptor = descriptor
        self.digest = digest
        self.session = session
    }

    var runID: RunID? {
        switch session {
        case .signing(let session): session.runID
        case .keyGeneration(let session, _): session.runID
        }
    }

    var waitingFor: [IdentityPublicKey] {
        switch session {
        case .signing(let session): session.waitingFor
        case .keyGeneration(let session, _): session.waitingFor
        }
    }

    var evidence: [Envelope] {
        switch session {
        case .signing(let session): session.evidence
        case .keyGeneration(let session, _): session.evidence
        }
    }

    func receive(_ envelope: Envelope) throws(Abort) -> Reception {
        switch session {
        case .signing(let session): try session.receive(envelope)
        case .keyGeneration(let session, _): try session.receive(envelope)
        }
    }

    func abort(_ abort: Abort, signedBy identity: borrowing IdentityKey) -> AddressedEnvelope {
        switch session {
        case .signing(let session): session.abort(abort, signedBy: identity)
        case .keyGeneration(let session, _): session.abort(abort, signedBy: identity)
        }
    }

    func involves(_ peer: IdentityPublicKey) -> Bool { descriptor.roster.identities.contains(peer) }
}

/// A value that is set once, later.
final class Latch<Value> {
    var value: Value?
}
