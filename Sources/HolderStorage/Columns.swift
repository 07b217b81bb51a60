import Canonical
import Foundation
import GRDB

extension [UInt8] {
    var data: Data { Data(self) }
}

extension FixedBytes {
    var data: Data { Data(bytes) }
}

extension Row {
    func bytes(_ column: Int) -> [UInt8]? { (self[column] as Data?).map { Array($0) } }

    func number(_ column: String) throws -> UInt64 {
        guard let number = UInt64(exactly: self[column] as Int64) else {
            throw HolderDatabase.Corrupt(description: "\(column) is negative")
        }
        return number
    }

    /// The bytes of a column that the schema says is not null.
    func required(_ column: String) throws -> [UInt8] {
        guard let data = self[column] as Data? else {
            throw HolderDatabase.Corrupt(description: "\(column) is null")
        }
        return Array(data)
    }
}
