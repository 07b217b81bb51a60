import Canonical

/// A tenant: an organisation in one environment.
public struct TenantID: EntityID {
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }
}

/// A vault: one end customer's container.
public struct VaultID: EntityID {
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }
}

/// A name of 16 random bytes, written as a UUID (RFC 9562, version 4).
public protocol EntityID: FixedBytes {}

extension EntityID {
    public static var byteCount: Int { 16 }

    /// A new name from 16 random bytes.
    public init(random bytes: [UInt8]) {
        var bytes = bytes
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        self.init(unchecked: bytes)
    }

    /// The name that `text` spells in the form 8-4-4-4-12, in lower case.
    public init?(text: String) {
        guard text.utf8.count == 36 else { return nil }
        let hex = text.utf8.filter { $0 != UInt8(ascii: "-") }
        self.init(hex: String(decoding: hex, as: UTF8.self))
        guard self.text == text else { return nil }
    }

    public var text: String {
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for (at, digit) in hex.utf8.enumerated() {
            if [8, 12, 16, 20].contains(at) { text.append(UInt8(ascii: "-")) }
            text.append(digit)
        }
        return String(decoding: text, as: UTF8.self)
    }

    public var description: String { text }
}

/// Two worlds that never meet: a holder, a key and an installation serve one of them.
public enum CustodyEnvironment: UInt64, Sendable, CaseIterable {
    case sandbox = 0
    case production = 1

    public var name: String {
        switch self {
        case .sandbox: "sandbox"
        case .production: "production"
        }
    }

    public init?(name: String) {
        guard let environment = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = environment
    }
}
