import Algebra
import Canonical
import KeyGroups

/// How a holder judges a key ceremony. To give shares to chosen holders is to export the key, so
/// everything but a plain refresh needs a person at every holder (specification section 3.2).
extension Judge {
    /// By how much a new epoch may be above the one that a holder has.
    public static let epochStepMost: UInt64 = 1024

    func approve(
        _ ceremony: KeyCeremony, _ intent: Intent, _ knowing: HolderKnowledge
    ) throws(Stop) -> Approved {
        let isReceiver = ceremony.holders.identities.contains(knowing.identity)
        guard isReceiver || knowing.source != nil else {
            throw refuse(
                .ceremonyNotForUs, "This holder neither deals nor receives in this ceremony.")
        }
        try checkSource(ceremony, knowing)
        try checkTarget(ceremony, intent, knowing)
        if ceremony.occasion == .refresh {
            try checkRefresh(ceremony, intent, knowing)
            // New setups with whoever was banned are a person's to allow (section 5.8).
            let isPlain = knowing.key?.banned.isDisjoint(with: ceremony.holders.identities) ?? true
            if isPlain { return Approved(items: [], spending: [:]) }
        }
        guard knowing.isCeremonyConfirmed else {
            let fingerprint = ceremony.fingerprint(of: intent.group)
            throw .wait(
                Verdict.Reason(
                    .ceremonyUnconfirmed,
                    "A person must confirm the fingerprint \(fingerprint) at this holder."))
        }
        return Approved(items: [], spending: [:])
    }

    /// Whoever holds the source compares what the platform says of it.
    private func checkSource(
        _ ceremony: KeyCeremony, _ knowing: HolderKnowledge
    ) throws(Stop) {
        guard let source = ceremony.source, let held = knowing.source else { return }
        guard source.epoch == held.epoch else {
            throw refuse(
                .wrongEpoch,
                "The ceremony deals epoch \(source.epoch), this holder has epoch \(held.epoch).",
                orWaitIf: knowing.isKeyUnfinished && source.epoch > held.epoch)
        }
        guard source.certificate == held.certificate, source.publicKey == held.key.publicKey,
            ceremony.scheme == held.key.scheme, ceremony.occasion.admits(source: held.kind)
        else {
            throw refuse(
                .ceremonyMismatch, "The key that is dealt is another than this holder has.")
        }
    }

    /// A group keeps its key for ever, and its epochs rise.
    private func checkTarget(
        _ ceremony: KeyCeremony, _ intent: Intent, _ knowing: HolderKnowledge
    ) throws(Stop) {
        guard let held = knowing.key else {
            // Whoever replaces a lost holder comes to a group that has had many.
            guard intent.epoch <= Self.epochStepMost || ceremony.occasion == .recovery else {
                throw refuse(.wrongEpoch, "A new group begins with epoch \(intent.epoch).")
            }
            return
        }
        guard ceremony.source?.publicKey == held.key.publicKey, ceremony.kind == held.kind,
            ceremony.scheme == held.key.scheme
        else {
            throw refuse(
                .ceremonyMismatch,
                "The group has another key, or is of another type, at this holder.")
        }
        guard intent.epoch > held.epoch,
            intent.epoch - held.epoch <= Self.epochStepMost || knowing.isCeremonyConfirmed
        else {
            throw refuse(
                .wrongEpoch,
                "The ceremony makes epoch \(intent.epoch), this holder has epoch \(held.epoch).")
        }
    }

    /// A refresh changes nothing that a person would have to look at.
    private func checkRefresh(
        _ ceremony: KeyCeremony, _ intent: Intent, _ knowing: HolderKnowledge
    ) throws(Stop) {
        guard let held = knowing.key, ceremony.source?.group == intent.group else {
            throw refuse(.unknownGroup, "This holder has no key of the group to refresh.")
        }
        guard ceremony.holders == held.holders, ceremony.threshold == held.key.threshold else {
            throw refuse(
                .ceremonyMismatch, "A refresh keeps the holders, their places and the threshold.")
        }
    }
}
