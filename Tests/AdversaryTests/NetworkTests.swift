import Foundation
import Holder
import KeyGroups
import TestKit
import Testing

/// Holders under every fault that a network and their machines can have, by seed.
///
/// `QUORUMKEEP_SEEDS=2000` plays so many; `QUORUMKEEP_SEED=17` plays that one and prints what
/// happened.
@Suite struct `Holders on a network that misbehaves` {
    private static let seeds: [Int] = {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["QUORUMKEEP_SEED"].flatMap({ Int($0) }) { return [seed] }
        return Array(0..<(environment["QUORUMKEEP_SEEDS"].flatMap { Int($0) } ?? 160))
    }()

    private static let steps = 160

    /// Two of three are what most have, so most seeds are theirs.
    private static let thresholds = [(2, 3), (2, 3), (2, 3), (2, 2), (3, 3)]

    private static let quorums: Result<[SimulatedQuorum], any Error> = Result {
        try thresholds.enumerated().map { number, size in
            let same = thresholds.firstIndex { $0 == size } ?? number
            let quorum = try SimulatedQuorum(
                SigningThreshold(size.0, of: size.1)!, seed: "network \(same)")
            try quorum.generateKey()
            return quorum
        }
    }

    private static let tally = Tally("network")

    /// Tests that run beside each other, each with its part of the seeds.
    private static let lanes = 2

    @Test(arguments: 0..<lanes)
    func `release nothing that is not approved, name no honest one, and sign once it is whole`(
        _ lane: Int
    ) throws {
        let quorums = try Self.quorums.get()
        for (number, seed) in Self.seeds.enumerated() where number % Self.lanes == lane {
            play(seed, quorums[seed % quorums.count])
        }
        if let lines = Self.tally.closing(after: Self.lanes) { print(lines) }
    }

    private func play(_ seed: Int, _ quorum: SimulatedQuorum) {
        do {
            let network = try FaultyNetwork(quorum, seed: seed)
            do {
                var scenario = SigningScenario(network)
                try network.play(&scenario, steps: Self.steps)
            } catch {
                Issue.record(
                    "QUORUMKEEP_SEED=\(seed) shows again: \(error)\n\(network.lastEvents)")
            }
            if Self.seeds.count == 1 { print(network.lastEvents) }
            Self.tally.add("seeds")
            Self.tally.add("signatures released", "", network.invariants.signatureCount)
            for (reason, count) in network.invariants.reasons {
                Self.tally.add("runs ended", reason, count)
            }
            for (what, count) in network.counts { Self.tally.add(what, "", count) }
        } catch {
            Issue.record("seed \(seed): \(error)")
        }
    }
}
