import Custody
import Foundation
import Hummingbird
import HummingbirdTesting
import Logging
import TestKit
import Testing

@testable import Gateway

/// What comes over a connection, byte by byte, at a door as it stands in the platform.
@Suite struct `Connections` {
    private static let get = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"

    /// Runs the test on a door's port; its waits hold up no thread that the door needs.
    private func atDoor(
        _ change: (inout GatewaySettings) -> Void = { _ in },
        _ test: @escaping @Sendable (Int, GatewayServer) -> Void
    ) async throws {
        var settings = GatewaySettings()
        change(&settings)
        let custody = try TestCustody()
        let server = GatewayServer(
            custody: custody.custody, responses: custody.signer, gas: TestGas(), settings: settings,
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await server.application(for: .loopback(port: 0)).test(.live) { client in
            let port = try #require(client.port)
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    test(port, server)
                    continuation.resume()
                }
            }
        }
    }

    private static let post = "POST /v1/vaults HTTP/1.1\r\nHost: x\r\n"

    /// Requests that two programs could read differently, or that are none.
    private static let ambiguous: [String] = [
        "\(post)Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "0\r\n\r\n",
        "\(post)Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
            + "0\r\n\r\n",
        "\(post)Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "\(post)Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        "\(post)Content-Length: 4, 4\r\n\r\nabcd",
        "\(post)Content-Length: +4\r\n\r\nabcd",
        "\(post)Content-Length: -4\r\n\r\nabcd",
        "\(post)Content-Length: 0x4\r\n\r\nabcd",
        "\(post)Content-Length: 99999999999999999999999\r\n\r\nabcd",
        "\(post)Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "\(post)Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "\(post)Transfer-Encoding: identity\r\n\r\nabcd",
        "\(post)Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "\(post)Transfer-Encoding: chunked\r\n\r\nzz\r\nabcd\r\n0\r\n\r\n",
        "\(post)Transfer-Encoding: chunked\r\n\r\n-1\r\nabcd\r\n0\r\n\r\n",
        "\(post)Transfer-Encoding: chunked\r\n\r\n"
            + "fffffffffffffffff\r\nabcd\r\n0\r\n\r\n",
        "\(post)Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
        "\(post) Content-Length: 4\r\n\r\nabcd",
        "\(post)X: a\r\n b\r\n\r\n",
        "\(post)X: a\u{0}b\r\n\r\n",
        "\(post)no colon\r\n\r\n",
        "\(post): empty\r\n\r\n",
        "\(post)X: a\rY: b\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET / HTPP/1.1\r\nHost: x\r\n\r\n", "GET /\r\n\r\n",
        "GET / /x HTTP/1.1\r\nHost: x\r\n\r\n", "get / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GE\u{1}T / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\u{1} HTTP/1.1\r\nHost: x\r\n\r\n",
        "\r\n\r\n\u{0}\u{0}", "\u{16}\u{3}\u{1}", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]

    @Test func `what could be read in two ways is refused, once, and nothing after it is read`()
        async throws
    {
        try await atDoor { port, _ in
            for text in Self.ambiguous {
                guard let line = RawConnection(port: port) else {
                    Issue.record("no connection")
                    return
                }
                line.send(text + Self.get)
                let (bytes, isClosed) = line.receive()
                let answers = RawAnswer.all(in: bytes)
                let shown = "\(text.debugDescription): \(answers.map(\.status))"
                #expect(answers.map(\.status) == [400], "\(shown)")
                #expect(isClosed, "\(text.debugDescription)")
            }
        }
    }

    @Test func `requests that follow one another are answered in order`() async throws {
        try await atDoor { port, server in
            guard let line = RawConnection(port: port) else { return }
            line.send(
                String(repeating: Self.get, count: 20) + "GET /none HTTP/1.1\r\nHost: x\r\n\r\n")
            let answers = RawAnswer.all(
                in: line.receive { RawAnswer.all(in: $0).count == 21 }.bytes)
            #expect(answers.map(\.status) == [Int](repeating: 200, count: 20) + [404])
            #expect(answers.allSatisfy { $0["x-content-type-options"] == "nosniff" })
            #expect(answers.allSatisfy { $0["cache-control"] == "no-store" })
            #expect(answers.allSatisfy { $0["strict-transport-security"] == nil })
            let metrics = server.metrics.map(\.text).joined()
            #expect(metrics.contains(#"route="none",method="GET""#), "\(metrics)")
        }
    }

    @Test func `heads have a limit in size and number`() async throws {
        try await atDoor { port, _ in
            let head = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n"
            let rows: [(String, Int)] = [
                (String(repeating: "X-A: b\r\n", count: 60), 200),
                (String(repeating: "X-A: b\r\n", count: 64), 400),
                ("X-A: \(String(repeating: "b", count: 8000))\r\n", 200),
                ("X-A: \(String(repeating: "b", count: 8200))\r\n", 400),
                (
                    String(
                        repeating: "X-A: \(String(repeating: "b", count: 7000))\r\n", count: 5), 400
                ),
            ]
            for (fields, status) in rows {
                guard let line = RawConnection(port: port) else { return }
                line.send(head + fields + "\r\n")
                let answers = RawAnswer.all(
                    in: line.receive { !RawAnswer.all(in: $0).isEmpty }.bytes)
                #expect(answers.map(\.status) == [status], "\(fields.prefix(20)) \(fields.count)")
            }
            guard let line = RawConnection(port: port) else { return }
            line.send("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(RawAnswer.all(in: line.receive().bytes).map(\.status) == [400])
        }
    }

    @Test func `a request that does not come to its end ends its connection`() async throws {
        try await atDoor {
            $0.transferMost = .milliseconds(600)
        } _: { port, server in
            let head = Self.post + "Content-Length: 100000\r\n\r\n"
            for start in ["", "POST /v1/va", head, head + "{"] {
                guard let line = RawConnection(port: port) else { return }
                let began = ContinuousClock.now
                var isOpen = true
                line.send(start)
                // A byte now and then is no progress.
                while isOpen, began.duration(to: .now) < .seconds(20) {
                    line.send("a")
                    isOpen = !line.receive(seconds: 0.1).isClosed
                }
                #expect(!isOpen, "\(start)")
            }
            // What drives the door may have one of its own; the end of ours is seen a moment later.
            let began = ContinuousClock.now
            var metrics = ""
            repeat {
                metrics = server.metrics.map(\.text).joined()
            } while metrics.firstMatch(of: /connections_open [01]\n/) == nil
                && began.duration(to: .now) < .seconds(20)
            #expect(metrics.firstMatch(of: /connections_open [01]\n/) != nil)
        }
    }

    @Test func `an answer that nobody takes ends its connection`() async throws {
        try await atDoor {
            $0.transferMost = .milliseconds(600)
        } _: { port, _ in
            guard let line = RawConnection(port: port) else { return }
            let requests = Array(String(repeating: Self.get, count: 2000).utf8)
            let began = ContinuousClock.now
            while line.send(requests, seconds: 20) {}
            #expect(began.duration(to: .now) < .seconds(20), "it is cut off and takes nothing more")
        }
    }

    @Test func `a body that is too large is answered, and its rest is not waited for`()
        async throws
    {
        try await atDoor { port, _ in
            for framing in ["Content-Length: 100000000", "Transfer-Encoding: chunked"] {
                guard let line = RawConnection(port: port) else { return }
                line.send(Self.post + "\(framing)\r\n\r\n")
                let part = "10000\r\n" + String(repeating: " ", count: 0x10000) + "\r\n"
                let began = ContinuousClock.now
                var sent = 0
                while began.duration(to: .now) < .seconds(20),
                    line.send(Array(part.utf8), seconds: 20)
                {
                    sent += part.utf8.count
                }
                #expect(sent > 0)
                #expect(began.duration(to: .now) < .seconds(20))
            }
            guard let line = RawConnection(port: port) else { return }
            line.send(Self.post + "Content-Length: 300000\r\n\r\n")
            line.send([UInt8](repeating: 32, count: 290_000))
            let (bytes, isClosed) = line.receive()
            let answers = RawAnswer.all(in: bytes)
            #expect(answers.map(\.status) == [413])
            #expect(answers.first?["connection"] == "close")
            #expect(isClosed)
        }
    }

    @Test func `who is cut off in the middle is no fault of ours`() async throws {
        try await atDoor { port, server in
            for body in ["", "{\"a\"", "5\r\nab"] {
                for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
                    guard let line = RawConnection(port: port) else { return }
                    line.send(Self.post + "\(framing)\r\n\r\n\(body)")
                    line.endSending()
                    let (bytes, isClosed) = line.receive()
                    #expect(RawAnswer.all(in: bytes).map(\.status).allSatisfy { $0 == 400 })
                    #expect(isClosed)
                }
            }
            #expect(!server.metrics.map(\.text).joined().contains("5xx"))
        }
    }

    @Test func `one address has so many connections at a time`() async throws {
        try await atDoor {
            $0.connectionsPerAddressMost = 8
        } _: { port, _ in
            func isServed(_ line: RawConnection?) -> Bool {
                line?.send(Self.get)
                return line?.receive { !RawAnswer.all(in: $0).isEmpty }.isClosed == false
            }
            var lines = (0..<12).compactMap { _ in RawConnection(port: port) }
            let served = lines.count(where: isServed)
            // What drives the door may have some of its own.
            #expect((5...8).contains(served), "\(served)")
            lines = []
            let began = ContinuousClock.now
            while !isServed(RawConnection(port: port)), began.duration(to: .now) < .seconds(20) {}
            #expect(isServed(RawConnection(port: port)), "places that are free again are taken")
        }
    }

    @Test func `a second host is refused`() async throws {
        try await atDoor { port, _ in
            guard let line = RawConnection(port: port) else { return }
            line.send("GET /openapi.json HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n")
            let answers = RawAnswer.all(in: line.receive { !RawAnswer.all(in: $0).isEmpty }.bytes)
            #expect(answers.map(\.status) == [400])
        }
    }

    @Test func `while the platform stops nothing is begun`() async throws {
        try await atDoor { port, server in
            server.drain()
            guard let line = RawConnection(port: port) else { return }
            line.send(Self.get)
            let answer = RawAnswer.all(in: line.receive { !RawAnswer.all(in: $0).isEmpty }.bytes)
                .first
            #expect(answer?.status == 503)
            #expect(answer?["retry-after"] == "5")
            #expect(answer?["connection"] == "close")
            let text = String(decoding: answer?.body ?? [], as: UTF8.self)
            #expect(text.contains(#""code":"shutting_down""#))
            for (path, status) in [("health", 200), ("ready", 503)] {
                guard let line = RawConnection(port: port) else { return }
                line.send("GET /\(path) HTTP/1.1\r\nHost: x\r\n\r\n")
                let answers = RawAnswer.all(
                    in: line.receive { !RawAnswer.all(in: $0).isEmpty }.bytes)
                #expect(answers.map(\.status) == [status])
            }
        }
    }
}
