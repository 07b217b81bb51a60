import Custody
import GRDB
import Intents

extension SQLStore {
    func hold(_ transaction: TransactionID) throws {
        try run("INSERT INTO built_only (movement) VALUES (?)", [transaction.data])
    }

    func letGo(_ transaction: TransactionID) throws {
        try run("DELETE FROM built_only WHERE movement = ?", [transaction.data])
    }

    func isHeld(_ transaction: TransactionID) throws -> Bool {
        try row("SELECT 1 FROM built_only WHERE movement = ?", [transaction.data]) != nil
    }

    func insert(_ callback: Callback) throws {
        try run(
            """
            INSERT INTO callbacks (event, tenant, movement, url, outcome, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                callback.event.data, callback.tenant.data, callback.transaction.data, callback.url,
                callback.state.rawValue, callback.createdAt.milliseconds,
                callback.updatedAt.milliseconds,
            ])
    }

    func update(_ callback: Callback) throws {
        try run(
            "UPDATE callbacks SET outcome = ?, updated_at = ? WHERE event = ?",
            [callback.state.rawValue, callback.updatedAt.milliseconds, callback.event.data])
    }

    func callback(_ event: EventID) throws -> Callback? {
        try row("SELECT * FROM callbacks WHERE event = ?", [event.data]).map(Self.callback)
    }

    func callback(of transaction: TransactionID) throws -> Callback? {
        try row("SELECT * FROM callbacks WHERE movement = ?", [transaction.data])
            .map(Self.callback)
    }

    /// Those that were decided, or sent in vain at least once; with what was sent, as long as that
    /// is kept.
    private static let shown = """
        SELECT * FROM (
            SELECT callbacks.*, events.body, events.attempts AS tries, transactions.external_id,
                transactions.vault
            FROM callbacks JOIN events ON events.id = callbacks.event
                JOIN transactions ON transactions.id = callbacks.movement)
        """

    func callbacks(
        of tenant: TenantID, matching filter: CallbackFilter, _ request: PageRequest
    ) throws -> Page<CallbackView> {
        var condition = SQLCondition(
            "tenant = ? AND outcome <> 'Dropped' AND (outcome <> 'Waiting' OR tries > 0)",
            [tenant.data])
        condition.isOne("event", of: filter.events?.map(\.data))
        condition.isOne("movement", of: filter.transactions?.map(\.data))
        condition.isOne("external_id", of: filter.externalIDs)
        condition.isOne("vault", of: filter.vaults?.map(\.data))
        condition.isOne("outcome", of: filter.states?.map(\.rawValue))
        return try page(request, Self.shown, where: condition.text, condition.arguments) { row in
            CallbackView(
                callback: try Self.callback(row), body: try row.bytes("body"),
                externalID: row["external_id"], vault: try row.value("vault"))
        }
    }

    func dueCallbacks(at now: Timestamp, most: Int, ofTenantMost: Int) throws -> [DueDelivery] {
        try rows(
            """
            SELECT event, tenant FROM (
                SELECT event, callbacks.tenant, next_try, row_number() OVER (
                    PARTITION BY callbacks.tenant ORDER BY next_try) AS turn
                FROM callbacks JOIN events ON events.id = callbacks.event
                WHERE outcome = 'Waiting' AND next_try <= ?)
            WHERE turn <= ? ORDER BY turn, next_try LIMIT ?
            """, [now.milliseconds, ofTenantMost, most]
        ).map { row in
            DueDelivery(
                event: try row.value("event"), tenant: try row.value("tenant"), isCallback: true)
        }
    }

    private static func callback(_ row: Row) throws -> Callback {
        Callback(
            event: try row.value("event"), tenant: try row.value("tenant"),
            transaction: try row.value("movement"), url: row["url"],
            state: try row.text("outcome"), createdAt: row.time("created_at"),
            updatedAt: row.time("updated_at"))
    }
}
