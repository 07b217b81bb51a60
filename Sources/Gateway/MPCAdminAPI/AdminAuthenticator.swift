import Custody
import HTTPTypes
import Hummingbird
import Identity
import Intents

extension HTTPField.Name {
    static let publicKey = HTTPField.Name("BIZ-API-KEY")!
    static let publicKeyNonce = HTTPField.Name("BIZ-API-NONCE")!
    static let publicKeySignature = HTTPField.Name("BIZ-API-SIGNATURE")!
}

/// Who is asking at the MPC administration face, once that is certain.
struct AdminCaller: KnownCaller {
    let apiKey: PublicAPIKey
    let origin: Custody.Actor.Origin
    /// What a request that changes something takes the nonce of.
    let request: KeySignedRequest

    var name: String { apiKey.id.text }
    var tenant: TenantID { apiKey.tenant }
    var actor: Custody.Actor { .publicKey(apiKey, from: origin) }

    func require(_ permission: Permission?) throws(AdminProblem) {
        guard let permission, !apiKey.permissions.contains(permission) else { return }
        throw AdminProblem(
            .forbidden, "This API key lacks the permission '\(permission.rawValue)'.")
    }
}

/// Finds out who is asking: signature, clock, API key, address. In this order a request is refused:
/// headers missing or malformed, wrong signature, clock, key unknown, expired or revoked (or, in
/// place of these, too many failed attempts from the address), not from an address of the key's
/// list, too many of the key.
struct AdminAuthenticator: Sendable {
    private let custody: Bookkeeper
    private let alarm: Alarm
    private let keys: RateLimiter
    private let failures: RateLimiter

    /// A key is used from where it is not for: the tenant is told before the answer.
    private struct WrongAddress: Error {
        let caller: AdminCaller
    }

    init(custody: Bookkeeper, settings: GatewaySettings, alarm: Alarm) {
        self.custody = custody
        self.alarm = alarm
        keys = RateLimiter(settings.keyLimit)
        failures = RateLimiter(settings.failureLimit)
    }

    /// Finds out who is asking, and does the work in the same read of the books. A nonce that is a
    /// time is not taken by it: within its minute the request may be read again.
    ///
    /// - Parameter isChange: the work is done afterwards, and takes the nonce.
    func read<Result: Sendable>(
        _ request: Request, _ context: GatewayContext, _ body: [UInt8], isChange: Bool = false,
        _ work: @escaping @Sendable (Books, AdminCaller) throws -> Result
    ) async throws -> Result {
        do {
            let signed = try Self.signed(request)
            guard signed.isSigned(body: body) else {
                throw AdminProblem(.wrongSignature, "The signature is not of this request.")
            }
            if signed.sentAt == nil, !isChange {
                let known = try await custody.read { try caller(signed, context, $0) }
                try await custody.write(as: known.actor) { try $0.claim(signed) }
            }
            return try await custody.read { books in
                let caller = try caller(signed, context, books)
                return try work(books.acting(as: caller.actor), caller)
            }
        } catch let problem as AdminProblem where problem.status == .unauthorized {
            if let wait = failures.take(context.place) {
                throw AdminProblem(
                    .tooManyRequests, "Too many failed attempts from this address.",
                    retryAfter: wait)
            }
            throw problem
        } catch let wrong as WrongAddress {
            try await alarm.raise(.addressNotAllowed, wrong.caller)
            throw AdminProblem(.wrongKey, "This API key may not be used from this address.")
        }
    }

    private static func signed(_ request: Request) throws(AdminProblem) -> KeySignedRequest {
        let headers = request.headers
        guard let key = headers[.publicKey], let nonce = headers[.publicKeyNonce],
            let signature = headers[.publicKeySignature]
        else {
            throw AdminProblem(
                .missingHeaders,
                "BIZ-API-KEY, BIZ-API-NONCE and BIZ-API-SIGNATURE are required.")
        }
        for name in [HTTPField.Name.publicKey, .publicKeyNonce, .publicKeySignature]
        where headers[values: name].count > 1 {
            throw AdminProblem(.wrongKey, "\(name) stands twice.")
        }
        let parts = (request.head.path ?? "/").split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        do throws(KeySignedRequest.Malformed) {
            return try KeySignedRequest(
                method: request.method.rawValue, path: String(parts[0]),
                query: parts.count == 2 ? String(parts[1]) : "", key: key, nonce: nonce,
                signature: signature)
        } catch {
            throw Self.problem(error)
        }
    }

    private static func problem(_ error: KeySignedRequest.Malformed) -> AdminProblem {
        switch error {
        case .key: AdminProblem(.wrongKey, "BIZ-API-KEY is no public key.")
        case .nonce:
            AdminProblem(
                .wrongKey,
                "BIZ-API-NONCE must have 1 to \(KeySignedRequest.nonceMost) printable characters, "
                    + "none of them a bar.")
        case .signature:
            AdminProblem(.wrongSignature, "BIZ-API-SIGNATURE is no hexadecimal signature.")
        case .target: AdminProblem(.badValue, "A bar in a URL must be percent-encoded.")
        }
    }

    private func caller(
        _ signed: KeySignedRequest, _ context: GatewayContext, _ books: Books
    ) throws -> AdminCaller {
        guard signed.isTimely(at: books.now.milliseconds) else {
            throw AdminProblem(
                .wrongKey,
                "BIZ-API-NONCE must be within \(KeySignedRequest.windowSeconds) s of our clock, "
                    + "which says \(books.now.milliseconds).")
        }
        guard let key = try books.openPublicAPIKey(signed.key) else {
            throw AdminProblem(.wrongKey, "The API key is unknown, expired or revoked.")
        }
        let caller = AdminCaller(
            apiKey: key, origin: .init(address: context.client, request: context.requestID),
            request: signed)
        context.record.note(caller)
        guard key.admits(context.client) else { throw WrongAddress(caller: caller) }
        if let wait = keys.take(key.id.text) {
            throw AdminProblem(
                .tooManyRequests, "Too many requests with this API key.", retryAfter: wait)
        }
        return caller
    }
}
