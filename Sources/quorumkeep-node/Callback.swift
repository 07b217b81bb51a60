import Algebra
import ArgumentParser
import Canonical
import Foundation
import Holder
import Housekeeping
import Intents
import Logging

/// What an operator needs to set up callback servers.
struct Callback: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The operator's servers that must approve what this holder signs.",
        discussion: "They are named in node.json; see docs/operations.md.",
        subcommands: [Key.self, Ping.self])

    struct Key: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the public key by which the servers know this holder, as PEM.",
            discussion: "Makes the key if the holder has none. Give it to the servers' operator.")

        @OptionGroup var options: DataOption

        func run() async throws {
            _ = try options.directory.configuration()
            try options.directory.makeCallbackKey()
            print(
                try options.directory.callbackKey().publicKey.pem.trimmingCharacters(
                    in: .whitespacesAndNewlines))
        }
    }

    struct Ping: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask each server whether it is there; ends with 1 if one is not.")

        @OptionGroup var options: DataOption

        func run() async throws {
            guard let callback = try options.directory.configuration().callback else {
                throw CommandFailure(
                    "node.json names no callback servers: add \"callback\" as docs/operations.md "
                        + "says")
            }
            let settings = try callback.settings(in: options.directory)
            let post = CallbackPost()
            var missing = 0
            for target in settings.targets {
                let address = target.server.address
                do {
                    let answer = try await post.get(
                        address + "/ping", .seconds(settings.patience.timeoutSeconds))
                    if answer.status != 200 { missing += 1 }
                    print("\(address)  \(answer.status == 200 ? "ok" : "status \(answer.status)")")
                } catch {
                    missing += 1
                    print("\(address)  \(error)")
                }
            }
            try await post.close()
            if missing > 0 {
                throw CommandFailure(
                    "\(missing) of \(settings.targets.count) servers did not answer: nothing is "
                        + "approved until they do")
            }
        }
    }
}

/// What an operator needs to set up event servers.
struct Events: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The operator's servers that are told what becomes of requests.",
        discussion: "They are named in node.json; see docs/operations.md.",
        subcommands: [Ping.self])

    struct Ping: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send each server an event of type ping; ends with 1 if one does not hear.")

        @OptionGroup var options: DataOption

        func run() async throws {
            let directory = options.directory
            guard let settings = try directory.configuration().events?.settings() else {
                throw CommandFailure(
                    "node.json names no event servers: add \"events\" as docs/operations.md says")
            }
            let node = try directory.identity().publicKey
            let post = CallbackPost()
            let desk = EventDesk(
                settings.patience, issuer: node.hex, key: SecretBox(try directory.callbackKey()),
                log: Logger(label: "events"), post: post.post, delivered: { _ in })
            var missing = 0
            for server in settings.servers {
                do {
                    try await desk.tell(.ping(from: node, at: HolderTime.machine.wall), to: server)
                    print("\(server.address)  ok")
                } catch {
                    missing += 1
                    print("\(server.address)  \(error)")
                }
            }
            try await post.close()
            if missing > 0 {
                throw CommandFailure(
                    "\(missing) of \(settings.servers.count) servers did not hear")
            }
        }
    }
}
