import Canonical
import Chains
import Custody
import HTTPTypes
import Identity
import Intents

extension AdminEndpoint {
    static let calls: [AdminEndpoint] = [
        AdminEndpoint(
            name: "create_contract_call_transaction", method: .post,
            path: "transactions/contract_call", permission: .transactionContractCall,
            made: "transaction_id",
            question: { call in try call.books.question(before: call.call(), for: call.tenant) }
        ) { call in
            AdminCall.made(try call.books.call(call.call(), gas: call.gas, for: call.tenant))
        }
    ]
}

extension AdminCall {
    /// What is called, as its caller says it.
    private struct CallDestination {
        let type: String?
        let address: String?
        let value: String?
        let data: String?

        init(_ fields: inout RequestFields) {
            type = fields.string("destination_type")
            address = fields.string("address")
            value = fields.string("value")
            data = fields.string("calldata")
        }
    }

    fileprivate func call() throws -> CallDraft {
        var fields = try self.fields(
            "request_id", "chain_id", "source", "destination", "fee", "description",
            "transaction_process_type")
        try serve(fields, "destination_type", in: "destination", only: "EVM_Contract")
        try serveFees(fields)
        let (request, chainID) = (fields.string("request_id"), fields.string("chain_id"))
        let source = fields.object(
            "source", knowing: "source_type", "wallet_id", "address", read: Source.init)
        let destination = fields.object(
            "destination", knowing: "destination_type", "address", "value", "calldata",
            read: CallDestination.init)
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
        let chain = try chain(named: required("chain_id", chainID))
        let (contract, value, data) = try callee(destination)
        let limits = try limits(fee, on: chain)
        var draft = CallDraft(
            vault: vault.id, chain: chain, source: try required("address", source?.address),
            contract: contract, value: value, data: data, gasLimit: limits.gas,
            gasPrice: limits.price, maxFee: limits.most, note: note, externalID: externalID)
        draft.isBuiltOnly = isBuiltOnly
        return draft
    }

    /// The call whose fee is to be estimated; nil where it is a transfer's.
    func estimatedCall() throws -> CallDraft? {
        guard try self.fields().peek("request_type") == "ContractCall" else { return nil }
        var fields = try self.fields(
            "request_id", "request_type", "chain_id", "source", "destination", "fee_type",
            "replaced_transaction_id")
        try serve(fields, "destination_type", in: "destination", only: "EVM_Contract")
        try serve(fields, "fee_type", only: "EVM_EIP_1559")
        let chainID = fields.string("chain_id")
        let source = fields.object(
            "source", knowing: "source_type", "wallet_id", "address", read: Source.init)
        let destination = fields.object(
            "destination", knowing: "destination_type", "address", "value", "calldata",
            read: CallDestination.init)
        for name in ["request_id", "request_type", "fee_type", "replaced_transaction_id"] {
            _ = fields.string(name)
        }
        try fields.finish()
        let vault = try vault(source)
        let (contract, value, data) = try callee(destination)
        return CallDraft(
            vault: vault.id, chain: try chain(named: required("chain_id", chainID)),
            source: try required("address", source?.address), contract: contract, value: value,
            data: data, gasLimit: nil, gasPrice: nil, maxFee: nil, note: nil, externalID: "")
    }

    private func callee(
        _ destination: CallDestination?
    ) throws -> (contract: String, value: String?, data: [UInt8]) {
        let destination = try required("destination", destination)
        let type = try required("destination_type", destination.type)
        guard type == "EVM_Contract" else {
            throw AdminProblem.unsupported("A destination of type '\(type.prefix(32))'")
        }
        let text = try required("calldata", destination.data)
        guard text.hasPrefix("0x"), let data = Hex.decode(text.dropFirst(2)) else {
            throw AdminProblem(.badValue, "'calldata' is 0x and hexadecimal digits.")
        }
        return (try required("address", destination.address), destination.value, data)
    }

    /// What the caller says of the fee, beside which nothing is guessed.
    private func limits(
        _ fee: Fee?, on chain: ChainID
    ) throws -> (gas: UInt64?, price: UInt64?, most: String?) {
        guard let fee else { return (nil, nil, nil) }
        try checkToken(of: fee, on: chain)
        func number(_ text: String?) throws(AdminProblem) -> UInt64? {
            guard let text else { return nil }
            guard let number = UInt64(text), number < EVMFeeLimit.numberBound else {
                throw AdminProblem(
                    .badValue, "'gas_limit' and the price of gas are whole numbers below 2^60.")
            }
            return number
        }
        switch try required("fee_type", fee.type) {
        case "Fixed": return (nil, nil, fee.most)
        case "EVM_EIP_1559", "EVM_Legacy":
            return (try number(fee.gas), try number(fee.price), nil)
        case let other:
            throw AdminProblem.unsupported("The fee type '\(other.prefix(32))'")
        }
    }
}
