import Canonical

/// The public name of an API key: `qk_test_` or `qk_live_` and 24 hexadecimal digits, so that a key
/// shows which world it belongs to.
public struct APIKeyID: Hashable, Sendable, CustomStringConvertible {
    private static let digits = 24

    public let text: String

    /// A new name from 12 random bytes.
    public init(isLive: Bool, random: [UInt8]) {
        text = Self.prefix(isLive) + Hex.encode(random.prefix(Self.digits / 2))
    }

    /// Nil unless the text is such a name.
    public init?(text: String) {
        guard let prefix = [Self.prefix(true), Self.prefix(false)].first(where: text.hasPrefix),
            text.utf8.count == prefix.utf8.count + Self.digits,
            let bytes = Hex.decode(text.dropFirst(prefix.count)),
            Hex.encode(bytes) == text.dropFirst(prefix.count)
        else { return nil }
        self.text = text
    }

    public var isLive: Bool { text.hasPrefix(Self.prefix(true)) }
    public var description: String { text }

    private static func prefix(_ isLive: Bool) -> String { isLive ? "qk_live_" : "qk_test_" }
}
