import Algebra
import Canonical
import KeyGroups
import TestKit

@testable import Threshold

/// Where the parts of a message stand, what each has to be, and what its receiver does when one is
/// changed: mutations are made from this table and judged by it.
struct Layout {
    enum Form {
        case bytes
        case scalar
        case point
    }

    struct Field {
        let name: String
        let form: Form
        /// Of one element; there may be many, at `offsets`.
        let length: Int
        let offsets: [Int]

        init(
            _ name: String, _ form: Form, at offset: Int, length: Int? = nil, count: Int = 1,
            stride: Int? = nil
        ) {
            self.name = name
            self.form = form
            self.length = length ?? (form == .point ? Point.byteCount : 32)
            let step = stride ?? self.length
            offsets = (0..<count).map { offset + $0 * step }
        }

        fileprivate func isWellFormed<Group: PrimeGroup>(
            in bytes: [UInt8], _: Group.Type
        ) -> Bool {
            offsets.allSatisfy { offset in
                let part = bytes.dropFirst(offset).prefix(length)
                switch form {
                case .bytes: return true
                case .scalar: return Group.Scalar(canonical: part) != nil
                case .point: return Group.Point(compressed: part) != nil
                }
            }
        }

        fileprivate func isSame(_ one: [UInt8], _ other: [UInt8]) -> Bool {
            offsets.allSatisfy { offset in
                one.dropFirst(offset).prefix(length)
                    .elementsEqual(other.dropFirst(offset).prefix(length))
            }
        }
    }

    /// Whom a check shows to have lied.
    enum Naming {
        case sender
        case nobody
        /// Of two, each knows that it was the other.
        case otherOfTwo
    }

    /// What the receiver looks at, in its order.
    enum Check {
        case length
        case atLeast(Int)
        case form([String])
        case value([String])
        /// Fails or not by a secret of the receiver's, and is harmless where it does not.
        case perhaps([String])
        case always
    }

    struct Row {
        let check: Check
        /// Nil where the receiver has no way to see it, and no harm from it.
        let reason: Abort.Reason?
        let naming: Naming

        init(_ check: Check, _ reason: Abort.Reason?, _ naming: Naming) {
            (self.check, self.reason, self.naming) = (check, reason, naming)
        }
    }

    struct Verdict {
        let reason: Abort.Reason?
        let naming: Naming
        /// Whether it may also go unnoticed.
        let isSure: Bool
    }

    let name: String
    let round: UInt8
    let isBroadcast: Bool
    let byteCount: Int
    let fields: [Field]
    /// Those that are mutated; nil for all.
    var targets: [String]?
    let rows: [Row]
    /// What scalars and points are of.
    var group: any PrimeGroup.Type = Secp256k1.self
    /// From which round on the victim has given its last message when it finds out.
    var lastRound: UInt8 = 3

    var targetFields: [Field] { fields.filter { targets?.contains($0.name) ?? true } }

    private func named(_ names: [String]) -> [Field] { fields.filter { names.contains($0.name) } }

    /// What must come of a changed message: what the first row says that finds something.
    func verdict(on mutated: [UInt8], insteadOf original: [UInt8]) -> Verdict {
        let row = rows.first { row in
            switch row.check {
            case .length: mutated.count != byteCount
            case .atLeast(let count): mutated.count < count
            case .form(let names): !named(names).allSatisfy { $0.isWellFormed(in: mutated, group) }
            case .value(let names), .perhaps(let names):
                !named(names).allSatisfy { $0.isSame(mutated, original) }
            case .always: mutated != original
            }
        }
        guard let row else { return Verdict(reason: nil, naming: .nobody, isSure: true) }
        let isSure = if case .perhaps = row.check { false } else { true }
        return Verdict(reason: row.reason, naming: row.naming, isSure: isSure)
    }
}

/// What was changed, and what came of it: for the closing lines.
typealias MutationOutcome = (field: String, outcome: String)

/// What an attacker does to one field, or to the message that has it.
enum Mutation: String, CaseIterable {
    case flip, zero, ones, plusOne, negate, generator, order, random
    case ofPeer, ofOtherRun, swap
    case truncate, extend, replay

    /// Other messages that the attacker has at hand.
    struct Donors {
        /// The receiver's own message of this kind.
        let peer: [UInt8]
        /// The attacker's message of this kind in another run.
        let otherRun: [UInt8]
        /// The attacker's other messages in this run.
        let otherRounds: [[UInt8]]
    }

    func apply(
        to original: [UInt8], _ field: Layout.Field, of layout: Layout, _ donors: Donors,
        _ random: inout TestRandom
    ) -> [UInt8] {
        var bytes = original
        let at = field.offsets[random.integer(below: field.offsets.count)]
        let place = at..<at + field.length
        let part = Array(original[place])
        func put(_ new: [UInt8]) {
            bytes.replaceSubrange(place, with: (new + part).prefix(field.length))
        }
        switch self {
        case .flip:
            bytes[at + random.integer(below: field.length)] ^= 1 << UInt8(random.integer(below: 8))
        case .zero: put([UInt8](repeating: 0, count: field.length))
        case .ones: put([UInt8](repeating: 0xff, count: field.length))
        case .plusOne: put(Self.next(part, field.form, layout.group))
        case .negate: put(Self.opposite(part, field.form, layout.group))
        case .generator: put(Self.one(field, layout.group))
        case .order:
            put((field.length == Point.byteCount ? [2] : []) + Self.order(layout.group))
        case .random: put(random.bytes(field.length))
        case .ofPeer: put(Array(donors.peer.dropFirst(at).prefix(field.length)))
        case .ofOtherRun: put(Array(donors.otherRun.dropFirst(at).prefix(field.length)))
        case .swap:
            let others = layout.fields.filter { $0.length == field.length }
            let other = others[random.integer(below: others.count)]
            let there = other.offsets[random.integer(below: other.offsets.count)]
            put(Array(original[there..<there + field.length]))
            bytes.replaceSubrange(there..<there + field.length, with: part)
        case .truncate: bytes.removeSubrange(place)
        case .extend: bytes.insert(contentsOf: part, at: at)
        case .replay:
            guard !donors.otherRounds.isEmpty else { return [] }
            bytes = donors.otherRounds[random.integer(below: donors.otherRounds.count)]
        }
        return bytes
    }

    private static func next<Group: PrimeGroup>(
        _ part: [UInt8], _ form: Layout.Form, _: Group.Type
    ) -> [UInt8] {
        switch form {
        case .scalar: return Group.Scalar(canonical: part).map { ($0 + .one).bytes } ?? part
        case .point:
            return Group.Point(compressed: part)?.variableTimeAdding(generatorTimes: .one)?
                .compressed ?? part
        case .bytes:
            var part = part
            for at in part.indices.reversed() {
                part[at] &+= 1
                if part[at] != 0 { break }
            }
            return part
        }
    }

    private static func opposite<Group: PrimeGroup>(
        _ part: [UInt8], _ form: Layout.Form, _: Group.Type
    ) -> [UInt8] {
        switch form {
        case .scalar: Group.Scalar(canonical: part).map { (-$0).bytes } ?? part
        case .point: Group.Point(compressed: part).map { (-$0).compressed } ?? part
        case .bytes: part.map { ~$0 }
        }
    }

    private static func one<Group: PrimeGroup>(
        _ field: Layout.Field, _: Group.Type
    ) -> [UInt8] {
        switch field.form {
        case .point: Group.SecretScalar(.one).timesGenerator()?.compressed ?? []
        case .scalar: Group.Scalar.one.bytes
        case .bytes: [UInt8](repeating: 0, count: field.length - 1) + [1]
        }
    }

    /// The number of the group's elements, as a scalar would be encoded.
    private static func order<Group: PrimeGroup>(_: Group.Type) -> [UInt8] {
        var order = (-Group.Scalar.one).bytes
        let isBigEndian = Group.Scalar.one.bytes.last == 1
        order[isBigEndian ? order.count - 1 : 0] += 1
        return order
    }
}
