import Canonical

/// Changes inputs, the same way for the same seed.
struct Mutator {
    private var state: UInt64

    init(seed: UInt64, _ name: String) {
        // FNV-1a, so that each decoder has a stream of its own.
        state = name.utf8.reduce(seed ^ 0xcbf2_9ce4_8422_2325) {
            ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3
        }
    }

    /// SplitMix64.
    private mutating func word() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word &>> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word &>> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word &>> 31
    }

    mutating func integer(below limit: Int) -> Int { Int(word() % UInt64(max(1, limit))) }

    mutating func chance(_ one: Int) -> Bool { integer(below: one) == 0 }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[integer(below: elements.count)]
    }

    /// Where codes, lengths and counts change their form.
    private static let numbers: [UInt64] = [
        0, 1, 2, 16, 23, 24, 31, 32, 33, 55, 56, 63, 64, 65, 127, 128, 255, 256, 0x7fff, 0x8000,
        0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 1 << 53, 1 << 62,
        1 << 63 - 1, 1 << 63, .max - 1, .max,
    ]

    /// `input` with one to four changes, no longer than `most`.
    mutating func mutate(
        _ input: [UInt8], _ other: [UInt8], _ form: Decoder.Form, most: Int
    ) -> [UInt8] {
        var bytes = input
        for _ in 0...integer(below: 4) {
            switch form {
            case .cbor where !chance(3): bytes = changeTree(bytes, other)
            case .text(let pieces) where !pieces.isEmpty && chance(3):
                let at = integer(below: bytes.count + 1)
                let end = chance(2) ? at : min(bytes.count, at + integer(below: 8))
                bytes.replaceSubrange(at..<end, with: Array(pick(pieces).utf8))
            case .binary, .cbor, .text: change(&bytes, other)
            }
        }
        return bytes.count > most ? Array(bytes.prefix(most)) : bytes
    }

    private mutating func range(in bytes: [UInt8]) -> Range<Int> {
        let start = integer(below: bytes.count + 1)
        let longest = chance(2) ? 8 : bytes.count
        return start..<min(bytes.count, start + integer(below: longest + 1))
    }

    private mutating func some(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: word()) }
    }

    private mutating func change(_ bytes: inout [UInt8], _ other: [UInt8]) {
        let at = integer(below: bytes.count)
        switch integer(below: 12) {
        case 0 where !bytes.isEmpty: bytes[at] ^= 1 << UInt8(integer(below: 8))
        case 1 where !bytes.isEmpty: bytes[at] = UInt8(truncatingIfNeeded: word())
        case 2 where !bytes.isEmpty: bytes[at] &+= pick([1, 0xff, 2, 0x80])
        case 3: bytes.removeSubrange(range(in: bytes))
        case 4: bytes.insert(contentsOf: some(1 + integer(below: 8)), at: at)
        case 5: bytes.insert(contentsOf: bytes[range(in: bytes)], at: at)
        case 6: bytes.replaceSubrange(range(in: bytes), with: other[range(in: other)])
        case 7: bytes = Array(bytes[..<at]) + other[min(at, other.count)...]
        case 8: bytes = Array(bytes.prefix(at))
        case 9, 10:
            let width = pick([1, 2, 4, 8])
            let number = pick(Self.numbers).bigEndianBytes.suffix(width)
            let end = min(bytes.count, at + width)
            if at <= end { bytes.replaceSubrange(at..<end, with: number) }
        default:
            let filled = range(in: bytes)
            let byte: UInt8 = pick([0, 0xff, 0x7f, 0x80, 0x20, 0x30])
            bytes.replaceSubrange(filled, with: filled.map { _ in byte })
        }
    }

    private mutating func changeTree(_ bytes: [UInt8], _ other: [UInt8]) -> [UInt8] {
        guard let tree = try? CBOR.decode(bytes) else {
            var bytes = bytes
            change(&bytes, other)
            return bytes
        }
        let donor = (try? CBOR.decode(other)) ?? .unsigned(0)
        return changed(tree, donor).encoded()
    }

    /// The tree with one node changed.
    private mutating func changed(_ tree: CBOR, _ donor: CBOR) -> CBOR {
        switch tree {
        case .array(var items) where !items.isEmpty && !chance(5):
            let at = integer(below: items.count)
            switch integer(below: 8) {
            case 0: items.remove(at: at)
            case 1: items.insert(items[at], at: at)
            case 2: items.swapAt(at, integer(below: items.count))
            default: items[at] = changed(items[at], part(of: donor))
            }
            return .array(items)
        case .map(var entries) where !entries.isEmpty && !chance(8):
            let key = pick(entries.keys.sorted())
            switch integer(below: 10) {
            case 0: entries[key] = nil
            case 1: entries[pick(Self.numbers)] = entries[key]
            case 2: entries[key &+ 1] = part(of: donor)
            default: entries[key] = changed(entries[key] ?? donor, part(of: donor, key))
            }
            return .map(entries)
        case .bytes(let inner) where !chance(8):
            if chance(2), let tree = try? CBOR.decode(inner), case .map = tree {
                return .bytes(changed(tree, donor).encoded())
            }
            var inner = inner
            change(&inner, inner)
            return .bytes(inner)
        case .unsigned where !chance(4): return .unsigned(pick(Self.numbers))
        case .text(let text) where !chance(4):
            var bytes = Array(text.utf8)
            change(&bytes, bytes)
            return .text(String(decoding: bytes.map { 0x20 + $0 % 0x5f }, as: UTF8.self))
        case .unsigned, .bignum, .bytes, .text, .array, .map, .bool: return any(donor)
        }
    }

    private mutating func any(_ donor: CBOR) -> CBOR {
        switch integer(below: 8) {
        case 0: return .unsigned(pick(Self.numbers))
        case 1: return .bignum(some(9 + integer(below: 24)))
        case 2: return .bytes(some(integer(below: 70)))
        case 3: return .text(String(repeating: "a", count: integer(below: 140)))
        case 4: return .array([donor])
        case 5: return .map([UInt64(integer(below: 20)): donor])
        case 6: return .bool(chance(2))
        default: return donor
        }
    }

    private mutating func part(of tree: CBOR, _ key: UInt64? = nil) -> CBOR {
        switch tree {
        case .array(let items) where !items.isEmpty: return pick(items)
        case .map(let entries) where !entries.isEmpty:
            return key.flatMap { entries[$0] } ?? entries[pick(entries.keys.sorted())] ?? tree
        case .unsigned, .bignum, .bytes, .text, .array, .map, .bool: return tree
        }
    }
}
