import Canonical
import Chains
import Custody
import HTTPTypes
import Identity
import Intents

extension AdminEndpoint {
    static let transactions: [AdminEndpoint] = [
        .list(
            "list_transactions", "transactions", .transactionRead,
            query: [
                "request_id", "transaction_ids", "transaction_hashes", "types", "statuses",
                "wallet_ids", "chain_ids", "token_ids", "asset_ids", "vault_id", "wallet_type",
                "wallet_subtype", "project_id", "min_created_timestamp", "max_created_timestamp",
                "direction",
            ]
        ) { call in
            let isDescending = try call.value("direction") { ["ASC": false, "DESC": true][$0] }
            let page = try call.page(isDescending ?? false ? .newestFirst : .oldestFirst)
            guard try call.asksForOurWallets else {
                return try call.list(all: [TransactionView]()) { try call.show($0) }
            }
            let found = try call.books.transactions(
                of: call.tenant, matching: call.transactionFilter(), page)
            return try call.list(found) { try call.show($0) }
        },
        .get("get_transaction_by_id", "transactions/{transaction_id}", .transactionRead) { call in
            try call.show(call.transaction(), isDetail: true)
        },
        AdminEndpoint(
            name: "estimate_fee", method: .post, path: "transactions/estimate_fee",
            permission: .transactionEstimateFee, isChange: false,
            question: { call in
                try call.estimatedCall().flatMap { draft in
                    try call.books.question(before: draft, for: call.tenant)
                }
            }
        ) { call in
            if let draft = try call.estimatedCall() {
                return try call.show(
                    call.books.callCosts(of: draft, gas: call.gas), on: draft.chain)
            }
            return try call.estimate()
        },
        .change(
            .post, "create_transfer_transaction", "transactions/transfer", .transactionWithdraw,
            made: "transaction_id"
        ) { call in
            let (draft, asset) = try call.transfer()
            if let request = draft.externalID { try call.refuseUsed(request) }
            guard draft.sourceWallet != nil else {
                throw AdminProblem(
                    .insufficientBalance,
                    "The wallet has no \(CustodySettings.name(of: asset)).")
            }
            return AdminCall.made(try call.books.withdraw(draft, for: call.tenant))
        },
        .change(
            .post, "cancel_transaction_by_id", "transactions/{transaction_id}/cancel",
            .transactionManage
        ) { call in
            do {
                let (view, _) = try call.books.cancel(
                    call.transaction().transaction.id, of: call.tenant)
                return AdminCall.made(view.transaction)
            } catch let refusal as Refusal where refusal.code == .tooLate {
                throw AdminProblem(.notCancelable, refusal.message)
            }
        },
    ]
}

extension AdminCall {
    /// Longest description of a transaction.
    private static let descriptionMost = 100

    /// What it costs to take the place of a transaction's bytes, if the request names one.
    private func replacing(
        _ costs: [FeeLevel: TransferCost], on chain: ChainID
    ) throws -> [FeeLevel: TransferCost] {
        guard let text = try fields().peek("replaced_transaction_id") else { return costs }
        do {
            guard let id = TransactionID(text: text.lowercased()) else {
                throw Refusal.notFound("transaction")
            }
            return try books.raised(costs, on: chain, above: id, of: tenant)
        } catch let refusal as Refusal where refusal.code == .notFound {
            throw AdminProblem(.transactionNotFound, refusal.message)
        } catch let refusal as Refusal where refusal.code == .tooLate {
            throw AdminProblem(.notAccelerable, refusal.message)
        }
    }

    /// The same payment asked for twice is answered with the first on other faces, refused on this.
    fileprivate func refuseUsed(_ request: String) throws {
        guard try !books.isUsed(request, by: tenant) else { throw AdminProblem.requestIDUsed }
    }

    /// The transaction in the path.
    func transaction() throws -> TransactionView {
        do {
            return try books.transaction(id("transaction_id", "transaction"), of: tenant)
        } catch let refusal as Refusal where refusal.code == .notFound {
            throw AdminProblem(.transactionNotFound, refusal.message)
        }
    }

    fileprivate func show(_ view: TransactionView, isDetail: Bool = false) throws -> JSONValue {
        try AdminResource.transaction(view, in: books, isDetail: isDetail)
    }

    static func made(_ transaction: Transaction) -> JSONValue {
        .object([
            "request_id": .string(transaction.externalID ?? ""),
            "transaction_id": .string(transaction.id.text),
            "status": .string(transaction.adminStatus),
        ])
    }

    fileprivate func transactionFilter() throws -> TransactionFilter {
        var choice = TransactionChoice()
        choice.ids = try values("transaction_ids")?.compactMap {
            TransactionID(text: $0.lowercased())
        }
        if let name = try value("request_id") {
            // What was asked of a transaction later finds it too.
            if let replaced = try books.store.replacement(externalID: name, of: tenant) {
                choice.ids = [replaced.transaction].filter { choice.ids?.contains($0) ?? true }
            } else {
                choice.externalID = name
            }
        }
        choice.hashes = try values("transaction_hashes")?.compactMap {
            Digest(hex: $0.hasPrefix("0x") ? String($0.dropFirst(2)) : $0)
        }
        choice.kinds = try values("types")?.flatMap { name in
            Transaction.Kind.listed.filter { $0.adminType == name }
        }
        choice.outcomes = try values("statuses")?.flatMap(Transaction.outcomes)
        choice.vaults = try values("wallet_ids")?.compactMap { VaultID(text: $0.lowercased()) }
        choice.assets = try assets()
        choice.below = VaultFilter(
            keyVault: try value("vault_id") { KeyVaultID(text: $0.lowercased()) },
            project: try value("project_id") { ProjectID(text: $0.lowercased()) },
            kind: try value("wallet_subtype") { KeyVault.Kind(vaultType: $0) })
        func time(_ name: String) throws -> Int64? { try value(name) { Int64($0) } }
        // The later end is included, and the filter's is not.
        return TransactionFilter(
            from: try time("min_created_timestamp").map { Timestamp(milliseconds: $0) },
            to: try time("max_created_timestamp").map {
                Timestamp(milliseconds: $0 < .max ? $0 + 1 : $0)
            }, choice: choice)
    }

    /// The assets that the filters leave; nil for all.
    private func assets() throws -> [String]? {
        let (chains, tokens) = (try values("chain_ids"), try values("token_ids"))
        let ids = try values("asset_ids")
        guard chains != nil || tokens != nil || ids != nil else { return nil }
        return settings.assets.filter { asset in
            chains?.contains(CustodySettings.name(of: asset.asset.chain)) ?? true
                && tokens?.contains(CustodySettings.name(of: asset)) ?? true
                && ids?.contains(asset.id) ?? true
        }.map(\.id)
    }

    /// What pays or signs: one of the tenant's vaults, of the subtype that is said.
    struct Source {
        let type: String?
        let wallet: VaultID?
        let address: String?

        init(_ fields: inout RequestFields) {
            type = fields.string("source_type")
            wallet = fields.id("wallet_id")
            address = fields.string("address")
        }
    }

    func vault(_ source: Source?) throws -> Vault {
        let source = try required("source", source)
        let vault = try books.vault(required("wallet_id", source.wallet), of: tenant)
        let subtype = try keyVault(of: vault).kind.walletSubtype
        guard try required("source_type", source.type) == subtype else {
            throw AdminProblem(.badValue, "The wallet is \(subtype).")
        }
        return vault
    }

    /// Where they go: to an address.
    private struct Destination {
        let type: String?
        let address: String?
        let amount: String?

        init(_ fields: inout RequestFields) {
            type = fields.string("destination_type")
            let output = fields.object("account_output", knowing: "address", "amount") { output in
                (output.string("address"), output.string("amount"))
            }
            (address, amount) = output ?? (nil, nil)
        }
    }

    private func output(_ destination: Destination?) throws -> (address: String, amount: String) {
        let destination = try required("destination", destination)
        guard try required("destination_type", destination.type) == "Address" else {
            throw AdminProblem.unsupported("A destination that is no address")
        }
        return (
            try required("address", destination.address),
            try required("amount", destination.amount)
        )
    }

    /// What a transfer may cost, as its caller says it.
    struct Fee {
        let type: String?
        let token: String?
        let most: String?
        let price: String?
        /// The platform chooses the first bytes' tip by itself.
        let tip: String?
        /// The platform counts a transfer's gas by itself.
        let gas: String?

        init(_ fields: inout RequestFields) {
            type = fields.string("fee_type")
            token = fields.string("token_id")
            most = fields.string("max_fee_amount")
            let (price, legacy) = (fields.string("max_fee_per_gas"), fields.string("gas_price"))
            self.price = price ?? legacy
            gas = fields.string("gas_limit")
            tip = fields.string("max_priority_fee_per_gas")
        }
    }

    /// Refuses a fee in anything but the chain's coin.
    func checkToken(of fee: Fee, on chain: ChainID) throws(AdminProblem) {
        let coin = CustodySettings.name(of: chain)
        guard [nil, coin].contains(fee.token) else {
            throw AdminProblem(.badValue, "Fees are paid in \(coin).")
        }
    }

    func isBuiltOnly(_ process: String?) throws(AdminProblem) -> Bool {
        guard let process else { return false }
        guard process != "SignOnly" else {
            throw AdminProblem.unsupported("A transaction that is signed and not broadcast")
        }
        guard ["AutoProcess", "BuildOnly"].contains(process) else {
            throw AdminProblem(
                .badValue, "'transaction_process_type' is AutoProcess or BuildOnly.")
        }
        return process == "BuildOnly"
    }

    /// Most that the fee may be, in whole coins: a price counts for the gas that the transfer
    /// takes.
    private func most(_ fee: Fee?, of asset: Asset) throws -> String? {
        guard let fee, let coin = settings.coin(of: asset.asset.chain) else { return nil }
        try checkToken(of: fee, on: asset.asset.chain)
        switch try required("fee_type", fee.type) {
        case "Fixed": return fee.most
        case "EVM_EIP_1559", "EVM_Legacy":
            guard let text = fee.price else { return nil }
            guard let price = UInt64(text), price < EVMFeeLimit.numberBound,
                let most = Amount(UInt128(price) * UInt128(asset.gasLimit))
            else {
                throw AdminProblem(.badValue, "A price of gas is a whole number of wei below 2^60.")
            }
            return most.text(decimals: coin.decimals)
        case let other:
            throw AdminProblem.unsupported("The fee type '\(other.prefix(32))'")
        }
    }

    func checkDescription(_ text: String?) throws(AdminProblem) {
        guard text.map({ $0.unicodeScalars.count <= Self.descriptionMost }) ?? true else {
            throw AdminProblem(
                .descriptionTooLong,
                "'description' has at most \(Self.descriptionMost) characters.")
        }
    }

    fileprivate func transfer() throws -> (WithdrawalDraft, Asset) {
        var fields = try self.fields(
            "request_id", "source", "token_id", "destination", "fee", "description",
            "transaction_process_type")
        try serve(fields, "destination_type", in: "destination", only: "Address")
        try serveFees(fields)
        let (request, token) = (fields.string("request_id"), fields.string("token_id"))
        let source = fields.object(
            "source", knowing: "source_type", "wallet_id", read: Source.init)
        let destination = fields.object(
            "destination", knowing: "destination_type", "account_output", read: Destination.init)
        let fee = fields.object(
            "fee", knowing: "fee_type", "token_id", "max_fee_amount", "max_fee_per_gas",
            "max_priority_fee_per_gas", "gas_limit", "gas_price", read: Fee.init)
        let note = fields.string("description").flatMap { $0.isEmpty ? nil : $0 }
        let process = fields.string("transaction_process_type")
        try fields.finish()
        let isBuiltOnly = try isBuiltOnly(process)
        try checkDescription(note)
        let externalID = try required("request_id", request)
        let vault = try vault(source)
        let asset = try asset(named: required("token_id", token))
        let output = try output(destination)
        var draft = WithdrawalDraft(
            sourceWallet: try books.store.wallet(in: vault.id, asset: asset.id)?.id,
            addressBookEntry: nil, destinationAddress: output.address, destinationTag: nil,
            amount: output.amount, feeLevel: .medium, maxFee: try most(fee, of: asset),
            note: note, externalID: externalID)
        draft.isBuiltOnly = isBuiltOnly
        return (draft, asset)
    }

    fileprivate func estimate() throws -> JSONValue {
        var fields = try self.fields(
            "request_id", "request_type", "source", "token_id", "destination", "fee_type",
            "replaced_transaction_id")
        try serve(fields, "request_type", only: "Transfer", "ContractCall")
        try serve(fields, "fee_type", only: "EVM_EIP_1559")
        let (type, token) = (fields.string("request_type"), fields.string("token_id"))
        let source = fields.object(
            "source", knowing: "source_type", "wallet_id", read: Source.init)
        let destination = fields.object(
            "destination", knowing: "destination_type", "account_output", read: Destination.init)
        for name in ["request_id", "fee_type", "replaced_transaction_id"] {
            _ = fields.string(name)
        }
        try fields.finish()
        _ = try required("request_type", type)
        _ = try vault(source)
        let asset = try asset(named: required("token_id", token))
        if destination != nil { _ = try output(destination) }
        return try show(books.transferCosts(of: asset), on: asset.asset.chain)
    }

    fileprivate func show(
        _ usual: [FeeLevel: TransferCost], on chain: ChainID
    ) throws -> JSONValue {
        let costs = try replacing(usual, on: chain)
        guard let coin = settings.coin(of: chain) else {
            throw LedgerFault.impossible("coin of \(chain.text)")
        }
        func show(_ level: FeeLevel) -> JSONValue {
            guard let cost = costs[level],
                let most = Amount(UInt128(cost.price) * UInt128(cost.gas))
            else { return .null }
            return .object([
                "max_fee_per_gas": .string(String(cost.price)),
                "max_priority_fee_per_gas": .string(String(cost.tip)),
                "gas_limit": .string(String(cost.gas)),
                "reserved_fee": .string(most.text(decimals: coin.decimals)),
            ])
        }
        return .object([
            "fee_type": .string("EVM_EIP_1559"),
            "token_id": .string(CustodySettings.name(of: coin)), "slow": show(.slow),
            "recommended": show(.medium), "fast": show(.fast),
        ])
    }
}
