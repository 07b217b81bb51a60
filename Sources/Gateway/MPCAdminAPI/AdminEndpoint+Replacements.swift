import Canonical
import Chains
import Custody
import HTTPTypes
import Identity
import Intents

extension AdminEndpoint {
    static let replacements: [AdminEndpoint] = [
        .change(
            .post, "speedup_transaction_by_id", "transactions/{transaction_id}/speedup",
            .transactionManage
        ) { call in try call.replace(by: .speedUp, or: .notAccelerable) },
        .change(
            .post, "drop_transaction_by_id", "transactions/{transaction_id}/drop",
            .transactionManage
        ) { call in try call.replace(by: .drop, or: .notDroppable) },
        .change(
            .post, "resend_transaction_by_id", "transactions/{transaction_id}/resend",
            .transactionManage, made: "transaction_id"
        ) { call in try call.resend() },
        .change(
            .post, "sign_and_broadcast_transaction_by_id",
            "transactions/{transaction_id}/sign_and_broadcast", .transactionManage
        ) { call in
            let transaction = try call.transaction().transaction
            do {
                return AdminCall.made(
                    try call.books.signAndBroadcast(transaction.id, of: call.tenant))
            } catch let refusal as Refusal where refusal.code == .tooLate {
                throw AdminProblem(.badValue, refusal.message)
            }
        },
    ]
}

extension AdminCall {
    /// - Parameter code: what it is told whose transaction is not, or no more, in a state for it.
    fileprivate func replace(
        by kind: Replacement.Kind, or code: AdminProblem.Code
    ) throws -> JSONValue {
        let draft = try replacement()
        let transaction = try transaction().transaction
        try checkToken(of: draft.fee, on: asset(of: transaction).asset.chain)
        let price = try wei(draft.fee.price)
        do {
            let replaced = try books.replace(
                transaction.id, by: kind,
                ReplacementDraft(
                    externalID: draft.request, price: price, tip: try wei(draft.fee.tip),
                    maxFee: draft.fee.most), for: tenant)
            return .object([
                "request_id": .string(draft.request),
                "transaction_id": .string(replaced.id.text),
                "status": .string(replaced.adminStatus),
            ])
        } catch let refusal as Refusal where refusal.code == .tooLate {
            throw AdminProblem(code, refusal.message)
        }
    }

    fileprivate func resend() throws -> JSONValue {
        var fields = try self.fields("request_id")
        let request = fields.string("request_id")
        try fields.finish()
        let name = try required("request_id", request)
        let ended = try transaction().transaction
        // What it comes to is a payment like any other.
        try caller.require(ended.call == nil ? .transactionWithdraw : .transactionContractCall)
        do {
            return Self.made(try books.resend(ended.id, as: name, for: tenant))
        } catch let refusal as Refusal where refusal.code == .tooLate {
            throw AdminProblem(.badValue, refusal.message)
        }
    }

    private func asset(of transaction: Transaction) throws -> Asset {
        guard let asset = settings.asset(transaction.asset) else {
            throw LedgerFault.impossible("asset of \(transaction.id)")
        }
        return asset
    }

    private func replacement() throws -> (request: String, fee: Fee) {
        var fields = try self.fields("request_id", "fee", "source")
        try serveFees(fields)
        let request = fields.string("request_id")
        let fee = fields.object(
            "fee", knowing: "fee_type", "token_id", "max_fee_amount", "max_fee_per_gas",
            "max_priority_fee_per_gas", "gas_limit", "gas_price", read: Fee.init)
        // Who paid for the first bytes pays for all.
        let source = fields.object(
            "source", knowing: "source_type", "wallet_id", "address", read: Source.init)
        try fields.finish()
        let name = try required("request_id", request)
        let said = try required("fee", fee)
        let type = try required("fee_type", said.type)
        guard ["Fixed", "EVM_EIP_1559", "EVM_Legacy"].contains(type) else {
            throw AdminProblem.unsupported("The fee type '\(type.prefix(32))'")
        }
        if let source {
            let wallet = try vault(source).id
            guard try wallet == transaction().transaction.vault else {
                throw AdminProblem(.badValue, "'source' is not what the transaction is paid from.")
            }
        }
        return (name, said)
    }

    private func wei(_ text: String?) throws(AdminProblem) -> UInt64? {
        guard let text else { return nil }
        guard let wei = UInt64(text), wei < EVMFeeLimit.numberBound else {
            throw AdminProblem(.badValue, "A price of gas is a whole number of wei below 2^60.")
        }
        return wei
    }
}
