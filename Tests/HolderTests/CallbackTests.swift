import Canonical
import Chains
import Holder
import Intents
import KeyGroups
import TestKit
import Testing
import Threshold

/// What a holder does with the word of its operator's servers; who speaks to them is in
/// `CallbackDeskTests`.
@Suite(.serialized) struct `A holder with callback servers` {
    private static let servers = ["http://one:11020", "http://two:11020"].map {
        CallbackServer(address: $0, publicKey: [1])
    }

    /// Member 0 has two servers, the others none.
    private func quorum(_ seed: String, keyFirst: Bool = true) throws -> SimulatedQuorum {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: seed)
        if keyFirst { try quorum.generateKey() }
        quorum.members[0].callbackServers = Self.servers
        quorum.restart(0)
        return quorum
    }

    private func offered(
        _ quorum: SimulatedQuorum, amount: UInt64 = 1000
    ) throws -> (Intent, TransferOrder) {
        let order = quorum.order(amount: amount)
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        return (intent, order)
    }

    private func decide(
        _ decision: ServerDecision, _ server: Int, on intent: Intent, _ quorum: SimulatedQuorum
    ) throws {
        try quorum.handle(
            .decided(subject: intent.digest, server: Self.servers[server].id, decision), by: 0)
    }

    private func last(_ quorum: SimulatedQuorum) -> Verdict? {
        quorum.verdicts.last { $0.member == 0 }?.verdict.verdict
    }

    private func code(_ quorum: SimulatedQuorum) -> RefusalCode? {
        switch last(quorum) {
        case .refusal(let reason), .waiting(let reason): reason.code
        case .approval, .closed, .given, nil: nil
        }
    }

    @Test func `waits until all approve, and asks no more before Ready and the last message`()
        throws
    {
        let quorum = try quorum("all approve")
        let (intent, order) = try offered(quorum)
        #expect(last(quorum) == .waiting(.callbackPending))
        let asked = try #require(quorum.consultations.first?.consultation)
        #expect(asked.servers == Self.servers && asked.subject == intent.digest)
        quorum.offer(intent, to: [0])
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        #expect(quorum.consultations.count == 1, "asked again while it is asked")
        #expect(quorum.signatures.isEmpty)
        try decide(.approved, 0, on: intent, quorum)
        #expect(last(quorum) == .waiting(.callbackPending))
        try decide(.approved, 1, on: intent, quorum)
        #expect(last(quorum) == .approval(digests: quorum.items(order).map(\.digest)))
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        #expect(quorum.signatures[intent.digest]?.count == 2)
        #expect(quorum.consultations.count == 1)
    }

    @Test func `refuses for good what one server rejects, and asks the other no more`() throws {
        let quorum = try quorum("one rejects")
        let (intent, order) = try offered(quorum)
        try decide(.approved, 1, on: intent, quorum)
        try decide(.rejected(why: "not on our list"), 0, on: intent, quorum)
        #expect(code(quorum) == .callbackRejected)
        #expect(quorum.endedConsultations.map(\.subject) == [intent.digest])
        // The server's words are for the operator, not for the platform.
        #expect(quorum.notes.contains { $0.text.contains("not on our list") })
        if case .refusal(let reason) = last(quorum) {
            #expect(!reason.sentence.contains("list") && !reason.sentence.contains("http"))
        }
        // It cannot change its mind, whoever asks again.
        try decide(.approved, 0, on: intent, quorum)
        quorum.offer(intent, to: [0])
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        #expect(code(quorum) == .callbackRejected)
        #expect(quorum.signatures.isEmpty && quorum.consultations.count == 1)
        #expect(try quorum.members[0].database.rowCount(of: "reservations") == 0)
    }

    @Test func `takes silence for a no`() throws {
        let quorum = try quorum("silence")
        let (intent, _) = try offered(quorum)
        try decide(.silent(why: "no answer within 10 seconds"), 0, on: intent, quorum)
        #expect(code(quorum) == .callbackUnanswered)
    }

    /// Killed with a decision in its hands: before it is stored it asks again, afterwards it uses
    /// what is stored, and a second word of the same server changes nothing.
    @Test func `that is killed asks again or uses what was stored, and decides once`() throws {
        let quorum = try quorum("killed")
        let (intent, _) = try offered(quorum)
        let decision = HolderInput.decided(
            subject: intent.digest, server: Self.servers[0].id, .rejected(why: "no"))
        quorum.handleAndRollBack([decision], by: 0)
        quorum.restart(0)
        quorum.offer(intent, to: [0])
        try quorum.run()
        #expect(quorum.consultations.last?.consultation.servers == Self.servers)
        #expect(last(quorum) == .waiting(.callbackPending))

        quorum.handleAndDrop(
            .decided(subject: intent.digest, server: Self.servers[0].id, .approved), by: 0)
        quorum.restart(0)
        quorum.offer(intent, to: [0])
        try quorum.run()
        #expect(quorum.consultations.last?.consultation.servers == [Self.servers[1]])
        try decide(.rejected(why: "too late"), 0, on: intent, quorum)
        #expect(last(quorum) == .waiting(.callbackPending))
        try decide(.approved, 1, on: intent, quorum)
        guard case .approval = last(quorum) else {
            Issue.record("the first decisions do not count: \(String(describing: last(quorum)))")
            return
        }
    }

    @Test func `asks nothing that its rules refuse, and nothing about announcements`() throws {
        let quorum = try quorum("rules first")
        _ = try offered(quorum, amount: 2_000_000)
        #expect(code(quorum) == .amountAboveLimit)
        quorum.offer(
            quorum.intent(
                .announcement(Announcement(.add, SimulatedQuorum.stranger, on: .eip155(31337))),
                request: 8))
        try quorum.run()
        #expect(last(quorum) == .approval(digests: []))
        #expect(quorum.consultations.isEmpty)
    }

    @Test func `asks about a key ceremony after a person has confirmed it`() throws {
        let quorum = try quorum("ceremony", keyFirst: false)
        try quorum.generateKey()
        #expect(quorum.certificates.isEmpty && last(quorum) == .waiting(.callbackPending))
        let asked = try #require(quorum.consultations.first?.consultation)
        #expect(asked.kind == .keyGeneration)
        #expect(asked.detail["threshold"] == .integer(2))
        #expect(asked.detail["curve"] == .integer(0))
        #expect(
            asked.detail["node_ids"] == .array(quorum.members.map { .string($0.identity.hex) }))
        for server in Self.servers {
            try quorum.handle(
                .decided(subject: asked.subject, server: server.id, .approved), by: 0)
        }
        try quorum.generateKey()
        #expect(quorum.certificates.count == 3 && quorum.consultations.count == 1)
    }

    @Test func `asks no more about what is closed, and drops what comes`() throws {
        let quorum = try quorum("closed")
        let (intent, _) = try offered(quorum)
        try quorum.handle(
            .close(
                intent: intent.digest,
                signature: quorum.sign(PlatformOrder.close(intent.digest))), by: 0)
        #expect(quorum.endedConsultations.map(\.subject) == [intent.digest])
        try decide(.approved, 0, on: intent, quorum)
        try decide(.approved, 1, on: intent, quorum)
        #expect(last(quorum) == .closed)
        #expect(try quorum.members[0].database.rowCount(of: "decisions") == 0)
    }

    @Test func `asks a server that was named after the approval`() throws {
        let quorum = try quorum("named later")
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.members[0].callbackServers = []
        quorum.restart(0)
        quorum.offer(intent)
        try quorum.run()
        quorum.members[0].callbackServers = Self.servers
        quorum.restart(0)
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        #expect(quorum.signatures.isEmpty && quorum.consultations.count == 1)
        for server in [0, 1] { try decide(.approved, server, on: intent, quorum) }
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        #expect(quorum.signatures[intent.digest]?.count == 2)
    }

    /// A server with another key is another server: what the old one said does not count for it.
    @Test func `tells servers apart by address and key`() {
        let ids = [
            CallbackServer(address: "http://a", publicKey: [1]),
            CallbackServer(address: "http://a", publicKey: [2]),
            CallbackServer(address: "http://b", publicKey: [1]),
        ].map(\.id)
        #expect(Set(ids).count == 3)
    }

    @Test func `shows the transaction that it would sign`() throws {
        let quorum = try quorum("shows")
        let (intent, order) = try offered(quorum)
        let asked = try #require(quorum.consultations.first?.consultation)
        #expect(
            asked.detail["msg_hash_list"]
                == .array(quorum.items(order).map { .string($0.digest.hex) }))
        #expect(asked.detail["bip32_path_list"] == .array([.string(order.sourcePath.text)]))
        #expect(asked.detail["signature_type"] == .integer(1))
        let transaction = try #require(asked.extra["transaction"])
        #expect(
            transaction["destination"]?["account_output"]
                == .object([
                    "address": .string(order.output.address), "amount": .string("1000"),
                ]))
        #expect(
            transaction["raw_tx_info"]?["unsigned_raw_tx"]
                == .string("0x" + Hex.encode(try #require(order.transaction).unsignedBytes)))
        #expect(transaction["wallet_id"] == .string(intent.vault.text))
    }
}
