/// Why a text is no JSON that is read here.
public struct MalformedJSON: Error, Equatable, Sendable {
    /// Byte of the text where it went wrong.
    public let at: Int
    public let reason: String
}

/// Reads JSON (RFC 8259) strictly: one value, UTF-8, no member twice, no lone surrogate, bounded
/// nesting. A name that stands twice is refused because two readers of one text could take
/// different ones; that is why a reader of our own stands here
/// (docs/decisions/0008-own-json-reader.md).
public struct JSONParser {
    /// Deepest nesting; requests need three levels.
    public static let depthMost = 16

    private let bytes: [UInt8]
    private var at = 0

    public static func parse(_ bytes: [UInt8]) throws(MalformedJSON) -> JSONValue {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw MalformedJSON(at: 0, reason: "the text is not UTF-8")
        }
        var parser = JSONParser(bytes: bytes)
        let value = try parser.value(depth: 1)
        parser.skipSpace()
        guard parser.at == bytes.count else { throw parser.wrong("something follows the value") }
        return value
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func wrong(_ reason: String) -> MalformedJSON { MalformedJSON(at: at, reason: reason) }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let byte = next, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { at += 1 }
    }

    private mutating func take(_ character: Character) -> Bool {
        guard next == character.asciiValue else { return false }
        at += 1
        return true
    }

    private mutating func value(depth: Int) throws(MalformedJSON) -> JSONValue {
        guard depth <= Self.depthMost else {
            throw wrong("nested more than \(Self.depthMost) deep")
        }
        skipSpace()
        guard let first = next else { throw wrong("the text ends early") }
        switch first {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw wrong("no value begins here")
        }
    }

    private mutating func literal(
        _ text: String, _ value: JSONValue
    ) throws(MalformedJSON) -> JSONValue {
        guard bytes[at...].starts(with: text.utf8) else { throw wrong("no value begins here") }
        at += text.utf8.count
        return value
    }

    private mutating func object(_ depth: Int) throws(MalformedJSON) -> JSONValue {
        at += 1
        var members: [JSONValue.Member] = []
        var names: Set<String> = []
        skipSpace()
        if take("}") { return .object(members) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw wrong("a member's name is missing") }
            let name = try string()
            guard names.insert(name).inserted else {
                throw wrong("the member '\(name.prefix(64))' stands twice")
            }
            skipSpace()
            guard take(":") else { throw wrong("a colon is missing") }
            members.append(.init(name: name, value: try value(depth: depth + 1)))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw wrong("a comma or the end of the object is missing") }
        }
    }

    private mutating func array(_ depth: Int) throws(MalformedJSON) -> JSONValue {
        at += 1
        var items: [JSONValue] = []
        skipSpace()
        if take("]") { return .array(items) }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return .array(items) }
            guard take(",") else { throw wrong("a comma or the end of the array is missing") }
        }
    }

    private mutating func number() throws(MalformedJSON) -> JSONValue {
        let start = at
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }
        _ = take("-")
        if take("0") {
            if isDigit(next) { throw wrong("a number has a leading zero") }
        } else {
            guard isDigit(next) else { throw wrong("a digit is missing") }
            while isDigit(next) { at += 1 }
        }
        if take(".") {
            guard isDigit(next) else { throw wrong("a digit is missing") }
            while isDigit(next) { at += 1 }
        }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard isDigit(next) else { throw wrong("a digit is missing") }
            while isDigit(next) { at += 1 }
        }
        return .number(String(decoding: bytes[start..<at], as: UTF8.self))
    }

    private mutating func string() throws(MalformedJSON) -> String {
        at += 1
        var text: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                at += 1
                text += String(Character(try escaped())).utf8
            case 0..<0x20:
                throw wrong("a control character stands in a string")
            default:
                text.append(byte)
                at += 1
            }
        }
        throw wrong("a string does not end")
    }

    private mutating func escaped() throws(MalformedJSON) -> Unicode.Scalar {
        guard let byte = next else { throw wrong("the text ends early") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicode()
        default: throw wrong("an unknown escape stands in a string")
        }
    }

    private mutating func unicode() throws(MalformedJSON) -> Unicode.Scalar {
        let first = try codeUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xd800..<0xdc00).contains(first), take("\\"), take("u") else {
            throw wrong("a surrogate stands alone")
        }
        let second = try codeUnit()
        guard (0xdc00..<0xe000).contains(second),
            let scalar = Unicode.Scalar(
                0x10000 + ((UInt32(first) - 0xd800) << 10) + (UInt32(second) - 0xdc00))
        else { throw wrong("a surrogate stands alone") }
        return scalar
    }

    private mutating func codeUnit() throws(MalformedJSON) -> UInt16 {
        guard at + 4 <= bytes.count,
            let unit = UInt16(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16),
            bytes[at] != UInt8(ascii: "+"), bytes[at] != UInt8(ascii: "-")
        else { throw wrong("four hexadecimal digits are missing") }
        at += 4
        return unit
    }
}
