import Algebra
import Canonical
import Chains
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing

/// Contract calls, with real holders.
@Suite struct `A contract call at the holders` {
    private static let contract = EVMAddress(unchecked: [UInt8](repeating: 0xcc, count: 20))

    /// A day's limit has room for two calls with their fees, of 21,000 gas at 10^9, and no third.
    private func quorum(_ seed: String, isAllowed: Bool = true) throws -> SimulatedQuorum {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: seed)
        let rules = SimulatedQuorum.rules(perDay: 50_000_000_000_000)
        let rule = ContractRule(
            chain: .eip155(31337), address: Self.contract, selectors: [[1, 2, 3, 4]],
            mostValue: Amount(UInt32(1000)))
        for index in quorum.members.indices {
            quorum.members[index].rules = HolderRules(
                environment: rules.environment, chains: rules.chains, assets: rules.assets,
                contracts: isAllowed ? [rule] : [], digest: rules.digest)
            quorum.restart(index)
        }
        try quorum.generateKey()
        return quorum
    }

    private func intent(
        _ quorum: SimulatedQuorum, nonce: UInt64 = 0, data: [UInt8] = [1, 2, 3, 4, 5]
    ) throws -> Intent {
        let order = quorum.order(amount: 1000, nonce: nonce)
        let payment = TransferOrder(
            chain: order.chain, sourcePath: order.sourcePath, sourceAddress: order.sourceAddress,
            output: .init(
                asset: order.output.asset, address: Self.contract.text,
                amount: order.output.amount),
            nonce: nonce, fee: order.fee)
        return quorum.intent(
            .contractCall(try #require(CallOrder(payment: payment, data: data))),
            request: UInt8(20 + nonce))
    }

    private func answers(_ intent: Intent, _ quorum: SimulatedQuorum) throws -> Set<String> {
        quorum.offer(intent)
        try quorum.run()
        return Set(
            quorum.verdicts.filter { $0.verdict.intent == intent.digest }.map {
                switch $0.verdict.verdict {
                case .refusal(let reason), .waiting(let reason): reason.code.rawValue
                case .approval, .closed, .given: $0.verdict.verdict.name
                }
            })
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

    @Test func `is signed as the holders build it`() throws {
        let quorum = try quorum("call")
        let intent = try intent(quorum)
        #expect(try answers(intent, quorum) == ["approval"])
        let item = try #require(intent.item)
        try propose(intent, [item], quorum)
        let signature = try #require(quorum.signatures[intent.digest]?.values.first?.first)
        let signed = try #require(intent.transaction?.signed(signature))
        let read = try #require(SignedEVMTransaction(raw: signed.raw))
        #expect(read.sender?.text == quorum.order().sourceAddress)
        #expect(read.transaction.to == Self.contract && read.transaction.data == [1, 2, 3, 4, 5])
    }

    @Test func `counts against the day's limit with what was approved before`() throws {
        let quorum = try quorum("counters")
        #expect(try answers(try intent(quorum), quorum) == ["approval"])
        let transfer = quorum.intent(.transfer(quorum.order(nonce: 1)), request: 40)
        #expect(try answers(transfer, quorum) == ["approval"])
        #expect(try answers(try intent(quorum, nonce: 2), quorum) == ["daily_limit"])
        for index in quorum.members.indices { quorum.restart(index) }
        #expect(try answers(try intent(quorum, nonce: 3), quorum) == ["daily_limit"])
    }

    @Test func `is not signed in another's place, nor where nobody has allowed it`() throws {
        let quorum = try quorum("other data")
        let mine = try intent(quorum)
        #expect(try answers(mine, quorum) == ["approval"])
        // The platform would have other data signed, under the approval of these.
        let other = try intent(quorum, data: [1, 2, 3, 4, 6])
        try propose(mine, [try #require(other.item)], quorum)
        #expect(quorum.signatures.isEmpty)
        let another = try intent(quorum, nonce: 1, data: [1, 2, 3, 5])
        #expect(try answers(another, quorum) == ["contract_not_allowed"])

        let closed = try self.quorum("closed", isAllowed: false)
        let asked = try intent(closed)
        #expect(try answers(asked, closed) == ["contract_not_allowed"])
        try propose(asked, [try #require(asked.item)], closed)
        #expect(closed.signatures.isEmpty)
    }
}
