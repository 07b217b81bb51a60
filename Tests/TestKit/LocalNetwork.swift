import Algebra
import KeyGroups
import Threshold

/// Run names that were used, in memory.
public final class MemoryRegistry: RunRegistry {
    private var used: Set<RunID> = []
    public init() {}
    public func claim(_ run: RunID) -> Bool { used.insert(run).inserted }
}

/// A message on its way from one participant to another.
public struct Transit {
    public let round: UInt8
    public let item: UInt16
    public let from: ParticipantIndex
    public let to: ParticipantIndex
    public let isBroadcast: Bool
    public var bytes: [UInt8]

    public init(
        round: UInt8, item: UInt16, from: ParticipantIndex, to: ParticipantIndex,
        isBroadcast: Bool, bytes: [UInt8]
    ) {
        (self.round, self.item, self.from, self.to) = (round, item, from, to)
        (self.isBroadcast, self.bytes) = (isBroadcast, bytes)
    }
}

/// The machines of one run in one process, their messages carried in order, and changed on their
/// way where a test wants it. Envelopes are left out: this drives the protocols themselves.
public final class LocalNetwork<Machine: ProtocolRun & ~Copyable> {
    private final class Participant {
        var machine: Machine
        var isRunning = true
        init(_ machine: consuming Machine) { self.machine = machine }
    }

    /// What a receiver gets in place of what was sent; nil loses the message.
    public typealias Tamper = (Transit) -> Transit?

    private var participants: [ParticipantIndex: Participant] = [:]
    public private(set) var outputs: [ParticipantIndex: Machine.Output] = [:]
    public private(set) var aborts: [ParticipantIndex: Abort] = [:]
    /// Everything that was sent, before it was changed.
    public private(set) var sent: [Transit] = []
    /// Who has given its last messages away.
    public private(set) var gaveLast: Set<ParticipantIndex> = []

    public init() {}

    public func add(_ machine: consuming Machine, _ index: ParticipantIndex) {
        participants[index] = Participant(machine)
    }

    /// Moves everyone on until nobody can move.
    public func run(tamper: Tamper = { $0 }) {
        var moved = true
        while moved {
            moved = false
            for (index, participant) in participants.sorted(by: { $0.key < $1.key })
            where participant.isRunning {
                moved = step(index, participant, tamper) || moved
            }
        }
    }

    /// Hands a message to its recipient, whoever made it.
    public func inject(_ transit: Transit) {
        participants[transit.to]?.machine.receive(
            RoundMessage(
                round: transit.round, item: transit.item, transit.from,
                transit.isBroadcast
                    ? .broadcast(transit.bytes)
                    : .whispered(SecretBox(SecretBytes(copying: transit.bytes)))))
    }

    public func waitingFor(_ index: ParticipantIndex) -> [ParticipantIndex] {
        participants[index]?.machine.waitingFor ?? []
    }

    private func step(
        _ index: ParticipantIndex, _ participant: Participant, _ tamper: Tamper
    ) -> Bool {
        do throws(Abort) {
            switch try participant.machine.next() {
            case .wait:
                return false
            case .send(let messages):
                deliver(messages, from: index, tamper)
            case .sendLast(let messages):
                gaveLast.insert(index)
                deliver(messages, from: index, tamper)
            case .finish(let output):
                outputs[index] = output
                participant.isRunning = false
            }
        } catch {
            aborts[index] = error
            participant.isRunning = false
        }
        return true
    }

    private func deliver(
        _ messages: [RoundMessage], from index: ParticipantIndex, _ tamper: Tamper
    ) {
        for message in messages {
            let (bytes, isBroadcast): ([UInt8], Bool)
            let recipients: [ParticipantIndex]
            switch message.content {
            case .broadcast(let body):
                (bytes, isBroadcast) = (body, true)
                recipients = participants.keys.filter { $0 != index }.sorted()
            case .whispered(let box):
                (bytes, isBroadcast) = (box.with { $0.withBytes { Array($0) } }, false)
                recipients = [message.participant]
            }
            for recipient in recipients {
                let transit = Transit(
                    round: message.round, item: message.item, from: index, to: recipient,
                    isBroadcast: isBroadcast, bytes: bytes)
                sent.append(transit)
                if let arrived = tamper(transit) { inject(arrived) }
            }
        }
    }
}
