import Algebra
import AsyncHTTPClient
import Custody
import Foundation
import Identity
import Intents
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Delivers events to tenants' endpoints: signed, in order per resource, again after a failure.
public final class WebhookSender: Sendable {
    private static let timeout = TimeAmount.seconds(10)
    private static let pause = Duration.milliseconds(500)
    /// Deliveries at a time, in all and to one tenant: a slow receiver delays itself alone.
    private static let atOnceMost = 64
    private static let atOnceOfTenantMost = 8
    private static let answerBytesKept = 2048

    private let custody: Bookkeeper
    private let pauses: [Int64]
    private let log: Logger
    private let underWay = Mutex<[EventID: TenantID]>([:])

    /// - Parameter pauses: seconds after each failed try.
    public init(custody: Bookkeeper, pauses: [Int64], log: Logger) {
        self.custody = custody
        self.pauses = pauses
        self.log = log
    }

    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.pause)
                    self.custody.bells.deliveries.ring()
                }
            }
            for await _ in custody.bells.deliveries.rings {
                let due: [Delivery]
                do {
                    let now = custody.now
                    due = try await custody.read { books in
                        try books.store.dueDeliveries(
                            at: now, most: Self.atOnceMost, ofTenantMost: Self.atOnceOfTenantMost)
                    }
                } catch is CancellationError {
                    break
                } catch {
                    log.error("deliveries cannot be read: \(error)")
                    continue
                }
                for delivery in due where begin(delivery) {
                    group.addTask { await self.deliver(delivery) }
                }
            }
        }
    }

    /// False if the delivery is under way, or enough others are.
    private func begin(_ delivery: Delivery) -> Bool {
        underWay.withLock { underWay in
            guard underWay[delivery.event] == nil, underWay.count < Self.atOnceMost,
                underWay.values.count(where: { $0 == delivery.tenant }) < Self.atOnceOfTenantMost
            else { return false }
            underWay[delivery.event] = delivery.tenant
            return true
        }
    }

    private func deliver(_ delivery: Delivery) async {
        defer { underWay.withLock { $0[delivery.event] = nil } }
        do {
            let endpoint = try await custody.read { try $0.webhook(of: delivery.tenant) }
            guard let endpoint else { return }
            let outcome = await post(delivery, to: endpoint)
            let pauses = pauses
            try await custody.write { books in
                switch outcome {
                case .success(let answer):
                    try books.store.finish(delivery: delivery.event, at: books.now, answer: answer)
                case .failure(let failure):
                    try books.deliveryFailed(delivery, answer: failure.answer, pauses: pauses)
                }
            }
        } catch {
            log.error("a delivery could not be recorded: \(error)")
        }
        // The next event of the same resource may follow now.
        custody.bells.deliveries.ring()
    }

    private struct Undelivered: Error {
        let answer: String
    }

    private func post(
        _ delivery: Delivery, to endpoint: WebhookEndpoint
    ) async -> Result<String, Undelivered> {
        do {
            let target = try WebhookTarget(
                endpoint.url, allowsLocal: custody.settings.allowsLocalWebhooks)
            let address = try await resolve(target)
            var configuration = HTTPClient.Configuration()
            configuration.redirectConfiguration = .disallow
            configuration.dnsOverride = [target.host: address]
            configuration.decompression = .disabled
            let client = HTTPClient(
                eventLoopGroupProvider: .singleton, configuration: configuration)
            let answer = await send(delivery, to: endpoint, by: client)
            try? await client.shutdown()
            return answer
        } catch {
            return .failure(Undelivered(answer: "\(error)"))
        }
    }

    /// The address that the call is pinned to: looked up once, judged, and used.
    private func resolve(_ target: WebhookTarget) async throws -> String {
        let (host, port) = (target.host, target.port)
        let addresses = try await NIOThreadPool.singleton.runIfActive {
            try Resolver.allAddresses(host: host, port: port)
        }
        guard let first = addresses.first else {
            throw Undelivered(answer: "\(host) has no address")
        }
        if !custody.settings.allowsLocalWebhooks,
            !addresses.allSatisfy({ NetworkAddress($0)?.isPublic ?? false })
        {
            throw Undelivered(answer: "\(host) leads to a private address")
        }
        return first
    }

    private func send(
        _ delivery: Delivery, to endpoint: WebhookEndpoint, by client: HTTPClient
    ) async -> Result<String, Undelivered> {
        do {
            let secret = try await custody.read { try $0.webhookSecret(of: endpoint) }
            let now = custody.now.seconds
            var request = HTTPClientRequest(url: endpoint.url)
            request.method = .POST
            let (plain, standard) = secret.with { secret in
                (
                    secret.signature(of: delivery.body),
                    secret.standardSignature(
                        id: delivery.event.text, timestamp: now, body: delivery.body)
                )
            }
            for (name, value) in [
                ("Content-Type", "application/json"), ("User-Agent", "Quorumkeep"),
                ("X-Webhook-Id", delivery.event.text), ("X-Webhook-Timestamp", String(now)),
                ("X-Webhook-Signature", plain), ("webhook-id", delivery.event.text),
                ("webhook-timestamp", String(now)), ("webhook-signature", standard),
            ] {
                request.headers.add(name: name, value: value)
            }
            request.body = .bytes(ByteBuffer(bytes: delivery.body))
            let response = try await client.execute(request, timeout: Self.timeout)
            var kept: [UInt8] = []
            for try await part in response.body {
                kept += part.readableBytesView.prefix(Self.answerBytesKept - kept.count)
                if kept.count >= Self.answerBytesKept { break }
            }
            let answer = "\(response.status.code) \(String(decoding: kept, as: UTF8.self))"
            return (200..<300).contains(response.status.code)
                ? .success(answer) : .failure(Undelivered(answer: answer))
        } catch {
            return .failure(Undelivered(answer: "\(error)"))
        }
    }
}

enum Resolver {
    /// Every address that the name leads to, as text.
    static func allAddresses(host: String, port: Int) throws -> [String] {
        if NetworkAddress(host) != nil { return [host] }
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
