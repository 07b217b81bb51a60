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
    private static let environment = ProcessInfo.processInfo.environment

    private static func seeds(_ count: Int) -> [Int] {
        if let seed = environment["QUORUMKEEP_SEED"].flatMap({ Int($0) }) { return [seed] }
        return Array(0..<(environment["QUORUMKEEP_SEEDS"].flatMap { Int($0) } ?? count))
    }

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

    /// What is dealt is the same for each scheme, but for the setups of ECDSA, which cost the most.
    private static let scenes: Result<[CeremonyScene], any Error> = Result {
        let made = try SignatureScheme.allCases.map { try CeremonyScenario.scene($0) }
        let cheap = made.filter { $0.scheme == .ed25519 }
        return cheap + cheap + cheap + cheap + made
    }

    private static let signing = Tally("network")
    private static let ceremonies = Tally("ceremonies")

    /// Tests that run beside each other, each with its part of the seeds.
    private static let lanes = 2

    @Test(arguments: 0..<lanes)
    func `release nothing that is not approved, name no honest one, and sign once it is whole`(
        _ lane: Int
    ) throws {
        let quorums = try Self.quorums.get()
        let seeds = Self.seeds(160)
        for (number, seed) in seeds.enumerated() where number % Self.lanes == lane {
            play(seed, quorums[seed % quorums.count], steps: 160, Self.signing) {
                SigningScenario($0)
            }
        }
        if let lines = Self.signing.closing(after: Self.lanes) { print(lines) }
    }

    @Test(arguments: 0..<lanes)
    func `change no key, keep one epoch whole, and deal it anew once it is whole`(
        _ lane: Int
    ) throws {
        let scenes = try Self.scenes.get()
        let seeds = Self.seeds(40)
        for (number, seed) in seeds.enumerated() where number % Self.lanes == lane {
            let scene = scenes[seed % scenes.count]
            play(seed, scene.quorum, steps: 240, mayLie: false, Self.ceremonies) {
                CeremonyScenario($0, like: scene)
            }
        }
        if let lines = Self.ceremonies.closing(after: Self.lanes) { print(lines) }
    }

    private func play(
        _ seed: Int, _ quorum: SimulatedQuorum, steps: Int, mayLie: Bool = true, _ tally: Tally,
        _ make: (FaultyNetwork) -> some Scenario
    ) {
        do {
            let network = try FaultyNetwork(quorum, seed: seed, mayLie: mayLie)
            do {
                var scenario = make(network)
                try network.play(&scenario, steps: steps)
            } catch {
                Issue.record(
                    "QUORUMKEEP_SEED=\(seed) shows again: \(error)\n\(network.lastEvents)")
            }
            if Self.environment["QUORUMKEEP_SEED"] != nil { print(network.lastEvents) }
            tally.add("seeds")
            tally.add("signatures released", "", network.invariants.signatureCount)
            tally.add("shares proved whole", "", network.invariants.proofCount)
            for (reason, count) in network.invariants.reasons {
                tally.add("runs ended", reason, count)
            }
            for (what, count) in network.counts { tally.add(what, "", count) }
        } catch {
            Issue.record("seed \(seed): \(error)")
        }
    }
}
