import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing
import Threshold

/// Whole runs in which one message is changed on its way, inside of its seal: what a member that
/// cheats at random sends. Nobody traps, and nobody ends with anything that is not right.
@Suite struct `Runs with a message that is changed` {
    /// A run takes as long as a thousand decodings, a key generation as long as a hundred runs.
    private static let signings = max(20, Fuzzer.executions / 200)
    private static let keyGenerations = max(2, Fuzzer.executions / 10_000)

    private static let pair = SigningThreshold(2, of: 2)!

    /// Changes the message with this number, and only it.
    private func change<Machine: ProtocolRun & ~Copyable>(
        _ number: Int, _ network: LocalNetwork<Machine>, _ mutator: inout Mutator
    ) -> Bool {
        var at = 0
        var isChanged = false
        var own = mutator
        network.run { transit in
            defer { at += 1 }
            guard at == number else { return transit }
            var changed = transit
            let bytes = own.mutate(
                transit.bytes, transit.bytes, .binary, most: 2 * transit.bytes.count)
            // An empty whisper does not come out of a seal.
            changed.bytes = bytes.isEmpty ? [0] : bytes
            isChanged = changed.bytes != transit.bytes
            return changed
        }
        mutator = own
        return isChanged
    }

    @Test func `sign rightly or not at all`() throws {
        let shares = try TestKeys.shares("fuzz", Self.pair)
        var mutator = Mutator(seed: Fuzzer.seed, "signing")
        let path = try #require(DerivationPath([44, 60]))
        let items = [SigningItem(path: path, digest: .sha256([1]))]
        var counts = (signed: 0, aborted: 0, waiting: 0, unchanged: 0)
        for number in 0..<Self.signings {
            let network = LocalNetwork<Signing>()
            let run = TestKeys.ceremonyName("fuzz \(number)")
            var keys: [Point] = []
            for (me, box) in shares.sorted(by: { $0.key < $1.key }) {
                let share = try box.with { try KeyShare<ECDSA>(stored: $0) }
                if let derived = DerivedKey(path, of: share.key) { keys.append(derived.publicKey) }
                var random = TestRandom("fuzz \(number) \(me)")
                network.add(
                    try Signing(
                        ClaimedRun(run, in: MemoryRegistry()), items: items,
                        members: TestKeys.indices(2), share: share, random: &random), me)
            }
            // Each sends a commitment and three whispers.
            if !change(number % 8, network, &mutator) { counts.unchanged += 1 }
            for signatures in network.outputs.values {
                counts.signed += 1
                #expect(signatures.count == 1)
                #expect(signatures.first?.verifies(items[0].digest, under: keys[0]) == true)
            }
            counts.aborted += network.aborts.count
            counts.waiting += 2 - network.outputs.count - network.aborts.count
        }
        print(
            "printed: fuzz signing, seed \(Fuzzer.seed): \(Self.signings) runs, \(counts.signed)",
            "members signed, \(counts.aborted) aborted, \(counts.waiting) wait,",
            "\(counts.unchanged) messages unchanged")
    }

    @Test func `make the same key or none`() throws {
        var mutator = Mutator(seed: Fuzzer.seed, "key generation")
        var counts = (finished: 0, aborted: 0, waiting: 0)
        for number in 0..<Self.keyGenerations {
            let network = try TestKeys.ceremony("fuzz \(number)", Self.pair)
            _ = change(number % 10, network, &mutator)
            let keys = network.outputs.values.compactMap { $0?.with { $0.share.key } }
            #expect(keys.allSatisfy { $0 == keys[0] })
            counts.finished += keys.count
            counts.aborted += network.aborts.count
            counts.waiting += 2 - keys.count - network.aborts.count
        }
        print(
            "printed: fuzz key generation, seed \(Fuzzer.seed): \(Self.keyGenerations) runs,",
            "\(counts.finished) members finished, \(counts.aborted) aborted, \(counts.waiting) wait"
        )
    }
}
