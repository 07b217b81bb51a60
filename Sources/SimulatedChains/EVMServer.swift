import Algebra
import Canonical
import Chains
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// Serves a `SimulatedEVM` over Ethereum JSON-RPC: the part that connectors and wallets use, and
/// controls for tests, in the same words as the tools of `Tests/ChainNodes`.
public final class EVMServer: Sendable {
    private static let bodyBytesMost = 1024 * 1024
    private static let delaySeconds = 5
    private static let delayMost = 120

    /// What a fault does to a method's next calls: `drop_after` acts and then cuts the line, so
    /// that the caller cannot know.
    private enum Fault: String {
        case delay, http500, error, garbage
        case dropBefore = "drop_before"
        case dropAfter = "drop_after"
    }

    let chain: SimulatedEVM
    private let blockTime: Duration
    private let faults = Mutex<[String: (fault: Fault, left: Int, seconds: Int)]>([:])

    public init(_ chain: SimulatedEVM, blockTime: Duration) {
        self.chain = chain
        self.blockTime = blockTime
    }

    /// Serves on loopback until cancelled.
    public func run(port: Int) async throws {
        let router = Router()
        router.post("/") { request, _ in try await self.answer(request) }
        var log = Logger(label: "simulated chain")
        log.logLevel = .critical  // whoever stops the chain knows that its lines are cut
        let server = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
            logger: log)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.runService(gracefulShutdownSignals: []) }
            group.addTask {
                while !Task.isCancelled {
                    try await Task.sleep(for: self.blockTime)
                    self.chain.mineIfNeeded()
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private struct Cut: Error {}

    private func answer(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: Self.bodyBytesMost)
        guard
            let call = try? JSONSerialization.jsonObject(with: Data(body.readableBytesView))
                as? [String: Any], let method = call["method"] as? String
        else {
            return try json([
                "jsonrpc": "2.0", "id": NSNull(), "error": error(-32700, "Parse error"),
            ])
        }
        let (fault, seconds) = nextFault(method)
        switch fault {
        case .delay: try await Task.sleep(for: .seconds(seconds))
        case .http500: return Response(status: .internalServerError)
        case .dropBefore: return cut()
        case .garbage:
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: "<html>")))
        case .error, .dropAfter, nil: break
        }
        var answer: [String: Any] = ["jsonrpc": "2.0", "id": call["id"] ?? NSNull()]
        do {
            if fault == .error { throw SimulatedEVM.Rejected(message: "injected error") }
            answer["result"] = try result(method, call["params"] as? [Any] ?? [])
        } catch let rejected as SimulatedEVM.Rejected {
            answer["error"] = error(-32000, rejected.message)
        }
        return fault == .dropAfter ? cut() : try json(answer)
    }

    private func nextFault(_ method: String) -> (fault: Fault?, seconds: Int) {
        faults.withLock { faults in
            guard let (fault, left, seconds) = faults[method] else { return (nil, 0) }
            faults[method] = left > 1 ? (fault, left - 1, seconds) : nil
            return (fault, seconds)
        }
    }

    /// A response that breaks off.
    private func cut() -> Response {
        Response(
            status: .ok, headers: [.contentLength: "1000"],
            body: .init { writer in
                try await writer.write(ByteBuffer(string: "{"))
                throw Cut()
            })
    }

    private func error(_ code: Int, _ message: String) -> [String: Any] {
        ["code": code, "message": message]
    }

    private func json(_ object: [String: Any]) throws -> Response {
        let data = try JSONSerialization.data(withJSONObject: object)
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: data)))
    }

    private func result(_ method: String, _ parameters: [Any]) throws -> Any {
        switch method {
        case "eth_chainId": return hex(chain.chainID)
        case "net_version": return String(chain.chainID)
        case "web3_clientVersion": return "quorumkeep/simulated-evm"
        case "eth_syncing": return false
        case "eth_blockNumber": return chain.ledger.withLock { hex($0.blocks.last?.number ?? 0) }
        case "eth_maxPriorityFeePerGas": return hex(SimulatedEVM.priorityFee)
        case "eth_gasPrice": return hex(SimulatedEVM.baseFee + SimulatedEVM.priorityFee)
        case "eth_estimateGas":
            let isToken = try callee(parameters) == SimulatedEVM.token
            return hex(
                isToken
                    ? SimulatedEVM.tokenGas : SimulatedEVM.intrinsicGas(ofData: data(parameters)))
        case "eth_getCode":
            return try address(parameters, 0) == SimulatedEVM.token ? "0xfe" : "0x"
        case "eth_call": return try call(parameters)
        case "eth_getLogs": return try logs(parameters)
        case "eth_getBlockByNumber":
            return block(try number(parameters, 0), full: parameters.last as? Bool ?? false)
        case "eth_getTransactionReceipt": return receipt(try digest(parameters, 0))
        case "eth_getTransactionByHash": return transaction(try digest(parameters, 0))
        case "eth_getTransactionCount":
            let address = try address(parameters, 0)
            return chain.ledger.withLock { hex($0.accounts[address]?.nonce ?? 0) }
        case "eth_getBalance":
            let address = try address(parameters, 0)
            let balance = chain.ledger.withLock { $0.accounts[address]?.balance ?? .zero }
            return "0x" + String(balance.baseUnits, radix: 16)
        case "eth_sendRawTransaction":
            guard let text = parameters.first as? String, text.hasPrefix("0x"),
                let raw = Hex.decode(text.dropFirst(2))
            else { throw SimulatedEVM.Rejected(message: "no raw transaction") }
            return "0x" + (try chain.send(raw)).hex
        default: return try control(method, parameters)
        }
    }

    private func control(_ method: String, _ parameters: [Any]) throws -> Any {
        switch method {
        case "evm_mine":
            chain.mine(1)
            return "0x0"
        case "evm_setAutomine":
            guard let isOn = parameters.first as? Bool else {
                throw SimulatedEVM.Rejected(message: "evm_setAutomine(on)")
            }
            chain.setMining(isOn)
            return true
        case "anvil_mine":
            chain.mine(min(1000, max(1, integer(parameters, 0) ?? 1)))
            return NSNull()
        case "anvil_setBalance":
            guard let text = parameters.dropFirst().first as? String,
                let amount = EVMQuantity.amount(text)
            else { throw SimulatedEVM.Rejected(message: "no balance in wei") }
            try chain.raise(try address(parameters, 0), to: amount)
            return NSNull()
        case "anvil_dealERC20":
            let units = parameters.count > 2 ? parameters[2] as? String : nil
            guard try address(parameters, 1) == SimulatedEVM.token,
                let units, let balance = EVMQuantity.amount(units)
            else { throw SimulatedEVM.Rejected(message: "no balance of the token") }
            try chain.raise(try address(parameters, 0), to: balance, ofToken: true)
            return NSNull()
        case "x_reorg":
            guard let depth = integer(parameters, 0) else {
                throw SimulatedEVM.Rejected(message: "no depth")
            }
            let new = min(1000, max(0, integer(parameters, 1) ?? 0))
            return hex(try chain.reorganise(depth: depth, new: new))
        case "x_fault":
            guard let method = parameters.first as? String,
                let mode = parameters.dropFirst().first as? String
            else { throw SimulatedEVM.Rejected(message: "x_fault(method, mode, count, seconds)") }
            let count = integer(parameters, 2) ?? 1
            let seconds = min(Self.delayMost, max(0, integer(parameters, 3) ?? Self.delaySeconds))
            let fault = Fault(rawValue: mode)
            guard fault != nil || mode == "clear" else {
                throw SimulatedEVM.Rejected(message: "unknown mode \(mode)")
            }
            faults.withLock { $0[method] = fault.map { ($0, count, seconds) } }
            return true
        default:
            throw SimulatedEVM.Rejected(message: "Method not found: \(method)")
        }
    }
}

// Reading parameters and writing blocks.
extension EVMServer {
    func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

    private func integer(_ parameters: [Any], _ at: Int) -> Int? {
        guard parameters.indices.contains(at) else { return nil }
        if let number = parameters[at] as? Int { return number }
        guard let text = parameters[at] as? String else { return nil }
        return text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
    }

    private func number(_ parameters: [Any], _ at: Int) throws -> UInt64 {
        if let text = parameters.first as? String, ["latest", "pending"].contains(text) {
            return chain.ledger.withLock { $0.blocks.last?.number ?? 0 }
        }
        guard let number = integer(parameters, at), number >= 0 else {
            throw SimulatedEVM.Rejected(message: "no block number")
        }
        return UInt64(number)
    }

    private func digest(_ parameters: [Any], _ at: Int) throws -> Digest {
        guard let text = parameters.first as? String, text.hasPrefix("0x"),
            let digest = Digest(hex: text.dropFirst(2))
        else { throw SimulatedEVM.Rejected(message: "no hash") }
        return digest
    }

    private func address(_ parameters: [Any], _ at: Int) throws -> EVMAddress {
        guard parameters.indices.contains(at), let address = EVMQuantity.address(parameters[at])
        else { throw SimulatedEVM.Rejected(message: "no address") }
        return address
    }

    private func block(_ number: UInt64, full: Bool) -> Any {
        let found = chain.ledger.withLock { ledger in
            number < UInt64(ledger.blocks.count) ? ledger.blocks[Int(number)] : nil
        }
        guard let block = found else { return NSNull() }
        let transfers: [Any] = block.transfers.enumerated().map { index, transfer in
            full
                ? fields(transfer, in: block, at: index) as Any : "0x" + transfer.hash.hex
        }
        return [
            "number": hex(block.number), "hash": "0x" + block.hash.hex,
            "parentHash": "0x" + block.parent.hex, "baseFeePerGas": hex(SimulatedEVM.baseFee),
            "gasLimit": hex(30_000_000),
            "gasUsed": hex(block.outcomes.reduce(0) { $0 + $1.gas }),
            "timestamp": hex(block.number), "transactions": transfers,
        ] as [String: Any]
    }

    private func fields(
        _ transfer: SignedEVMTransaction, in block: SimulatedEVM.Block?, at index: Int
    ) -> [String: Any] {
        let transaction = transfer.transaction
        return [
            "hash": "0x" + transfer.hash.hex, "type": "0x2", "chainId": hex(transaction.chainID),
            "from": transfer.sender.map { "0x" + $0.hex } as Any? ?? NSNull(),
            "to": "0x" + transaction.to.hex, "nonce": hex(transaction.nonce),
            "value": "0x" + String(transaction.value.baseUnits, radix: 16),
            "input": "0x" + Hex.encode(transaction.data),
            "gas": hex(transaction.fee.gasLimit),
            "maxFeePerGas": hex(transaction.fee.maxFeePerGas),
            "maxPriorityFeePerGas": hex(transaction.fee.maxPriorityFeePerGas),
            "r": "0x" + Hex.encode(transfer.signature.r.bytes),
            "s": "0x" + Hex.encode(transfer.signature.s.bytes),
            "yParity": hex(UInt64(transfer.signature.recoveryID & 1)),
            "blockHash": block.map { "0x" + $0.hash.hex } as Any? ?? NSNull(),
            "blockNumber": block.map { hex($0.number) } as Any? ?? NSNull(),
            "transactionIndex": block == nil ? NSNull() as Any : hex(UInt64(index)),
        ]
    }

    private func transaction(_ hash: Digest) -> Any {
        let (mined, waiting) = chain.ledger.withLock { ledger in
            (
                ledger.places[hash].map { (ledger.blocks[$0.block], $0.index) },
                ledger.pool.first { $0.hash == hash }
            )
        }
        if let (block, index) = mined {
            return fields(block.transfers[index], in: block, at: index)
        }
        return waiting.map { fields($0, in: nil, at: 0) } ?? NSNull()
    }

    private func receipt(_ hash: Digest) -> Any {
        let found = chain.ledger.withLock { ledger in
            ledger.places[hash].map { (ledger.blocks[$0.block], $0.index) }
        }
        guard let (block, index) = found else { return NSNull() }
        let (transaction, outcome) = (block.transfers[index].transaction, block.outcomes[index])
        return [
            "transactionHash": "0x" + hash.hex, "blockHash": "0x" + block.hash.hex,
            "blockNumber": hex(block.number), "transactionIndex": hex(UInt64(index)),
            "status": outcome.succeeded ? "0x1" : "0x0", "gasUsed": hex(outcome.gas),
            "effectiveGasPrice": hex(SimulatedEVM.gasPrice(of: transaction)), "type": "0x2",
            "contractAddress": NSNull(),
            "logs": logs(in: block).filter { $0.at == index }.map(\.log),
        ] as [String: Any]
    }
}
