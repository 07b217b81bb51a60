import Algebra
import Canonical

/// What is public about a key and its sharing: everything that a certificate speaks of.
public struct SharedKey: Sendable {
    public static let chainCodeBytes = 32

    public let threshold: SigningThreshold
    /// The joint public key Y.
    public let publicKey: Point
    /// BIP 32's chain code.
    public let chainCode: [UInt8]
    /// Xⱼ of every holder.
    public let verifyingShares: [ParticipantIndex: Point]

    public var indices: [ParticipantIndex] { verifyingShares.keys.sorted() }

    /// Nil unless the shares are as many as the threshold has holders, with a chain code of 32 bytes.
    public init?(
        threshold: SigningThreshold, publicKey: Point, chainCode: [UInt8],
        verifyingShares: [ParticipantIndex: Point]
    ) {
        guard verifyingShares.count == threshold.holders, chainCode.count == Self.chainCodeBytes
        else { return nil }
        self.threshold = threshold
        self.publicKey = publicKey
        self.chainCode = chainCode
        self.verifyingShares = verifyingShares
    }
}

/// What one holder keeps of a key: its share, and for each other holder what the two of them made
/// together. It never leaves the holder but sealed.
public struct KeyShare: ~Copyable, Sendable {
    public let key: SharedKey
    public let me: ParticipantIndex
    let secret: SecretScalar
    let pairs: [ParticipantIndex: PairSecrets]

    init(
        key: SharedKey, me: ParticipantIndex, secret: consuming SecretScalar,
        pairs: [ParticipantIndex: PairSecrets]
    ) {
        self.key = key
        self.me = me
        self.secret = secret
        self.pairs = pairs
    }

    /// The names of both setups with each other holder: (ours as Alice, ours as Bob).
    public var setupIDs: [ParticipantIndex: PairSetupIDs] { pairs.mapValues(\.ids) }

    /// Bytes that depend on the share, to hedge a run's randomness with.
    public borrowing func hedge() -> SecretBytes { secret.encoded() }
}

/// The names of both setups of a pair.
public struct PairSetupIDs: Equatable, Sendable {
    public let asAlice: SetupID
    public let asBob: SetupID

    public init(asAlice: SetupID, asBob: SetupID) {
        (self.asAlice, self.asBob) = (asAlice, asBob)
    }

    /// The same as the other side of the pair has it.
    public var mirrored: PairSetupIDs { PairSetupIDs(asAlice: asBob, asBob: asAlice) }
}

/// What two holders share for signing together: a seed of zero shares, and the setups of their
/// multiplications in both directions.
final class PairSecrets: Sendable {
    let zeroSeed: SecretBytes
    let alice: AliceSetup
    let bob: BobSetup

    init(
        zeroSeed: consuming SecretBytes, alice: consuming AliceSetup, bob: consuming BobSetup
    ) {
        self.zeroSeed = zeroSeed
        self.alice = alice
        self.bob = bob
    }

    var ids: PairSetupIDs { PairSetupIDs(asAlice: alice.id, asBob: bob.id) }
}
