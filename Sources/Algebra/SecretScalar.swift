import CSecp256k1
import CSodium

/// A secret integer modulo the order of its group, in memory that is wiped.
///
/// Arithmetic is constant time. What may be sent of it leaves by `published()`, so that every place
/// where a secret becomes public can be found by that word.
public struct GroupSecretScalar<Group: PrimeGroup>: ~Copyable, @unchecked Sendable {
    private let memory: UnsafeMutablePointer<Limbs>

    init(limbs: Limbs) {
        memory = .allocate(capacity: 1)
        memory.initialize(to: limbs)
    }

    deinit {
        sodium_memzero(memory, MemoryLayout<Limbs>.size)
        memory.deallocate()
    }

    var limbs: Limbs { memory.pointee }

    /// Uniform in 1…q−1: 32 bytes at a time until they are such an integer.
    public init(random: inout some RandomSource & ~Copyable) {
        memory = .allocate(capacity: 1)
        memory.initialize(to: .zero)
        repeat {
            random.fill(UnsafeMutableRawBufferPointer(start: memory, count: 32))
            memory.pointee = Group.candidate(memory)
        } while Group.isCanonical(memory.pointee) == 0 || memory.pointee.isZero == 1
    }

    /// 32 big-endian bytes modulo the order.
    public init(reducing bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == GroupScalar<Group>.byteCount, "a scalar has 32 bytes")
        self.init(limbs: Group.reduced(bigEndian: bytes.baseAddress!))
    }

    /// The integer with these 32 bytes, or nil if they are not 32 or the order is not above it.
    public init?(canonical bytes: UnsafeRawBufferPointer) {
        guard bytes.count == GroupScalar<Group>.byteCount else { return nil }
        let limbs = Group.limbs(bytes.baseAddress!)
        guard Group.isCanonical(limbs) == 1 else { return nil }
        self.init(limbs: limbs)
    }

    /// The integer with these 32 big-endian bytes, on either group, as files spell it; nil as
    /// above.
    public init?(canonicalBigEndian bytes: UnsafeRawBufferPointer) {
        guard bytes.count == GroupScalar<Group>.byteCount else { return nil }
        let limbs = Limbs(bigEndian: bytes.baseAddress!)
        guard Group.isCanonical(limbs) == 1 else { return nil }
        self.init(limbs: limbs)
    }

    /// 32 big-endian bytes, on either group.
    public borrowing func bigEndian() -> SecretBytes {
        var bytes = SecretBytes(count: GroupScalar<Group>.byteCount)
        bytes.withMutableBytes { limbs.write(bigEndianTo: $0.baseAddress!) }
        return bytes
    }

    /// A value that is known to others and is calculated with as a secret.
    public init(_ known: GroupScalar<Group>) { self.init(limbs: known.limbs) }

    public borrowing func copy() -> Self { Self(limbs: limbs) }

    /// The value itself, for a message or an output: says that it may be known from now on.
    public borrowing func published() -> GroupScalar<Group> { GroupScalar(limbs: limbs) }

    /// 32 bytes: big-endian on secp256k1, little-endian on edwards25519.
    public borrowing func encoded() -> SecretBytes {
        var bytes = SecretBytes(count: GroupScalar<Group>.byteCount)
        bytes.withMutableBytes { Group.write(limbs, to: $0.baseAddress!) }
        return bytes
    }

    /// Whether the value is zero; the answer is public.
    public var isZero: Bool { limbs.isZero == 1 }

    public static func + (a: borrowing Self, b: borrowing Self) -> Self {
        Self(limbs: Group.sum(a.limbs, b.limbs))
    }
    public static func - (a: borrowing Self, b: borrowing Self) -> Self {
        Self(limbs: Group.difference(a.limbs, b.limbs))
    }
    public static func * (a: borrowing Self, b: borrowing Self) -> Self {
        Self(limbs: Group.product(a.limbs, b.limbs))
    }
    public static func + (a: borrowing Self, b: GroupScalar<Group>) -> Self {
        Self(limbs: Group.sum(a.limbs, b.limbs))
    }
    public static func * (a: borrowing Self, b: GroupScalar<Group>) -> Self {
        Self(limbs: Group.product(a.limbs, b.limbs))
    }
    public static func - (a: GroupScalar<Group>, b: borrowing Self) -> Self {
        Self(limbs: Group.difference(a.limbs, b.limbs))
    }

    /// `self·G`, or nil of zero, in constant time.
    public borrowing func timesGenerator() -> GroupPoint<Group>? {
        Group.timesGenerator(memory).map { GroupPoint(raw: $0) }
    }
}

extension GroupSecretScalar where Group == Secp256k1 {
    /// `self·point`, or nil of zero (`ecdh` with the coordinates in place of their hash: the
    /// library's constant-time multiplication, unlike `ec_pubkey_tweak_mul`).
    public borrowing func times(_ point: Point) -> Point? {
        let key = encoded()
        var raw = point.raw
        var coordinates = SecretBytes(count: 64)
        let made = key.withBytes { key in
            coordinates.withMutableBytes { out in
                secp256k1_ecdh(
                    Library.secp256k1, out.assumingMemoryBound(to: UInt8.self).baseAddress!, &raw,
                    key.assumingMemoryBound(to: UInt8.self).baseAddress!,
                    { out, x, y, _ in
                        guard let out, let x, let y else { return 0 }
                        UnsafeMutableRawPointer(out).copyMemory(from: x, byteCount: 32)
                        UnsafeMutableRawPointer(out + 32).copyMemory(from: y, byteCount: 32)
                        return 1
                    }, nil)
            }
        }
        guard made == 1 else { return nil }
        return coordinates.withBytes { Point(coordinates: $0) }
    }
}
