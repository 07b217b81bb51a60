import Algebra
import Canonical

/// The base oblivious transfers of a pair's setup: Endemic OT (Masny–Rindal 2019, figure 8) over
/// secp256k1, 256 at once; specification section 5.3, worked through in
/// docs/protocols/pair-setup.md.
enum BaseTransfer {
    /// Bytes of either message: two compressed points for each transfer.
    static let messageBytes = Transfer.baseCount * 2 * Point.byteCount

    static let hashToMask = HashToCurve("bot/h")
    static let hashToUnknown = HashToCurve("bot/rand")

    /// Both points of every pair, before anything secret is used.
    static func points(_ message: [UInt8]) throws(Abort.Reason) -> [(Point, Point)] {
        guard message.count == messageBytes else { throw .baseTransfer }
        var pairs: [(Point, Point)] = []
        pairs.reserveCapacity(Transfer.baseCount)
        for at in stride(from: 0, to: messageBytes, by: 2 * Point.byteCount) {
            guard let zero = Point(compressed: message[at..<at + Point.byteCount]),
                let one = Point(
                    compressed: message[at + Point.byteCount..<at + 2 * Point.byteCount])
            else { throw .baseTransfer }
            pairs.append((zero, one))
        }
        return pairs
    }

    static func key(
        _ name: Digest, _ index: Int, branch: UInt8, masked: [UInt8], nonce: [UInt8],
        shared: Point
    ) -> SecretBytes {
        var transcript = Transcript(Tag.baseTransferKey)
        transcript.append(name)
        transcript.append(u16: UInt16(index))
        transcript.append(u8: branch)
        transcript.append(masked)
        transcript.append(nonce)
        transcript.append(shared.secretlyCompressed)
        return transcript.secretDigest()
    }

    static func mask(_ name: Digest, _ index: Int, branch: UInt8, _ other: [UInt8]) -> Point {
        hashToMask(name.bytes, UInt16(index).bigEndianBytes, [branch], other)
    }
}

/// The receiver: learns, for each transfer, the key of the branch that its choice bit names.
struct BaseTransferReceiver: ~Copyable {
    let message: [UInt8]
    private let name: Digest
    private let choice: SecretBytes
    /// t of each transfer, 32 bytes each.
    private let exponents: SecretBytes

    /// Draws: 32 bytes of choice bits, then for each transfer t and 32 bytes.
    init(name: Digest, random: inout some RandomSource & ~Copyable) {
        let choice = SecretBytes(count: Transfer.baseCount / 8, from: &random)
        var exponents = SecretBytes(count: Transfer.baseCount * Scalar.byteCount)
        var message: [UInt8] = []
        message.reserveCapacity(BaseTransfer.messageBytes)
        for index in 0..<Transfer.baseCount {
            let t = SecretScalar(random: &random)
            let seed = random.bytes(Transfer.seedBytes)
            let bit = choice.bit(index)
            message += Self.pair(name, index, bit, t, seed)
            let encoded = t.encoded()
            exponents.replace(at: index * Scalar.byteCount, with: encoded)
        }
        self.message = message
        self.name = name
        self.choice = choice
        self.exponents = exponents
    }

    /// (r₀, r₁): the branch not chosen is a point of unknown logarithm, the chosen one t·G − mask.
    private static func pair(
        _ name: Digest, _ index: Int, _ bit: UInt8, _ t: borrowing SecretScalar, _ seed: [UInt8]
    ) -> [UInt8] {
        let number = UInt16(index).bigEndianBytes
        let other = BaseTransfer.hashToUnknown(name.bytes, number, seed).compressed
        let mask = BaseTransfer.mask(name, index, branch: bit, other)
        guard let own = t.timesGenerator(), let chosen = own + -mask else {
            preconditionFailure("t·G equals a hashed point with probability 2^-256")
        }
        let masked = chosen.compressed
        // The other branch's mask too, so that the work does not depend on the bit.
        _ = BaseTransfer.mask(name, index, branch: bit ^ 1, masked)
        return constantTimeSelect(bit, masked + other, other + masked)
    }

    struct Chosen: ~Copyable {
        let choice: SecretBytes
        /// The keys of the chosen branches, 32 bytes each.
        let keys: SecretBytes
    }

    consuming func finish(_ answer: [UInt8]) throws(Abort.Reason) -> Chosen {
        let nonces = try BaseTransfer.points(answer)
        var keys = SecretBytes(count: Transfer.baseCount * Transfer.seedBytes)
        for index in 0..<Transfer.baseCount {
            let bit = choice.bit(index)
            let range = index * Scalar.byteCount..<(index + 1) * Scalar.byteCount
            let t = exponents.withBytes {
                SecretScalar(reducing: UnsafeRawBufferPointer(rebasing: $0[range]))
            }
            let nonce = Point.constantTimeSelect(bit, nonces[index].0, nonces[index].1)
            guard let own = t.timesGenerator(), let shared = t.times(nonce) else {
                throw .baseTransfer
            }
            let key = BaseTransfer.key(
                name, index, branch: bit, masked: own.compressed, nonce: nonce.compressed,
                shared: shared)
            keys.replace(at: index * Transfer.seedBytes, with: key)
        }
        return Chosen(choice: choice, keys: keys)
    }
}

/// The sender: knows both keys of each transfer and not which one the receiver has.
struct BaseTransferSender: ~Copyable {
    /// y₀ and y₁ of each transfer, 32 bytes each.
    private let exponents: SecretBytes

    /// Draws, for each transfer, y₀ and y₁.
    init(random: inout some RandomSource & ~Copyable) {
        var exponents = SecretBytes(count: 2 * Transfer.baseCount * Scalar.byteCount)
        for at in 0..<2 * Transfer.baseCount {
            let encoded = SecretScalar(random: &random).encoded()
            exponents.replace(at: at * Scalar.byteCount, with: encoded)
        }
        self.exponents = exponents
    }

    struct Answered: ~Copyable {
        let message: [UInt8]
        /// Both keys of each transfer, one after the other, 32 bytes each.
        let keys: SecretBytes
    }

    /// The answer to the receiver's message.
    consuming func answer(
        _ message: [UInt8], name: Digest
    ) throws(Abort.Reason) -> Answered {
        let pairs = try BaseTransfer.points(message)
        var answer: [UInt8] = []
        answer.reserveCapacity(BaseTransfer.messageBytes)
        var keys = SecretBytes(count: 2 * Transfer.baseCount * Transfer.seedBytes)
        for (index, pair) in pairs.enumerated() {
            for branch in [UInt8(0), 1] {
                let (own, other) = branch == 0 ? pair : (pair.1, pair.0)
                let at = 2 * index + Int(branch)
                let range = at * Scalar.byteCount..<(at + 1) * Scalar.byteCount
                let y = exponents.withBytes {
                    SecretScalar(reducing: UnsafeRawBufferPointer(rebasing: $0[range]))
                }
                let mask = BaseTransfer.mask(name, index, branch: branch, other.compressed)
                guard let masked = own + mask, let nonce = y.timesGenerator(),
                    let shared = y.times(masked)
                else { throw .baseTransfer }
                let encoded = nonce.compressed
                answer += encoded
                let key = BaseTransfer.key(
                    name, index, branch: branch, masked: masked.compressed, nonce: encoded,
                    shared: shared)
                keys.replace(at: at * Transfer.seedBytes, with: key)
            }
        }
        return Answered(message: answer, keys: keys)
    }
}
