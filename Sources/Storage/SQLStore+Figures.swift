import Chains
import Custody
import GRDB

extension Schema {
    /// What is counted for operators is counted in these, however long the tables are.
    ///
    /// `+role`: with the condition on `role` itself, SQLite would ask at each value that is bound
    /// to it whether the index serves, and so compile every look into an account each time.
    static let figures = """
        CREATE INDEX ledger_accounts_in_suspense ON ledger_accounts (asset)
            WHERE +role = 'suspense';
        CREATE INDEX events_undelivered ON events (created_at)
            WHERE state IN ('Waiting', 'Queued', 'Redelivering');
        CREATE INDEX events_given_up ON events (created_at) WHERE state = 'Dead';
        """
}

extension SQLStore {
    func figures() throws -> InstallationFigures {
        let waiting = try row(
            """
            SELECT count(*) AS number, min(created_at) AS oldest FROM events
            WHERE state IN ('Waiting', 'Queued', 'Redelivering')
            """)
        let dead = try row("SELECT count(*) AS number FROM events WHERE state = 'Dead'")
        let holders = try holders()
        let chains = try rows("SELECT chain FROM chain_states ORDER BY chain").compactMap {
            try chainState(try $0.chain("chain"))
        }
        return InstallationFigures(
            underWay: try underWay(), suspense: try suspense(),
            eventsWaiting: waiting?["number"] ?? 0, oldestWaiting: waiting?.optionalTime("oldest"),
            eventsDead: dead?["number"] ?? 0, holders: holders.count,
            holdersOnline: holders.count { $0.onlineSince != nil }, chains: chains)
    }

    private func underWay() throws -> [InstallationFigures.Place: Int] {
        let found = try rows(
            """
            SELECT kind, status, count(*) AS number FROM transactions
            WHERE status NOT IN ('Completed', 'Failed', 'Cancelled') GROUP BY status, kind
            """)
        var counts: [InstallationFigures.Place: Int] = [:]
        for row in found {
            counts[.init(kind: try row.text("kind"), status: try row.text("status"))] =
                row["number"]
        }
        return counts
    }

    private func suspense() throws -> [String: Amount] {
        var sums: [String: Amount] = [:]
        for row in try rows("SELECT * FROM ledger_accounts WHERE +role = 'suspense'") {
            let balance = try Self.balance(row)
            sums[row["asset"]] = sums[row["asset"], default: .zero].adding(balance) ?? .most
        }
        return sums
    }
}
