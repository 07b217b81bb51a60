/// A 256-bit integer as four 64-bit limbs, least significant first; the arithmetic here is modulo
/// the order n of secp256k1's group, of integers below n.
///
/// Every operation takes the same steps whatever the value: no branch and no address depends on
/// one. Rooms above see `Scalar` for public values and `SecretScalar` for secrets, never this.
public struct Limbs: Sendable {
    var l0, l1, l2, l3: UInt64

    /// The integer `small`, and the lowest limb: for groups that a test makes up.
    public init(_ small: UInt64) { self.init(small, 0, 0, 0) }
    public var lowest: UInt64 { l0 }

    /// The same limbs, each as its little-endian bytes lie in memory.
    var littleEndian: Limbs {
        Limbs(l0.littleEndian, l1.littleEndian, l2.littleEndian, l3.littleEndian)
    }

    @inline(__always)
    init(_ l0: UInt64, _ l1: UInt64, _ l2: UInt64, _ l3: UInt64) {
        (self.l0, self.l1, self.l2, self.l3) = (l0, l1, l2, l3)
    }

    static let zero = Limbs(0, 0, 0, 0)

    /// The group order n, SEC 2 section 2.4.1.
    @inline(__always) static var order: Limbs {
        Limbs(0xbfd2_5e8c_d036_4141, 0xbaae_dce6_af48_a03b, 0xffff_ffff_ffff_fffe, .max)
    }

    /// 2^256 − n = c₀ + c₁·2^64 + 2^128; by it everything above 2^256 is folded.
    @inline(__always) static var c0: UInt64 { 0x402d_a173_2fc9_bebf }
    @inline(__always) static var c1: UInt64 { 0x4551_2319_50b7_5fc4 }

    /// The four limbs of 32 big-endian bytes, without reduction.
    @inline(__always)
    init(bigEndian bytes: UnsafeRawPointer) {
        self.init(
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)),
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)))
    }

    @inline(__always)
    func write(bigEndianTo out: UnsafeMutableRawPointer) {
        out.storeBytes(of: l3.bigEndian, toByteOffset: 0, as: UInt64.self)
        out.storeBytes(of: l2.bigEndian, toByteOffset: 8, as: UInt64.self)
        out.storeBytes(of: l1.bigEndian, toByteOffset: 16, as: UInt64.self)
        out.storeBytes(of: l0.bigEndian, toByteOffset: 24, as: UInt64.self)
    }

    /// `self − other` and the borrow, 0 or 1, without reduction.
    @inline(__always)
    func subtracting(_ other: Limbs) -> (Limbs, borrow: UInt64) {
        let (d0, b0) = Self.subtract(l0, other.l0, 0)
        let (d1, b1) = Self.subtract(l1, other.l1, b0)
        let (d2, b2) = Self.subtract(l2, other.l2, b1)
        let (d3, b3) = Self.subtract(l3, other.l3, b2)
        return (Limbs(d0, d1, d2, d3), b3)
    }

    @inline(__always)
    private static func subtract(
        _ a: UInt64, _ b: UInt64, _ borrow: UInt64
    ) -> (UInt64, UInt64) {
        let wide = UInt128(a) &- UInt128(b) &- UInt128(borrow)
        return (UInt64(truncatingIfNeeded: wide), UInt64(truncatingIfNeeded: wide &>> 64) & 1)
    }

    @inline(__always)
    private static func add(_ a: UInt64, _ b: UInt64, _ carry: UInt64) -> (UInt64, UInt64) {
        let wide = UInt128(a) &+ UInt128(b) &+ UInt128(carry)
        return (UInt64(truncatingIfNeeded: wide), UInt64(truncatingIfNeeded: wide &>> 64))
    }

    /// `self` where `mask` is 0, `other` where it is all ones.
    @inline(__always)
    func selecting(_ other: Limbs, mask: UInt64) -> Limbs {
        Limbs(
            l0 ^ (mask & (l0 ^ other.l0)), l1 ^ (mask & (l1 ^ other.l1)),
            l2 ^ (mask & (l2 ^ other.l2)), l3 ^ (mask & (l3 ^ other.l3)))
    }

    @inline(__always)
    func masked(_ mask: UInt64) -> Limbs {
        Limbs(l0 & mask, l1 & mask, l2 & mask, l3 & mask)
    }

    /// A value below 2^256, brought below n.
    @inline(__always)
    func reducedOnce() -> Limbs {
        let (less, borrow) = subtracting(.order)
        return less.selecting(self, mask: 0 &- borrow)
    }

    /// 1 if the limbs, taken as an integer, are below n, else 0.
    @inline(__always) var isCanonical: UInt64 { subtracting(.order).borrow }

    /// 1 if the value is zero, else 0.
    @inline(__always) var isZero: UInt64 {
        let any = l0 | l1 | l2 | l3
        return ((any | (0 &- any)) &>> 63) ^ 1
    }

    @inline(__always)
    static func + (a: Limbs, b: Limbs) -> Limbs {
        let (s0, c0) = add(a.l0, b.l0, 0)
        let (s1, c1) = add(a.l1, b.l1, c0)
        let (s2, c2) = add(a.l2, b.l2, c1)
        let (s3, c3) = add(a.l3, b.l3, c2)
        let sum = Limbs(s0, s1, s2, s3)
        let (less, borrow) = sum.subtracting(.order)
        // The sum is at least n exactly if it carried or the subtraction did not borrow.
        return less.selecting(sum, mask: 0 &- (borrow & (c3 ^ 1)))
    }

    @inline(__always)
    static func - (a: Limbs, b: Limbs) -> Limbs {
        let (difference, borrow) = a.subtracting(b)
        let n = order.masked(0 &- borrow)
        let (s0, c0) = add(difference.l0, n.l0, 0)
        let (s1, c1) = add(difference.l1, n.l1, c0)
        let (s2, c2) = add(difference.l2, n.l2, c1)
        let (s3, _) = add(difference.l3, n.l3, c2)
        return Limbs(s0, s1, s2, s3)
    }

    @inline(__always)
    static func * (a: Limbs, b: Limbs) -> Limbs {
        var product = WideProduct()
        product.add(a, b)
        return product.reduced()
    }
}

/// A sum of up to 2^32 scalars and products of two, reduced once at the end.
struct WideProduct {
    private var w0: UInt64 = 0, w1: UInt64 = 0, w2: UInt64 = 0, w3: UInt64 = 0, w4: UInt64 = 0
    private var w5: UInt64 = 0, w6: UInt64 = 0, w7: UInt64 = 0, w8: UInt64 = 0

    @inline(__always) init() {}

    @inline(__always)
    init(_ start: Limbs) { (w0, w1, w2, w3) = (start.l0, start.l1, start.l2, start.l3) }

    /// `word + a·b + carry`: low word, and high word as the next carry.
    @inline(__always)
    private static func step(
        _ word: UInt64, _ a: UInt64, _ b: UInt64, _ carry: UInt64
    ) -> (UInt64, UInt64) {
        let wide = UInt128(a) &* UInt128(b) &+ UInt128(word) &+ UInt128(carry)
        return (UInt64(truncatingIfNeeded: wide), UInt64(truncatingIfNeeded: wide &>> 64))
    }

    @inline(__always)
    private static func carry(_ word: UInt64, _ carry: UInt64) -> (UInt64, UInt64) {
        let wide = UInt128(word) &+ UInt128(carry)
        return (UInt64(truncatingIfNeeded: wide), UInt64(truncatingIfNeeded: wide &>> 64))
    }

    @inline(__always)
    mutating func add(_ a: Limbs) {
        var c: UInt64
        (w0, c) = Self.carry(w0, a.l0)
        (w1, c) = Self.carry2(w1, a.l1, c)
        (w2, c) = Self.carry2(w2, a.l2, c)
        (w3, c) = Self.carry2(w3, a.l3, c)
        (w4, c) = Self.carry(w4, c)
        (w5, c) = Self.carry(w5, c)
        (w6, c) = Self.carry(w6, c)
        (w7, c) = Self.carry(w7, c)
        w8 = w8 &+ c
    }

    @inline(__always)
    mutating func add(_ a: Limbs, _ b: Limbs) {
        var c: UInt64
        (w0, c) = Self.step(w0, a.l0, b.l0, 0)
        (w1, c) = Self.step(w1, a.l0, b.l1, c)
        (w2, c) = Self.step(w2, a.l0, b.l2, c)
        (w3, c) = Self.step(w3, a.l0, b.l3, c)
        let first = c
        (w1, c) = Self.step(w1, a.l1, b.l0, 0)
        (w2, c) = Self.step(w2, a.l1, b.l1, c)
        (w3, c) = Self.step(w3, a.l1, b.l2, c)
        (w4, c) = Self.step(w4, a.l1, b.l3, c)
        let second = c
        (w2, c) = Self.step(w2, a.l2, b.l0, 0)
        (w3, c) = Self.step(w3, a.l2, b.l1, c)
        (w4, c) = Self.step(w4, a.l2, b.l2, c)
        (w5, c) = Self.step(w5, a.l2, b.l3, c)
        let third = c
        (w3, c) = Self.step(w3, a.l3, b.l0, 0)
        (w4, c) = Self.step(w4, a.l3, b.l1, c)
        (w5, c) = Self.step(w5, a.l3, b.l2, c)
        (w6, c) = Self.step(w6, a.l3, b.l3, c)
        let fourth = c
        (w4, c) = Self.carry(w4, first)
        (w5, c) = Self.carry2(w5, second, c)
        (w6, c) = Self.carry2(w6, third, c)
        (w7, c) = Self.carry2(w7, fourth, c)
        w8 = w8 &+ c
    }

    @inline(__always)
    private static func carry2(
        _ word: UInt64, _ a: UInt64, _ b: UInt64
    ) -> (UInt64, UInt64) {
        let wide = UInt128(word) &+ UInt128(a) &+ UInt128(b)
        return (UInt64(truncatingIfNeeded: wide), UInt64(truncatingIfNeeded: wide &>> 64))
    }

    /// The sum modulo n: what stands above 2^256 is folded three times by 2^256 ≡ c (mod n).
    @inline(__always)
    func reduced() -> Limbs {
        // First: w4…w8 (at most 2^288) times c (below 2^129): seven words.
        let (r0, r1, r2, r3, r4, r5, r6) = Self.fold(w0, w1, w2, w3, w4, w5, w6, w7, w8)
        // Second: r4…r6 (below 2^162) times c: below 2^292, five words.
        let (s0, s1, s2, s3, s4, _, _) = Self.fold(r0, r1, r2, r3, r4, r5, r6, 0, 0)
        // Third: s4 (below 2^36) times c: a carry at most.
        let (t0, t1, t2, t3, t4, _, _) = Self.fold(s0, s1, s2, s3, s4, 0, 0, 0, 0)
        // Fourth: after a carry the rest is below 2^166, so that it cannot carry again.
        let (u0, u1, u2, u3, _, _, _) = Self.fold(t0, t1, t2, t3, t4, 0, 0, 0, 0)
        return Limbs(u0, u1, u2, u3).reducedOnce()
    }

    /// `low + high·c` where high has five words, as seven words.
    @inline(__always)
    private static func fold(
        _ l0: UInt64, _ l1: UInt64, _ l2: UInt64, _ l3: UInt64,
        _ h0: UInt64, _ h1: UInt64, _ h2: UInt64, _ h3: UInt64, _ h4: UInt64
    ) -> (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) {
        var c: UInt64
        var (r0, r1, r2, r3, r4, r5, r6) = (l0, l1, l2, l3, UInt64(0), UInt64(0), UInt64(0))
        (r0, c) = step(r0, h0, Limbs.c0, 0)
        (r1, c) = step(r1, h1, Limbs.c0, c)
        (r2, c) = step(r2, h2, Limbs.c0, c)
        (r3, c) = step(r3, h3, Limbs.c0, c)
        (r4, c) = step(r4, h4, Limbs.c0, c)
        r5 = c
        (r1, c) = step(r1, h0, Limbs.c1, 0)
        (r2, c) = step(r2, h1, Limbs.c1, c)
        (r3, c) = step(r3, h2, Limbs.c1, c)
        (r4, c) = step(r4, h3, Limbs.c1, c)
        (r5, c) = step(r5, h4, Limbs.c1, c)
        r6 = c
        (r2, c) = carry(r2, h0)
        (r3, c) = carry2(r3, h1, c)
        (r4, c) = carry2(r4, h2, c)
        (r5, c) = carry2(r5, h3, c)
        (r6, _) = carry2(r6, h4, c)
        return (r0, r1, r2, r3, r4, r5, r6)
    }
}
