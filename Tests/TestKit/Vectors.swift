import Foundation

/// The files under `Vectors/`.
public enum Vectors {
    public static let repository: URL = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    public static func data(_ path: String) throws -> Data {
        try Data(contentsOf: repository.appending(path: "Vectors").appending(path: path))
    }

    public static func text(_ path: String) throws -> String {
        String(decoding: try data(path), as: UTF8.self)
    }

    public static func json(_ path: String) throws -> JSON {
        try JSONDecoder().decode(JSON.self, from: data(path))
    }
}

/// Any JSON value, for vectors.
public enum JSON: Decodable, Sendable {
    case object([String: JSON])
    case array([JSON])
    case string(String)
    case number(Double)
    case bool(Bool)
    case null

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    public subscript(key: String) -> JSON {
        guard case .object(let entries) = self else { return .null }
        return entries[key] ?? .null
    }

    public subscript(index: Int) -> JSON {
        guard case .array(let items) = self, items.indices.contains(index) else { return .null }
        return items[index]
    }

    public var text: String {
        guard case .string(let text) = self else { return "" }
        return text
    }

    public var isNull: Bool {
        if case .null = self { true } else { false }
    }

    public var integer: Int? {
        guard case .number(let number) = self else { return nil }
        return Int(exactly: number)
    }

    public var items: [JSON] {
        guard case .array(let items) = self else { return [] }
        return items
    }

    public var entries: [String: JSON] {
        guard case .object(let entries) = self else { return [:] }
        return entries
    }
}
