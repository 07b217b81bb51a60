import Chains
import Custody
import Foundation
import GRDB

extension SQLStore {
    func post(_ entry: LedgerEntry) throws -> Bool {
        let amount = entry.amount.columns
        return try changes(
            """
            INSERT INTO ledger_entries (key, debit, credit, high, low, movement, at)
            VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING
            """,
            [
                entry.key, try id(of: entry.debit), try id(of: entry.credit), amount.high,
                amount.low, entry.transaction.data, entry.at.milliseconds,
            ])
    }

    func entryCount(of transaction: TransactionID, prefix: String) throws -> Int {
        try rows(
            "SELECT 1 FROM ledger_entries WHERE movement = ? AND substr(key, 1, ?) = ?",
            [transaction.data, prefix.utf8.count, prefix]
        ).count
    }

    /// The account's row, made when it is first needed.
    private func id(of account: LedgerAccount) throws -> Int64 {
        if let id = try found(account, { $0["id"] as Int64 }) { return id }
        try run(
            """
            INSERT INTO ledger_accounts (tenant, asset, wallet, role, debit_normal)
            VALUES (?, ?, ?, ?, ?)
            """,
            [
                account.tenant.data, account.asset, account.wallet?.data ?? Data(),
                account.role.rawValue, account.role.isDebitNormal ? 1 : 0,
            ])
        return db.lastInsertedRowID
    }

    private func found<Value>(
        _ account: LedgerAccount, _ read: (Row) throws -> Value
    ) throws -> Value? {
        try one(
            """
            SELECT * FROM ledger_accounts
            WHERE tenant = ? AND asset = ? AND wallet = ? AND role = ?
            """,
            [
                account.tenant.data, account.asset, account.wallet?.data ?? Data(),
                account.role.rawValue,
            ], read)
    }

    func balance(of account: LedgerAccount) throws -> Amount {
        try found(account, Self.balance) ?? .zero
    }

    func balances(of wallet: Wallet) throws -> [LedgerAccount.Role: Amount] {
        let cursor = try Row.fetchCursor(
            db.cachedStatement(
                sql: """
                    SELECT role, debit_normal, debits_high, debits_low, credits_high, credits_low
                    FROM ledger_accounts WHERE tenant = ? AND asset = ? AND wallet = ?
                    """),
            arguments: [wallet.tenant.data, wallet.asset, wallet.id.data])
        var balances: [LedgerAccount.Role: Amount] = [:]
        while let row = try cursor.next() {
            balances[try row.text("role")] = try Self.balance(row)
        }
        return balances
    }

    static func balance(_ row: Row) throws -> Amount {
        let debits = try turnover(row, "debits_high", "debits_low")
        let credits = try turnover(row, "credits_high", "credits_low")
        let isDebitNormal = row["debit_normal"] as Int64 == 1
        let (more, less) = isDebitNormal ? (debits, credits) : (credits, debits)
        guard more >= less, let balance = Amount(more - less) else {
            throw row.corrupt("debits_high")
        }
        return balance
    }

    /// All that ever went one way; it may be above what one amount can be.
    private static func turnover(_ row: Row, _ high: String, _ low: String) throws -> UInt128 {
        UInt128(try row.number(high)) * UInt128(Amount.columnBase) + UInt128(try row.number(low))
    }

    func assetsInUse() throws -> Set<String> {
        Set(try rows("SELECT DISTINCT asset FROM wallets").map { $0["asset"] as String })
    }

    func ledgerSums() throws -> [LedgerSum] {
        var sums: [String: (owned: Amount, owed: Amount)] = [:]
        for row in try rows("SELECT * FROM ledger_accounts") {
            let balance = try Self.balance(row)
            var sum = sums[row["asset"], default: (.zero, .zero)]
            if row["debit_normal"] as Int64 == 1 {
                sum.owned = sum.owned.adding(balance) ?? .most
            } else {
                sum.owed = sum.owed.adding(balance) ?? .most
            }
            sums[row["asset"]] = sum
        }
        return sums.sorted { $0.key < $1.key }.map {
            LedgerSum(asset: $0.key, owned: $0.value.owned, owed: $0.value.owed)
        }
    }
}
