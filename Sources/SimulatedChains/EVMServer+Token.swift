import Canonical
import Chains
import Foundation
import Synchronization

/// What nodes answer about contracts, for the chain's one: `eth_getLogs`, `eth_call`.
extension EVMServer {
    private static let balanceOf = "70a08231"
    private static let decimals = "313ce567"

    /// The account that a call's object names.
    func callee(_ parameters: [Any]) throws -> EVMAddress? {
        (parameters.first as? [String: Any]).flatMap { EVMQuantity.address($0["to"]) }
    }

    /// The data that a call's object names.
    func data(_ parameters: [Any]) -> [UInt8] {
        let object = parameters.first as? [String: Any]
        guard let text = (object?["data"] ?? object?["input"]) as? String, text.hasPrefix("0x")
        else { return [] }
        return Hex.decode(text.dropFirst(2)) ?? []
    }

    /// `balanceOf` and `decimals` of the token; whatever else is called answers nothing.
    func call(_ parameters: [Any]) throws -> String {
        let data = data(parameters)
        guard !data.isEmpty, try callee(parameters) == SimulatedEVM.token else { return "0x" }
        switch Hex.encode(data.prefix(4)) {
        case Self.balanceOf:
            guard let owner = ABIWord.address(data.dropFirst(4)) else {
                throw SimulatedEVM.Rejected(message: "execution reverted")
            }
            let tokens = chain.ledger.withLock { $0.accounts[owner]?.tokens ?? .zero }
            return "0x" + Hex.encode(ABIWord.bytes(tokens))
        case Self.decimals:
            let decimals = Amount(UInt32(SimulatedEVM.tokenDecimals))
            return "0x" + Hex.encode(ABIWord.bytes(decimals))
        default: throw SimulatedEVM.Rejected(message: "execution reverted")
        }
    }

    /// The logs of a block, each with its transaction's place.
    func logs(in block: SimulatedEVM.Block) -> [(at: Int, log: [String: Any])] {
        let written = block.outcomes.enumerated().compactMap { at, outcome in
            outcome.log.map { (at, $0) }
        }
        return written.enumerated().map { index, entry in
            let (at, log) = entry
            return (
                at,
                [
                    "address": "0x" + log.contract.hex,
                    "topics": log.topics.map { "0x" + Hex.encode($0) },
                    "data": "0x" + Hex.encode(log.data), "blockNumber": hex(block.number),
                    "blockHash": "0x" + block.hash.hex,
                    "transactionHash": "0x" + block.transfers[at].hash.hex,
                    "transactionIndex": hex(UInt64(at)), "logIndex": hex(UInt64(index)),
                    "removed": false,
                ]
            )
        }
    }

    /// The logs that a filter asks for: of one block, or from one to another.
    func logs(_ parameters: [Any]) throws -> [Any] {
        guard let filter = parameters.first as? [String: Any] else {
            throw SimulatedEVM.Rejected(message: "no filter")
        }
        let blocks = chain.ledger.withLock { $0.blocks }
        let chosen: [SimulatedEVM.Block]
        if let hash = filter["blockHash"] as? String {
            chosen = blocks.filter { "0x" + $0.hash.hex == hash.lowercased() }
            guard !chosen.isEmpty else { throw SimulatedEVM.Rejected(message: "unknown block") }
        } else {
            let (from, to) = (number(filter["fromBlock"]), number(filter["toBlock"]))
            chosen = blocks.filter { $0.number >= from ?? 0 && $0.number <= to ?? .max }
        }
        return chosen.flatMap(logs(in:)).map(\.log).filter { Self.fits($0, filter) }
    }

    private func number(_ value: Any?) -> UInt64? {
        (value as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) }
    }

    private static func fits(_ log: [String: Any], _ filter: [String: Any]) -> Bool {
        /// Whether a value is the one that is asked for, or one of several; nothing asks for any.
        func matches(_ value: Any?, _ asked: Any?) -> Bool {
            guard let asked, !(asked is NSNull) else { return true }
            let several = (asked as? [Any])?.compactMap { $0 as? String }
            let wanted = several ?? (asked as? String).map { [$0] } ?? []
            return wanted.contains { $0.lowercased() == (value as? String)?.lowercased() }
        }
        let topics = log["topics"] as? [String] ?? []
        let asked = filter["topics"] as? [Any] ?? []
        return matches(log["address"], filter["address"])
            && asked.enumerated().allSatisfy { at, topic in
                topic is NSNull || (at < topics.count && matches(topics[at], topic))
            }
    }
}

/// Values of JSON-RPC's parameters.
enum EVMQuantity {
    static func address(_ value: Any?) -> EVMAddress? {
        guard let text = value as? String, text.hasPrefix("0x") else { return nil }
        return EVMAddress(hex: text.dropFirst(2))
    }

    /// In hexadecimal, or in decimal digits.
    static func amount(_ text: String) -> Amount? {
        let value = text.hasPrefix("0x") ? UInt128(text.dropFirst(2), radix: 16) : UInt128(text)
        return value.flatMap { Amount($0) }
    }
}
