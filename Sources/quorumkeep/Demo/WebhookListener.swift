import Algebra
import Canonical
import CustodyClient
import Foundation
import Gateway
import HTTPTypes
import Hummingbird
import Identity
import Logging
import NIOCore
import Synchronization

/// A small receiver of webhooks that checks every signature, as an integrator's must.
final class WebhookListener: Sendable {
    struct Received: Sendable {
        let type: String
        let sequence: String
        let isSigned: Bool
    }

    private let received = Mutex<[Received]>([])
    private let secret = Mutex<SecretBox<WebhookSecret>?>(nil)

    var events: [Received] { received.withLock { $0 } }

    func trust(_ base64: String) {
        guard let trusted = WebhookSecret(base64: base64) else { return }
        let box = SecretBox(trusted)
        secret.withLock { $0 = box }
    }

    /// Serves on loopback until cancelled.
    func run(port: Int) async throws {
        let router = Router()
        router.post("hook") { request, _ -> HTTPResponse.Status in
            let body = Array(try await request.body.collect(upTo: 1024 * 1024).readableBytesView)
            self.take(body, request.headers)
            return .ok
        }
        var log = Logger(label: "listener")
        log.logLevel = .critical
        let server = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
            logger: log)
        try await server.runService(gracefulShutdownSignals: [])
    }

    private func take(_ body: [UInt8], _ headers: HTTPFields) {
        func header(_ name: String) -> String {
            HTTPField.Name(name).flatMap { headers[$0] } ?? ""
        }
        let isSigned = secret.withLock { $0 }?.with { secret in
            let timestamp = Int64(header("webhook-timestamp")) ?? 0
            let plain = secret.signature(of: body)
            let standard = secret.standardSignature(
                id: header("webhook-id"), timestamp: timestamp, body: body)
            return plain == header("X-Webhook-Signature") && standard == header("webhook-signature")
        }
        let event = (try? JSONParser.parse(body)) ?? .null
        let sequence = if case .number(let digits)? = event["sequence"] { digits } else { "?" }
        received.withLock {
            $0.append(
                Received(
                    type: event["type"]?.text ?? "?", sequence: sequence,
                    isSigned: isSigned ?? false))
        }
    }
}
