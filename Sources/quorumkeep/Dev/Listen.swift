import ArgumentParser
import AsyncHTTPClient
import Canonical
import CustodyClient
import Foundation
import Gateway
import HTTPTypes
import Housekeeping
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import UnixSignals

struct Listen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have a local stack's events sent to a program of yours.",
        discussion: """
            Sets a tenant's webhook to itself, hands every delivery on as it came, signature \
            included, and answers what your program answers. Removes the webhook when it ends.
            """)

    @Option(help: "Where your program takes webhooks: http://127.0.0.1:3000/hook")
    var forwardTo: String

    @OptionGroup var stack: StackOption

    @Option(help: "The tenant, by name or id; the first if left out.")
    var tenant: String?

    @Option(help: "The port to listen on meanwhile.")
    var port = 7430

    @Flag(help: "Take the place of a webhook that is set already.")
    var replace = false

    func validate() throws {
        guard let url = URL(string: forwardTo), ["http", "https"].contains(url.scheme ?? "") else {
            throw ValidationError("--forward-to must be a URL")
        }
        guard (1024...65_535).contains(port) else {
            throw ValidationError("--port must be from 1024 to 65535")
        }
    }

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let file = try stack.directory().appending(path: "dev.json")
        guard let description = try? DevFile.read(file) else {
            throw CommandFailure("\(file.path) cannot be read: is the stack running?")
        }
        guard
            let owner = description.tenants.first(where: {
                tenant == nil || [$0.name, $0.id].contains(tenant)
            })
        else { throw CommandFailure("there is no tenant '\(tenant ?? "")' in \(file.path)") }
        let api = APIClient(
            url: description.custody.url, keyID: owner.keys.hmac.keyId,
            secret: owner.keys.hmac.secret)
        try Given.requireFree(port, otherwise: "choose another with --port")
        let secret = try await takeOver(api)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await serve() }
            group.addTask {
                for await _ in signals { return }
            }
            print("events of \(owner.name) go to \(forwardTo)")
            print("signing secret  \(secret)")
            print("Ctrl-C ends it.")
            fflush(nil)
            defer { group.cancelAll() }
            try await group.next()
        }
        _ = try await api.call("DELETE", "/webhooks/outbound")
    }

    /// Points the tenant's webhook here.
    ///
    /// - Returns: a secret that signs from now on.
    private func takeOver(_ api: APIClient) async throws -> String {
        let own = "http://127.0.0.1:\(port)/"
        let known = try await api.call("GET", "/webhooks/outbound")["url"]?.text ?? ""
        guard known.isEmpty || known == own || replace else {
            throw CommandFailure(
                "events go to \(known) already: with --replace they come here, and nowhere after")
        }
        let set = try await api.call("PUT", "/webhooks/outbound", .object(["url": .string(own)]))
        if let secret = set["signingSecret"]?.text, !secret.isEmpty { return secret }
        // Left from a listener that was killed.
        return try await api.call("POST", "/webhooks/outbound/secret-rotation")[
            "signingSecret"]?.text ?? ""
    }

    private func serve() async throws {
        let router = Router()
        router.post("/") { request, _ in await forward(request) }
        var log = Logger(label: "listen")
        log.logLevel = .critical
        try await Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
            logger: log
        ).runService(gracefulShutdownSignals: [])
    }

    /// What is handed on of a delivery's headers.
    private static let headers = [
        "Content-Type", "X-Webhook-Id", "X-Webhook-Timestamp", "X-Webhook-Signature", "webhook-id",
        "webhook-timestamp", "webhook-signature",
    ]
    private static let bodyMost = 1024 * 1024
    /// Of your program's answer, for the log of attempts.
    private static let answerBytesMost = 2048
    /// Less than a delivery may take.
    private static let answerMost = TimeAmount.seconds(9)

    private func forward(_ request: Request) async -> Response {
        let start = ContinuousClock.now
        var (said, status) = ("", 502)
        var kind = "?"
        var reply = ByteBuffer()
        do {
            let body = try await request.body.collect(upTo: Self.bodyMost)
            let event = try JSONParser.parse(Array(body.readableBytesView))
            kind = "\(event["type"]?.text ?? "?")  \(event["id"]?.text ?? "?")"
            var onward = HTTPClientRequest(url: forwardTo)
            onward.method = .POST
            for name in Self.headers {
                guard let value = HTTPField.Name(name).flatMap({ request.headers[$0] }) else {
                    continue
                }
                onward.headers.add(name: name, value: value)
            }
            onward.body = .bytes(body)
            let answer = try await HTTPClient.shared.execute(onward, timeout: Self.answerMost)
            status = Int(answer.status.code)
            said = String(status)
            for try await part in answer.body {
                reply.writeImmutableBuffer(part)
                if reply.readableBytes >= Self.answerBytesMost { break }
            }
        } catch {
            said = "no answer: \(error)"
        }
        let took = Int64(start.duration(to: .now) / .milliseconds(1))
        print("\(kind)  \(said)  \(took) ms")
        fflush(nil)
        return Response(status: .init(code: status), body: .init(byteBuffer: reply))
    }
}
