import Algebra
import Canonical
import Custody
import HTTPTypes
import Hummingbird
import Identity
import Intents
import NIOCore
import Synchronization

/// The custody REST face: a table of endpoints, each with its scope, its fields and the one verb of
/// the books that it calls. It owns no rule.
struct CustodyAPI: Sendable {
    static let endpoints =
        Endpoint.vaults + Endpoint.wallets + Endpoint.transactions + Endpoint.addressBook
        + Endpoint.webhooks + Endpoint.keys + Endpoint.audit

    let custody: Bookkeeper
    let meter: UsageMeter
    let alarm: Alarm
    let authenticator: Authenticator
    private let underWay = UnderWay()

    init(
        custody: Bookkeeper, meter: UsageMeter, alarm: Alarm, authenticator: Authenticator
    ) {
        self.custody = custody
        self.meter = meter
        self.alarm = alarm
        self.authenticator = authenticator
    }

    func add(to router: RouterGroup<GatewayContext>) {
        for endpoint in Self.endpoints {
            router.on(RouterPath(endpoint.route), method: endpoint.method) { request, context in
                try await answer(endpoint, request, context)
            }
        }
        for (route, endpoints) in Dictionary(grouping: Self.endpoints, by: \.route) {
            let allowed = endpoints.map(\.method)
            for method in Self.methods where !allowed.contains(method) {
                router.on(RouterPath(route), method: method) { request, context -> Response in
                    let body = try await Authenticator.body(of: request)
                    try await authenticator.read(request, context, body) { _, _ in }
                    throw Problem.methodNotAllowed(allowed)
                }
            }
        }
    }

    /// Methods that are answered with what a path has instead.
    private static let methods: [HTTPRequest.Method] = [.get, .post, .put, .patch, .delete]

    private func answer(
        _ endpoint: Endpoint, _ request: Request, _ context: GatewayContext
    ) async throws -> Response {
        let body = try await Authenticator.body(of: request)
        let parameters = Dictionary(
            context.parameters.map { (String($0.key), String($0.value)) }
        ) { first, _ in first }
        let query = request.uri.queryParameters.map { (String($0.key), String($0.value)) }
        let work: @Sendable (Books, Caller) throws -> Endpoint.Answer = { books, caller in
            try endpoint.work(
                Call(
                    endpoint, books, caller, parameters: parameters, query: query, body: body))
        }
        let admit: @Sendable (Caller) throws -> Void = { caller in
            meter.count(caller.apiKey, endpoint.name, at: custody.now)
            try caller.require(endpoint.scope)
        }
        if endpoint.isRead {
            let answer = try await authenticator.read(request, context, body) { books, caller in
                try admit(caller)
                return try work(books, caller)
            }
            return Self.response(answer.status, answer.body?.bytes ?? [])
        }
        let caller = try await authenticator.read(request, context, body) { _, caller in
            try admit(caller)
            return caller
        }
        do {
            return try await change(request, context, caller, body) { books in
                let answer = try work(books, caller)
                if endpoint.isChange {
                    try books.audit(
                        endpoint.name, of: caller.tenant, endpoint.subjects(of: answer, parameters),
                        changes: endpoint.changes(body))
                }
                return answer
            }
        } catch let refusal as Refusal where refusal.code == .vaultNotAllowed {
            try await alarm.raise(.vaultNotAllowed, caller)
            throw refusal
        }
    }

    /// A request that changes something: done once per idempotency key, and once per signature.
    private func change(
        _ request: Request, _ context: GatewayContext, _ caller: Caller, _ body: [UInt8],
        _ work: @escaping @Sendable (Books) throws -> Endpoint.Answer
    ) async throws -> Response {
        let claim = caller.claim
        // Idempotency is for POST; what else changes something is the same when repeated.
        let key = request.method == .post ? request.headers[.idempotencyKey] : nil
        var once: Once?
        var isRunning = false
        do {
            if !body.isEmpty { try request.requireJSON() }
            guard request.headers[values: .idempotencyKey].count < 2 else {
                throw Problem(.badRequest, "invalid", "Idempotency-Key stands twice.")
            }
            let asked = try Once(key: key, fingerprint: request.fingerprint(body))
            once = asked
            if let key, let running = underWay.begin(key, of: caller.key, claim.signature) {
                // The first claims its signature by itself: a claim for it here would refuse it.
                isRunning = running == claim.signature
                throw Problem.stillRunning
            }
            defer { if let key { underWay.end(key, of: caller.key) } }
            let answer = try await custody.write(as: caller.actor) { books in
                try books.once(asked, by: caller.key, claiming: claim) { books in
                    let answer = try work(books)
                    return (answer.status, answer.body?.bytes ?? [])
                }
            }
            return Self.response(answer.status, answer.body)
        } catch {
            if !isRunning { try await remember(error, once, caller, context) }
            throw error
        }
    }

    /// A request that was refused must not be carried out later by someone who repeats it; one that
    /// failed here is answered the same when it is repeated with its key.
    private func remember(
        _ error: any Error, _ once: Once?, _ caller: Caller, _ context: GatewayContext
    ) async throws {
        guard !(error is Replayed) else { return }
        let isRefusal = error is Refusal || error is Problem
        let failure = (
            status: 500, body: Problem.internal.body(requestID: context.requestID)
        )
        try await custody.write(as: caller.actor) { books in
            try books.failed(
                once, by: caller.key, claiming: caller.claim, with: isRefusal ? nil : failure)
        }
    }

    /// The document and the page made of it, for everyone.
    static func addDocuments(to router: Router<GatewayContext>) {
        let (json, page) = (OpenAPI.document(endpoints).bytes, ReferencePage.html(endpoints))
        router.get("openapi.json") { _, _ in response(200, json) }
        router.get("reference") { _, _ in
            Response(
                status: .ok,
                headers: [
                    .contentType: "text/html; charset=utf-8",
                    .contentSecurityPolicy: "default-src 'none'; style-src 'unsafe-inline'; "
                        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                ], body: .init(byteBuffer: ByteBuffer(string: page)))
        }
    }

    private static func response(_ status: Int, _ body: [UInt8]) -> Response {
        Response(
            status: .init(code: status),
            headers: body.isEmpty ? [:] : [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}

/// The idempotency keys whose first request is being answered: a second is told so in place of
/// waiting for it. Only a courtesy: that a thing is done once is for `Books.once`.
private final class UnderWay: Sendable {
    private struct Name: Hashable {
        let caller: APIKeyID
        let key: String
    }

    private let signatures = Mutex<[Name: [UInt8]]>([:])

    /// - Returns: nil if the request is the key's first, else the signature of the one that is.
    func begin(_ key: String, of caller: APIKeyID, _ signature: [UInt8]) -> [UInt8]? {
        let name = Name(caller: caller, key: key)
        return signatures.withLock { signatures in
            if let first = signatures[name] { return first }
            signatures[name] = signature
            return nil
        }
    }

    func end(_ key: String, of caller: APIKeyID) {
        signatures.withLock { $0[Name(caller: caller, key: key)] = nil }
    }
}

extension Request {
    func requireJSON() throws(Problem) {
        let type = headers[.contentType]?.split(separator: ";").first?
            .trimmingPrefix { $0 == " " }.lowercased()
        guard type == "application/json" else {
            throw Problem(
                .unsupportedMediaType, "not_json", "Content-Type must be application/json.")
        }
    }

    /// Hash over what the request asks for: method, path with query, and body.
    func fingerprint(_ body: [UInt8]) -> Digest {
        .sha256(Array("\(method.rawValue) \(head.path ?? "")\n".utf8) + body)
    }
}
