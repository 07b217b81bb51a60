import Custody
import Foundation
import GRDB
import Intents

/// A condition that grows, with its arguments.
struct SQLCondition {
    private(set) var text: String
    private(set) var arguments: StatementArguments

    init(_ text: String, _ arguments: StatementArguments) {
        (self.text, self.arguments) = (text, arguments)
    }

    mutating func also(_ condition: String, _ more: StatementArguments) {
        text += " AND \(condition)"
        arguments += more
    }

    /// The column is one of these; anything where there are none.
    mutating func isOne<Value: DatabaseValueConvertible>(_ column: String, of values: [Value]?) {
        guard let values else { return }
        also("\(column) IN (\(SQLStore.marks(values.count)))", StatementArguments(values))
    }
}

extension SQLCondition {
    /// Either end of a transaction is in one of these vaults.
    mutating func touches(_ vaults: [VaultID]?) {
        guard let vaults = vaults?.map(\.data) else { return }
        let marks = SQLStore.marks(vaults.count)
        also(
            """
            (vault IN (\(marks)) OR destination_wallet IN
                (SELECT id FROM wallets WHERE vault IN (\(marks))))
            """, StatementArguments(vaults) + StatementArguments(vaults))
    }

    mutating func add(_ choice: TransactionChoice) {
        isOne("id", of: choice.ids?.map(\.data))
        isOne("hash", of: choice.hashes?.map(\.data))
        isOne("external_id", of: choice.externalID.map { [$0] })
        isOne("kind", of: choice.kinds?.map(\.rawValue))
        isOne("asset", of: choice.assets)
        touches(choice.vaults)
        if let outcomes = choice.outcomes {
            let refusals = Failure.Code.allCases.filter(\.isRefusal).map { "'\($0.rawValue)'" }
            let isRefused = "coalesce(failure_code, '') IN (\(refusals.joined(separator: ", ")))"
            let each = outcomes.map { _ in "status = ? AND (\(isRefused)) = ?" }
            also(
                "(\(each.isEmpty ? "0" : each.joined(separator: " OR ")))",
                StatementArguments(
                    outcomes.flatMap { outcome -> [any DatabaseValueConvertible] in
                        [outcome.status.rawValue, outcome.isRefused]
                    }))
        }
        let inKeyVault =
            "vault IN (SELECT vaults.id FROM vaults JOIN key_vaults"
            + " ON key_vaults.id = vaults.key_vault WHERE key_vaults."
        if let keyVault = choice.below.keyVault {
            also("\(inKeyVault)id = ?)", [keyVault.data])
        }
        if let project = choice.below.project {
            also("\(inKeyVault)project = ?)", [project.data])
        }
        if let kind = choice.below.kind { also("\(inKeyVault)kind = ?)", [kind.rawValue]) }
    }
}
