import Algebra
import Canonical
import Chains

/// Someone outside with funds on the simulated chain, who can pay a deposit: the owner of the
/// faucet key that `dev.json` publishes. It holds a whole key, as strangers do.
public struct Stranger: Sendable {
    private let key: SecretBox<WholeKey>
    public let address: EVMAddress

    /// - Parameter privateKey: 64 hexadecimal digits.
    public init?(privateKey: String) {
        guard let bytes = Hex.decode(privateKey), bytes.count == 32,
            let key = WholeKey(SecretBytes(copying: bytes))
        else { return nil }
        address = EVMAddress(key.publicKey)
        self.key = SecretBox(key)
    }

    /// A signed transfer of the native coin at the simulated chain's prices.
    public func pay(
        _ amount: Amount, to: EVMAddress, chainID: UInt64, nonce: UInt64
    ) -> SignedEVMTransaction? {
        guard
            let fee = EVMFeeLimit(
                gasLimit: EVMFeeLimit.transferGas, maxFeePerGas: 2 * SimulatedEVM.baseFee,
                maxPriorityFeePerGas: SimulatedEVM.priorityFee)
        else { return nil }
        let transaction = EVMTransaction(
            chainID: chainID, nonce: nonce, fee: fee, to: to, value: amount)
        return key.with { $0.sign(transaction.signingDigest) }.map { transaction.signed($0) }
    }
}
