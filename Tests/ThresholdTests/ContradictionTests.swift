import Algebra
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// A member that signs two messages for one place, or messages for places that do not exist.
@Suite struct `A sender that contradicts itself` {
    private let members = [ParticipantIndex(1)!, ParticipantIndex(3)!]
    private let item = SigningItem(
        path: DerivationPath([44, 60, 0, 0, 8])!, digest: .sha256(Array("two".utf8)))

    private func group() throws -> TestGroup {
        let group = TestGroup(SigningThreshold(2, of: 3)!, seed: "contradictions")
        try group.generate()
        return group
    }

    /// The second member's envelopes of this kind, each followed by another for its place.
    ///
    /// - Parameter isEarly: whether the first member never hears that the other is ready.
    private func run(
        _ group: TestGroup, round: UInt8, broadcast: Bool, isEarly: Bool
    ) throws -> (SessionNetwork<Signing>, said: [Envelope]) {
        var said: [Envelope] = []
        let network = try group.signing(members, [item])
        network.run { bytes, to in
            guard to == members[0], let envelope = try? Envelope(bytes) else { return [bytes] }
            let header = envelope.header
            if header.kind == .ready { return isEarly ? [] : [bytes] }
            guard header.round == round, (header.to == Envelope.toAll) == broadcast else {
                return [bytes]
            }
            var body = envelope.body
            body[0] ^= 1
            let other = group.identity(members[1]).with { Envelope(header, body, signedBy: $0) }
            said += [envelope, other]
            return [bytes, other.bytes]
        }
        return (network, said)
    }

    @Test func `13 gives both messages as evidence, sealed or early as they may be`() throws {
        let group = try group()
        let cases: [(UInt8, Bool, Bool)] = [
            (1, true, false), (1, false, false), (2, false, false), (1, true, true),
            (1, false, true),
        ]
        for (round, broadcast, isEarly) in cases {
            let (network, said) = try run(
                group, round: round, broadcast: broadcast, isEarly: isEarly)
            #expect(network.aborts[members[0]] == Abort(.equivocation, by: members[1]))
            let held = try #require(network.sessions[members[0]]).evidence
            #expect(said.count == 2)
            for envelope in said {
                #expect(held.filter { $0 == envelope }.count == 1, "round \(round), \(isEarly)")
            }
        }
    }

    @Test func `is not listened to where the run has no place`() throws {
        let group = try group()
        let network = try group.signing(members, [item])
        var strays: [Envelope] = []
        network.run { bytes, to in
            guard to == members[0], let envelope = try? Envelope(bytes),
                envelope.header.kind == .round
            else { return [bytes] }
            let places: [(UInt8, UInt16)] = [(0, 0), (4, 0), (255, 0), (1, 1), (2, .max)]
            let added = places.map { round, item in
                let header = Envelope.Header(
                    run: envelope.header.run, scheme: 1, round: round, item: item, from: 1,
                    to: Envelope.toAll, kind: .round)
                return group.identity(members[1]).with {
                    Envelope(header, [UInt8(truncatingIfNeeded: item)], signedBy: $0)
                }
            }
            strays += added
            return added.map(\.bytes) + [bytes]
        }
        #expect(network.outputs.count == 2)
        #expect(network.aborts.isEmpty)
        let held = try #require(network.sessions[members[0]]).evidence
        #expect(!strays.isEmpty)
        #expect(!strays.contains { held.contains($0) })
        #expect(network.dropped.contains("for no round or item of the run"))
    }
}
