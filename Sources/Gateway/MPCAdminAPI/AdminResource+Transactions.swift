import Canonical
import Chains
import Custody
import Intents

extension AdminResource {
    static func balance(_ balance: Balance, _ asset: Asset) -> JSONValue {
        func text(_ amount: Amount) -> JSONValue { .string(amount.text(decimals: asset.decimals)) }
        return .object([
            "total": text(balance.total), "available": text(balance.available),
            "pending": text(balance.pending), "locked": text(balance.reserved),
            "frozen": .string("0"),
        ])
    }

    /// What the chain says that an address holds.
    static func funds(_ funds: Amount, _ asset: Asset) -> JSONValue {
        balance(Balance(available: funds, pending: .zero, reserved: .zero), asset)
    }

    /// What the face needs of a transaction's wallets.
    struct Ends {
        let source: KeyVault
        /// Where an internal transfer goes.
        let destination: Wallet?
    }

    /// - Parameter isDetail: with its timeline.
    static func transaction(
        _ view: TransactionView, _ asset: Asset, _ ends: Ends, isDetail: Bool
    ) -> JSONValue {
        let transaction = view.transaction
        let (status, subStatus) = (transaction.adminStatus, view.subStatus)
        var members: [JSONValue.Member] = []
        func add(_ name: String, _ value: JSONValue) {
            members.append(.init(name: name, value: value))
        }
        add("transaction_id", .string(transaction.id.text))
        add("wallet_id", .string(transaction.vault.text))
        add("type", .string(transaction.kind.adminType))
        add("status", .string(status))
        if let subStatus { add("sub_status", .string(subStatus)) }
        if let failure = transaction.failure { add("failed_reason", .string(failure.message)) }
        if let request = transaction.externalID { add("request_id", .string(request)) }
        add("chain_id", .string(CustodySettings.name(of: asset.asset.chain)))
        if transaction.message == nil {
            add("token_id", .string(CustodySettings.name(of: asset)))
            add("asset_id", .string(asset.id))
        }
        add("source", source(transaction, ends))
        add("destination", destination(transaction, asset, ends))
        if let signature = transaction.signature {
            add(
                "result",
                .object([
                    "result_type": .string("Signature"), "signature": .string(signature.evmText),
                ]))
        }
        if let fee = fee(view) { add("fee", fee) }
        add("initiator_type", .string(transaction.kind == .deposit ? "External" : "API"))
        add("confirmed_num", .integer(view.confirmations))
        add("confirming_threshold", .integer(view.requiredConfirmations))
        if let hash = transaction.hash { add("transaction_hash", .string("0x" + hash.hex)) }
        if let block = transaction.blockNumber {
            add("block_info", .object(["block_number": .integer(block)]))
        }
        if let replacement = replacement(view) { add("replacement", replacement) }
        if let note = transaction.note { add("description", .string(note)) }
        add("created_timestamp", .integer(transaction.createdAt.milliseconds))
        add("updated_timestamp", .integer(transaction.updatedAt.milliseconds))
        if isDetail { add("timeline", .array(view.timeline.map(entry))) }
        return .object(members)
    }

    private static func entry(_ entry: TimelineEntry) -> JSONValue {
        .object([
            "status": .string(Transaction.adminStatus(entry.status, isRefused: false)),
            "finished": .bool(true), "finished_timestamp": .integer(entry.at.milliseconds),
        ])
    }

    private static func source(_ transaction: Transaction, _ ends: Ends) -> JSONValue {
        let subtype = ends.source.kind.walletSubtype
        guard transaction.kind == .deposit else {
            return .object([
                "source_type": .string(subtype), "wallet_id": .string(transaction.vault.text),
                "address": .string(transaction.sourceAddress ?? ""),
            ])
        }
        return .object([
            "source_type": .string("DepositFromAddress"),
            "addresses": .array(transaction.sourceAddress.map { [.string($0)] } ?? []),
        ])
    }

    private static func destination(
        _ transaction: Transaction, _ asset: Asset, _ ends: Ends
    ) -> JSONValue {
        let amount = JSONValue.string(transaction.amount.text(decimals: asset.decimals))
        let address = transaction.destinationAddress ?? ends.destination?.depositAddress ?? ""
        if let message = transaction.message { return Self.destination(message) }
        if let call = transaction.call {
            return .object([
                "destination_type": .string("EVM_Contract"), "address": .string(address),
                "value": amount, "calldata": .string("0x" + Hex.encode(call.data)),
            ])
        }
        if transaction.kind == .deposit {
            return .object([
                "destination_type": .string("DepositToAddress"),
                "wallet_id": .string(transaction.vault.text), "wallet_type": .string("MPC"),
                "wallet_subtype": .string(ends.source.kind.walletSubtype),
                "address": .string(address), "amount": amount,
            ])
        }
        return .object([
            "destination_type": .string("Address"),
            "account_output": .object(["address": .string(address), "amount": amount]),
            "force_internal": .bool(transaction.kind == .internalTransfer),
            "force_external": .bool(false),
        ])
    }

    /// What the bytes replaced that are sent or mined, which are of the same transaction here.
    private static func replacement(_ view: TransactionView) -> JSONValue? {
        guard let hash = view.transaction.hash,
            let replacement = view.replacements.first(where: { $0.hash == hash })
        else { return nil }
        return .object([
            "replaced_type": .string(replacement.kind.rawValue),
            "replaced_transaction_hash": .string("0x" + replacement.replaced.hex),
        ])
    }

    private static func fee(_ view: TransactionView) -> JSONValue? {
        guard let coin = view.feeAsset else { return nil }
        let transaction = view.transaction
        func text(_ amount: Amount) -> JSONValue { .string(amount.text(decimals: coin.decimals)) }
        var members: [JSONValue.Member] = [
            .init(name: "fee_type", value: .string("Fixed")),
            .init(name: "token_id", value: .string(CustodySettings.name(of: coin))),
            .init(name: "max_fee_amount", value: text(transaction.feeMost)),
        ]
        if let fee = transaction.fee { members.append(.init(name: "fee_used", value: text(fee))) }
        return .object(members)
    }
}

extension Transaction.Kind {
    /// The face knows no transfer that is not on a chain: it is a withdrawal to it.
    var adminType: String {
        switch self {
        case .deposit: "Deposit"
        case .internalTransfer, .withdrawal, .consolidation: "Withdrawal"
        case .contractCall: "ContractCall"
        case .messageSign: "MessageSign"
        }
    }
}

extension Transaction {
    var adminStatus: String {
        Self.adminStatus(status, isRefused: failure?.code.isRefusal ?? false)
    }

    static func adminStatus(_ status: Status, isRefused: Bool) -> String {
        switch status {
        case .submitted: "Submitted"
        case .pendingSignature: "PendingSignature"
        case .broadcasting: "Broadcasting"
        case .confirming: "Confirming"
        case .completed: "Completed"
        case .failed: isRefused ? "Rejected" : "Failed"
        case .cancelled: "Failed"
        }
    }

    /// What a filter by one of the face's statuses means.
    static func outcomes(_ text: String) -> [TransactionChoice.Outcome] {
        Status.allCases.flatMap { status in
            [false, true].filter { isRefused in
                (status == .failed || !isRefused)
                    && adminStatus(status, isRefused: isRefused) == text
            }.map { TransactionChoice.Outcome(status, isRefused: $0) }
        }
    }
}

extension TransactionView {
    fileprivate var subStatus: String? {
        if transaction.status == .cancelled { return "CanceledByAPI" }
        if let failure = transaction.failure { return Self.subStatus(failure.code) }
        return waiting.flatMap { Self.subStatus($0.cause) }
    }

    private static func subStatus(_ code: Failure.Code) -> String {
        switch code {
        case .refusedByHolders: "RejectedBySigner"
        case .expired: "FailedSignerTimeout"
        case .addressRemoved: "RejectedWhiteList"
        case .keyChanged: "FailedBySigner"
        case .rejectedByChain: "FailedBroadcasting"
        case .nonceSpent: "ReplacedByNewTransaction"
        case .reorganised: "ReOrged"
        case .cancelled: "CanceledByAPI"
        case .deniedByCallback, .callbackUnanswered: "RejectedApproverAuth"
        }
    }

    private static func subStatus(_ cause: Waiting.Cause) -> String? {
        switch cause {
        case .callback: "PendingApproverCheck"
        case .order: "Built"
        case .sourceAddress: "Queue"
        case .funds: "InsufficientBalanceFundLocked"
        case .consolidation, .announcement, .platform, .vault: "PendingSystemProcessing"
        case .holders: "PendingSignerApproval"
        case .run, .closing: "PendingSignerProcessing"
        case .confirmations: "PendingBlockConfirmations"
        case .block: "ReOrged"
        case .chain: nil
        }
    }
}
