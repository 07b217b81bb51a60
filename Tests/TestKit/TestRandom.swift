import Algebra
import Canonical

/// The reproducible stream of the reference model: SHA-256("MPC-test-rng" || SHA-256(seed) ||
/// u64 counter), block after block.
public struct TestRandom: RandomSource {
    private let seed: [UInt8]
    private var counter: UInt64 = 0
    private var buffer: ArraySlice<UInt8> = []

    public init(_ seed: String) { self.seed = Digest.sha256(Array(seed.utf8)).bytes }

    public mutating func fill(_ out: UnsafeMutableRawBufferPointer) {
        while buffer.count < out.count {
            let block = Array("MPC-test-rng".utf8) + seed + counter.bigEndianBytes
            buffer += Digest.sha256(block).bytes
            counter += 1
        }
        out.copyBytes(from: buffer.prefix(out.count))
        buffer = buffer.dropFirst(out.count)
    }

    public mutating func integer(below limit: Int) -> Int {
        let word = bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Int(word % UInt64(limit))
    }

    public mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
        var rest = elements
        var out: [Element] = []
        while !rest.isEmpty { out.append(rest.remove(at: integer(below: rest.count))) }
        return out
    }
}
