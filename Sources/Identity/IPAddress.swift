/// An IPv4 or IPv6 address. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is the IPv4 address
/// that it stands for: one caller has one address, whichever way it came in.
public struct IPAddress: Hashable, Sendable {
    /// 4 or 16 bytes.
    public let bytes: [UInt8]

    static let mappedPrefix = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]

    /// Nil unless the text is an address in its strict form: four decimal numbers without leading
    /// zeros, or RFC 4291 without a zone.
    public init?(_ text: some StringProtocol) {
        guard let bytes = Self.parse(text) else { return nil }
        self.init(unnormalised: bytes)
    }

    /// - Parameter bytes: 4 or 16, as they stand in a socket's address.
    init(unnormalised bytes: [UInt8]) {
        let isMapped = bytes.count == 16 && bytes.starts(with: Self.mappedPrefix)
        self.bytes = isMapped ? Array(bytes.suffix(4)) : bytes
    }

    /// The bytes that the text spells, mapped ones as 16.
    static func parse(_ text: some StringProtocol) -> [UInt8]? {
        let text = Array(text.utf8)
        // The longest spelling is of 8 groups whose last two are an IPv4 address.
        guard text.count <= 45 else { return nil }
        return text.contains(UInt8(ascii: ":")) ? parseIPv6(text[...]) : parseIPv4(text[...])
    }

    private static func parseIPv4(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy({ (0x30...0x39).contains($0) }),
                part.count == 1 || part.first != UInt8(ascii: "0"),
                let byte = UInt8(exactly: part.reduce(0) { $0 * 10 + Int($1) - 0x30 })
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func parseIPv6(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        // At most one run of zeros is left out, where two colons stand.
        let gaps = text.indices.dropLast().filter {
            text[$0] == UInt8(ascii: ":") && text[$0 + 1] == UInt8(ascii: ":")
        }
        guard let gap = gaps.first else {
            let bytes = parseGroups(text, mayEndInIPv4: true)
            return bytes?.count == 16 ? bytes : nil
        }
        guard gaps.count == 1 else { return nil }
        let (left, right) = (text[..<gap], text[(gap + 2)...])
        guard let head = left.isEmpty ? [] : parseGroups(left, mayEndInIPv4: false),
            let tail = right.isEmpty ? [] : parseGroups(right, mayEndInIPv4: true),
            head.count + tail.count <= 14
        else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    private static func parseGroups(_ text: ArraySlice<UInt8>, mayEndInIPv4: Bool) -> [UInt8]? {
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        var bytes: [UInt8] = []
        for (at, part) in parts.enumerated() {
            if mayEndInIPv4, at == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let last = parseIPv4(part) else { return nil }
                bytes += last
                continue
            }
            let digits = part.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
            guard (1...4).contains(part.count), digits.count == part.count else { return nil }
            let group = digits.reduce(0) { $0 << 4 | $1 }
            bytes += [UInt8(group >> 8), UInt8(group & 0xff)]
        }
        return bytes.count <= 16 ? bytes : nil
    }
}

extension IPAddress: CustomStringConvertible {
    public var description: String { text }

    /// One spelling each: IPv6 as RFC 5952 has it.
    public var text: String {
        if bytes.count == 4 { return bytes.map { String($0) }.joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map {
            UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
        }
        func written(_ groups: ArraySlice<UInt16>) -> String {
            groups.map { String($0, radix: 16) }.joined(separator: ":")
        }
        // The first of the longest runs of two zeros or more is left out.
        var longest = 0..<0
        for start in 0..<8 {
            let end = groups[start...].firstIndex { $0 != 0 } ?? 8
            if end - start > max(1, longest.count) { longest = start..<end }
        }
        guard !longest.isEmpty else { return written(groups[...]) }
        return written(groups[..<longest.lowerBound]) + "::"
            + written(groups[longest.upperBound...])
    }
}
