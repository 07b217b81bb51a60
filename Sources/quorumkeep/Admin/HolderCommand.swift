import Algebra
import ArgumentParser
import Canonical
import Chains
import Custody
import Foundation

struct HolderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "holder", abstract: "Key share holders that the relay accepts.",
        subcommands: [Add.self, List.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a holder connect.")

        @OptionGroup var options: PlatformOption

        @Option(help: "A name for people.")
        var name: String

        @Option(help: "The identity that quorumkeep-node init has printed.")
        var identity: String

        func run() async throws {
            guard let key = IdentityPublicKey(hex: identity) else {
                throw ValidationError("--identity must be 64 hexadecimal digits")
            }
            let (custody, _) = try options.directory.custody()
            let name = name
            try await refusing {
                try await custody.write(as: .operator) { books in
                    _ = try books.register(key, name: name)
                    try books.audit("addHolder", of: nil, [key.hex])
                }
            }
            print("added \(name)")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show all holders, and since when each is online.")

        @OptionGroup var options: PlatformOption

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            for holder in try await custody.read({ try $0.store.holders() }) {
                let state = holder.onlineSince.map { "online since \($0.text)" } ?? "offline"
                print("\(holder.identity)  \(state)  \(holder.name)")
            }
        }
    }
}

struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Show the ledger's sum per asset: what is held and what is owed.")

    @OptionGroup var options: PlatformOption

    func run() async throws {
        let (custody, _) = try options.directory.custody()
        var isBalanced = true
        for sum in try await custody.read({ try $0.store.ledgerSums() }) {
            let decimals = custody.settings.asset(sum.asset)?.decimals ?? 0
            let (owned, owed) = (
                sum.owned.text(decimals: decimals), sum.owed.text(decimals: decimals)
            )
            print("\(sum.asset)  held \(owned)  owed \(owed)")
            isBalanced = isBalanced && sum.owned == sum.owed
        }
        guard isBalanced else { throw ExitCode(1) }
    }
}
