import Algebra
import Canonical
import Intents
import KeyGroups
import Logging
import Synchronization
import TestKit
import Testing

@testable import Holder

private let now: UInt64 = 1_800_000_000

/// A callback server that a test plays, with everything that was sent to it.
private final class ScriptedServer: Sendable {
    /// What it answers to a request, the n-th from 1.
    typealias Play =
        @Sendable (_ server: ScriptedServer, _ n: Int) async throws ->
        CallbackPost.Answer

    let key = SecretBox(RSAKey())
    let target: CallbackTarget
    private let node: RSAPublicKey
    private let play: Play
    private let heard = Mutex<[(url: String, request: JSONValue)]>([])

    init(knowing node: RSAPublicKey, _ play: @escaping Play) {
        target = CallbackTarget(
            address: "http://server:11020", key: key.with { $0.publicKey })
        (self.node, self.play) = (node, play)
    }

    var requests: [(url: String, request: JSONValue)] { heard.withLock { $0 } }

    @Sendable func post(
        _ url: String, _ token: String, _: Duration
    ) async throws -> CallbackPost.Answer {
        let request = try JSONParser.parse(PackageToken.open(token, under: node, now: now))
        let n = heard.withLock { heard in
            heard.append((url, request))
            return heard.count
        }
        return try await play(self, n)
    }

    /// What an honest server says, but for what is given.
    func answer(
        _ action: String? = "APPROVE", status: Int = 0, id: JSONValue? = nil,
        expires: UInt64 = now + 120, key: SecretBox<RSAKey>? = nil, http: Int = 200,
        wrap: (String) -> String = { $0 }
    ) -> CallbackPost.Answer {
        let package = JSONValue.object([
            "status": .integer(status),
            "request_id": id ?? requests.last?.request["request_id"] ?? .null,
            "action": .optional(action), "error": .string("because"),
        ])
        let token = (key ?? self.key).with {
            PackageToken.seal(package.bytes, issuer: "test", expires: expires, under: $0)
        }
        return CallbackPost.Answer(status: http, body: Array(wrap(token).utf8))
    }
}

@Suite(.serialized) struct `The desk that asks callback servers` {
    private static let nodeKey = SecretBox(RSAKey())
    private static let otherKey = SecretBox(RSAKey())

    private struct Outcome {
        let decision: ServerDecision?
        let server: ScriptedServer
        var tries: Int { server.requests.count }
        var isSilent: Bool { if case .silent = decision { true } else { false } }
    }

    private func consultation(_ targets: [CallbackTarget]) throws -> Consultation {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "desk")
        try quorum.generateKey()
        quorum.members[0].callbackServers = targets.map(\.server)
        quorum.restart(0)
        quorum.offer(quorum.intent(.transfer(quorum.order())), to: [0])
        try quorum.run()
        return try #require(quorum.consultations.first?.consultation)
    }

    private func desk(
        _ servers: [ScriptedServer], _ patience: CallbackPatience,
        decided: @escaping @Sendable (HolderInput) -> Void = { _ in }
    ) -> CallbackDesk {
        CallbackDesk(
            servers.map(\.target), patience, issuer: "node", key: Self.nodeKey,
            log: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            post: { url, token, limit in
                try await servers[0].post(url, token, limit)
            },
            clock: { HolderTime(wall: now, monotonic: 0) }, sleep: { _ in }, decided: decided)
    }

    /// What becomes of one question to a server that behaves so.
    private func outcome(
        retries: Int = 2, sleepSeconds: Int = 60, _ play: @escaping ScriptedServer.Play
    ) async throws -> Outcome {
        let server = ScriptedServer(knowing: Self.nodeKey.with { $0.publicKey }, play)
        var patience = CallbackPatience()
        (patience.retries, patience.sleepSeconds) = (retries, sleepSeconds)
        let consultation = try consultation([server.target])
        let desk = desk([server], patience)
        return Outcome(
            decision: await desk.decision(of: server.target, on: consultation), server: server)
    }

    @Test func `asks in the protocol's form, and takes an answer bare or in quotes`() async throws {
        for wrap: @Sendable (String) -> String in [{ $0 }, { "\"\($0)\"\n" }] {
            let outcome = try await outcome { server, _ in server.answer(wrap: wrap) }
            #expect(outcome.decision == .approved && outcome.tries == 1)
            let (url, request) = outcome.server.requests[0]
            #expect(url == "http://server:11020/v2/check")
            #expect(request["request_type"] == .integer(2))
            guard case .string(let detail)? = request["request_detail"],
                case .string(let extra)? = request["extra_info"]
            else {
                Issue.record("detail and extra_info are JSON in strings")
                return
            }
            #expect(try JSONParser.parse(Array(detail.utf8))["signature_type"] == .integer(1))
            #expect(try JSONParser.parse(Array(extra.utf8))["transaction"] != nil)
        }
    }

    @Test(arguments: [0, 30])
    func `takes a signed REJECT at once, with whatever status`(_ status: Int) async throws {
        let outcome = try await outcome { server, _ in server.answer("REJECT", status: status) }
        #expect(outcome.decision == .rejected(why: "because") && outcome.tries == 1)
    }

    /// The cheater's and the fool's answers: none counts as an approval, each is asked again, and
    /// after the last time it is a no.
    @Test(arguments: [
        "another key", "another request", "no request", "expired", "status", "no action",
        "word", "redirect", "fault", "garbage", "empty", "huge", "no signature", "refused",
    ])
    func `takes nothing else for a decision`(_ kind: String) async throws {
        let outcome = try await outcome { server, _ in
            switch kind {
            case "another key": server.answer(key: Self.otherKey)
            case "another request": server.answer(id: .string(Digest.sha256([1]).hex))
            case "no request": server.answer(id: .null)
            case "expired": server.answer(expires: now - 31)
            case "status": server.answer(status: 10)
            case "no action": server.answer(nil)
            case "word": server.answer("approve")
            case "redirect": server.answer(http: 302)
            case "fault": server.answer(http: 500)
            case "garbage": CallbackPost.Answer(status: 200, body: [0xff, 0x00])
            case "empty": CallbackPost.Answer(status: 200, body: [])
            case "huge": server.answer { $0 + String(repeating: " ", count: 70_000) }
            case "no signature":
                server.answer { $0.split(separator: ".").prefix(2).joined(separator: ".") + "." }
            default: throw CallbackDesk.NoDecision("connection refused")
            }
        }
        #expect(outcome.isSilent, "\(kind): \(String(describing: outcome.decision))")
        #expect(outcome.tries == 3)
    }

    @Test func `takes no answer that another holder was given`() async throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "two holders ask")
        try quorum.generateKey()
        let answers = Mutex<[String: CallbackPost.Answer]>([:])
        // Whoever sits between has what the server said to member 0, and gives it to member 1.
        let server = ScriptedServer(knowing: Self.nodeKey.with { $0.publicKey }) { server, n in
            guard case .string(let asked)? = server.requests[n - 1].request["request_detail"]
            else { return server.answer(nil) }
            return answers.withLock { answers in
                if let before = answers[asked] { return before }
                let answer = server.answer()
                answers[asked] = answer
                return answer
            }
        }
        for member in [0, 1] {
            quorum.members[member].callbackServers = [server.target.server]
            quorum.restart(member)
        }
        quorum.offer(quorum.intent(.transfer(quorum.order())))
        try quorum.run()
        let asked = quorum.consultations.sorted { $0.member < $1.member }.map(\.consultation)
        try #require(asked.count == 2 && asked[0].subject == asked[1].subject)
        #expect(asked[0].detail == asked[1].detail && asked[0].name != asked[1].name)
        let desk = desk([server], CallbackPatience())
        #expect(await desk.decision(of: server.target, on: asked[0]) == .approved)
        var patience = CallbackPatience()
        patience.retries = 2
        let other = self.desk([server], patience)
        guard case .silent? = await other.decision(of: server.target, on: asked[1]) else {
            Issue.record("an answer to another holder counts")
            return
        }
        #expect(server.requests.count == 4)
    }

    @Test func `is heard when it comes back in time`() async throws {
        let outcome = try await outcome { server, n in
            n < 3 ? server.answer(status: 30) : server.answer()
        }
        #expect(outcome.decision == .approved && outcome.tries == 3)
    }

    @Test func `asks without end if it is told so, but not beyond the intent's`() async throws {
        let outcome = try await outcome(retries: 0, sleepSeconds: 3600) { server, n in
            n < 50 ? server.answer(http: 503) : server.answer()
        }
        // The test's intent ends within the hour.
        #expect(outcome.isSilent && outcome.tries == 1)
    }

    @Test func `tells what each server decided, and nothing when it is stopped`() async throws {
        let (decisions, feed) = AsyncStream.makeStream(of: HolderInput.self)
        let server = ScriptedServer(knowing: Self.nodeKey.with { $0.publicKey }) { server, _ in
            server.answer()
        }
        let consultation = try consultation([server.target])
        let desk = desk([server], CallbackPatience()) { feed.yield($0) }
        desk.ask(consultation)
        var heard = decisions.makeAsyncIterator()
        guard
            case .decided(consultation.subject, server.target.server.id, .approved)? =
                await heard.next()
        else {
            Issue.record("the decision is not posted")
            return
        }
        let hung = ScriptedServer(knowing: Self.nodeKey.with { $0.publicKey }) { _, _ in
            try await Task.sleep(for: .seconds(60))
            throw CallbackDesk.NoDecision("late")
        }
        let other = self.desk([hung], CallbackPatience())
        let stopped = Task { await other.decision(of: hung.target, on: consultation) }
        stopped.cancel()
        #expect(await stopped.value == nil)
    }

    @Test func `a token of another algorithm counts for nothing`() throws {
        let key = SecretBox(RSAKey())
        let publicKey = key.with { $0.publicKey }
        let token = key.with {
            PackageToken.seal([1], issuer: "x", expires: now + 1, under: $0)
        }
        #expect(try PackageToken.open(token, under: publicKey, now: now) == [1])
        // {"alg":"none"}
        let parts = token.split(separator: ".")
        for forged in [
            "eyJhbGciOiJub25lIn0.\(parts[1]).", "eyJhbGciOiJub25lIn0.\(parts[1]).\(parts[2])",
            "\(parts[0]).\(parts[1])", "\(parts[1]).\(parts[0]).\(parts[2])", "",
        ] {
            #expect(throws: PackageToken.Unfit.self, "\(forged)") {
                try PackageToken.open(forged, under: publicKey, now: now)
            }
        }
    }

    @Test func `keys survive their file, and short ones are refused`() throws {
        let key = RSAKey()
        let again = try RSAKey(key.stored())
        let signature = again.sign([1, 2, 3])
        let publicKey = try RSAPublicKey(pem: key.publicKey.pem)
        #expect(publicKey.verifies(signature, of: [1, 2, 3]))
        #expect(!publicKey.verifies(signature, of: [1, 2]))
        #expect(!publicKey.verifies([], of: [1, 2, 3]))
        // 1024 bits, made with openssl.
        let short = """
            -----BEGIN PUBLIC KEY-----
            MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCPy+DRlX34vWQsQYxEzsHvBDL
            jTIR+sKEBlzeBWWqXHxJl74ygj1sFC/QYDL4AbFZ469mt8EkC9Qy5O9Q1ouaLP3h
            p3WynJIZFdvZl1QGcXrvi+NTSO5o45mf2emOXaOHWzgFnSL+uQD56IDRKeF+/zqt
            htvfsTZy5Zz/vHiqYwIDAQAB
            -----END PUBLIC KEY-----
            """
        for bad in [short, "", "-----BEGIN PUBLIC KEY-----"] {
            #expect(throws: MalformedBytes.self) { try RSAPublicKey(pem: bad) }
        }
        #expect(throws: MalformedBytes.self) { _ = try RSAKey(SecretBytes(count: 32)) }
    }
}
