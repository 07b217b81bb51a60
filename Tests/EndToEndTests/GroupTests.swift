import Canonical
import Chains
import CustodyClient
import Foundation
import Gateway
import Housekeeping
import Testing

@testable import quorumkeep

/// What an operator does to a key in the course of years, by the commands that the documents give.
@Suite(.serialized) struct `A key over the years` {
    /// `quorumkeep group …` on the stack's platform, which must succeed.
    private func group(_ stack: Stack, _ arguments: String...) throws -> String {
        let data = try stack.description.platform.dataDir
        let ran = try Ran.run("quorumkeep", ["group"] + arguments + ["--data", data])
        #expect(ran.status == 0, "\(arguments): \(ran.output) \(ran.errors)")
        return ran.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The tenant's groups: kind to id, the newest of each kind.
    private func groups(_ stack: Stack, of tenant: String) throws -> [String: String] {
        var found: [String: String] = [:]
        for line in try group(stack, "list").split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            if words.count > 4, line.hasSuffix(tenant), words[0].count == 32 {
                found[words[1]] = words[0]
            }
        }
        return found
    }

    /// A holder that was not there before: its directory, and the arguments that made it.
    private func addHolder(_ name: String, _ stack: Stack) throws -> String {
        let file = try stack.description
        let known = URL(filePath: file.holders[0].dataDir)
        let node = try JSONParser.parse(
            Array(try Data(contentsOf: known.appending(path: "node.json"))))
        let relay = node["relay"]
        let port = String(decoding: relay?["port"]?.bytes ?? [], as: UTF8.self)
        let address = "\(relay?["host"]?.text ?? ""):\(port)"
        let directory = stack.directory.appending(path: name).path
        let made = try Ran.run(
            "quorumkeep-node",
            [
                "init", "--data", directory, "--name", name, "--relay",
                address, "--server-name",
                relay?["serverName"]?.text ?? "", "--ca", file.custody.caPath, "--platform-key",
                node["platformKey"]?.text ?? "", "--rules",
                known.appending(path: "rules.json").path,
            ])
        #expect(made.status == 0, "\(made.errors)")
        let identity = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let added = try Ran.run(
            "quorumkeep",
            [
                "holder", "add", "--data", file.platform.dataDir, "--name", name, "--identity",
                identity,
            ])
        #expect(added.status == 0, "\(added.errors)")
        return directory
    }

    private func start(_ directory: String) throws -> Process {
        let node = Process()
        node.executableURL = try DevStack.binary("quorumkeep-node")
        node.arguments = ["start", "--data", directory, "--dangerously-confirm-ceremonies"]
        node.standardOutput = FileHandle.nullDevice
        node.standardError = FileHandle.nullDevice
        try node.run()
        return node
    }

    @Test func `refreshed, given to a signing group, recovered after a loss: the addresses stay`()
        async throws
    {
        let stack = Stack(portBase: 18720)
        try await stack.start()
        let (api, file) = (try stack.api(), try stack.description)
        let tenant = file.tenants[0]
        let wallet = try await api.fundedWallet("w", "9", on: try stack.chain)
        let entry = try await api.entry("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        func pay() async throws {
            try await api.wait(
                for: try await api.withdraw("1", from: wallet, to: entry), "Completed")
        }
        let main = try #require(try groups(stack, of: tenant.name)["main"])
        try await pay()

        // New shares of the same key; a withdrawal that is asked for meanwhile is not lost.
        let meanwhile = try await api.withdraw("1", from: wallet, to: entry)
        _ = try group(stack, "refresh", main)
        try await api.wait(for: meanwhile, "Completed")
        #expect(try group(stack, "list").contains("epoch 2, signs  \(tenant.name)"))
        try await pay()
        let checked = try group(stack, "check-up", main)
        #expect(checked.split(separator: "\n").filter { $0.hasPrefix("whole") }.count == 3)

        // A signing group of two, which then signs alone.
        let signing = try group(
            stack, "create", "--tenant", tenant.id, "--kind", "signing", "--holder",
            "operator", "--holder", "customer")
        _ = try group(stack, "use", signing)
        try await stack.control("stop", "guardian")
        try await pay()
        try await stack.control("start", "guardian")

        // One holder's disk is lost, and another takes its place.
        let recovery = try group(
            stack, "create", "--tenant", tenant.id, "--kind", "recovery", "--holder",
            "operator", "--holder", "customer")
        _ = try group(stack, "use", main)
        try await stack.control("stop", "guardian")
        try FileManager.default.removeItem(
            atPath: try #require(file.holders.first { $0.name == "guardian" }).dataDir)
        let spare = try start(try addHolder("spare", stack))
        defer {
            spare.terminate()
            spare.waitUntilExit()
        }
        _ = try group(
            stack, "recover", recovery, "--lost", "guardian", "--replacement", "spare")
        let listed = try group(stack, "list")
        #expect(listed.contains("epoch 3, signs  \(tenant.name)"), "\(listed)")
        try await pay()
        let after = try await api.call("GET", "/wallets/\(wallet["id"]?.text ?? "")")
        #expect(after["depositAddress"] == wallet["depositAddress"])
        #expect(
            try await stack.chain.balance(
                of: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
            ).text(decimals: 18) == "5")

        // What cannot be is refused in words.
        let data = file.platform.dataDir
        let refused = try Ran.run(
            "quorumkeep",
            [
                "group", "recover", main, "--lost", "spare", "--replacement", "guardian", "--data",
                data,
            ])
        #expect(refused.status != 0 && refused.errors.contains("no recovery group"))
        try await stack.stop()
    }

    @Test(arguments: ["secp256k1-schnorr", "ed25519"])
    func `a key of another scheme is made and refreshed`(_ scheme: String) async throws {
        let stack = Stack(portBase: scheme == "ed25519" ? 18740 : 18760)
        try await stack.start()
        let tenant = try stack.description.tenants[0]
        let made = try group(
            stack, "create", "--tenant", tenant.id, "--kind", "main", "--scheme", scheme,
            "--holder", "operator", "--holder", "customer", "--holder", "guardian")
        func publicKey() throws -> String {
            let lines = try group(stack, "list").split(separator: "\n").map(String.init)
            let at = try #require(lines.firstIndex { $0.hasPrefix(made) })
            #expect(lines[at].contains(scheme))
            return lines[at + 2]
        }
        let before = try publicKey()
        #expect(before.contains("public key: "))
        _ = try group(stack, "refresh", made)
        #expect(try publicKey() == before)
        _ = try group(stack, "check-up", made)
        try exportAndVerify(stack, made)
        try await stack.stop()
    }

    /// Two holders' exported shares are good, and give the group's key.
    private func exportAndVerify(_ stack: Stack, _ group: String) throws {
        let folder = stack.directory.appending(path: "backups")
        try PrivateFile.makeDirectory(folder)
        let phrase = folder.appending(path: "phrase")
        try PrivateFile.write(Data("correct horse battery staple\n".utf8), to: phrase)
        var files: [String] = []
        for holder in try stack.description.holders.prefix(2) {
            let file = folder.appending(path: "\(holder.name).json").path
            let exported = try Ran.run(
                "quorumkeep-node",
                [
                    "export-share", "--data", holder.dataDir, "--group", group, "--out", file,
                    "--passphrase-file", phrase.path,
                ])
            #expect(exported.status == 0, "\(exported.errors)")
            files.append(file)
        }
        let verified = try Ran.run(
            "quorumkeep-recover", ["verify"] + files + ["--passphrase-file", phrase.path])
        #expect(verified.status == 0, "\(verified.errors)")
        #expect(verified.output.contains("together they give the root key"))
    }
}
