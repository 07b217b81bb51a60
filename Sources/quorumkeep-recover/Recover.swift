import Algebra
import ArgumentParser
import Canonical
import Foundation
import Housekeeping
import KeyGroups
import RecoveryKit

@main
struct Recover: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quorumkeep-recover",
        abstract: "Checks backups of key shares, and recovers a key from them, without network.",
        discussion: """
            The files are what quorumkeep-node export-share writes. Verify them after every \
            export. Use a machine without network, and one that is erased afterwards if you \
            reconstruct a key.
            """,
        subcommands: [Verify.self, Addresses.self, Reconstruct.self])
}

/// A recovery file with the name that it was given by.
struct NamedFile {
    let name: String
    let file: RecoveryFile
}

struct FilesOption: ParsableArguments {
    @Argument(help: "Recovery files, one of each holder.")
    var files: [String]

    @Option(help: "The group to look at, if a file has several keys.")
    var group: String?

    /// The files, and the one key that is looked at.
    func read() throws -> (files: [NamedFile], group: RecoveryGroup) {
        let named = try files.map { path in
            let data = try Given.file(path, "recovery file")
            return try Self.naming(path) {
                NamedFile(name: path, file: try RecoveryFile(Array(data)))
            }
        }
        let groups = try named.map { try entry(of: $0).group }
        return (named, try RecoveryQuorum.group(of: groups))
    }

    func entry(of named: NamedFile) throws -> RecoveryFile.Entry {
        let entries = named.file.entries.filter { entry in
            group.map { entry.group.id.hex == $0.lowercased() } ?? true
        }
        guard let entry = entries.first else {
            throw CommandFailure(
                "\(named.name) has no key of group \(group ?? ""); it has "
                    + named.file.entries.map(\.group.id.hex).joined(separator: ", "))
        }
        guard entries.count == 1 else {
            throw CommandFailure(
                "\(named.name) has \(entries.count) keys: choose one with --group, of "
                    + entries.map(\.group.id.hex).joined(separator: ", "))
        }
        return entry
    }

    /// Says which file is at fault.
    static func naming<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let fault as RecoveryFault {
            throw CommandFailure("\(path): \(fault)")
        }
    }
}

struct PassphraseOption: ParsableArguments {
    @Option(
        help: """
            A file with the passphrase, mode 0600: one for all recovery files, or the option as \
            often as there are files, in their order. Typed for each file if left out.
            """)
    var passphraseFile: [String] = []

    /// The share of the group in every file, opened.
    func open(
        _ files: [NamedFile], _ group: RecoveryGroup
    ) throws -> [(name: String, share: SecretBox<RecoveryShare>)] {
        guard passphraseFile.count <= 1 || passphraseFile.count == files.count else {
            throw ValidationError(
                "give --passphrase-file once, or once for each of the \(files.count) files")
        }
        return try files.enumerated().map { at, named in
            let path = passphraseFile.count > 1 ? passphraseFile[at] : passphraseFile.first
            let opened = try FilesOption.naming(named.name) {
                try named.file.open(under: try passphrase(path, named.name))
            }
            let share = opened.first { $0.with { $0.group.id == group.id } }
            guard let share else { throw CommandFailure("\(named.name) has no share of the key") }
            return (named.name, share)
        }
    }

    private func passphrase(_ path: String?, _ name: String) throws -> Passphrase {
        if let path {
            let url = URL(filePath: path)
            return try PrivateFile.reading(url, most: Passphrase.most + 2) { try Passphrase($0) }
        }
        return try Terminal.readingSecret("Passphrase of \(name): ", most: Passphrase.most) {
            try Passphrase($0)
        }
    }
}

extension RecoveryGroup {
    /// What a person compares with what is known of the key.
    var lines: [String] {
        [
            "group        \(id), epoch \(epoch)",
            "scheme       \(scheme.name), \(threshold.required) of \(threshold.holders)",
            "root         \(root)",
            "fingerprint  \(Hex.encode(root.fingerprint))",
        ]
    }
}
