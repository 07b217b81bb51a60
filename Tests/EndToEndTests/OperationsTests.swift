import AsyncHTTPClient
import Canonical
import CustodyClient
import Foundation
import Gateway
import Identity
import NIOCore
import NIOHTTP1
import TestKit
import Testing

@testable import quorumkeep

/// What an operator sees of a platform, and how it stops.
@Suite(.serialized) struct `Operations` {
    /// What the operators' door says: status, body.
    private func ask(_ stack: Stack, _ path: String) async throws -> (status: UInt, text: String) {
        let response = try await HTTPClient.shared.execute(
            HTTPClientRequest(url: "http://127.0.0.1:\(stack.portBase + 4)/\(path)"),
            timeout: .seconds(5))
        let body = try await response.body.collect(upTo: 4 * 1024 * 1024)
        return (response.status.code, String(buffer: body))
    }

    /// Samples by name and labels; nil where the text is not of Prometheus' form.
    private func samples(_ text: String) throws -> [String: Double] {
        var found: [String: Double] = [:]
        var typed: Set<String> = []
        let sample = /([a-z_]+)(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? (-?[0-9.]+)/
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let name = String(line.split(separator: " ")[2])
                #expect(typed.insert(name).inserted, "\(name) has one place")
            } else if !line.hasPrefix("# HELP ") {
                let match = try #require(try sample.wholeMatch(in: line), "\(line)")
                let family = match.1.replacing(/_(bucket|sum|count)$/, with: "")
                #expect(
                    typed.contains(String(family)) || typed.contains(String(match.1)), "\(line)")
                let name = "\(match.1)\(match.2 ?? "")"
                #expect(found.updateValue(Double(match.4) ?? .nan, forKey: name) == nil, "\(line)")
            }
        }
        return found
    }

    @Test func `metrics tell how the installation is, and of whom nothing`() async throws {
        let stack = Stack(portBase: 18920)
        try await stack.start()
        let api = try stack.api()
        let wallet = try await api.fundedWallet("w", "2", on: try stack.chain)
        _ = try? await api.call("GET", "/vaults/none")
        let before = try samples(try await ask(stack, "metrics").text)
        let route = #"route="/v1/wallets/{wallet}",method="GET""#
        #expect(before[#"quorumkeep_http_requests_total{\#(route),status="2xx"}"#] ?? 0 > 0)
        let count = before["quorumkeep_http_request_duration_seconds_count{\(route)}"]
        let most = before[#"quorumkeep_http_request_duration_seconds_bucket{\#(route),le="+Inf"}"#]
        #expect(count == most)
        #expect(before["quorumkeep_holders_online"] == 3)
        #expect(before[#"quorumkeep_ledger_suspense{asset="ETH"}"#] == 0)
        #expect(before[#"quorumkeep_chain_lag_blocks{chain="eip155:31337"}"#] ?? 99 < 5)
        #expect(before["quorumkeep_commits_total"] ?? 0 > 0)
        for name in ["process_resident_memory_bytes", "process_open_fds"] {
            #expect(before[name] ?? 0 > 1, "\(name)")
        }

        // With too few holders a withdrawal waits, and that is seen; ready we are nevertheless.
        try await stack.control("stop", "customer")
        try await stack.control("stop", "guardian")
        let entry = try await api.entry("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        _ = try await api.withdraw("1", from: wallet, to: entry)
        try await until("it is seen", seconds: 20) {
            let now = try samples(try await ask(stack, "metrics").text)
            let waiting = now.filter {
                $0.key.hasPrefix("quorumkeep_transactions_under_way{")
                    && $0.key.contains("Withdrawal")
            }
            return now["quorumkeep_holders_online"] == 1 && waiting.values.reduce(0, +) == 1
        }
        let ready = try await ask(stack, "ready")
        #expect(ready.status == 200)
        let said = try JSONParser.parse(Array(ready.text.utf8))
        #expect(said["holders"]?["online"] == .number("1"))
        #expect(try await ask(stack, "health").status == 200)

        let text = try await ask(stack, "metrics").text
        let file = try stack.description
        for secret in file.tenants.flatMap({ [$0.id, $0.name, $0.keys.hmac.keyId] }) {
            #expect(!text.contains(secret))
        }
        // Everybody's door says a word, and has no metrics.
        let door = file.custody.url.replacing("/v1", with: "")
        for (path, status) in [("ready", UInt(200)), ("health", 200), ("metrics", 404)] {
            let response = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: "\(door)/\(path)"), timeout: .seconds(5))
            let body = String(buffer: try await response.body.collect(upTo: 65536))
            #expect(response.status.code == status)
            #expect(!body.contains("holders"))
        }
        try await stack.stop()
    }

    /// A signed request, as bytes.
    private func signed(_ method: String, _ target: String, _ body: String, _ stack: Stack) throws
        -> String
    {
        let key = try stack.description.tenants[0].keys.hmac
        let now = Int64(Date().timeIntervalSince1970)
        let nonce = UUID().uuidString
        let signature = SignedRequest.sign(
            method: method, target: target, body: Array(body.utf8), timestamp: now, nonce: nonce,
            secret: key.secret)
        return """
            \(method) \(target) HTTP/1.1\r
            Host: localhost\r
            X-API-Key: \(key.keyId)\r
            X-Timestamp: \(now)\r
            X-Nonce: \(nonce)\r
            X-Signature: \(signature)\r
            Content-Type: application/json\r
            Content-Length: \(body.utf8.count)\r
            \r
            \(body)
            """
    }

    @Test func `what was begun is answered when it stops, and its log is for programs`()
        async throws
    {
        let stack = Stack(portBase: 18940)
        try await stack.start()
        let pid = try stack.description.platform.pid
        let begun = try (0..<20).map { number in
            let body = #"{"externalId":"v\#(number)","name":"begun before the end"}"#
            let text = try signed("POST", "/v1/vaults", body, stack)
            return (
                line: try #require(RawConnection(port: stack.portBase)), first: text.dropLast(40),
                rest: String(text.suffix(40))
            )
        }
        for one in begun { one.line.send(String(one.first)) }
        try await until("they are begun", seconds: 10) {
            try samples(try await ask(stack, "metrics").text)["quorumkeep_http_requests_in_flight"]
                == 20
        }
        kill(pid, SIGTERM)
        try await until("it says so", seconds: 15) {
            try await ask(stack, "ready").status == 503
        }
        #expect(try await ask(stack, "health").status == 200)
        for one in begun { one.line.send(one.rest) }
        for one in begun {
            let (bytes, _) = one.line.receive()
            let answers = RawAnswer.all(in: bytes)
            #expect(answers.map(\.status) == [201])
            #expect(answers.first?["connection"] == "close")
        }
        try await until("nobody listens", seconds: 15) {
            RawConnection(port: stack.portBase) == nil
                && RawConnection(port: stack.portBase + 1) == nil
        }
        try await until("it has ended", seconds: 15) { kill(pid, 0) != 0 }
        let log = stack.directory.appending(path: "logs/platform.log")
        let before = try String(contentsOf: log, encoding: .utf8)
        #expect(before.contains("stopped"), "by itself, and not cut off")

        // What was answered is there.
        let directory = PlatformDirectory(try stack.description.platform.dataDir)
        try Stack.insert(#""logs":"json","#, into: directory.path("platform.json"))
        try await stack.control("start", "platform")
        try await until("the door is open", seconds: 10) {
            RawConnection(port: stack.portBase) != nil
        }
        let vaults = try await stack.api().call("GET", "/vaults?limit=50")["items"]?.items ?? []
        #expect(vaults.count == 20)
        let after = try String(contentsOf: log, encoding: .utf8).dropFirst(before.count)
        let lines = after.split(separator: "\n").map { try? JSONParser.parse(Array($0.utf8)) }
        #expect(lines.count > 1)
        #expect(!lines.contains(nil), "\(after)")
        let tenant = try stack.description.tenants[0]
        let line = try #require(lines.last { $0?["route"]?.text == "/v1/vaults" } ?? nil)
        #expect(line["status"] == .number("200"))
        #expect(line["method"]?.text == "GET")
        #expect(line["key"]?.text == tenant.keys.hmac.keyId)
        #expect(line["tenant"]?.text == tenant.id)
        #expect(line["request"]?.text.hasPrefix("req_") == true)
        #expect(line["ms"] != nil)
        #expect(!after.contains("limit=50"), "no query is logged")
        try await stack.stop()
    }
}
