import Algebra
import Canonical
import KeyGroups

/// What FROST needs of one signature scheme: the five hashes of RFC 9591 section 6, the form of a
/// signature, and how a key below the root differs from it.
public protocol SchnorrScheme: KeyScheme {
    /// H1: what binds a nonce to message and quorum.
    static func bindingFactor(_ input: [UInt8]) -> Group.Scalar
    /// H2: the challenge of a signature with this nonce, under this key.
    static func challenge(
        _ nonce: Group.Point, _ key: Group.Point, _ message: [UInt8]
    ) -> Group.Scalar
    /// H3: a nonce of 32 random bytes and the share.
    static func nonce(_ input: borrowing SecretBytes) -> Group.SecretScalar
    /// H4.
    static func messageHash(_ message: [UInt8]) -> [UInt8]
    /// H5.
    static func commitmentHash(_ commitments: [UInt8]) -> [UInt8]
    /// The nonce's part of a signature.
    static func encoded(nonce: Group.Point) -> [UInt8]
    /// Whether a nonce must be negated to be what the signature's verifier takes it for.
    static func negates(nonce: Group.Point) -> Bool
    /// The key that signs for a derived key, and how its shares follow from the root's.
    static func tweak(_ derived: DerivedKey<Self>) -> KeyTweak<Self>?
    static func verifies(_ signature: [UInt8], of message: [UInt8], under key: Group.Point) -> Bool
}

/// How the shares of a key below the root follow from the root's: each is multiplied by 1 or −1,
/// and the offset is added. (Adding a constant to every share adds it to the polynomial, since the
/// Lagrange coefficients of a quorum sum to one.)
public struct KeyTweak<Scheme: KeyScheme>: Sendable {
    public let isNegated: Bool
    public let offset: Scheme.Group.Scalar
    /// The key that verifies.
    public let publicKey: Scheme.Group.Point

    func applied(to share: borrowing Scheme.Group.SecretScalar) -> Scheme.Group.SecretScalar {
        isNegated ? offset - share : share + offset
    }

    /// The public part of a share, or nil if it is the identity.
    func applied(to verifyingShare: Scheme.Group.Point) -> Scheme.Group.Point? {
        (isNegated ? -verifyingShare : verifyingShare).variableTimeAdding(generatorTimes: offset)
    }
}

/// FROST(Ed25519, SHA-512), RFC 9591 section 6.1.
extension EdDSA: SchnorrScheme {
    private static let context = Array("FROST-ED25519-SHA512-v1".utf8)

    private static func scalar(_ input: [UInt8]) -> Ed25519.Scalar {
        Ed25519.SecretScalar(sha512: SecretBytes(copying: input)).published()
    }

    public static func bindingFactor(_ input: [UInt8]) -> Ed25519.Scalar {
        scalar(context + Array("rho".utf8) + input)
    }

    /// RFC 8032's, so without a context.
    public static func challenge(
        _ nonce: Ed25519.Point, _ key: Ed25519.Point, _ message: [UInt8]
    ) -> Ed25519.Scalar {
        scalar(nonce.compressed + key.compressed + message)
    }

    public static func nonce(_ input: borrowing SecretBytes) -> Ed25519.SecretScalar {
        let prefix = context + Array("nonce".utf8)
        var whole = SecretBytes(count: prefix.count + input.count)
        whole.replace(at: 0, with: prefix)
        whole.replace(at: prefix.count, with: input)
        return Ed25519.SecretScalar(sha512: whole)
    }

    public static func messageHash(_ message: [UInt8]) -> [UInt8] {
        sha512(context + Array("msg".utf8) + message)
    }

    public static func commitmentHash(_ commitments: [UInt8]) -> [UInt8] {
        sha512(context + Array("com".utf8) + commitments)
    }

    public static func encoded(nonce: Ed25519.Point) -> [UInt8] { nonce.compressed }
    public static func negates(nonce: Ed25519.Point) -> Bool { false }

    public static func tweak(_ derived: DerivedKey<EdDSA>) -> KeyTweak<EdDSA>? {
        KeyTweak(isNegated: false, offset: derived.offset, publicKey: derived.publicKey)
    }

    public static func verifies(
        _ signature: [UInt8], of message: [UInt8], under key: Ed25519.Point
    ) -> Bool {
        key.verifiesEd25519(signature, of: message)
    }
}

/// FROST over secp256k1 with BIP 340's challenge and BIP 341's tweak: the variant that is known as
/// FROST-secp256k1-SHA256-TR-v1. Every key is tweaked, with no script, as BIP 86 has it: a key that
/// was not could hide a script path.
extension BIP340: SchnorrScheme {
    static let domains = FieldHashes("FROST-secp256k1-SHA256-TR-v1")

    public static func bindingFactor(_ input: [UInt8]) -> Scalar { domains.scalar("rho", input) }

    public static func challenge(
        _ nonce: Point, _ key: Point, _ message: [UInt8]
    ) -> Scalar {
        Scalar(reducing: tagged("BIP0340/challenge", nonce.x + key.x + message))
    }

    public static func nonce(_ input: borrowing SecretBytes) -> SecretScalar {
        domains.secretScalar("nonce", input)
    }

    public static func messageHash(_ message: [UInt8]) -> [UInt8] { domains.hash("msg", message) }
    public static func commitmentHash(_ commitments: [UInt8]) -> [UInt8] {
        domains.hash("com", commitments)
    }

    public static func encoded(nonce: Point) -> [UInt8] { nonce.x }
    public static func negates(nonce: Point) -> Bool { nonce.hasOddY }

    /// P with an even y, plus t·G for t = TapTweak(P.x), with an even y again.
    public static func tweak(_ derived: DerivedKey<BIP340>) -> KeyTweak<BIP340>? {
        let isOdd = derived.publicKey.hasOddY
        let internalKey = isOdd ? -derived.publicKey : derived.publicKey
        let due = isOdd ? -derived.offset : derived.offset
        guard let t = Scalar(canonical: tagged("TapTweak", internalKey.x)),
            let output = internalKey.variableTimeAdding(generatorTimes: t)
        else { return nil }
        return KeyTweak(
            isNegated: isOdd != output.hasOddY, offset: output.hasOddY ? -(due + t) : due + t,
            publicKey: output.hasOddY ? -output : output)
    }

    public static func verifies(_ signature: [UInt8], of message: [UInt8], under key: Point) -> Bool
    {
        key.verifiesBIP340(signature, of: message)
    }

    /// BIP 340's tagged hash.
    private static func tagged(_ tag: String, _ bytes: [UInt8]) -> [UInt8] {
        let name = Digest.sha256(Array(tag.utf8)).bytes
        return Digest.sha256(name + name + bytes).bytes
    }
}

/// H1, H3, H4 and H5 of FROST over secp256k1 (RFC 9591 section 6.5), under one context.
struct FieldHashes: Sendable {
    private let context: [UInt8]

    init(_ context: String) { self.context = Array(context.utf8) }

    func scalar(_ domain: String, _ input: [UInt8]) -> Scalar {
        secretScalar(domain, SecretBytes(copying: input)).published()
    }

    func secretScalar(_ domain: String, _ input: borrowing SecretBytes) -> SecretScalar {
        SecretScalar(hashingToField: input, domain: context + Array(domain.utf8))
    }

    func hash(_ domain: String, _ input: [UInt8]) -> [UInt8] {
        Digest.sha256(context + Array(domain.utf8) + input).bytes
    }
}
