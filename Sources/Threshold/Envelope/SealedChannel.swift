import Algebra
import Canonical
import KeyGroups

/// The keys of one run between us and each other participant, one a direction, so that no nonce
/// meets a key twice (specification section 4.1). They end with the run.
final class SealedChannel {
    let run: RunID
    let zeroSeeds: [ParticipantIndex: SecretBox<SecretBytes>]
    private let sending: [UInt16: SecretBox<SealingKey>]
    private let receiving: [UInt16: SecretBox<SealingKey>]

    /// - Throws: `.malformedMessage` naming who sent an ephemeral key of small order.
    init(
        run: RunID, me: UInt16, ephemeral: consuming EphemeralKey,
        others: [UInt16: EphemeralPublicKey], roster: Roster
    ) throws(Abort) {
        var sending: [UInt16: SecretBox<SealingKey>] = [:]
        var receiving: [UInt16: SecretBox<SealingKey>] = [:]
        var zeroSeeds: [ParticipantIndex: SecretBox<SecretBytes>] = [:]
        for (position, key) in others where position != me {
            guard let index = roster.index(at: position) else { continue }
            guard let shared = ephemeral.shared(with: key) else {
                throw Abort(.malformedMessage, by: index)
            }
            func derive(_ label: String, _ first: UInt16, _ second: UInt16) -> SecretBytes {
                shared.derive(
                    salt: run,
                    info: Array(label.utf8) + first.bigEndianBytes + second.bigEndianBytes)
            }
            sending[position] = SecretBox(SealingKey(derive("p2p", me, position)))
            receiving[position] = SecretBox(SealingKey(derive("p2p", position, me)))
            zeroSeeds[index] = SecretBox(derive("zero", min(me, position), max(me, position)))
        }
        self.run = run
        self.sending = sending
        self.receiving = receiving
        self.zeroSeeds = zeroSeeds
    }

    func seal(_ plain: borrowing SecretBytes, _ header: Envelope.Header) -> [UInt8] {
        guard let key = sending[header.to] else { preconditionFailure("a key for each recipient") }
        return key.with {
            $0.seal(plain, nonce: Self.nonce(header), authenticating: header.bytes)
        }
    }

    /// The plain body, or nil if it was not sealed for us by its sender in this run and place.
    func open(_ envelope: Envelope) -> SecretBytes? {
        receiving[envelope.header.from]?.with {
            $0.open(
                envelope.body, nonce: Self.nonce(envelope.header),
                authenticating: envelope.header.bytes)
        }
    }

    /// round || item, then zeros: each is sealed once in a direction.
    private static func nonce(_ header: Envelope.Header) -> [UInt8] {
        let start = [header.round] + header.item.bigEndianBytes
        return start + [UInt8](repeating: 0, count: SealingKey.nonceBytes - start.count)
    }
}
