import Algebra
import Canonical
import Chains

/// The chain's one contract: a token with 6 decimals, carried out here and not by a machine.
extension SimulatedEVM {
    public static let token = EVMAddress(
        unchecked: Array(Keccak256.hash(Array("quorumkeep simulated USDT".utf8)).bytes.suffix(20)))
    public static let tokenDecimals = 6
    /// Gas of a token's transfer, about that of real ones.
    static let tokenGas: UInt64 = 52_000
    /// Gas until a token's transfer finds that the balance is too small.
    private static let revertGas: UInt64 = 30_000

    /// What became of a transfer in its block.
    struct Outcome {
        let succeeded: Bool
        let gas: UInt64
        /// What the token's contract wrote.
        let log: ERC20Log?

        static func reverted(_ gas: UInt64) -> Outcome {
            Outcome(succeeded: false, gas: gas, log: nil)
        }
    }

    /// Gas that a transaction uses before anything is carried out, yellow paper appendix G.
    static func intrinsicGas(of transaction: EVMTransaction) -> UInt64 {
        intrinsicGas(ofData: transaction.data)
    }

    static func intrinsicGas(ofData data: [UInt8]) -> UInt64 {
        data.reduce(EVMFeeLimit.transferGas) { $0 + ($1 == 0 ? 4 : 16) }
    }

    static func outcome(
        of transaction: EVMTransaction, from sender: EVMAddress,
        _ accounts: [EVMAddress: Account]
    ) -> Outcome {
        let limit = transaction.fee.gasLimit
        switch transaction.payment {
        case .coins(_, let to) where to == token:
            return .reverted(min(revertGas, limit))  // it takes no coins
        case .coins:
            return Outcome(succeeded: true, gas: EVMFeeLimit.transferGas, log: nil)
        case .call(_, _, let contract) where contract == token:
            return .reverted(min(revertGas, limit))  // it has no other function
        case .call:
            // There is no code to run: the data is paid for and the coins are moved.
            return Outcome(succeeded: true, gas: intrinsicGas(of: transaction), log: nil)
        case .tokens(let transfer, let contract):
            guard contract == token else {
                return Outcome(succeeded: true, gas: intrinsicGas(of: transaction), log: nil)
            }
            guard transfer.amount <= accounts[sender]?.tokens ?? .zero else {
                return .reverted(min(revertGas, limit))
            }
            guard limit >= tokenGas else { return .reverted(limit) }  // out of gas
            return Outcome(
                succeeded: true, gas: tokenGas,
                log: ERC20Log(
                    contract: contract, from: sender, to: transfer.recipient,
                    amount: transfer.amount))
        }
    }
}
