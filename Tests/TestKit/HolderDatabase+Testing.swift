import GRDB

@testable import HolderStorage

extension HolderDatabase {
    public func rowCount(of table: String) throws -> Int {
        try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") ?? 0 }
    }

    /// Makes every later write fail, as a full disk does.
    public func refuseWrites() throws {
        try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA query_only = ON") }
    }
}
