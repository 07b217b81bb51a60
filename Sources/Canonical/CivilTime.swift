/// Moments as the contract and people write them: ISO 8601 to the second in UTC,
/// `2026-01-31T12:00:00Z`.
public enum CivilTime {
    /// - Parameter seconds: since 1970, UTC.
    public static func text(_ seconds: Int64) -> String {
        // Days to civil date: Hinnant, "chrono-compatible low-level date algorithms".
        let (days, rest) = floorDivide(seconds, 86_400)
        let shifted = days + 719_468
        let (era, dayOfEra) = floorDivide(shifted, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func padded(_ value: Int64, _ width: Int = 2) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(padded(year, 4))-\(padded(month))-\(padded(day))"
        return "\(date)T\(padded(rest / 3600)):\(padded(rest / 60 % 60)):\(padded(rest % 60))Z"
    }

    /// Seconds since 1970, of the years 1970 to 9999; nil of any other text.
    public static func seconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        let form = Array("0000-00-00T00:00:00Z".utf8)
        guard bytes.count == form.count else { return nil }
        func number(_ range: Range<Int>) -> Int64 {
            bytes[range].reduce(0) { $0 * 10 + Int64($1) - 48 }
        }
        let isForm = zip(bytes, form).allSatisfy { byte, due in
            due == 0x30 ? (0x30...0x39).contains(byte) : byte == due
        }
        guard isForm else { return nil }
        let (year, month, day) = (number(0..<4), number(5..<7), number(8..<10))
        // Civil date to days, the inverse of the above.
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = floorDivide(shifted, 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        let time = number(11..<13) * 3600 + number(14..<16) * 60 + number(17..<19)
        let seconds = days * 86_400 + time
        guard year >= 1970, self.text(seconds) == text else { return nil }
        return seconds
    }

    private static func floorDivide(_ a: Int64, _ b: Int64) -> (Int64, Int64) {
        let remainder = (a % b + b) % b
        return ((a - remainder) / b, remainder)
    }
}
