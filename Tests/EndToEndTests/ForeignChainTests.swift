import Canonical
import Chains
import CustodyClient
import Foundation
import Gateway
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `An EVM that others wrote` {
    /// py-evm behind JSON-RPC, from Tests/ChainNodes.
    private func node(port: Int) async throws -> Process {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let python = root.appending(path: ".build-chain-nodes/bin/python")
        try #require(
            FileManager.default.isExecutableFile(atPath: python.path), "bin/test installs py-evm")
        let process = Process()
        process.executableURL = python
        process.arguments = [
            root.appending(path: "Tests/ChainNodes/evm_node.py").path, "--port", String(port),
            "--block-time", "0.2",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let chain = Chain(url: "http://127.0.0.1:\(port)")
        try await until("py-evm answers", seconds: 30) {
            (try? await chain.ask("eth_chainId")) != nil
        }
        return process
    }

    @Test func `it executes a withdrawal, and its sender is the tenant's address`() async throws {
        let node = try await node(port: 18290)
        // Not SIGTERM: the thread that starts it may block that, and its child inherits this.
        defer { kill(node.processIdentifier, SIGKILL) }
        let chain = Chain(url: "http://127.0.0.1:18290")
        let stack = Stack(portBase: 18260, options: ["--evm-rpc", chain.url])
        try await stack.start()
        let api = try stack.api()
        let wallet = try await api.fundedWallet("w", "5", on: chain)
        let to = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        let entry = try await api.entry(to)
        for number in 1...2 {
            let done = try await api.wait(
                for: try await api.withdraw("1.25", from: wallet, to: entry), "Completed")
            let hash = done["txHash"] ?? .null
            let mined = try await chain.ask("eth_getTransactionByHash", [hash])
            let from = try EVMAddress(text: wallet["depositAddress"]?.text ?? "")
            #expect(mined["from"]?.text.lowercased() == "0x" + from.hex)
            #expect(mined["to"]?.text.lowercased() == to.lowercased())
            let receipt = try await chain.ask("eth_getTransactionReceipt", [hash])
            #expect(receipt["status"]?.text == "0x1")
            let paid = try await chain.balance(of: to).text(decimals: 18)
            #expect(paid == (number == 1 ? "1.25" : "2.5"))
        }
        let total = try await api.balance(wallet)["total"]?.text
        let onChain = try await chain.balance(of: wallet["depositAddress"]?.text ?? "")
        #expect(total == onChain.text(decimals: 18))
        try await stack.stop()
    }
}
