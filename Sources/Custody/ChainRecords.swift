import Canonical
import Chains
import Intents

/// How far a chain was followed, and what its fees are.
public struct ChainState: Equatable, Sendable {
    public let chain: ChainID
    /// The newest block that was taken in.
    public let number: UInt64
    public let hash: Digest
    /// Wei per gas.
    public let baseFee: UInt64
    public let priorityFee: UInt64
    public let at: Timestamp

    public init(
        chain: ChainID, number: UInt64, hash: Digest, baseFee: UInt64, priorityFee: UInt64,
        at: Timestamp
    ) {
        self.chain = chain
        self.number = number
        self.hash = hash
        self.baseFee = baseFee
        self.priorityFee = priorityFee
        self.at = at
    }
}

/// A block that was taken in, kept while a reorganisation may reach it.
public struct FollowedBlock: Equatable, Sendable {
    public let number: UInt64
    public let hash: Digest
    public let parent: Digest

    public init(number: UInt64, hash: Digest, parent: Digest) {
        self.number = number
        self.hash = hash
        self.parent = parent
    }
}

/// What one block did to one transaction of ours: what is undone if the block goes.
public struct ChainEffect: Equatable, Sendable {
    public enum Kind: String, Sendable {
        case deposit
        case withdrawal
        /// A transaction from an address of ours that we did not make.
        case foreign
    }

    public let chain: ChainID
    public let block: Digest
    public let hash: Digest
    public let kind: Kind
    /// Tells it from others of its kind in the same transaction of the chain.
    public let place: String
    public let address: String
    public let transaction: TransactionID
    public let asset: AssetID
    /// What left or came.
    public let amount: Amount
    /// What the sender paid beside, in the chain's own coin.
    public let fee: Amount

    public init(
        chain: ChainID, block: Digest, hash: Digest, kind: Kind,
        place: String = PaymentPlace.coins, address: String, transaction: TransactionID,
        asset: AssetID, amount: Amount, fee: Amount
    ) {
        self.chain = chain
        self.block = block
        self.hash = hash
        self.kind = kind
        self.place = place
        self.address = address
        self.transaction = transaction
        self.asset = asset
        self.amount = amount
        self.fee = fee
    }
}

/// Which of the payments that one transaction of a chain makes a deposit is.
///
/// A token's transfer is named by what it moved and not by its log's number, since another block
/// may carry the same transaction out in another way.
public struct PaymentPlace: Hashable, Sendable {
    /// The transaction's own coins.
    public static let coins = "0"

    public let chain: ChainID
    public let hash: Digest
    public let text: String

    public init(chain: ChainID, hash: Digest, text: String) {
        self.chain = chain
        self.hash = hash
        self.text = text
    }
}

/// What a withdrawal takes of its source address at most.
public struct SourceNeed: Equatable, Sendable {
    public let asset: AssetID
    public let amount: Amount
    /// Of a token: the fee, in the chain's own coin; of that coin it is in the amount.
    public let fee: Amount

    /// Nil where amount and fee are more than an amount can be.
    public init?(_ asset: AssetID, amount: Amount, fee: Amount) {
        self.asset = asset
        if asset == asset.feeAsset {
            guard let total = amount.adding(fee) else { return nil }
            self.amount = total
            self.fee = .zero
        } else {
            self.amount = amount
            self.fee = fee
        }
    }
}

/// A signed transfer of ours: the bytes that are broadcast, as often as needed, unchanged.
public struct OutgoingTransfer: Equatable, Sendable {
    public enum State: String, Sendable {
        case broadcasting
        case mined
        /// Another transaction with its nonce is final, or a block has other bytes of this one:
        /// the chain cannot take it.
        case dead
    }

    public let chain: ChainID
    public let hash: Digest
    public let transaction: TransactionID
    public let source: String
    public let nonce: UInt64
    public let raw: [UInt8]
    public var state: State
    public var nextBroadcast: Timestamp
    public var broadcasts: Int

    public init(
        chain: ChainID, hash: Digest, transaction: TransactionID, source: String, nonce: UInt64,
        raw: [UInt8], state: State, nextBroadcast: Timestamp, broadcasts: Int
    ) {
        self.chain = chain
        self.hash = hash
        self.transaction = transaction
        self.source = source
        self.nonce = nonce
        self.raw = raw
        self.state = state
        self.nextBroadcast = nextBroadcast
        self.broadcasts = broadcasts
    }
}
