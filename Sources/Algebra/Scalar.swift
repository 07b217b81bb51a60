import Canonical

/// A public integer modulo the order n of secp256k1's group: an index, a Lagrange coefficient, a
/// derivation offset, half of a signature. A secret one is a `SecretScalar`.
public struct Scalar: Equatable, Sendable {
    public static let byteCount = 32

    let limbs: Limbs

    init(limbs: Limbs) { self.limbs = limbs }

    public init(_ small: UInt64) { limbs = Limbs(small, 0, 0, 0) }

    /// The integer with these 32 big-endian bytes, or nil if they are not 32 or n is not above it.
    public init?(canonical bytes: some Collection<UInt8>) {
        guard let limbs = Self.unreduced(bytes), limbs.isCanonical == 1 else { return nil }
        self.limbs = limbs
    }

    /// 32 big-endian bytes as an integer modulo n: how a digest becomes a scalar.
    public init(reducing bytes: [UInt8]) {
        precondition(bytes.count == Self.byteCount, "a digest has 32 bytes")
        limbs = bytes.withUnsafeBytes { Limbs(bigEndian: $0.baseAddress!) }.reducedOnce()
    }

    private static func unreduced(_ bytes: some Collection<UInt8>) -> Limbs? {
        guard bytes.count == byteCount else { return nil }
        return Array(bytes).withUnsafeBytes { Limbs(bigEndian: $0.baseAddress!) }
    }

    public static let zero = Scalar(0)
    public static let one = Scalar(1)

    /// 32 bytes, big-endian.
    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { out, count in
            limbs.write(bigEndianTo: out.baseAddress!)
            count = Self.byteCount
        }
    }

    public var isZero: Bool { limbs.isZero == 1 }

    /// Whether the integer is above n/2, as BIP 146 has it of a signature's s.
    public var isHigh: Bool {
        // Above n/2 exactly if doubling passes n: n is odd, so 2x ≠ n.
        let (doubled, overflow) = (limbs.l3 &<< 1 | limbs.l2 &>> 63, limbs.l3 &>> 63)
        let rest = Limbs(
            limbs.l0 &<< 1, limbs.l1 &<< 1 | limbs.l0 &>> 63, limbs.l2 &<< 1 | limbs.l1 &>> 63,
            doubled)
        return overflow == 1 || rest.isCanonical == 0
    }

    public static func == (a: Scalar, b: Scalar) -> Bool {
        a.limbs.subtracting(b.limbs).0.isZero == 1
    }
    public static func + (a: Scalar, b: Scalar) -> Scalar { Scalar(limbs: a.limbs + b.limbs) }
    public static func - (a: Scalar, b: Scalar) -> Scalar { Scalar(limbs: a.limbs - b.limbs) }
    public static func * (a: Scalar, b: Scalar) -> Scalar { Scalar(limbs: a.limbs * b.limbs) }
    public static prefix func - (a: Scalar) -> Scalar { Scalar(limbs: Limbs.zero - a.limbs) }

    /// The inverse by Fermat, x^(n−2); nil of zero. The exponent is public, so is the value.
    public var inverse: Scalar? {
        guard !isZero else { return nil }
        let exponent = Limbs.order.subtracting(Limbs(2, 0, 0, 0)).0
        var result = Limbs(1, 0, 0, 0)
        for word in [exponent.l3, exponent.l2, exponent.l1, exponent.l0] {
            for bit in (0..<64).reversed() {
                result = result * result
                if word >> UInt64(bit) & 1 == 1 { result = result * limbs }
            }
        }
        return Scalar(limbs: result)
    }
}
