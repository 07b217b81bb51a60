import Canonical
import Custody
import HTTPTypes
import Hummingbird
import Identity
import NIOCore

/// What a caller is told when a request is not carried out: one form for everything that can be
/// wrong, and RFC 9457's if it is asked for.
struct Problem: Error {
    let status: HTTPResponse.Status
    /// Stable; clients branch on it.
    let code: String
    let message: String
    let fields: [String: [String]]
    let retryAfter: Int?
    /// The methods that the path has.
    let allow: String?

    init(
        _ status: HTTPResponse.Status, _ code: String, _ message: String,
        fields: [String: [String]] = [:], retryAfter: Int? = nil,
        allow: String? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.retryAfter = retryAfter
        self.allow = allow
    }

    init(_ refusal: Refusal) {
        self.init(
            Self.status(refusal.code), refusal.code.rawValue, refusal.message,
            fields: refusal.fields)
    }

    private static func status(_ code: Refusal.Code) -> HTTPResponse.Status {
        switch code {
        case .invalid, .unknownAsset, .unknownNetwork, .insufficientFunds, .belowMinimum,
            .sameWallet, .differentAssets, .differentKeyVaults, .frozen, .feeTooHigh,
            .insufficientGas,
            .needsConsolidation, .vaultNotEmpty, .tooManyAddresses, .unsupportedThreshold,
            .unknownHolder, .duplicateHolder, .tooManyVaults:
            .badRequest
        case .notInAddressBook, .vaultNotAllowed, .exceedsOwnRights: .forbidden
        case .notFound: .notFound
        case .walletExists, .externalIDReused, .addressExists, .tooLate, .keyInactive: .conflict
        case .noWebhook, .holderOffline, .groupNotValid, .groupExists, .groupInUse, .requestOpen:
            .conflict
        case .idempotencyKeyReused: .unprocessableContent
        case .keyNotReady, .chainUnavailable: .badGateway
        }
    }

    static let stillRunning = Problem(
        .conflict, "idempotency_in_progress",
        "The first request with this idempotency key is still running; repeat this one later.",
        retryAfter: 1)

    /// The path is there, the method is not.
    static func methodNotAllowed(_ allowed: [HTTPRequest.Method]) -> Problem {
        let names = allowed.map(\.rawValue).sorted().joined(separator: ", ")
        return Problem(
            .methodNotAllowed, "method_not_allowed", "This path takes \(names).", allow: names)
    }

    static func nothing(at path: String) -> Problem {
        let isTwice = path == "/v1/v1" || path.hasPrefix("/v1/v1/")
        return Problem(
            .notFound, "not_found",
            "There is nothing at \(path)" + (isTwice ? ": '/v1' stands twice." : "."))
    }

    /// What comes while the platform stops; what was begun before is finished.
    static let shuttingDown = Problem(
        .serviceUnavailable, "shutting_down", "The platform is stopping; repeat this soon.",
        retryAfter: 5)

    static let `internal` = Problem(
        .internalServerError, "internal", "Something went wrong here; it has been logged.")

    func body(requestID: String) -> [UInt8] {
        let errors: JSONValue =
            fields.isEmpty
            ? .object(["generalErrors": .array([.string(message)])])
            : .object(
                fields.sorted { $0.key < $1.key }.map { name, sentences in
                    .init(name: name, value: .array(sentences.map { .string($0) }))
                })
        return JSONValue.object([
            "statusCode": .integer(status.code), "message": .string(message), "errors": errors,
            "code": .string(code), "requestId": .string(requestID),
        ]).bytes
    }

    private func problemBody(requestID: String) -> [UInt8] {
        JSONValue.object([
            "type": .string("about:blank"), "title": .string(status.reasonPhrase),
            "status": .integer(status.code), "detail": .string(message),
            "errors": .object(
                fields.sorted { $0.key < $1.key }.map { name, sentences in
                    .init(name: name, value: .array(sentences.map { .string($0) }))
                }),
            "code": .string(code), "requestId": .string(requestID),
        ]).bytes
    }

    func response(requestID: String, accept: String?) -> Response {
        let isProblem = accept?.contains("application/problem+json") ?? false
        let bytes = isProblem ? problemBody(requestID: requestID) : body(requestID: requestID)
        var headers: HTTPFields = [
            .contentType: isProblem ? "application/problem+json" : "application/json"
        ]
        headers[.allow] = allow
        if let retryAfter { headers[.retryAfter] = String(retryAfter) }
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

// For the document.
extension Problem {
    static let shape = Shape.named(
        "Error",
        [
            Member("statusCode", .integer()), Member("message", .text(), "for people"),
            Member("errors", .object([]), "sentences by field, or under generalErrors"),
            Member("code", .text(), "stable; branch on it"), Member("requestId", .text()),
        ])

    /// Which codes an endpoint answers with, by status.
    static func codes(of endpoint: Endpoint) -> [Int: [String]] {
        var found: [Int: [String]] = [
            400: ["bad_request", "invalid"],
            401: [
                "missing_credentials", "malformed_credentials", "invalid_credentials", "clock",
            ],
            403: ["address_not_allowed", "missing_scope"],
            413: ["too_large"],
            429: ["rate_limited"],
            500: ["internal"],
            503: ["shutting_down"],
        ]
        if !endpoint.parameters.isEmpty { found[404] = ["not_found"] }
        if !Scope.tenantWide.contains(endpoint.scope) {
            found[403, default: []].append(Refusal.Code.vaultNotAllowed.rawValue)
        }
        if !endpoint.isRead { found[401, default: []].append("replayed") }
        if endpoint.body != nil { found[415] = ["not_json"] }
        if endpoint.method == .post {
            found[409] = ["idempotency_in_progress"]
            found[422] = ["idempotency_key_reused"]
        }
        for code in endpoint.refusals
        where !found[status(code).code, default: []].contains(code.rawValue) {
            found[status(code).code, default: []].append(code.rawValue)
        }
        return found
    }
}
