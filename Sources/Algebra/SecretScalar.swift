import CSecp256k1
import CSodium

/// A secret integer modulo the order n of secp256k1's group, in memory that is wiped.
///
/// Arithmetic is constant time. What may be sent of it leaves by `published()`, so that every place
/// where a secret becomes public can be found by that word.
public struct SecretScalar: ~Copyable, @unchecked Sendable {
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

    /// Uniform in 1…n−1: 32 bytes at a time until they are such an integer.
    public init(random: inout some RandomSource & ~Copyable) {
        memory = .allocate(capacity: 1)
        memory.initialize(to: .zero)
        repeat {
            random.fill(UnsafeMutableRawBufferPointer(start: memory, count: Scalar.byteCount))
            memory.pointee = Limbs(bigEndian: memory)
        } while memory.pointee.isCanonical == 0 || memory.pointee.isZero == 1
    }

    /// 32 big-endian bytes modulo n.
    public init(reducing bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Scalar.byteCount, "a scalar has 32 bytes")
        self.init(limbs: Limbs(bigEndian: bytes.baseAddress!).reducedOnce())
    }

    /// The integer with these 32 big-endian bytes, or nil if they are not 32 or n is not above it.
    public init?(canonical bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Scalar.byteCount else { return nil }
        let limbs = Limbs(bigEndian: bytes.baseAddress!)
        guard limbs.isCanonical == 1 else { return nil }
        self.init(limbs: limbs)
    }

    /// A value that is known to others and is calculated with as a secret.
    public init(_ known: Scalar) { self.init(limbs: known.limbs) }

    public borrowing func copy() -> SecretScalar { SecretScalar(limbs: limbs) }

    /// The value itself, for a message or an output: says that it may be known from now on.
    public borrowing func published() -> Scalar { Scalar(limbs: limbs) }

    /// 32 bytes, big-endian.
    public borrowing func encoded() -> SecretBytes {
        var bytes = SecretBytes(count: Scalar.byteCount)
        bytes.withMutableBytes { limbs.write(bigEndianTo: $0.baseAddress!) }
        return bytes
    }

    /// Whether the value is zero; the answer is public.
    public var isZero: Bool { limbs.isZero == 1 }

    public static func + (a: borrowing SecretScalar, b: borrowing SecretScalar) -> SecretScalar {
        SecretScalar(limbs: a.limbs + b.limbs)
    }
    public static func - (a: borrowing SecretScalar, b: borrowing SecretScalar) -> SecretScalar {
        SecretScalar(limbs: a.limbs - b.limbs)
    }
    public static func * (a: borrowing SecretScalar, b: borrowing SecretScalar) -> SecretScalar {
        SecretScalar(limbs: a.limbs * b.limbs)
    }
    public static func + (a: borrowing SecretScalar, b: Scalar) -> SecretScalar {
        SecretScalar(limbs: a.limbs + b.limbs)
    }
    public static func * (a: borrowing SecretScalar, b: Scalar) -> SecretScalar {
        SecretScalar(limbs: a.limbs * b.limbs)
    }
    public static func - (a: Scalar, b: borrowing SecretScalar) -> SecretScalar {
        SecretScalar(limbs: a.limbs - b.limbs)
    }

    /// `self·G`, or nil of zero (`ec_pubkey_create`, constant time).
    public borrowing func timesGenerator() -> Point? {
        let key = encoded()
        var point = secp256k1_pubkey()
        let made = key.withBytes {
            secp256k1_ec_pubkey_create(
                Library.secp256k1, &point, $0.assumingMemoryBound(to: UInt8.self).baseAddress!)
        }
        return made == 1 ? Point(raw: point) : nil
    }

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
