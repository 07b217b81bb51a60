import Algebra
import ArgumentParser
import AsyncHTTPClient
import Chains
import Custody
import Foundation
import Housekeeping
import NIOCore
import NIOSSL
import SimulatedChains
import UnixSignals
import Workers

struct Dev: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the whole stack on this machine: platform, holders, simulated chain.",
        discussion: """
            A second start on the same data finds everything as it was. A child that dies stays \
            dead until `dev start NAME`. Where everything is stands in dev.json in the data \
            directory. `dev run --help` lists the options.
            """,
        subcommands: [Run.self, StartOne.self, StopOne.self], defaultSubcommand: Run.self)

    static let webhookPauses = DeliverySchedule.usualPauses
    static let usualData = ".quorumkeep-dev"
    /// Where the platform is in a stack's directory.
    static let platform = "platform"

    struct StartOne: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "start", abstract: "Start a child of a running stack again.")

        @Argument(help: "platform, or a holder's name.")
        var name: String

        @OptionGroup var stack: StackOption

        private static let doorSeconds = 15

        func run() async throws {
            let directory = try stack.directory()
            try await ControlSocket.ask("start", name, in: directory)
            if name == Dev.platform { try await waitForDoor(of: directory) }
            print("\(name) is started")
        }

        /// So that the next command meets a platform that answers.
        private func waitForDoor(of directory: URL) async throws {
            let file = try DevFile.read(directory.appending(path: "dev.json"))
            let request = HTTPClientRequest(url: file.custody.url + "/health")
            let deadline = ContinuousClock.now + .seconds(Self.doorSeconds)
            while (try? await HTTPClient.shared.execute(request, timeout: .seconds(2))) == nil {
                guard ContinuousClock.now < deadline else {
                    throw CommandFailure(
                        "the platform does not answer after \(Self.doorSeconds) s: see "
                            + "\(directory.path)/logs/platform.log")
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    struct StopOne: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "stop", abstract: "Stop a child of a running stack.")

        @Argument(help: "platform, or a holder's name.")
        var name: String

        @OptionGroup var stack: StackOption

        func run() async throws {
            try await ControlSocket.ask("stop", name, in: stack.directory())
            print("\(name) is stopped")
        }
    }

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Run the stack (the default).")

        @Option(help: "Where everything is kept.")
        var data = Dev.usualData

        @Option(help: "First port, 1024 to 65000: HTTP; HTTPS +1, relay +3, metrics +4, chain +10.")
        var portBase = 7400

        @Option(help: "JSON-RPC of an EVM node, in place of the simulated chain.")
        var evmRpc: String?

        @Option(help: "Contract of a token of 6 decimals on that node, kept as the asset USDT.")
        var evmToken: String?

        @Option(help: "How many key share holders, 2 to 20.")
        var holders = 3

        @Option(help: "Milliseconds between blocks of the simulated chain, 10 to 60000.")
        var blockTime = 250

        @Flag(help: "Sign with pair setups that are made for each signature.")
        var freshSetups = false

        @Flag(help: "When ready, print dev.json as one line.")
        var json = false

        func validate() throws {
            guard (1024...65_000).contains(portBase) else {
                throw ValidationError("--port-base must be from 1024 to 65000")
            }
            guard evmToken == nil || evmRpc != nil else {
                throw ValidationError("--evm-token is a contract on the node of --evm-rpc")
            }
            if let evmToken, (try? EVMAddress(text: evmToken)) == nil {
                throw ValidationError("--evm-token is an address with its EIP-55 checksum")
            }
            guard (2...20).contains(holders) else {
                throw ValidationError("--holders must be from 2 to 20")
            }
            guard (10...60_000).contains(blockTime) else {
                throw ValidationError("--block-time must be from 10 to 60000")
            }
        }

        func run() async throws {
            try Chores.forbidCrashDumps()
            try await DevStack(
                directory: URL(filePath: data).absoluteURL, portBase: portBase, evmRPC: evmRpc,
                evmToken: try evmToken.map { try EVMAddress(text: $0) },
                holders: holders, blockTime: .milliseconds(blockTime),
                freshSetups: freshSetups, printsJSON: json
            ).run()
        }
    }
}

/// The option of every command on a local stack that is there.
struct StackOption: ParsableArguments {
    @Option(help: "The stack's data directory.")
    var data = Dev.usualData

    func directory() throws -> URL {
        let url = URL(filePath: data).absoluteURL
        guard url.lastPathComponent != Dev.platform || !PlatformDirectory(url.path).exists else {
            throw CommandFailure(
                "\(data) is an installation: name the stack's directory, "
                    + url.deletingLastPathComponent().path)
        }
        return url
    }
}
