import Custody
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization
import TestKit
import Workers

/// A tenant's end of deliveries, over real HTTP, that behaves as a test wants.
final class Receiver: Sendable {
    /// What it does with a delivery.
    enum Manner: Sendable {
        case answer(Int, [UInt8] = [])
        /// Says nothing.
        case hang
        /// Sends a head with this status, and then a byte now and then, for ever.
        case trickle(Int)
        case redirect(String)
        /// Sends a head and the begin of a body, and then nothing.
        case begin(Int, [UInt8])
    }

    struct Got: Sendable {
        let id: String
        let body: [UInt8]
        let headers: HTTPFields

        func header(_ name: String) -> String {
            HTTPField.Name(name).flatMap { headers[$0] } ?? ""
        }
    }

    private let decide: @Sendable (Got) -> Manner
    private let deliveries = Mutex<[Got]>([])

    init(_ decide: @escaping @Sendable (Got) -> Manner) { self.decide = decide }

    var got: [Got] { deliveries.withLock { $0 } }

    /// Serves at a free port of this machine while the work goes on.
    func serving(_ work: @escaping @Sendable (_ port: Int) async throws -> Void) async throws {
        let (ports, found) = AsyncStream<Int>.makeStream()
        let router = Router()
        for path: RouterPath in ["/", "/**"] {
            router.post(path) { request, _ in try await self.answer(request) }
        }
        var log = Logger(label: "receiver")
        log.logLevel = .critical
        let server = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { found.yield($0.localAddress?.port ?? 0) }, logger: log)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.runService(gracefulShutdownSignals: []) }
            for await port in ports {
                try await work(port)
                break
            }
            group.cancelAll()
        }
    }

    private func answer(_ request: Request) async throws -> Response {
        let id = HTTPField.Name("webhook-id").flatMap { request.headers[$0] } ?? ""
        let got = Got(
            id: id, body: Array(try await request.body.collect(upTo: 1 << 20).readableBytesView),
            headers: request.headers)
        deliveries.withLock { $0.append(got) }
        switch decide(got) {
        case .answer(let status, let body):
            return Response(
                status: .init(code: status), body: .init(byteBuffer: ByteBuffer(bytes: body)))
        case .hang:
            try await Task.sleep(for: .seconds(600))
            return Response(status: .ok)
        case .trickle(let status):
            return Response(
                status: .init(code: status),
                body: .init { writer in
                    while true {
                        try await writer.write(ByteBuffer(bytes: [0x20]))
                        try await Task.sleep(for: .milliseconds(20))
                    }
                })
        case .begin(let status, let start):
            return Response(
                status: .init(code: status),
                body: .init { writer in
                    try await writer.write(ByteBuffer(bytes: start))
                    try await Task.sleep(for: .seconds(600))
                })
        case .redirect(let place):
            return Response(status: .found, headers: [.location: place])
        }
    }
}

/// Runs the sender while the work goes on.
func sending(
    _ custody: Bookkeeper, _ schedule: DeliverySchedule,
    lookUp: @escaping WebhookPost.LookUp = Resolver.addresses,
    _ work: @escaping @Sendable () async throws -> Void
) async throws {
    let sender = WebhookSender(
        custody: custody, responses: TestSigner(), schedule: schedule, lookUp: lookUp,
        log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await sender.run() }
        try await work()
        group.cancelAll()
    }
}

/// Waits until something holds; false if it did not in time.
func holds(
    within limit: Duration = .seconds(20), _ condition: () async throws -> Bool
) async throws -> Bool {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { return false }
        try await Task.sleep(for: .milliseconds(10))
    }
    return true
}

/// Counts from 0.
final class Turns: Sendable {
    private let count = Mutex(0)

    func next() -> Int {
        count.withLock { count in
            defer { count += 1 }
            return count
        }
    }
}
