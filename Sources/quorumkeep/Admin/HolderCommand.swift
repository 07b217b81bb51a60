import Algebra
import ArgumentParser
import Canonical
import Chains
import Custody
import Foundation
import Intents

struct HolderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "holder", abstract: "Key share holders that the relay accepts.",
        subcommands: [Add.self, List.self, Own.self, Replace.self])

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
                let own = holder.isOwn ? "  the platform's own" : ""
                print("\(holder.identity)  \(state)  \(holder.name)\(own)")
            }
        }
    }
}

extension HolderCommand {
    struct Own: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a holder the platform's own.",
            discussion: """
                It is added to each main and signing group that a tenant makes from now on. Groups \
                that there are stay as they are.
                """)

        @OptionGroup var options: PlatformOption

        @Option(help: "The holder, by name.")
        var name: String

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            let name = name
            try await refusing {
                try await custody.write(as: .operator) { books in
                    try books.setOwnHolder(name)
                    try books.audit("ownHolder", of: nil, [name])
                }
            }
            print("\(name) is the platform's own")
        }
    }

    struct Replace: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put another holder in the place of one that a main group has lost.",
            discussion: """
                The replacement has no shares until a recovery of the group has succeeded.
                """)

        @OptionGroup var options: PlatformOption

        @Option(help: "The group, by its id as its tenant sees it.")
        var group: String

        @Option(help: "The lost holder's identity.")
        var old: String

        @Option(help: "The identity of the holder that takes its place.")
        var new: String

        func run() async throws {
            guard let group = KeyShareHolderGroupID(text: group) else {
                throw ValidationError("--group must be an id as quorumkeep group list shows it")
            }
            guard let old = IdentityPublicKey(hex: old), let new = IdentityPublicKey(hex: new)
            else { throw ValidationError("--old and --new must be 64 hexadecimal digits") }
            let (custody, _) = try options.directory.custody()
            try await refusing {
                try await custody.write(as: .operator) { books in
                    guard let keyVault = try books.store.holderGroup(group)?.keyVault,
                        let tenant = try books.store.keyVault(keyVault)?.tenant
                    else { throw Refusal.notFound("key share holder group") }
                    _ = try books.replaceHolder(old, by: new, in: group, of: keyVault, tenant)
                    try books.audit("replaceHolder", of: tenant, [group.text, old.hex, new.hex])
                }
            }
            print("replaced: a recovery of the group gives the holder its shares")
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
