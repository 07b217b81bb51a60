/// A group of prime order q in which discrete logarithms are hard, as one C library computes in it.
///
/// What a protocol needs of a group and nothing else, on bare limbs: rooms above compute with
/// `Group.Scalar`, `Group.SecretScalar` and `Group.Point`, so that numbers and points of two groups
/// cannot meet. What takes secrets is constant time; what is not says so.
public protocol PrimeGroup: Sendable {
    /// A point other than the identity, as the library holds it.
    associatedtype RawPoint: Sendable

    /// Size of an encoded point.
    static var pointBytes: Int { get }
    /// q − 2: the exponent that inverts.
    static var inverseExponent: Limbs { get }

    // Integers. Arguments and results are below q but where another range is named.

    static func sum(_ a: Limbs, _ b: Limbs) -> Limbs
    static func difference(_ a: Limbs, _ b: Limbs) -> Limbs
    static func product(_ a: Limbs, _ b: Limbs) -> Limbs
    /// 1 if the limbs, taken as an integer, are below q, else 0.
    static func isCanonical(_ a: Limbs) -> UInt64
    /// 32 bytes in the group's own order, any integer below 2^256.
    static func limbs(_ bytes: UnsafeRawPointer) -> Limbs
    static func write(_ a: Limbs, to out: UnsafeMutableRawPointer)
    /// 32 big-endian bytes modulo q: how a digest becomes a scalar.
    static func reduced(bigEndian bytes: UnsafeRawPointer) -> Limbs
    /// What a draw of 32 random bytes proposes; it is drawn again if it is zero or not below q.
    static func candidate(_ bytes: UnsafeRawPointer) -> Limbs

    // Points. Nil where the result is the identity, which has no value here.

    /// Nil unless the bytes are the one encoding of a point of the group other than the identity.
    static func point(_ bytes: [UInt8]) -> RawPoint?
    static func bytes(_ point: RawPoint) -> [UInt8]
    static func sum(_ points: [RawPoint]) -> RawPoint?
    static func negative(_ point: RawPoint) -> RawPoint
    /// a·G, constant time.
    static func timesGenerator(_ a: UnsafePointer<Limbs>) -> RawPoint?
    /// a·P of public values. **Variable time.**
    static func variableTimeTimes(_ a: Limbs, _ point: RawPoint) -> RawPoint?
    /// a·P where P is still encoded; nil too if the bytes are no point. **Variable time.**
    static func variableTimeTimes(_ a: Limbs, encoded: [UInt8]) -> RawPoint?
    /// P + a·G of public values. **Variable time.**
    static func variableTimeAdding(_ point: RawPoint, generatorTimes a: Limbs) -> RawPoint?
    static func areEqual(_ a: RawPoint, _ b: RawPoint) -> Bool
}

extension PrimeGroup {
    public static func variableTimeTimes(_ a: Limbs, encoded: [UInt8]) -> RawPoint? {
        point(encoded).flatMap { variableTimeTimes(a, $0) }
    }

    public typealias Scalar = GroupScalar<Self>
    public typealias SecretScalar = GroupSecretScalar<Self>
    public typealias Point = GroupPoint<Self>
}

/// The group of secp256k1 (SEC 2 section 2.4.1): what ECDSA and BIP 340 sign in. Scalars have 32
/// big-endian bytes, points SEC 1's compressed form.
public enum Secp256k1: PrimeGroup {}

/// The prime-order subgroup of edwards25519 (RFC 8032 section 5.1). Scalars have 32 little-endian
/// bytes; points are encoded as there, and no point of small or mixed order is one.
public enum Ed25519: PrimeGroup {}

/// secp256k1's, where nothing else is said.
public typealias Scalar = GroupScalar<Secp256k1>
public typealias SecretScalar = GroupSecretScalar<Secp256k1>
public typealias Point = GroupPoint<Secp256k1>
