import Canonical
import Custody
import Intents

/// Takes the members of a request's object one by one; a member that nobody takes is refused by
/// name, so that a misspelt one is never silently without effect.
struct RequestFields {
    private var members: [String: JSONValue]
    private var problems: [String: [String]] = [:]
    /// What the endpoint's document says that it takes: another cannot be taken.
    private let known: Set<String>

    init(_ body: [UInt8], knowing known: Set<String>) throws(Refusal) {
        self.known = known
        guard !body.isEmpty else {
            throw Refusal(.invalid, "A JSON object is needed as the body; there is none.")
        }
        let value: JSONValue
        do throws(MalformedJSON) {
            value = try JSONParser.parse(body)
        } catch {
            throw Refusal(
                .invalid,
                "The body is no JSON that is read here: \(error.reason) (byte \(error.at)).")
        }
        guard case .object(let members) = value else {
            throw Refusal(.invalid, "The body must be a JSON object.")
        }
        self.members = Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.value) })
    }

    private init(_ members: [JSONValue.Member], knowing known: Set<String>) {
        self.known = known
        self.members = Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.value) })
    }

    /// Whether the member is there and not null.
    func has(_ name: String) -> Bool { ![nil, .null].contains(members[name]) }

    /// A string, here or in an object here; it is not taken.
    func peek(_ name: String, in object: String? = nil) -> String? {
        let value = object.map { members[$0]?[name] } ?? members[name]
        guard case .string(let text)? = value else { return nil }
        return text
    }

    /// A string; nil where it is missing or null.
    mutating func string(_ name: String) -> String? {
        switch take(name) {
        case .string(let text): return text
        case nil, .null: return nil
        case .number where name == "amount" || name == "maxFee":
            reject(name, "'\(name)' must be a string such as \"1.5\", so that no digit is lost.")
        case .number, .bool, .array, .object: reject(name, "'\(name)' must be a string.")
        }
        return nil
    }

    mutating func id<ID: EntityID>(_ name: String, _ type: ID.Type = ID.self) -> ID? {
        guard let text = string(name) else { return nil }
        guard let id = ID(text: text.lowercased()) else {
            reject(name, "'\(name)' must be a UUID.")
            return nil
        }
        return id
    }

    mutating func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ name: String, _ type: Value.Type = Value.self
    ) -> Value? {
        guard let text = string(name) else { return nil }
        guard let value = Value(rawValue: text) else {
            let allowed = Value.allCases.map(\.rawValue).joined(separator: ", ")
            reject(name, "'\(name)' must be one of \(allowed).")
            return nil
        }
        return value
    }

    /// An object of strings; empty where it is missing or null.
    mutating func strings(_ name: String) -> [String: String] {
        switch take(name) {
        case nil, .null: return [:]
        case .object(let entries):
            var found: [String: String] = [:]
            for entry in entries {
                guard case .string(let text) = entry.value else {
                    reject(name, "Every value of '\(name)' must be a string.")
                    return [:]
                }
                found[entry.name] = text
            }
            return found
        case .string, .number, .bool, .array:
            reject(name, "'\(name)' must be an object of strings.")
            return [:]
        }
    }

    /// An object as it stands; nil where it is missing or null.
    mutating func json(_ name: String) -> JSONValue? {
        let value = take(name)
        switch value {
        case nil, .null: return nil
        case .object: return value
        case .string, .number, .bool, .array:
            reject(name, "'\(name)' must be an object.")
            return nil
        }
    }

    /// A list of strings, each read as what it spells; nil where it is missing or null.
    ///
    /// - Parameter what: what each of them is: "a UUID".
    mutating func list<Item>(
        _ name: String, _ what: String, _ read: (String) -> Item?
    ) -> [Item]? {
        switch take(name) {
        case nil, .null: return nil
        case .array(let items):
            var found: [Item] = []
            for case .string(let text) in items {
                guard let item = read(text) else {
                    let start = String(String.UnicodeScalarView(text.unicodeScalars.prefix(64)))
                    reject(name, "'\(name)' has '\(start)', which is not \(what).")
                    return nil
                }
                found.append(item)
            }
            if found.count == items.count { return found }
        case .string, .number, .bool, .object: break
        }
        reject(name, "'\(name)' must be a list of strings, each of them \(what).")
        return nil
    }

    /// What an object within this one says; nil where it is missing or null.
    mutating func object<Value>(
        _ name: String, knowing known: String..., read: (inout RequestFields) -> Value
    ) -> Value? {
        switch take(name) {
        case nil, .null: return nil
        case .object(let members):
            return within(name, members, Set(known), read)
        case .string, .number, .bool, .array:
            reject(name, "'\(name)' must be an object.")
            return nil
        }
    }

    /// An object's members, whatever they are; nil where it is missing or null.
    mutating func members(_ name: String) -> [JSONValue.Member]? {
        switch take(name) {
        case nil, .null: return nil
        case .object(let members): return members
        case .string, .number, .bool, .array:
            reject(name, "'\(name)' must be an object.")
            return nil
        }
    }

    /// What a list of objects says; nil where it is missing or null.
    mutating func objects<Value>(
        _ name: String, most: Int, knowing known: String..., read: (inout RequestFields) -> Value
    ) -> [Value]? {
        switch take(name) {
        case nil, .null: return nil
        case .array(let items) where items.count <= most:
            var found: [Value] = []
            for item in items {
                guard case .object(let members) = item else {
                    reject(name, "'\(name)' must be a list of objects.")
                    return nil
                }
                found.append(within(name, members, Set(known), read))
            }
            return found
        case .array: reject(name, "'\(name)' has at most \(most) entries.")
        case .string, .number, .bool, .object:
            reject(name, "'\(name)' must be a list of objects.")
        }
        return nil
    }

    private mutating func within<Value>(
        _ name: String, _ members: [JSONValue.Member], _ known: Set<String>,
        _ read: (inout RequestFields) -> Value
    ) -> Value {
        var fields = RequestFields(members, knowing: known)
        let value = read(&fields)
        for (field, sentences) in fields.found { problems["\(name).\(field)"] = sentences }
        return value
    }

    mutating func boolean(_ name: String) -> Bool? {
        switch take(name) {
        case nil, .null: return nil
        case .bool(let value): return value
        case .string, .number, .array, .object:
            reject(name, "'\(name)' must be true or false.")
            return nil
        }
    }

    mutating func time(_ name: String) -> Timestamp? {
        guard let text = string(name) else { return nil }
        guard let time = Timestamp(text: text) else {
            reject(name, "'\(name)' must be a time such as \"2026-01-31T12:00:00Z\".")
            return nil
        }
        return time
    }

    /// A whole number in plain digits; nil where it is missing or null.
    mutating func integer(_ name: String) -> Int64? {
        let value = take(name)
        if value == nil || value == .null { return nil }
        if case .number(let text) = value, let number = Int64(text) { return number }
        reject(name, "'\(name)' must be a whole number.")
        return nil
    }

    private mutating func take(_ name: String) -> JSONValue? {
        known.contains(name) ? members.removeValue(forKey: name) : nil
    }

    private mutating func reject(_ name: String, _ sentence: String) {
        problems[name, default: []].append(sentence)
    }

    /// What was of the wrong type, and what nobody took.
    private var found: [String: [String]] {
        var problems = problems
        let spelt: [[UInt8]: String] =
            members.isEmpty
            ? [:] : Dictionary(known.map { (Self.plain($0), $0) }, uniquingKeysWith: min)
        for name in members.keys.lazy.filter({ members[$0] != .null || !known.contains($0) })
            .prefix(Self.unknownMost)
        {
            let start = String(String.UnicodeScalarView(name.unicodeScalars.prefix(64)))
            let meant = known.contains(name) ? nil : spelt[Self.plain(name)]
            problems[start, default: []].append(
                "'\(start)' is not known here" + (meant.map { ": '\($0)' is." } ?? "."))
        }
        return problems
    }

    /// So many members that are not known are named.
    private static let unknownMost = 8

    /// Without what people and languages write differently.
    private static func plain(_ name: String) -> [UInt8] {
        name.utf8.prefix(128).filter { $0 != UInt8(ascii: "_") }.map { $0 | 0x20 }
    }

    /// Refuses what was of the wrong type, and what nobody took.
    func finish() throws(Refusal) {
        let problems = found
        guard let first = problems.sorted(by: { $0.key < $1.key }).first?.value.first else {
            return
        }
        let message = problems.count == 1 ? first : "Several fields are invalid."
        throw Refusal(.invalid, message, fields: problems)
    }
}
