import Canonical
import Chains
import Custody
import Foundation
import GRDB
import Intents

extension SQLStore {
    func insert(_ replacement: Replacement) throws {
        try run(
            """
            INSERT INTO replacements
                (movement, number, tenant, external_id, kind, replaced, gas_limit, price, tip,
                 state, intent, hash, explanation, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                replacement.transaction.data, replacement.number, replacement.tenant.data,
                replacement.externalID, replacement.kind.rawValue,
                replacement.replaced.data, Int64(replacement.fee.gasLimit),
                Int64(replacement.fee.maxFeePerGas),
                Int64(replacement.fee.maxPriorityFeePerGas), replacement.state.rawValue,
                replacement.intent?.data, replacement.hash?.data, replacement.explanation,
                replacement.createdAt.milliseconds,
            ])
    }

    func update(_ replacement: Replacement) throws {
        try run(
            """
            UPDATE replacements SET state = ?, intent = ?, hash = ?, explanation = ?
            WHERE movement = ? AND number = ?
            """,
            [
                replacement.state.rawValue, replacement.intent?.data, replacement.hash?.data,
                replacement.explanation, replacement.transaction.data, replacement.number,
            ])
    }

    func replacements(of transaction: TransactionID) throws -> [Replacement] {
        try rows(
            "SELECT * FROM replacements WHERE movement = ? ORDER BY number", [transaction.data]
        ).map(Self.replacement)
    }

    func replacement(by intent: Digest) throws -> Replacement? {
        try row("SELECT * FROM replacements WHERE intent = ?", [intent.data])
            .map(Self.replacement)
    }

    func replacement(externalID: String, of tenant: TenantID) throws -> Replacement? {
        try row(
            "SELECT * FROM replacements WHERE tenant = ? AND external_id = ?",
            [tenant.data, externalID]
        ).map(Self.replacement)
    }

    func askedReplacements() throws -> [Replacement] {
        try rows("SELECT * FROM replacements WHERE state = 'asked' ORDER BY seq")
            .map(Self.replacement)
    }

    private static func replacement(_ row: Row) throws -> Replacement {
        guard
            let fee = EVMFeeLimit(
                gasLimit: try row.number("gas_limit"), maxFeePerGas: try row.number("price"),
                maxPriorityFeePerGas: try row.number("tip"))
        else { throw row.corrupt("tip") }
        return Replacement(
            transaction: try row.value("movement"), tenant: try row.value("tenant"),
            number: row["number"], kind: try row.text("kind"), externalID: row["external_id"],
            replaced: try row.value("replaced"), fee: fee, state: try row.text("state"),
            intent: try row.optional("intent"),
            hash: try row.optional("hash"), explanation: row["explanation"],
            createdAt: row.time("created_at"))
    }
}
