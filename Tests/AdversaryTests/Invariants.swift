import Algebra
import Canonical
import Chains
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit

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
        case keyStaysUsable = "every honest holder has an active share"
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
    private var broken: Broken?
    private(set) var signatureCount = 0
    /// Why runs ended, as honest holders told it.
    private(set) var reasons: [String: Int] = [:]

    init(_ quorum: SimulatedQuorum, corrupted: Int?) {
        self.quorum = quorum
        self.corrupted = corrupted
        corruptedIdentity = corrupted.map { quorum.members[$0].identity }
    }

    /// Lets this intent be signed, and so.
    mutating func admit(_ intent: Intent, _ items: [SigningItem]) {
        admissible[intent.digest] = items
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
        case .testimony, .keyReady, .shareProof, .note: break
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
        if envelope.header.kind == .round, envelope.header.round == Signing.rounds.upperBound {
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
        for index in quorum.members.indices where index != corrupted {
            let database = quorum.members[index].database
            let banned = try database.commit { try database.bans() }
            if banned.contains(where: { $0.peer != corruptedIdentity }) {
                throw Broken(.noHonestBan, "\(index): \(banned)")
            }
            if try database.activeEpochs().isEmpty {
                throw Broken(.keyStaysUsable, "\(index)")
            }
        }
    }
}
