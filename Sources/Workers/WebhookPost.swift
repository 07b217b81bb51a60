import Algebra
import AsyncHTTPClient
import Custody
import Foundation
import Identity
import NIOCore
import NIOHTTP1
import Synchronization

/// One try of one delivery, to an address that was judged before.
public struct WebhookPost: Sendable {
    /// The addresses that a host's name leads to.
    public typealias LookUp = @Sendable (_ host: String, _ port: Int) async -> [String]

    /// What is sent, to where, and by when it must be answered.
    struct Letter: Sendable {
        let url: String
        let headers: [(name: String, value: String)]
        let body: [UInt8]
        /// Time for a whole answer, head and body.
        let answerMost: Duration
        /// Whether the begin of an answer is none: it could be the begin of another.
        let needsWholeAnswer: Bool
    }

    /// What has come of an answer so far. The status decides; the body is only for people.
    private final class Heard: Sendable {
        let answer = Mutex<(status: Int, start: [UInt8])?>(nil)
    }

    private struct NoTarget: Error, CustomStringConvertible {
        let description: String
    }

    let allowsLocal: Bool
    let lookUp: LookUp

    func send(_ letter: Letter) async -> DeliveryAttempt.Outcome {
        let heard = Heard()
        do {
            let target = try WebhookTarget(letter.url, allowsLocal: allowsLocal)
            let address = try await address(of: target)
            let client = HTTPClient(
                eventLoopGroupProvider: .singleton,
                configuration: Self.settings(target, address, letter.answerMost))
            let request = Self.request(letter)
            do {
                try await withDeadline(letter.answerMost) {
                    try await Self.send(request, client, heard)
                }
            } catch {
                try? await client.shutdown()
                throw error
            }
            try? await client.shutdown()
        } catch {
            let isHeard = heard.answer.withLock { $0 != nil }
            if isHeard, !letter.needsWholeAnswer { return Self.outcome(heard) }
            return .failure("\(error)")
        }
        return Self.outcome(heard)
    }

    private static func outcome(_ heard: Heard) -> DeliveryAttempt.Outcome {
        heard.answer.withLock { answer in
            guard let answer else { return .failure("no answer") }
            return .answer(status: answer.status, start: answer.start)
        }
    }

    /// The address that the call is pinned to: looked up once, judged, and used.
    private func address(of target: WebhookTarget) async throws -> String {
        let addresses =
            NetworkAddress(target.host) == nil
            ? await lookUp(target.host, target.port) : [target.host]
        guard let first = addresses.first else {
            throw NoTarget(description: "\(target.host) has no address")
        }
        guard allowsLocal || addresses.allSatisfy({ NetworkAddress($0)?.isPublic ?? false }) else {
            throw NoTarget(description: "\(target.host) leads to a private address")
        }
        return first
    }

    private static func settings(
        _ target: WebhookTarget, _ address: String, _ answerMost: Duration
    ) -> HTTPClient.Configuration {
        var settings = HTTPClient.Configuration()
        settings.redirectConfiguration = .disallow
        settings.dnsOverride = [target.host: address]
        settings.decompression = .disabled
        // An attempt to connect cannot be taken back, so it ends by itself.
        settings.timeout.connect = .nanoseconds(
            Int64(answerMost / .nanoseconds(1)))
        return settings
    }

    private static func request(_ letter: Letter) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: letter.url)
        request.method = .POST
        let usual = [("Content-Type", "application/json"), ("User-Agent", "Quorumkeep")]
        for (name, value) in usual + letter.headers {
            request.headers.add(name: name, value: value)
        }
        request.body = .bytes(ByteBuffer(bytes: letter.body))
        return request
    }

    private static func send(
        _ request: HTTPClientRequest, _ client: HTTPClient, _ heard: Heard
    ) async throws {
        let response = try await client.execute(request, deadline: .distantFuture)
        heard.answer.withLock { $0 = (Int(response.status.code), []) }
        var left = DeliveryAttempt.answerBytesMost
        for try await part in response.body {
            let kept = part.readableBytesView.prefix(left)
            heard.answer.withLock { $0?.start += kept }
            left -= kept.count
            if left == 0 { return }
        }
    }
}

public enum Resolver {
    /// Every address that the name leads to, as text. On a thread of its own: a name whose servers
    /// do not answer delays nobody else's, and the system's own limit ends it.
    @Sendable public static func addresses(of host: String, port: Int) async -> [String] {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: lookUp(host, port)) }
        }
    }

    private static func lookUp(_ host: String, _ port: Int) -> [String] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        defer { if let list { freeaddrinfo(list) } }
        guard getaddrinfo(host, String(port), &hints, &list) == 0 else { return [] }
        var addresses: [String] = []
        var next = list
        while let info = next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let size = socklen_t(text.count)
            if getnameinfo(
                info.pointee.ai_addr, info.pointee.ai_addrlen, &text, size, nil, 0,
                NI_NUMERICHOST) == 0
            {
                addresses.append(
                    String(
                        decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
                        as: UTF8.self))
            }
            next = info.pointee.ai_next
        }
        return addresses
    }
}
