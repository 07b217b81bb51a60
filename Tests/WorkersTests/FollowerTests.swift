import Algebra
import AsyncHTTPClient
import Canonical
import Chains
import Custody
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization
import TestKit
import Testing
import Workers

/// A chain's node whose view a test decides: which blocks it has, and which transfers are in them.
private final class ScriptedNode: Sendable {
    struct Block: Sendable {
        let hash: Digest
        let parent: Digest
        var transfers: [(hash: Digest, to: String, wei: UInt64)] = []
        /// What contracts wrote, by the transaction's hash.
        var logs: [(hash: Digest, log: ERC20Log)] = []
    }

    private let blocks = Mutex<[Block]>([])

    func show(_ view: [Block]) { blocks.withLock { $0 = view } }

    func serve(port: Int) async throws {
        let router = Router()
        router.post("/") { [self] request, _ in
            let body = try await request.body.collect(upTo: 1 << 16)
            let call =
                try JSONSerialization.jsonObject(with: Data(body.readableBytesView))
                as? [String: Any]
            let parameter = (call?["params"] as? [Any])?.first
            let block = (parameter as? [String: Any])?["blockHash"]
            let result = answer(
                call?["method"] as? String ?? "", (parameter ?? "") as? String ?? block as? String)
            let data = try JSONSerialization.data(
                withJSONObject: ["jsonrpc": "2.0", "id": 1, "result": result])
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(bytes: data)))
        }
        var log = Logger(label: "node")
        log.logLevel = .critical
        try await Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
            logger: log
        ).runService(gracefulShutdownSignals: [])
    }

    private func answer(_ method: String, _ parameter: String?) -> Any {
        let blocks = blocks.withLock { $0 }
        switch method {
        case "eth_chainId": return "0x7a69"
        case "eth_blockNumber": return "0x" + String(blocks.count - 1, radix: 16)
        case "eth_maxPriorityFeePerGas": return "0x1"
        case "eth_getBlockByNumber":
            guard let number = parameter.flatMap({ Int($0.dropFirst(2), radix: 16) }),
                blocks.indices.contains(number)
            else { return NSNull() }
            return block(blocks[number], number)
        case "eth_getTransactionReceipt":
            for block in blocks {
                for transfer in block.transfers where "0x" + transfer.hash.hex == parameter {
                    return [
                        "transactionHash": "0x" + transfer.hash.hex,
                        "blockHash": "0x" + block.hash.hex, "status": "0x1", "gasUsed": "0x5208",
                        "effectiveGasPrice": "0x1", "logs": logs(block, of: transfer.hash),
                    ]
                }
            }
            return NSNull()
        case "eth_getLogs":
            // Whatever the filter asks for: all that contracts wrote in the block.
            return blocks.filter { "0x" + $0.hash.hex == parameter }.flatMap { logs($0, of: nil) }
        default: return NSNull()
        }
    }

    private func logs(_ block: Block, of hash: Digest?) -> [Any] {
        block.logs.filter { hash == nil || $0.hash == hash }.map { hash, log in
            [
                "address": "0x" + log.contract.hex, "data": "0x" + Hex.encode(log.data),
                "topics": log.topics.map { "0x" + Hex.encode($0) },
                "blockHash": "0x" + block.hash.hex, "transactionHash": "0x" + hash.hex,
            ]
        }
    }

    private func block(_ block: Block, _ number: Int) -> Any {
        let transfers: [Any] = block.transfers.map { transfer in
            [
                "hash": "0x" + transfer.hash.hex, "nonce": "0x0", "input": "0x",
                "from": "0x" + String(repeating: "ee", count: 20), "to": transfer.to,
                "value": "0x" + String(transfer.wei, radix: 16), "type": "0x2",
            ]
        }
        return [
            "number": "0x" + String(number, radix: 16), "hash": "0x" + block.hash.hex,
            "parentHash": "0x" + block.parent.hex, "baseFeePerGas": "0x1",
            "transactions": transfers,
        ]
    }
}

@Suite struct `Following a node` {
    /// Blocks after `before`, named by a text so that two chains differ.
    private static func grow(
        _ before: [ScriptedNode.Block], to count: Int, _ name: String
    ) -> [ScriptedNode.Block] {
        var blocks = before
        while blocks.count < count {
            blocks.append(
                .init(
                    hash: .sha256(blocks.isEmpty ? [] : Array("\(name) \(blocks.count)".utf8)),
                    parent: blocks.last?.hash ?? .sha256([])))
        }
        return blocks
    }

    @Test func `a node that lags takes nothing back; one on another chain does`() async throws {
        let port = 18_480
        let node = ScriptedNode()
        node.show(Self.grow([], to: 2, "main"))
        let test = try TestCustody()
        let custody = test.custody
        let tenant = try await test.tenant()
        let alice = try await test.wallet("alice", of: tenant)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await node.serve(port: port) }
            group.addTask {
                await ChainFollower(
                    custody: custody, chain: TestCustody.chain,
                    node: EVMNode(url: "http://127.0.0.1:\(port)", client: .shared),
                    pause: .milliseconds(5),
                    log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                ).run()
            }
            try await reach(1, custody)
            var paid = Self.grow([], to: 3, "main")
            paid[2].transfers = [(.sha256([7]), alice.depositAddress, 500)]
            let long = Self.grow(paid, to: 8, "main")
            node.show(long)
            try await reach(7, custody)
            #expect(try await test.balance(alice).available == Amount(UInt32(500)))
            // Behind a load balancer: the next answers come from a node that has less.
            node.show(Array(long.prefix(2)))
            try await Task.sleep(for: .milliseconds(300))
            #expect(try await test.balance(alice).available == Amount(UInt32(500)))
            #expect(
                try await custody.read { try $0.store.chainState(TestCustody.chain) }?.number == 7)
            node.show(Self.grow(long, to: 9, "main"))
            try await reach(8, custody)
            // A shorter chain that differs is another chain.
            let other = Self.grow(Array(long.prefix(2)), to: 4, "other")
            node.show(other)
            try await reach(3, custody, other[3].hash)
            #expect(try await test.balance(alice).available == .zero)
            #expect(try await test.sums().allSatisfy { $0.owned == $0.owed })
            group.cancelAll()
        }
    }

    @Test func `a token's deposit is found by its log, and only of a configured contract`()
        async throws
    {
        let port = 18_481
        let node = ScriptedNode()
        node.show(Self.grow([], to: 2, "main"))
        let test = try TestCustody(assets: [TestCustody.eth, TestCustody.usdt])
        let custody = test.custody
        let alice = try await test.wallet("alice", of: try await test.tenant(), asset: "USDT")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await node.serve(port: port) }
            group.addTask {
                await ChainFollower(
                    custody: custody, chain: TestCustody.chain,
                    node: EVMNode(url: "http://127.0.0.1:\(port)", client: .shared),
                    pause: .milliseconds(5),
                    log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                ).run()
            }
            try await reach(1, custody)
            var paid = Self.grow([], to: 3, "main")
            let (one, two) = (Digest.sha256([7]), Digest.sha256([8]))
            let contract = "0x" + TestCustody.token.hex
            paid[2].transfers = [(one, contract, 0), (two, contract, 0)]
            let foreign = EVMAddress(unchecked: [UInt8](repeating: 0x71, count: 20))
            paid[2].logs = [
                (one, try TestChain.log(300, to: alice.depositAddress)),
                (one, try TestChain.log(200, to: alice.depositAddress)),
                (two, try TestChain.log(900, to: alice.depositAddress, of: foreign)),
            ]
            node.show(Self.grow(paid, to: 8, "main"))
            try await reach(7, custody)
            #expect(try await test.balance(alice).available == Amount(UInt32(500)))
            let other = Self.grow(Array(paid.prefix(2)), to: 5, "other")
            node.show(other)
            try await reach(4, custody, other[4].hash)
            #expect(try await test.balance(alice).total == .zero)
            #expect(try await test.sums().allSatisfy { $0.owned == $0.owed })
            group.cancelAll()
        }
    }

    private func reach(
        _ number: UInt64, _ custody: Bookkeeper, _ hash: Digest? = nil
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let state = try await custody.read { try $0.store.chainState(TestCustody.chain) }
            if state?.number == number, hash == nil || state?.hash == hash { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("block \(number) was not reached")
    }
}
