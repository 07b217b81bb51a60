import Algebra
import Canonical
import Chains
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing

/// Messages, with real holders and a platform that would have others signed.
@Suite struct `A message at the holders` {
    private static let hello = EVMMessage.personal(Array("hello".utf8))

    private func quorum(_ seed: String, personal: Int? = 64) throws -> SimulatedQuorum {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: seed)
        let rules = SimulatedQuorum.rules()
        for index in quorum.members.indices {
            quorum.members[index].rules = HolderRules(
                environment: rules.environment, chains: rules.chains, assets: rules.assets,
                messages: MessageRules(personalMost: personal, typed: []), digest: rules.digest)
            quorum.restart(index)
        }
        try quorum.generateKey()
        return quorum
    }

    private func intent(
        _ quorum: SimulatedQuorum, _ message: EVMMessage = hello, request: UInt8 = 7
    ) -> Intent {
        let order = quorum.order()
        return quorum.intent(
            .message(
                MessageOrder(
                    chain: order.chain, sourcePath: order.sourcePath,
                    sourceAddress: order.sourceAddress, message: message)), request: request)
    }

    private func propose(
        _ intent: Intent, _ items: [SigningItem], _ quorum: SimulatedQuorum
    ) throws {
        quorum.propose(
            intent,
            .signing(
                certificate: quorum.certificate!.verified()!.digest, items: items,
                quorum.places(of: [0, 1])))
        try quorum.run()
    }

    @Test func `is signed by its address, and its signature is given again`() throws {
        let quorum = try quorum("message")
        let intent = intent(quorum)
        let item = try #require(intent.item)
        quorum.offer(intent)
        try quorum.run()
        #expect(
            quorum.verdicts.filter { $0.verdict.intent == intent.digest }.map(\.verdict.verdict)
                == [Verdict](repeating: .approval(digests: [item.digest]), count: 3))
        try propose(intent, [item], quorum)
        let signature = try #require(quorum.signatures[intent.digest]?.values.first?.first)
        let signer = try #require(signature.signer(of: item.digest))
        #expect(EVMAddress(signer).text == quorum.order().sourceAddress)
        #expect(item.digest == EVMMessage.digest(ofPersonal: Array("hello".utf8)))
    }

    @Test func `what is approved is stored before it is said, and kept over a restart`() throws {
        let quorum = try quorum("stored")
        let intent = intent(quorum)
        // Killed before the answer left, and before the store had it.
        quorum.handleAndDrop(
            .offer(intent: intent.bytes, signature: quorum.sign(intent.digest)), by: 0)
        quorum.handleAndRollBack(
            [.offer(intent: intent.bytes, signature: quorum.sign(intent.digest))], by: 1)
        for index in [0, 1] {
            let known = try quorum.members[index].database.commit {
                try quorum.members[index].database.intent(intent.digest)
            }
            #expect((known?.state == .approved) == (index == 0))
            quorum.restart(index)
        }
        quorum.offer(intent)
        try quorum.run()
        try propose(intent, [try #require(intent.item)], quorum)
        #expect(quorum.signatures[intent.digest]?.isEmpty == false)
    }

    @Test func `stands for no other digest, and no other intent stands for its`() throws {
        let quorum = try quorum("other digest")
        let (message, transfer) = (intent(quorum), quorum.intent(.transfer(quorum.order())))
        quorum.offer(message)
        quorum.offer(transfer)
        try quorum.run()
        let (mine, other) = (try #require(message.item), try #require(transfer.item))
        try propose(message, [other], quorum)
        try propose(transfer, [mine], quorum)
        try propose(message, [mine, other], quorum)
        #expect(quorum.signatures.isEmpty)
        #expect(
            quorum.reports.allSatisfy {
                $0.report.reason.contains("the run would sign something else than was approved")
            })
        #expect(!quorum.reports.isEmpty)
    }

    @Test func `is refused where nobody has allowed it`() throws {
        let quorum = try quorum("not allowed", personal: nil)
        let intent = intent(quorum)
        quorum.offer(intent)
        try quorum.run()
        let said = quorum.verdicts.filter { $0.verdict.intent == intent.digest }
        #expect(said.count == 3)
        for answer in said {
            guard case .refusal(let reason) = answer.verdict.verdict else {
                Issue.record("\(answer.verdict.verdict)")
                continue
            }
            #expect(reason.code == .messageNotAllowed)
        }
        try propose(intent, [try #require(intent.item)], quorum)
        #expect(quorum.signatures.isEmpty)
    }

    @Test func `that is allowed no more is not signed, though it was approved`() throws {
        let quorum = try quorum("changed rules")
        let intent = intent(quorum)
        quorum.offer(intent)
        try quorum.run()
        for index in quorum.members.indices {
            quorum.members[index].rules = SimulatedQuorum.rules()
            quorum.restart(index)
        }
        try propose(intent, [try #require(intent.item)], quorum)
        #expect(quorum.signatures.isEmpty)
    }
}
