import Chains
import Intents

extension Books {
    /// Asks once more for what has failed or was cancelled: a transaction of its own, with the same
    /// source, destination and amount, by the rules and at the prices of now.
    ///
    /// - Parameter externalID: the new transaction's.
    public func resend(
        _ id: TransactionID, as externalID: String, for tenant: TenantID
    ) throws -> Transaction {
        let ended = try found(id, of: tenant)
        guard ended.status == .failed || ended.status == .cancelled else {
            throw Refusal(
                .tooLate, "It is \(ended.status.rawValue): only what has failed is sent again.")
        }
        guard ended.kind == .withdrawal || ended.kind == .contractCall else {
            throw Refusal(.tooLate, "Only transfers and calls are sent again.")
        }
        // What left an address without having been made here has none.
        guard let level = ended.feeLevel, let destination = ended.destinationAddress else {
            throw Refusal(.tooLate, "It was not asked for here.")
        }
        guard try !isUsed(externalID, by: tenant) else { throw externalIDReused(externalID) }
        let asset = try asset(ended.asset)
        let coin = try feeAsset(of: asset)
        let amount = ended.amount.text(decimals: asset.decimals)
        guard let call = ended.call else {
            return try withdraw(
                WithdrawalDraft(
                    sourceWallet: ended.wallet, addressBookEntry: nil,
                    destinationAddress: destination, destinationTag: nil, amount: amount,
                    feeLevel: level, maxFee: ended.maxFee?.text(decimals: coin.decimals),
                    note: ended.note, externalID: externalID), for: tenant)
        }
        guard let source = ended.sourceAddress else {
            throw LedgerFault.impossible("source of \(id)")
        }
        return try self.call(
            CallDraft(
                vault: ended.vault, chain: asset.asset.chain, source: source,
                contract: destination, value: amount, data: call.data, gasLimit: call.gasLimit,
                gasPrice: nil, maxFee: nil, note: ended.note, externalID: externalID),
            gas: nil, for: tenant)
    }
}
