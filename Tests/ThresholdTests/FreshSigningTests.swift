import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// Signing with setups of the run alone.
@Suite struct `Signing with fresh setups` {
    private static let run = RunID(unchecked: [UInt8](repeating: 0x5b, count: 32))
    private static let items = (0..<2).map { number in
        SigningItem(
            path: DerivationPath([44, 60, 0, 0, UInt32(number)])!, digest: .sha256([number]))
    }

    /// The quorum's machines; their shares have no stored setup to fall back on.
    private static func network(
        _ scheme: `A cheater in signing`.Scheme
    ) throws -> LocalNetwork<FreshSigning> {
        let shares = try KeyCache.shares(scheme.threshold)
        let network = LocalNetwork<FreshSigning>()
        for me in scheme.quorum {
            var share = try shares[me]!.with { try KeyShare<ECDSA>(stored: $0) }
            for peer in TestKeys.indices(scheme.threshold.holders) where peer != me {
                share = share.withoutPair(peer)
            }
            var random = TestRandom("fresh/\(me)")
            network.add(
                try FreshSigning(
                    ClaimedRun(run, in: MemoryRegistry()), items: items, members: scheme.quorum,
                    share: share, zeroSeeds: TestKeys.zeroSeeds(run, me, scheme.quorum),
                    random: &random), me)
        }
        return network
    }

    @Test(arguments: `A cheater in signing`.schemes)
    func `gives everyone the signatures`(_ scheme: `A cheater in signing`.Scheme) throws {
        let network = try Self.network(scheme)
        network.run()
        #expect(network.aborts.isEmpty)
        let key = try KeyCache.shares(scheme.threshold)[scheme.victim]!
            .with { try KeyShare<ECDSA>(stored: $0).key }
        for index in scheme.quorum {
            let signatures = try #require(network.outputs[index])
            for (item, signature) in zip(Self.items, signatures) {
                let derived = DerivedKey(item.path, of: key)!
                #expect(signature.verifies(item.digest, under: derived.publicKey))
            }
        }
        #expect(Set(network.sent.map(\.round)) == Set(FreshSigning.rounds))
    }

    /// One field of each round's message, and what it must cost its sender.
    static let cheats: [(round: UInt8, byte: Int, reason: Abort.Reason)] = [
        (1, 0, .baseTransfer),  // a point without its prefix
        (2, PairSetup.answerBytes - 1, .transferTree),
        (3, SetupID.byteCount, .transferCheck),
        (4, MultiplyRound.whisperBytes - 1, .multiplicationCheck),
    ]

    @Test(arguments: `A cheater in signing`.schemes, [0, 1, 2, 3])
    func `names a cheater, and bans nobody`(
        _ scheme: `A cheater in signing`.Scheme, _ number: Int
    ) throws {
        let cheat = Self.cheats[number]
        let network = try Self.network(scheme)
        network.run { transit in
            guard transit.from == scheme.cheater, transit.to == scheme.victim,
                transit.round == cheat.round, !transit.isBroadcast, transit.item == 0
            else { return transit }
            var transit = transit
            transit.bytes[cheat.byte] ^= cheat.byte == 0 ? 0x80 : 1
            return transit
        }
        let abort = try #require(network.aborts[scheme.victim])
        #expect(abort == Abort(cheat.reason, by: scheme.cheater).ofFreshSetups)
        #expect(abort.consequence == .discardSetup)
        #expect(network.outputs[scheme.victim] == nil)
        #expect(!network.gaveLast.contains(scheme.victim))
    }

    @Test func `asks for every peer's seed`() throws {
        let scheme = `A cheater in signing`.schemes[0]
        let share = SecretBox(
            try KeyCache.shares(scheme.threshold)[scheme.victim]!
                .with { try KeyShare<ECDSA>(stored: $0) })
        var random = TestRandom("fresh")
        #expect(throws: Abort(.wrongQuorum)) {
            _ = try FreshSigning(
                ClaimedRun(Self.run, in: MemoryRegistry()), items: Self.items,
                members: scheme.quorum, share: share.take()!, zeroSeeds: [:], random: &random)
        }
    }
}
