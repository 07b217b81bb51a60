import Algebra
import Custody
import HTTPTypes
import Hummingbird
import Identity
import Logging
import NIOCore

extension HTTPField.Name {
    static let apiKey = HTTPField.Name("X-API-Key")!
    static let timestamp = HTTPField.Name("X-Timestamp")!
    static let signature = HTTPField.Name("X-Signature")!
    static let nonce = HTTPField.Name("X-Nonce")!
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    static let requestID = HTTPField.Name("X-Request-Id")!
}

/// Finds out who is asking: API key, HMAC signature, clock. In this order a request is refused:
/// too large, too many from the address, credentials missing or wrong, clock, too many of the key.
struct Authenticator: RouterMiddleware {
    typealias Context = GatewayContext

    /// Requests a second and burst of one API key; and failed attempts of one address.
    private static let keyLimit = (perSecond: 2000.0, burst: 4000.0)
    private static let failureLimit = (perSecond: 10.0, burst: 100.0)

    private let custody: Bookkeeper
    private let keys = RateLimiter(perSecond: keyLimit.perSecond, burst: keyLimit.burst)
    private let failures = RateLimiter(
        perSecond: failureLimit.perSecond, burst: failureLimit.burst)
    /// What an unknown key's signature is compared with, so that it takes as long as a known one's.
    private let decoy: SecretBox<APISecret>

    init(custody: Bookkeeper) {
        self.custody = custody
        var random = SystemRandom()
        decoy = SecretBox(APISecret(isLive: false, random: &random))
    }

    func handle(
        _ request: Request, context: GatewayContext,
        next: (Request, GatewayContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        do {
            let buffer = try await request.body.collect(upTo: GatewayContext.bodyBytesMost)
            context.body = Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            throw Problem(
                .contentTooLarge, "too_large",
                "A request has at most \(GatewayContext.bodyBytesMost) bytes.")
        }
        do {
            try await authenticate(request, &context)
        } catch let problem as Problem where problem.status == .unauthorized {
            if let wait = failures.take(context.remoteAddress?.ipAddress ?? "") {
                throw Problem(
                    .tooManyRequests, "rate_limited", "Too many failed attempts from this address.",
                    retryAfter: wait)
            }
            throw problem
        }
        if let caller = context.caller, let wait = keys.take(caller.key.text) {
            throw Problem(
                .tooManyRequests, "rate_limited", "Too many requests with this API key.",
                retryAfter: wait)
        }
        return try await next(request, context)
    }

    private func authenticate(_ request: Request, _ context: inout GatewayContext) async throws {
        let headers = request.headers
        guard let keyText = headers[.apiKey], let timestamp = headers[.timestamp],
            let signature = headers[.signature]
        else {
            throw Problem(
                .unauthorized, "missing_credentials",
                "X-API-Key, X-Timestamp and X-Signature are required.")
        }
        let target = request.head.path ?? "/"
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let signed: SignedRequest
        do throws(SignedRequest.Malformed) {
            signed = try SignedRequest(
                method: request.method.rawValue, path: String(parts[0]),
                query: parts.count == 2 ? String(parts[1]) : nil, timestamp: timestamp,
                nonce: headers[.nonce], signature: signature)
        } catch {
            throw Problem(.unauthorized, "malformed_credentials", Self.sentence(error))
        }
        let found = try await open(keyText)
        let body = context.body
        let isSigned = (found?.secret ?? decoy).with { signed.isSigned(with: $0, body: body) }
        guard let found, isSigned else {
            throw Problem(
                .unauthorized, "invalid_credentials",
                "The API key is unknown or revoked, or the signature is not of this request.")
        }
        guard signed.isTimely(at: custody.now.seconds) else {
            throw Problem(
                .unauthorized, "clock",
                "X-Timestamp must be within \(SignedRequest.windowSeconds) s of our clock, which "
                    + "says \(custody.now.seconds).")
        }
        context.caller = Caller(
            key: found.key.id, tenant: found.key.tenant, scopes: found.key.scopes)
        // The signature is worth something while its timestamp is in the window.
        let until = signed.timestamp + 2 * SignedRequest.windowSeconds
        context.claim = SignatureClaim(
            signature: signed.signature, until: Timestamp(milliseconds: until * 1000))
    }

    private func open(
        _ text: String
    ) async throws -> (key: APIKey, secret: SecretBox<APISecret>)? {
        guard let id = APIKeyID(text: text) else { return nil }
        return try await custody.read { books in try books.openAPIKey(id) }
    }

    private static func sentence(_ error: SignedRequest.Malformed) -> String {
        switch error {
        case .timestamp: "X-Timestamp must be the time in Unix seconds."
        case .nonce: "X-Nonce must have 1 to \(SignedRequest.nonceMost) printable characters."
        case .signature: "X-Signature must be 64 lower-case hexadecimal digits."
        }
    }
}

/// Turns whatever was thrown into the contract's answer, and writes the request's one log line.
struct Doorkeeper: RouterMiddleware {
    typealias Context = GatewayContext

    let log: Logger

    func handle(
        _ request: Request, context: GatewayContext,
        next: (Request, GatewayContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        var response: Response
        do {
            response = try await next(request, context)
        } catch {
            let problem = Self.problem(error)
            if problem.status == .internalServerError {
                log.error("\(error)", metadata: ["request": "\(context.requestID)"])
            }
            response = problem.response(
                requestID: context.requestID, accept: request.headers[.accept])
        }
        response.headers[.requestID] = context.requestID
        let path = (request.head.path ?? "").split(separator: "?", maxSplits: 1).first ?? ""
        log.info(
            "\(request.method.rawValue) \(path.prefix(200)) \(response.status.code)",
            metadata: [
                "request": "\(context.requestID)", "took": "\(Self.milliseconds(since: start)) ms",
            ])
        return response
    }

    private static func milliseconds(since start: ContinuousClock.Instant) -> Int64 {
        Int64(start.duration(to: .now) / .milliseconds(1))
    }

    private static func problem(_ error: any Error) -> Problem {
        switch error {
        case let problem as Problem: problem
        case let refusal as Refusal: Problem(refusal)
        case is Replayed:
            Problem(
                .unauthorized, "replayed",
                "This signed request was sent before. Sign each one anew, with an X-Nonce.")
        case let error as HTTPError where error.status == .notFound:
            Problem(.notFound, "not_found", "There is nothing at this path.")
        case let error as HTTPError where error.status.kind == .clientError:
            Problem(error.status, "bad_request", "The request cannot be read.")
        default: .internal
        }
    }
}
