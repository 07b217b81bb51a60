import Custody
import Foundation
import GRDB

/// The platform's database: one SQLite file in WAL mode with `synchronous=FULL`.
public final class PlatformDatabase: CustodyDatabase {
    private let pool: DatabasePool
    private let commits: GroupCommit

    struct NotDurable: Error, CustomStringConvertible {
        let description = "SQLite did not take synchronous=FULL"
    }

    /// Opens the file, makes it if there is none, and brings its tables up to date.
    public init(path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.maximumReaderCount = 8
        pool = try DatabasePool(path: path, configuration: configuration)
        // GRDB sets NORMAL on the writer after it has opened it; only FULL survives a power cut.
        let level = try pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            return try Int.fetchOne(db, sql: "PRAGMA synchronous")
        }
        guard level == 2 else { throw NotDurable() }
        let isAlone = try Self.aloneWith(path)
        defer { Glibc.close(isAlone) }
        guard try pool.read(Schema.migrator.hasBeenSuperseded) == false else {
            throw CorruptRow(
                description: "\(path) was written by another version, which this one cannot read: "
                    + "use that version, or begin with a new data directory")
        }
        try Schema.migrator.migrate(pool)
        commits = GroupCommit(pool)
    }

    /// Waits until no other process brings the tables up to date, since each looks what is there
    /// before it begins.
    ///
    /// - Returns: what keeps the others waiting until it is closed.
    private static func aloneWith(_ path: String) throws -> Int32 {
        let descriptor = open("\(path)-migration", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        guard flock(descriptor, LOCK_EX) == 0 else {
            Glibc.close(descriptor)
            throw POSIXError(.init(rawValue: errno) ?? .EIO)
        }
        return descriptor
    }

    public func read<Result: Sendable>(
        _ body: @escaping @Sendable (any CustodyStore) throws -> Result
    ) async throws -> Result {
        try await pool.read { db in try body(SQLStore(db: db)) }
    }

    public func write<Result: Sendable>(
        _ body: @escaping @Sendable (any CustodyStore) throws -> Result
    ) async throws -> Result {
        try await commits.write { db in try body(SQLStore(db: db)) }
    }

    public var commitCounts: CommitCounts { commits.counter.current }

    public func close() throws { try pool.close() }
}

/// The store's verbs as SQL, on the connection of one transaction.
struct SQLStore: CustodyStore {
    let db: Database

    func run(_ sql: String, _ arguments: StatementArguments = []) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// What the first row says, read where SQLite has it: to copy it takes as long as to fetch it.
    func one<Value>(
        _ sql: String, _ arguments: StatementArguments, _ read: (Row) throws -> Value
    ) throws -> Value? {
        let cursor = try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: arguments)
        // The row is gone with the cursor.
        return try withExtendedLifetime(cursor) { try cursor.next().map(read) }
    }

    func row(_ sql: String, _ arguments: StatementArguments = []) throws -> Row? {
        try Row.fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    func rows(_ sql: String, _ arguments: StatementArguments = []) throws -> [Row] {
        try Row.fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }

    /// Runs a statement that changes one row or none, and says which.
    func changes(_ sql: String, _ arguments: StatementArguments) throws -> Bool {
        try run(sql, arguments)
        return db.changesCount == 1
    }

    /// A page of a listed table: one row more than asked, to know whether another page follows.
    func page<Item: Sendable>(
        _ page: PageRequest, _ select: String, where condition: String,
        _ arguments: StatementArguments, _ read: (Row) throws -> Item
    ) throws -> Page<Item> {
        let isBackward = page.before != nil
        let rises = (page.order == .oldestFirst) != isBackward
        let start = page.after ?? page.before
        let found = try rows(
            """
            \(select) WHERE \(condition) AND seq \(rises ? ">" : "<") ?
            ORDER BY seq \(rises ? "ASC" : "DESC") LIMIT ?
            """, arguments + [start?.number ?? (rises ? Int64.min : Int64.max), page.limit + 1])
        let more = found.count > page.limit
        let read = try found.prefix(page.limit).map { (seq: $0["seq"] as Int64, try read($0)) }
        let shown = isBackward ? read.reversed() : read
        let (hasNext, hasPrevious) = isBackward ? (true, more) : (more, page.after != nil)
        let total =
            page.isCounted
            ? try row("SELECT count(*) AS total FROM (\(select) WHERE \(condition))", arguments)
            : nil
        return Page(
            items: shown.map(\.1),
            next: hasNext ? shown.last.map { PageCursor(number: $0.seq) } : nil,
            previous: hasPrevious ? shown.first.map { PageCursor(number: $0.seq) } : nil,
            total: total?["total"])
    }
}
