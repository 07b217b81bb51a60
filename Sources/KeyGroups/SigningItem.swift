import Canonical

/// What a signature is asked of: a key below the root, and a digest.
public struct SigningItem: Equatable, Sendable {
    /// Most items of one run, one an input or message.
    public static let most = 64

    public let path: DerivationPath
    public let digest: Digest

    public init(path: DerivationPath, digest: Digest) {
        (self.path, self.digest) = (path, digest)
    }
}
