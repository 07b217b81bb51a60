import Algebra
import Canonical
import Custody
import Foundation
import Holder
import HolderStorage
import Intents
import KeyGroups
import Storage

/// Custody and holders that are real, brought together as the signing desk does it, without a
/// network. The first holder is the platform's own.
public final class KeyShareScene: @unchecked Sendable {  // one test drives it
    private struct Signer: IntentSigner {
        let quorum: SimulatedQuorum
        func sign(_ digest: Digest) -> IdentitySignature { quorum.sign(digest) }
    }

    public struct Failed: Error, CustomStringConvertible {
        public let description: String
        public init(_ description: String) { self.description = description }
    }

    public let test: TestCustody
    public let quorum: SimulatedQuorum
    public let tenant: TenantID
    public private(set) var custody: Bookkeeper
    /// Which holders are online.
    public private(set) var online: [Int] = []
    private var said: [(member: Int, output: HolderOutput)] = []

    public init(_ seed: String, holders: Int = 5) async throws {
        let test = try TestCustody()
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: holders)!, seed: seed)
        (self.test, self.quorum, custody) = (test, quorum, test.custody)
        let (identities, signer) = (quorum.members.map(\.identity), Signer(quorum: quorum))
        tenant = try await test.custody.write { books in
            let known = try identities.enumerated().map {
                try books.register($0.element, name: "holder \($0.offset)")
            }
            try books.setOwnHolder("holder 0")
            let (tenant, key) = try books.createTenant(name: "T", threshold: 2, holders: known)
            _ = try books.abandonCeremonies(of: key.main, signer: signer)
            return tenant.id
        }
        quorum.watch = { [unowned self] output, member in said.append((member, output)) }
        try await setOnline(Array(identities.indices))
    }

    public func identity(_ member: Int) -> IdentityPublicKey { quorum.members[member].identity }

    public func setOnline(_ members: [Int]) async throws {
        online = members
        let states = quorum.members.enumerated().map {
            (identity: $0.element.identity, isOnline: members.contains($0.offset))
        }
        try await custody.write { books in
            for state in states {
                try books.store.setOnline(state.identity, since: state.isOnline ? books.now : nil)
            }
        }
    }

    /// All processes end and begin anew: only what is stored is left.
    public func restart() async throws {
        let path = test.directory.appending(path: "platform.sqlite").path
        let test = test
        let key = SealingKey(SecretBytes(copying: [UInt8](repeating: 5, count: 32)))
        custody = Bookkeeper(
            database: try PlatformDatabase(path: path), settings: test.custody.settings,
            vaultKey: PlatformVaultKey(key), events: PlainEvents(), clock: { test.now })
        for member in quorum.members.indices { quorum.restart(member) }
    }

    public func pass(seconds: UInt64) throws {
        test.pass(seconds: Int64(seconds))
        try quorum.tick(seconds)
    }

    /// Lets the desk and the holders work. A person confirms at these holders what they are asked.
    public func settle(confirmedBy people: [Int] = [], turns: Int = 8) async throws {
        let signer = Signer(quorum: quorum)
        for _ in 0..<turns {
            let online = Set(online.map(identity))
            let orders = try await custody.write { books in
                let offers = try books.makeIntents(signer: signer).map { request in
                    HolderOrder.offer(
                        intent: request.bytes, signature: request.signature,
                        to: try books.everyone(asked: request).filter(online.contains))
                }
                return try offers + books.announce(to: online, signer: signer)
                    + books.tend(online: online, signer: signer)
            }
            try await confirm(by: people)
            try await deliver(orders)
        }
    }

    /// A person's yes to every ceremony that is asked for.
    private func confirm(by people: [Int]) async throws {
        let requests = try await custody.read { try $0.store.signingRequests(in: [.open]) }
        for request in requests {
            let intent = try Intent(request.bytes)
            guard case .keyCeremony(let ceremony) = intent.purpose else { continue }
            for person in people {
                let database = quorum.members[person].database
                try database.commit {
                    try database.confirm(
                        fingerprint: ceremony.fingerprint(of: intent.group),
                        request: intent.request)
                }
            }
        }
    }

    private func deliver(_ first: [HolderOrder]) async throws {
        var orders = first
        while !orders.isEmpty {
            for order in orders { post(order) }
            try quorum.run()
            let heard = said
            said = []
            orders = []
            for (member, output) in heard { orders += try await take(output, from: member) }
        }
    }

    private func post(_ order: HolderOrder) {
        let (input, holders): (HolderInput, [IdentityPublicKey]) =
            switch order {
            case .offer(let intent, let signature, let to):
                (.offer(intent: intent, signature: signature), to)
            case .close(let intent, let signature, let to):
                (.close(intent: intent, signature: signature), to)
            case .run(let descriptor, let source, let to):
                (.run(descriptor: descriptor, source: source), to)
            case .checkUp(let group, let challenge, let to):
                (.checkUp(group: group, challenge: challenge), to)
            }
        for member in online where holders.contains(identity(member)) {
            quorum.post(input, to: member)
        }
    }

    private func take(_ output: HolderOutput, from member: Int) async throws -> [HolderOrder] {
        let (signer, holder) = (Signer(quorum: quorum), identity(member))
        let online = Set(online.map(identity))
        return try await custody.write { books in
            switch output {
            case .verdict(let verdict):
                return try books.take(verdict, online: online, signer: signer)
            case .keyReady(_, let certificate, let activations):
                return try books.take(certificate, activations: activations, signer: signer).1
            case .runEnded(let report):
                return try books.runEnded(
                    report.descriptor, reason: report.reason, culprits: report.culprits,
                    missing: report.missing, isBan: report.isBan, heardFrom: holder,
                    online: online, signer: signer)
            case .signatures(let intent, let signatures):
                if let signature = signatures.first {
                    _ = try books.take(signature: signature, of: intent)
                }
                return []
            case .envelope, .testimony, .shareProof, .note, .consult, .endConsultation, .deliver:
                return []
            }
        }
    }

    /// A holder's no to every ceremony that is asked for.
    public func refuse(by member: Int) async throws {
        let requests = try await custody.read { try $0.store.signingRequests(in: [.open]) }
        for request in requests {
            let verdict = quorum.identityOf(member).with {
                SignedVerdict(
                    .refusal(Verdict.Reason(.ceremonyMismatch, "Not with me.")),
                    on: request.digest, rules: .sha256([]), at: UInt64(test.now.seconds),
                    signedBy: $0)
            }
            try await deliver(try await take(.verdict(verdict), from: member))
        }
    }
}
