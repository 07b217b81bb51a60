import CMemcheck
import Canonical

@testable import Algebra

/// A stream of bytes that are the same in every run.
struct PlainRandom: RandomSource {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func fill(_ out: UnsafeMutableRawBufferPointer) {
        for at in out.indices {
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ word &>> 30) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ word &>> 27) &* 0x94d0_49bb_1331_11eb
            out[at] = UInt8(truncatingIfNeeded: word ^ word &>> 31)
        }
    }
}

/// The same, each byte marked as a secret: whatever a protocol draws is followed from there on.
struct MarkedRandom: RandomSource {
    private var random: PlainRandom

    init(_ seed: UInt64) { random = PlainRandom(seed) }

    mutating func fill(_ out: UnsafeMutableRawBufferPointer) {
        random.fill(out)
        if let base = out.baseAddress { memcheck_make_secret(base, out.count) }
    }
}

extension SecretBytes {
    /// `count` bytes that are marked as a secret.
    static func marked(_ count: Int, _ seed: UInt64) -> SecretBytes {
        var random = MarkedRandom(seed)
        return SecretBytes(count: count, from: &random)
    }

    /// The same bytes, marked.
    borrowing func marked() -> SecretBytes {
        let copy = copy()
        copy.withBytes { memcheck_make_secret($0.baseAddress!, $0.count) }
        return copy
    }

    borrowing func keep() { withBytes { memcheck_keep($0.baseAddress!, $0.count) } }
}

extension SecretScalar {
    static func marked(_ seed: UInt64) -> SecretScalar {
        SecretBytes.marked(Scalar.byteCount, seed).withBytes { SecretScalar(reducing: $0) }
    }

    borrowing func keep() { encoded().keep() }
}

extension Scalar {
    /// A public type with a marked value, to show what happens to a secret in it.
    static func marked(_ seed: UInt64) -> Scalar { SecretScalar.marked(seed).published() }

    static func plain(_ seed: UInt64) -> Scalar {
        var random = PlainRandom(seed)
        return Scalar(reducing: random.bytes(Scalar.byteCount))
    }

    func keep() { withUnsafeBytes(of: self) { memcheck_keep($0.baseAddress!, $0.count) } }
}

extension Point {
    static func plain(_ seed: UInt64) -> Point {
        guard let point = SecretScalar(Scalar.plain(seed)).timesGenerator() else {
            preconditionFailure("a random number is not zero")
        }
        return point
    }

    func keep() { withUnsafeBytes(of: raw) { memcheck_keep($0.baseAddress!, $0.count) } }
}

extension Digest {
    static func plain(_ seed: UInt64) -> Digest {
        var random = PlainRandom(seed)
        return Digest(unchecked: random.bytes(32))
    }
}

/// Says that these bytes are sent: from here on they are public.
func publish(_ bytes: [UInt8]) -> [UInt8] {
    bytes.withUnsafeBytes { bytes in
        if let base = bytes.baseAddress { memcheck_make_public(base, bytes.count) }
    }
    return bytes
}
