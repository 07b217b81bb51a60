/// Input ended early, went on too long, or spelt a value otherwise than the one right way.
public struct MalformedBytes: Error, Equatable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Reads fields of known length from the front of a byte string; never traps on what it reads.
public struct ByteReader {
    private let bytes: ArraySlice<UInt8>
    private var at: Int

    public init(_ bytes: some Collection<UInt8>) {
        self.bytes = ArraySlice(bytes)
        at = self.bytes.startIndex
    }

    public var remaining: Int { bytes.endIndex - at }

    public mutating func take(_ count: Int) throws(MalformedBytes) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else {
            throw MalformedBytes("\(count) bytes expected, \(remaining) left")
        }
        defer { at += count }
        return bytes[at..<at + count]
    }

    public mutating func take<Value: FixedBytes>(
        _ type: Value.Type
    ) throws(MalformedBytes) -> Value {
        Value(unchecked: Array(try take(Value.byteCount)))
    }

    /// An unsigned big-endian integer of the type's own width.
    public mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type
    ) throws(MalformedBytes) -> Value {
        try take(Value.bitWidth / 8).reduce(0) { $0 << 8 | Value($1) }
    }

    /// Everything that is left; afterwards nothing is.
    public mutating func rest() -> ArraySlice<UInt8> {
        defer { at = bytes.endIndex }
        return bytes[at...]
    }

    public func finish() throws(MalformedBytes) {
        guard remaining == 0 else { throw MalformedBytes("\(remaining) bytes too many") }
    }
}

extension FixedWidthInteger {
    /// The integer's bytes, most significant first.
    @inlinable public var bigEndianBytes: [UInt8] {
        withUnsafeBytes(of: bigEndian) { Array($0) }
    }
}
