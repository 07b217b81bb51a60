import Algebra
import Canonical
import CustodyClient
import Foundation
import Gateway
import Housekeeping
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `Backups of shares` {
    private static func recover(_ arguments: String...) throws -> Ran {
        try Ran.run("quorumkeep-recover", arguments)
    }

    /// Exports every key of each holder, the last one after it was stopped.
    private func export(_ stack: Stack, to folder: URL, _ phrase: String) async throws -> [String] {
        let holders = try stack.description.holders
        var files: [String] = []
        for holder in holders {
            if holder.name == holders.last?.name { try await stack.control("stop", holder.name) }
            let file = folder.appending(path: "\(files.count).json").path
            let ran = try Ran.run(
                "quorumkeep-node",
                [
                    "export-share", "--data", holder.dataDir, "--all", "--out", file,
                    "--passphrase-file", phrase,
                ])
            #expect(ran.status == 0 && ran.lines.count == 3, "\(ran.output) \(ran.errors)")
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions]
            #expect(mode as? Int == 0o600)
            files.append(file)
        }
        return files
    }

    @Test func `give back the addresses and the key when every holder is gone`() async throws {
        let stack = Stack(portBase: 18700)
        try await stack.start()
        let wallet = try await stack.api().wallet("w")
        let address = try #require(wallet["depositAddress"]?.text)
        let folder = stack.directory.appending(path: "backups")
        try PrivateFile.makeDirectory(folder)
        let phrase = folder.appending(path: "phrase").path
        try PrivateFile.write(
            Data("correct horse battery staple\n".utf8), to: URL(filePath: phrase))
        let files = try await export(stack, to: folder, phrase)
        let holder = try stack.description.holders[0]
        let again = try Ran.run(
            "quorumkeep-node",
            [
                "export-share", "--data", holder.dataDir, "--all", "--out", files[0],
                "--passphrase-file", phrase,
            ])
        #expect(again.status != 0 && again.errors.contains("not written over"), "\(again.errors)")
        let info = try Ran.run("quorumkeep-node", ["info", "--data", holder.dataDir]).output
        try checkUp(holder.dataDir)
        try await stack.stop()
        try FileManager.default.removeItem(atPath: holder.dataDir)

        // Several keys are in a file: one is chosen, and the error says which there are.
        let unclear = try Self.recover("addresses", files[0])
        #expect(unclear.status != 0 && unclear.errors.contains("--group"))
        let groups = info.split(separator: "\n").filter { $0.contains(" active,") }
            .compactMap { $0.split(separator: " ").dropFirst(2).first.map(String.init) }
        #expect(groups.count == 2 && groups.allSatisfy { unclear.errors.contains($0) })
        let group = try #require(
            try groups.first { group in
                try Self.recover("addresses", files[0], "--group", group, "--count", "3")
                    .output.contains(address)
            })

        try verify(files, group, phrase)
        try reconstruct(files, group, phrase, address, in: folder)
    }

    /// The operator's own look at the shares, while the holder runs: whole, and not to be opened
    /// with a sealing key that is another's.
    private func checkUp(_ data: String) throws {
        let whole = try Ran.run("quorumkeep-node", ["checkup", "--data", data])
        #expect(whole.status == 0, "\(whole.output) \(whole.errors)")
        #expect(whole.lines.count { $0.hasPrefix("whole") } == whole.lines.count)
        #expect(whole.lines.count == 2)
        let copy = data + "-copy"
        try FileManager.default.copyItem(atPath: data, toPath: copy)
        try PrivateFile.write(
            Data(repeating: 7, count: 32), to: URL(filePath: copy).appending(path: "sealing.key"))
        let damaged = try Ran.run("quorumkeep-node", ["checkup", "--data", copy])
        #expect(damaged.status == 1, "\(damaged.output) \(damaged.errors)")
        #expect(damaged.lines.count { $0.hasPrefix("DAMAGED") } == 2, "\(damaged.output)")
        #expect(damaged.errors.contains("2 of 2 shares are damaged"), "\(damaged.errors)")
        try FileManager.default.removeItem(atPath: copy)
    }

    private func verify(_ files: [String], _ group: String, _ phrase: String) throws {
        let all = try Self.recover(
            "verify", files[0], files[1], files[2], "--group", group, "--passphrase-file", phrase)
        #expect(all.status == 0, "\(all.errors)")
        #expect(
            all.output.contains("3 of 3 shares, 2 are needed: together they give the root key"),
            "\(all.output)")
        let one = try Self.recover(
            "verify", files[2], "--group", group, "--passphrase-file", phrase)
        #expect(one.status == 0 && one.output.contains("1 more to recover"), "\(one.output)")
        let silent = try Self.recover("verify", files[0], "--group", group)
        #expect(silent.status != 0 && silent.output.isEmpty, "\(silent.output)")
        let open = files[0] + ".open"
        try Data("correct horse battery staple".utf8).write(to: URL(filePath: open))
        #expect(chmod(open, 0o644) == 0)
        let shown = try Self.recover(
            "verify", files[0], "--group", group, "--passphrase-file", open)
        #expect(shown.status != 0 && shown.errors.contains("read by others"), "\(shown.errors)")
    }

    private func reconstruct(
        _ files: [String], _ group: String, _ phrase: String, _ address: String, in folder: URL
    ) throws {
        let key = folder.appending(path: "key.txt").path
        let made = try Self.recover(
            "reconstruct", files[0], files[2], "--group", group, "--passphrase-file", phrase,
            "--dangerously-reconstruct-key", "--out", key, "--child", "m/44/60/0/0/0")
        #expect(made.status == 0, "\(made.errors)")
        let mode = try FileManager.default.attributesOfItem(atPath: key)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        let text = try String(contentsOfFile: key, encoding: .utf8)
        let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        try #require(lines.count == 5 && lines[4].count == 3, "\(lines.count) lines")
        #expect(lines[2][0] == "extended" && lines[2][1].hasPrefix("xprv9s21ZrQH143K"))
        #expect(lines[4][0] == "m/44/60/0/0/0" && lines[4][1] == address)
        let secrets = [lines[2][1], lines[3][1], lines[4][2]]
        for secret in secrets {
            #expect(!made.output.contains(secret) && !made.errors.contains(secret))
        }
        let whole = WholeKey(SecretBytes(copying: Hex.decode(lines[4][2]) ?? []))
        if whole == nil { Issue.record("what was written is no key") }
        let few = try Self.recover(
            "reconstruct", files[0], "--group", group, "--passphrase-file", phrase,
            "--dangerously-reconstruct-key", "--out", key + "2")
        #expect(few.status != 0 && few.errors.contains("1 more"), "\(few.errors)")
        #expect(!FileManager.default.fileExists(atPath: key + "2"))
        let untold = try Self.recover(
            "reconstruct", files[0], files[1], "--group", group, "--passphrase-file", phrase,
            "--out", key + "2")
        #expect(untold.status != 0 && untold.errors.contains("add --dangerously-reconstruct-key"))
    }
}
