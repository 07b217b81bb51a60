import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// One run of a protocol, recorded once, in which one participant's messages are changed and what
/// the others do is compared with a table.
///
/// Everybody draws from known streams, so an attacker needs no machine: it says what it said in the
/// recorded run, but for what is mutated. Only honest participants compute.
final class Stage<Machine: ProtocolRun & ~Copyable> {
    typealias Make = (ParticipantIndex, RunID) throws -> Machine
    /// What else the attacker changes so that a changed message fits: in place of the second, given
    /// the first in all it said.
    typealias Adapt = (_ mutated: Transit, _ said: [Transit]) -> [Transit]

    let name: String
    let layouts: [Layout]
    private let participants: [ParticipantIndex]
    private let make: Make
    private let adapt: [String: Adapt]
    private let isGood: (Machine.Output) -> Bool
    private let sent: [Transit]
    private let sentElsewhere: [Transit]
    private let itemCount: UInt16

    static var run: RunID { RunID(unchecked: [UInt8](repeating: 0x5a, count: 32)) }
    private static var otherRun: RunID { RunID(unchecked: [UInt8](repeating: 0xa5, count: 32)) }

    private var cheater: ParticipantIndex { participants[1] }
    private var victim: ParticipantIndex { participants[0] }

    /// - Parameters:
    ///   - adapt: by layout, for an attacker that makes the rest fit.
    ///   - isGood: what an honest participant may end with.
    init(
        _ name: String, _ participants: [ParticipantIndex], _ layouts: [Layout],
        items: UInt16 = 1, adapt: [String: Adapt] = [:],
        isGood: @escaping (Machine.Output) -> Bool, make: @escaping Make
    ) throws {
        self.name = name
        self.participants = participants
        self.layouts = layouts
        self.make = make
        self.adapt = adapt
        self.isGood = isGood
        itemCount = items
        func record(_ run: RunID) throws -> [Transit] {
            let network = LocalNetwork<Machine>()
            for index in participants { network.add(try make(index, run), index) }
            network.run()
            guard network.outputs.count == participants.count,
                network.outputs.values.allSatisfy(isGood)
            else { throw Abort(.wrongQuorum) }
            return network.sent
        }
        sent = try record(Self.run)
        sentElsewhere = try record(Self.otherRun)
    }

    /// One mutation, or nil if it happens to change nothing.
    func mutate(
        _ layout: Layout, _ field: Layout.Field, _ mutation: Mutation, _ random: inout TestRandom
    ) throws -> MutationOutcome? {
        let item = UInt16(random.integer(below: Int(itemCount)))
        let original = try #require(find(sent, layout, item, from: cheater, to: victim))
        let donors = Mutation.Donors(
            peer: find(sent, layout, item, from: victim, to: cheater)?.bytes ?? [],
            otherRun: find(sentElsewhere, layout, item, from: cheater, to: victim)?.bytes ?? [],
            otherRounds: sent.filter {
                $0.from == cheater && $0.to == victim
                    && ($0.round != layout.round || $0.isBroadcast != layout.isBroadcast)
            }.map(\.bytes))
        var mutated = original
        mutated.bytes = mutation.apply(
            to: original.bytes, field, of: layout, donors, &random)
        // An empty whisper is none: its envelope does not open.
        guard mutated.bytes != original.bytes, layout.isBroadcast || !mutated.bytes.isEmpty else {
            return nil
        }
        let isForAll = layout.isBroadcast && random.integer(below: 2) == 0
        let network = try play(layout, mutated, isForAll: isForAll)
        let verdict = layout.verdict(on: mutated.bytes, insteadOf: original.bytes)
        let where_ = "\(name), \(layout.name), \(field.name), \(mutation.rawValue)"
        judge(network, verdict, layout, where_)
        let outcome = network.aborts[victim]?.reason.rawValue ?? "ends well"
        return ("\(layout.name) \(field.name)", outcome)
    }

    private func find(
        _ sent: [Transit], _ layout: Layout, _ item: UInt16, from: ParticipantIndex,
        to: ParticipantIndex
    ) -> Transit? {
        sent.first {
            $0.round == layout.round && $0.isBroadcast == layout.isBroadcast && $0.item == item
                && $0.from == from && $0.to == to
        }
    }

    /// The honest participants' machines, with all that the attacker says to them.
    private func play(
        _ layout: Layout, _ mutated: Transit, isForAll: Bool
    ) throws -> LocalNetwork<Machine> {
        var said = sent.filter { $0.from == cheater }
        for at in said.indices {
            let isIt =
                said[at].round == mutated.round && said[at].item == mutated.item
                && said[at].isBroadcast == mutated.isBroadcast
                && (said[at].to == mutated.to || isForAll)
            if isIt { said[at].bytes = mutated.bytes }
        }
        if let adapt = adapt[layout.name] {
            said = adapt(mutated, sent.filter { $0.from != cheater } + said)
        }
        let network = LocalNetwork<Machine>()
        for index in participants where index != cheater {
            network.add(try make(index, Self.run), index)
        }
        for transit in said where transit.from == cheater { network.inject(transit) }
        network.run()
        return network
    }

    private func judge(
        _ network: LocalNetwork<Machine>, _ verdict: Layout.Verdict, _ layout: Layout,
        _ place: String
    ) {
        let abort = network.aborts[victim]
        #expect(network.outputs.values.allSatisfy(isGood), "\(place): a bad result")
        for (index, other) in network.aborts {
            let honest = other.culprits.filter { $0 != cheater }
            #expect(honest.isEmpty, "\(place): \(index) names honest \(honest)")
        }
        guard abort != nil || verdict.isSure else { return }
        #expect(abort?.reason == verdict.reason, "\(place)")
        guard let abort else {
            #expect(network.outputs[victim] != nil, "\(place): neither result nor reason")
            return
        }
        let isNamed =
            switch verdict.naming {
            case .sender: true
            case .nobody: false
            case .otherOfTwo: participants.count == 2
            }
        #expect(abort.culprits == (isNamed ? [cheater] : []), "\(place): \(abort)")
        #expect(network.outputs[victim] == nil, "\(place)")
        let mayHaveGiven = abort.reason == .invalidSignature || layout.round >= layout.lastRound
        #expect(mayHaveGiven || !network.gaveLast.contains(victim), "\(place): gave its last")
    }
}
