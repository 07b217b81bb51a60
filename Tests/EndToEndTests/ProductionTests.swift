import AsyncHTTPClient
import Canonical
import Chains
import CustodyClient
import Foundation
import Gateway
import NIOCore
import NIOHTTP1
import NIOSSL
import TestKit
import Testing

@testable import quorumkeep

/// An installation as docs/operations.md has it, step by step, without a simulated part: its own
/// certificate, an EVM that others wrote, holders whose operators compare and confirm.
@Suite(.serialized) struct `A production installation` {
    private static let ports = (api: 18961, relay: 18963, metrics: 18964, node: 18970)

    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "quorumkeep-production-\(UUID().uuidString)")
    private var platform: String { folder.appending(path: "platform").path }
    private func holder(_ name: String) -> String { folder.appending(path: name).path }

    private func run(_ program: String, _ arguments: String...) throws -> String {
        let ran = try Ran.run(program, arguments)
        #expect(ran.status == 0, "\(program) \(arguments): \(ran.errors)")
        return ran.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func begin(_ program: String, _ arguments: String...) throws -> (Process, URL) {
        let log = folder.appending(path: "\(UUID().uuidString).log")
        try Data().write(to: log)
        let process = Process()
        process.executableURL = try DevStack.binary(program)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: log)
        process.standardError = process.standardOutput
        try process.run()
        return (process, log)
    }

    /// The commands of docs/operations.md, with a name that this machine has.
    private func makeCertificates() throws {
        let script = """
            set -e
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
                -subj '/CN=Custody authority' \
                -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' \
                -addext 'keyUsage=critical,keyCertSign' -keyout ca-key.pem -out ca.pem
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
                -subj '/CN=localhost' -keyout server-key.pem -out server.csr
            printf '%s\\n' 'subjectAltName=DNS:localhost' 'basicConstraints=critical,CA:FALSE' \
                'keyUsage=critical,digitalSignature' 'extendedKeyUsage=serverAuth' > server.ext
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial \
                -days 398 -extfile server.ext -out server.pem
            chmod 600 server-key.pem
            cp ca.pem server.pem server-key.pem platform/
            """
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/bash")
        shell.arguments = ["-c", script]
        shell.currentDirectoryURL = folder
        shell.standardOutput = FileHandle.nullDevice
        shell.standardError = FileHandle.nullDevice
        try shell.run()
        shell.waitUntilExit()
        try #require(shell.terminationStatus == 0)
    }

    /// What an operator enters in `platform.json`, over what `init` wrote.
    private func configure(_ changes: [String: Any] = [:]) throws {
        let file = URL(filePath: platform).appending(path: "platform.json")
        var object = try #require(
            try JSONSerialization.jsonObject(with: try Data(contentsOf: file)) as? [String: Any])
        object["custody"] = ["host": "127.0.0.1", "tlsPort": Self.ports.api]
        object["relay"] = ["host": "127.0.0.1", "port": Self.ports.relay]
        object["metrics"] = ["host": "127.0.0.1", "port": Self.ports.metrics]
        object["webhooks"] = ["allowLocal": false, "pausesSeconds": [5, 30]]
        object["chains"] = [
            [
                "id": "eip155:1", "rpcUrl": "http://127.0.0.1:\(Self.ports.node)",
                "pollMilliseconds": 100,
            ]
        ]
        object["assets"] = [asset(of: "eip155:1")]
        object.merge(changes) { $1 }
        try JSONSerialization.data(withJSONObject: object).write(to: file)
    }

    private func asset(of chain: String) -> [String: Any] {
        [
            "id": "ETH", "symbol": "ETH", "name": "Ether", "asset": "\(chain)/slip44:60",
            "decimals": 18, "confirmations": 3, "minWithdrawal": "0.001",
        ]
    }

    private func makeHolder(_ name: String, _ intentKey: String) throws -> Process {
        let rules = folder.appending(path: "rules.json")
        try Data(
            """
            {"version": 1, "environment": "production", "chains": ["eip155:1"],
             "assets": {"eip155:1/slip44:60": {"mostPerTransaction": "5000000000000000000",
             "mostPerDay": "20000000000000000000", "mostFee": "10000000000000000"}}}
            """.utf8
        ).write(to: rules)
        let identity = try run(
            "quorumkeep-node", "init", "--data", holder(name), "--name", name, "--relay",
            "127.0.0.1:\(Self.ports.relay)", "--server-name", "localhost", "--ca",
            folder.appending(path: "ca.pem").path, "--platform-key", intentKey, "--rules",
            rules.path)
        _ = try run(
            "quorumkeep", "holder", "add", "--data", platform, "--name", name, "--identity",
            identity)
        return try begin("quorumkeep-node", "start", "--data", holder(name)).0
    }

    /// Each holder's operator reads the same fingerprint, and confirms it.
    private func hold(_ names: [String]) async throws {
        var fingerprints: Set<String> = []
        for name in names {
            var line = ""
            try await until("\(name) is asked", seconds: 20) {
                line = try run("quorumkeep-node", "pending", "--data", holder(name))
                return line.contains("2 of 3")
            }
            fingerprints.insert(String(line.prefix { $0 != " " }))
        }
        let fingerprint = try #require(fingerprints.first)
        #expect(fingerprints.count == 1)
        for name in names {
            _ = try run("quorumkeep-node", "confirm", "--data", holder(name), fingerprint)
        }
    }

    @Test func `refuses what is for development`() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        _ = try run("quorumkeep", "init", "--data", platform, "--environment", "production")
        let rows: [[String: Any]] = [
            ["custody": ["host": "127.0.0.1", "tlsPort": 1, "plainPort": 2]],
            ["webhooks": ["allowLocal": true, "pausesSeconds": [5]]],
            ["assets": [asset(of: "eip155:31337")]],
        ]
        for row in rows {
            try configure(row)
            let ran = try Ran.run("quorumkeep", ["serve", "--data", platform])
            #expect(ran.status != 0)
            #expect(ran.errors.contains("production has no plain HTTP"), "\(ran.errors)")
        }
    }

    @Test func `is installed, makes its key, and serves over HTTPS`() async throws {
        let node = try await ForeignNode.start(port: Self.ports.node, chainID: 1)
        defer { kill(node.processIdentifier, SIGKILL) }
        let chain = Chain(url: "http://127.0.0.1:\(Self.ports.node)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let intentKey = try run(
            "quorumkeep", "init", "--data", platform, "--environment", "production")
        try makeCertificates()
        try configure()
        let (serve, log) = try begin("quorumkeep", "serve", "--data", platform)
        var running = [serve]
        defer { for process in running { kill(process.processIdentifier, SIGKILL) } }
        let names = ["vault-room", "data-centre", "custodian"]
        for name in names { running.append(try makeHolder(name, intentKey)) }
        let (ceremony, made) = try begin(
            "quorumkeep", "tenant", "create", "--data", platform, "--name", "Acme", "--wait", "60")
        try await hold(names)
        try await until("the key is made", seconds: 60) { !ceremony.isRunning }
        #expect(ceremony.terminationStatus == 0)
        let said = try String(contentsOf: made, encoding: .utf8).split(separator: "\n")
        let tenant = try #require(said.first { UUID(uuidString: String($0)) != nil })
        let words = try run(
            "quorumkeep", "key", "create", "--data", platform, "--tenant", String(tenant), "--name",
            "shop"
        ).split { " \n".contains($0) }.map(String.init)
        let key = try #require(words.first { $0.hasPrefix("qk_live_") && !$0.contains("secret") })
        let secret = try #require(words.first { $0.hasPrefix("qk_live_secret_") })

        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(folder.appending(path: "ca.pem").path)
        let http = HTTPClient(configuration: .init(tlsConfiguration: tls))
        defer { Task { try? await http.shutdown() } }
        let url = "https://localhost:\(Self.ports.api)/v1"
        try await use(APIClient(url: url, keyID: key, secret: secret, http: http), chain)

        // A sandbox's key is of another world, and what is not TLS gets no answer.
        let other = APIClient(
            url: url, keyID: key.replacing("live", with: "test"), secret: secret, http: http)
        await #expect(throws: APIClient.Refused.self) { _ = try await other.call("GET", "/vaults") }
        let plain = try #require(RawConnection(port: Self.ports.api))
        plain.send("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(RawAnswer.all(in: plain.receive().bytes).isEmpty)
        let head = try await http.execute(
            HTTPClientRequest(url: "https://localhost:\(Self.ports.api)/health"),
            timeout: .seconds(5))
        #expect(head.headers["Strict-Transport-Security"].first == "max-age=31536000")

        let doctor = try run("quorumkeep", "doctor", "--data", platform)
        #expect(doctor.contains("ok    platform.json: production"), "\(doctor)")
        #expect(!doctor.contains("FAIL"), "\(doctor)")
        for process in running { process.terminate() }
        try await until("all have ended", seconds: 15) { !running.contains { $0.isRunning } }
        #expect(running.map(\.terminationStatus) == [0, 0, 0, 0])
        let lines = try String(contentsOf: log, encoding: .utf8).split(separator: "\n")
        #expect(lines.allSatisfy { $0.hasPrefix("{\"time\":") }, "production logs are JSON")
        #expect(!lines.contains { $0.contains(secret) })
    }

    private func use(_ api: APIClient, _ chain: Chain) async throws {
        var wallet = JSONValue.null
        try await until("the chain is followed", seconds: 20) {
            do {
                wallet = try await api.wallet("customer-1")
                return true
            } catch let refused as APIClient.Refused where refused.status == 502 {
                return false
            }
        }
        let address = try #require(wallet["depositAddress"]?.text)
        #expect(address.hasPrefix("0x"))
        try await chain.fund(address, "3")
        try await until("the deposit is available", seconds: 30) {
            try await api.balance(wallet)["available"]?.text == "3"
        }
        let to = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        let entry = try await api.entry(to, network: "eip155:1")
        try await api.wait(for: try await api.withdraw("1", from: wallet, to: entry), "Completed")
        #expect(try await chain.balance(of: to).text(decimals: 18) == "1")
    }
}
