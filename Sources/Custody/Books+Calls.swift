import Canonical
import Chains
import Intents

/// What a caller says of a contract call.
public struct CallDraft: Sendable {
    public let vault: VaultID
    public let chain: ChainID
    /// What calls: the contract sees it.
    public let source: String
    public let contract: String
    /// In whole coins; nil for none.
    public let value: String?
    public let data: [UInt8]
    /// The gas that it may use; nil for what the node says that it takes.
    public let gasLimit: UInt64?
    /// Most that a gas may cost, in wei; nil for what is usual.
    public let gasPrice: UInt64?
    /// Most that the fee may be, in whole coins; nil for no limit but the price.
    public let maxFee: String?
    public let note: String?
    public let externalID: String
    /// Whether the holders are asked only when its caller says so once more.
    public var isBuiltOnly = false

    public init(
        vault: VaultID, chain: ChainID, source: String, contract: String, value: String?,
        data: [UInt8], gasLimit: UInt64?, gasPrice: UInt64?, maxFee: String?, note: String?,
        externalID: String
    ) {
        self.vault = vault
        self.chain = chain
        self.source = source
        self.contract = contract
        self.value = value
        self.data = data
        self.gasLimit = gasLimit
        self.gasPrice = gasPrice
        self.maxFee = maxFee
        self.note = note
        self.externalID = externalID
    }
}

/// Calls of contracts. A call is a withdrawal of its value to the contract, with data: what leaves
/// the address, its fee and its fate on the chain are booked as a withdrawal's are. It goes to no
/// address of the book; which contracts are called is for the holders' rules to say.
extension Books {
    /// What the node is asked before the call is accepted: how much gas it takes.
    ///
    /// - Returns: nil where the caller has said how much it may use.
    public func question(
        before draft: CallDraft, for tenant: TenantID
    ) throws -> EVMCallQuestion? {
        guard draft.gasLimit == nil else { return nil }
        let (source, coin) = try source(draft.source, in: draft.vault, on: draft.chain, of: tenant)
        return EVMCallQuestion(
            chain: draft.chain, from: try Self.address(source.text),
            to: try contract(draft), value: try value(draft, coin), data: draft.data)
    }

    /// Accepts a call: reserves its value and the most that its fee can cost.
    ///
    /// - Parameter estimate: the gas that the node says that it takes, if it was asked.
    public func call(
        _ draft: CallDraft, gas estimate: UInt64?, for tenant: TenantID
    ) throws -> Transaction {
        var validation = Validation()
        validation.text("note", draft.note, most: Transaction.noteMost, required: false)
        validation.text("externalId", draft.externalID, most: Transaction.externalIDMost)
        try validation.finish()
        let (source, coin) = try source(draft.source, in: draft.vault, on: draft.chain, of: tenant)
        guard try !isUsed(draft.externalID, by: tenant) else {
            throw externalIDReused(draft.externalID)
        }
        let (contract, value) = (try contract(draft), try value(draft, coin))
        let gas = try gasLimit(draft, estimate)
        let fee = try callFee(draft, gas, coin)
        guard let need = SourceNeed(coin.asset, amount: value, fee: fee) else {
            throw Refusal(.insufficientFunds, field: "value", "No wallet has that much.")
        }
        let wallet = try wallet(for: coin, at: source)
        try checkSpendable(wallet, need.amount)
        guard try store.funds(of: source.text, asset: coin.asset) >= need.amount else {
            throw Refusal(
                .insufficientFunds, field: "address",
                "The address holds less than value and fee, "
                    + "\(need.amount.text(decimals: coin.decimals)) \(coin.symbol): fund it, since "
                    + "a call comes from this address and no other.")
        }
        var transaction = Transaction(
            id: newID(), tenant: tenant, kind: .contractCall, status: .submitted,
            vault: draft.vault, wallet: wallet.id, asset: coin.id, amount: value, feeLimit: fee,
            feeLevel: .medium, sourceAddress: source.text, destinationAddress: contract.text,
            call: ContractCall(data: draft.data, gasLimit: gas), note: draft.note,
            externalID: draft.externalID, createdAt: now, updatedAt: now)
        try submit(&transaction, isBuiltOnly: draft.isBuiltOnly)
        return transaction
    }

    /// What a call would cost at most at each level, with as much gas as it would be accepted with.
    ///
    /// - Parameter estimate: the gas that the node says that it takes.
    public func callCosts(
        of draft: CallDraft, gas estimate: UInt64?
    ) throws -> [FeeLevel: TransferCost] {
        try costs(gas: gasLimit(draft, estimate), on: draft.chain)
    }

    private static func address(_ text: String) throws -> EVMAddress {
        do throws(EVMAddress.Malformed) {
            return try EVMAddress(text: text)
        } catch {
            throw LedgerFault.impossible("address \(text)")
        }
    }

    /// The contract; refused if a call of it would move what the ledger keeps.
    private func contract(_ draft: CallDraft) throws -> EVMAddress {
        guard draft.data.count <= ContractCall.dataMost else {
            throw Refusal(
                .invalid, field: "calldata",
                "'calldata' has more than \(ContractCall.dataMost) bytes.")
        }
        let text = try Self.checked(draft.contract, field: "address")
        let contract = try Self.address(text)
        guard settings.asset(.erc20(draft.chain, contract)) == nil else {
            throw Refusal(
                .invalid, field: "address",
                "This is the contract of a token that is kept here: transfer it instead.")
        }
        guard try store.address(text, on: draft.chain) == nil else {
            throw Refusal(
                .invalid, field: "address", "This address is kept here and is no contract.")
        }
        return contract
    }

    private func value(_ draft: CallDraft, _ coin: Asset) throws -> Amount {
        guard let text = draft.value, text != "0" else { return .zero }
        return try amount(text, of: coin, field: "value")
    }

    /// A quarter above what the node says, since the chain's state may change until it is mined.
    private func gasLimit(_ draft: CallDraft, _ estimate: UInt64?) throws(Refusal) -> UInt64 {
        guard let limit = draft.gasLimit ?? estimate.map({ $0.addingClamped($0 / 4) }) else {
            throw Refusal(.chainUnavailable, "The gas of the call is not known.")
        }
        guard limit >= EVMFeeLimit.transferGas else {
            throw Refusal(
                .feeTooHigh, field: "gas_limit",
                "No transaction takes less gas than \(EVMFeeLimit.transferGas).")
        }
        guard limit <= ContractCall.gasMost else {
            guard draft.gasLimit == nil, let estimate, estimate <= ContractCall.gasMost else {
                throw Refusal(
                    .feeTooHigh, field: "gas_limit",
                    "A call may use at most \(ContractCall.gasMost) gas.")
            }
            return ContractCall.gasMost
        }
        return limit
    }

    /// The most that the fee can cost: the gas at the caller's price, or at the usual one or what
    /// the caller's limit leaves, if that is lower and still enough for the next block.
    private func callFee(_ draft: CallDraft, _ gas: UInt64, _ coin: Asset) throws -> Amount {
        let prices = try prices(draft.chain)
        var price = draft.gasPrice ?? prices.limit(.medium)
        if let text = draft.maxFee {
            let most = try amount(text, of: coin, field: "maxFee").baseUnits / UInt128(gas)
            price = min(price, UInt64(clamping: most))
        }
        guard price >= prices.least else {
            throw Refusal(
                .feeTooHigh, field: "fee",
                "The next block costs at least \(prices.least) wei for a gas, \(gas) times.")
        }
        guard let fee = Amount(UInt128(gas) * UInt128(price)) else {
            throw Refusal(.feeTooHigh, field: "fee", "The price of gas is too high.")
        }
        return fee
    }

    /// Intents for the calls that wait for one and whose address is free and holds enough.
    func makeCallIntents(
        _ round: SourceRound, _ signer: any IntentSigner
    ) throws -> [SigningRequest] {
        var made: [SigningRequest] = []
        for submitted in try store.transactions(in: .submitted, kind: .contractCall) {
            if try isHeldBack(submitted) { continue }
            var transaction = submitted
            let asset = try asset(transaction.asset)
            guard let text = transaction.sourceAddress,
                let source = try store.address(text, on: asset.asset.chain),
                let need = SourceNeed(
                    asset.asset, amount: transaction.amount, fee: transaction.feeLimit)
            else { throw LedgerFault.impossible("call \(transaction.id)") }
            let pool = try pool(of: transaction, asset)
            if try store.vault(transaction.vault, of: transaction.tenant)?.status != .active {
                try wait(&transaction, .vault, who: [])
            } else if let keeper = round.keeper(of: text, in: pool, beside: transaction.id) {
                try waitForSource(&transaction, keptFor: [keeper])
            } else if try !isSpendable(need, at: source, round) {
                try wait(
                    &transaction, .funds, who: [text],
                    next: "The address does not hold enough until other transfers of it are final "
                        + "or funds come in.")
            } else {
                round.keep(text, in: pool, for: transaction.id, isSigning: true)
                made.append(try begin(&transaction, asset, from: text, signer))
            }
        }
        return made
    }
}

extension UInt64 {
    fileprivate func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
