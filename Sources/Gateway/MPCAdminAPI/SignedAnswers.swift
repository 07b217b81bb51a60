import Algebra
import Canonical
import Custody
import HTTPTypes
import Hummingbird
import NIOCore

/// Signs answers of the MPC administration face with the platform's response key.
public protocol ResponseSigner: Sendable {
    func sign(_ digest: Digest) -> IdentitySignature
}

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
        let time = String(custody.now.milliseconds)
        let digest = Digest.sha256(Digest.sha256(body + Array("|\(time)".utf8)).bytes)
        return Response(
            status: status,
            headers: [
                .contentType: "application/json", .answeredAt: time,
                .answerSignature: signer.sign(digest).hex,
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
