import Canonical

/// Hashes to a point whose discrete logarithm nobody knows: try and increment (section 5.1, H2C).
///
/// Never `hash·G`: whoever knows the logarithm of such a point can open both branches of the base
/// oblivious transfer (specification section 1.4, A13).
public struct HashToCurve: Sendable {
    private let tag: HashTag
    private let parityTag: HashTag
    /// Each try succeeds with probability 1/2: 2^-256 that none does.
    private static let triesMost: UInt8 = .max

    public init(_ tag: String) {
        self.tag = HashTag(tag)
        parityTag = HashTag("\(tag)/parity")
    }

    /// - Parameter parts: the hash's parts; the try's number follows as the last one.
    public func callAsFunction(_ parts: [UInt8]...) -> Point {
        for counter in 0..<Self.triesMost {
            var transcript = Transcript(tag)
            for part in parts { transcript.append(part) }
            transcript.append(u8: counter)
            let x = transcript.digest()
            var parity = Transcript(parityTag)
            parity.append(x)
            let prefix = 2 + (parity.digest().bytes[0] & 1)
            if let point = Point(compressed: [prefix] + x.bytes) { return point }
        }
        preconditionFailure("255 hashes in a row are no point: SHA-256 is broken")
    }
}
