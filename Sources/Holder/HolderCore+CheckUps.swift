import Algebra
import Canonical
import Intents
import KeyGroups

/// A check-up that the operator's callback servers are asked about, or have decided. It is kept in
/// memory alone: a proof gives nothing away, and whoever still wants it asks again.
struct AskedCheckUp {
    let challenge: [UInt8]
    let subject: Digest
    /// When the servers were asked, Unix seconds.
    let at: UInt64
    var decisions: [Digest: ServerDecision] = [:]

    static func subject(_ group: GroupID, _ challenge: [UInt8]) -> Digest {
        TaggedHash.digest("quorumkeep/check-up/v1", group.bytes + challenge)
    }
}

/// Proving that shares are whole, to whoever asks, if the operator's rules and servers let it be.
extension HolderCore {
    /// Most groups about whose check-ups servers are asked at a time.
    static let checkUpsMost = 64
    /// How long servers are asked about one, in seconds: the platform waits no longer.
    static let checkUpSeconds: UInt64 = 600
    /// Between two questions about check-ups of one group, in seconds. Anybody who is the relay can
    /// order check-ups, with a new challenge each time.
    static let checkUpPause: UInt64 = 30

    /// Proves that our share of each active epoch of the group is whole; with an empty proof says
    /// that it is not, which an operator must look at.
    func checkUp(_ group: GroupID, _ challenge: [UInt8]) throws {
        guard !judge.rules.keys.rejectsCheckUps else {
            return note("answers no check-up: its rules forbid them (checkUp)")
        }
        let keys = try activeKeys(of: group)
        guard !keys.isEmpty, isApproved(group, challenge, keys) else { return }
        prove(keys, challenge)
    }

    /// Whether all servers have approved the check-up; begins to ask them if that is due.
    private func isApproved(_ group: GroupID, _ challenge: [UInt8], _ keys: [KeyRecord]) -> Bool {
        guard !callbackServers.isEmpty else { return true }
        if let asked = checkUps[group] {
            let consents = consents(to: asked)
            if asked.challenge == challenge { return consents.isApproved }
            let pause = consents.isSettled ? Self.checkUpPause : Self.checkUpSeconds
            guard now >= asked.at + pause else { return false }
            endCheckUp(of: group)
        }
        if checkUps.count >= Self.checkUpsMost {
            for (group, asked) in checkUps where now >= asked.at + Self.checkUpSeconds {
                endCheckUp(of: group)
            }
        }
        guard checkUps.count < Self.checkUpsMost else {
            note("\(checkUps.count) check-ups wait for the callback servers already")
            return false
        }
        let subject = AskedCheckUp.subject(group, challenge)
        checkUps[group] = AskedCheckUp(challenge: challenge, subject: subject, at: now)
        let holder = identity.publicKey
        outputs.append(
            .consult(
                Consultation(
                    subject: subject, holder: holder,
                    words: RequestWords(ofCheckUp: subject, group, keys, challenge, by: holder),
                    servers: callbackServers, expires: now + Self.checkUpSeconds)))
        return false
    }

    private func endCheckUp(of group: GroupID) {
        guard let asked = checkUps.removeValue(forKey: group) else { return }
        outputs.append(.endConsultation(asked.subject))
    }

    /// The group whose check-up this is.
    func checkUpGroup(_ subject: Digest) -> GroupID? {
        checkUps.first { $0.value.subject == subject }?.key
    }

    /// A server has decided about the group's check-up; its first word counts.
    func decided(
        _ decision: ServerDecision, by server: Digest, onCheckUpOf group: GroupID
    ) throws {
        guard var asked = checkUps[group], asked.decisions[server] == nil else { return }
        asked.decisions[server] = decision
        checkUps[group] = asked
        let consents = consents(to: asked)
        guard consents.isSettled else { return }
        outputs.append(.endConsultation(asked.subject))
        if consents.isApproved { prove(try activeKeys(of: group), asked.challenge) }
    }

    private func consents(to asked: AskedCheckUp) -> Consents {
        Consents(callbackServers, decisions: asked.decisions)
    }

    private func activeKeys(of group: GroupID) throws -> [KeyRecord] {
        try store.keys(of: group).filter { $0.state == .active }
    }

    private func prove(_ keys: [KeyRecord], _ challenge: [UInt8]) {
        for key in keys {
            let share = "the share of group \(key.group), epoch \(key.epoch), is damaged"
            var proof: [UInt8]?
            do {
                proof = try sealing.proof(of: key, challenge, in: store)
                if proof == nil { note(share) }
            } catch {
                note("\(share): \(error)")
            }
            outputs.append(
                .shareProof(
                    group: key.group, epoch: key.epoch, challenge: challenge, proof: proof ?? []))
        }
    }
}
