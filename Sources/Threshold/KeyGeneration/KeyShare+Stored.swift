import Algebra
import Canonical
import KeyGroups

extension KeyShare {
    /// The version of the stored form. A change of the form is a new number, and old ones stay
    /// readable.
    static var storedVersion: UInt8 { 2 }
    private static var headBytes: Int { 5 }
    private static var scalarBytes: Int { Scheme.Group.Scalar.byteCount }
    private static var pairBytes: Int { PairSecrets.storedBytes }

    /// The share as it is sealed: version, scheme, threshold, holders, our index, secret, public
    /// key, chain code, verifying shares, then each pair's secrets by ascending index.
    public borrowing func stored() -> SecretBytes {
        let indices = key.indices
        let head: [UInt8] = [
            Self.storedVersion, UInt8(Scheme.scheme.rawValue), UInt8(key.threshold.required),
            UInt8(key.threshold.holders), me.raw,
        ]
        let publicBytes =
            key.publicKey.compressed + key.chainCode
            + indices.flatMap { [$0.raw] + (key.verifyingShares[$0]?.compressed ?? []) }
        let size = head.count + Self.scalarBytes + publicBytes.count + 1
        var out = SecretBytes(count: size + pairs.count * Self.pairBytes)
        out.replace(at: 0, with: head)
        out.replace(at: head.count, with: secret.encoded())
        out.replace(at: head.count + Self.scalarBytes, with: publicBytes + [UInt8(pairs.count)])
        var at = size
        for (peer, pair) in pairs.sorted(by: { $0.key < $1.key }) {
            out.replace(at: at, with: [peer.raw])
            out.replace(at: at + 1, with: pair.stored())
            at += Self.pairBytes
        }
        return out
    }

    /// Reads the stored form; throws on anything that `stored` would not have written.
    public init(stored: borrowing SecretBytes) throws(MalformedBytes) {
        let total = stored.count
        let (threshold, me) = try Self.head(stored)
        let secret = try Self.secret(stored)
        var at = Self.headBytes + Self.scalarBytes
        let pointBytes = Scheme.Group.pointBytes
        let publicSize =
            pointBytes + SharedKey<Scheme>.chainCodeBytes + threshold.holders * (1 + pointBytes) + 1
        guard at + publicSize <= total else { throw MalformedBytes("stored share too short") }
        var reader = ByteReader(stored.withBytes { Array($0[at..<at + publicSize]) })
        at += publicSize
        let publicKey = try Self.point(&reader)
        let chainCode = Array(try reader.take(SharedKey<Scheme>.chainCodeBytes))
        var shares: [ParticipantIndex: Scheme.Group.Point] = [:]
        var last: ParticipantIndex?
        for _ in 0..<threshold.holders {
            let index = try Self.index(try reader.integer(UInt8.self), after: &last)
            shares[index] = try Self.point(&reader)
        }
        let pairCount = Int(try reader.integer(UInt8.self))
        guard total == at + pairCount * Self.pairBytes,
            let key = SharedKey<Scheme>(
                threshold: threshold, publicKey: publicKey, chainCode: chainCode,
                verifyingShares: shares)
        else { throw MalformedBytes("stored share of the wrong size") }
        var pairs: [ParticipantIndex: PairSecrets] = [:]
        last = nil
        for _ in 0..<pairCount {
            let peer = try Self.index(stored.withBytes { $0[at] }, after: &last)
            pairs[peer] = try PairSecrets(stored: stored.copy(at + 1..<at + Self.pairBytes))
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
        guard stored.count > headBytes + scalarBytes else {
            throw MalformedBytes("stored share too short")
        }
        let head = stored.withBytes { Array($0[..<headBytes]) }
        guard head[0] == storedVersion else {
            throw MalformedBytes("stored share of version \(head[0]), expected \(storedVersion)")
        }
        guard head[1] == UInt8(Scheme.scheme.rawValue) else {
            throw MalformedBytes("stored share of scheme \(head[1]), not \(Scheme.scheme.name)")
        }
        guard let threshold = SigningThreshold(Int(head[2]), of: Int(head[3])),
            let me = ParticipantIndex(head[4])
        else { throw MalformedBytes("stored share with an impossible threshold or index") }
        return (threshold, me)
    }

    private static func secret(
        _ stored: borrowing SecretBytes
    ) throws(MalformedBytes) -> Scheme.Group.SecretScalar {
        let secret = stored.withBytes {
            Scheme.Group.SecretScalar(
                canonical: UnsafeRawBufferPointer(
                    rebasing: $0[headBytes..<headBytes + scalarBytes]))
        }
        guard let secret else { throw MalformedBytes("stored share out of range") }
        return secret
    }

    private static func point(
        _ reader: inout ByteReader
    ) throws(MalformedBytes) -> Scheme.Group.Point {
        guard let point = Scheme.Group.Point(compressed: try reader.take(Scheme.Group.pointBytes))
        else { throw MalformedBytes("no point of the curve") }
        return point
    }
}

extension PairSecrets {
    private static var zeroSeedBytes: Int { 32 }
    /// With the peer's index before it.
    static var storedBytes: Int {
        1 + zeroSeedBytes + SetupID.byteCount + Transfer.treeCount + Transfer.leavesBytes
            + SetupID.byteCount + Transfer.leavesBytes
    }

    func stored() -> SecretBytes {
        var out = SecretBytes(count: Self.storedBytes - 1)
        var at = 0
        func place(_ count: Int) -> Int {
            defer { at += count }
            return at
        }
        out.replace(at: place(Self.zeroSeedBytes), with: zeroSeed)
        out.replace(at: place(SetupID.byteCount), with: alice.id.bytes)
        out.replace(at: place(Transfer.treeCount), with: alice.delta)
        out.replace(at: place(Transfer.leavesBytes), with: alice.leaves)
        out.replace(at: place(SetupID.byteCount), with: bob.id.bytes)
        out.replace(at: place(Transfer.leavesBytes), with: bob.leaves)
        return out
    }

    convenience init(stored bytes: consuming SecretBytes) throws(MalformedBytes) {
        var at = 0
        func take(_ count: Int) -> Range<Int> {
            defer { at += count }
            return at..<at + count
        }
        let seed = bytes.copy(take(Self.zeroSeedBytes))
        let aliceID = take(SetupID.byteCount)
        let delta = bytes.copy(take(Transfer.treeCount))
        guard delta.withBytes({ $0.allSatisfy { $0 < Transfer.leafCount } }) else {
            throw MalformedBytes("stored setup out of range")
        }
        let aliceLeaves = bytes.copy(take(Transfer.leavesBytes))
        let bobID = take(SetupID.byteCount)
        let bobLeaves = bytes.copy(take(Transfer.leavesBytes))
        self.init(
            zeroSeed: seed,
            alice: AliceSetup(
                id: SetupID(unchecked: bytes.withBytes { Array($0[aliceID]) }), delta: delta,
                leaves: aliceLeaves),
            bob: BobSetup(
                id: SetupID(unchecked: bytes.withBytes { Array($0[bobID]) }), leaves: bobLeaves))
    }
}
