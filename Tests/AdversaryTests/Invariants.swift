import Algebra
import Canonical
import Chains
import HolderStorage
import Intents
import KeyGroups
import TestKit

@testable import Holder
@testable import Threshold

/// What holds after every step, whatever the network and one corrupted member do.
struct Invariants {
    enum Name: String {
        case onlyApprovedIsSigned = "what is released verifies, for an intent its holder approved"
        case enoughGave = "a signature has enough holders' last messages behind it"
        case oneMessage = "what an honest holder says in one place, it never says differently"
        case oneReady = "under one descriptor a holder has one nonce"
        case lastIsStored = "a last message leaves after it is stored, for an approved intent"
        case closedIsClosed = "who has closed or refused an intent gives no last message of it"
        case noHonestBan = "no honest holder bans an honest one"
        case noHonestBlame = "no honest holder names an honest one"
        case keyStaysUsable = "every honest holder has an active share of each group that it had"
        case keyStaysSame = "every share, stored or certified, is of the one key"
        case oneKeyPerEpoch = "what is confirmed of one epoch is the same at all honest holders"
        case oneEpochIsWhole = "of each group all honest holders of one epoch have their shares"
        case onlyApprovedIsMade = "a key that is ready is certified by all, for an approved intent"
        case shareIsWhole = "an active share proves that it is whole"
        case liveness = "once the network is whole, what is asked for is done"
    }

    struct Broken: Error, CustomStringConvertible {
        let name: Name
        let detail: String

        init(_ name: Name, _ detail: String) { (self.name, self.detail) = (name, detail) }

        var description: String { "\(name.rawValue): \(detail)" }
    }

    private struct Place: Hashable {
        let member: Int
        let header: Envelope.Header
    }

    private unowned let quorum: SimulatedQuorum
    private let corrupted: Int?
    private let corruptedIdentity: IdentityPublicKey?
    private var said: [Place: Digest] = [:]
    /// By intent: who has given a last message, and who has said that it never will.
    private var gave: [String: Set<Int>] = [:]
    private var ended: [String: Set<Int>] = [:]
    /// By the intent's digest: what an honest holder would sign, and under which path.
    private var admissible: [Digest: [SigningItem]] = [:]
    /// By the intent's digest: which key an honest holder would make.
    private var ceremonies: [Digest: KeyCeremony] = [:]
    /// The key as it was at first, and the groups of which each member had a share then.
    private let root: HolderDatabase.StoredKey?
    private let held: [Int: Set<GroupID>]
    private let certified: Set<Digest>
    /// By certificate: whose shares it is of.
    private var rosters: [Digest: Roster] = [:]
    /// Runs that make no last message, since they make keys.
    private var ceremonyRuns: Set<RunID> = []
    private var broken: Broken?
    private(set) var signatureCount = 0
    /// How many shares have proved that they are whole.
    private(set) var proofCount = 0
    /// Why runs ended, as honest holders told it.
    private(set) var reasons: [String: Int] = [:]

    init(_ quorum: SimulatedQuorum, corrupted: Int?) {
        self.quorum = quorum
        self.corrupted = corrupted
        corruptedIdentity = corrupted.map { quorum.members[$0].identity }
        var held: [Int: Set<GroupID>] = [:]
        var root: HolderDatabase.StoredKey?
        for (index, member) in quorum.members.enumerated() {
            let active = ((try? member.database.storedKeys()) ?? []).filter { $0.state == .active }
            root = root ?? active.first
            held[index] = Set(active.map(\.group))
        }
        self.root = root
        self.held = held
        certified = Set(quorum.certificates.compactMap { $0.certificate.claimed()?.digest })
    }

    /// Lets this intent be signed, and so.
    mutating func admit(_ intent: Intent, _ items: [SigningItem]) {
        admissible[intent.digest] = items
    }

    /// Lets this key be made.
    mutating func admit(_ intent: Intent) {
        if case .keyCeremony(let ceremony) = intent.purpose { ceremonies[intent.digest] = ceremony }
    }

    mutating func note(_ output: HolderOutput, by member: Int) {
        guard member != corrupted else { return }
        switch output {
        case .envelope(_, let bytes): note(envelope: bytes, by: member)
        case .signatures(let intent, let made): note(made, of: intent, by: member)
        case .verdict(let verdict):
            guard verdict.verdict.isFinalNo else { return }
            ended[verdict.intent.hex, default: []].insert(member)
            if gave[verdict.intent.hex]?.contains(member) == true {
                fail(.closedIsClosed, "\(member) ended \(verdict.intent.hex) after it gave")
            }
        case .runEnded(let report):
            reasons[report.reason, default: 0] += 1
            if report.culprits.contains(where: { $0 != corruptedIdentity }) {
                fail(.noHonestBlame, "\(member) named \(report.culprits) for \(report.reason)")
            }
        case .keyReady(let intent, let certificate, let activations):
            note(certificate, activations, of: intent, by: member)
        case .shareProof(let group, let epoch, let challenge, let proof):
            note(proof, challenge, of: group, epoch, by: member)
        case .testimony, .note, .consult, .endConsultation, .deliver: break
        }
    }

    private mutating func note(envelope bytes: [UInt8], by member: Int) {
        guard let envelope = try? Envelope(bytes) else { return }
        let place = Place(member: member, header: envelope.header)
        let digest = Digest.sha256(bytes)
        if let before = said[place], before != digest {
            fail(
                envelope.header.kind == .ready ? .oneReady : .oneMessage, "\(member): \(envelope)")
        }
        said[place] = digest
        guard envelope.header.kind == .round else { return }
        // A dealer's run still goes on when its first messages leave.
        let run = quorum.members[member].core?.runs.values.first {
            $0.session.runID == envelope.header.run
        }
        if run?.descriptor.plan != nil { ceremonyRuns.insert(envelope.header.run) }
        let isSigning = !ceremonyRuns.contains(envelope.header.run)
        if isSigning, envelope.header.round == Signing.rounds.upperBound {
            noteLast(envelope, by: member)
        }
    }

    private mutating func noteLast(_ envelope: Envelope, by member: Int) {
        let stored = try? quorum.members[member].database.lastMessages()
        guard let last = stored?[envelope.header.run.hex], last.isApproved else {
            return fail(.lastIsStored, "\(member): \(envelope)")
        }
        gave[last.intent, default: []].insert(member)
        if ended[last.intent]?.contains(member) == true {
            fail(.closedIsClosed, "\(member) gave \(last.intent) after it had ended it")
        }
    }

    private mutating func note(
        _ signatures: [ECDSASignature], of intent: Digest, by member: Int
    ) {
        guard let items = admissible[intent], items.count == signatures.count,
            let key = quorum.certificate?.verified()?.key.key(of: ECDSA.self),
            zip(items, signatures).allSatisfy({ item, signature in
                DerivedKey(item.path, of: key).map {
                    signature.verifies(item.digest, under: $0.publicKey)
                } ?? false
            })
        else { return fail(.onlyApprovedIsSigned, "\(member): \(intent.hex)") }
        signatureCount += 1
        let needed = quorum.threshold.required - (corrupted == nil ? 0 : 1)
        if gave[intent.hex, default: []].count < needed {
            // A last message may have been stored and lost with its process; that counts too.
            let given = quorum.members.indices.filter { index in
                let last = try? quorum.members[index].database.lastMessages()
                return index != corrupted
                    && last?.values.contains { $0.intent == intent.hex } == true
            }
            if given.count < needed { fail(.enoughGave, "\(intent.hex): \(given)") }
        }
    }

    private mutating func fail(_ name: Name, _ detail: String) {
        if broken == nil { broken = Broken(name, detail) }
    }

    /// - Throws: `Broken`, if anything was.
    mutating func check() throws {
        if let broken { throw broken }
        var stored: [Int: [HolderDatabase.StoredKey]] = [:]
        for index in quorum.members.indices where index != corrupted {
            let database = quorum.members[index].database
            let banned = try database.commit { try database.bans() }
            if banned.contains(where: { $0.peer != corruptedIdentity }) {
                throw Broken(.noHonestBan, "\(index): \(banned)")
            }
            stored[index] = try database.storedKeys()
        }
        try check(stored)
    }
}

// Keys.
extension Invariants {
    private mutating func note(
        _ certificate: KeyCertificate, _ activations: [IdentitySignature], of intent: Digest,
        by member: Int
    ) {
        let descriptor = certificate.descriptor
        guard let (key, digest) = certificate.verified(), let plan = descriptor.plan else {
            return fail(.onlyApprovedIsMade, "\(member): a certificate that none is")
        }
        let activation = KeyActivation.digest(
            group: descriptor.group, scheme: descriptor.scheme, epoch: descriptor.epoch,
            certificate: digest)
        let isActivated =
            activations.count == plan.holders.identities.count
            && zip(plan.holders.identities, activations).allSatisfy {
                $0.verifies($1, of: activation)
            }
        let isApproved =
            certified.contains(digest)
            || ceremonies[intent].map { ceremony in
                ceremony.holders == plan.holders && ceremony.threshold == plan.threshold
                    && ceremony.kind == plan.kind
            } ?? false
        if !isActivated || !isApproved { fail(.onlyApprovedIsMade, "\(member): \(intent.hex)") }
        if let root, key.publicKey != root.publicKey || key.chainCode != root.chainCode {
            fail(.keyStaysSame, "\(member): \(intent.hex)")
        }
    }

    private mutating func note(
        _ proof: [UInt8], _ challenge: [UInt8], of group: GroupID, _ epoch: UInt64, by member: Int
    ) {
        let database = quorum.members[member].database
        let key = try? database.commit {
            try database.keys(of: group).first { $0.epoch == epoch }
        }
        let isGood = key.map { key in
            ShareCheck.verifies(
                proof,
                of: ShareCheck.Statement(
                    group: group, epoch: epoch, certificate: key.certificateDigest, index: key.me,
                    challenge: challenge), under: key.key)
        }
        guard isGood == true else { return fail(.shareIsWhole, "\(member), epoch \(epoch)") }
        proofCount += 1
    }

    /// By honest member.
    private mutating func check(_ stored: [Int: [HolderDatabase.StoredKey]]) throws {
        for (member, keys) in stored {
            let active = keys.filter { $0.state == .active && $0.hasShare }
            guard held[member, default: []].isSubset(of: active.map(\.group)) else {
                throw Broken(.keyStaysUsable, "\(member)")
            }
            for key in keys
            where key.publicKey != root?.publicKey
                || key.chainCode != root?.chainCode
            {
                throw Broken(.keyStaysSame, "\(member), epoch \(key.epoch)")
            }
            for key in keys where rosters[key.certificate] == nil {
                let database = quorum.members[member].database
                rosters[key.certificate] = try database.commit {
                    try database.keys(of: key.group).first { $0.epoch == key.epoch }?.roster
                }
            }
        }
        let all = Set(stored.values.joined())
        for (_, sames) in Dictionary(grouping: all, by: { "\($0.group) \($0.epoch)" }) {
            let confirmed = sames.filter { [.certified, .active].contains($0.state) }
            guard Set(confirmed.map(\.certificate)).count <= 1 else {
                throw Broken(.oneKeyPerEpoch, "\(confirmed)")
            }
        }
        for group in Set(held.values.joined()) {
            let isWhole = all.contains { key in
                key.group == group && key.state == .active && hasAllShares(key, stored)
            }
            if !isWhole { throw Broken(.oneEpochIsWhole, "\(all.filter { $0.group == group })") }
        }
    }

    /// Whether every honest holder of the epoch has its share.
    private func hasAllShares(
        _ key: HolderDatabase.StoredKey, _ stored: [Int: [HolderDatabase.StoredKey]]
    ) -> Bool {
        stored.allSatisfy { member, keys in
            let identity = quorum.members[member].identity
            guard rosters[key.certificate]?.identities.contains(identity) == true else {
                return true
            }
            return keys.contains {
                $0.certificate == key.certificate && $0.hasShare
                    && [.pending, .certified, .active].contains($0.state)
            }
        }
    }
}
