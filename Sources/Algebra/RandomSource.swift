import CSodium
import Canonical

/// Where a protocol run gets its randomness. A run draws everything when it starts, in the order
/// that its document gives; no draw depends on a message.
public protocol RandomSource: ~Copyable {
    mutating func fill(_ out: UnsafeMutableRawBufferPointer)
}

/// The operating system's generator.
public struct SystemRandom: RandomSource, Sendable {
    public init() { Library.prepare() }

    public mutating func fill(_ out: UnsafeMutableRawBufferPointer) {
        guard let base = out.baseAddress else { return }
        randombytes_buf(base, out.count)
    }
}

/// The operating system's generator, hedged against one that repeats itself (a restored snapshot,
/// a forked machine): each block is a hash of fresh entropy, a long-lived secret, the run and a
/// counter. Specification section 4.4, rule 6.
public struct HedgedRandom: RandomSource, ~Copyable {
    private var key: SecretBytes
    private var counter: UInt64 = 0

    /// - Parameters:
    ///   - secret: something only this holder has, such as its key share; it is only hashed.
    ///   - context: what the draws are for, such as the run's name and the message.
    public init(secret: borrowing SecretBytes, context: [UInt8]) {
        var system = SystemRandom()
        let entropy = SecretBytes(count: 32, from: &system)
        var transcript = Transcript(.hedge)
        transcript.append(entropy)
        transcript.append(secret)
        transcript.append(context)
        key = transcript.secretDigest()
    }

    public mutating func fill(_ out: UnsafeMutableRawBufferPointer) {
        var system = SystemRandom()
        for start in stride(from: 0, to: out.count, by: Transcript.digestBytes) {
            let entropy = SecretBytes(count: 32, from: &system)
            var transcript = Transcript(.hedgeBlock)
            transcript.append(key)
            transcript.append(entropy)
            transcript.append(counter.bigEndianBytes)
            counter += 1
            let block = transcript.secretDigest()
            let end = min(start + Transcript.digestBytes, out.count)
            block.withBytes { out[start..<end].copyBytes(from: $0.prefix(end - start)) }
        }
    }
}

extension RandomSource where Self: ~Copyable {
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeMutableBytes { fill($0) }
        return bytes
    }
}
