import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// A Bob that deviates in the oblivious transfer extension, at the level of one multiplication.
@Suite final class `A cheater in the transfer extension` {
    let name: Digest
    let alice: AliceSetup
    let leaves: SecretBytes
    let choice: SecretBytes
    let delta: [UInt8]

    init() throws {
        let run = RunID(unchecked: [UInt8](repeating: 1, count: 32))
        let (one, two) = (ParticipantIndex(1)!, ParticipantIndex(2)!)
        var (aliceRandom, bobRandom) = (TestRandom("kat/alice"), TestRandom("kat/bob"))
        let aliceSide = PairSetup.Alice(run: run, me: one, bob: two, random: &aliceRandom)
        let bobSide = PairSetup.Bob(run: run, alice: one, me: two, random: &bobRandom)
        let answered = try bobSide.answer(aliceSide.message)
        alice = try aliceSide.finish(answered.message)
        leaves = answered.takeSetup().leaves.copy()
        choice = SecretBytes(count: Transfer.columnBytes, from: &bobRandom)
        name = Multiplication.name(run, alice.id, alice: one, bob: two)
        delta = alice.delta.withBytes { Array($0) }
    }

    /// Bob's message after flipping bit 0 of tree `flipped` in u, before or after hashing, and with
    /// the hashes patched for a guess of Δ there.
    private func message(flipping tree: Int, guess: UInt8?) -> TransferExtension.Message {
        let honest = TransferExtension.extend(name, leaves: leaves, choice: choice)
        var bytes = honest.message.bytes
        bytes[tree * Transfer.columnBytes] ^= 1
        guard let guess else { return TransferExtension.Message(bytes)! }
        let hash = TransferExtension.universalHash(
            name, bytes[..<TransferExtension.correctionBytes])
        func element(_ bytes: UnsafeRawBufferPointer, _ column: Int) -> SIMD2<UInt64> {
            hash(
                bytes.assumingMemoryBound(to: UInt64.self).baseAddress!
                    + column * Transfer.columnWords)
        }
        func write(_ value: SIMD2<UInt64>, at offset: Int) {
            bytes.withUnsafeMutableBytes {
                $0.storeBytes(of: value.x, toByteOffset: offset, as: UInt64.self)
                $0.storeBytes(of: value.y, toByteOffset: offset + 8, as: UInt64.self)
            }
        }
        var columns = SecretBytes(count: Transfer.baseCount * Transfer.columnBytes)
        var expansion = LeafExpansion(name)
        for number in 0..<Transfer.treeCount {
            expansion.expand(number, leaves)
            for bit in 0..<Transfer.treeDepth {
                expansion.sum(
                    bit, delta: 0, into: &columns, column: Transfer.treeDepth * number + bit)
            }
        }
        var flip = SecretBytes(count: Transfer.columnBytes)
        flip.replace(at: 0, with: [1])
        let flipHash = flip.withBytes { element($0, 0) }
        let start = TransferExtension.correctionBytes
        write(choice.withBytes { element($0, 0) }, at: start)
        for column in 0..<Transfer.baseCount {
            var value = columns.withBytes { element($0, column) }
            let bit = UInt8(column % Transfer.treeDepth)
            if column / Transfer.treeDepth == tree, guess >> bit & 1 == 1 { value ^= flipHash }
            write(value, at: start + 16 * (1 + column))
        }
        return TransferExtension.Message(bytes)!
    }

    private func passes(_ message: TransferExtension.Message) -> Bool {
        do throws(Abort.Reason) {
            _ = try TransferExtension.check(name, alice, message)
            return true
        } catch {
            #expect(error == .transferCheck)
            #expect(error.consequence == .ban)
            return false
        }
    }

    @Test func `2 a bit flipped after hashing is always found`() {
        for tree in 0..<Transfer.treeCount { #expect(!passes(message(flipping: tree, guess: nil))) }
    }

    @Test func `2b a bit flipped before hashing passes where Δ is zero, and is harmless there`() {
        let passing = (0..<Transfer.treeCount).filter { passes(message(flipping: $0, guess: 0)) }
        #expect(passing == (0..<Transfer.treeCount).filter { delta[$0] == 0 })
        #expect(!passing.isEmpty)
    }

    @Test func `3 a guess of Δ passes exactly where it is right: the leak that the ban is for`() {
        let passing = (0..<Transfer.treeCount).filter { passes(message(flipping: $0, guess: 11)) }
        #expect(passing == (0..<Transfer.treeCount).filter { delta[$0] == 11 })
        let guesses = (UInt8(0)..<16).filter { passes(message(flipping: 7, guess: $0)) }
        #expect(guesses == [delta[7]])
    }

    @Test func `honest messages pass`() {
        #expect(passes(TransferExtension.extend(name, leaves: leaves, choice: choice).message))
    }
}
