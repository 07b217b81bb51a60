import Algebra
import ArgumentParser
import Canonical
import Foundation
import Housekeeping
import KeyGroups
import RecoveryKit

struct Reconstruct: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put the private key together and write it to a new file.",
        discussion: """
            Only if fewer holders are left than must sign: after this one file holds what no \
            process ever held, and no holder's rules apply to who has it. Move everything that \
            the key guards to another key at once, and erase the machine.
            """)

    /// Keys below the root in one file.
    private static let childrenMost = 10_000

    @OptionGroup var files: FilesOption
    @OptionGroup var passphrases: PassphraseOption

    @Flag(help: "Say that you want the whole key in one place.")
    var dangerouslyReconstructKey = false

    @Option(help: "The file to write the key to, with mode 0600. It must not be there yet.")
    var out: String

    @Option(
        help: """
            Write the private key at this path too, such as m/44/60/0/0/0; may be repeated. Such a \
            key and the public root give the whole key.
            """)
    var child: [String] = []

    func validate() throws {
        guard dangerouslyReconstructKey else {
            throw ValidationError(
                "this makes the whole private key, which whoever reads the file can use without "
                    + "any holder: if that is what you want, add --dangerously-reconstruct-key; "
                    + "to check files, use verify")
        }
        guard child.count <= Self.childrenMost else {
            throw ValidationError("--child may stand \(Self.childrenMost) times at most")
        }
    }

    func run() throws {
        try Chores.forbidCrashDumps()
        let isLocked = Chores.lockMemory()
        let paths = try child.map { text in
            guard let path = DerivationPath(text: text) else {
                throw ValidationError("--child \(text): the path must be like m/44/60/0/0/0")
            }
            return path
        }
        let (named, group) = try files.read()
        guard named.count >= group.threshold.required else {
            throw CommandFailure(
                "\(group.threshold.required) shares are needed, each in a file of another holder, "
                    + "and \(named.count) given: get \(group.threshold.required - named.count) "
                    + "more")
        }
        guard child.isEmpty || group.scheme == .ecdsa else {
            throw ValidationError("--child is for keys of \(RecoveryScheme.ecdsa.name) only")
        }
        let quorum = try RecoveryQuorum(try passphrases.open(named, group).map(\.share))
        guard let whole = WholeRoot(dangerouslyReconstruct: quorum) else {
            throw CommandFailure(
                "the shares do not give the root key: take other copies of the files")
        }
        let content = try text(of: whole, group, paths)
        try content.withBytes { try PrivateFile.create($0, at: URL(filePath: out)) }
        group.lines.forEach { print($0) }
        print("the private key is in \(out), mode 0600, in clear")
        if !isLocked { print("memory could be swapped to disk meanwhile: erase the disk too") }
    }

    /// What is written: lines of a name and a value.
    private func text(
        of whole: borrowing WholeRoot, _ group: RecoveryGroup, _ paths: [DerivationPath]
    ) throws -> SecretBytes {
        let note = "# The whole private key of group \(group.id), epoch \(group.epoch), in clear.\n"
        var parts = [
            SecretBox(SecretBytes(copying: Array("\(note)root \(group.root)\nextended ".utf8))),
            SecretBox(whole.extended()),
            SecretBox(SecretBytes(copying: Array("\nhex ".utf8))),
            SecretBox(whole.hex()),
        ]
        for path in paths {
            guard let derived = group.derived(path, ECDSA.self),
                let address = try group.address(at: path),
                let key = whole.hex(below: derived.offset)
            else { throw CommandFailure("--child \(path): this path has no key") }
            parts.append(SecretBox(SecretBytes(copying: Array("\n\(path) \(address) ".utf8))))
            parts.append(SecretBox(key))
        }
        parts.append(SecretBox(SecretBytes(copying: [UInt8(ascii: "\n")])))
        var content = SecretBytes(count: parts.reduce(0) { $0 + $1.with { $0.count } })
        var at = 0
        for part in parts {
            part.with { part in
                content.replace(at: at, with: part)
                at += part.count
            }
        }
        return content
    }
}
