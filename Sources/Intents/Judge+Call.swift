import Chains
import KeyGroups

/// Which contracts a holder calls: none that its rules do not name.
extension Judge {
    func approve(
        _ order: CallOrder, _ intent: Intent, _ knowing: HolderKnowledge
    ) throws(Stop) -> Approved {
        let payment = order.payment
        let (limits, _) = try limits(for: payment)
        _ = try sourceKey(
            of: payment.sourceAddress, at: payment.sourcePath, on: payment.chain, intent, knowing)
        guard let transaction = order.transaction, payment.output.address != payment.sourceAddress
        else {
            throw refuse(
                .wrongDestination,
                "The contract is no address of \(payment.chain.text), or is the source itself.")
        }
        try checkContract(order, transaction.to, limits)
        guard let fee = payment.fee.most, fee <= limits.fee else {
            throw refuse(
                .feeAboveLimit,
                "The fee may cost more than this holder's limit of \(limits.fee.baseUnitText) base "
                    + "units.")
        }
        guard payment.fee.gasLimit <= ContractCall.gasMost else {
            throw refuse(
                .feeAboveLimit, "A call may use at most \(ContractCall.gasMost) gas.")
        }
        guard let spending = payment.spending else {
            throw refuse(.amountAboveLimit, "Value and fee are more than an amount can be.")
        }
        try checkDay(spending, knowing)
        return Approved(
            items: [
                SigningItem(
                    path: payment.sourcePath.derivation, digest: transaction.signingDigest)
            ], spending: spending)
    }

    /// A call of a token's contract would move tokens past their limits and past the address book.
    private func checkContract(
        _ order: CallOrder, _ contract: EVMAddress, _ limits: HolderRules.Limits
    ) throws(Stop) {
        let chain = order.payment.chain
        guard rules.assets[.erc20(chain, contract)] == nil else {
            throw refuse(
                .wrongDestination, "The contract is of a token that this holder has limits for.")
        }
        guard let rule = rules.contracts.first(where: { $0.admits(order, of: contract) }) else {
            throw refuse(
                .contractNotAllowed,
                "This holder makes no such call of \(contract.text) on \(chain.text).")
        }
        let most = min(rule.mostValue, limits.perTransaction)
        guard order.payment.output.amount <= most else {
            throw refuse(
                .amountAboveLimit,
                "\(order.payment.output.amount.baseUnitText) base units are above this holder's "
                    + "limit of \(most.baseUnitText) for a call of this contract.")
        }
    }
}
