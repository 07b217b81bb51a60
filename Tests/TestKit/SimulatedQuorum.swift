import Algebra
import Canonical
import Chains
import HolderStorage
import Intents
import KeyGroups
import Threshold

@testable import Holder

/// Holders with their real stores, in one process, and between them a relay that a test may make
/// hostile. The platform's part is played by the test.
public final class SimulatedQuorum: @unchecked Sendable {  // one test drives it; others read
    public final class Member {
        public let database: HolderDatabase
        public internal(set) var core: HolderCore?
        public let identity: IdentityPublicKey
        let seed: SecretBox<SecretBytes>
        public var rules: HolderRules
        /// Its operator's, from the next start on.
        public var callbackServers: [CallbackServer] = []
        public var eventServers: [EventServer] = []
        public var wall: UInt64 = SimulatedQuorum.start
        public var monotonic: UInt64 = 1000

        init(seed: consuming SecretBytes, rules: HolderRules) throws {
            database = try HolderDatabase(path: nil)
            identity = IdentityKey(seed: seed)!.publicKey
            self.seed = SecretBox(seed)
            self.rules = rules
        }

        init(copying other: Member) throws {
            database = try other.database.copy()
            identity = other.identity
            seed = other.seed
            rules = other.rules
            callbackServers = other.callbackServers
            eventServers = other.eventServers
        }
    }

    /// A message to one member, as the relay has it in its hands.
    public struct Transit: Sendable {
        public let to: Int
        public var input: HolderInput

        public init(to: Int, input: HolderInput) {
            self.to = to
            self.input = input
        }
    }

    /// What the relay delivers in place of what it was given.
    public typealias Relay = (Transit) -> [Transit]

    public static let start: UInt64 = 1_800_000_000
    public static let asset = AssetID.native(.eip155(31337))

    public static let token = AssetID.erc20(
        .eip155(31337), EVMAddress(unchecked: [UInt8](repeating: 0x70, count: 20)))

    public private(set) var members: [Member] = []
    public let threshold: SigningThreshold
    public let group: GroupID
    private let platformSeed: SecretBox<SecretBytes>
    public let platformKey: IdentityPublicKey
    public var relay: Relay = { [$0] }
    /// Is told of everything that leaves a member, before the relay has it.
    public var watch: (HolderOutput, Int) -> Void = { _, _ in }
    private var queue: [Transit] = []
    private var puppets: [Int: Puppet] = [:]
    private var random: TestRandom
    private var attempt: UInt16 = 0

    // What the platform has heard, newest last, with who said it.
    public private(set) var verdicts: [(member: Int, verdict: SignedVerdict)] = []
    public private(set) var signatures: [Digest: [Int: [ECDSASignature]]] = [:]
    public private(set) var reports: [(member: Int, report: RunReport)] = []
    public private(set) var certificates: [(member: Int, certificate: KeyCertificate)] = []
    public private(set) var proofs: [(member: Int, proof: [UInt8])] = []
    public private(set) var notes: [(member: Int, text: String)] = []
    /// What members asked their callback servers, and what they stopped asking.
    public private(set) var consultations: [(member: Int, consultation: Consultation)] = []
    public private(set) var endedConsultations: [(member: Int, subject: Digest)] = []
    /// What members want their event servers to be told.
    public private(set) var events: [(member: Int, event: HolderEvent, server: EventServer)] = []
    /// Envelopes that left members, by sender.
    public private(set) var envelopes: [(member: Int, envelope: Envelope)] = []

    public static func rules(
        perTransaction: UInt64 = 1_000_000, perDay: UInt64 = 1_000_000_000_000_000,
        fee: UInt64 = 100_000_000_000_000, freshSetups: Bool = false, addressCooling: UInt64 = 0
    ) -> HolderRules {
        HolderRules(
            environment: .sandbox, chains: [.eip155(31337)],
            assets: [
                asset: HolderRules.Limits(
                    perTransaction: Amount(UInt128(perTransaction))!,
                    perDay: Amount(UInt128(perDay))!, fee: Amount(UInt128(fee))!)
            ], freshSetups: freshSetups, addressCooling: addressCooling,
            digest: .sha256(Array("rules".utf8)))
    }

    public init(_ threshold: SigningThreshold, seed: String, group: UInt8 = 9) throws {
        self.threshold = threshold
        self.group = GroupID(unchecked: [UInt8](repeating: group, count: 16))
        random = TestRandom(seed)
        platformSeed = SecretBox(SecretBytes(count: 32, from: &random))
        platformKey = platformSeed.with { IdentityKey(seed: $0)!.publicKey }
        var made: [Member] = []
        for _ in 0..<threshold.holders {
            made.append(
                try Member(
                    seed: SecretBytes(count: 32, from: &random),
                    rules: Self.rules()))
        }
        members = made.sorted { $0.identity < $1.identity }
        for index in members.indices { restart(index) }
    }

    /// The same holders, each with a copy of its store: what they do leaves the others' as it is.
    public init(copying other: SimulatedQuorum) throws {
        threshold = other.threshold
        group = other.group
        random = other.random
        platformSeed = other.platformSeed
        platformKey = other.platformKey
        attempt = other.attempt
        certificates = other.certificates
        members = try other.members.map(Member.init(copying:))
        for index in members.indices { restart(index) }
    }

    /// Brings back a member's store as it was when `other` was copied, and starts it.
    public func restore(_ index: Int, from other: SimulatedQuorum) throws {
        members[index] = try Member(copying: other.members[index])
        restart(index)
    }

    /// Starts a member's process anew: only what it has stored is left.
    public func restart(_ index: Int) {
        puppets[index] = nil
        members[index].core = makeCore(index)
    }

    private func makeCore(_ index: Int) -> HolderCore {
        let member = members[index]
        let identity = member.seed.with { IdentityKey(seed: $0)! }
        var sealingRandom = TestRandom("sealing/\(index)")
        let sealing = SealingKey(SecretBytes(count: 32, from: &sealingRandom))
        return HolderCore(
            identity: identity, sealing: sealing, platform: platformKey, rules: member.rules,
            store: member.database, callbackServers: member.callbackServers,
            eventServers: member.eventServers)
    }

    public func stop(_ index: Int) { members[index].core = nil }

    /// In place of the member's own core, a puppet of the test's gets what is for it.
    public func replace(_ index: Int, by puppet: Puppet) {
        stop(index)
        puppets[index] = puppet
    }

    /// Handles an input as a process that is killed before its answers have left.
    public func handleAndDrop(_ input: HolderInput, by index: Int) {
        handleAndDrop([input], by: index)
    }

    public func handleAndDrop(_ inputs: [HolderInput], by index: Int) {
        let member = members[index]
        let time = HolderTime(wall: member.wall, monotonic: member.monotonic)
        _ = try? member.core?.handle(inputs, at: time)
        member.core = nil
    }

    /// Handles inputs as a process that is killed just before its transaction is on disk.
    public func handleAndRollBack(_ inputs: [HolderInput], by index: Int) {
        guard members[index].core != nil else { return }
        members[index].database.failNextCommit()
        handleAndDrop(inputs, by: index)
    }

    public func identityOf(_ index: Int) -> SecretBox<IdentityKey> { identityKey(index) }

    func identityKey(_ index: Int) -> SecretBox<IdentityKey> {
        SecretBox(members[index].seed.with { IdentityKey(seed: $0)! })
    }

    /// The member's share of the active key, as it keeps it.
    public func share(_ index: Int) throws -> KeyShare<ECDSA> {
        let (database, core) = (members[index].database, makeCore(index))
        let box = try database.commit {
            let key = try database.keys(of: group).first { $0.state == .active }!
            return SecretBox(try core.openShare(of: key, ECDSA.self))
        }
        return box.take()!
    }

    public func sign(_ digest: Digest) -> IdentitySignature {
        platformSeed.with { IdentityKey(seed: $0)!.sign(digest) }
    }

    public func post(_ input: HolderInput, to index: Int) {
        queue.append(Transit(to: index, input: input))
    }

    /// Delivers until nothing is on its way.
    public func run() throws {
        while !queue.isEmpty { try deliverOne(0) }
    }

    private func deliverOne(_ at: Int) throws {
        let transit = queue.remove(at: at)
        for delivered in relay(transit) { try handle(delivered.input, by: delivered.to) }
    }

    /// Gives a member one input, as one batch.
    public func handle(_ input: HolderInput, by index: Int) throws {
        try handle([input], by: index)
    }

    /// Gives a member inputs as one batch.
    public func handle(_ inputs: [HolderInput], by index: Int) throws {
        let member = members[index]
        if let puppet = puppets[index] {
            for input in inputs { try puppet.handle(input) }
            return
        }
        guard let core = member.core else { return }
        let time = HolderTime(wall: member.wall, monotonic: member.monotonic)
        let outputs = try core.handle(inputs, at: time)
        for output in Self.ordered(outputs) { collect(output, from: index) }
    }

    /// Several runs that end at once for one reason do so in the order of their hashes in a
    /// dictionary, which each process draws anew. Here they end in the order of their descriptors,
    /// so that a seed tells what happens.
    private static func ordered(_ outputs: [HolderOutput]) -> [HolderOutput] {
        var ends: [(report: RunReport, outputs: [HolderOutput])] = []
        var gathered: [HolderOutput] = []
        for output in outputs {
            gathered.append(output)
            guard case .runEnded(let report) = output else { continue }
            let place =
                ends.lastIndex {
                    $0.report.reason != report.reason
                        || $0.report.descriptor.bytes.lexicographicallyPrecedes(
                            report.descriptor.bytes)
                }.map { $0 + 1 } ?? 0
            ends.insert((report, gathered), at: place)
            gathered = []
        }
        return ends.flatMap(\.outputs) + gathered
    }

    public func collect(_ output: HolderOutput, from index: Int) {
        watch(output, index)
        switch output {
        case .verdict(let verdict): verdicts.append((index, verdict))
        case .envelope(let recipients, let bytes):
            if let envelope = try? Envelope(bytes) { envelopes.append((index, envelope)) }
            for member in members(recipients) { post(.envelope(bytes), to: member) }
        case .testimony(let recipients, let bytes):
            for member in members(recipients) { post(.testimony(bytes), to: member) }
        case .signatures(let intent, let made): signatures[intent, default: [:]][index] = made
        case .keyReady(_, let certificate, _): certificates.append((index, certificate))
        case .runEnded(let report): reports.append((index, report))
        case .shareProof(_, _, _, let proof): proofs.append((index, proof))
        case .note(let text): notes.append((index, text))
        case .consult(let consultation): consultations.append((index, consultation))
        case .endConsultation(let subject): endedConsultations.append((index, subject))
        case .deliver(let event, let server): events.append((index, event, server))
        }
    }

    /// A relay does not know everybody to whom somebody may write.
    private func members(_ identities: [IdentityPublicKey]) -> [Int] {
        identities.compactMap { identity in members.firstIndex { $0.identity == identity } }
    }

    public func tick(_ seconds: UInt64 = 1) throws {
        for (index, member) in members.enumerated() {
            member.wall += seconds
            member.monotonic += seconds
            try handle(.tick, by: index)
        }
    }

    public var roster: Roster {
        Roster(members.map(\.identity), TestKeys.indices(threshold.holders))!
    }
}

// What the platform asks for.
extension SimulatedQuorum {
    public func intent(
        _ purpose: Intent.Purpose, epoch: UInt64 = 1, lifetime: UInt64 = 3600, request: UInt8 = 1,
        group: GroupID? = nil
    ) -> Intent {
        Intent(
            environment: .sandbox, tenant: TenantID(unchecked: [UInt8](repeating: 2, count: 16)),
            vault: VaultID(unchecked: [UInt8](repeating: 3, count: 16)),
            request: RequestID(unchecked: [UInt8](repeating: request, count: 16)),
            group: group ?? self.group, epoch: epoch, purpose: purpose, notBefore: Self.start - 10,
            expires: Self.start + lifetime, policy: .sha256([]))
    }

    public func offer(_ intent: Intent, to indices: [Int]? = nil) {
        for index in indices ?? Array(members.indices) {
            post(.offer(intent: intent.bytes, signature: sign(intent.digest)), to: index)
        }
    }

    /// Makes the group's key by the real ceremony, confirmed at every holder.
    public func generateKey(epoch: UInt64 = 1) throws {
        let ceremony = KeyCeremony(
            occasion: .keyGeneration, scheme: .ecdsaSecp256k1, kind: .main, threshold: threshold,
            holders: roster, source: nil)!
        for member in members {
            try member.database.commit {
                try member.database.confirm(
                    fingerprint: ceremony.fingerprint(of: group),
                    request: RequestID(unchecked: [UInt8](repeating: 1, count: 16)))
            }
        }
        let intent = intent(.keyCeremony(ceremony), epoch: epoch)
        offer(intent)
        try run()
        propose(
            intent,
            .keyCeremony(
                SharingPlan(kind: .main, threshold: threshold, holders: roster, source: nil)!))
        try run()
        if certificate != nil { try announce(Self.stranger, to: Array(members.indices)) }
        envelopes = []
    }

    /// The destination of all orders.
    public static let stranger = EVMAddress(unchecked: [UInt8](repeating: 4, count: 20)).text

    /// Has members know an address, as if it had been announced to them as they were started.
    public func announce(
        _ address: String, to indices: [Int], under root: [UInt8]? = nil
    ) throws {
        let root = root ?? certificate!.publicKey
        for index in indices {
            let database = members[index].database
            try database.commit {
                try database.keep(
                    AnnouncedAddress(firstSeen: Self.start), of: address, on: .eip155(31337),
                    under: root)
            }
        }
    }

    public var certificate: KeyCertificate? { certificates.first?.certificate }

    public func order(
        amount: UInt64 = 1000, nonce: UInt64 = 0, number: UInt32 = 0, priorityFee: UInt64 = 1,
        maxFee: UInt64 = 1_000_000_000, gas: UInt64 = 21_000,
        certificate: KeyCertificate? = nil
    ) -> TransferOrder {
        let path = AccountPath(coin: 60, vaultIndex: 5, number: number)!
        let key = (certificate ?? self.certificate)!.verified()!.key.key(of: ECDSA.self)!
        let source = EVMAddress(DerivedKey(path.derivation, of: key)!.publicKey).text
        return TransferOrder(
            chain: .eip155(31337), sourcePath: path, sourceAddress: source,
            output: .init(
                asset: Self.asset,
                address: Self.stranger,
                amount: Amount(UInt128(amount))!),
            nonce: nonce,
            fee: EVMFeeLimit(
                gasLimit: gas, maxFeePerGas: maxFee, maxPriorityFeePerGas: priorityFee)!)
    }

    /// A payment of the token.
    public func tokenOrder(
        amount: UInt64 = 1000, asset: AssetID = SimulatedQuorum.token, to: String? = nil,
        gas: UInt64 = 100_000
    ) -> TransferOrder {
        let coins = order(gas: gas)
        return TransferOrder(
            chain: coins.chain, sourcePath: coins.sourcePath, sourceAddress: coins.sourceAddress,
            output: .init(
                asset: asset, address: to ?? coins.output.address,
                amount: Amount(UInt128(amount))!),
            nonce: coins.nonce, fee: coins.fee)
    }

    /// What an honest holder signs for the order.
    public func items(_ order: TransferOrder) -> [SigningItem] {
        guard let transaction = order.transaction else { return [] }
        return [
            SigningItem(path: order.sourcePath.derivation, digest: transaction.signingDigest)
        ]
    }

    @discardableResult
    public func propose(
        _ intent: Intent, _ purpose: RunDescriptor.Purpose, source: [UInt8] = [],
        scheme: SignatureScheme = .ecdsaSecp256k1, expiresIn seconds: UInt64 = 60,
        isFresh: Bool = false
    ) -> RunDescriptor {
        attempt += 1
        let descriptor = RunDescriptor(
            request: intent.request, attempt: attempt, intent: intent.digest, group: intent.group,
            epoch: intent.epoch, scheme: scheme, purpose: purpose,
            expires: members[0].wall + seconds, isFresh: isFresh)
        for member in members(descriptor.roster.identities) {
            post(.run(descriptor: descriptor.bytes, source: source), to: member)
        }
        return descriptor
    }

    @discardableResult
    public func proposeSigning(
        _ intent: Intent, _ order: TransferOrder, _ quorum: [Int], expiresIn seconds: UInt64 = 60,
        isFresh: Bool = false
    ) -> RunDescriptor {
        propose(
            intent,
            .signing(
                certificate: certificate!.verified()!.digest, items: items(order),
                places(of: quorum)), expiresIn: seconds, isFresh: isFresh)
    }

    /// These members at their places.
    public func places(of indices: [Int]) -> Roster {
        Roster(
            indices.map { members[$0].identity }, indices.map { self.roster.indices[$0] })!
    }
}
