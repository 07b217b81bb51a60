import Algebra
import Canonical
import KeyGroups
import Threshold

/// Keys made by the real key generation under the reference model's random streams.
public enum TestKeys {
    public static func indices(_ count: Int) -> [ParticipantIndex] {
        (1...count).compactMap { ParticipantIndex($0) }
    }

    /// The run's name as the model has it: H("dkg/sid", seed).
    public static func ceremonyName(_ seed: String) -> RunID {
        var transcript = Transcript(HashTag("dkg/sid"))
        transcript.append(Array(seed.utf8))
        return RunID(transcript.digest())
    }

    /// k_ij as the model has it: H("kat/kij", sid, a, b).
    public static func zeroSeed(
        _ run: RunID, _ one: ParticipantIndex, _ other: ParticipantIndex
    ) -> SecretBytes {
        var transcript = Transcript(HashTag("kat/kij"))
        transcript.append(run)
        transcript.append(u8: min(one, other).raw)
        transcript.append(u8: max(one, other).raw)
        return transcript.secretDigest()
    }

    /// Holders of whom each has the place of its seat, since identities are made up in that order.
    public static func roster(_ count: Int) -> Roster {
        let identities = (1...count).map { number in
            IdentityPublicKey(
                unchecked: [UInt8(number)] + [UInt8](repeating: 0, count: 31))
        }
        return Roster(identities, indices(count))!
    }

    public static func plan(
        _ threshold: SigningThreshold, kind: GroupKind = .main, source: SharingPlan.Source? = nil
    ) -> SharingPlan {
        SharingPlan(
            kind: kind, threshold: threshold, holders: roster(threshold.holders), source: source)!
    }

    /// A key generation that is ready to be run.
    public static func ceremony<Scheme: KeyScheme>(
        _ seed: String, _ threshold: SigningThreshold, run: RunID? = nil,
        of _: Scheme.Type = ECDSA.self
    ) throws -> LocalNetwork<KeySharing<Scheme>> {
        let run = run ?? ceremonyName(seed)
        let network = LocalNetwork<KeySharing<Scheme>>()
        for me in indices(threshold.holders) {
            network.add(
                try participant(seed, threshold, run: run, me: me, of: Scheme.self), me)
        }
        return network
    }

    public static func zeroSeeds(
        _ run: RunID, _ me: ParticipantIndex, _ everyone: [ParticipantIndex]
    ) -> [ParticipantIndex: SecretBox<SecretBytes>] {
        var seeds: [ParticipantIndex: SecretBox<SecretBytes>] = [:]
        for peer in everyone where peer != me {
            seeds[peer] = SecretBox(zeroSeed(run, me, peer))
        }
        return seeds
    }

    /// One participant of the ceremony, under its own stream.
    public static func participant<Scheme: KeyScheme>(
        _ seed: String, _ threshold: SigningThreshold, run: RunID, me: ParticipantIndex,
        of _: Scheme.Type = ECDSA.self
    ) throws -> KeySharing<Scheme> {
        var random = TestRandom("\(seed)/dkg/\(me)")
        return try KeySharing<Scheme>(
            ClaimedRun(run, in: MemoryRegistry()), plan: plan(threshold), me: me, source: nil,
            share: nil, zeroSeeds: zeroSeeds(run, me, indices(threshold.holders)), random: &random)
    }

    /// Every holder's share as it is stored.
    public static func shares<Scheme: KeyScheme>(
        _ seed: String, _ threshold: SigningThreshold, of scheme: Scheme.Type = ECDSA.self
    ) throws -> [ParticipantIndex: SecretBox<SecretBytes>] {
        let network = try ceremony(seed, threshold, of: scheme)
        network.run()
        return try network.shares()
    }

    /// A key that exists is dealt anew.
    ///
    /// - Parameters:
    ///   - shares: of the dealers, as they are stored, by place.
    ///   - seats: which dealer's place each seat has; the other seats only receive.
    ///   - random: the stream of a dealer or receiver, by seat.
    public static func reshare<Scheme: KeyScheme>(
        _ run: RunID, _ plan: SharingPlan, source: SharedKey<Scheme>,
        shares: [ParticipantIndex: SecretBox<SecretBytes>],
        random: (ParticipantIndex) -> TestRandom
    ) throws -> LocalNetwork<KeySharing<Scheme>> {
        let network = LocalNetwork<KeySharing<Scheme>>()
        let dealers = plan.places(in: plan.dealers)
        for me in plan.participants.indices {
            var random = random(me)
            let stored = dealers[me].flatMap { shares[$0] }
            let share = try stored.map { box in
                try box.with { SecretBox(try KeyShare<Scheme>(stored: $0)) }
            }
            network.add(
                try KeySharing<Scheme>(
                    ClaimedRun(run, in: MemoryRegistry()), plan: plan, me: me, source: source,
                    share: share?.take(),
                    zeroSeeds: zeroSeeds(run, me, plan.participants.indices), random: &random), me)
        }
        return network
    }
}

extension LocalNetwork where Machine: ~Copyable {
    /// What each seat that receives has in the end, as it is stored.
    public func shares<Scheme: KeyScheme>() throws -> [ParticipantIndex: SecretBox<SecretBytes>]
    where Machine == KeySharing<Scheme> {
        if let abort = aborts.values.first { throw abort }
        return outputs.compactMapValues { $0 }.mapValues { pending in
            pending.with { SecretBox($0.share.stored()) }
        }
    }
}
