import Canonical

/// Typed structured data (EIP-712), read from JSON and hashed.
///
/// Stricter than the paper, so that one text has one meaning: nothing may be missing, nothing may
/// stand there that is not hashed, and numbers are whole.
public struct EVMTypedData: Sendable {
    /// Most types that a text may declare, and fields of one type.
    public static let typesMost = 64
    public static let fieldsMost = 64

    public let primaryType: String
    /// Of the domain; nil where it names none, or one beyond 64 bits.
    public let chainID: UInt64?
    /// Of the domain; nil where it names none.
    public let verifyingContract: EVMAddress?
    /// What is signed: Keccak-256 of `0x19 0x01 ‖ domain separator ‖ hash of the message`.
    public let digest: Digest

    /// Why a text is none that is signed.
    public struct Malformed: Error, Equatable, Sendable {
        public let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    private static let domainType = "EIP712Domain"
    /// What a domain may say, in this order (EIP-712, definition of domainSeparator).
    private static let domainFields = [
        Field(name: "name", type: "string"), Field(name: "version", type: "string"),
        Field(name: "chainId", type: "uint256"), Field(name: "verifyingContract", type: "address"),
        Field(name: "salt", type: "bytes32"),
    ].compactMap(\.self)

    struct Field: Equatable, Sendable {
        let name: String
        /// As it is spelt, which is hashed.
        let type: String
        let form: TypedDataType

        /// Nil where the spelling is of no type.
        init?(name: String, type: String) {
            guard let form = TypedDataType(type) else { return nil }
            self.name = name
            self.type = type
            self.form = form
        }
    }

    public init(_ text: [UInt8]) throws(Malformed) {
        guard text.count <= EVMMessage.byteLimit else { throw Malformed("it is too long") }
        let value: JSONValue
        do throws(MalformedJSON) {
            value = try JSONParser.parse(text)
        } catch {
            throw Malformed("it is no JSON that is read here")
        }
        let members = try Self.members(value, ["types", "primaryType", "domain", "message"])
        guard case .string(let primaryType) = members[1], Self.isName(primaryType),
            primaryType != Self.domainType
        else { throw Malformed("'primaryType' names no type") }
        let types = try Self.types(members[0])
        guard let domain = types[Self.domainType],
            domain == Self.domainFields.filter(domain.contains)
        else { throw Malformed("'EIP712Domain' is not as EIP-712 says") }
        var hasher = TypedDataHasher(types: types)
        let separator = try hasher.hash(members[2], of: Self.domainType)
        let message = try hasher.hash(members[3], of: primaryType)
        self.primaryType = primaryType
        chainID = try Self.chain(in: members[2])
        if let value = members[2]["verifyingContract"] {
            verifyingContract = try TypedDataWord.address(value)
        } else {
            verifyingContract = nil
        }
        digest = Keccak256.hash([0x19, 0x01] + separator + message)
    }

    private static func chain(in domain: JSONValue) throws(Malformed) -> UInt64? {
        guard let value = domain["chainId"] else { return nil }
        let word = try TypedDataWord.number(value, bits: 256, signed: false)
        guard word.dropLast(8).allSatisfy({ $0 == 0 }) else { return nil }
        return word.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The members of exactly these names.
    private static func members(
        _ value: JSONValue, _ names: [String]
    ) throws(Malformed) -> [JSONValue] {
        guard case .object(let members) = value, members.count == names.count else {
            throw Malformed("an object of \(names.joined(separator: ", ")) is expected")
        }
        var found: [JSONValue] = []
        for name in names {
            guard let member = value[name] else { throw Malformed("'\(name)' is missing") }
            found.append(member)
        }
        return found
    }

    private static func types(_ value: JSONValue) throws(Malformed) -> [String: [Field]] {
        guard case .object(let entries) = value, entries.count <= typesMost else {
            throw Malformed("'types' must be an object of at most \(typesMost) types")
        }
        var types: [String: [Field]] = [:]
        for entry in entries {
            guard isName(entry.name), TypedDataType(entry.name) == .structure(entry.name) else {
                throw Malformed("a type has a name that can be none")
            }
            guard case .array(let items) = entry.value, items.count <= fieldsMost else {
                throw Malformed("'\(entry.name)' must list at most \(fieldsMost) fields")
            }
            var fields: [Field] = []
            for item in items {
                let parts = try members(item, ["name", "type"])
                guard case .string(let name) = parts[0], case .string(let type) = parts[1],
                    isName(name), !fields.contains(where: { $0.name == name })
                else { throw Malformed("'\(entry.name)' has a field without a name of its own") }
                guard let field = Field(name: name, type: type) else {
                    throw Malformed("'\(name)' of '\(entry.name)' is of no type")
                }
                fields.append(field)
            }
            types[entry.name] = fields
        }
        return types
    }

    /// An identifier as Solidity has them: ASCII letters, digits, `_` and `$`.
    public static func isName(_ text: some StringProtocol) -> Bool {
        let characters = Array(text.utf8)
        func isLetter(_ byte: UInt8) -> Bool {
            let small = byte | 0x20
            return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(small)
                || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$")
        }
        guard let first = characters.first, isLetter(first), characters.count <= 128 else {
            return false
        }
        return characters.allSatisfy {
            isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
    }
}

/// What a field holds, from its type's spelling.
indirect enum TypedDataType: Equatable, Sendable {
    case bool
    case address
    case string
    case bytes
    case fixedBytes(Int)
    case integer(bits: Int, signed: Bool)
    case structure(String)
    /// - Parameter 1: how many; nil where any number may be.
    case array(TypedDataType, Int?)

    /// Longest spelling: a name and as many lists in one another as JSON of ours can be deep.
    private static let spellingMost = 256
    private static let listsMost = 16

    /// Nil where the spelling is of no type; any other name is a structure's.
    init?(_ text: String) {
        guard text.utf8.count <= Self.spellingMost,
            text.utf8.count(where: { $0 == UInt8(ascii: "[") }) <= Self.listsMost
        else { return nil }
        if text.hasSuffix("]") {
            guard let open = text.lastIndex(of: "["), let item = Self(String(text[..<open])) else {
                return nil
            }
            let digits = text[text.index(after: open)...].dropLast()
            guard !digits.isEmpty else {
                self = .array(item, nil)
                return
            }
            guard let count = Int(digits), count > 0, String(count) == digits else { return nil }
            self = .array(item, count)
            return
        }
        switch text {
        case "bool": self = .bool
        case "address": self = .address
        case "string": self = .string
        case "bytes": self = .bytes
        // Names that Solidity has for other types: their canonical ones are `uint256`, `int256`.
        case "uint", "int", "byte": return nil
        default:
            guard EVMTypedData.isName(text) else { return nil }
            self = Self.sized(text) ?? .structure(text)
        }
    }

    private static func sized(_ text: String) -> TypedDataType? {
        func size(after prefix: String) -> Int? {
            guard text.hasPrefix(prefix), let size = Int(text.dropFirst(prefix.count)),
                text == prefix + String(size)
            else { return nil }
            return size
        }
        if let count = size(after: "bytes"), (1...32).contains(count) { return .fixedBytes(count) }
        for (prefix, signed) in [("uint", false), ("int", true)] {
            if let bits = size(after: prefix), (8...256).contains(bits), bits.isMultiple(of: 8) {
                return .integer(bits: bits, signed: signed)
            }
        }
        return nil
    }

    /// The structure that it is, or is a list of.
    var structure: String? {
        switch self {
        case .structure(let name): name
        case .array(let item, _): item.structure
        case .bool, .address, .string, .bytes, .fixedBytes, .integer: nil
        }
    }
}

/// `hashStruct` and `encodeData` of EIP-712.
private struct TypedDataHasher {
    typealias Malformed = EVMTypedData.Malformed

    let types: [String: [EVMTypedData.Field]]
    private var typeHashes: [String: [UInt8]] = [:]

    init(types: [String: [EVMTypedData.Field]]) { self.types = types }

    mutating func hash(_ value: JSONValue, of name: String) throws(Malformed) -> [UInt8] {
        guard let fields = types[name] else {
            throw Malformed("the type '\(name.prefix(64))' is not declared")
        }
        guard case .object(let members) = value, members.count == fields.count else {
            throw Malformed("a '\(name)' must have each of its fields and nothing else")
        }
        var encoded = try typeHash(name)
        for field in fields {
            guard let member = value[field.name] else {
                throw Malformed("'\(field.name)' of '\(name)' is missing")
            }
            encoded += try encode(member, field.form)
        }
        return Keccak256.hash(encoded).bytes
    }

    private mutating func encode(
        _ value: JSONValue, _ type: TypedDataType
    ) throws(Malformed) -> [UInt8] {
        switch type {
        case .structure(let name): return try hash(value, of: name)
        case .array(let item, let count):
            guard case .array(let items) = value, count.map({ $0 == items.count }) ?? true else {
                throw Malformed("a list, of the length that its type says, is expected")
            }
            var encoded: [UInt8] = []
            for one in items { encoded += try encode(one, item) }
            return Keccak256.hash(encoded).bytes
        case .bool:
            guard case .bool(let flag) = value else { throw Malformed("true or false is expected") }
            return TypedDataWord.padded([flag ? 1 : 0])
        case .address:
            return TypedDataWord.padded(try TypedDataWord.address(value).bytes)
        case .string:
            guard case .string(let text) = value else { throw Malformed("a string is expected") }
            return Keccak256.hash(Array(text.utf8)).bytes
        case .bytes: return Keccak256.hash(try TypedDataWord.bytes(value)).bytes
        case .fixedBytes(let count):
            let bytes = try TypedDataWord.bytes(value)
            guard bytes.count == count else { throw Malformed("\(count) bytes are expected") }
            return bytes + [UInt8](repeating: 0, count: 32 - count)
        case .integer(let bits, let signed):
            return try TypedDataWord.number(value, bits: bits, signed: signed)
        }
    }

    /// Keccak-256 of the type and of all that it refers to, these in the order of their names.
    private mutating func typeHash(_ name: String) throws(Malformed) -> [UInt8] {
        if let known = typeHashes[name] { return known }
        var found: Set<String> = []
        var waiting = [name]
        while let next = waiting.popLast() {
            guard found.insert(next).inserted else { continue }
            guard let fields = types[next] else {
                throw Malformed("the type '\(next.prefix(64))' is not declared")
            }
            waiting += fields.compactMap(\.form.structure)
        }
        found.remove(name)
        let others = found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let text = ([name] + others).map { name in
            let fields = (types[name] ?? []).map { "\($0.type) \($0.name)" }
            return "\(name)(\(fields.joined(separator: ",")))"
        }
        let hash = Keccak256.hash(Array(text.joined().utf8)).bytes
        typeHashes[name] = hash
        return hash
    }
}

/// Values of one word, as they are spelt in JSON.
private enum TypedDataWord {
    typealias Malformed = EVMTypedData.Malformed

    static func padded(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](repeating: 0, count: 32 - bytes.count) + bytes
    }

    static func bytes(_ value: JSONValue) throws(Malformed) -> [UInt8] {
        guard case .string(let text) = value, text.utf8.starts(with: "0x".utf8),
            let bytes = Hex.decode(text.dropFirst(2))
        else { throw Malformed("hexadecimal digits after 0x are expected") }
        return bytes
    }

    /// The 20 bytes that are signed, in whatever case their digits are spelt.
    static func address(_ value: JSONValue) throws(Malformed) -> EVMAddress {
        guard let address = EVMAddress(try bytes(value)) else {
            throw Malformed("an address has 20 bytes")
        }
        return address
    }

    /// A whole number of plain decimal digits, or of hexadecimal ones after 0x in a string; 32
    /// bytes, in two's complement.
    static func number(
        _ value: JSONValue, bits: Int, signed: Bool
    ) throws(Malformed) -> [UInt8] {
        var text: String
        switch value {
        case .number(let digits), .string(let digits): text = digits
        case .null, .bool, .array, .object: throw Malformed("a whole number is expected")
        }
        let isNegative = signed && text.hasPrefix("-")
        if isNegative { text.removeFirst() }
        let isHex = !isNegative && text.utf8.starts(with: "0x".utf8)
        let digits = isHex ? text.dropFirst(2) : text[...]
        guard let magnitude = magnitude(of: digits, radix: isHex ? 16 : 10),
            let word = word(magnitude, isNegative, bits: bits, signed: signed)
        else { throw Malformed("a whole number of \(bits) bits is expected") }
        return word
    }

    private static func magnitude(of digits: Substring, radix: UInt32) -> [UInt8]? {
        guard !digits.isEmpty, digits.utf8.count <= 78 else { return nil }
        var magnitude = [UInt8](repeating: 0, count: 32)
        for character in digits.utf8 {
            guard let value = Character(UnicodeScalar(character)).hexDigitValue, value < radix
            else { return nil }
            var carry = UInt32(value)
            for at in magnitude.indices.reversed() {
                carry += UInt32(magnitude[at]) * radix
                magnitude[at] = UInt8(truncatingIfNeeded: carry)
                carry >>= 8
            }
            guard carry == 0 else { return nil }
        }
        return magnitude
    }

    private static func word(
        _ magnitude: [UInt8], _ isNegative: Bool, bits: Int, signed: Bool
    ) -> [UInt8]? {
        let start = 32 - bits / 8
        guard magnitude[..<start].allSatisfy({ $0 == 0 }) else { return nil }
        let isTopSet = magnitude[start] & 0x80 != 0
        guard isNegative else { return signed && isTopSet ? nil : magnitude }
        // −2^(bits − 1) is the least, and −0 is none.
        let isLeast = magnitude[start] == 0x80 && magnitude[(start + 1)...].allSatisfy { $0 == 0 }
        guard !isTopSet || isLeast, magnitude.contains(where: { $0 != 0 }) else { return nil }
        var word = magnitude.map { ~$0 }
        for at in word.indices.reversed() {
            word[at] &+= 1
            if word[at] != 0 { break }
        }
        return word
    }
}
