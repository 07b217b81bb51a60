import Canonical

/// Names a key share holder group, 16 bytes.
public struct GroupID: FixedBytes {
    public static let byteCount = 16
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }
}

/// Names what was asked for, such as a transaction, 16 bytes.
public struct RequestID: FixedBytes {
    public static let byteCount = 16
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }
}

/// What a group may do with its shares.
public enum GroupKind: UInt64, Sendable {
    case main = 1
    case signing = 2
    case recovery = 3

    /// As commands and documents spell it.
    public var name: String {
        switch self {
        case .main: "main"
        case .signing: "signing"
        case .recovery: "recovery"
        }
    }
}
