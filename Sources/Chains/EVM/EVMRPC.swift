import Algebra
import Canonical
import Foundation

/// Ethereum JSON-RPC, the bytes of it: what is asked and how answers are read. No sockets.
public enum EVMRPC {
    /// Why an answer is of no use.
    public enum Failure: Error, Equatable, Sendable {
        /// The node answered with an error.
        case refused(code: Int, message: String)
        /// What came is not what was asked for.
        case malformed(String)
    }

    /// A parameter of a call.
    public enum Parameter: Encodable, Sendable {
        case text(String)
        case flag(Bool)
        case logs(LogFilter)
        case call(CallObject)

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .flag(let flag): try container.encode(flag)
            case .logs(let filter): try container.encode(filter)
            case .call(let object): try container.encode(object)
            }
        }
    }

    /// Which logs of one block are asked for.
    public struct LogFilter: Encodable, Sendable {
        let blockHash: String
        let address: [String]
        let topics: [String]
    }

    /// A transaction that is not made.
    public struct CallObject: Encodable, Sendable {
        let from: String
        let to: String
        let value: String
        let data: String
        /// The node tries no further than this.
        let gas: String
    }

    private struct Request: Encodable {
        let jsonrpc = "2.0"
        let id = 1
        let method: String
        let params: [Parameter]
    }

    /// A call, and how its result is read.
    public struct Call<Result: Sendable>: Sendable {
        public let method: String
        let parameters: [Parameter]
        let read: @Sendable (Any) throws(Failure) -> Result

        /// The request's body.
        public var body: Data {
            get throws {
                return try JSONEncoder().encode(Request(method: method, params: parameters))
            }
        }

        public func result(of answer: Data) throws(Failure) -> Result {
            guard let parsed = try? JSONSerialization.jsonObject(with: answer),
                let object = parsed as? [String: Any]
            else { throw .malformed("\(method): no JSON object") }
            if let error = object["error"] as? [String: Any] {
                let message = (error["message"] as? String ?? "no message").prefix(200)
                throw .refused(code: error["code"] as? Int ?? 0, message: String(message))
            }
            guard let result = object["result"] else { throw .malformed("\(method): no result") }
            return try read(result)
        }
    }
}

extension EVMRPC {
    public static func chainID() -> Call<UInt64> {
        Call(method: "eth_chainId", parameters: []) { value throws(Failure) in
            try quantity(value, "chain id")
        }
    }

    public static func blockNumber() -> Call<UInt64> {
        Call(method: "eth_blockNumber", parameters: []) { value throws(Failure) in
            try quantity(value, "block number")
        }
    }

    public static func block(_ number: UInt64) -> Call<EVMBlock?> {
        Call(
            method: "eth_getBlockByNumber", parameters: [.text(hex(number)), .flag(true)]
        ) { value throws(Failure) in
            value is NSNull ? nil : try EVMBlock(value)
        }
    }

    public static func receipt(_ transaction: Digest) -> Call<EVMReceipt?> {
        Call(
            method: "eth_getTransactionReceipt", parameters: [.text("0x" + transaction.hex)]
        ) { value throws(Failure) in
            value is NSNull ? nil : try EVMReceipt(value)
        }
    }

    /// The transfers of these tokens in a block, each with its transaction.
    public static func tokenTransfers(
        inBlock block: Digest, of contracts: [EVMAddress]
    ) -> Call<[EVMTokenTransfer]> {
        let filter = LogFilter(
            blockHash: "0x" + block.hex, address: contracts.map { "0x" + $0.hex },
            topics: ["0x" + ERC20Log.topic.hex])
        return Call(method: "eth_getLogs", parameters: [.logs(filter)]) { value throws(Failure) in
            guard let logs = value as? [Any], logs.count <= EVMTokenTransfer.logsMost else {
                throw .malformed("no logs")
            }
            var transfers: [EVMTokenTransfer] = []
            for log in logs {
                guard let object = log as? [String: Any],
                    try hash(object["blockHash"], "block hash") == block
                else { throw .malformed("a log of another block") }
                guard let read = try ERC20Log(object), contracts.contains(read.contract) else {
                    continue
                }
                transfers.append(
                    EVMTokenTransfer(
                        transaction: try hash(object["transactionHash"], "transaction hash"),
                        log: read))
            }
            return transfers
        }
    }

    /// Whether the node knows the transaction, mined or not.
    public static func knows(_ transaction: Digest) -> Call<Bool> {
        Call(
            method: "eth_getTransactionByHash", parameters: [.text("0x" + transaction.hex)]
        ) { value throws(Failure) in !(value is NSNull) }
    }

    /// How many transactions of the account the latest block counts: its next nonce.
    public static func nonce(of address: EVMAddress) -> Call<UInt64> {
        Call(
            method: "eth_getTransactionCount", parameters: [.text(address.text), .text("latest")]
        ) { value throws(Failure) in try quantity(value, "nonce") }
    }

    public static func balance(of address: EVMAddress) -> Call<Amount> {
        Call(
            method: "eth_getBalance", parameters: [.text(address.text), .text("latest")]
        ) { value throws(Failure) in try amount(value, "balance") }
    }

    public static func priorityFee() -> Call<UInt64> {
        Call(method: "eth_maxPriorityFeePerGas", parameters: []) { value throws(Failure) in
            try quantity(value, "priority fee")
        }
    }

    /// How much gas a call takes as things are now; the node refuses where it would fail.
    public static func gas(of question: EVMCallQuestion) -> Call<UInt64> {
        let object = CallObject(
            from: question.from.text, to: question.to.text,
            value: "0x" + String(question.value.baseUnits, radix: 16),
            data: "0x" + Hex.encode(question.data),
            gas: "0x" + String(ContractCall.gasMost, radix: 16))
        return Call(method: "eth_estimateGas", parameters: [.call(object)]) {
            value throws(Failure) in try quantity(value, "gas")
        }
    }

    public static func send(_ transaction: SignedEVMTransaction) -> Call<Digest> {
        Call(
            method: "eth_sendRawTransaction",
            parameters: [.text("0x" + Hex.encode(transaction.raw))]
        ) { value throws(Failure) in try hash(value, "transaction hash") }
    }

    static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

    static func quantity(_ value: Any?, _ what: String) throws(Failure) -> UInt64 {
        guard let text = value as? String, text.hasPrefix("0x"), text.utf8.count <= 18,
            let number = UInt64(text.dropFirst(2), radix: 16), number <= Int64.max
        else { throw .malformed("\(what) is no quantity") }
        return number
    }

    static func amount(_ value: Any?, _ what: String) throws(Failure) -> Amount {
        guard let text = value as? String, text.hasPrefix("0x"), text.utf8.count <= 66,
            let number = UInt128(text.dropFirst(2), radix: 16), let amount = Amount(number)
        else { throw .malformed("\(what) is no amount") }
        return amount
    }

    static func hash(_ value: Any?, _ what: String) throws(Failure) -> Digest {
        guard let text = value as? String, text.hasPrefix("0x"),
            let digest = Digest(hex: text.dropFirst(2))
        else { throw .malformed("\(what) is no hash") }
        return digest
    }

    /// An address as nodes write it, in any case; nil where there is none (contract creation).
    static func address(_ value: Any?, _ what: String) throws(Failure) -> EVMAddress? {
        guard let value, !(value is NSNull) else { return nil }
        if let text = value as? String, text.isEmpty { return nil }
        guard let text = value as? String, text.hasPrefix("0x"),
            let address = EVMAddress(hex: text.dropFirst(2))
        else { throw .malformed("\(what) is no address") }
        return address
    }
}

/// A block, with what custody looks at.
public struct EVMBlock: Equatable, Sendable {
    /// Most transactions of one block that are read; a block's gas holds about 1,700 transfers.
    public static let transactionsMost = 20_000

    public let number: UInt64
    public let hash: Digest
    public let parent: Digest
    /// Wei per gas; nil before EIP-1559.
    public let baseFee: UInt64?
    public let transactions: [Transaction]

    public struct Transaction: Equatable, Sendable {
        public let hash: Digest
        public let from: EVMAddress
        public let to: EVMAddress?
        public let nonce: UInt64
        /// Nil where it is beyond what an `Amount` can be, which no coin's supply allows.
        public let value: Amount?
        /// Nil where the node does not say, or not as of an EIP-1559 transaction.
        public let signature: ECDSASignature?

        public init(
            hash: Digest, from: EVMAddress, to: EVMAddress?, nonce: UInt64, value: Amount?,
            signature: ECDSASignature? = nil
        ) {
            self.hash = hash
            self.from = from
            self.to = to
            self.nonce = nonce
            self.value = value
            self.signature = signature
        }
    }

    public init(
        number: UInt64, hash: Digest, parent: Digest, baseFee: UInt64?,
        transactions: [Transaction]
    ) {
        self.number = number
        self.hash = hash
        self.parent = parent
        self.baseFee = baseFee
        self.transactions = transactions
    }

    init(_ value: Any) throws(EVMRPC.Failure) {
        guard let block = value as? [String: Any],
            let transactions = block["transactions"] as? [Any],
            transactions.count <= Self.transactionsMost
        else { throw .malformed("no block") }
        number = try EVMRPC.quantity(block["number"], "block number")
        hash = try EVMRPC.hash(block["hash"], "block hash")
        parent = try EVMRPC.hash(block["parentHash"], "parent hash")
        if let fee = block["baseFeePerGas"], !(fee is NSNull) {
            baseFee = try EVMRPC.quantity(fee, "base fee")
        } else {
            baseFee = nil
        }
        var read: [Transaction] = []
        for transaction in transactions { read.append(try Self.transaction(transaction)) }
        self.transactions = read
    }

    private static func transaction(_ value: Any) throws(EVMRPC.Failure) -> Transaction {
        guard let object = value as? [String: Any],
            let from = try EVMRPC.address(object["from"], "sender")
        else { throw .malformed("no transaction") }
        return Transaction(
            hash: try EVMRPC.hash(object["hash"], "transaction hash"), from: from,
            to: try EVMRPC.address(object["to"], "recipient"),
            nonce: try EVMRPC.quantity(object["nonce"], "nonce"),
            value: try? EVMRPC.amount(object["value"], "value"),
            signature: signature(object))
    }

    private static func signature(_ object: [String: Any]) -> ECDSASignature? {
        func scalar(_ value: Any?) -> Scalar? {
            guard let text = value as? String, text.hasPrefix("0x"), text.utf8.count <= 66,
                let bytes = Hex.decode(
                    String(repeating: "0", count: 66 - text.utf8.count) + text.dropFirst(2))
            else { return nil }
            return Scalar(canonical: bytes)
        }
        guard let r = scalar(object["r"]), let s = scalar(object["s"]),
            let parity = try? EVMRPC.quantity(object["yParity"] ?? object["v"], "parity"),
            parity < 2
        else { return nil }
        return ECDSASignature(r: r, s: s, recoveryID: UInt8(parity))
    }
}

/// A token's transfer, with the transaction that made it.
public struct EVMTokenTransfer: Equatable, Sendable {
    /// Most logs of one block that are read; a block's gas holds about 20,000.
    public static let logsMost = 100_000

    public let transaction: Digest
    public let log: ERC20Log
}

extension ERC20Log {
    private static let topicsMost = 4

    /// Reads a log; nil where it is another event.
    init?(_ object: [String: Any]) throws(EVMRPC.Failure) {
        guard let contract = try EVMRPC.address(object["address"], "a log's contract"),
            let words = object["topics"] as? [Any], words.count <= Self.topicsMost,
            let data = object["data"] as? String, data.hasPrefix("0x")
        else { throw .malformed("a log without contract, topics or data") }
        var topics: [Digest] = []
        for word in words { topics.append(try EVMRPC.hash(word, "topic")) }
        guard topics.first == Self.topic else { return nil }
        guard let bytes = Hex.decode(data.dropFirst(2)) else { throw .malformed("a log's data") }
        self.init(contract: contract, topics: topics, data: bytes)
    }
}

/// What became of a transaction in its block.
public struct EVMReceipt: Equatable, Sendable {
    public let transaction: Digest
    public let block: Digest
    public let succeeded: Bool
    /// What it cost its sender beside the value, in wei.
    public let fee: Amount
    /// The transfers of tokens that it carried out, of any contract, in their order.
    public let tokenTransfers: [ERC20Log]

    public init(
        transaction: Digest, block: Digest, succeeded: Bool, fee: Amount,
        tokenTransfers: [ERC20Log] = []
    ) {
        self.transaction = transaction
        self.block = block
        self.succeeded = succeeded
        self.fee = fee
        self.tokenTransfers = tokenTransfers
    }

    init(_ value: Any) throws(EVMRPC.Failure) {
        guard let receipt = value as? [String: Any] else { throw .malformed("no receipt") }
        transaction = try EVMRPC.hash(receipt["transactionHash"], "transaction hash")
        block = try EVMRPC.hash(receipt["blockHash"], "block hash")
        succeeded = try EVMRPC.quantity(receipt["status"], "status") == 1
        let gas = try EVMRPC.quantity(receipt["gasUsed"], "gas used")
        let price = try EVMRPC.quantity(receipt["effectiveGasPrice"], "gas price")
        guard let fee = Amount(UInt128(gas) * UInt128(price)) else { throw .malformed("fee") }
        self.fee = fee
        guard let logs = receipt["logs"] as? [Any], logs.count <= EVMTokenTransfer.logsMost else {
            throw .malformed("no logs")
        }
        var transfers: [ERC20Log] = []
        for log in logs {
            guard let object = log as? [String: Any] else { throw .malformed("no log") }
            if let transfer = try ERC20Log(object) { transfers.append(transfer) }
        }
        tokenTransfers = transfers
    }
}
