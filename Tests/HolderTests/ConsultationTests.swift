import Algebra
import Canonical
import Chains
import Foundation
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing

/// What callback servers are asked: the words of docs/protocols/callback.md.
@Suite(.serialized) struct `A consultation` {
    private static let chain = ChainID.eip155(31337)
    private static let contract = EVMAddress(unchecked: [UInt8](repeating: 0xcc, count: 20))
    private static let server = CallbackServer(address: "http://one:11020", publicKey: [1])
    private static let typed = """
        {"types":{"EIP712Domain":[{"name":"chainId","type":"uint256"},\
        {"name":"verifyingContract","type":"address"}],\
        "Mail":[{"name":"contents","type":"string"}]},"primaryType":"Mail",\
        "domain":{"chainId":31337,"verifyingContract":"\(contract.text)"},\
        "message":{"contents":"hi"}}
        """

    /// Member 0 asks a server, and its rules admit calls and messages.
    private func quorum(_ seed: String) throws -> SimulatedQuorum {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: seed)
        try quorum.generateKey()
        let rules = SimulatedQuorum.rules()
        let call = ContractRule(
            chain: Self.chain, address: Self.contract, selectors: [[1, 2, 3, 4]],
            mostValue: Amount(UInt32(1000)))
        let mail = TypedDataRule(
            chain: Self.chain, contract: Self.contract, primaryType: "Mail")
        quorum.members[0].rules = HolderRules(
            environment: rules.environment, chains: rules.chains, assets: rules.assets,
            messages: MessageRules(personalMost: 64, typed: [mail]), contracts: [call],
            digest: rules.digest)
        quorum.members[0].callbackServers = [Self.server]
        quorum.restart(0)
        return quorum
    }

    private func asked(_ intent: Intent, _ quorum: SimulatedQuorum) throws -> Consultation {
        quorum.offer(intent, to: [0])
        try quorum.run()
        let asked = try #require(
            quorum.consultations.last?.consultation, "\(quorum.verdicts.last as Any)")
        #expect(asked.subject == intent.digest)
        return asked
    }

    /// What is said of anything that is signed.
    private func checkSigned(_ asked: Consultation, _ intent: Intent) throws {
        let item = try #require(intent.item)
        #expect(asked.kind == .signing)
        #expect(asked.detail["group_id"] == .string(intent.group.hex))
        #expect(asked.detail["msg_hash_list"] == .array([.string(item.digest.hex)]))
        #expect(asked.detail["bip32_path_list"] == .array([.string(item.path.description)]))
        #expect(asked.detail["task_id"] == .string(intent.digest.hex))
        #expect(asked.extra["wallet"]?["wallet_id"] == .string(intent.vault.text))
        guard case .array(let sources)? = asked.extra["source_addresses"] else {
            Issue.record("no source addresses")
            return
        }
        #expect(sources.count == 1 && sources[0]["chain_id"] == .string(Self.chain.text))
        #expect(sources[0]["root_pubkey"] == asked.detail["root_pub_key"])
    }

    @Test func `of a contract call shows contract, value and data`() throws {
        let quorum = try quorum("ask of a call")
        let order = quorum.order(amount: 1000)
        let payment = TransferOrder(
            chain: order.chain, sourcePath: order.sourcePath, sourceAddress: order.sourceAddress,
            output: .init(
                asset: order.output.asset, address: Self.contract.text,
                amount: order.output.amount),
            nonce: order.nonce, fee: order.fee)
        let call = try #require(CallOrder(payment: payment, data: [1, 2, 3, 4, 5]))
        let intent = quorum.intent(.contractCall(call))
        let asked = try asked(intent, quorum)
        try checkSigned(asked, intent)
        let transaction = try #require(asked.extra["transaction"])
        #expect(transaction["type"] == .string("ContractCall"))
        #expect(
            transaction["destination"]
                == .object([
                    "destination_type": .string("EVM_Contract"),
                    "address": .string(Self.contract.text), "value": .string("1000"),
                    "calldata": .string("0x0102030405"),
                ]))
        #expect(
            transaction["raw_tx_info"]?["unsigned_raw_tx"]
                == .string("0x" + Hex.encode(try #require(call.transaction).unsignedBytes)))
        #expect(transaction["fee"]?["fee_type"] == .string("EVM_EIP_1559"))
    }

    private func message(_ message: EVMMessage, _ quorum: SimulatedQuorum) -> Intent {
        let order = quorum.order()
        return quorum.intent(
            .message(
                MessageOrder(
                    chain: order.chain, sourcePath: order.sourcePath,
                    sourceAddress: order.sourceAddress, message: message)))
    }

    @Test func `of a message shows it, and nothing of a transaction`() throws {
        let quorum = try quorum("ask of a message")
        let hello: [UInt8] = Array("hello".utf8) + [0, 0xff]
        for (said, name, value) in [
            (
                EVMMessage.personal(hello), "message",
                JSONValue.string(Data(hello).base64EncodedString())
            ),
            (
                .typed(Array(Self.typed.utf8)), "structured_data",
                try JSONParser.parse(Array(Self.typed.utf8))
            ),
        ] {
            let intent = message(said, quorum)
            let asked = try asked(intent, quorum)
            try checkSigned(asked, intent)
            let transaction = try #require(asked.extra["transaction"])
            #expect(transaction["type"] == .string("MessageSign"))
            #expect(transaction["destination"]?[name] == value)
            for absent in ["fee", "raw_tx_info", "token_id"] {
                #expect(transaction[absent] == nil, "\(absent)")
            }
        }
    }

    @Test func `of a resharing says from whom to whom, as far as the holder knows`() throws {
        let scene = try CeremonyScene("ask of a resharing")
        let quorum = scene.quorum
        // Holder 1 deals and receives, holder 3 only receives.
        for member in [1, 3] {
            quorum.members[member].callbackServers = [Self.server]
            quorum.restart(member)
        }
        let target = GroupID(unchecked: [UInt8](repeating: 7, count: 16))
        let intent = try scene.intent(
            .fromKeyGroup, target, 1, scene.holders([1, 3]), kind: .signing, from: scene.main)
        try scene.confirm(intent, by: [1, 3])
        quorum.offer(intent, to: [1, 3])
        try quorum.run()
        func asked(_ member: Int) throws -> Consultation {
            try #require(quorum.consultations.first { $0.member == member }?.consultation)
        }
        func nodes(_ members: [Int]) -> JSONValue {
            .array(members.map { .string(quorum.members[$0].identity.hex) })
        }
        let (dealer, receiver) = (try asked(1), try asked(3))
        for asked in [dealer, receiver] {
            #expect(asked.kind == .resharing)
            #expect(asked.detail["old_group_id"] == .string(scene.main.hex))
            #expect(asked.detail["new_threshold"] == .integer(2))
            #expect(asked.detail["new_node_ids"] == nodes([1, 3]))
            #expect(asked.detail["curve"] == .integer(0))
            #expect(asked.extra["vault"]?["vault_id"] == .string(intent.vault.text))
            let group = asked.extra["target_key_share_holder_group"]
            #expect(group?["key_share_holder_group_id"] == .string(target.hex))
            #expect(group?["type"] == .string("SigningGroup"))
        }
        guard case .string(let root)? = dealer.detail["root_pub_key"] else {
            Issue.record("no root key")
            return
        }
        #expect(root.hasPrefix("xpub"))
        #expect(dealer.detail["used_node_ids"] == nodes([0, 1, 2]))
        #expect(dealer.detail["old_threshold"] == .integer(2))
        #expect(dealer.extra["source_key_share_holder_group"]?["type"] == .string("MainGroup"))
        let key = try #require(scene.publicKey(scene.main))
        #expect(receiver.detail["root_pub_key"] == .string("0x" + Hex.encode(key)))
        #expect(receiver.detail["used_node_ids"] == nodes([]))
        #expect(receiver.detail["old_threshold"] == .integer(0))
        #expect(receiver.extra["source_key_share_holder_group"] == nil)
    }
}
