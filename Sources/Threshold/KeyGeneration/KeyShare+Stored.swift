import Algebra
import Canonical
import KeyGroups

extension KeyShare {
    /// The version of the stored form. A change of the form is a new number, and old ones stay
    /// readable.
    static let storedVersion: UInt8 = 1
    static let zeroSeedBytes = 32
    static let pairBytes =
        1 + zeroSeedBytes + SetupID.byteCount + Transfer.treeCount + Transfer.leavesBytes
        + SetupID.byteCount + Transfer.leavesBytes

    /// The share as it is sealed: version, threshold, holders, our index, secret, public key,
    /// chain code, verifying shares, then each pair's secrets by ascending index.
    public borrowing func stored() -> SecretBytes {
        let indices = key.indices
        let head: [UInt8] = [
            Self.storedVersion, UInt8(key.threshold.required), UInt8(key.threshold.holders), me.raw,
        ]
        let publicBytes =
            key.publicKey.compressed + key.chainCode
            + indices.flatMap { [$0.raw] + (key.verifyingShares[$0]?.compressed ?? []) }
        let size = head.count + Scalar.byteCount + publicBytes.count + 1
        var out = SecretBytes(count: size + pairs.count * Self.pairBytes)
        out.replace(at: 0, with: head)
        out.replace(at: head.count, with: secret.encoded())
        out.replace(at: head.count + Scalar.byteCount, with: publicBytes + [UInt8(pairs.count)])
        var at = size
        for (peer, pair) in pairs.sorted(by: { $0.key < $1.key }) {
            out.replace(at: at, with: [peer.raw])
            out.replace(at: at + 1, with: pair.zeroSeed)
            at += 1 + Self.zeroSeedBytes
            out.replace(at: at, with: pair.alice.id.bytes)
            out.replace(at: at + SetupID.byteCount, with: pair.alice.delta)
            at += SetupID.byteCount + Transfer.treeCount
            out.replace(at: at, with: pair.alice.leaves)
            at += Transfer.leavesBytes
            out.replace(at: at, with: pair.bob.id.bytes)
            out.replace(at: at + SetupID.byteCount, with: pair.bob.leaves)
            at += SetupID.byteCount + Transfer.leavesBytes
        }
        return out
    }

    /// Reads the stored form; throws on anything that `stored` would not have written.
    public init(stored: borrowing SecretBytes) throws(MalformedBytes) {
        let total = stored.count
        let (threshold, me) = try Self.head(stored)
        let secret = try Self.secret(stored)
        var at = 4 + Scalar.byteCount
        let publicSize = Point.byteCount + SharedKey.chainCodeBytes + threshold.holders * 34 + 1
        guard at + publicSize <= total else { throw MalformedBytes("stored share too short") }
        var reader = ByteReader(stored.withBytes { Array($0[at..<at + publicSize]) })
        at += publicSize
        let publicKey = try Self.point(&reader)
        let chainCode = Array(try reader.take(SharedKey.chainCodeBytes))
        var shares: [ParticipantIndex: Point] = [:]
        var last: ParticipantIndex?
        for _ in 0..<threshold.holders {
            let index = try Self.index(try reader.integer(UInt8.self), after: &last)
            shares[index] = try Self.point(&reader)
        }
        let pairCount = Int(try reader.integer(UInt8.self))
        guard total == at + pairCount * Self.pairBytes,
            let key = SharedKey(
                threshold: threshold, publicKey: publicKey, chainCode: chainCode,
                verifyingShares: shares)
        else { throw MalformedBytes("stored share of the wrong size") }
        var pairs: [ParticipantIndex: PairSecrets] = [:]
        last = nil
        for _ in 0..<pairCount {
            let bytes = stored.copy(at..<at + Self.pairBytes)
            let peer = try Self.index(bytes.withBytes { $0[0] }, after: &last)
            pairs[peer] = try Self.pair(bytes)
            at += Self.pairBytes
        }
        self.init(key: key, me: me, secret: secret, pairs: pairs)
    }

    /// The index of an entry; entries ascend.
    private static func index(
        _ raw: UInt8, after last: inout ParticipantIndex?
    ) throws(MalformedBytes) -> ParticipantIndex {
        guard let index = ParticipantIndex(raw) else {
            throw MalformedBytes("holder index out of range")
        }
        if let last, index <= last { throw MalformedBytes("holders out of order") }
        last = index
        return index
    }

    private static func head(
        _ stored: borrowing SecretBytes
    ) throws(MalformedBytes) -> (SigningThreshold, ParticipantIndex) {
        guard stored.count > 4 + Scalar.byteCount else {
            throw MalformedBytes("stored share too short")
        }
        let head = stored.withBytes { Array($0[..<4]) }
        guard head[0] == storedVersion else {
            throw MalformedBytes("stored share of version \(head[0]), expected \(storedVersion)")
        }
        guard let threshold = SigningThreshold(Int(head[1]), of: Int(head[2])),
            let me = ParticipantIndex(head[3])
        else { throw MalformedBytes("stored share with an impossible threshold or index") }
        return (threshold, me)
    }

    private static func secret(
        _ stored: borrowing SecretBytes
    ) throws(MalformedBytes) -> SecretScalar {
        let secret = stored.withBytes {
            SecretScalar(canonical: UnsafeRawBufferPointer(rebasing: $0[4..<4 + Scalar.byteCount]))
        }
        guard let secret else { throw MalformedBytes("stored share out of range") }
        return secret
    }

    private static func point(_ reader: inout ByteReader) throws(MalformedBytes) -> Point {
        guard let point = Point(compressed: try reader.take(Point.byteCount)) else {
            throw MalformedBytes("no point of the curve")
        }
        return point
    }

    private static func pair(
        _ bytes: borrowing SecretBytes
    ) throws(MalformedBytes) -> PairSecrets {
        var at = 1  // after the peer's index
        func take(_ count: Int) -> Range<Int> {
            defer { at += count }
            return at..<at + count
        }
        func id(_ range: Range<Int>) -> SetupID {
            SetupID(unchecked: bytes.withBytes { Array($0[range]) })
        }
        let zeroSeed = bytes.copy(take(zeroSeedBytes))
        let alice = AliceSetup(
            id: id(take(SetupID.byteCount)), delta: bytes.copy(take(Transfer.treeCount)),
            leaves: bytes.copy(take(Transfer.leavesBytes)))
        guard alice.delta.withBytes({ $0.allSatisfy { $0 < Transfer.leafCount } }) else {
            throw MalformedBytes("stored setup out of range")
        }
        let bob = BobSetup(
            id: id(take(SetupID.byteCount)), leaves: bytes.copy(take(Transfer.leavesBytes)))
        return PairSecrets(zeroSeed: zeroSeed, alice: alice, bob: bob)
    }
}
