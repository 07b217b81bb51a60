/// A value that is a fixed number of public bytes: an identifier, a digest, a public key.
///
/// Each such thing is a type of its own, so that one is never taken for another.
public protocol FixedBytes: Hashable, Sendable, CustomStringConvertible {
    /// How many bytes a value has.
    static var byteCount: Int { get }
    var bytes: [UInt8] { get }
    /// Keeps `bytes`, which the caller has made sure are `byteCount` many.
    init(unchecked bytes: [UInt8])
}

extension FixedBytes {
    /// The value with these bytes, or nil if they are not exactly `byteCount`.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init(unchecked: Array(bytes))
    }

    /// The value that `hex` spells, or nil if it is no hexadecimal of the right length.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 2 * Self.byteCount, let bytes = Hex.decode(hex) else { return nil }
        self.init(unchecked: bytes)
    }

    public var hex: String { Hex.encode(bytes) }
    public var description: String { hex }
}

/// The 32 bytes of a SHA-256 or Keccak-256.
public struct Digest: FixedBytes {
    public static let byteCount = 32
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }
}
