import Algebra
import Canonical
import Intents
import KeyGroups

/// Asking the operator's callback servers before an approval is given. Their answers come later, as
/// inputs; until then the verdict is that the holder waits.
extension HolderCore {
    /// Most things that servers are asked about at a time. What is above is asked about when it is
    /// offered again.
    static let consultationsMost = 256

    func consents(to subject: Digest) throws -> Consents {
        guard !callbackServers.isEmpty else { return Consents() }
        return Consents(callbackServers, decisions: try store.decisions(on: subject))
    }

    func consult(_ approved: Approved, _ intent: Intent, _ digest: Digest) throws {
        guard consultations[digest] == nil else { return }
        guard consultations.count < Self.consultationsMost else {
            return note("\(consultations.count) requests wait for the callback servers already")
        }
        consultations[digest] = intent.bytes
        outputs.append(
            .consult(
                Consultation(
                    subject: digest, holder: identity.publicKey,
                    words: try words(of: intent, digest, items: approved.items),
                    servers: try consents(to: digest).missing, expires: intent.expires)))
    }

    /// What the request is, for servers of the operator's.
    func words(
        of intent: Intent, _ digest: Digest, items: [SigningItem]
    ) throws -> RequestWords {
        let key = try heldKey(of: intent.group, epoch: intent.epoch)
        var source: HeldKey?
        if case .keyCeremony(let ceremony) = intent.purpose {
            source = try ceremony.source.flatMap { try heldKey(of: $0.group, epoch: $0.epoch) }
        }
        return RequestWords(of: items, intent, digest, key: key, source: source)
    }

    /// A server has decided: stored first, then used. What nobody waits for any more is dropped.
    func decided(_ decision: ServerDecision, by server: Digest, on subject: Digest) throws {
        guard let address = callbackServers.first(where: { $0.id == server })?.address
        else { return }
        if let group = checkUpGroup(subject) {
            note(decision, of: address, on: "the check-up of group \(group)")
            return try decided(decision, by: server, onCheckUpOf: group)
        }
        guard let bytes = consultations[subject] else { return }
        try store.keep(decision, of: server, on: subject, at: now)
        note(decision, of: address, on: "\(subject)")
        guard try consents(to: subject).isSettled else { return }
        endConsultation(on: subject)
        try decide(bytes, subject)
    }

    private func note(_ decision: ServerDecision, of address: String, on what: String) {
        switch decision {
        case .approved: break
        case .rejected(let why): note("\(address) rejected \(what): \(why)")
        case .silent(let why): note("\(address) gave no answer to \(what): \(why)")
        }
    }

    func endConsultation(on subject: Digest) {
        guard consultations.removeValue(forKey: subject) != nil else { return }
        outputs.append(.endConsultation(subject))
    }
}
