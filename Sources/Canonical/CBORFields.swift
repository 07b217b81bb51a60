/// Takes the fields of a CBOR map one by one; `finish` refuses what nobody took.
public struct CBORFields {
    private var entries: [UInt64: CBOR]
    private let name: String

    /// - Parameter name: what the map is, for the error's sentence.
    public init(_ value: CBOR, _ name: String) throws(MalformedBytes) {
        guard case .map(let entries) = value else { throw MalformedBytes("\(name) is no map") }
        self.entries = entries
        self.name = name
    }

    public mutating func take(_ key: UInt64) throws(MalformedBytes) -> CBOR {
        guard let value = entries.removeValue(forKey: key) else {
            throw MalformedBytes("\(name) lacks field \(key)")
        }
        return value
    }

    /// The field, or nil if it is not there.
    public mutating func optional(_ key: UInt64) -> CBOR? { entries.removeValue(forKey: key) }

    public mutating func unsigned<Value: UnsignedInteger & FixedWidthInteger>(
        _ key: UInt64, _ type: Value.Type = Value.self
    ) throws(MalformedBytes) -> Value {
        guard case .unsigned(let value) = try take(key), let fitting = Value(exactly: value) else {
            throw wrong(key)
        }
        return fitting
    }

    public mutating func text(_ key: UInt64, most: Int) throws(MalformedBytes) -> String {
        guard case .text(let value) = try take(key), value.utf8.count <= most else {
            throw wrong(key)
        }
        return value
    }

    public mutating func bool(_ key: UInt64) throws(MalformedBytes) -> Bool {
        guard case .bool(let value) = try take(key) else { throw wrong(key) }
        return value
    }

    public mutating func bytes(_ key: UInt64, most: Int) throws(MalformedBytes) -> [UInt8] {
        guard case .bytes(let value) = try take(key), value.count <= most else {
            throw wrong(key)
        }
        return value
    }

    public mutating func fixed<Value: FixedBytes>(
        _ key: UInt64, _ type: Value.Type = Value.self
    ) throws(MalformedBytes) -> Value {
        guard case .bytes(let bytes) = try take(key), let value = Value(bytes) else {
            throw wrong(key)
        }
        return value
    }

    public mutating func array(_ key: UInt64, most: Int) throws(MalformedBytes) -> [CBOR] {
        guard case .array(let items) = try take(key), items.count <= most else {
            throw wrong(key)
        }
        return items
    }

    public func finish() throws(MalformedBytes) {
        guard let unknown = entries.keys.min() else { return }
        throw MalformedBytes("\(name) has the unknown field \(unknown)")
    }

    private func wrong(_ key: UInt64) -> MalformedBytes {
        MalformedBytes("field \(key) of \(name) is of the wrong type, size or range")
    }
}
