/// Lower-case hexadecimal, the only spelling this project writes; reading accepts either case.
public enum Hex {
    private static let digits: StaticString = "0123456789abcdef"

    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        // Copied, so that the loop is compiled once and not for each collection.
        let (bytes, digits) = (Array(bytes), digits.utf8Start)
        return String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
            for (at, byte) in bytes.enumerated() {
                text[2 * at] = digits[Int(byte >> 4)]
                text[2 * at + 1] = digits[Int(byte & 15)]
            }
            return 2 * bytes.count
        }
    }

    /// The bytes that `text` spells, or nil if its length is odd or a character is no digit.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 2)
        for at in stride(from: 0, to: characters.count, by: 2) {
            guard let high = value(characters[at]), let low = value(characters[at + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
