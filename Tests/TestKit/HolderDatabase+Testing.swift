import Algebra
import Canonical
import Foundation
import GRDB
import Holder
import KeyGroups

@testable import HolderStorage

extension HolderDatabase {
    /// A person's yes to a ceremony that may not have been asked for yet.
    public func confirm(fingerprint: String, request: RequestID) throws {
        try awaitConfirmation(fingerprint: fingerprint, request: request, of: "a test")
        try confirm(fingerprint: fingerprint)
    }

    public func rowCount(of table: String) throws -> Int {
        try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") ?? 0 }
    }

    /// Another database in memory that holds the same.
    public func copy() throws -> HolderDatabase {
        let copy = try HolderDatabase(path: nil)
        try queue.backup(to: copy.queue)
        return copy
    }

    /// Makes the next transaction fail as it is committed.
    public func failNextCommit() {
        queue.add(transactionObserver: KilledAtCommit(), extent: .nextTransaction)
    }

    /// The epochs whose shares can sign.
    public func activeEpochs() throws -> [UInt64] {
        try storedKeys().filter { $0.state == .active && $0.hasShare }.map(\.epoch)
    }

    /// What is stored of a key, but for its points.
    public struct StoredKey: Hashable {
        public let group: GroupID
        public let epoch: UInt64
        public let state: KeyRecord.State
        public let certificate: Digest
        public let publicKey: [UInt8]
        public let chainCode: [UInt8]
        public let hasShare: Bool
    }

    public func storedKeys() throws -> [StoredKey] {
        try queue.read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT group_id, epoch, state, certificate_digest, public_key, chain_code,
                    sealed_share IS NOT NULL AS has_share FROM keys
                    """)
            return rows.compactMap { row in
                guard let group = GroupID(Array(row["group_id"] as Data)),
                    let certificate = Digest(Array(row["certificate_digest"] as Data)),
                    let state = KeyRecord.State(rawValue: row["state"])
                else { return nil }
                return StoredKey(
                    group: group, epoch: UInt64(row["epoch"] as Int64), state: state,
                    certificate: certificate, publicKey: Array(row["public_key"] as Data),
                    chainCode: Array(row["chain_code"] as Data), hasShare: row["has_share"])
            }
        }
    }

    /// The intents of the runs for which a last message was made, as hexadecimal, by run.
    public func lastMessages() throws -> [String: (intent: String, isApproved: Bool)] {
        try queue.read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT hex(run) AS run, hex(intent) AS intent,
                    EXISTS (SELECT 1 FROM intents WHERE digest = intent AND state = 'approved')
                    AS approved FROM last_messages
                    """)
            return Dictionary(
                rows.map { row in
                    (
                        (row["run"] as String).lowercased(),
                        ((row["intent"] as String).lowercased(), row["approved"] as Bool)
                    )
                }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// Makes every later write fail, as a full disk does.
    public func refuseWrites() throws {
        try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA query_only = ON") }
    }
}

/// Refuses to commit, as a process does that is killed before.
private final class KilledAtCommit: TransactionObserver {
    struct Killed: Error {}

    func observes(eventsOfKind eventKind: DatabaseEventKind) -> Bool { true }
    func databaseDidChange(with event: DatabaseEvent) {}
    func databaseWillCommit() throws { throw Killed() }
    func databaseDidCommit(_ db: Database) {}
    func databaseDidRollback(_ db: Database) {}
}
