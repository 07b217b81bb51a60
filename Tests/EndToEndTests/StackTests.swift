import Canonical
import Chains
import CustodyClient
import Foundation
import Gateway
import Housekeeping
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `The local stack` {
    private static func run(
        _ arguments: [String]
    ) async throws -> (status: Int32, output: String, errors: String) {
        let process = Process()
        let (out, err) = (Pipe(), Pipe())
        process.executableURL = try DevStack.binary("quorumkeep")
        process.arguments = arguments
        process.standardOutput = out
        process.standardError = err
        try process.run()
        let output = try out.fileHandleForReading.readToEnd() ?? Data()
        let errors = try err.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: output, as: UTF8.self),
            String(decoding: errors, as: UTF8.self)
        )
    }

    @Test func `the demo does every step and leaves nothing behind`() async throws {
        let demo = try await Self.run(["demo", "--port-base", "18600"])
        #expect(demo.status == 0, "\(demo.output) \(demo.errors)")
        for words in [
            "three key share holders", "deposit address 0x", "confirming", "refused",
            "customer: ", "guardian: ", "signed by two of them", "signatures checked, all good",
            "the difference is zero",
        ] {
            #expect(demo.output.contains(words), "\(words)")
        }
        #expect(!demo.output.contains("\u{1b}"), "a pipe gets plain text")
        #expect(demo.errors.isEmpty, "\(demo.errors)")
    }

    @Test func `it says where it is, stops when asked, and is found again`() async throws {
        let stack = Stack(portBase: 18200)
        try await stack.start()
        let file = try stack.description
        #expect(file.version == 1)
        #expect(file.tenants.count == 2)
        #expect(file.holders.map(\.type) == ["Platform", "Customer", "ThirdParty"])
        #expect(Set(file.holders.map(\.pid) + [file.platform.pid]).count == 4)
        let mode = try FileManager.default.attributesOfItem(
            atPath: stack.directory.appending(path: "dev.json").path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        // A second one on the same data is told so.
        let second = try await Self.run(["dev", "--data", stack.directory.path])
        #expect(second.status != 0)
        #expect(second.errors.contains("in use by another process"), "\(second.errors)")

        let wallet = try await stack.api().fundedWallet("w", "3", on: try stack.chain)
        try await stack.stop()
        #expect(stack.processes() == [])
        try await stack.start()
        let api = try stack.api()
        #expect(try await api.balance(wallet)["available"]?.text == "3")
        let entry = try await api.entry("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        let sent = try await api.withdraw("1", from: wallet, to: entry)
        try await api.wait(for: sent, "Completed")
        // However it dies, its children follow.
        try await stack.kill()
        try await until("no process is left", seconds: 15) { stack.processes().isEmpty }
        try await stack.start()
        #expect(try await stack.api().transaction(sent)["status"]?.text == "Completed")
        try await stack.stop()
    }

    @Test func `one holder less and it goes on; two less and it says whom it waits for`()
        async throws
    {
        let stack = Stack(portBase: 18220)
        try await stack.start()
        let api = try stack.api()
        let wallet = try await api.fundedWallet("w", "9", on: try stack.chain)
        let entry = try await api.entry("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        try await stack.control("stop", "operator")
        try await api.wait(for: try await api.withdraw("1", from: wallet, to: entry), "Completed")
        try await stack.control("stop", "guardian")
        let asked = try await api.withdraw("2", from: wallet, to: entry)
        try await until("it says whom it waits for", seconds: 20) {
            let waiting = try await api.transaction(asked)["waitingFor"]
            return Set(waiting?["who"]?.items.map(\.text) ?? []) == ["operator", "guardian"]
        }
        let waiting = try await api.transaction(asked)
        #expect(waiting["status"]?.text == "PendingSignature")
        #expect(waiting["waitingFor"]?["since"]?.text.isEmpty == false)
        try await stack.control("start", "guardian")
        try await api.wait(for: asked, "Completed")
        #expect(
            try await stack.chain.balance(of: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
                .text(decimals: 18) == "3")
        try await stack.stop()
    }

    @Test func `the quickstart does what it says`() async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(
            contentsOf: root.appending(path: "docs/quickstart.md"), encoding: .utf8)
        var script: [Substring] = []
        var isInside = false
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") {
                isInside = line == "```sh"
            } else if isInside {
                script.append(line)
            }
        }
        #expect(script.count > 40)
        let stack = Stack(portBase: 18380)
        try await stack.start()
        let file = stack.directory.appending(path: "quickstart.sh")
        try script.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
        let bash = Process()
        let output = Pipe()
        bash.executableURL = URL(filePath: "/bin/bash")
        bash.arguments = ["-euo", "pipefail", file.path]
        bash.environment = ProcessInfo.processInfo.environment.merging([
            "QUORUMKEEP_STACK": stack.directory.appending(path: "dev.json").path,
            "QUORUMKEEP": try DevStack.binary("quorumkeep").path,
        ]) { $1 }
        bash.standardOutput = output
        bash.standardError = output
        try bash.run()
        let said = String(
            decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        bash.waitUntilExit()
        #expect(bash.terminationStatus == 0, "\(said)")
        #expect(said.contains("held 27.499958  owed 27.499958"), "\(said)")
        try await stack.stop()
    }

    @Test func `a chain that fails in the middle of a broadcast doubles nothing`() async throws {
        let stack = Stack(portBase: 18240)
        try await stack.start()
        let (api, chain) = (try stack.api(), try stack.chain)
        let to = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        let wallet = try await api.fundedWallet("w", "9", on: chain)
        let entry = try await api.entry(to)
        for mode in ["drop_after", "garbage", "http500", "drop_before", "error"] {
            try await chain.ask(
                "x_fault", [.string("eth_sendRawTransaction"), .string(mode), .integer(1)])
            try await api.wait(
                for: try await api.withdraw("1", from: wallet, to: entry), "Completed")
        }
        #expect(try await chain.balance(of: to).text(decimals: 18) == "5")
        // A block with a withdrawal is left by the chain: the same bytes come again.
        let last = try await api.withdraw("1", from: wallet, to: entry)
        try await api.wait(for: last, "Confirming")
        try await chain.ask("x_reorg", [.integer(2)])
        try await api.wait(for: last, "Completed")
        #expect(try await chain.balance(of: to).text(decimals: 18) == "6")
        let total = try await api.balance(wallet)["total"]?.text
        let onChain = try await chain.balance(of: wallet["depositAddress"]?.text ?? "")
        #expect(total == onChain.text(decimals: 18))
        try await stack.stop()
    }
}
