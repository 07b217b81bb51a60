import Algebra
import ArgumentParser
import Foundation
import Holder
import Housekeeping
import Intents

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
