import TestKit
import Testing

@testable import Chains

@Suite struct `Amounts` {
    @Test(arguments: [
        ("1", 18, "1000000000000000000"), ("1.5", 18, "1500000000000000000"),
        ("0.000000000000000001", 18, "1"), ("0", 18, "0"), ("0.0", 1, "0"), ("12.34", 2, "1234"),
        ("7", 0, "7"),
        ("999999999999999999.999999999999999999", 18, String(repeating: "9", count: 36)),
    ])
    func `are read exactly and written shortest`(_ text: String, _ decimals: Int, _ units: String)
        throws
    {
        let amount = try Amount(text: text, decimals: decimals)
        #expect(amount.baseUnitText == units)
        #expect(Amount(baseUnits: units) == amount)
        #expect(try Amount(text: amount.text(decimals: decimals), decimals: decimals) == amount)
        #expect(Amount(high: amount.columns.high, low: amount.columns.low) == amount)
        #expect(Amount(magnitude: amount.magnitude) == amount)
    }

    @Test(arguments: [
        ("", Amount.Malformed.notANumber), (".", .notANumber), ("1.", .notANumber),
        (".5", .notANumber), ("1e3", .notANumber), ("+1", .notANumber), (" 1", .notANumber),
        ("1,5", .notANumber), ("0x10", .notANumber), ("NaN", .notANumber), ("1.2.3", .notANumber),
        ("01", .notANumber), ("٣", .notANumber), ("1_000", .notANumber), ("-1", .negative),
        ("-0", .negative), ("1.0000000000000000001", .tooManyDecimals),
        ("1000000000000000000", .tooLarge), (String(repeating: "9", count: 200), .tooLarge),
    ])
    func `in another spelling are refused`(_ text: String, _ error: Amount.Malformed) {
        #expect(throws: error) { try Amount(text: text, decimals: 18) }
    }

    @Test func `do not overflow and do not go below zero`() {
        #expect(Amount.most.adding(Amount(1)) == nil)
        #expect(Amount.zero.subtracting(Amount(1)) == nil)
        #expect(Amount.most.times(2) == nil)
        #expect(Amount.most.adding(.zero) == .most)
        #expect(Amount(5).subtracting(Amount(5)) == .zero)
        #expect(Amount(UInt128.max) == nil)
        #expect(Amount(high: -1, low: 0) == nil)
        #expect(Amount(high: 0, low: Amount.columnBase) == nil)
        #expect(Amount(magnitude: [UInt8](repeating: 0xff, count: 32)) == nil)
    }
}
