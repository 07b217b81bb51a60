import Algebra
import Canonical
import Chains
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing
import Threshold

/// What an address needs before a holder signs for it, with a platform that would do without.
@Suite struct `An address` {
    /// Three holders with a key, who know no address but the one of all orders.
    private final class Scene {
        let quorum: SimulatedQuorum
        private var request: UInt8 = 10
        static let address = EVMAddress(unchecked: [UInt8](repeating: 0x66, count: 20)).text
        static let chain = ChainID.eip155(31337)

        init(_ seed: String, cooling: UInt64 = 0, perDay: UInt64 = 1_000_000_000_000_000) throws {
            quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: seed)
            for index in quorum.members.indices {
                quorum.members[index].rules = SimulatedQuorum.rules(
                    perDay: perDay, addressCooling: cooling)
                quorum.restart(index)
            }
            try quorum.generateKey()
        }

        func order(nonce: UInt64 = 0) -> TransferOrder {
            let order = quorum.order()
            return TransferOrder(
                chain: order.chain, sourcePath: order.sourcePath,
                sourceAddress: order.sourceAddress,
                output: .init(
                    asset: order.output.asset, address: Self.address, amount: order.output.amount),
                nonce: nonce, fee: order.fee)
        }

        /// A new intent that says so, each time with a digest of its own.
        func intent(_ change: Announcement.Change) -> Intent {
            request += 1
            return quorum.intent(
                .announcement(Announcement(change, Self.address, on: Self.chain)),
                lifetime: 80_000, request: request)
        }

        func transfer(nonce: UInt64 = 0) -> Intent {
            request += 1
            return quorum.intent(
                .transfer(order(nonce: nonce)), lifetime: 80_000, request: request)
        }

        func announce(_ change: Announcement.Change = .add, to members: [Int]? = nil) throws {
            quorum.offer(intent(change), to: members)
            try quorum.run()
        }

        /// What the members answer to an intent now, in their order.
        func answers(to intent: Intent, by members: [Int]? = nil) throws -> [String] {
            let before = quorum.verdicts.count
            quorum.offer(intent, to: members)
            try quorum.run()
            return quorum.verdicts.dropFirst(before)
                .filter { $0.verdict.intent == intent.digest }.sorted { $0.member < $1.member }
                .map { said in
                    switch said.verdict.verdict {
                    case .refusal(let reason), .waiting(let reason):
                        "\(said.verdict.verdict.name) \(reason.code.rawValue)"
                    default: said.verdict.verdict.name
                    }
                }
        }

        func known(by member: Int) throws -> AnnouncedAddress? {
            let (database, root) = (quorum.members[member].database, quorum.certificate!.publicKey)
            return try database.commit {
                try database.announced(Self.address, on: Self.chain, under: root)
            }
        }
    }

    private static func all(_ answer: String) -> [String] { [answer, answer, answer] }

    @Test func `that no holder was told of is paid by none`() throws {
        let scene = try Scene("unannounced")
        let early = scene.transfer()
        #expect(try scene.answers(to: early) == Self.all("refusal address_not_announced"))
        scene.quorum.proposeSigning(early, scene.order(), [0, 1])
        try scene.quorum.run()
        try scene.announce()
        #expect(try scene.answers(to: scene.transfer(nonce: 1)) == Self.all("approval"))
        #expect(
            try scene.answers(to: early) == Self.all("refusal address_not_announced"),
            "what was refused stays refused")
        #expect(scene.quorum.signatures.isEmpty)
    }

    @Test func `announced under another root key is not known under this one`() throws {
        let scene = try Scene("other root")
        try scene.quorum.announce(Scene.address, to: [0, 1, 2], under: [2] + [UInt8](1...32))
        #expect(
            try scene.answers(to: scene.transfer()) == Self.all("refusal address_not_announced"))
    }

    @Test func `cools by each holder's own clock, whatever the platform says`() throws {
        let scene = try Scene("cooling", cooling: 600)
        scene.quorum.members[2].wall += 50  // its clock is ahead, and was all the time
        scene.quorum.restart(2)
        try scene.announce()
        let transfer = scene.transfer()
        // A platform that was taken over a moment ago announces and pays at once.
        #expect(try scene.answers(to: transfer) == Self.all("waiting address_cooling"))
        scene.quorum.proposeSigning(transfer, scene.order(), [0, 1])
        try scene.quorum.run()
        #expect(scene.quorum.signatures.isEmpty)
        try scene.quorum.tick(599)
        #expect(try scene.answers(to: transfer) == Self.all("waiting address_cooling"))
        // Said again, by new intents: it is no younger and no older.
        try scene.announce()
        for member in 0...2 { scene.quorum.restart(member) }
        try scene.quorum.tick(1)
        #expect(try scene.answers(to: transfer) == Self.all("approval"))
        scene.quorum.proposeSigning(transfer, scene.order(), [0, 1])
        try scene.quorum.run()
        #expect(scene.quorum.signatures[transfer.digest]?.count == 2)
    }

    @Test func `is not made old by a clock that jumps`() throws {
        let scene = try Scene("jump", cooling: 600)
        try scene.announce()
        let transfer = scene.transfer()
        #expect(try scene.answers(to: transfer) == Self.all("waiting address_cooling"))
        for member in scene.quorum.members { member.wall += 700 }
        #expect(try scene.answers(to: transfer) == Self.all("waiting frozen"))
        #expect(scene.quorum.signatures.isEmpty)
    }

    @Test func `that waits longer than its intent lives ends by that`() throws {
        let scene = try Scene("too late", cooling: 3600)
        try scene.announce()
        let transfer = scene.quorum.intent(.transfer(scene.order()), lifetime: 100, request: 99)
        #expect(try scene.answers(to: transfer) == Self.all("waiting address_cooling"))
        try scene.quorum.tick(131)
        #expect(try scene.answers(to: transfer) == Self.all("refusal expired"))
    }

    @Test func `removed is paid no more, and counts anew when it is entered again`() throws {
        let scene = try Scene("removed", cooling: 600)
        let first = scene.intent(.add)
        #expect(try scene.answers(to: first) == Self.all("approval"))
        try scene.quorum.tick(1000)
        try scene.announce(.remove)
        #expect(
            try scene.answers(to: scene.transfer()) == Self.all("refusal address_removed"))
        // The announcement that it was known by is dead: no relay brings it back with that.
        #expect(try scene.answers(to: first) == Self.all("approval"))
        #expect(
            try scene.answers(to: scene.transfer()) == Self.all("refusal address_removed"))
        try scene.announce(.add)
        #expect(try scene.known(by: 0)?.firstSeen == SimulatedQuorum.start + 1000)
        let again = scene.transfer()
        #expect(try scene.answers(to: again) == Self.all("waiting address_cooling"))
        try scene.quorum.tick(600)
        #expect(try scene.answers(to: again) == Self.all("approval"))
    }

    @Test func `vetoed before a holder knew it is paid no more either`() throws {
        let scene = try Scene("vetoed")
        try scene.announce(.remove)
        #expect(
            try scene.answers(to: scene.transfer()) == Self.all("refusal address_removed"))
    }

    @Test func `removed closes what was approved for it and frees its limits`() throws {
        // One transfer of 1000 with a fee of 21,000 gas at 10^9 fills a day.
        let scene = try Scene("freed", perDay: 21_000_000_002_000)
        try scene.announce()
        let (mine, other) = (scene.transfer(), scene.quorum.intent(.transfer(scene.quorum.order())))
        #expect(try scene.answers(to: mine) == Self.all("approval"))
        #expect(try scene.answers(to: other) == Self.all("waiting daily_limit"))
        let removal = scene.intent(.remove)
        scene.quorum.offer(removal)
        try scene.quorum.run()
        let said = scene.quorum.verdicts.suffix(6).filter { $0.verdict.intent == mine.digest }
        #expect(said.map { $0.verdict.verdict } == [.closed, .closed, .closed])
        #expect(try scene.answers(to: other) == Self.all("approval"))
    }

    @Test func `removed while a run is under way gets no last message`() throws {
        let scene = try Scene("mid run")
        try scene.announce()
        let transfer = scene.transfer()
        #expect(try scene.answers(to: transfer) == Self.all("approval"))
        let removal = scene.intent(.remove)
        var isRemoved = false
        scene.quorum.watch = { output, _ in
            guard case .envelope(_, let bytes) = output, let envelope = try? Envelope(bytes),
                envelope.header.kind == .round, envelope.header.round == 2, !isRemoved
            else { return }
            isRemoved = true
            scene.quorum.offer(removal)
        }
        // What the platform says overtakes what the holders say to each other.
        var held: [SimulatedQuorum.Transit] = []
        scene.quorum.relay = { transit in
            if case .envelope = transit.input, isRemoved {
                held.append(transit)
                return []
            }
            return [transit]
        }
        scene.quorum.proposeSigning(transfer, scene.order(), [0, 1])
        try scene.quorum.run()
        scene.quorum.relay = { [$0] }
        for transit in held { scene.quorum.post(transit.input, to: transit.to) }
        try scene.quorum.run()
        #expect(isRemoved)
        #expect(scene.quorum.signatures.isEmpty)
        let said = Set(
            scene.quorum.verdicts.filter { $0.verdict.intent == transfer.digest }
                .suffix(3).map(\.verdict.verdict.name))
        #expect(said == ["closed"])
    }

    @Test func `removed after the last message is no reason to deny it`() throws {
        let scene = try Scene("signed")
        try scene.announce()
        let transfer = scene.transfer()
        _ = try scene.answers(to: transfer)
        scene.quorum.proposeSigning(transfer, scene.order(), [0, 1])
        try scene.quorum.run()
        #expect(scene.quorum.signatures[transfer.digest]?.count == 2)
        try scene.announce(.remove)
        #expect(try scene.answers(to: transfer) == Self.all("approval").dropLast() + ["closed"])
    }

    @Test func `announced as a holder is killed is known after its answer, and only then`() throws {
        let scene = try Scene("crash")
        let offer = scene.intent(.add)
        let input = HolderInput.offer(
            intent: offer.bytes, signature: scene.quorum.sign(offer.digest))
        scene.quorum.handleAndRollBack([input], by: 0)
        scene.quorum.restart(0)
        #expect(try scene.known(by: 0) == nil)
        scene.quorum.handleAndDrop(input, by: 0)
        scene.quorum.restart(0)
        #expect(try scene.known(by: 0)?.firstSeen == SimulatedQuorum.start)
        try scene.quorum.tick(5)
        #expect(try scene.answers(to: offer, by: [0]) == ["approval"])
        #expect(try scene.known(by: 0)?.firstSeen == SimulatedQuorum.start)
    }

    /// A transfer to an address under a root key, marked as the signing key's own.
    private func ownTransfer(
        _ scene: Scene, number: UInt32, under certificate: KeyCertificate? = nil, request: UInt8
    ) -> (Intent, TransferOrder) {
        let order = scene.quorum.order(nonce: UInt64(request))
        let own = scene.quorum.order(number: number, certificate: certificate)
        let marked = TransferOrder(
            chain: order.chain, sourcePath: order.sourcePath, sourceAddress: order.sourceAddress,
            output: .init(
                asset: order.output.asset, address: own.sourceAddress, amount: order.output.amount,
                ownPath: own.sourcePath),
            nonce: order.nonce, fee: order.fee)
        return (scene.quorum.intent(.transfer(marked), request: request), marked)
    }

    @Test func `of its own root key needs no announcement, and is signed for at once`() throws {
        let scene = try Scene("own", cooling: 600)
        let (transfer, order) = ownTransfer(scene, number: 3, request: 50)
        #expect(try scene.answers(to: transfer) == Self.all("approval"))
        scene.quorum.proposeSigning(transfer, order, [0, 1])
        try scene.quorum.run()
        #expect(scene.quorum.signatures[transfer.digest]?.count == 2)
        // Its fee is reserved and its amount is not.
        let (database, root) = (
            scene.quorum.members[0].database, scene.quorum.certificate!.publicKey
        )
        let spent = try database.commit {
            try database.spent(
                of: SimulatedQuorum.asset, under: root, since: 0, except: .sha256([]))
        }
        #expect(spent == order.fee.most)
    }

    @Test func `that a platform calls the key's own and is not gets no signature`() throws {
        let scene = try Scene("not own")
        let thief = try Scene("thief")
        let (transfer, order) = ownTransfer(
            scene, number: 3, under: thief.quorum.certificate, request: 50)
        let far = ownTransfer(scene, number: 1000, request: 51)
        for (intent, order) in [(transfer, order), far] {
            #expect(try scene.answers(to: intent) == Self.all("refusal wrong_destination"))
            scene.quorum.proposeSigning(intent, order, [0, 1])
            try scene.quorum.run()
        }
        // Approved for an own address, and proposed for signing another.
        let (good, _) = ownTransfer(scene, number: 4, request: 52)
        #expect(try scene.answers(to: good) == Self.all("approval"))
        scene.quorum.proposeSigning(good, order, [0, 1])
        try scene.quorum.run()
        #expect(scene.quorum.signatures.isEmpty)
    }

    @Test func `announced by whoever has no intent key is not announced`() throws {
        let scene = try Scene("forged")
        let forged = scene.intent(.add)
        let signature = scene.quorum.identityOf(1).with { $0.sign(forged.digest) }
        scene.quorum.post(.offer(intent: forged.bytes, signature: signature), to: 0)
        try scene.quorum.run()
        #expect(try scene.known(by: 0) == nil)
    }
}
