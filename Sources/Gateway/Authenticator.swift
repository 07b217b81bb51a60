import Algebra
import Custody
import HTTPTypes
import Hummingbird
import Identity
import NIOCore

extension HTTPField.Name {
    static let apiKey = HTTPField.Name("X-API-Key")!
    static let timestamp = HTTPField.Name("X-Timestamp")!
    static let signature = HTTPField.Name("X-Signature")!
    static let nonce = HTTPField.Name("X-Nonce")!
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    static let forwardedFor = HTTPField.Name("X-Forwarded-For")!
    static let secondHost = HTTPField.Name("Host")!
    static let requestID = HTTPField.Name("X-Request-Id")!
}

/// Finds out who is asking: API key, HMAC signature, clock, address. In this order a request is
/// refused: too large, credentials missing or wrong, clock (or, in place of these, too many failed
/// attempts from the address), not from an address of the key's list, too many of the key.
struct Authenticator: Sendable {
    private let custody: Bookkeeper
    private let alarm: Alarm
    private let keys: RateLimiter
    private let failures: RateLimiter
    /// What an unknown key's signature is compared with, so that it takes as long as a known one's.
    private let decoy: SecretBox<APISecret>

    /// A key is used from where, or for what, it is not for: the tenant is told before the answer.
    private struct Alarming: Error {
        let kind: SecurityAlert.Kind
        let caller: Caller
        let answer: any Error
    }

    init(custody: Bookkeeper, settings: GatewaySettings, alarm: Alarm) {
        self.custody = custody
        self.alarm = alarm
        keys = RateLimiter(settings.keyLimit)
        failures = RateLimiter(settings.failureLimit)
        var random = SystemRandom()
        decoy = SecretBox(APISecret(isLive: false, random: &random))
    }

    /// The request's whole body. One that says that its length is 0, or neither a length nor that
    /// it comes in chunks, has none (RFC 9112, section 6.3).
    static func body(of request: Request) async throws -> [UInt8] {
        let headers = request.headers
        if (headers[.contentLength] ?? "0") == "0", headers[.transferEncoding] == nil { return [] }
        do {
            let buffer = try await request.body.collect(upTo: GatewayContext.bodyBytesMost)
            return Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            throw Problem(
                .contentTooLarge, "too_large",
                "A request has at most \(GatewayContext.bodyBytesMost) bytes.")
        } catch is CancellationError {
            throw Problem.shuttingDown
        } catch {
            // Cut off, or no chunks as they must be: the connection is of no more use.
            throw Problem(.badRequest, "bad_request", "The request's body cannot be read.")
        }
    }

    /// Finds out who is asking, and does the work in the same read of the books.
    func read<Result: Sendable>(
        _ request: Request, _ context: GatewayContext, _ body: [UInt8],
        _ work: @escaping @Sendable (Books, Caller) throws -> Result
    ) async throws -> Result {
        do {
            let (signed, key) = try Self.signed(request)
            return try await custody.read { books in
                let caller = try caller(signed, key, body, context, books)
                do {
                    return try work(books.acting(as: caller.actor), caller)
                } catch let refusal as Refusal where refusal.code == .vaultNotAllowed {
                    throw Alarming(kind: .vaultNotAllowed, caller: caller, answer: refusal)
                }
            }
        } catch let problem as Problem where problem.status == .unauthorized {
            if let wait = failures.take(context.place) {
                throw Problem(
                    .tooManyRequests, "rate_limited", "Too many failed attempts from this address.",
                    retryAfter: wait)
            }
            throw problem
        } catch let alarming as Alarming {
            try await alarm.raise(alarming.kind, alarming.caller)
            throw alarming.answer
        }
    }

    private static let credentials: [HTTPField.Name] = [.apiKey, .timestamp, .signature, .nonce]

    private static func signed(
        _ request: Request
    ) throws(Problem) -> (request: SignedRequest, key: String) {
        var found: [String?] = [nil, nil, nil, nil]
        for field in request.headers {
            guard let at = credentials.firstIndex(of: field.name) else { continue }
            guard found[at] == nil else {
                throw Problem(
                    .unauthorized, "malformed_credentials", "\(field.name) stands twice.")
            }
            found[at] = field.value
        }
        guard let key = found[0], let timestamp = found[1], let signature = found[2] else {
            let missing = zip(credentials.prefix(3), found).filter { $1 == nil }.map { "\($0.0)" }
            throw Problem(
                .unauthorized, "missing_credentials",
                "X-API-Key, X-Timestamp and X-Signature are required"
                    + (missing.count == 3
                        ? "." : "; there is no \(missing.joined(separator: " and no "))."))
        }
        let target = request.head.path ?? "/"
        let mark = target.utf8.firstIndex(of: UInt8(ascii: "?"))
        do throws(SignedRequest.Malformed) {
            let signed = try SignedRequest(
                method: request.method.rawValue, path: String(target[..<(mark ?? target.endIndex)]),
                query: mark.map { String(target[target.index(after: $0)...]) },
                timestamp: timestamp,
                nonce: found[3], signature: signature)
            return (signed, key)
        } catch {
            throw Problem(.unauthorized, "malformed_credentials", Self.sentence(error))
        }
    }

    private func caller(
        _ signed: SignedRequest, _ key: String, _ body: [UInt8], _ context: GatewayContext,
        _ books: Books
    ) throws -> Caller {
        let found = try APIKeyID(text: key).flatMap { try books.openAPIKey($0) }
        // A wrong signature is tried with two secrets always, so that nothing shows whether a key
        // has two, or is known.
        let isSigned = (found?.secret ?? decoy).with { secret in
            (found?.previous ?? decoy).with { previous in
                signed.isSigned(with: secret, or: previous, body: body)
            }
        }
        guard let found, isSigned else {
            throw Problem(
                .unauthorized, "invalid_credentials",
                "The API key is unknown, expired or revoked, or the signature is not of this "
                    + "request.")
        }
        guard signed.isTimely(at: books.now.seconds) else {
            throw Problem(
                .unauthorized, "clock",
                "X-Timestamp is in seconds and must be within \(SignedRequest.windowSeconds) s of "
                    + "our clock, which says \(books.now.seconds).")
        }
        // The signature is worth something while its timestamp is in the window.
        let until = signed.timestamp + 2 * SignedRequest.windowSeconds
        let caller = Caller(
            apiKey: found.key,
            origin: .init(address: context.client, request: context.requestID),
            claim: SignatureClaim(
                signature: signed.signature, until: Timestamp(milliseconds: until * 1000)))
        context.record.note(caller)
        // Before the key's rate: a thief from elsewhere does not use up its owner's.
        guard caller.apiKey.admits(context.client) else {
            throw Alarming(
                kind: .addressNotAllowed, caller: caller,
                answer: Problem(
                    .forbidden, "address_not_allowed",
                    "This API key may not be used from this address."))
        }
        if let wait = keys.take(caller.key.text) {
            throw Problem(
                .tooManyRequests, "rate_limited", "Too many requests with this API key.",
                retryAfter: wait)
        }
        return caller
    }

    private static func sentence(_ error: SignedRequest.Malformed) -> String {
        switch error {
        case .timestamp: "X-Timestamp must be the time in Unix seconds."
        case .nonce: "X-Nonce must have 1 to \(SignedRequest.nonceMost) printable characters."
        case .signature: "X-Signature must be 64 lower-case hexadecimal digits."
        }
    }
}
