/// Deterministic CBOR (RFC 8949, section 4.2.1), the part of it that intents and descriptors use.
///
/// One value has one encoding: shortest integers, definite lengths, map keys that are unsigned
/// integers in ascending order, no floats, no tags but the unsigned bignum, text of printable
/// ASCII (which is in NFC; no field needs more yet). `decode` refuses whatever `encode` would not
/// have written, so the bytes may be hashed in place of the value.
public indirect enum CBOR: Equatable, Sendable {
    case unsigned(UInt64)
    /// An unsigned integer above 2^64 − 1, big-endian, without leading zeros (tag 2).
    case bignum([UInt8])
    case bytes([UInt8])
    case text(String)
    case array([CBOR])
    case map([UInt64: CBOR])
    case bool(Bool)

    /// Deepest nesting that is read. Intents need four levels; the limit bounds the recursion.
    public static let depthLimit = 8
    /// Longest input that is read, in bytes.
    public static let byteLimit = 64 * 1024

    public func encoded() -> [UInt8] {
        var out: [UInt8] = []
        encode(into: &out)
        return out
    }

    private func encode(into out: inout [UInt8]) {
        switch self {
        case .unsigned(let value):
            Self.head(0, value, into: &out)
        case .bignum(let magnitude):
            out.append(0xc2)
            CBOR.bytes(magnitude).encode(into: &out)
        case .bytes(let bytes):
            Self.head(2, UInt64(bytes.count), into: &out)
            out += bytes
        case .text(let text):
            Self.head(3, UInt64(text.utf8.count), into: &out)
            out += text.utf8
        case .array(let items):
            Self.head(4, UInt64(items.count), into: &out)
            for item in items { item.encode(into: &out) }
        case .map(let entries):
            Self.head(5, UInt64(entries.count), into: &out)
            for (key, value) in entries.sorted(by: { $0.key < $1.key }) {
                Self.head(0, key, into: &out)
                value.encode(into: &out)
            }
        case .bool(let value):
            out.append(value ? 0xf5 : 0xf4)
        }
    }

    private static func head(_ major: UInt8, _ value: UInt64, into out: inout [UInt8]) {
        let type = major << 5
        switch value {
        case 0..<24: out.append(type | UInt8(value))
        case 24...0xff: out += [type | 24, UInt8(value)]
        case 0x100...0xffff: out += [type | 25] + UInt16(value).bigEndianBytes
        case 0x1_0000...0xffff_ffff: out += [type | 26] + UInt32(value).bigEndianBytes
        default: out += [type | 27] + value.bigEndianBytes
        }
    }
}

extension CBOR {
    public static func decode(_ bytes: some Collection<UInt8>) throws(MalformedBytes) -> CBOR {
        guard bytes.count <= byteLimit else {
            throw MalformedBytes("longer than \(byteLimit) bytes")
        }
        var reader = ByteReader(bytes)
        let value = try item(&reader, depth: 1)
        try reader.finish()
        return value
    }

    private static func item(
        _ reader: inout ByteReader, depth: Int
    ) throws(MalformedBytes) -> CBOR {
        guard depth <= depthLimit else { throw MalformedBytes("nested over \(depthLimit) deep") }
        let first = try reader.integer(UInt8.self)
        switch first {
        case 0xf4: return .bool(false)
        case 0xf5: return .bool(true)
        case 0xc2: return try bignum(&reader, depth: depth)
        default: break
        }
        let argument = try argument(of: first, &reader)
        switch first >> 5 {
        case 0: return .unsigned(argument)
        case 2: return .bytes(Array(try reader.take(try count(argument, reader))))
        case 3: return .text(try text(reader.take(try count(argument, reader))))
        case 4: return .array(try array(try count(argument, reader), &reader, depth: depth))
        case 5: return .map(try map(try count(argument, reader), &reader, depth: depth))
        case let major: throw MalformedBytes("CBOR major type \(major) is not used here")
        }
    }

    /// The argument of an item's head, refused unless it is in its shortest form.
    private static func argument(
        of first: UInt8, _ reader: inout ByteReader
    ) throws(MalformedBytes) -> UInt64 {
        let (value, least): (UInt64, UInt64)
        switch first & 31 {
        case let small where small < 24: return UInt64(small)
        case 24: (value, least) = (UInt64(try reader.integer(UInt8.self)), 24)
        case 25: (value, least) = (UInt64(try reader.integer(UInt16.self)), 0x100)
        case 26: (value, least) = (UInt64(try reader.integer(UInt32.self)), 0x1_0000)
        case 27: (value, least) = (try reader.integer(UInt64.self), 0x1_0000_0000)
        default: throw MalformedBytes("indefinite length or reserved head")
        }
        guard value >= least else { throw MalformedBytes("integer not in its shortest form") }
        return value
    }

    /// A count that the rest of the input can hold: each byte, item and entry takes at least one.
    private static func count(_ value: UInt64, _ reader: ByteReader) throws(MalformedBytes) -> Int {
        guard value <= UInt64(reader.remaining) else {
            throw MalformedBytes("length \(value) beyond the input")
        }
        return Int(value)
    }

    private static func bignum(
        _ reader: inout ByteReader, depth: Int
    ) throws(MalformedBytes) -> CBOR {
        guard case .bytes(let magnitude) = try item(&reader, depth: depth + 1) else {
            throw MalformedBytes("bignum without byte string")
        }
        guard magnitude.count > 8, magnitude.count <= 32, magnitude[0] != 0 else {
            throw MalformedBytes("bignum that is no integer of 65 to 256 bits in shortest form")
        }
        return .bignum(magnitude)
    }

    private static func text(_ bytes: ArraySlice<UInt8>) throws(MalformedBytes) -> String {
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
            throw MalformedBytes("text with other than printable ASCII characters")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func array(
        _ count: Int, _ reader: inout ByteReader, depth: Int
    ) throws(MalformedBytes) -> [CBOR] {
        var items: [CBOR] = []
        for _ in 0..<count { items.append(try item(&reader, depth: depth + 1)) }
        return items
    }

    private static func map(
        _ count: Int, _ reader: inout ByteReader, depth: Int
    ) throws(MalformedBytes) -> [UInt64: CBOR] {
        var entries: [UInt64: CBOR] = [:]
        var last: UInt64?
        for _ in 0..<count {
            guard case .unsigned(let key) = try item(&reader, depth: depth + 1) else {
                throw MalformedBytes("map key that is no unsigned integer")
            }
            if let last, key <= last { throw MalformedBytes("map keys not in ascending order") }
            last = key
            entries[key] = try item(&reader, depth: depth + 1)
        }
        return entries
    }
}
