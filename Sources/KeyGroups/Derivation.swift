import Algebra
import Canonical

/// A path of non-hardened BIP 32 steps below the root, such as `m/44/60/0/0/7`.
public struct DerivationPath: Hashable, Sendable, CustomStringConvertible {
    /// Longest path, in steps.
    public static let most = 10
    public let steps: [UInt32]

    /// Nil if a step is hardened (2^31 or more) or there are more than `most`.
    public init?(_ steps: [UInt32]) {
        guard steps.count <= Self.most, steps.allSatisfy({ $0 < 0x8000_0000 }) else { return nil }
        self.steps = steps
    }

    /// The path that `text` spells; one spelling only, so that it can be compared as text.
    public init?(text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.first == "m", parts.count <= Self.most + 1 else { return nil }
        let steps = parts.dropFirst().map { UInt32($0) }
        guard !steps.contains(nil), let path = DerivationPath(steps.compactMap { $0 }),
            path.description == text
        else { return nil }
        self = path
    }

    public var description: String { (["m"] + steps.map(String.init)).joined(separator: "/") }

    /// All steps as big-endian integers, one after the other.
    public var bytes: [UInt8] { steps.flatMap(\.bigEndianBytes) }
}

/// A key below the root, and by how much its secret differs from the root's.
public struct DerivedKey<Scheme: KeyScheme>: Sendable {
    /// δ, the sum of the left halves of all steps; public, like the chain code it follows from.
    public let offset: Scheme.Group.Scalar
    public let publicKey: Scheme.Group.Point
    /// The chain code at the end of the path, 32 bytes.
    public let chainCode: [UInt8]

    /// BIP 32 CKDpub along the path; on edwards25519 the published `cpub` scheme, which differs
    /// from it in what is hashed and in how the left half becomes an offset (section 3.4).
    ///
    /// - Returns: nil where a step gives no key (probability 2^-127 each); BIP 32 skips the index.
    public init?(
        _ path: DerivationPath, below publicKey: Scheme.Group.Point, chainCode: [UInt8]
    ) {
        var (offset, key, code) = (Scheme.Group.Scalar.zero, publicKey, chainCode)
        for step in path.steps {
            let digest = hmacSHA512(key: code, Scheme.serialized(key) + step.bigEndianBytes)
            guard let left = Scheme.offset(Array(digest.prefix(32))),
                let next = key.variableTimeAdding(generatorTimes: left)
            else { return nil }
            (offset, key, code) = (offset + left, next, Array(digest.suffix(32)))
        }
        self.offset = offset
        self.publicKey = key
        self.chainCode = code
    }

    public init?(_ path: DerivationPath, of key: SharedKey<Scheme>) {
        self.init(path, below: key.publicKey, chainCode: key.chainCode)
    }
}
