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

    /// A key generation that is ready to be run.
    public static func ceremony(
        _ seed: String, _ threshold: SigningThreshold, run: RunID? = nil
    ) throws -> LocalNetwork<KeyGeneration> {
        let run = run ?? ceremonyName(seed)
        let network = LocalNetwork<KeyGeneration>()
        for me in indices(threshold.holders) {
            network.add(try participant(seed, threshold, run: run, me: me), me)
        }
        return network
    }

    /// One participant of the ceremony, under its own stream.
    public static func participant(
        _ seed: String, _ threshold: SigningThreshold, run: RunID, me: ParticipantIndex
    ) throws -> KeyGeneration {
        let holders = indices(threshold.holders)
        var random = TestRandom("\(seed)/dkg/\(me)")
        var seeds: [ParticipantIndex: SecretBox<SecretBytes>] = [:]
        for peer in holders where peer != me {
            seeds[peer] = SecretBox(zeroSeed(run, me, peer))
        }
        return try KeyGeneration(
            ClaimedRun(run, in: MemoryRegistry()), me: me, holders: holders, threshold: threshold,
            zeroSeeds: seeds, random: &random)
    }

    /// Every holder's share as it is stored.
    public static func shares(
        _ seed: String, _ threshold: SigningThreshold
    ) throws -> [ParticipantIndex: SecretBox<SecretBytes>] {
        let network = try ceremony(seed, threshold)
        network.run()
        if let abort = network.aborts.values.first { throw abort }
        return network.outputs.mapValues { pending in
            pending.with { SecretBox($0.share.stored()) }
        }
    }
}
