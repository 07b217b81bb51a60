import Canonical
import CustodyClient
import Foundation
import Gateway
import TestKit
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `A fuzzer that others wrote` {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    /// Of what the answers are held to: no fault of ours, and what the document promises.
    private static let checks = [
        "not_a_server_error", "response_schema_conformance", "status_code_conformance",
        "content_type_conformance",
    ]

    /// Things for the fuzzer to name: see Tests/Schemathesis/hooks.py.
    private func things(of stack: Stack) async throws -> JSONValue {
        let (api, chain) = (try stack.api(), try stack.chain)
        var wallets: [JSONValue] = []
        for number in 1...3 {
            wallets.append(try await api.fundedWallet("w\(number)", "50", on: chain))
        }
        let entry = try await api.entry("0x52908400098527886E0F7030069857D2E4169EE7")
        let other = try await api.entry("0x8617E340B3D01FA5F11F306F4090FD50E238070D")
        let vault = try await api.wallet("spare")
        let spare = try await api.call(
            "POST", "/keys",
            .object(["name": .string("spare"), "scopes": .array([.string("vaults:read")])]))
        let paid = try await api.withdraw("1", from: wallets[0], to: entry)
        let deposits = try await api.call("GET", "/transactions")["items"]?.items ?? []
        let events = try await api.call("GET", "/webhooks/events?limit=5")["items"]?.items ?? []
        func ids(_ things: [JSONValue], _ name: String = "id") -> JSONValue {
            .array(things.compactMap { $0[name] })
        }
        let key = try stack.description.tenants[0].keys.hmac
        return .object([
            "key": .string(key.keyId), "secret": .string(key.secret),
            "vaults": ids(wallets, "vaultId"), "wallets": ids(wallets), "entries": ids([entry]),
            "transactions": ids(deposits + [paid]), "events": ids(events),
            // In place of the others where these would be spoilt.
            "spares": .object([
                "key": spare["id"] ?? .null, "entry": other["id"] ?? .null,
                "vault": vault["vaultId"] ?? .null,
            ]),
        ])
    }

    /// A stack whose platform counts nobody's requests, so that the rules behind are reached.
    private func stack() async throws -> Stack {
        let stack = Stack(portBase: 18440)
        try await stack.start()
        let limit = #"{"perSecond": 1000000, "burst": 1000000}"#
        try await stack.control("stop", "platform")
        try Stack.insert(
            #""limits": {"apiKey": \#(limit), "address": \#(limit), "failures": \#(limit)},"#,
            into: try stack.description.platform.dataDir + "/platform.json")
        try await stack.control("start", "platform")
        return stack
    }

    @Test func `finds nothing that the document does not say, and no fault`() async throws {
        let program = Self.root.appending(path: ".build-schemathesis/bin/schemathesis")
        try #require(
            FileManager.default.isExecutableFile(atPath: program.path),
            "bin/test installs schemathesis")
        let stack = try await stack()
        let file = stack.directory.appending(path: "things.json")
        let counts = stack.directory.appending(path: "counts.json")
        try Data(try await things(of: stack).bytes).write(to: file)
        let process = Process()
        process.executableURL = program
        process.currentDirectoryURL = stack.directory
        process.arguments = [
            "run", "http://127.0.0.1:\(stack.portBase)/openapi.json", "--checks",
            Self.checks.joined(separator: ","), "--seed", "4", "--max-examples",
            String(LongRun.count("QUORUMKEEP_SCHEMATHESIS", short: 25)), "--no-color",
        ]
        process.environment = ProcessInfo.processInfo.environment.merging([
            "SCHEMATHESIS_HOOKS": "hooks",
            "PYTHONPATH": Self.root.appending(path: "Tests/Schemathesis").path,
            "PYTHONDONTWRITEBYTECODE": "1", "QUORUMKEEP_THINGS": file.path,
            "QUORUMKEEP_COUNTS": counts.path,
        ]) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(String(decoding: output, as: UTF8.self))")

        guard case .object(let answers) = try JSONParser.parse(Array(try Data(contentsOf: counts)))
        else { throw Stack.Late(description: "no counts") }
        let seen = answers.map { "\($0.name): \(String(decoding: $0.value.bytes, as: UTF8.self))" }
        print("schemathesis: \(seen.sorted().joined(separator: ", "))")
        // It came past the first checks, and nothing stood in its way.
        let names = Set(answers.map(\.name))
        #expect(
            names.isSuperset(of: [
                "200", "201", "202", "204", "400 invalid", "404 not_found", "409 too_late",
            ]))
        #expect(!names.contains("429 rate_limited") && !names.contains("401 invalid_credentials"))
        // Whoever else is there is served as before.
        let other = try await stack.api(1).wallet("after")
        #expect(other["status"]?.text == "Active")
        try await stack.stop()
    }
}
