import Canonical

/// A moment: milliseconds since 1970, UTC.
public struct Timestamp: Hashable, Comparable, Sendable {
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public var seconds: Int64 { milliseconds / 1000 }

    public func adding(seconds: Int64) -> Timestamp {
        Timestamp(milliseconds: milliseconds + 1000 * seconds)
    }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

    /// ISO 8601 to the second, as the contract writes times: `2026-01-31T12:00:00Z`.
    public var text: String { CivilTime.text(seconds) }

    /// - Parameter text: exactly as `text` writes it, of the years 1970 to 9999.
    public init?(text: String) {
        guard let seconds = CivilTime.seconds(text) else { return nil }
        self.init(milliseconds: seconds * 1000)
    }
}
