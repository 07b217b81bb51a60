import Algebra
import Canonical

/// Signs with the platform's response key what clients of the MPC administration face are answered
/// and told.
public protocol ResponseSigner: Sendable {
    func sign(_ digest: Digest) -> IdentitySignature
}

extension ResponseSigner {
    /// The signature over BODY|TIMESTAMP, hashed with SHA-256 twice, in hexadecimal.
    ///
    /// - Parameter time: in milliseconds, as the header beside it says.
    public func signature(of body: [UInt8], at time: Int64) -> String {
        sign(Digest.sha256(Digest.sha256(body + Array("|\(time)".utf8)).bytes)).hex
    }
}
