import CSecp256k1

/// libsecp256k1 for points, our own limbs for integers.
extension Secp256k1 {
    public typealias RawPoint = secp256k1_pubkey

    public static var pointBytes: Int { 33 }
    public static var inverseExponent: Limbs { Limbs.order.subtracting(Limbs(2, 0, 0, 0)).0 }

    public static func sum(_ a: Limbs, _ b: Limbs) -> Limbs { a + b }
    public static func difference(_ a: Limbs, _ b: Limbs) -> Limbs { a - b }
    public static func product(_ a: Limbs, _ b: Limbs) -> Limbs { a * b }
    public static func isCanonical(_ a: Limbs) -> UInt64 { a.isCanonical }
    public static func limbs(_ bytes: UnsafeRawPointer) -> Limbs { Limbs(bigEndian: bytes) }
    public static func candidate(_ bytes: UnsafeRawPointer) -> Limbs { Limbs(bigEndian: bytes) }

    public static func write(_ a: Limbs, to out: UnsafeMutableRawPointer) {
        a.write(bigEndianTo: out)
    }

    public static func reduced(bigEndian bytes: UnsafeRawPointer) -> Limbs {
        Limbs(bigEndian: bytes).reducedOnce()
    }

    public static func point(_ bytes: [UInt8]) -> secp256k1_pubkey? {
        var raw = secp256k1_pubkey()
        return secp256k1_ec_pubkey_parse(Library.secp256k1, &raw, bytes, bytes.count) == 1
            ? raw : nil
    }

    public static func bytes(_ point: secp256k1_pubkey) -> [UInt8] {
        serialized(point, pointBytes, UInt32(SECP256K1_EC_COMPRESSED))
    }

    static func serialized(_ point: secp256k1_pubkey, _ size: Int, _ form: UInt32) -> [UInt8] {
        var raw = point
        return [UInt8](unsafeUninitializedCapacity: size) { out, count in
            count = size
            _ = secp256k1_ec_pubkey_serialize(
                Library.secp256k1, out.baseAddress!, &count, &raw, form)
        }
    }

    public static func sum(_ points: [secp256k1_pubkey]) -> secp256k1_pubkey? {
        guard !points.isEmpty else { return nil }
        var out = secp256k1_pubkey()
        let made = points.withUnsafeBufferPointer { points in
            let pointers = points.indices.map { Optional(points.baseAddress! + $0) }
            return secp256k1_ec_pubkey_combine(
                Library.secp256k1, &out, pointers, pointers.count)
        }
        return made == 1 ? out : nil
    }

    public static func negative(_ point: secp256k1_pubkey) -> secp256k1_pubkey {
        var raw = point
        _ = secp256k1_ec_pubkey_negate(Library.secp256k1, &raw)
        return raw
    }

    /// `ec_pubkey_create`, constant time.
    public static func timesGenerator(_ a: UnsafePointer<Limbs>) -> secp256k1_pubkey? {
        var key = SecretBytes(count: 32)
        key.withMutableBytes { a.pointee.write(bigEndianTo: $0.baseAddress!) }
        var point = secp256k1_pubkey()
        let made = key.withBytes {
            secp256k1_ec_pubkey_create(
                Library.secp256k1, &point, $0.assumingMemoryBound(to: UInt8.self).baseAddress!)
        }
        return made == 1 ? point : nil
    }

    public static func variableTimeTimes(
        _ a: Limbs, _ point: secp256k1_pubkey
    ) -> secp256k1_pubkey? {
        var raw = point
        let factor = GroupScalar<Self>(limbs: a).bytes
        return secp256k1_ec_pubkey_tweak_mul(Library.secp256k1, &raw, factor) == 1 ? raw : nil
    }

    public static func variableTimeAdding(
        _ point: secp256k1_pubkey, generatorTimes a: Limbs
    ) -> secp256k1_pubkey? {
        var raw = point
        let term = GroupScalar<Self>(limbs: a).bytes
        return secp256k1_ec_pubkey_tweak_add(Library.secp256k1, &raw, term) == 1 ? raw : nil
    }

    /// By encodings, without an early exit, unlike the library's own comparison.
    public static func areEqual(_ a: secp256k1_pubkey, _ b: secp256k1_pubkey) -> Bool {
        constantTimeEqual(bytes(a), bytes(b))
    }
}
