import Chains
import KeyGroups

/// A call of a contract from one derived address, with coins of the chain or without.
public struct CallOrder: Equatable, Sendable {
    /// What the call pays: coins of the chain, to the contract.
    public let payment: TransferOrder
    public let data: [UInt8]

    /// Nil where the payment is not of the chain's own coin, or names an address of ours.
    public init?(payment: TransferOrder, data: [UInt8]) {
        guard payment.output.asset == .native(payment.chain), payment.output.ownPath == nil else {
            return nil
        }
        self.payment = payment
        self.data = data
    }

    /// The one transaction that carries the order out, which platform and holders build alike; nil
    /// where the contract is no address of the chain.
    public var transaction: EVMTransaction? {
        guard let contract = try? EVMAddress(text: payment.output.address) else { return nil }
        switch payment.chain {
        case .eip155(let id):
            return EVMTransaction(
                chainID: id, nonce: payment.nonce, fee: payment.fee,
                payment: .call(data, value: payment.output.amount, contract: contract))
        }
    }

    /// Which function of the contract is called; nil where the data is too short to say.
    var selector: [UInt8]? {
        data.count >= ContractCall.selectorBytes
            ? Array(data.prefix(ContractCall.selectorBytes)) : nil
    }
}

extension Intent {
    /// What leaves the source address: of a transfer and of a contract call.
    public var payment: TransferOrder? {
        switch purpose {
        case .transfer(let order): order
        case .contractCall(let order): order.payment
        case .message, .keyCeremony, .announcement: nil
        }
    }

    /// The chain's transaction, of what is one.
    public var transaction: EVMTransaction? {
        switch purpose {
        case .transfer(let order): order.transaction
        case .contractCall(let order): order.transaction
        case .message, .keyCeremony, .announcement: nil
        }
    }
}
