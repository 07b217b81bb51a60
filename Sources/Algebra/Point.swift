import CSecp256k1
import Canonical

/// A point of its group other than the identity, which has no encoding and no value here: an
/// operation that would give it answers nil, and the protocol aborts.
public struct GroupPoint<Group: PrimeGroup>: Sendable {
    /// 33 on secp256k1, 32 on edwards25519.
    public static var byteCount: Int { Group.pointBytes }

    let raw: Group.RawPoint

    init(raw: Group.RawPoint) { self.raw = raw }

    /// The point in compressed form, or nil if the bytes are not the one encoding of a point of the
    /// group.
    public init?(compressed bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount, let raw = Group.point(Array(bytes)) else { return nil }
        self.raw = raw
    }

    /// SEC 1's compressed form, or RFC 8032's encoding.
    public var compressed: [UInt8] { Group.bytes(raw) }

    /// The sum, or nil if it is the identity. Not constant time where two of the points are equal
    /// or opposite.
    public static func sum(_ points: [Self]) -> Self? {
        points.count == 1 ? points[0] : Group.sum(points.map(\.raw)).map { Self(raw: $0) }
    }

    public static func + (a: Self, b: Self) -> Self? { sum([a, b]) }
    public static prefix func - (a: Self) -> Self { Self(raw: Group.negative(a.raw)) }

    /// `scalar·self` of public values, or nil of zero. **Variable time.**
    public func variableTimeTimes(_ scalar: GroupScalar<Group>) -> Self? {
        if scalar == .one { return self }
        return Group.variableTimeTimes(scalar.limbs, raw).map { Self(raw: $0) }
    }

    /// `scalar·P` of a point that is still encoded, checked and multiplied at once; nil if the
    /// bytes are no point of the group or the scalar is zero. **Variable time.**
    public static func variableTimeTimes(
        _ scalar: GroupScalar<Group>, encoded: some Collection<UInt8>
    ) -> Self? {
        Group.variableTimeTimes(scalar.limbs, encoded: Array(encoded)).map { Self(raw: $0) }
    }

    /// `self + scalar·G` of public values, or nil if it is the identity. **Variable time.**
    public func variableTimeAdding(generatorTimes scalar: GroupScalar<Group>) -> Self? {
        Group.variableTimeAdding(raw, generatorTimes: scalar.limbs).map { Self(raw: $0) }
    }
}

extension GroupPoint: Equatable {
    public static func == (a: Self, b: Self) -> Bool { Group.areEqual(a.raw, b.raw) }
}

extension GroupPoint: CustomStringConvertible {
    public var description: String { Hex.encode(compressed) }
}

// What only secp256k1's callers need.
extension GroupPoint where Group == Secp256k1 {
    /// The point with the coordinates x || y, 64 bytes, or nil if it is not on the curve.
    init?(coordinates: UnsafeRawBufferPointer) {
        var raw = secp256k1_pubkey()
        let input = [0x04] + coordinates
        guard secp256k1_ec_pubkey_parse(Library.secp256k1, &raw, input, input.count) == 1 else {
            return nil
        }
        self.raw = raw
    }

    /// x || y, 64 bytes: SEC 1's uncompressed form without its 04.
    public var coordinates: [UInt8] {
        Array(Secp256k1.serialized(raw, 65, UInt32(SECP256K1_EC_UNCOMPRESSED)).dropFirst())
    }

    /// The x coordinate, 32 bytes: BIP 340's form of a public key.
    public var x: [UInt8] { Array(compressed.dropFirst()) }

    /// Whether the y coordinate is odd.
    public var hasOddY: Bool { compressed[0] == 3 }

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
