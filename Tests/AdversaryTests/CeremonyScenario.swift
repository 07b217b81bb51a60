import Algebra
import Canonical
import Chains
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit

/// A key that exists is dealt anew: to its own holders, to a signing group, or by a recovery group
/// with a lost holder replaced. In the end that is done, or it is given up and the group signs with
/// what it has.
struct CeremonyScenario: Scenario {
    /// Three holders of a main group, of whom the last is in a recovery group with the fifth.
    static func scene(_ scheme: SignatureScheme) throws -> CeremonyScene {
        let scene = try CeremonyScene("ceremonies \(scheme.name)", scheme)
        try scene.run(
            .fromKeyGroup, recovery, 1, scene.holders([2, 4]), kind: .recovery, from: scene.main,
            dealers: [0, 1], confirmedBy: [0, 1, 2, 4])
        return scene
    }

    private static let signing = GroupID(unchecked: [UInt8](repeating: 5, count: 16))
    private static let recovery = GroupID(unchecked: [UInt8](repeating: 6, count: 16))

    /// The first asks again, the second asks for what a new epoch is good for.
    var attemptsMost: Int { 3 }

    private let scene: CeremonyScene
    private let occasion: KeyCeremony.Occasion
    private let group: GroupID
    private let kind: GroupKind
    private let source: GroupID
    private let receivers: Roster
    /// Who may deal.
    private let dealers: [[Int]]
    private let isGivenUp: Bool
    private var intents: [Intent] = []
    private var transfer: Intent?

    init(_ network: FaultyNetwork, like original: CeremonyScene) {
        scene = original.copy(with: network.quorum)
        let main = [[0, 1], [0, 2], [1, 2]]
        let occasions: [KeyCeremony.Occasion] = [.refresh, .fromKeyGroup, .recovery]
        occasion = occasions[network.random.integer(below: occasions.count)]
        switch occasion {
        case .refresh, .keyGeneration:
            (group, kind, source, dealers) = (scene.main, .main, scene.main, main)
            receivers = scene.holders([0, 1, 2])
        case .fromKeyGroup:
            (group, kind, source, dealers) = (Self.signing, .signing, scene.main, main)
            receivers = scene.holders([1, 3])
        case .recovery:
            (group, kind, source, dealers) = (scene.main, .main, Self.recovery, [[2, 4]])
            receivers = scene.holders([1, 2, 3], places: [2, 3, 1])
        }
        isGivenUp = network.chance(1, of: 3)
        network.count(occasion.name)
    }

    mutating func start(_ network: FaultyNetwork) throws { try ask(network) }

    /// Asks for the next epoch, as the platform does when some holder has a row of the last.
    private mutating func ask(_ network: FaultyNetwork) throws {
        let keys = try network.quorum.members.flatMap { try $0.database.storedKeys() }
        let known = keys.filter { $0.group == group }.map(\.epoch).max() ?? 0
        let intent = try scene.intent(
            occasion, group, known + 1, receivers, kind: kind, from: source, lifetime: 50_000)
        try scene.confirm(intent, by: Array(network.quorum.members.indices))
        network.admit(intent)
        intents.append(intent)
        network.count("ceremonies asked for")
        network.quorum.offer(intent)
    }

    private func propose(_ intent: Intent, _ network: FaultyNetwork) throws {
        network.count("runs proposed")
        try scene.propose(
            intent, dealers: dealers[network.random.integer(below: dealers.count)])
    }

    mutating func retry(_ network: FaultyNetwork, isHealed: Bool) throws {
        if isHealed { return try finish(network) }
        let quorum = network.quorum
        let someone = network.random.integer(below: quorum.members.count)
        guard let intent = intents.last else { return }
        switch network.random.integer(below: 16) {
        case 0: try ask(network)
        case 1: try proposeAnother(intent, network)
        case 2:
            quorum.post(
                .checkUp(group: source, challenge: network.random.bytes(32)), to: someone)
        case 3: quorum.post(.connected, to: someone)
        case 4 where isGivenUp: close(intent, network)
        default:
            let waiting = unapproved(intent, network)
            if !waiting.isEmpty { quorum.offer(intent, to: waiting) }
            if waiting.isEmpty || network.chance(1, of: 8) { try propose(intent, network) }
        }
    }

    /// Who deals or receives and has not been heard to approve.
    private func unapproved(_ intent: Intent, _ network: FaultyNetwork) -> [Int] {
        let approved = network.quorum.verdicts.filter { said in
            guard case .approval = said.verdict.verdict else { return false }
            return said.verdict.intent == intent.digest
        }.map(\.member)
        return network.quorum.members.indices.filter { index in
            let isReceiver = receivers.identities.contains(network.quorum.members[index].identity)
            return (isReceiver || dealers.joined().contains(index)) && !approved.contains(index)
        }
    }

    /// A run for this intent that would give the key to others.
    private func proposeAnother(_ intent: Intent, _ network: FaultyNetwork) throws {
        guard case .keyCeremony(let ceremony) = intent.purpose, let named = ceremony.source,
            let certificate = scene.certificate(of: source),
            let group = certificate.descriptor.plan?.holders
        else { return }
        let others = scene.holders([0, 3, 4])
        let dealers = Roster(
            Array(group.identities.prefix(2)), Array(group.indices.prefix(2)))!
        let plan = SharingPlan(
            kind: kind, threshold: SigningThreshold(2, of: 3)!, holders: others,
            source: SharingPlan.Source(
                group: named.group, epoch: named.epoch, certificate: named.certificate,
                dealers: dealers))!
        network.count("runs proposed for others")
        network.quorum.propose(
            intent, .keyCeremony(plan), source: certificate.bytes, scheme: scene.scheme)
    }

    private func close(_ intent: Intent, _ network: FaultyNetwork) {
        let signature = network.quorum.sign(PlatformOrder.close(intent.digest))
        for index in network.quorum.members.indices {
            network.quorum.post(.close(intent: intent.digest, signature: signature), to: index)
        }
    }

    private mutating func finish(_ network: FaultyNetwork) throws {
        for index in network.quorum.members.indices { network.quorum.post(.connected, to: index) }
        if isGivenUp {
            for intent in intents { close(intent, network) }
        } else if !isMade(network) {
            try ask(network)
            guard let intent = intents.last else { return }
            return try propose(intent, network)
        }
        if scene.scheme == .ecdsaSecp256k1 { try sign(network) }
    }

    /// Whoever was given a share lately approves nothing for a day; these two had the key before.
    private mutating func sign(_ network: FaultyNetwork) throws {
        guard let certificate = scene.certificate(of: scene.main) else { return }
        let order = network.quorum.order(certificate: certificate)
        let intent = network.quorum.intent(
            .transfer(order), epoch: certificate.descriptor.epoch, lifetime: 50_000,
            request: UInt8(10 + certificate.descriptor.epoch))
        network.admit(intent, network.quorum.items(order))
        network.quorum.offer(intent)
        try scene.proposeSigning(intent, order, [1, 2], under: certificate)
        transfer = intent
    }

    func isDone(_ network: FaultyNetwork) -> Bool {
        guard isGivenUp ? isClosed(network) : isMade(network) else { return false }
        guard scene.scheme == .ecdsaSecp256k1 else { return true }
        return transfer.map { network.quorum.signatures[$0.digest]?.isEmpty == false } ?? false
    }

    /// Whether every honest receiver has a new epoch that is active.
    private func isMade(_ network: FaultyNetwork) -> Bool {
        network.honest.allSatisfy { index in
            let member = network.quorum.members[index]
            guard receivers.identities.contains(member.identity) else { return true }
            let keys = (try? member.database.storedKeys()) ?? []
            let before: UInt64 = kind == .signing ? 0 : 1
            return keys.contains {
                $0.group == group && $0.epoch > before && $0.state == .active
            }
        }
    }

    /// Whether every honest holder has said that no share will come of it, or that one has.
    private func isClosed(_ network: FaultyNetwork) -> Bool {
        guard network.isHealed else { return false }
        return intents.allSatisfy { intent in
            network.honest.allSatisfy { member in
                let last = network.quorum.verdicts.last {
                    $0.member == member && $0.verdict.intent == intent.digest
                }
                return last.map { [.closed, .given].contains($0.verdict.verdict) } ?? false
            }
        }
    }
}
