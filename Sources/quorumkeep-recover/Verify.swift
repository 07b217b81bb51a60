import Algebra
import ArgumentParser
import Canonical
import Housekeeping
import KeyGroups
import RecoveryKit

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Open files and check that their shares are those of one key.",
        discussion: """
            Each file must open, its share must be what the certificate of all holders says, and \
            all files must be of one key and epoch. If there are enough, their public halves \
            must give the root key; the key itself is not made. One file alone can be verified \
            too.
            """)

    @OptionGroup var files: FilesOption
    @OptionGroup var passphrases: PassphraseOption

    func run() throws {
        try Chores.forbidCrashDumps()
        let (named, group) = try files.read()
        let opened = try passphrases.open(named, group)
        let quorum = try RecoveryQuorum(opened.map(\.share))
        group.lines.forEach { print($0) }
        for (name, share) in opened.sorted(by: { $0.share.index < $1.share.index }) {
            let holder = share.with { $0.holder }
            print("share \(holder.index)      of holder \(holder.identity.hex): good, in \(name)")
        }
        let (count, required) = (quorum.shares.count, group.threshold.required)
        let have = "\(count) of \(group.threshold.holders) shares, \(required) are needed"
        guard quorum.isEnough else {
            return print("\(have): good as far as they go; \(required - count) more to recover")
        }
        guard quorum.givesRoot else {
            throw CommandFailure("\(have), but they do not give the root key: take other copies")
        }
        print("\(have): together they give the root key")
    }
}
