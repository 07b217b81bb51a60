import Algebra
import Canonical

/// The name of one run, bound into every hash of it. It is made of fresh nonces of all
/// participants.
public struct RunID: FixedBytes {
    public static let byteCount = 32
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }
    public init(_ digest: Digest) { bytes = digest.bytes }

    /// sid = H("sid", H(descriptor), position || nonce || ephemeral of each participant).
    public init(_ descriptor: Digest, _ contributions: [RunContribution]) {
        var transcript = Transcript(Tag.runID)
        transcript.append(descriptor)
        for (position, part) in contributions.enumerated() {
            transcript.append(
                UInt16(position).bigEndianBytes + part.nonce + part.ephemeral.bytes)
        }
        self.init(transcript.digest())
    }
}

/// What one participant puts into a run's name.
public struct RunContribution: Equatable, Sendable {
    public static let nonceBytes = 32
    public let nonce: [UInt8]
    public let ephemeral: EphemeralPublicKey

    public init(nonce: [UInt8], ephemeral: EphemeralPublicKey) {
        (self.nonce, self.ephemeral) = (nonce, ephemeral)
    }
}
