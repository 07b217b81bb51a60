import Canonical
import TestKit
import Testing

/// Every decoder of bytes that come from a peer, a client, a node or a disk: it never traps, it
/// keeps to its limit, and what it reads it would have written so.
///
/// `QUORUMKEEP_FUZZ=1000000 swift test -c release --filter FuzzTests` is the long run.
@Suite struct `What comes from outside` {
    @Test(arguments: Decoders.all)
    func `read only what they would write, whatever comes`(decoder: Decoder) {
        var fuzzer = Fuzzer()
        let executions = max(100, Fuzzer.executions / decoder.divisor)
        fuzzer.run(decoder, executions: executions)
        for what in fuzzer.broken {
            Issue.record("\(decoder), seed \(Fuzzer.seed): \(what)")
        }
        print(
            "printed: fuzz \(decoder), seed \(Fuzzer.seed): \(executions) executions,",
            "\(fuzzer.accepted) accepted, \(fuzzer.rejected) rejected")
    }

    @Test func `a decoder that breaks its promises would be found`() {
        let careless = Decoder(name: "careless", limit: 4, seeds: [[1, 2, 3]]) { bytes in
            bytes.first == 1 ? Array(bytes.prefix(3)) : nil
        }
        var fuzzer = Fuzzer()
        fuzzer.run(careless, executions: 2000)
        #expect(fuzzer.broken.contains { $0.hasPrefix("written otherwise") })
        #expect(
            fuzzer.broken.contains { $0.hasSuffix("are read") || $0.contains("bytes are read") })
        let forgetful = Decoder(name: "forgetful", isCanonical: false, seeds: [[1]]) { bytes in
            bytes.isEmpty ? nil : bytes + [0]
        }
        var other = Fuzzer()
        other.run(forgetful, executions: 100)
        #expect(!other.broken.isEmpty)
    }

    @Test func `the same seed gives the same inputs`() {
        func stream(_ seed: UInt64) -> [[UInt8]] {
            var mutator = Mutator(seed: seed, "a")
            return (0..<100).map { _ in
                mutator.mutate([1, 2, 3, 4], [5, 6, 7], .binary, most: 64)
            }
        }
        #expect(stream(1) == stream(1))
        #expect(stream(1) != stream(2))
    }
}
