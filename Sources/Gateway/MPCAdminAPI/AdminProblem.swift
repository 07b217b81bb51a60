import Canonical
import Custody
import HTTPTypes
import Hummingbird
import Identity

/// What a caller of the MPC administration face is told when a request is not carried out: one of
/// the codes that its clients know (docs/api/mpc-admin.md).
struct AdminProblem: Error {
    enum Code: Int, CaseIterable {
        case `internal` = 2000
        case unsupported = 2002
        case missingParameter = 2003
        case badValue = 2006
        case tooManyRequests = 2010
        case noSuchEndpoint = 2021
        case missingHeaders = 2022
        case wrongSignature = 2023
        case wrongKey = 2024
        case forbidden = 2025
        case notFound = 2028
        case duplicate = 2040
        case unsupportedToken = 12002
        case insufficientBalance = 12007
        case requestIDReused = 12009
        case belowMinimum = 30010
        case feeTokenShort = 30013
        case badDestination = 30014
        case descriptionTooLong = 30018
        case noUsableGroup = 30032
        case transactionNotFound = 60004
        case notCancelable = 60005
        case notDroppable = 60006
        case notAccelerable = 60007

        fileprivate var status: HTTPResponse.Status {
            switch self {
            case .internal: .internalServerError
            case .unsupported: .methodNotAllowed
            case .tooManyRequests: .tooManyRequests
            case .missingHeaders, .wrongSignature, .wrongKey: .unauthorized
            case .forbidden: .forbidden
            case .noSuchEndpoint, .notFound, .transactionNotFound: .notFound
            case .missingParameter, .badValue, .duplicate, .unsupportedToken,
                .insufficientBalance, .requestIDReused, .belowMinimum, .feeTokenShort,
                .badDestination, .descriptionTooLong, .noUsableGroup, .notCancelable, .notDroppable,
                .notAccelerable:
                .badRequest
            }
        }
    }

    /// Most fields that one answer names.
    private static let sentencesMost = 8

    let code: Code
    let status: HTTPResponse.Status
    let message: String
    let retryAfter: Int?

    init(
        _ code: Code, _ message: String, status: HTTPResponse.Status? = nil, retryAfter: Int? = nil
    ) {
        self.code = code
        self.status = status ?? code.status
        self.message = message
        self.retryAfter = retryAfter
    }

    static let requestIDUsed = AdminProblem(
        .requestIDReused, "'request_id' was used for another transaction.")

    static func missing(_ name: String) -> AdminProblem {
        AdminProblem(.missingParameter, "'\(name)' is required.")
    }

    /// What is not served, whoever asks for it.
    static func unsupported(_ what: String) -> AdminProblem {
        AdminProblem(.unsupported, "\(what) is not supported here: see docs/api/mpc-admin.md.")
    }

    /// Whatever was thrown, as this face says it.
    init(_ error: any Error) {
        switch error {
        case let problem as AdminProblem: self = problem
        case let refusal as Refusal where refusal.code == .externalIDReused:
            self = .requestIDUsed
        case let refusal as Refusal: self.init(Self.code(refusal.code), refusal)
        case is Replayed: self.init(.wrongKey, "This nonce was used before.")
        case is NoncesSpent:
            self.init(
                .wrongKey,
                "This API key has used \(PublicAPIKey.wordsMost) nonces that are no times: send "
                    + "the Unix time in milliseconds as BIZ-API-NONCE.")
        case let problem as Problem: self.init(problem)
        case let error as HTTPError where error.status == .notFound:
            self.init(.noSuchEndpoint, "There is no such endpoint.")
        case let error as HTTPError where error.status.kind == .clientError:
            self.init(.badValue, "The request cannot be read.", status: error.status)
        default: self.init(.internal, "Something went wrong here; it has been logged.")
        }
    }

    /// What all faces refuse alike, on a request's way in.
    private init(_ problem: Problem) {
        let code: Code =
            switch problem.status {
            case .tooManyRequests: .tooManyRequests
            case .badRequest, .contentTooLarge, .unsupportedMediaType: .badValue
            case .methodNotAllowed: .unsupported
            default: .internal
            }
        self.init(
            code, problem.message, status: problem.status, retryAfter: problem.retryAfter)
    }

    private init(_ code: Code, _ refusal: Refusal) {
        let status: HTTPResponse.Status? =
            refusal.code == .chainUnavailable ? .serviceUnavailable : nil
        // This face has one sentence for all that is wrong, so it names each field.
        let sentences = refusal.fields.sorted { $0.key < $1.key }.flatMap(\.value)
        let message = sentences.prefix(Self.sentencesMost).joined(separator: " ")
        self.init(code, sentences.count > 1 ? message : refusal.message, status: status)
    }

    private static func code(_ code: Refusal.Code) -> Code {
        switch code {
        case .invalid, .unknownNetwork, .frozen, .feeTooHigh, .vaultNotEmpty, .tooManyAddresses,
            .tooManyVaults,
            .unsupportedThreshold, .unknownHolder, .holderOffline, .groupInUse, .tooLate,
            .keyInactive, .noWebhook, .idempotencyKeyReused:
            .badValue
        case .unknownAsset: .unsupportedToken
        case .insufficientFunds, .needsConsolidation: .insufficientBalance
        case .insufficientGas: .feeTokenShort
        case .belowMinimum: .belowMinimum
        case .sameWallet, .differentAssets, .differentKeyVaults, .notInAddressBook: .badDestination
        case .vaultNotAllowed, .exceedsOwnRights: .forbidden
        case .notFound: .notFound
        case .walletExists, .addressExists, .duplicateHolder, .groupExists, .requestOpen:
            .duplicate
        case .externalIDReused: .requestIDReused
        case .keyNotReady, .groupNotValid: .noUsableGroup
        case .chainUnavailable: .internal
        }
    }

    func body(requestID: String) -> [UInt8] {
        JSONValue.object([
            "error_code": .integer(code.rawValue), "error_message": .string(message),
            "error_id": .string(requestID),
        ]).bytes
    }
}
