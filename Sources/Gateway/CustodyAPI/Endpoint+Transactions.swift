import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

extension Endpoint {
    static let transactions: [Endpoint] = [
        .change(
            .post, "transfer", "transactions/transfer", .transactionsTransfer,
            "Moves funds between two wallets of one asset, at once and off the chain.",
            body: [
                Member("sourceWalletId", .uuid), Member("destinationWalletId", .uuid),
                Member("amount", .amount), note, externalID,
            ], status: 201, answer: Resource.transactionShape,
            refusals: [
                .notFound, .externalIDReused, .sameWallet, .differentAssets,
                .differentKeyVaults, .frozen,
                .insufficientFunds,
            ]
        ) { call in
            var fields = try call.fields()
            let draft = TransferDraft(
                sourceWallet: fields.id("sourceWalletId"),
                destinationWallet: fields.id("destinationWalletId"),
                amount: fields.string("amount"), note: fields.string("note"),
                externalID: fields.string("externalId"))
            try fields.finish()
            return try call.show(try call.books.transfer(draft, for: call.tenant))
        },
        .change(
            .post, "withdraw", "transactions/withdraw", .transactionsWithdraw,
            "Sends funds to an address of the address book.", body: withdrawal,
            status: 202, answer: Resource.transactionShape,
            refusals: [
                .notFound, .externalIDReused, .notInAddressBook, .frozen, .belowMinimum,
                .feeTooHigh, .insufficientFunds, .insufficientGas, .needsConsolidation,
                .keyNotReady,
                .chainUnavailable,
            ]
        ) { call in
            var fields = try call.fields()
            let draft = WithdrawalDraft(&fields)
            try fields.finish()
            return try call.show(try call.books.withdraw(draft, for: call.tenant))
        },
        .change(
            .post, "estimateFee", "transactions/estimate-fee", .transactionsWithdraw,
            "Says what a withdrawal would cost at most.", body: withdrawal, status: 201,
            answer: Resource.feesShape,
            refusals: [.notFound, .notInAddressBook, .chainUnavailable],
            isChange: false
        ) { call in
            var fields = try call.fields()
            let draft = WithdrawalDraft(&fields)
            try fields.finish()
            let (fees, asset, consolidations) = try call.books.estimateFee(
                draft, for: call.tenant)
            return Resource.fees(fees, asset, consolidations: consolidations)
        },
        Endpoint(
            name: "cancelTransaction", method: .post,
            path: "transactions/{transaction}/cancellation", scope: .transactionsWithdraw,
            says:
                "Cancels a withdrawal that is not signed: at once, or 202 while holders are asked.",
            query: [], body: nil,
            answer: Promise(status: 201, also: 202, shape: Resource.transactionShape),
            refusals: [.tooLate]
        ) { call in
            let (view, isDone) = try call.books.cancel(call.id("transaction"), of: call.tenant)
            return Answer(isDone ? 201 : 202, try call.show(view))
        },
        .get(
            "listTransactions", "transactions", .transactionsRead, "Lists transactions.",
            query: [
                Member("walletId", .uuid, optional: true), Member("vaultId", .uuid, optional: true),
                Member("type", Resource.kinds, optional: true),
                Member("status", .choice(Transaction.Status.self), optional: true),
                Member("from", .time, optional: true, "created then or later"),
                Member("to", .time, optional: true, "created before"),
            ], answer: .page(Resource.transactionShape)
        ) { call in
            let filter = TransactionFilter(
                wallet: try call.value("walletId") { WalletID(text: $0.lowercased()) },
                vault: try call.value("vaultId") { VaultID(text: $0.lowercased()) },
                kind: try call.value("type") { text in
                    Transaction.Kind.listed.first { $0.rawValue == text }
                },
                status: try call.value("status") { Transaction.Status(rawValue: $0) },
                from: try call.value("from") { Timestamp(text: $0) },
                to: try call.value("to") { Timestamp(text: $0) })
            return try call.list(
                try call.books.transactions(of: call.tenant, matching: filter, call.page())
            ) { try call.show($0) }
        },
        .get(
            "getTransaction", "transactions/{transaction}", .transactionsRead,
            "Shows a transaction, its course and what it waits for.",
            answer: Resource.transactionShape
        ) { call in
            try call.show(
                try call.books.transaction(call.id("transaction"), of: call.tenant))
        },
    ]

    private static let note = Member("note", .text(most: Transaction.noteMost), optional: true)
    private static let externalID = Member(
        "externalId", .text(most: Transaction.externalIDMost), optional: true,
        "the caller's own; unique for ever")

    /// What a withdrawal is asked for with.
    private static let withdrawal = [
        Member("sourceWalletId", .uuid),
        Member("addressBookEntryId", .uuid, optional: true, "this or the address"),
        Member("destinationAddress", .text(), optional: true, "of an active entry"),
        Member("destinationTag", .text(), optional: true),
        Member("amount", .amount, "what arrives; the fee comes on top"),
        Member("feeLevel", .choice(FeeLevel.self), optional: true, "Medium if left out"),
        Member("maxFee", .amount, optional: true, "most that the fee may be"),
        note, externalID,
    ]
}

extension WithdrawalDraft {
    init(_ fields: inout RequestFields) {
        self.init(
            sourceWallet: fields.id("sourceWalletId"),
            addressBookEntry: fields.id("addressBookEntryId"),
            destinationAddress: fields.string("destinationAddress"),
            destinationTag: fields.string("destinationTag"), amount: fields.string("amount"),
            feeLevel: fields.choice("feeLevel") ?? .medium, maxFee: fields.string("maxFee"),
            note: fields.string("note"), externalID: fields.string("externalId"))
    }
}

extension Call {
    func show(_ transaction: Transaction) throws -> JSONValue {
        try show(try books.view(transaction))
    }

    func show(_ view: TransactionView) throws -> JSONValue {
        guard let asset = books.settings.asset(view.transaction.asset) else {
            throw LedgerFault.impossible("asset of \(view.transaction.id)")
        }
        return Resource.transaction(view, asset)
    }
}
