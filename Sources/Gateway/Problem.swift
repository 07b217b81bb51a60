import Canonical
import Custody
import HTTPTypes
import Hummingbird
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

    init(
        _ status: HTTPResponse.Status, _ code: String, _ message: String,
        fields: [String: [String]] = [:], retryAfter: Int? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.retryAfter = retryAfter
    }

    init(_ refusal: Refusal) {
        self.init(
            Self.status(refusal.code), refusal.code.rawValue, refusal.message,
            fields: refusal.fields)
    }

    private static func status(_ code: Refusal.Code) -> HTTPResponse.Status {
        switch code {
        case .invalid, .unknownAsset, .unknownNetwork, .insufficientFunds, .belowMinimum,
            .sameWallet, .differentAssets, .frozen, .feeTooHigh, .insufficientGas,
            .needsConsolidation:
            .badRequest
        case .notInAddressBook: .forbidden
        case .notFound: .notFound
        case .walletExists, .externalIDReused, .addressExists: .conflict
        case .idempotencyKeyReused: .unprocessableContent
        case .keyNotReady, .chainUnavailable: .badGateway
        }
    }

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
        if let retryAfter { headers[.retryAfter] = String(retryAfter) }
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
