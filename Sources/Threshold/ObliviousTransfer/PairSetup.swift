import Algebra
import Canonical
import KeyGroups

/// Names one ordered pair's setup: a hash over the whole exchange that made it.
public struct SetupID: FixedBytes {
    public static let byteCount = 32
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    init(name: Digest, first: [UInt8], second: [UInt8], third: [UInt8]) {
        func part(_ tag: HashTag, _ message: [UInt8]) -> Digest {
            var transcript = Transcript(tag)
            transcript.append(message)
            return transcript.digest()
        }
        var transcript = Transcript(Tag.setupID)
        transcript.append(name)
        transcript.append(part(Tag.setupMessage1, first))
        transcript.append(part(Tag.setupMessage2, second))
        transcript.append(part(Tag.setupMessage3, third))
        bytes = transcript.digest().bytes
    }
}

/// What Alice keeps of a setup: in every later multiplication of this ordered pair she brings the
/// factor and knows, of each tree, all leaves but the one at Δ.
public struct AliceSetup: ~Copyable, Sendable {
    public let id: SetupID
    /// Δ, one byte from 0 to 15 a tree.
    let delta: SecretBytes
    let leaves: SecretBytes

    init(id: SetupID, delta: consuming SecretBytes, leaves: consuming SecretBytes) {
        self.id = id
        self.delta = delta
        self.leaves = leaves
    }

    init(id: SetupID, _ trees: consuming PuncturedTreesEvaluation) {
        self.init(id: id, delta: trees.delta, leaves: trees.leaves)
    }
}

/// What Bob keeps of a setup: all leaves.
public struct BobSetup: ~Copyable, Sendable {
    public let id: SetupID
    let leaves: SecretBytes
}

/// A pair's setup in the making: three messages, the first by Alice as receiver of the base
/// transfer, the other two by Bob (specification sections 5.3 and 5.4).
enum PairSetup {
    static let answerBytes = BaseTransfer.messageBytes + PuncturedTrees.messageBytes

    /// sid' of the ordered pair.
    static func name(_ run: RunID, alice: ParticipantIndex, bob: ParticipantIndex) -> Digest {
        var transcript = Transcript(Tag.pairSetup)
        transcript.append(run)
        transcript.append(u8: alice.raw)
        transcript.append(u8: bob.raw)
        return transcript.digest()
    }

    struct Alice: ~Copyable {
        private let name: Digest
        private let receiver: BaseTransferReceiver

        init(
            run: RunID, me: ParticipantIndex, bob: ParticipantIndex,
            random: inout some RandomSource & ~Copyable
        ) {
            name = PairSetup.name(run, alice: me, bob: bob)
            receiver = BaseTransferReceiver(name: name, random: &random)
        }

        var message: [UInt8] { receiver.message }

        consuming func finish(_ answer: [UInt8]) throws(Abort.Reason) -> AliceSetup {
            guard answer.count == answerBytes else { throw .baseTransfer }
            let second = Array(answer.prefix(BaseTransfer.messageBytes))
            let third = Array(answer.dropFirst(BaseTransfer.messageBytes))
            let (name, first) = (name, message)
            let chosen = try receiver.finish(second)
            let trees = try PuncturedTreesEvaluation(
                name, choice: chosen.choice, keys: chosen.keys, message: third)
            return AliceSetup(
                id: SetupID(name: name, first: first, second: second, third: third), trees)
        }
    }

    struct Bob: ~Copyable {
        private let name: Digest
        private let sender: BaseTransferSender
        private let roots: SecretBytes

        /// Draws the base transfer's exponents, then the 64 roots.
        init(
            run: RunID, alice: ParticipantIndex, me: ParticipantIndex,
            random: inout some RandomSource & ~Copyable
        ) {
            name = PairSetup.name(run, alice: alice, bob: me)
            sender = BaseTransferSender(random: &random)
            roots = SecretBytes(count: Transfer.treeCount * Transfer.seedBytes, from: &random)
        }

        struct Answered: ~Copyable {
            let message: [UInt8]
            let setup: BobSetup

            consuming func takeSetup() -> BobSetup { setup }
        }

        consuming func answer(
            _ first: [UInt8]
        ) throws(Abort.Reason) -> Answered {
            let name = name
            let transfers = try sender.answer(first, name: name)
            let trees = PuncturedTrees.build(name, roots: roots, keys: transfers.keys)
            let id = SetupID(
                name: name, first: first, second: transfers.message, third: trees.message)
            return Answered(
                message: transfers.message + trees.message,
                setup: BobSetup(id: id, leaves: trees.leaves.copy()))
        }

        /// The setup and what the peer gets, in answer to its message.
        ///
        /// - Throws: `.baseTransfer` naming the peer.
        consuming func answered(
            _ first: [UInt8], to peer: ParticipantIndex
        ) throws(Abort) -> (SecretBox<BobSetup>, [UInt8]) {
            do throws(Abort.Reason) {
                let answered = try answer(first)
                let message = answered.message
                return (SecretBox(answered.takeSetup()), message)
            } catch {
                throw Abort(error, by: peer)
            }
        }
    }
}
