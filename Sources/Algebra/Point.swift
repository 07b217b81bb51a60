import CSecp256k1
import Canonical

/// A point of secp256k1's group other than the identity, which has no encoding and no value here:
/// an operation that would give it answers nil, and the protocol aborts.
public struct Point: Sendable {
    /// SEC 1 compressed form: 02 or 03 and the x coordinate.
    public static let byteCount = 33

    let raw: secp256k1_pubkey

    init(raw: secp256k1_pubkey) { self.raw = raw }

    /// The point in compressed form, or nil if the bytes are not 33, not 02/03, or not on the
    /// curve.
    public init?(compressed bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var raw = secp256k1_pubkey()
        let input = Array(bytes)
        guard secp256k1_ec_pubkey_parse(Library.secp256k1, &raw, input, input.count) == 1 else {
            return nil
        }
        self.raw = raw
    }

    /// The point with the coordinates x || y, 64 bytes, or nil if it is not on the curve.
    init?(coordinates: UnsafeRawBufferPointer) {
        var raw = secp256k1_pubkey()
        let input = [0x04] + coordinates
        guard secp256k1_ec_pubkey_parse(Library.secp256k1, &raw, input, input.count) == 1 else {
            return nil
        }
        self.raw = raw
    }

    public var compressed: [UInt8] { serialized(33, UInt32(SECP256K1_EC_COMPRESSED)) }

    /// The compressed form of a point that is a secret, in memory that is wiped.
    public var secretlyCompressed: SecretBytes {
        var raw = raw
        var bytes = SecretBytes(count: Self.byteCount)
        var count = Self.byteCount
        bytes.withMutableBytes { out in
            _ = secp256k1_ec_pubkey_serialize(
                Library.secp256k1, out.bindMemory(to: UInt8.self).baseAddress!, &count, &raw,
                UInt32(SECP256K1_EC_COMPRESSED))
        }
        return bytes
    }

    /// x || y, 64 bytes: SEC 1's uncompressed form without its 04.
    public var coordinates: [UInt8] {
        Array(serialized(65, UInt32(SECP256K1_EC_UNCOMPRESSED)).dropFirst())
    }

    private func serialized(_ size: Int, _ form: UInt32) -> [UInt8] {
        var raw = raw
        return [UInt8](unsafeUninitializedCapacity: size) { out, count in
            count = size
            _ = secp256k1_ec_pubkey_serialize(
                Library.secp256k1, out.baseAddress!, &count, &raw, form)
        }
    }

    /// The sum, or nil if it is the identity. Not constant time where two of the points are equal
    /// or opposite.
    public static func sum(_ points: [Point]) -> Point? {
        if points.count == 1 { return points[0] }
        let raws = points.map(\.raw)
        var out = secp256k1_pubkey()
        let made = raws.withUnsafeBufferPointer { raws in
            let pointers = raws.indices.map { Optional(raws.baseAddress! + $0) }
            return secp256k1_ec_pubkey_combine(
                Library.secp256k1, &out, pointers, pointers.count)
        }
        return made == 1 ? Point(raw: out) : nil
    }

    public static func + (a: Point, b: Point) -> Point? { sum([a, b]) }

    public static prefix func - (a: Point) -> Point {
        var raw = a.raw
        _ = secp256k1_ec_pubkey_negate(Library.secp256k1, &raw)
        return Point(raw: raw)
    }

    /// `scalar·self` of public values, or nil of zero. **Variable time.**
    public func variableTimeTimes(_ scalar: Scalar) -> Point? {
        var raw = raw
        guard secp256k1_ec_pubkey_tweak_mul(Library.secp256k1, &raw, scalar.bytes) == 1 else {
            return nil
        }
        return Point(raw: raw)
    }

    /// `self + scalar·G` of public values, or nil if it is the identity. **Variable time.**
    public func variableTimeAdding(generatorTimes scalar: Scalar) -> Point? {
        var raw = raw
        guard secp256k1_ec_pubkey_tweak_add(Library.secp256k1, &raw, scalar.bytes) == 1 else {
            return nil
        }
        return Point(raw: raw)
    }

    /// `zero` where `bit` is 0, `one` where it is 1, by a choice that may be secret.
    public static func constantTimeSelect(_ bit: UInt8, _ zero: Point, _ one: Point) -> Point {
        var chosen = zero.raw
        let mask = 0 &- bit
        withUnsafeMutableBytes(of: &chosen) { out in
            withUnsafeBytes(of: one.raw) { one in
                for at in out.indices { out[at] ^= mask & (out[at] ^ one[at]) }
            }
        }
        return Point(raw: chosen)
    }
}

extension Point: Equatable {
    public static func == (a: Point, b: Point) -> Bool {
        var (x, y) = (a.raw, b.raw)
        return secp256k1_ec_pubkey_cmp(Library.secp256k1, &x, &y) == 0
    }
}

extension Point: CustomStringConvertible {
    public var description: String { Hex.encode(compressed) }
}
