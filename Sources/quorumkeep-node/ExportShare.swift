import Algebra
import ArgumentParser
import Canonical
import Foundation
import Holder
import HolderStorage
import Housekeeping
import KeyGroups
import RecoveryKit

/// Seals shares under a passphrase of the operator's. Reads the store and changes nothing in it, so
/// that it may be done while the holder runs.
struct ExportShare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write this holder's shares to an encrypted file, for a backup.",
        discussion: """
            The file has the shares alone and no holder can sign with it: it is for the day on \
            which fewer holders are left than must sign, and quorumkeep-recover opens it; the \
            form is that of Cobo's open recovery tool. Keep the files of different holders, and \
            their passphrases, in different hands: as many of them as must sign are the key.
            """)

    @OptionGroup var options: DataOption

    @Option(help: "The group whose key is exported, 32 hexadecimal digits; see info.")
    var group: String?

    @Flag(help: "Export every active key.")
    var all = false

    @Option(help: "The file to write. It must not be there yet.")
    var out: String

    @Option(help: "A file with the passphrase, mode 0600; typed twice if left out.")
    var passphraseFile: String?

    func validate() throws {
        guard (group != nil) != all else { throw ValidationError("give either --group or --all") }
        guard group.map({ GroupID(hex: $0) != nil }) ?? true else {
            throw ValidationError("--group must be 32 hexadecimal digits, as info shows it")
        }
    }

    func run() async throws {
        try Chores.forbidCrashDumps()
        let directory = options.directory
        let passphrase = try readPassphrase()
        let shares = try shares(of: directory)
        var random = SystemRandom()
        let content = RecoveryFile(
            sealing: shares, under: passphrase, created: Date().ISO8601Format(), random: &random
        ).bytes
        // What cannot be opened is no backup: this finds out while the share is still here.
        let opened = try RecoveryFile(content).open(under: passphrase)
        try content.withUnsafeBytes { try PrivateFile.create($0, at: URL(filePath: out)) }
        for share in opened {
            share.with { share in
                print(
                    "share \(share.holder.index) of group \(share.group.id), "
                        + "epoch \(share.group.epoch)")
            }
        }
        print("written to \(out), and opened again with the passphrase")
    }

    private func shares(of directory: NodeDirectory) throws -> [SecretBox<RecoveryShare>] {
        let sealing = try directory.sealingKey()
        let database = try directory.database()
        return try database.commit {
            let keys = try database.allKeys().filter { key in
                key.state == .active && (all || key.group.hex == group?.lowercased())
            }
            guard !keys.isEmpty else {
                throw CommandFailure(
                    "there is no active key \(group.map { "of group \($0) " } ?? "")here: see "
                        + "quorumkeep-node info")
            }
            guard keys.count <= RecoveryFile.groupsMost else {
                throw CommandFailure(
                    "a file holds \(RecoveryFile.groupsMost) keys at most, and there are "
                        + "\(keys.count): export them one by one with --group")
            }
            return try keys.map { key in
                guard let certificate = key.certificate else {
                    throw CommandFailure("the certificate of group \(key.group) is incomplete")
                }
                let secret = try sealing.dangerouslyExportSecret(of: key, in: database)
                return SecretBox(
                    try RecoveryShare(
                        of: try RecoveryGroup(certificate: certificate.bytes), key.me,
                        secret: secret))
            }
        }
    }

    private func readPassphrase() throws -> Passphrase {
        if let passphraseFile {
            let url = URL(filePath: passphraseFile)
            return try PrivateFile.reading(url, most: Passphrase.most + 2) { try Passphrase($0) }
        }
        let first = try Terminal.readingSecret(
            "Passphrase for \(out): ", most: Passphrase.most
        ) { try Passphrase($0) }
        let again = try Terminal.readingSecret("The same again: ", most: Passphrase.most) {
            try Passphrase($0)
        }
        guard first.matches(again) else {
            throw CommandFailure("the two passphrases differ: nothing was written, start again")
        }
        return first
    }
}
