import Algebra
import Canonical
import KeyGroups

/// A key ceremony, round 3: see that all were opened the same, and finish the pair setups.
struct EchoRound<Scheme: KeyScheme>: ~Copyable {
    let context: CeremonyContext<Scheme>
    let key: SharedKey<Scheme>
    /// Our new share; nil if we receive none.
    let secret: SecretBox<Scheme.Group.SecretScalar>?
    let echo: Digest
    let alices: [ParticipantIndex: SecretBox<PairSetup.Alice>]
    let bobs: [ParticipantIndex: SecretBox<BobSetup>]

    /// - Parameter zeroSeeds: k_ij with each peer that we make setups with, by seat, 32 bytes.
    /// - Returns: our share and what is to be certified; nil if we only dealt.
    /// - Throws: `.echoMismatch` (nobody); `.baseTransfer` or `.transferTree` naming the peer,
    ///   after all trees were looked at.
    consuming func finish(
        broadcasts: [ParticipantIndex: [UInt8]],
        whispers: [ParticipantIndex: SecretBox<SecretBytes>],
        zeroSeeds: [ParticipantIndex: SecretBox<SecretBytes>]
    ) throws(Abort) -> SecretBox<PendingKey<Scheme>>? {
        for peer in context.quorum.others {
            guard let bytes = broadcasts[peer], let theirs = Digest(bytes) else {
                throw Abort(.malformedMessage, by: peer)
            }
            guard theirs == echo else { throw Abort(.echoMismatch) }
        }
        var pairs: [ParticipantIndex: PairSecrets] = [:]
        for peer in context.setupPeers {
            guard let alice = alices[peer]?.take(), let bob = bobs[peer]?.take(),
                let seed = zeroSeeds[peer]?.take(), let place = context.receivers[peer]
            else { preconditionFailure("each pair has its setup and its seed") }
            let answer = whispers[peer]?.with { $0.withBytes { Array($0) } } ?? []
            pairs[place] = try PairSecrets.made(alice, bob, seed, answer, with: peer)
        }
        guard let place = context.ownPlace, let secret = secret?.take() else { return nil }
        let certificate = KeyCertificate.digest(
            run: context.run, key: AnySharedKey(key), echo: echo)
        return SecretBox(
            PendingKey(
                share: KeyShare(key: key, me: place, secret: secret, pairs: pairs), echo: echo,
                certificateDigest: certificate))
    }
}

/// A key that all checks of ours admit. It becomes usable when every holder has certified it.
public struct PendingKey<Scheme: KeyScheme>: ~Copyable {
    public let share: KeyShare<Scheme>
    /// The echo over all openings, part of what is certified.
    public let echo: Digest
    /// What each holder signs with its identity key.
    public let certificateDigest: Digest

    public consuming func takeShare() -> KeyShare<Scheme> { share }
}
