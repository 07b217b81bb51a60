import Canonical
import Chains
import Custody
import HTTPTypes
import Hummingbird
import NIOCore

/// What machines ask to know whether we are well: `/health` and `/ready` at every door, and
/// `/metrics`, with more said by `/ready`, at the operators' own.
struct Probe: Sendable {
    static let paths: Set<String> = ["/health", "/ready"]

    let custody: Bookkeeper
    let draining: Draining

    /// At doors that everybody reaches: a word, and nothing of the installation.
    func add<Context>(to router: Router<Context>) {
        router.get("health") { _, _ in Self.alive }
        router.get("ready") { _, _ in
            // Little is read: everybody may ask.
            let (status, word, _) = await look { _ = try $0.store.holders() }
            return Self.response(status, .object(["status": .string(word)]))
        }
    }

    /// At the operators' door.
    ///
    /// - Parameter metrics: everything that is measured, anew at each call.
    func addForOperators<Context>(
        to router: Router<Context>, metrics: @escaping @Sendable () async throws -> [MetricFamily]
    ) {
        router.get("health") { _, _ in Self.alive }
        router.get("ready") { _, _ in
            let (status, word, figures) = await look { try $0.store.figures() }
            return Self.response(status, Self.told(word, figures))
        }
        router.get("metrics") { _, _ in
            let text = try await metrics().map(\.text).joined()
            return Response(
                status: .ok, headers: [.contentType: MetricFamily.contentType],
                body: .init(byteBuffer: ByteBuffer(string: text)))
        }
    }

    /// Ready is who can answer a request: the database can be read, and we are not stopping. A
    /// holder that is offline or a chain that stands still makes withdrawals wait, which they can;
    /// nobody would be served better if this process were not asked.
    private func look<Found: Sendable>(
        _ read: @escaping @Sendable (Books) throws -> Found
    ) async -> (HTTPResponse.Status, String, Found?) {
        do {
            let found = try await custody.read(read)
            return draining.isOn ? (.serviceUnavailable, "draining", found) : (.ok, "ready", found)
        } catch {
            // What is wrong stands in the log line of the next request that needs the database.
            return (.serviceUnavailable, "database", nil)
        }
    }

    private static func told(_ word: String, _ figures: InstallationFigures?) -> JSONValue {
        guard let figures else { return .object(["status": .string(word)]) }
        return .object([
            "status": .string(word),
            "holders": .object([
                "registered": .integer(figures.holders), "online": .integer(figures.holdersOnline),
            ]),
            "chains": .object(
                figures.chains.map { .init(name: $0.chain.text, value: .integer($0.number)) }),
        ])
    }

    private static let alive = response(.ok, .object(["status": .string("alive")]))

    private static func response(_ status: HTTPResponse.Status, _ body: JSONValue) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: body.bytes)))
    }
}
