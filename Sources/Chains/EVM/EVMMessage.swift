import Algebra
import Canonical

/// What an account of an EVM chain signs apart from transactions.
///
/// Its digest is no transaction's: what is hashed begins with the byte 0x19, which EIP-191 chose
/// because no transaction begins with it, and a transaction of ours with its type, 0x02.
public enum EVMMessage: Hashable, Sendable {
    /// Any bytes, as wallets sign them for people: EIP-191, version 0x45.
    case personal([UInt8])
    /// Typed data as JSON text: EIP-712.
    case typed([UInt8])

    /// Longest message or typed data, in bytes.
    public static let byteLimit = 16 * 1024

    /// What a person's message is signed under: Keccak-256 of
    /// `"\x19Ethereum Signed Message:\n" ‖ length ‖ message`, the length in decimal digits.
    public static func digest(ofPersonal message: [UInt8]) -> Digest {
        let head = "\u{19}Ethereum Signed Message:\n\(message.count)"
        return Keccak256.hash(Array(head.utf8) + message)
    }
}

extension ECDSASignature {
    /// A message's signature as contracts and wallets take it: r, s and 27 or 28, after 0x.
    public var evmText: String { "0x" + Hex.encode(r.bytes + s.bytes + [27 + (recoveryID & 1)]) }
}
