import Canonical
import Holder
import Intents
import KeyGroups
import TestKit
import Testing
import Threshold

/// What comes when a run's time is over.
@Suite struct `A run whose time is over` {
    @Test func `gets no message from a holder that hears the others too late`() throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "late")
        try quorum.generateKey()
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        var held: [HolderInput] = []
        quorum.relay = { transit in
            guard transit.to == 0, case .envelope = transit.input else { return [transit] }
            held.append(transit.input)
            return []
        }
        quorum.proposeSigning(intent, order, [0, 1], expiresIn: 60)
        try quorum.run()
        // The Ready and the first messages of member 1 wait for member 0.
        #expect(held.count == 3)
        quorum.members[0].wall += 61
        quorum.members[0].monotonic += 61
        try quorum.handle(held, by: 0)
        let said = quorum.envelopes.filter { $0.member == 0 }.map(\.envelope.header.kind)
        #expect(said == [.ready, .abort])
        #expect(quorum.reports.last { $0.member == 0 }?.report.reason == "timeout")
    }
}
