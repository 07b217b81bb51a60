import Algebra
import AsyncHTTPClient
import Canonical
import Chains
import Custody
import Foundation
import Housekeeping
import NIOCore
import NIOHTTP1
import NIOSSL
import SimulatedChains
import Storage
import UnixSignals
import Workers

/// The local stack from its start to its end.
struct DevStack {
    private static let readySeconds = 60
    private static let simulatedChainID: UInt64 = 31337

    let directory: URL
    let portBase: Int
    let evmRPC: String?
    /// A token's contract on that node.
    let evmToken: EVMAddress?
    let holders: Int
    let blockTime: Duration
    let freshSetups: Bool
    let printsJSON: Bool

    func run() async throws {
        let start = ContinuousClock.now
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        // Before there is a directory: a stack that cannot start leaves none.
        if !FileManager.default.fileExists(atPath: directory.path) { try requireFreePorts() }
        try PrivateFile.makeDirectory(directory)
        try DevSetup.requireOwn(directory)
        let lock = try DirectoryLock(directory, name: "dev.lock")
        let setup = try await setup()
        try requireFreePorts()
        try setup.prepare()
        let (custody, database) = try setup.platform.custody()
        let tenants = try await setup.tenants(custody)
        let supervisor = try Supervisor(logs: directory.appending(path: "logs")) {
            Progress.say($0)
        }
        let chain = try evmRPC == nil ? simulatedChain(setup) : nil

        try await withThrowingTaskGroup(of: Void.self) { group in
            defer {
                supervisor.stopAll()
                group.cancelAll()
            }
            if let chain { group.addTask { try await chain.run(port: portBase + 10) } }
            group.addTask {
                for await _ in signals { return }
            }
            group.addTask {
                try await ControlSocket.serve(ControlSocket.path(in: directory)) { verb, name in
                    switch verb {
                    case "start": try supervisor.start(name)
                    case "stop": try supervisor.stop(name)
                    default: throw CommandFailure("start or stop, not \(verb)")
                    }
                    try describe(setup, supervisor, tenants).write(to: devFile)
                }
            }
            try startChildren(setup, supervisor)
            group.addTask {
                try await untilReady(custody, following: .eip155(setup.chainID))
                let file = try describe(setup, supervisor, tenants)
                try file.write(to: devFile)
                let took = start.duration(to: .now)
                if printsJSON { print(try file.line) } else { announce(file, took) }
                fflush(nil)
                try await Task.sleep(for: .seconds(Int64.max / 2_000_000_000))
            }
            try await group.next()
        }
        try? FileManager.default.removeItem(atPath: ControlSocket.path(in: directory))
        try database.close()
        withExtendedLifetime(lock) {}
    }

    private func requireFreePorts() throws {
        for port in [0, 1, 3, 4] + (evmRPC == nil ? [10] : []) {
            try Given.requireFree(
                portBase + port, otherwise: "choose others with --port-base")
        }
    }

    private var devFile: URL { directory.appending(path: "dev.json") }

    private func setup() async throws -> DevSetup {
        var chainID = Self.simulatedChainID
        if let evmRPC {
            let node = EVMNode(url: evmRPC, client: .shared)
            do {
                chainID = try await node.ask(EVMRPC.chainID())
            } catch {
                throw CommandFailure("the node at \(evmRPC) does not answer: \(error)")
            }
        }
        return DevSetup(
            directory: directory, portBase: portBase,
            rpcURL: evmRPC ?? "http://127.0.0.1:\(portBase + 10)", chainID: chainID,
            token: evmRPC == nil ? SimulatedEVM.token : evmToken, holderCount: holders,
            freshSetups: freshSetups,
            nodeBinary: try Self.binary("quorumkeep-node"))
    }

    /// A program of ours, beside the one that runs.
    static func binary(_ name: String) throws -> URL {
        guard let own = Bundle.main.executableURL else {
            throw CommandFailure("this program's own place is unknown")
        }
        let url = own.resolvingSymlinksInPath().deletingLastPathComponent().appending(path: name)
        guard FileManager.default.isExecutableFile(atPath: url.path) else {
            throw CommandFailure("\(url.path) is missing: build it with bin/setup")
        }
        return url
    }

    private func simulatedChain(_ setup: DevSetup) throws -> EVMServer {
        guard let key = WholeKey(try setup.faucetKey()) else {
            throw CommandFailure("the faucet's key is none")
        }
        let chain = try SimulatedEVM(
            chainID: Self.simulatedChainID, faucet: SecretBox(key),
            journal: directory.appending(path: "evm-blocks.jsonl"))
        return EVMServer(chain, blockTime: blockTime)
    }

    private func startChildren(_ setup: DevSetup, _ supervisor: Supervisor) throws {
        try supervisor.add(
            "platform",
            .init(
                binary: try Self.binary("quorumkeep"),
                arguments: ["serve", "--data", setup.platform.url.path, "--end-with-parent"]))
        for number in 1...holders {
            try supervisor.add(
                DevSetup.plan(number).name,
                .init(
                    binary: setup.nodeBinary,
                    arguments: [
                        "start", "--data", setup.holderDirectory(number).path,
                        "--end-with-parent", "--dangerously-confirm-ceremonies",
                    ]))
        }
        Progress.say("development: the holders confirm key ceremonies by themselves")
    }

    /// Ready means: a request on each port is answered, every holder is online, every key is made.
    private func untilReady(_ custody: Bookkeeper, following chain: ChainID) async throws {
        let deadline = ContinuousClock.now + .seconds(Self.readySeconds)
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(directory.appending(path: "platform/ca.pem").path)
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: .init(tlsConfiguration: tls))
        defer { Task { try? await client.shutdown() } }
        var missing = ""
        while ContinuousClock.now < deadline {
            missing = await whatIsMissing(custody, client, chain)
            if missing.isEmpty { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw CommandFailure(
            "not ready after \(Self.readySeconds) s: \(missing); see \(directory.path)/logs")
    }

    private func whatIsMissing(
        _ custody: Bookkeeper, _ client: HTTPClient, _ chain: ChainID
    ) async -> String {
        let doors = [
            "http://127.0.0.1:\(portBase)/v1/assets", "https://localhost:\(portBase + 1)/v1/assets",
        ]
        for door in doors {
            let request = HTTPClientRequest(url: door)
            guard (try? await client.execute(request, timeout: .seconds(2))) != nil else {
                return "no answer at \(door)"
            }
        }
        let state = try? await custody.read { books in
            (
                try books.store.holders().filter { $0.onlineSince == nil }.map(\.name),
                try books.store.openCeremonies().count,
                try books.store.chainState(chain) != nil
            )
        }
        guard let (offline, keys, isFollowing) = state else { return "the database cannot be read" }
        if !offline.isEmpty { return "offline: \(offline.joined(separator: ", "))" }
        if keys > 0 { return "\(keys) keys are being made" }
        return isFollowing ? "" : "the chain is not followed yet"
    }

    private func describe(
        _ setup: DevSetup, _ supervisor: Supervisor, _ tenants: [DevFile.Tenant]
    ) throws -> DevFile {
        let faucet =
            try evmRPC == nil
            ? setup.faucetKey().withBytes { Hex.encode($0) } : nil
        return DevFile(
            custody: .init(
                url: "http://127.0.0.1:\(portBase)/v1",
                tlsUrl: "https://127.0.0.1:\(portBase + 1)/v1", caPath: setup.caPath),
            mpcAdmin: .init(
                url: "http://127.0.0.1:\(portBase)/v2",
                responsePublicKey: try setup.platform.responseKey().publicKey.hex),
            tenants: tenants,
            platform: .init(
                pid: supervisor.pid("platform") ?? 0, dataDir: setup.platform.url.path),
            holders: try (1...holders).map { number in
                let plan = DevSetup.plan(number)
                return DevFile.Holder(
                    nodeId: try setup.identity(number).hex, name: plan.name, type: plan.type,
                    dataDir: setup.holderDirectory(number).path,
                    pid: supervisor.pid(plan.name) ?? 0)
            },
            chains: .init(
                evm: .init(
                    rpcUrl: setup.rpcURL, chainId: setup.chainID, faucetPrivateKey: faucet)))
    }

    private func announce(_ file: DevFile, _ took: Duration) {
        let seconds = took.formatted(
            .units(allowed: [.seconds], fractionalPart: .show(length: 1)))
        print("ready after \(seconds)")
        print("  custody API   \(file.custody.url)")
        print("                \(file.custody.tlsUrl)")
        print("  MPC API       \(file.mpcAdmin.url)")
        print("  EVM JSON-RPC  \(file.chains.evm.rpcUrl), chain \(file.chains.evm.chainId)")
        for holder in file.holders {
            print("  holder        \(holder.name), process \(holder.pid)")
        }
        print("  keys          \(devFile.path)")
        print("Ctrl-C stops everything.")
    }
}
