import Custody
import HTTPTypes
import Hummingbird
import Identity
import Intents
import Logging

/// Finds the address that a request comes from, and lets so many from each pass. Turns whatever was
/// thrown into the contract's answer, counts it, and writes the request's one log line.
struct Doorkeeper: RouterMiddleware {
    typealias Context = GatewayContext

    private let log: Logger
    private let trusted: [AddressRange]
    private let addresses: RateLimiter
    private let traffic: Traffic
    private let draining: Draining
    private let answers: SignedAnswers
    /// What browsers are told of every answer.
    private let usual: HTTPFields

    init(
        settings: GatewaySettings, traffic: Traffic, draining: Draining, answers: SignedAnswers,
        isSecure: Bool, log: Logger
    ) {
        self.log = log
        self.answers = answers
        self.traffic = traffic
        self.draining = draining
        let always: HTTPFields = [.xContentTypeOptions: "nosniff", .cacheControl: "no-store"]
        usual =
            isSecure
            // A year, for names that are reached by TLS.
            ? always + [HTTPField(name: .strictTransportSecurity, value: "max-age=31536000")]
            : always
        trusted = settings.trustedProxies
        addresses = RateLimiter(settings.addressLimit)
    }

    func handle(
        _ request: Request, context: GatewayContext,
        next: (Request, GatewayContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        traffic.began()
        var context = context
        context.client = context.remoteAddress?.ipAddress.flatMap { IPAddress($0) }.flatMap {
            trusted.isEmpty
                ? $0
                : IPAddress.client(
                    peer: $0, forwarded: request.headers[values: .forwardedFor], trusting: trusted)
        }
        var response: Response
        do {
            try admit(request, context)
            response = try await next(request, context)
        } catch {
            response = answer(to: error, request, context)
            if response.status == .internalServerError {
                log.error("\(error)", metadata: ["request": "\(context.requestID)"])
            }
        }
        response.headers.append(contentsOf: usual)
        response.headers.append(HTTPField(name: .requestID, value: context.requestID))
        if draining.isOn { response.headers[.connection] = "close" }
        let took = start.duration(to: .now)
        // Where there is no route, the router has a word for it that is no path.
        let route = context.endpointPath.flatMap { $0.hasPrefix("/") ? $0 : nil } ?? Traffic.unknown
        traffic.ended(route, request.method, response.status, took)
        write(request, context, route, response.status, took)
        return response
    }

    private func answer(
        to error: any Error, _ request: Request, _ context: GatewayContext
    ) -> Response {
        if SignedAnswers.concern(request) {
            return answers.response(AdminProblem(error), requestID: context.requestID)
        }
        return Self.problem(error, request).response(
            requestID: context.requestID, accept: request.headers[.accept])
    }

    private func admit(_ request: Request, _ context: GatewayContext) throws(Problem) {
        if draining.isOn, context.endpointPath.map(Probe.paths.contains) != true {
            throw Problem.shuttingDown
        }
        // The first is the request's own, which is told apart.
        guard request.headers[.secondHost] == nil else {
            throw Problem(.badRequest, "bad_request", "Host stands twice.")
        }
        if let wait = addresses.take(context.place) {
            throw Problem(
                .tooManyRequests, "rate_limited", "Too many requests from this address.",
                retryAfter: wait)
        }
    }

    /// No body, no header and no query: they may hold what is nobody's but the caller's.
    private func write(
        _ request: Request, _ context: GatewayContext, _ route: String,
        _ status: HTTPResponse.Status, _ took: Duration
    ) {
        // Who looks whether we are well does so often, and is not worth a line.
        let level = Probe.paths.contains(route) ? Logger.Level.debug : .info
        guard log.logLevel <= level else { return }
        let seen = Self.path(of: request)
        var metadata: Logger.Metadata = [
            "request": "\(context.requestID)", "method": "\(request.method.rawValue.prefix(16))",
            "route": "\(route)", "status": .stringConvertible(status.code),
            "ms": .stringConvertible(Int(took / .milliseconds(1))),
        ]
        if let caller = context.record.caller {
            metadata["key"] = "\(caller.name)"
            metadata["tenant"] = "\(caller.tenant.text)"
        }
        log.log(
            level: level,
            "\(request.method.rawValue.prefix(16)) \(seen) \(status.code)", metadata: metadata)
    }

    /// The beginning of its path, for people.
    private static func path(of request: Request) -> String {
        let path = (request.head.path ?? "").utf8.prefix { $0 != UInt8(ascii: "?") }.prefix(200)
        return String(
            decoding: path.map { (0x21...0x7e).contains($0) ? $0 : UInt8(ascii: "?") },
            as: UTF8.self)
    }

    private static func problem(_ error: any Error, _ request: Request) -> Problem {
        switch error {
        case let problem as Problem: problem
        case let refusal as Refusal: Problem(refusal)
        case is Replayed:
            Problem(
                .unauthorized, "replayed",
                "This signed request was sent before. Sign each one anew, with an X-Nonce.")
        case let error as HTTPError where error.status == .notFound:
            Problem.nothing(at: path(of: request))
        case let error as HTTPError where error.status.kind == .clientError:
            Problem(error.status, "bad_request", "The request cannot be read.")
        default: .internal
        }
    }
}
