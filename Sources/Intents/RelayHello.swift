import Algebra
import Canonical

/// What a holder signs to show a relay who it is: the relay's challenge, and the authority that the
/// holder has pinned, so that an answer serves no other installation.
public enum RelayHello {
    public static func digest(nonce: [UInt8], authority: [UInt8]) -> Digest {
        TaggedHash.digest("quorumkeep/relay-hello/v1", nonce + Digest.sha256(authority).bytes)
    }
}
