import Canonical

/// A call of a contract, as it is asked for: its data and the gas that it may use.
public struct ContractCall: Hashable, Sendable {
    /// Longest data, in bytes.
    public static let dataMost = 8 * 1024
    /// Most gas of one call: that the platform asks for and that a holder signs.
    public static let gasMost: UInt64 = 3_000_000
    /// Bytes of the data that say which function is called (Solidity's ABI).
    public static let selectorBytes = 4

    public let data: [UInt8]
    public let gasLimit: UInt64

    public init(data: [UInt8], gasLimit: UInt64) {
        self.data = data
        self.gasLimit = gasLimit
    }
}

/// A call that a node is asked about before it is made.
public struct EVMCallQuestion: Equatable, Sendable {
    public let chain: ChainID
    public let from: EVMAddress
    public let to: EVMAddress
    public let value: Amount
    public let data: [UInt8]

    public init(
        chain: ChainID, from: EVMAddress, to: EVMAddress, value: Amount, data: [UInt8]
    ) {
        self.chain = chain
        self.from = from
        self.to = to
        self.value = value
        self.data = data
    }
}
