import Algebra
import KeyGroups

/// What a run asks of whoever drives it.
public enum Step<Output> {
    /// Nothing until another message has come.
    case wait
    /// Send these, then ask again.
    case send([RoundMessage])
    /// The messages that give the result away. First store that they were sent: they are made
    /// once, and what they sign counts as signed from then on (section 4.4, rule 3).
    case sendLast([RoundMessage])
    case finish(Output)
}

/// A round's result: the next round, and what to send.
struct Advance<Next: ~Copyable>: ~Copyable {
    let round: Next
    let messages: [RoundMessage]

    consuming func takeRound() -> Next { round }
}

/// A message of one round, before it is sealed and signed or after it was opened and verified.
public struct RoundMessage: Sendable {
    public enum Content: Sendable {
        /// The same for everyone, in clear.
        case broadcast([UInt8])
        /// For one participant; sealed on its way.
        case whispered(SecretBox<SecretBytes>)
    }

    public let round: UInt8
    public let item: UInt16
    /// The sender of a received message; the recipient of a whispered one to be sent; us in a
    /// broadcast to be sent.
    public let participant: ParticipantIndex
    public let content: Content

    public init(
        round: UInt8, item: UInt16 = 0, _ participant: ParticipantIndex, _ content: Content
    ) {
        self.round = round
        self.item = item
        self.participant = participant
        self.content = content
    }

    /// The same as a message of another round.
    func moved(to round: UInt8) -> RoundMessage {
        RoundMessage(round: round, item: item, participant, content)
    }

    static func whisper(
        round: UInt8, item: UInt16 = 0, to recipient: ParticipantIndex, _ bytes: [UInt8]
    ) -> RoundMessage {
        RoundMessage(
            round: round, item: item, recipient,
            .whispered(SecretBox(SecretBytes(copying: bytes))))
    }
}

/// Gathers the messages of a run, which may come early and in any order, until a round is whole.
struct Mailbox {
    private struct Slot: Hashable {
        let round: UInt8
        let item: UInt16
        let sender: ParticipantIndex
    }

    private var broadcasts: [Slot: [UInt8]] = [:]
    private var whispers: [Slot: SecretBox<SecretBytes>] = [:]

    /// Keeps the first message for its place; what comes for the same place later is not looked at
    /// (an envelope that differs is evidence against its sender and never gets here).
    mutating func put(_ message: RoundMessage) {
        let slot = Slot(round: message.round, item: message.item, sender: message.participant)
        switch message.content {
        case .broadcast(let bytes): if broadcasts[slot] == nil { broadcasts[slot] = bytes }
        case .whispered(let box): if whispers[slot] == nil { whispers[slot] = box }
        }
    }

    /// Every sender's broadcast of the round, or nil while one is missing.
    func broadcasts(
        round: UInt8, item: UInt16, from senders: [ParticipantIndex]
    ) -> [ParticipantIndex: [UInt8]]? {
        collect(broadcasts, round, item, senders)
    }

    /// Every sender's whispered message of the round, or nil while one is missing.
    func whispers(
        round: UInt8, item: UInt16, from senders: [ParticipantIndex]
    ) -> [ParticipantIndex: SecretBox<SecretBytes>]? {
        collect(whispers, round, item, senders)
    }

    private func collect<Content>(
        _ kept: [Slot: Content], _ round: UInt8, _ item: UInt16, _ senders: [ParticipantIndex]
    ) -> [ParticipantIndex: Content]? {
        var found: [ParticipantIndex: Content] = [:]
        for sender in senders {
            guard let content = kept[Slot(round: round, item: item, sender: sender)] else {
                return nil
            }
            found[sender] = content
        }
        return found
    }

    /// Forgets the messages of rounds up to this one.
    mutating func drop(through round: UInt8) {
        broadcasts = broadcasts.filter { $0.key.round > round }
        whispers = whispers.filter { $0.key.round > round }
    }

    /// Who has not sent all of the round yet, ascending, for "waiting for".
    func missing(
        round: UInt8, items: Int, broadcasts senders: [ParticipantIndex],
        whispers whisperers: [ParticipantIndex]
    ) -> [ParticipantIndex] {
        Set(senders + whisperers).filter { sender in
            (0..<items).contains { item in
                let slot = Slot(round: round, item: UInt16(item), sender: sender)
                return (whispers[slot] == nil && whisperers.contains(sender))
                    || (broadcasts[slot] == nil && senders.contains(sender))
            }
        }.sorted()
    }
}
