import Algebra
import Canonical
import Chains
import Custody
import Foundation
import GRDB
import Intents

extension SQLStore {
    func insert(_ transaction: Transaction) throws {
        let (amount, limit) = (transaction.amount.columns, transaction.feeLimit.columns)
        let (fee, maxFee) = (transaction.fee?.columns, transaction.maxFee?.columns)
        let payload = Self.payload(transaction)
        try run(
            """
            INSERT INTO transactions
                (id, tenant, kind, status, vault, wallet, destination_wallet, asset, high, low,
                 fee_limit_high, fee_limit_low, fee_level, fee_high, fee_low, source_address,
                 destination_address, hash, block_number, waiting, failure_code, failure_message,
                 note, external_id, created_at, updated_at, parent, consolidations_left,
                 max_fee_high, max_fee_low, payload_kind, payload, gas_limit)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
                ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                transaction.id.data, transaction.tenant.data, transaction.kind.rawValue,
                transaction.status.rawValue, transaction.vault.data, transaction.wallet.data,
                transaction.destinationWallet?.data, transaction.asset, amount.high, amount.low,
                limit.high, limit.low, transaction.feeLevel?.rawValue, fee?.high, fee?.low,
                transaction.sourceAddress, transaction.destinationAddress, transaction.hash?.data,
                transaction.blockNumber.map { Int64($0) }, try Self.text(transaction.waiting),
                transaction.failure?.code.rawValue, transaction.failure?.message,
                transaction.note, transaction.externalID, transaction.createdAt.milliseconds,
                transaction.updatedAt.milliseconds, transaction.parent?.data,
                transaction.consolidationsLeft, maxFee?.high, maxFee?.low,
                payload?.kind.rawValue, payload?.bytes.data,
                (transaction.call?.gasLimit).map { Int64($0) },
            ])
    }

    /// A call's data, or a message in one of its forms.
    private enum PayloadKind: String {
        case call
        case personal
        case typed
    }

    private static func payload(
        _ transaction: Transaction
    ) -> (kind: PayloadKind, bytes: [UInt8])? {
        if let call = transaction.call { return (.call, call.data) }
        return switch transaction.message {
        case .personal(let bytes): (.personal, bytes)
        case .typed(let text): (.typed, text)
        case nil: nil
        }
    }

    private static func call(_ row: Row) throws -> ContractCall? {
        guard row["gas_limit"] as Int64? != nil else { return nil }
        return ContractCall(
            data: try row.bytes("payload"), gasLimit: try row.number("gas_limit"))
    }

    private static func message(_ row: Row) throws -> EVMMessage? {
        guard row["payload_kind"] as String? != nil else { return nil }
        return switch try row.text("payload_kind", PayloadKind.self) {
        case .personal: .personal(try row.bytes("payload"))
        case .typed: .typed(try row.bytes("payload"))
        case .call: nil
        }
    }

    private static func signature(_ row: Row) throws -> ECDSASignature? {
        guard row["signature"] as Data? != nil else { return nil }
        guard let signature = ECDSASignature(try row.bytes("signature")) else {
            throw row.corrupt("signature")
        }
        return signature
    }

    func update(_ transaction: Transaction) throws {
        let (fee, raise) = (transaction.fee?.columns, transaction.feeRaise.columns)
        try run(
            """
            UPDATE transactions SET status = ?, fee_high = ?, fee_low = ?, source_address = ?,
                hash = ?, block_number = ?, waiting = ?, failure_code = ?, failure_message = ?,
                stop_code = ?, stop_message = ?, consolidations_left = ?, updated_at = ?,
                signature = ?, fee_raise_high = ?, fee_raise_low = ?
            WHERE id = ?
            """,
            [
                transaction.status.rawValue, fee?.high, fee?.low, transaction.sourceAddress,
                transaction.hash?.data, transaction.blockNumber.map { Int64($0) },
                try Self.text(transaction.waiting), transaction.failure?.code.rawValue,
                transaction.failure?.message, transaction.stopping?.code.rawValue,
                transaction.stopping?.message, transaction.consolidationsLeft,
                transaction.updatedAt.milliseconds, transaction.signature?.bytes.data,
                raise.high, raise.low, transaction.id.data,
            ])
    }

    /// How a wait is stored: as JSON, since it is only shown.
    private struct StoredWaiting: Codable {
        let cause: String
        let who: [String]
        let since: Int64
        let next: String
    }

    private static func text(_ waiting: Waiting?) throws -> String? {
        guard let waiting else { return nil }
        let stored = StoredWaiting(
            cause: waiting.cause.rawValue, who: waiting.who, since: waiting.since.milliseconds,
            next: waiting.next)
        return String(decoding: try JSONEncoder().encode(stored), as: UTF8.self)
    }

    private static func waiting(_ row: Row) throws -> Waiting? {
        guard let text = row["waiting"] as String? else { return nil }
        let stored = try JSONDecoder().decode(StoredWaiting.self, from: Data(text.utf8))
        guard let cause = Waiting.Cause(rawValue: stored.cause) else {
            throw row.corrupt("waiting")
        }
        return Waiting(
            cause, who: stored.who, since: Timestamp(milliseconds: stored.since), next: stored.next)
    }

    static func transaction(_ row: Row) throws -> Transaction {
        var (failure, stopping): (Failure?, Failure?)
        if row["failure_code"] as String? != nil {
            failure = Failure(try row.text("failure_code"), row["failure_message"])
        }
        if row["stop_code"] as String? != nil {
            stopping = Failure(try row.text("stop_code"), row["stop_message"])
        }
        let fee = row["fee_high"] as Int64? == nil ? nil : try row.amount("fee_high", "fee_low")
        let level: FeeLevel? = (row["fee_level"] as String?).flatMap { FeeLevel(rawValue: $0) }
        let block = row["block_number"] as Int64? == nil ? nil : try row.number("block_number")
        return Transaction(
            id: try row.value("id"), tenant: try row.value("tenant"), kind: try row.text("kind"),
            status: try row.text("status"), vault: try row.value("vault"),
            wallet: try row.value("wallet"),
            destinationWallet: try row.optional("destination_wallet"), asset: row["asset"],
            amount: try row.amount("high", "low"),
            feeLimit: try row.amount("fee_limit_high", "fee_limit_low"),
            feeRaise: try row.amount("fee_raise_high", "fee_raise_low"),
            maxFee: row["max_fee_high"] as Int64? == nil
                ? nil : try row.amount("max_fee_high", "max_fee_low"),
            parent: try row.optional("parent"), consolidationsLeft: row["consolidations_left"],
            feeLevel: level, fee: fee,
            sourceAddress: row["source_address"], destinationAddress: row["destination_address"],
            hash: try row.optional("hash"), blockNumber: block, waiting: try waiting(row),
            failure: failure, call: try call(row), message: try message(row),
            signature: try signature(row),
            stopping: stopping, note: row["note"], externalID: row["external_id"],
            createdAt: row.time("created_at"), updatedAt: row.time("updated_at"))
    }

    func transaction(_ id: TransactionID) throws -> Transaction? {
        try one("SELECT * FROM transactions WHERE id = ?", [id.data], Self.transaction)
    }

    func transaction(_ id: TransactionID, of tenant: TenantID) throws -> Transaction? {
        try one(
            "SELECT * FROM transactions WHERE id = ? AND tenant = ?", [id.data, tenant.data],
            Self.transaction)
    }

    func transaction(
        externalID: String, kind: Transaction.Kind, of tenant: TenantID
    ) throws -> Transaction? {
        try row(
            "SELECT * FROM transactions WHERE tenant = ? AND kind = ? AND external_id = ?",
            [tenant.data, kind.rawValue, externalID]
        ).map(Self.transaction)
    }

    func transactions(
        of tenant: TenantID, matching filter: TransactionFilter, _ request: PageRequest
    ) throws -> Page<Transaction> {
        var condition = SQLCondition("tenant = ? AND parent IS NULL", [tenant.data])
        if let wallet = filter.wallet?.data {
            condition.also("(wallet = ? OR destination_wallet = ?)", [wallet, wallet])
        }
        condition.touches(filter.vault.map { [$0] })
        condition.isOne("kind", of: filter.kind.map { [$0.rawValue] })
        condition.isOne("status", of: filter.status.map { [$0.rawValue] })
        if let from = filter.from { condition.also("created_at >= ?", [from.milliseconds]) }
        if let to = filter.to { condition.also("created_at < ?", [to.milliseconds]) }
        condition.touches(filter.within.map { Array($0) })
        condition.add(filter.choice)
        return try page(
            request, "SELECT * FROM transactions", where: condition.text, condition.arguments,
            Self.transaction)
    }

    func consolidations(of withdrawal: TransactionID) throws -> [Transaction] {
        try rows("SELECT * FROM transactions WHERE parent = ? ORDER BY seq", [withdrawal.data])
            .map(Self.transaction)
    }

    func transactions(
        in status: Transaction.Status, kind: Transaction.Kind
    ) throws -> [Transaction] {
        try rows(
            """
            SELECT * FROM transactions WHERE status = ? AND kind = ?
                AND status NOT IN ('Completed', 'Failed', 'Cancelled') ORDER BY seq
            """, [status.rawValue, kind.rawValue]
        ).map(Self.transaction)
    }

    func append(_ entry: TimelineEntry, to transaction: TransactionID) throws {
        try run(
            """
            INSERT INTO timeline (movement, number, status, at)
            SELECT ?, coalesce(max(number), 0) + 1, ?, ? FROM timeline WHERE movement = ?
            """,
            [
                transaction.data, entry.status.rawValue, entry.at.milliseconds, transaction.data,
            ])
    }

    func timeline(of transaction: TransactionID) throws -> [TimelineEntry] {
        try rows(
            "SELECT status, at FROM timeline WHERE movement = ? ORDER BY number", [transaction.data]
        ).map { TimelineEntry(status: try $0.text("status"), at: $0.time("at")) }
    }
}
