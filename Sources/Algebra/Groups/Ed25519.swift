import CSodium

/// libsodium for everything: its operations on scalars and points are constant time, and its
/// multiplications refuse what is no point of the prime-order subgroup. Never the clamped forms.
extension Ed25519 {
    /// The 32 bytes of RFC 8032's encoding, which are unique.
    public typealias RawPoint = [UInt8]

    public static var pointBytes: Int { 32 }

    /// L = 2^252 + 27742317777372353535851937790883648493, RFC 8032 section 5.1.
    static var order: Limbs {
        Limbs(0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6, 0, 0x1000_0000_0000_0000)
    }

    public static var inverseExponent: Limbs { order.subtracting(Limbs(2, 0, 0, 0)).0 }

    public static func sum(_ a: Limbs, _ b: Limbs) -> Limbs {
        combine(a, b) { crypto_core_ed25519_scalar_add($0, $1, $2) }
    }

    public static func difference(_ a: Limbs, _ b: Limbs) -> Limbs {
        combine(a, b) { crypto_core_ed25519_scalar_sub($0, $1, $2) }
    }

    public static func product(_ a: Limbs, _ b: Limbs) -> Limbs {
        combine(a, b) { crypto_core_ed25519_scalar_mul($0, $1, $2) }
    }

    /// Limbs in memory are their 32 little-endian bytes, which is what libsodium takes.
    private static func combine(
        _ a: Limbs, _ b: Limbs,
        _ operation: (
            UnsafeMutablePointer<UInt8>, UnsafePointer<UInt8>, UnsafePointer<UInt8>
        ) -> Void
    ) -> Limbs {
        var (a, b, out) = (a.littleEndian, b.littleEndian, Limbs.zero)
        withUnsafeBytes(of: &a) { a in
            withUnsafeBytes(of: &b) { b in
                withUnsafeMutableBytes(of: &out) { out in
                    operation(
                        out.assumingMemoryBound(to: UInt8.self).baseAddress!,
                        a.assumingMemoryBound(to: UInt8.self).baseAddress!,
                        b.assumingMemoryBound(to: UInt8.self).baseAddress!)
                }
            }
        }
        return out.littleEndian
    }

    public static func isCanonical(_ a: Limbs) -> UInt64 { a.subtracting(order).borrow }

    public static func limbs(_ bytes: UnsafeRawPointer) -> Limbs {
        bytes.loadUnaligned(as: Limbs.self).littleEndian
    }

    public static func write(_ a: Limbs, to out: UnsafeMutableRawPointer) {
        out.storeBytes(of: a.littleEndian, as: Limbs.self)
    }

    /// The integer's 64 little-endian bytes, reduced by libsodium.
    public static func reduced(bigEndian bytes: UnsafeRawPointer) -> Limbs {
        var wide = SecretBytes(count: 64)
        wide.withMutableBytes { write(Limbs(bigEndian: bytes), to: $0.baseAddress!) }
        return reduced(wide: wide)
    }

    /// 64 little-endian bytes modulo L.
    static func reduced(wide bytes: borrowing SecretBytes) -> Limbs {
        precondition(bytes.count == 64, "a wide integer has 64 bytes")
        var out = SecretBytes(count: 32)
        bytes.withBytes { wide in
            out.withMutableBytes {
                crypto_core_ed25519_scalar_reduce(
                    $0.assumingMemoryBound(to: UInt8.self).baseAddress!,
                    wide.assumingMemoryBound(to: UInt8.self).baseAddress!)
            }
        }
        return out.withBytes { limbs($0.baseAddress!) }
    }

    /// The upper three bits are left out, so that every other draw is below L.
    public static func candidate(_ bytes: UnsafeRawPointer) -> Limbs {
        var drawn = limbs(bytes)
        drawn.l3 &= 0x1fff_ffff_ffff_ffff
        return drawn
    }

    public static func point(_ bytes: [UInt8]) -> [UInt8]? {
        bytes.count == pointBytes && crypto_core_ed25519_is_valid_point(bytes) == 1 ? bytes : nil
    }

    public static func bytes(_ point: [UInt8]) -> [UInt8] { point }

    public static func sum(_ points: [[UInt8]]) -> [UInt8]? {
        guard var sum = points.first else { return nil }
        for point in points.dropFirst() {
            var next = identity
            guard crypto_core_ed25519_add(&next, sum, point) == 0 else { return nil }
            sum = next
        }
        return sum == identity ? nil : sum
    }

    private static let identity: [UInt8] = [1] + [UInt8](repeating: 0, count: 31)

    /// The sign of x is the encoding's uppermost bit, and x is zero at no point of the group.
    public static func negative(_ point: [UInt8]) -> [UInt8] {
        var negative = point
        negative[31] ^= 0x80
        return negative
    }

    /// `base_noclamp`: takes reduced scalars alone, which all of ours are.
    public static func timesGenerator(_ a: UnsafePointer<Limbs>) -> [UInt8]? {
        var out = [UInt8](repeating: 0, count: pointBytes)
        let made = UnsafeRawPointer(a).withMemoryRebound(to: UInt8.self, capacity: 32) {
            crypto_scalarmult_ed25519_base_noclamp(&out, $0)
        }
        return made == 0 ? out : nil
    }

    public static func variableTimeTimes(_ a: Limbs, _ point: [UInt8]) -> [UInt8]? {
        var out = [UInt8](repeating: 0, count: pointBytes)
        let factor = GroupScalar<Self>(limbs: a).bytes
        return crypto_scalarmult_ed25519_noclamp(&out, factor, point) == 0 ? out : nil
    }

    /// libsodium's multiplication makes the checks of `point` itself, so they are made once.
    public static func variableTimeTimes(_ a: Limbs, encoded: [UInt8]) -> [UInt8]? {
        encoded.count == pointBytes ? variableTimeTimes(a, encoded) : nil
    }

    public static func variableTimeAdding(
        _ point: [UInt8], generatorTimes a: Limbs
    ) -> [UInt8]? {
        guard a.isZero == 0 else { return point }
        return withUnsafePointer(to: a) { timesGenerator($0) }.flatMap { sum([point, $0]) }
    }

    public static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        constantTimeEqual(a, b)
    }
}
