import Algebra
import Canonical

/// 64 trees of 16 leaves of which the evaluator knows all but one each, the one at its secret Δ:
/// an all-but-one PPRF by Goldreich–Goldwasser–Micali with a consistency check (SoftSpokenOT 2022,
/// section 5; specification section 5.4).
enum PuncturedTrees {
    static let checkBytes = 64
    /// Per tree: two corrections a level, the sum of the leaf checks and their hash.
    static let treeMessageBytes = Transfer.treeDepth * 2 * Transfer.seedBytes + checkBytes + 32
    static let messageBytes = Transfer.treeCount * treeMessageBytes

    /// What the builder makes: all leaves, and the message that lets the evaluator find all but
    /// one.
    struct Built: ~Copyable {
        let leaves: SecretBytes
        let message: [UInt8]
    }

    /// Writes both children of the node into `next`.
    static func expand(
        _ name: Digest, tree: Int, level: Int, parent: Int, _ seeds: borrowing SecretBytes,
        into next: inout SecretBytes
    ) {
        for (side, tag) in [Tag.treeLeft, Tag.treeRight].enumerated() {
            var transcript = Transcript(tag)
            transcript.append(name)
            transcript.append(u16: UInt16(tree))
            transcript.append(u8: UInt8(level))
            transcript.append(u16: UInt16(parent))
            transcript.append(seeds.copy(parent * 32..<(parent + 1) * 32))
            next.replace(at: (2 * parent + side) * 32, with: transcript.secretDigest())
        }
    }

    /// The 64-byte check value of a leaf.
    static func leafCheck(_ name: Digest, tree: Int, leaf: Int, _ seed: borrowing SecretBytes)
        -> SecretBytes
    {
        var check = SecretBytes(count: checkBytes)
        for (half, tag) in [Tag.leafCheck0, Tag.leafCheck1].enumerated() {
            var transcript = Transcript(tag)
            transcript.append(name)
            transcript.append(u16: UInt16(tree))
            transcript.append(u8: UInt8(leaf))
            transcript.append(seed)
            check.replace(at: 32 * half, with: transcript.secretDigest())
        }
        return check
    }

    /// The hash over all 16 leaf checks of a tree.
    static func treeCheck(_ name: Digest, tree: Int, _ checks: borrowing SecretBytes) -> SecretBytes
    {
        var transcript = Transcript(Tag.treeCheck)
        transcript.append(name)
        transcript.append(u16: UInt16(tree))
        for leaf in 0..<Transfer.leafCount {
            transcript.append(checks.copy(leaf * checkBytes..<(leaf + 1) * checkBytes))
        }
        return transcript.secretDigest()
    }

    /// The builder's side.
    ///
    /// - Parameters:
    ///   - roots: 32 bytes a tree.
    ///   - keys: both base transfer keys of each level, as `BaseTransferSender` gives them.
    static func build(
        _ name: Digest, roots: borrowing SecretBytes, keys: borrowing SecretBytes
    ) -> Built {
        var leaves = SecretBytes(count: Transfer.leavesBytes)
        var message: [UInt8] = []
        message.reserveCapacity(messageBytes)
        for tree in 0..<Transfer.treeCount {
            var nodes = roots.copy(tree * 32..<(tree + 1) * 32)
            for level in 0..<Transfer.treeDepth {
                let width = 1 << level
                var next = SecretBytes(count: 2 * width * 32)
                for parent in 0..<width {
                    expand(name, tree: tree, level: level, parent: parent, nodes, into: &next)
                }
                let at = 2 * (tree * Transfer.treeDepth + level)
                for side in 0..<2 {
                    var sum = keys.copy((at + side) * 32..<(at + side + 1) * 32)
                    for parent in 0..<width {
                        sum.xor(next, from: (2 * parent + side) * 32, mask: .max)
                    }
                    sum.withBytes { message += $0 }
                }
                nodes = next
            }
            var sum = SecretBytes(count: checkBytes)
            var checks = SecretBytes(count: Transfer.leafCount * checkBytes)
            for leaf in 0..<Transfer.leafCount {
                let check = leafCheck(
                    name, tree: tree, leaf: leaf, nodes.copy(leaf * 32..<(leaf + 1) * 32))
                checks.replace(at: leaf * checkBytes, with: check)
                sum.xor(check, from: 0, mask: .max)
            }
            sum.withBytes { message += $0 }
            treeCheck(name, tree: tree, checks).withBytes { message += $0 }
            leaves.replace(at: tree * Transfer.leafCount * 32, with: nodes)
        }
        return Built(leaves: leaves, message: message)
    }
}

/// The evaluator's side: Δ of each tree and the leaves at all other places.
///
/// The base transfer's choice bit at a level is the direction of the sibling sum that is known;
/// the path to the missing leaf goes the other way. Every step is the same whatever the path is:
/// missing nodes are expanded as zeros, and their place is found by masks.
struct PuncturedTreesEvaluation: ~Copyable {
    /// Δ, one byte from 0 to 15 a tree.
    let delta: SecretBytes
    /// All leaves, zeros at Δ.
    let leaves: SecretBytes

    init(
        _ name: Digest, choice: borrowing SecretBytes, keys: borrowing SecretBytes,
        message: [UInt8]
    ) throws(Abort.Reason) {
        guard message.count == PuncturedTrees.messageBytes else { throw .transferTree }
        var delta = SecretBytes(count: Transfer.treeCount)
        var leaves = SecretBytes(count: Transfer.leavesBytes)
        var allFit = true
        for tree in 0..<Transfer.treeCount {
            let start = tree * PuncturedTrees.treeMessageBytes
            let part = Array(message[start..<start + PuncturedTrees.treeMessageBytes])
            let evaluated = Self.evaluate(name, tree, choice, keys, part)
            let fits = Self.check(name, tree, evaluated.star, evaluated.nodes, part)
            allFit = fits && allFit  // all trees are looked at before the verdict
            delta.replace(at: tree, with: [evaluated.star])
            leaves.replace(at: tree * Transfer.leafCount * 32, with: evaluated.nodes)
        }
        guard allFit else { throw .transferTree }
        self.delta = delta
        self.leaves = leaves
    }

    private struct Evaluated: ~Copyable {
        let star: UInt8
        let nodes: SecretBytes
    }

    private static func evaluate(
        _ name: Digest, _ tree: Int, _ choice: borrowing SecretBytes,
        _ keys: borrowing SecretBytes, _ part: [UInt8]
    ) -> Evaluated {
        var star: UInt8 = 0
        var nodes = SecretBytes(count: 32)
        for level in 0..<Transfer.treeDepth {
            let width = 1 << level
            let number = tree * Transfer.treeDepth + level
            let bit = choice.bit(number)
            var next = SecretBytes(count: 2 * width * 32)
            for parent in 0..<width {
                PuncturedTrees.expand(
                    name, tree: tree, level: level, parent: parent, nodes, into: &next)
            }
            let zero = Array(part[64 * level..<64 * level + 32])
            let one = Array(part[64 * level + 32..<64 * level + 64])
            var known = keys.copy(number * 32..<(number + 1) * 32)
            known.xor(SecretBytes(copying: constantTimeSelect(bit, zero, one)), from: 0, mask: .max)
            for parent in 0..<width {
                let present = ~equalMask(UInt8(parent), star)
                known.xor(next, from: 2 * parent * 32, mask: present & ~(0 &- bit))
                known.xor(next, from: (2 * parent + 1) * 32, mask: present & (0 &- bit))
            }
            let target = 2 * star + bit
            star = 2 * star + (bit ^ 1)
            for node in 0..<2 * width {
                let isTarget = equalMask(UInt8(node), target)
                next.keep(
                    at: node * 32, count: 32, mask: ~(isTarget | equalMask(UInt8(node), star)))
                next.xor(at: node * 32, known, mask: isTarget)
            }
            nodes = next
        }
        return Evaluated(star: star, nodes: nodes)
    }

    private static func check(
        _ name: Digest, _ tree: Int, _ star: UInt8, _ nodes: borrowing SecretBytes, _ part: [UInt8]
    ) -> Bool {
        let offset = Transfer.treeDepth * 64
        let size = PuncturedTrees.checkBytes
        var missing = SecretBytes(copying: part[offset..<offset + size])
        var checks = SecretBytes(count: Transfer.leafCount * size)
        for leaf in 0..<Transfer.leafCount {
            let check = PuncturedTrees.leafCheck(
                name, tree: tree, leaf: leaf, nodes.copy(leaf * 32..<(leaf + 1) * 32))
            let known = ~equalMask(UInt8(leaf), star)
            missing.xor(check, from: 0, mask: known)
            checks.xor(at: leaf * size, check, mask: known)
        }
        for leaf in 0..<Transfer.leafCount {
            checks.xor(at: leaf * size, missing, mask: equalMask(UInt8(leaf), star))
        }
        let expected = SecretBytes(copying: part[(offset + size)...])
        return PuncturedTrees.treeCheck(name, tree: tree, checks).matches(expected)
    }

    /// 255 where the two are equal, else 0.
    private static func equalMask(_ a: UInt8, _ b: UInt8) -> UInt8 {
        let difference = UInt16(a ^ b)
        return UInt8(truncatingIfNeeded: (difference &- 1) &>> 8)
    }
}
