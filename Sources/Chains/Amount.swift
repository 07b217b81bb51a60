import Canonical

/// How much of an asset, in base units (wei, satoshi), never a fraction and never negative.
public struct Amount: Hashable, Comparable, Sendable {
    /// The largest amount: 10^36 − 1 base units, which is 10^18 coins of 18 decimals. It leaves
    /// room for sums in 128 bits and fits two columns of 18 digits in SQL.
    public static let most = Amount(
        unchecked: 1_000_000_000_000_000_000 * 1_000_000_000_000_000_000 - 1)
    public static let zero = Amount(unchecked: 0)

    public let baseUnits: UInt128

    private init(unchecked baseUnits: UInt128) { self.baseUnits = baseUnits }

    /// Nil above `most`.
    public init?(_ baseUnits: UInt128) {
        guard baseUnits <= Self.most.baseUnits else { return nil }
        self.baseUnits = baseUnits
    }

    public init(_ small: UInt32) { baseUnits = UInt128(small) }

    public var isZero: Bool { baseUnits == 0 }

    public static func < (a: Amount, b: Amount) -> Bool { a.baseUnits < b.baseUnits }

    /// The sum, or nil above `most`.
    public func adding(_ other: Amount) -> Amount? { Amount(baseUnits + other.baseUnits) }

    /// The difference, or nil below zero.
    public func subtracting(_ other: Amount) -> Amount? {
        other <= self ? Amount(unchecked: baseUnits - other.baseUnits) : nil
    }

    /// The product, or nil above `most`.
    public func times(_ factor: UInt64) -> Amount? {
        let (product, overflow) = baseUnits.multipliedReportingOverflow(by: UInt128(factor))
        return overflow ? nil : Amount(product)
    }
}

extension Amount {
    /// Digits of the integer in base units; what `init(baseUnits:)` reads.
    public var baseUnitText: String { String(baseUnits) }

    /// The integer that `text` spells in plain decimal digits without leading zeros.
    public init?(baseUnits text: String) {
        guard !text.isEmpty, text.utf8.count <= 36,
            text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
            text == "0" || !text.hasPrefix("0"), let value = UInt128(text)
        else { return nil }
        self.init(value)
    }

    /// The amount in whole coins, without needless zeros: `1.5`.
    public func text(decimals: Int) -> String {
        let digits = Array(String(baseUnits).utf8)
        let zero = UInt8(ascii: "0")
        let padded = [UInt8](repeating: zero, count: max(0, decimals + 1 - digits.count)) + digits
        var text = padded.dropLast(decimals)
        let fraction = padded.suffix(decimals)
        if let last = fraction.lastIndex(where: { $0 != zero }) {
            text.append(UInt8(ascii: "."))
            text += fraction[...last]
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Why a text is no amount of whole coins.
    public enum Malformed: Error, Equatable, Sendable {
        case notANumber
        case negative
        case tooManyDecimals
        case tooLarge
    }

    /// The amount that `text` spells in whole coins: digits, and after a point at most `decimals`
    /// more. No sign, exponent, space or separator.
    public init(text: String, decimals: Int) throws(Malformed) {
        if text.hasPrefix("-") { throw .negative }
        guard text.utf8.count <= 80 else { throw .tooLarge }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }),
            parts.joined().utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
            parts[0] == "0" || parts[0].first != "0"
        else { throw .notANumber }
        let fraction = parts.count == 2 ? parts[1] : ""
        guard fraction.count <= decimals else { throw .tooManyDecimals }
        let digits = parts[0] + fraction + String(repeating: "0", count: decimals - fraction.count)
        guard digits.utf8.count <= 38, let value = UInt128(digits), let amount = Amount(value)
        else {
            throw .tooLarge
        }
        self = amount
    }
}

extension Amount {
    /// The integer's big-endian bytes without leading zeros; none of zero.
    public var magnitude: [UInt8] { Array(baseUnits.bigEndianBytes.drop { $0 == 0 }) }

    /// The integer of big-endian bytes, or nil above `most`.
    public init?(magnitude: some Collection<UInt8>) {
        let significant = magnitude.drop { $0 == 0 }
        guard significant.count <= 16 else { return nil }
        self.init(significant.reduce(UInt128(0)) { $0 << 8 | UInt128($1) })
    }
}

extension Amount {
    /// 10^18: what one unit of `columns.high` counts.
    public static let columnBase: Int64 = 1_000_000_000_000_000_000

    /// The amount as two integers for SQL, each below 10^18: high · 10^18 + low.
    public var columns: (high: Int64, low: Int64) {
        let (high, low) = baseUnits.quotientAndRemainder(dividingBy: UInt128(Self.columnBase))
        return (Int64(high), Int64(low))
    }

    /// Nil unless both are in 0..<10^18.
    public init?(high: Int64, low: Int64) {
        guard (0..<Self.columnBase).contains(high), (0..<Self.columnBase).contains(low) else {
            return nil
        }
        self.init(UInt128(high) * UInt128(Self.columnBase) + UInt128(low))
    }
}
