import Custody
import Foundation
import GRDB
import Intents
import Storage

extension PlatformDatabase {
    /// Adds so many vaults, each with a wallet, an address and a transaction, to a database that
    /// has one of each: copies of the first row, with names of their own. Nothing else may write.
    public static func fill(path: String, rows: Int) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(60)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.write { db in
            for (table, fresh) in tables { try copy(table, fresh, rows, db) }
            try db.execute(sql: "ANALYZE")
        }
        try queue.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        try queue.close()
    }

    /// Tables, and what of a row is new in the copy number `i`.
    private static let tables: [(name: String, fresh: [String: String])] = {
        let id = "CAST(printf('%0\(VaultID.byteCount)d', i) AS BLOB)"
        let address = "'0x' || printf('%040d', i)"
        return [
            ("vaults", ["id": id, "number": "1000000 + i", "external_id": "'copy ' || i"]),
            ("wallets", ["id": id, "vault": id, "deposit_address": address]),
            (
                "addresses",
                ["text": address, "vault": id, "wallet": id, "vault_index": "1000000 + i"]
            ),
            ("address_funds", ["address": address, "vault": id]),
            ("transactions", ["id": id, "vault": id, "wallet": id, "external_id": "NULL"]),
            ("timeline", ["movement": id]),
        ]
    }()

    private static func copy(
        _ table: String, _ fresh: [String: String], _ rows: Int, _ db: Database
    ) throws {
        let columns = try db.columns(in: table).map(\.name).filter { $0 != "seq" }
        let values = columns.map { fresh[$0] ?? "first.\($0)" }.joined(separator: ", ")
        try db.execute(
            sql: """
                WITH RECURSIVE counted (i) AS (
                    SELECT 1 UNION ALL SELECT i + 1 FROM counted WHERE i < ?)
                INSERT INTO \(table) (\(columns.joined(separator: ", ")))
                SELECT \(values) FROM counted, (SELECT * FROM \(table) LIMIT 1) AS first
                """, arguments: [rows])
    }
}
