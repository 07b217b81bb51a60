import Foundation
import Testing

/// An execution node of an EVM chain that others wrote.
enum ForeignNode {
    /// py-evm behind JSON-RPC, from Tests/ChainNodes.
    static func start(port: Int, chainID: UInt64 = 31337) async throws -> Process {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let python = root.appending(path: ".build-chain-nodes/bin/python")
        try #require(
            FileManager.default.isExecutableFile(atPath: python.path), "bin/test installs py-evm")
        let process = Process()
        process.executableURL = python
        process.arguments = [
            root.appending(path: "Tests/ChainNodes/evm_node.py").path, "--port", String(port),
            "--block-time", "0.2", "--chain-id", String(chainID),
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
}
