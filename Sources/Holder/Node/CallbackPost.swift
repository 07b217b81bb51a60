import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// How a holder reaches a program of its operator's over HTTP: no redirect is followed, and what
/// comes is bounded in size and time.
public struct CallbackPost: Sendable {
    /// Most bytes of an answer's body.
    public static let answerBytesMost = 64 * 1024
    /// Connections to one server at a time.
    private static let connectionsMost = 32

    public struct Answer: Equatable, Sendable {
        public let status: Int
        public let body: [UInt8]

        public init(status: Int, body: [UInt8]) { (self.status, self.body) = (status, body) }
    }

    struct Late: Error, CustomStringConvertible {
        let limit: Duration
        var description: String { "no answer within \(limit)" }
    }

    struct TooLarge: Error, CustomStringConvertible {
        let description = "the answer has more than \(answerBytesMost) bytes"
    }

    private let client: HTTPClient

    public init() {
        var settings = HTTPClient.Configuration()
        settings.redirectConfiguration = .disallow
        settings.decompression = .disabled
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.connectionsMost
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    /// Ends what is under way. Nothing may be sent afterwards.
    public func close() async throws { try await client.shutdown() }

    /// Sends a token as the form that the protocol asks for.
    ///
    /// - Throws: if no whole answer came within `limit`.
    @Sendable public func post(
        _ url: String, _ token: String, _ limit: Duration
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        request.headers.add(name: "User-Agent", value: "quorumkeep-node")
        // A token consists of letters that stand for themselves in a form.
        request.body = .bytes(ByteBuffer(string: "TSS_JWT_MSG=\(token)"))
        return try await send(request, limit)
    }

    public func get(_ url: String, _ limit: Duration) async throws -> Answer {
        try await send(HTTPClientRequest(url: url), limit)
    }

    private func send(_ request: HTTPClientRequest, _ limit: Duration) async throws -> Answer {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            group.addTask { [client] in
                let response = try await client.execute(request, deadline: .distantFuture)
                var body: [UInt8] = []
                for try await part in response.body {
                    body += part.readableBytesView
                    guard body.count <= Self.answerBytesMost else { throw TooLarge() }
                }
                return Answer(status: Int(response.status.code), body: body)
            }
            group.addTask {
                try await Task.sleep(for: limit)
                throw Late(limit: limit)
            }
            defer { group.cancelAll() }
            guard let answer = try await group.next() else { throw Late(limit: limit) }
            return answer
        }
    }
}
