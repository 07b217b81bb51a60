import ArgumentParser
import Custody
import Foundation
import Identity
import Intents

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "API keys of a running installation.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an API key; its secret is shown this once.")

        @OptionGroup var options: PlatformOption

        @Option(help: "The tenant's id.")
        var tenant: String

        @Option(help: "What the key is for.")
        var name: String

        @Option(
            help: ArgumentHelp(
                "What it may do; repeat for each. All scopes if left out.",
                discussion: Scope.allCases.map(\.rawValue).joined(separator: " ")))
        var scope: [String] = []

        func run() async throws {
            guard let id = TenantID(text: tenant) else {
                throw ValidationError("--tenant is no id")
            }
            let scopes =
                try scope.isEmpty
                ? Set(Scope.allCases)
                : Set(
                    scope.map { text in
                        guard let scope = Scope(rawValue: text) else {
                            throw ValidationError("there is no scope '\(text)'")
                        }
                        return scope
                    })
            let (custody, _) = try options.directory.custody()
            let name = name
            let (key, secret) = try await refusing {
                try await custody.write { books in
                    try books.createAPIKey(for: id, name: name, scopes: scopes)
                }
            }
            print("key id  \(key.id)")
            print("secret  \(secret)")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a tenant's API keys.")

        @OptionGroup var options: PlatformOption

        @Option(help: "The tenant's id.")
        var tenant: String

        func run() async throws {
            guard let id = TenantID(text: tenant) else {
                throw ValidationError("--tenant is no id")
            }
            let (custody, _) = try options.directory.custody()
            for key in try await custody.read({ try $0.store.apiKeys(of: id) }) {
                let state = key.revokedAt.map { "revoked \($0.text)" } ?? "active"
                let scopes = key.scopes.map(\.rawValue).sorted().joined(separator: " ")
                print("\(key.id)  \(state)  \(key.name)  \(scopes)")
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke an API key; it is refused from the next request on.")

        @OptionGroup var options: PlatformOption

        @Argument(help: "The key's id.")
        var key: String

        func run() async throws {
            guard let id = APIKeyID(text: key) else { throw ValidationError("that is no key id") }
            let (custody, _) = try options.directory.custody()
            try await refusing {
                try await custody.write { books in try books.revokeAPIKey(id) }
            }
            print("revoked \(id)")
        }
    }
}
