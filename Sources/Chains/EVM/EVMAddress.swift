import Algebra
import Canonical

/// An account's address on an EVM chain: the last 20 bytes of its public key's Keccak-256.
public struct EVMAddress: FixedBytes {
    public static let byteCount = 20
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    public init(_ publicKey: Point) {
        bytes = Array(Keccak256.hash(publicKey.coordinates).bytes.suffix(Self.byteCount))
    }

    /// The address in EIP-55's mixed case, which is a checksum.
    public var text: String {
        let lower = Array(hex.utf8)
        let hash = Keccak256.hash(lower).bytes
        let cased = lower.enumerated().map { at, character in
            let nibble = at.isMultiple(of: 2) ? hash[at / 2] >> 4 : hash[at / 2] & 15
            let isLetter = character >= UInt8(ascii: "a")
            return isLetter && nibble >= 8 ? character - 32 : character
        }
        return "0x" + String(decoding: cased, as: UTF8.self)
    }

    /// Why a text is no address that funds may be sent to.
    public enum Malformed: Error, Equatable, Sendable {
        case notAnAddress
        case wrongChecksum
    }

    /// Reads an address with its EIP-55 checksum. All lower or all upper case, which carries none,
    /// is refused: a checksum that may be left out protects nobody.
    public init(text: String) throws(Malformed) {
        guard text.utf8.count == 42, text.hasPrefix("0x"), let bytes = Hex.decode(text.dropFirst(2))
        else { throw .notAnAddress }
        self.init(unchecked: bytes)
        guard self.text == text else { throw .wrongChecksum }
    }
}
