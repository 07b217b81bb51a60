import Canonical
import Chains
import Custody
import Foundation
import GRDB

/// A stored row that no code of ours can have written.
public struct CorruptRow: Error, CustomStringConvertible {
    public let description: String
}

extension [UInt8] {
    var data: Data { Data(self) }
}

extension FixedBytes {
    var data: Data { Data(bytes) }
}

/// Reads columns as what they must be; the schema's types make all but corruption impossible.
extension Row {
    func value<Value: FixedBytes>(_ column: String, _ type: Value.Type = Value.self) throws -> Value
    {
        guard let data = self[column] as Data?, let value = Value(data) else {
            throw corrupt(column)
        }
        return value
    }

    func optional<Value: FixedBytes>(
        _ column: String, _ type: Value.Type = Value.self
    ) throws -> Value? {
        self[column] as Data? == nil ? nil : try value(column)
    }

    func bytes(_ column: String) throws -> [UInt8] {
        guard let data = self[column] as Data? else { throw corrupt(column) }
        return Array(data)
    }

    func text<Value: RawRepresentable<String>>(
        _ column: String, _ type: Value.Type = Value.self
    ) throws -> Value {
        guard let text = self[column] as String?, let value = Value(rawValue: text) else {
            throw corrupt(column)
        }
        return value
    }

    func time(_ column: String) -> Timestamp { Timestamp(milliseconds: self[column]) }

    func optionalTime(_ column: String) -> Timestamp? {
        (self[column] as Int64?).map { Timestamp(milliseconds: $0) }
    }

    func amount(_ high: String, _ low: String) throws -> Amount {
        guard let amount = Amount(high: self[high], low: self[low]) else { throw corrupt(high) }
        return amount
    }

    func number(_ column: String) throws -> UInt64 {
        guard let number = UInt64(exactly: self[column] as Int64) else { throw corrupt(column) }
        return number
    }

    func chain(_ column: String) throws -> ChainID {
        guard let chain = ChainID(self[column] as String) else { throw corrupt(column) }
        return chain
    }

    func corrupt(_ column: String) -> CorruptRow {
        CorruptRow(description: "the column \(column) holds an impossible value")
    }
}
