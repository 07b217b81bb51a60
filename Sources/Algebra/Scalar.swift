import Canonical

/// A public integer modulo the order of its group: an index, a Lagrange coefficient, a derivation
/// offset, half of a signature. A secret one is a `SecretScalar`.
public struct GroupScalar<Group: PrimeGroup>: Equatable, Sendable {
    public static var byteCount: Int { 32 }

    let limbs: Limbs

    init(limbs: Limbs) { self.limbs = limbs }

    public init(_ small: UInt64) { limbs = Limbs(small, 0, 0, 0) }

    /// The integer with these 32 bytes, or nil if they are not 32 or the order is not above it.
    public init?(canonical bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        let limbs = Array(bytes).withUnsafeBytes { Group.limbs($0.baseAddress!) }
        guard Group.isCanonical(limbs) == 1 else { return nil }
        self.limbs = limbs
    }

    /// 32 big-endian bytes as an integer modulo the order: how a digest becomes a scalar.
    public init(reducing bytes: [UInt8]) {
        precondition(bytes.count == Self.byteCount, "a digest has 32 bytes")
        limbs = bytes.withUnsafeBytes { Group.reduced(bigEndian: $0.baseAddress!) }
    }

    public static var zero: Self { Self(0) }
    public static var one: Self { Self(1) }

    /// 32 bytes: big-endian on secp256k1, little-endian on edwards25519.
    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { out, count in
            Group.write(limbs, to: out.baseAddress!)
            count = Self.byteCount
        }
    }

    public var isZero: Bool { limbs.isZero == 1 }

    public static func == (a: Self, b: Self) -> Bool { a.limbs.subtracting(b.limbs).0.isZero == 1 }
    public static func + (a: Self, b: Self) -> Self { Self(limbs: Group.sum(a.limbs, b.limbs)) }
    public static func - (a: Self, b: Self) -> Self {
        Self(limbs: Group.difference(a.limbs, b.limbs))
    }
    public static func * (a: Self, b: Self) -> Self { Self(limbs: Group.product(a.limbs, b.limbs)) }
    public static prefix func - (a: Self) -> Self { zero - a }

    /// The inverse by Fermat, x^(q−2); nil of zero. The exponent is public, so is the value.
    public var inverse: Self? {
        guard !isZero else { return nil }
        let exponent = Group.inverseExponent
        var result = Limbs(1, 0, 0, 0)
        for word in [exponent.l3, exponent.l2, exponent.l1, exponent.l0] {
            for bit in (0..<64).reversed() {
                result = Group.product(result, result)
                if word >> UInt64(bit) & 1 == 1 { result = Group.product(result, limbs) }
            }
        }
        return Self(limbs: result)
    }
}

extension Scalar {
    /// Whether the integer is above n/2, as BIP 146 has it of a signature's s.
    public var isHigh: Bool {
        // Above n/2 exactly if doubling passes n: n is odd, so 2x ≠ n.
        let (doubled, overflow) = (limbs.l3 &<< 1 | limbs.l2 &>> 63, limbs.l3 &>> 63)
        let rest = Limbs(
            limbs.l0 &<< 1, limbs.l1 &<< 1 | limbs.l0 &>> 63, limbs.l2 &<< 1 | limbs.l1 &>> 63,
            doubled)
        return overflow == 1 || rest.isCanonical == 0
    }
}
