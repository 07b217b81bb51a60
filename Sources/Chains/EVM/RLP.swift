import Canonical

/// Recursive length prefix, Ethereum yellow paper appendix B.
public indirect enum RLP: Equatable, Sendable {
    case bytes([UInt8])
    case list([RLP])

    /// An integer: big-endian without leading zeros, nothing for zero.
    public static func integer(_ value: UInt64) -> RLP {
        .bytes(Array(value.bigEndianBytes.drop { $0 == 0 }))
    }

    public func encoded() -> [UInt8] {
        switch self {
        case .bytes(let bytes):
            if bytes.count == 1, bytes[0] < 0x80 { return bytes }
            return Self.head(0x80, bytes.count) + bytes
        case .list(let items):
            let body = items.flatMap { $0.encoded() }
            return Self.head(0xc0, body.count) + body
        }
    }

    private static func head(_ base: UInt8, _ count: Int) -> [UInt8] {
        if count < 56 { return [base + UInt8(count)] }
        let length = Array(UInt64(count).bigEndianBytes.drop { $0 == 0 })
        return [base + 55 + UInt8(length.count)] + length
    }

    /// Deepest nesting that is read.
    private static let depthLimit = 8

    /// Reads what `encoded` writes and nothing else.
    public static func decode(_ bytes: some Collection<UInt8>) throws(MalformedBytes) -> RLP {
        var reader = ByteReader(bytes)
        let item = try item(&reader, depth: 1)
        try reader.finish()
        return item
    }

    private static func item(
        _ reader: inout ByteReader, depth: Int
    ) throws(MalformedBytes) -> RLP {
        guard depth <= depthLimit else { throw MalformedBytes("RLP nested too deep") }
        let first = try reader.integer(UInt8.self)
        switch first {
        case 0..<0x80:
            return .bytes([first])
        case 0x80..<0xc0:
            let bytes = Array(try reader.take(try count(first - 0x80, &reader)))
            guard bytes.count != 1 || bytes[0] >= 0x80 else {
                throw MalformedBytes("RLP byte not in its shortest form")
            }
            return .bytes(bytes)
        default:
            var body = ByteReader(try reader.take(try count(first - 0xc0, &reader)))
            var items: [RLP] = []
            while body.remaining > 0 { items.append(try item(&body, depth: depth + 1)) }
            return .list(items)
        }
    }

    private static func count(
        _ code: UInt8, _ reader: inout ByteReader
    ) throws(MalformedBytes) -> Int {
        if code < 56 { return Int(code) }
        let length = try reader.take(Int(code) - 55)
        guard length.count <= 4, length.first != 0 else { throw MalformedBytes("RLP length") }
        let count = length.reduce(0) { $0 << 8 | Int($1) }
        guard count >= 56 else { throw MalformedBytes("RLP length not in its shortest form") }
        return count
    }

    public var byteString: [UInt8]? {
        guard case .bytes(let bytes) = self else { return nil }
        return bytes
    }

    /// The integer that the bytes spell, or nil with leading zeros or above 64 bits.
    public var integer: UInt64? {
        guard let bytes = byteString, bytes.count <= 8, bytes.first != 0 else { return nil }
        return bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
