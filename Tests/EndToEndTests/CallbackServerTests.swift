import Canonical
import CustodyClient
import Foundation
import Gateway
import TestKit
import Testing

@testable import quorumkeep

/// A callback server that somebody else wrote, from docs/protocols/callback.md alone:
/// Tests/CallbackServer.
final class ForeignCallbackServer {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    /// The environment of Tests/ChainNodes has what it needs.
    private static let python = root.appending(path: ".build-chain-nodes/bin/python").path
    private static let program = root.appending(path: "Tests/CallbackServer/callback_server.py")

    let directory: URL
    let port: Int
    private var process: Process?

    init(_ directory: URL, port: Int) throws {
        (self.directory, self.port) = (directory, port)
        try #require(
            FileManager.default.isExecutableFile(atPath: Self.python), "bin/test installs py-evm")
        let made = try Self.python(["keys", directory.path])
        made.waitUntilExit()
        #expect(made.terminationStatus == 0)
    }

    deinit { killIt() }

    var address: String { "http://127.0.0.1:\(port)" }
    var publicKey: String { directory.appending(path: "public.pem").path }

    private static func python(_ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = [program.path] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// - Parameters:
    ///   - nodes: PEM files of the holders that may ask.
    ///   - most: what it approves, in base units.
    func start(nodes: [String], most: String, behaving how: String = "well") async throws {
        process = try Self.python(
            ["serve", "--port", String(port), "--keys", directory.path, "--most", most]
                + nodes.flatMap { ["--node", $0] } + ["--behave", how])
        try await until("the callback server listens", seconds: 20) {
            RawConnection(port: port) != nil
        }
    }

    func stop() async throws {
        guard let process else { return }
        killIt()
        try await until("the callback server ends", seconds: 10) { !process.isRunning }
        self.process = nil
    }

    /// It inherits the signals that this process does not take, so it is not asked to end.
    private func killIt() {
        guard let process, process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
    }

    /// What it was asked, oldest first.
    func asked() throws -> [JSONValue] { try lines("asked.jsonl") }

    /// What it was told as an event server, oldest first.
    func heard() throws -> [JSONValue] { try lines("heard.jsonl") }

    private func lines(_ name: String) throws -> [JSONValue] {
        let file = directory.appending(path: name)
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
        return try text.split(separator: "\n").map { try JSONParser.parse(Array($0.utf8)) }
    }
}

@Suite(.serialized) struct `Holders that ask a callback server of somebody else's` {
    private static let destination = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    /// Two of three must sign, so what these two refuse is refused.
    private static let asking = ["customer", "guardian"]
    /// An event server on another machine (RFC 5737), spoken to in clear.
    private static let elsewhere = "http://192.0.2.1:11030"

    private func configure(
        _ stack: Stack, _ server: ForeignCallbackServer
    ) async throws -> [String] {
        var files: [String] = []
        for holder in try stack.description.holders where Self.asking.contains(holder.name) {
            try await stack.control("stop", holder.name)
            let key = try Ran.run(
                "quorumkeep-node", ["callback", "key", "--data", holder.dataDir])
            #expect(key.status == 0 && key.output.contains("BEGIN PUBLIC KEY"), "\(key.errors)")
            let file = server.directory.appending(path: "\(holder.name).pem")
            try Data(key.output.utf8).write(to: file)
            files.append(file.path)
            try Stack.insert(
                """
                "callback": {"servers": [{"serviceAddress": "\(server.address)",
                "publicKeyPath": "\(server.publicKey)"}], "retryTimes": 1, "sleepSeconds": 1,
                "requestTimeoutSeconds": 2},
                "events": {"servers": [{"serviceAddress": "\(server.address)"},
                {"serviceAddress": "\(Self.elsewhere)"}], "sleepSeconds": 1,
                "requestTimeoutSeconds": 1},
                """, into: holder.dataDir + "/node.json")
            try await stack.control("start", holder.name)
        }
        return files
    }

    /// What the server was told as an event server: also what came while it was away, in order.
    private func checkEvents(
        _ server: ForeignCallbackServer, signed: Int, refused: Int
    ) async throws {
        func requests(_ type: String) throws -> Set<String> {
            Set(
                try server.heard().compactMap { $0["event"] }
                    .filter { $0["event_type"]?.text == type }
                    .compactMap { $0["data"]?["request_detail"]?["task_id"]?.text })
        }
        try await until("the server has heard of each request", seconds: 20) {
            try requests("request.keysign.succeeded").count == signed
                && requests("request.keysign.failed").count == refused
        }
        var statuses: [String: [String]] = [:]
        var seen: Set<String> = []
        for line in try server.heard() {
            guard let event = line["event"], let id = event["event_id"]?.text,
                let node = event["node_id"]?.text, seen.insert(id).inserted,
                let request = event["data"]?["request_id"]?.text,
                case .number(let status)? = event["data"]?["request_status"]
            else { continue }
            statuses["\(node) \(request)", default: []].append(status)
        }
        for (request, statuses) in statuses {
            #expect(statuses.first == "110" && statuses == statuses.sorted(), "\(request)")
        }
    }

    /// The server is asked about check-ups by those who have it; it approves them.
    private func checkUp(_ stack: Stack, _ server: ForeignCallbackServer) throws {
        let data = stack.directory.path
        let list = try Ran.run("quorumkeep", ["group", "list", "--data", data]).output
        let group = try #require(
            list.split(whereSeparator: \.isWhitespace).first { $0.count == 32 }.map(String.init))
        let ran = try Ran.run("quorumkeep", ["group", "check-up", "--data", data, group])
        #expect(ran.status == 0, "\(ran.output) \(ran.errors)")
        #expect(ran.lines.count { $0.hasPrefix("whole") } == 3, "\(ran.output)")
        let asked = try server.asked().filter { $0["request"]?["request_type"] == .number("5") }
        #expect(Set(asked.compactMap { $0["node"].map { "\($0)" } }).count == Self.asking.count)
    }

    @Test func `sign what it approves, and nothing that it denies, or while it is away`()
        async throws
    {
        let stack = Stack(portBase: 18500)
        try await stack.start()
        let server = try ForeignCallbackServer(
            stack.directory.appending(path: "callback"), port: stack.portBase + 18)
        let nodes = try await configure(stack, server)
        try await server.start(nodes: nodes, most: "2000000000000000000")
        let data = try #require(
            try stack.description.holders.first { $0.name == "guardian" }
        ).dataDir
        let ping = try Ran.run("quorumkeep-node", ["callback", "ping", "--data", data])
        #expect(ping.status == 0 && ping.output.contains("\(server.address)  ok"))
        let told = try Ran.run("quorumkeep-node", ["events", "ping", "--data", data])
        #expect(told.status == 1 && told.output.contains("\(server.address)  ok"))
        for name in Self.asking {
            let log = try String(
                contentsOf: stack.directory.appending(path: "logs/\(name).log"), encoding: .utf8)
            #expect(log.contains("\(Self.elsewhere) is spoken to in clear"))
            #expect(!log.contains("\(server.address) is spoken to in clear"))
        }

        let (api, chain) = (try stack.api(), try stack.chain)
        let wallet = try await api.fundedWallet("w", "50", on: chain)
        let entry = try await api.entry(Self.destination)
        #expect(try server.asked().isEmpty, "announcements are not asked about")

        let approved = try await api.withdraw("1.5", from: wallet, to: entry)
        try await api.wait(for: approved, "Completed")
        let first = try #require(try server.asked().first)
        #expect(first["why"]?.text == "")
        #expect(first["request"]?["request_type"] == .number("2"))

        try checkUp(stack, server)

        let denied = try await api.withdraw("3", from: wallet, to: entry)
        try await api.wait(for: denied, "Failed")
        #expect(try server.asked().last?["why"]?.text == "too much")

        for how in ["redirect", "huge", "slow", ""] {
            try await server.stop()
            let before = try server.asked().count
            if how != "" {
                try await server.start(
                    nodes: nodes, most: "2000000000000000000", behaving: how)
            }
            let refused = try await api.withdraw("1", from: wallet, to: entry)
            try await api.wait(for: refused, "Failed")
            // Each of the two asks twice; the one that is away hears nothing.
            let heard = try server.asked().count - before
            #expect(how == "" ? heard == 0 : heard == 4, "\(how): \(heard)")
        }
        let away = try Ran.run("quorumkeep-node", ["callback", "ping", "--data", data])
        #expect(away.status != 0 && away.errors.contains("did not answer"))

        try await server.start(nodes: nodes, most: "2000000000000000000")
        let again = try await api.withdraw("1", from: wallet, to: entry)
        try await api.wait(for: again, "Completed")
        #expect(try await api.balance(wallet)["reserved"]?.text == "0")
        try await checkEvents(server, signed: 2, refused: 5)
        try await stack.stop()
    }
}
