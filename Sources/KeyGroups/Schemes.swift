import Algebra
import Canonical

/// Which key a group's shares are for; one root key serves one scheme.
public enum SignatureScheme: UInt64, Sendable, CaseIterable {
    case ecdsaSecp256k1 = 1
    case bip340Secp256k1 = 2
    case ed25519 = 3

    /// As commands and documents spell it.
    public var name: String {
        switch self {
        case .ecdsaSecp256k1: "secp256k1-ecdsa"
        case .bip340Secp256k1: "secp256k1-schnorr"
        case .ed25519: "ed25519"
        }
    }

    public init?(name: String) {
        guard let scheme = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = scheme
    }

    /// The scheme as a type: a generic function that is called with it knows the scheme statically.
    public var type: any KeyScheme.Type {
        switch self {
        case .ecdsaSecp256k1: ECDSA.self
        case .bip340Secp256k1: BIP340.self
        case .ed25519: EdDSA.self
        }
    }
}

/// A signature scheme as a type: a key of one cannot be used for another, because it does not
/// compile.
public protocol KeyScheme: Sendable {
    associatedtype Group: PrimeGroup
    static var scheme: SignatureScheme { get }
    /// Whether signing multiplies secrets of two holders, for which each pair keeps a setup.
    static var multiplies: Bool { get }
    /// What a child key is hashed from, before the step's number.
    static func serialized(_ publicKey: Group.Point) -> [UInt8]
    /// The offset that 32 bytes of the hash stand for; nil where the step gives no key.
    static func offset(_ left: [UInt8]) -> Group.Scalar?
}

extension KeyScheme where Group == Secp256k1 {
    /// serP of BIP 32.
    public static func serialized(_ publicKey: Point) -> [UInt8] { publicKey.compressed }
    /// parse256 of BIP 32: an integer that is not below n gives no key.
    public static func offset(_ left: [UInt8]) -> Scalar? { Scalar(canonical: left) }
}

/// ECDSA on secp256k1, by DKLs23.
public enum ECDSA: KeyScheme {
    public typealias Group = Secp256k1
    public static var scheme: SignatureScheme { .ecdsaSecp256k1 }
    public static var multiplies: Bool { true }
}

/// BIP 340 signatures of taproot key paths, by FROST.
public enum BIP340: KeyScheme {
    public typealias Group = Secp256k1
    public static var scheme: SignatureScheme { .bip340Secp256k1 }
    public static var multiplies: Bool { false }
}

/// Ed25519 signatures, by FROST. Keys are scalars without a seed: RFC 8032's private keys cannot
/// be made of them.
public enum EdDSA: KeyScheme {
    public typealias Group = Ed25519
    public static var scheme: SignatureScheme { .ed25519 }
    public static var multiplies: Bool { false }

    /// 0x00 || A, as in the published scheme (specification section 3.4).
    public static func serialized(_ publicKey: Ed25519.Point) -> [UInt8] {
        [0] + publicKey.compressed
    }

    /// The big-endian integer modulo L.
    public static func offset(_ left: [UInt8]) -> Ed25519.Scalar? { Ed25519.Scalar(reducing: left) }
}
