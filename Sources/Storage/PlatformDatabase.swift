import Custody
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
        guard try pool.read(Schema.migrator.hasBeenSuperseded) == false else {
            throw CorruptRow(
                description: "\(path) was written by another version, which this one cannot read: "
                    + "use that version, or begin with a new data directory")
        }
        try Schema.migrator.migrate(pool)
        commits = GroupCommit(pool)
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

    /// A page of a listed table: newest first, after the cursor, one row more than asked to know
    /// whether there is a next page.
    func page<Item: Sendable>(
        _ page: PageRequest, _ select: String, where condition: String,
        _ arguments: StatementArguments, _ read: (Row) throws -> Item
    ) throws -> Page<Item> {
        let found = try rows(
            "\(select) WHERE \(condition) AND seq < ? ORDER BY seq DESC LIMIT ?",
            arguments + [page.after?.number ?? Int64.max, page.limit + 1])
        let shown = found.prefix(page.limit)
        let more = found.count > page.limit
        return Page(
            items: try shown.map(read),
            next: more ? shown.last.map { PageCursor(number: $0["seq"]) } : nil)
    }
}
