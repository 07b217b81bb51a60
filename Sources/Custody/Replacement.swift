import Canonical
import Chains
import Intents

/// Bytes that are to be mined in place of a signed transfer's: from the same source and with the
/// same nonce, so that the chain takes one of them, and at a higher price, so that nodes take
/// these. They are a further attempt of the same transaction, whose id and reservation stay.
public struct Replacement: Equatable, Sendable {
    /// Most of one transaction, whatever came of them.
    public static let ofTransactionMost = 16
    /// By how much price and tip must be above those of the bytes before: what nodes ask for.
    public static let raisePercent = 10

    public enum Kind: String, Sendable, CaseIterable {
        /// The same payment.
        case speedUp = "SpeedUp"
        /// Nothing, from the source to itself, so that the payment can never be made.
        case drop = "Drop"

        /// As a sentence names it.
        var noun: String {
            switch self {
            case .speedUp: "speed-up"
            case .drop: "drop"
            }
        }
    }

    public enum State: String, Sendable {
        /// No intent is made yet.
        case asked
        /// An intent is with the holders.
        case signing
        case signed
        /// No signature of it counts or will.
        case ended
        /// Given up, and a signature of it may exist that nobody shows.
        case unclear
    }

    public let transaction: TransactionID
    public let tenant: TenantID
    /// Counts those of one transaction, from 1.
    public let number: Int
    public let kind: Kind
    public let externalID: String
    /// The bytes that were sent when it was asked for.
    public let replaced: Digest
    public let fee: EVMFeeLimit
    public var state: State
    public var intent: Digest?
    /// Of the signed bytes.
    public var hash: Digest?
    /// A sentence about whom it waits for, or why it has ended.
    public var explanation: String?
    public let createdAt: Timestamp

    public init(
        transaction: TransactionID, tenant: TenantID, number: Int, kind: Kind, externalID: String,
        replaced: Digest, fee: EVMFeeLimit, state: State, intent: Digest? = nil,
        hash: Digest? = nil,
        explanation: String? = nil, createdAt: Timestamp
    ) {
        self.transaction = transaction
        self.tenant = tenant
        self.number = number
        self.kind = kind
        self.externalID = externalID
        self.replaced = replaced
        self.fee = fee
        self.state = state
        self.intent = intent
        self.hash = hash
        self.explanation = explanation
        self.createdAt = createdAt
    }

    /// Whether it is on its way to be signed.
    var isUnderWay: Bool { state == .asked || state == .signing }

    /// What a person who asks why nothing happens is told; nil of what is signed.
    var sentence: String? {
        switch state {
        case .asked:
            explanation ?? "Its \(kind.noun) is given to the key share holders next."
        case .signing: explanation ?? "Its \(kind.noun) is with the key share holders."
        case .signed: nil
        case .ended: "Its \(kind.noun) came to nothing: \(explanation ?? "it was not signed.")"
        case .unclear:
            explanation
                ?? "A holder may have signed its \(kind.noun), and nobody shows the signature."
        }
    }
}

/// What a caller says of a replacement.
public struct ReplacementDraft: Sendable {
    public let externalID: String
    /// Most that a gas may cost, in wei, the tip included; nil for what is usual.
    public let price: UInt64?
    /// Wei per gas; nil for what is usual.
    public let tip: UInt64?
    /// Most that the fee may be, in whole coins; nil for no limit but the price.
    public let maxFee: String?

    public init(externalID: String, price: UInt64?, tip: UInt64?, maxFee: String?) {
        self.externalID = externalID
        self.price = price
        self.tip = tip
        self.maxFee = maxFee
    }
}
