import Custody
import HTTPTypes
import Hummingbird
import Identity
import NIOCore

extension HTTPField.Name {
    static let answeredAt = HTTPField.Name("BIZ-TIMESTAMP")!
    static let answerSignature = HTTPField.Name("BIZ-RESP-SIGNATURE")!
}

/// Answers as the face gives them, errors too: JSON, with the platform's signature over
/// BODY|TIMESTAMP, hashed with SHA-256 twice.
struct SignedAnswers: Sendable {
    let signer: any ResponseSigner
    let custody: Bookkeeper

    /// Whether a request is to this face, whatever comes of it.
    static func concern(_ request: Request) -> Bool {
        let path = request.head.path ?? ""
        return path == "/v2" || path.hasPrefix("/v2/")
    }

    func response(_ status: HTTPResponse.Status, _ body: [UInt8]) -> Response {
        let time = custody.now.milliseconds
        return Response(
            status: status,
            headers: [
                .contentType: "application/json", .answeredAt: String(time),
                .answerSignature: signer.signature(of: body, at: time),
            ], body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }

    func response(_ problem: AdminProblem, requestID: String) -> Response {
        var response = response(problem.status, problem.body(requestID: requestID))
        if let retryAfter = problem.retryAfter {
            response.headers[.retryAfter] = String(retryAfter)
        }
        return response
    }
}
