import KeyGroups

/// A run has ended without a result, for this reason, because of these participants. Nobody is
/// ever guessed: where a check does not tell who lied, the list is empty.
public struct Abort: Error, Equatable, Sendable {
    public let reason: Reason
    public let culprits: [ParticipantIndex]
    public let consequence: Consequence

    public init(_ reason: Reason, by culprits: [ParticipantIndex] = []) {
        self.init(reason, culprits, reason.consequence)
    }

    private init(
        _ reason: Reason, _ culprits: [ParticipantIndex], _ consequence: Consequence
    ) {
        self.reason = reason
        self.culprits = culprits
        self.consequence = consequence
    }

    public init(_ reason: Reason, by culprit: ParticipantIndex) {
        self.init(reason, by: [culprit])
    }

    /// What an abort obliges us to (specification section 4.5).
    public enum Consequence: UInt8, Sendable {
        /// Nobody is shown to have cheated; a new attempt may be made.
        case none = 0
        /// The culprit sent what no honest participant sends; nothing secret was learnt by it.
        case blame = 1
        /// A check that depends on choice bits failed: the whole setup is discarded and counted.
        case discardSetup = 2
        /// A check that depends on long-lived secrets failed: each failure may have cost a bit, so
        /// the pair's setup is wiped and the culprit refused, durably, before anyone is answered.
        case ban = 3
    }

    /// The same in a run whose setups end with it: there is nothing that a ban would protect.
    var ofFreshSetups: Abort {
        consequence == .ban ? Abort(reason, culprits, .discardSetup) : self
    }

    public enum Reason: String, Error, Sendable, CaseIterable {
        case wrongQuorum
        case runNameUsed
        case malformedMessage
        case undecryptableMessage
        case equivocation
        case transcriptMismatch
        case echoMismatch
        case openingContradictsCommitment
        case proofOfPossession
        case constantContradictsSource
        case shareContradictsCommitment
        case zeroShare
        case baseTransfer
        case transferTree
        case differentSetup
        case transferCheck
        case multiplicationCheck
        case nonceCheck
        case keyCheck
        case publicKeyMismatch
        case commitmentsDiffer
        case signatureShare
        case identityNonce
        case invalidSignature
        case notAdmitted
        case endedByPeer
        case timeout

        public var consequence: Consequence {
            switch self {
            case .wrongQuorum, .runNameUsed, .transcriptMismatch, .echoMismatch, .zeroShare,
                .differentSetup, .publicKeyMismatch, .identityNonce, .commitmentsDiffer,
                .invalidSignature, .notAdmitted, .endedByPeer, .timeout:
                .none
            case .malformedMessage, .undecryptableMessage, .equivocation,
                .openingContradictsCommitment, .proofOfPossession, .constantContradictsSource,
                .shareContradictsCommitment, .signatureShare:
                .blame
            case .baseTransfer, .transferTree:
                .discardSetup
            case .transferCheck, .multiplicationCheck, .nonceCheck, .keyCheck:
                .ban
            }
        }

        /// Whether signed messages that we hold may show a third person who contradicted itself.
        public var leavesEvidence: Bool {
            switch self {
            case .equivocation, .transcriptMismatch, .echoMismatch, .commitmentsDiffer: true
            case .wrongQuorum, .runNameUsed, .malformedMessage, .undecryptableMessage,
                .openingContradictsCommitment, .proofOfPossession, .constantContradictsSource,
                .shareContradictsCommitment, .zeroShare, .baseTransfer, .transferTree,
                .differentSetup, .transferCheck, .multiplicationCheck, .nonceCheck, .keyCheck,
                .publicKeyMismatch, .signatureShare, .identityNonce, .invalidSignature,
                .notAdmitted, .endedByPeer, .timeout:
                consequence == .ban
            }
        }
    }
}
