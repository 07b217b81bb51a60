import AsyncHTTPClient
import Chains
import Foundation
import NIOCore
import NIOHTTP1

/// A node of an EVM chain, asked over JSON-RPC.
public struct EVMNode: Sendable {
    /// Largest answer that is read; a full block has a few hundred kilobytes.
    private static let answerBytesMost = 32 * 1024 * 1024
    /// Time for the head of an answer.
    private static let headMost = TimeAmount.seconds(10)
    /// Time for a whole answer: a node that trickles is as one that is silent.
    public static let answerMost = Duration.seconds(30)

    private let url: String
    private let client: HTTPClient
    private let answerMost: Duration

    public init(url: String, client: HTTPClient, answerMost: Duration = EVMNode.answerMost) {
        self.url = url
        self.client = client
        self.answerMost = answerMost
    }

    /// Why there is no result.
    public enum Failure: Error, Sendable, CustomStringConvertible {
        /// The node answered with an error, so it has done nothing.
        case refused(String)
        /// No answer, or none that can be read: whether it did what was asked is unknown.
        case unclear(String)

        public var description: String {
            switch self {
            case .refused(let why): "the node refused: \(why)"
            case .unclear(let why): "no clear answer from the node: \(why)"
            }
        }
    }

    public func ask<Result>(_ call: EVMRPC.Call<Result>) async throws(Failure) -> Result {
        let answer: Data
        do {
            let body = try call.body
            answer = try await withDeadline(answerMost) { try await send(body) }
        } catch let failure as Failure {
            throw failure
        } catch let late as DeadlinePassed {
            throw .unclear("\(late)")
        } catch {
            throw .unclear("\(type(of: error))")
        }
        do throws(EVMRPC.Failure) {
            return try call.result(of: answer)
        } catch {
            switch error {
            case .refused(_, let message): throw .refused(message)
            case .malformed(let what): throw .unclear(what)
            }
        }
    }

    private func send(_ body: Data) async throws -> Data {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await client.execute(request, timeout: Self.headMost)
        let answer = try await response.body.collect(upTo: Self.answerBytesMost)
        guard response.status == .ok else {
            throw Failure.unclear("HTTP status \(response.status.code)")
        }
        return Data(answer.readableBytesView)
    }
}
