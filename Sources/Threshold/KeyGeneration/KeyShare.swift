import Algebra
import Canonical
import KeyGroups

/// What one holder keeps of a key: its share, and for each other holder what the two of them made
/// together. It never leaves the holder but sealed.
public struct KeyShare<Scheme: KeyScheme>: ~Copyable, Sendable {
    public let key: SharedKey<Scheme>
    public let me: ParticipantIndex
    let secret: Scheme.Group.SecretScalar
    /// By place; empty of a scheme or group that does not multiply.
    let pairs: [ParticipantIndex: PairSecrets]

    init(
        key: SharedKey<Scheme>, me: ParticipantIndex,
        secret: consuming Scheme.Group.SecretScalar,
        pairs: [ParticipantIndex: PairSecrets]
    ) {
        self.key = key
        self.me = me
        self.secret = secret
        self.pairs = pairs
    }

    /// The names of both setups with each other holder: (ours as Alice, ours as Bob).
    public var setupIDs: [ParticipantIndex: PairSetupIDs] { pairs.mapValues(\.ids) }

    /// The share without what it has in common with a banned peer: they never sign together again.
    public consuming func withoutPair(_ peer: ParticipantIndex) -> KeyShare {
        var pairs = pairs
        pairs[peer] = nil
        let (key, me) = (key, me)
        return KeyShare(key: key, me: me, secret: secret, pairs: pairs)
    }

    /// The share with these setups and no others.
    consuming func with(pairs: [ParticipantIndex: PairSecrets]) -> KeyShare {
        let (key, me) = (key, me)
        return KeyShare(key: key, me: me, secret: secret, pairs: pairs)
    }

    /// Proves that the share fits its certificate (`ShareCheck`), or nil if it does not: then it is
    /// of no use, and the holder must be replaced.
    public borrowing func proof(of statement: ShareCheck.Statement) -> [UInt8]? {
        guard let publicPart = secret.timesGenerator(), publicPart == key.verifyingShares[me],
            statement.index == me
        else { return nil }
        var random = HedgedRandom(secret: secret.encoded(), context: statement.challenge)
        let nonce = Scheme.Group.SecretScalar(random: &random)
        guard let commitment = nonce.timesGenerator()?.compressed else { return nil }
        let factor: Scheme.Group.Scalar = statement.factor(publicPart, commitment)
        return commitment + (secret * factor + nonce).published().bytes
    }

    /// xᵢ alone, as a big-endian integer of 32 bytes, for a file that is sealed elsewhere: no setup
    /// and no seed goes with it, so that a backup can sign nothing by itself (specification
    /// section 4.4, rule 4).
    public borrowing func dangerouslyExportSecret() -> SecretBytes { secret.bigEndian() }

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

    /// Ends the making of a pair's setups with the peer's answer to ours as Alice.
    ///
    /// - Throws: `.baseTransfer` or `.transferTree` naming the peer, once all trees were looked at.
    static func made(
        _ alice: consuming PairSetup.Alice, _ bob: consuming BobSetup,
        _ seed: consuming SecretBytes, _ answer: [UInt8], with peer: ParticipantIndex
    ) throws(Abort) -> PairSecrets {
        do throws(Abort.Reason) {
            let alice = try alice.finish(answer)
            return PairSecrets(zeroSeed: seed, alice: alice, bob: bob)
        } catch {
            throw Abort(error, by: peer)
        }
    }
}
