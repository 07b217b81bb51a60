import AsyncHTTPClient
import Chains
import Foundation
import NIOCore
import NIOHTTP1

/// A node of an EVM chain, asked over JSON-RPC.
public struct EVMNode: Sendable {
    /// Largest answer that is read; a full block has a few hundred kilobytes.
    private static let answerBytesMost = 32 * 1024 * 1024
    private static let timeout = TimeAmount.seconds(10)

    private let url: String
    private let client: HTTPClient

    public init(url: String, client: HTTPClient) {
        self.url = url
        self.client = client
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
            var request = HTTPClientRequest(url: url)
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: try call.body))
            let response = try await client.execute(request, timeout: Self.timeout)
            let body = try await response.body.collect(upTo: Self.answerBytesMost)
            guard response.status == .ok else {
                throw Failure.unclear("HTTP status \(response.status.code)")
            }
            answer = Data(body.readableBytesView)
        } catch let failure as Failure {
            throw failure
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
}
