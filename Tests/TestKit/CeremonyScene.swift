import Algebra
import Canonical
import Chains
import Holder
import HolderStorage
import Intents
import KeyGroups

/// Holders of a simulated quorum among whom a key is made and dealt anew, and the platform's part
/// in it. Every group's threshold is two.
public final class CeremonyScene: @unchecked Sendable {  // as its quorum: one test drives it
    public struct Failed: Error, CustomStringConvertible {
        public let description: String
    }

    public let quorum: SimulatedQuorum
    public let scheme: SignatureScheme
    public let main = GroupID(unchecked: [UInt8](repeating: 9, count: 16))
    private var request: UInt8

    public init(_ quorum: SimulatedQuorum, _ scheme: SignatureScheme) {
        self.quorum = quorum
        self.scheme = scheme
        request = 100
    }

    /// Five holders: the main group is of the first three.
    public convenience init(
        _ seed: String, _ scheme: SignatureScheme = .ecdsaSecp256k1
    ) throws {
        self.init(try SimulatedQuorum(SigningThreshold(2, of: 5)!, seed: seed), scheme)
        try run(.keyGeneration, main, 1, holders([0, 1, 2]), confirmedBy: [0, 1, 2])
        try quorum.announce(
            SimulatedQuorum.stranger, to: Array(quorum.members.indices), under: publicKey(main))
    }

    /// The same with another quorum, which is a copy of this one's.
    public func copy(with quorum: SimulatedQuorum) -> CeremonyScene {
        let copy = CeremonyScene(quorum, scheme)
        copy.request = request
        return copy
    }

    /// What the platform has heard of the group's highest epoch.
    public func certificate(of group: GroupID) -> KeyCertificate? {
        quorum.certificates.map(\.certificate).filter { $0.descriptor.group == group }
            .max { $0.descriptor.epoch < $1.descriptor.epoch }
    }

    public func publicKey(_ group: GroupID) -> [UInt8]? { certificate(of: group)?.publicKey }

    public func holders(_ members: [Int], places: [Int]? = nil) -> Roster {
        let places = places ?? Array(1...members.count)
        return Roster(
            members.map { quorum.members[$0].identity }, places.map { ParticipantIndex($0)! })!
    }

    /// An intent under a request of its own.
    public func intent(
        _ occasion: KeyCeremony.Occasion, _ group: GroupID, _ epoch: UInt64, _ holders: Roster,
        kind: GroupKind = .main, from source: GroupID? = nil, lifetime: UInt64 = 3600
    ) throws -> Intent {
        request &+= 1
        var named: KeyCeremony.Source?
        if let source, let certificate = certificate(of: source),
            let (key, digest) = certificate.claimed()
        {
            named = KeyCeremony.Source(
                group: source, epoch: certificate.descriptor.epoch, certificate: digest,
                publicKey: key.publicKey)
        }
        let ceremony = KeyCeremony(
            occasion: occasion, scheme: scheme, kind: kind,
            threshold: SigningThreshold(2, of: holders.identities.count)!, holders: holders,
            source: named)
        guard let ceremony else { throw Failed(description: "no ceremony for \(occasion)") }
        return quorum.intent(
            .keyCeremony(ceremony), epoch: epoch, lifetime: lifetime, request: request,
            group: group)
    }

    /// A person's yes at each of these.
    public func confirm(_ intent: Intent, by members: [Int]) throws {
        guard case .keyCeremony(let ceremony) = intent.purpose else { return }
        for member in members {
            let database = quorum.members[member].database
            try database.commit {
                try database.confirm(
                    fingerprint: ceremony.fingerprint(of: intent.group), request: intent.request)
            }
        }
    }

    /// - Parameter dealers: of a key that exists.
    public func propose(_ intent: Intent, dealers: [Int]? = nil) throws {
        guard case .keyCeremony(let ceremony) = intent.purpose else { return }
        var source: SharingPlan.Source?
        let certificate: KeyCertificate? = ceremony.source.flatMap { named in
            quorum.certificates.map(\.certificate).first {
                ($0.descriptor.group, $0.descriptor.epoch) == (named.group, named.epoch)
            }
        }
        if let dealers, let named = ceremony.source,
            let group = certificate?.descriptor.plan?.holders
        {
            let identities = dealers.map { quorum.members[$0].identity }
            let places = identities.compactMap { identity in
                group.position(of: identity).flatMap { group.index(at: $0) }
            }
            source = Roster(identities, places).map {
                SharingPlan.Source(
                    group: named.group, epoch: named.epoch, certificate: named.certificate,
                    dealers: $0)
            }
        }
        let plan = SharingPlan(
            kind: ceremony.kind, threshold: ceremony.threshold, holders: ceremony.holders,
            source: source)
        guard let plan else { throw Failed(description: "no plan for \(intent.digest.hex)") }
        quorum.propose(
            intent, .keyCeremony(plan), source: certificate?.bytes ?? [], scheme: scheme)
    }

    /// A whole ceremony without faults.
    public func run(
        _ occasion: KeyCeremony.Occasion, _ group: GroupID, _ epoch: UInt64, _ holders: Roster,
        kind: GroupKind = .main, from source: GroupID? = nil, dealers: [Int]? = nil,
        confirmedBy members: [Int] = []
    ) throws {
        let intent = try intent(occasion, group, epoch, holders, kind: kind, from: source)
        try confirm(intent, by: members)
        let before = quorum.certificates.count
        quorum.offer(intent)
        try quorum.run()
        try propose(intent, dealers: dealers)
        try quorum.run()
        guard quorum.certificates.count - before == holders.identities.count else {
            throw Failed(description: "\(occasion): \(quorum.reports.last as Any)")
        }
    }

    /// Each member's epochs of the group, ascending, with their states.
    public func states(_ group: GroupID) throws -> [[String]] {
        try quorum.members.map { member in
            try member.database.commit {
                try member.database.keys(of: group).sorted { $0.epoch < $1.epoch }
                    .map { "\($0.epoch) \($0.state.rawValue)" }
            }
        }
    }

    /// Proposes that members of the group sign, at their places in the key of this certificate.
    public func proposeSigning(
        _ intent: Intent, _ order: TransferOrder, _ members: [Int],
        under certificate: KeyCertificate
    ) throws {
        let identities = members.map { quorum.members[$0].identity }
        guard let group = certificate.descriptor.plan?.holders, let claim = certificate.claimed(),
            let roster = Roster(
                identities,
                identities.compactMap { identity in
                    group.position(of: identity).flatMap { group.index(at: $0) }
                })
        else { throw Failed(description: "no quorum of \(members)") }
        quorum.propose(
            intent,
            .signing(certificate: claim.digest, items: quorum.items(order), roster))
    }
}
