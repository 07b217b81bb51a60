import Algebra
import Canonical

/// What a transaction may cost: EIP-1559's limits. The most is gas limit × max fee per gas.
public struct EVMFeeLimit: Hashable, Sendable {
    /// Gas that a transfer of the native coin to an account uses, yellow paper appendix G.
    public static let transferGas: UInt64 = 21_000
    /// Numbers from here on are no gas and no price that anybody means: about a coin for each gas.
    /// Fees of smaller ones fit 128 bits.
    public static let numberBound: UInt64 = 1 << 60

    public let gasLimit: UInt64
    /// Wei per gas.
    public let maxFeePerGas: UInt64
    /// Wei per gas.
    public let maxPriorityFeePerGas: UInt64

    /// Nil if the priority fee is above the whole fee, which no chain accepts.
    public init?(gasLimit: UInt64, maxFeePerGas: UInt64, maxPriorityFeePerGas: UInt64) {
        guard maxPriorityFeePerGas <= maxFeePerGas else { return nil }
        self.gasLimit = gasLimit
        self.maxFeePerGas = maxFeePerGas
        self.maxPriorityFeePerGas = maxPriorityFeePerGas
    }

    /// The most that the transaction can cost, in wei.
    public var most: Amount? { Amount(UInt128(gasLimit) * UInt128(maxFeePerGas)) }
}

/// What a transaction of ours does: it moves the chain's own coin or a token, or calls a contract.
public enum EVMPayment: Hashable, Sendable {
    case coins(Amount, to: EVMAddress)
    case tokens(ERC20Transfer, contract: EVMAddress)
    /// A call with these data, with coins or without.
    case call([UInt8], value: Amount, contract: EVMAddress)
}

/// A payment or a call: an EIP-1559 transaction (type 2) without access list.
public struct EVMTransaction: Hashable, Sendable {
    private static let type: UInt8 = 0x02

    public let chainID: UInt64
    public let nonce: UInt64
    public let fee: EVMFeeLimit
    public let payment: EVMPayment

    public init(chainID: UInt64, nonce: UInt64, fee: EVMFeeLimit, payment: EVMPayment) {
        self.chainID = chainID
        self.nonce = nonce
        self.fee = fee
        self.payment = payment
    }

    /// A transfer of the native coin.
    public init(
        chainID: UInt64, nonce: UInt64, fee: EVMFeeLimit, to: EVMAddress, value: Amount
    ) {
        self.init(chainID: chainID, nonce: nonce, fee: fee, payment: .coins(value, to: to))
    }

    /// The account that the chain runs it on: who receives coins, or a token's contract.
    public var to: EVMAddress {
        switch payment {
        case .coins(_, let to): to
        case .tokens(_, let contract), .call(_, _, let contract): contract
        }
    }

    /// The coins that it moves.
    public var value: Amount {
        switch payment {
        case .coins(let value, _), .call(_, let value, _): value
        case .tokens: .zero
        }
    }

    public var data: [UInt8] {
        switch payment {
        case .coins: []
        case .tokens(let transfer, _): transfer.data
        case .call(let data, _, _): data
        }
    }

    private var fields: [RLP] {
        [
            .integer(chainID), .integer(nonce), .integer(fee.maxPriorityFeePerGas),
            .integer(fee.maxFeePerGas), .integer(fee.gasLimit), .bytes(to.bytes),
            .bytes(value.magnitude), .bytes(data), .list([]),
        ]
    }

    /// The type and the fields (EIP-1559), without a signature.
    public var unsignedBytes: [UInt8] { [Self.type] + RLP.list(fields).encoded() }

    /// What is signed: Keccak-256 over the type and the fields.
    public var signingDigest: Digest { Keccak256.hash(unsignedBytes) }

    /// The transaction as it is broadcast.
    public func signed(_ signature: ECDSASignature) -> SignedEVMTransaction {
        let parts: [RLP] = [
            .integer(UInt64(signature.recoveryID & 1)),
            .bytes(Array(signature.r.bytes.drop { $0 == 0 })),
            .bytes(Array(signature.s.bytes.drop { $0 == 0 })),
        ]
        return SignedEVMTransaction(
            transaction: self, signature: signature,
            raw: [Self.type] + RLP.list(fields + parts).encoded())
    }

    fileprivate static func decode(_ raw: [UInt8]) -> (EVMTransaction, ECDSASignature)? {
        guard raw.first == type, let decoded = try? RLP.decode(raw.dropFirst()),
            case .list(let fields) = decoded, fields.count == 12,
            let chainID = fields[0].integer, let nonce = fields[1].integer,
            let priority = fields[2].integer, let most = fields[3].integer,
            let gas = fields[4].integer, let to = fields[5].byteString.flatMap({ EVMAddress($0) }),
            let value = fields[6].byteString.flatMap({ Amount(magnitude: $0) }),
            let data = fields[7].byteString, let payment = payment(to, value, data),
            fields[8] == .list([]),
            let parity = fields[9].integer, parity <= 1,
            let r = fields[10].byteString, let s = fields[11].byteString,
            r.count <= 32, s.count <= 32,
            let fee = EVMFeeLimit(
                gasLimit: gas, maxFeePerGas: most, maxPriorityFeePerGas: priority),
            let signature = ECDSASignature(padded(r) + padded(s) + [UInt8(parity)])
        else { return nil }
        let transaction = EVMTransaction(
            chainID: chainID, nonce: nonce, fee: fee, payment: payment)
        return (transaction, signature)
    }

    private static func payment(
        _ to: EVMAddress, _ value: Amount, _ data: [UInt8]
    ) -> EVMPayment? {
        if data.isEmpty { return .coins(value, to: to) }
        if value.isZero, let transfer = ERC20Transfer(data: data) {
            return .tokens(transfer, contract: to)
        }
        return data.count <= ContractCall.dataMost ? .call(data, value: value, contract: to) : nil
    }

    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](repeating: 0, count: 32 - bytes.count) + bytes
    }
}

/// A signed transaction, as its raw bytes.
public struct SignedEVMTransaction: Hashable, Sendable {
    /// Longest raw transaction that is read, in bytes; the fields beside a call's data need about
    /// 200.
    public static let byteLimit = 1024 + ContractCall.dataMost

    public let transaction: EVMTransaction
    public let signature: ECDSASignature
    public let raw: [UInt8]

    fileprivate init(transaction: EVMTransaction, signature: ECDSASignature, raw: [UInt8]) {
        self.transaction = transaction
        self.signature = signature
        self.raw = raw
    }

    /// Nil unless the bytes are exactly a signed transaction as `EVMTransaction.signed` writes it.
    public init?(raw: [UInt8]) {
        guard raw.count <= Self.byteLimit,
            let (transaction, signature) = EVMTransaction.decode(raw),
            transaction.signed(signature).raw == raw
        else { return nil }
        self.init(transaction: transaction, signature: signature, raw: raw)
    }

    /// The transaction's hash, by which the chain knows it.
    public var hash: Digest { Keccak256.hash(raw) }

    public var sender: EVMAddress? {
        signature.signer(of: transaction.signingDigest).map { EVMAddress($0) }
    }

    public static func == (a: Self, b: Self) -> Bool { a.raw == b.raw }
    public func hash(into hasher: inout Hasher) { hasher.combine(raw) }
}
