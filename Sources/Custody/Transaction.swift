import Algebra
import Canonical
import Chains
import Intents

/// Any movement of value that involves a wallet, and any message that an address signs.
public struct Transaction: Equatable, Sendable {
    public static let noteMost = 500
    public static let externalIDMost = 128

    public enum Kind: String, Sendable, CaseIterable {
        case deposit = "Deposit"
        case internalTransfer = "InternalTransfer"
        case withdrawal = "Withdrawal"
        /// A transfer between two addresses of the tenant, so that one holds what a withdrawal
        /// needs: shown as a part of that, and not by itself.
        case consolidation = "Consolidation"
        /// An address calls a contract, with coins or without.
        case contractCall = "ContractCall"
        /// An address signs a message; nothing moves.
        case messageSign = "MessageSign"

        /// What callers see.
        public static let listed: [Kind] = [
            .deposit, .internalTransfer, .withdrawal, .contractCall, .messageSign,
        ]
    }

    public enum Status: String, Sendable, CaseIterable {
        /// Accepted, funds reserved; no intent made yet.
        case submitted = "Submitted"
        /// An intent is with the holders.
        case pendingSignature = "PendingSignature"
        /// Signed; on its way into a block.
        case broadcasting = "Broadcasting"
        /// In a block.
        case confirming = "Confirming"
        case completed = "Completed"
        case failed = "Failed"
        /// Ended at its owner's word: before anything was signed, or dropped, so that nothing but a
        /// fee has left.
        case cancelled = "Cancelled"

        public var isFinal: Bool { self == .completed || self == .failed || self == .cancelled }
    }

    public let id: TransactionID
    public let tenant: TenantID
    public let kind: Kind
    public var status: Status
    public let vault: VaultID
    /// The wallet that it is from, or a deposit's wallet.
    public let wallet: WalletID
    /// The other wallet of an internal transfer.
    public let destinationWallet: WalletID?
    public let asset: String
    public let amount: Amount
    /// What is reserved for the fee at most.
    public let feeLimit: Amount
    /// What is reserved beyond that for bytes in place of the first.
    public var feeRaise: Amount
    /// What its caller lets all fees together be: its own, and those of what gathers its funds.
    public let maxFee: Amount?
    /// The withdrawal that a consolidation is for.
    public let parent: TransactionID?
    /// How many consolidations, at as much as its own fee each, are reserved for and not made yet.
    public var consolidationsLeft: Int
    public let feeLevel: FeeLevel?
    /// What the fee was, once known.
    public var fee: Amount?
    public var sourceAddress: String?
    public let destinationAddress: String?
    public var hash: Digest?
    /// The block that it is in.
    public var blockNumber: UInt64?
    public var waiting: Waiting?
    public var failure: Failure?
    /// Of a contract call: what is called at `destinationAddress`.
    public let call: ContractCall?
    /// What is to be signed, of a message.
    public let message: EVMMessage?
    /// Of a message that was signed.
    public var signature: ECDSASignature?
    /// Why it is to end, if the holders can still be kept from signing it.
    public var stopping: Failure?
    public let note: String?
    public let externalID: String?
    public let createdAt: Timestamp
    public var updatedAt: Timestamp

    public init(
        id: TransactionID, tenant: TenantID, kind: Kind, status: Status, vault: VaultID,
        wallet: WalletID, destinationWallet: WalletID? = nil, asset: String, amount: Amount,
        feeLimit: Amount = .zero, feeRaise: Amount = .zero, maxFee: Amount? = nil,
        parent: TransactionID? = nil,
        consolidationsLeft: Int = 0, feeLevel: FeeLevel? = nil, fee: Amount? = nil,
        sourceAddress: String? = nil,
        destinationAddress: String? = nil, hash: Digest? = nil, blockNumber: UInt64? = nil,
        waiting: Waiting? = nil, failure: Failure? = nil,
        call: ContractCall? = nil, message: EVMMessage? = nil, signature: ECDSASignature? = nil,
        stopping: Failure? = nil, note: String? = nil,
        externalID: String? = nil, createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.tenant = tenant
        self.kind = kind
        self.status = status
        self.vault = vault
        self.wallet = wallet
        self.destinationWallet = destinationWallet
        self.asset = asset
        self.amount = amount
        self.feeLimit = feeLimit
        self.feeRaise = feeRaise
        self.maxFee = maxFee
        self.parent = parent
        self.consolidationsLeft = consolidationsLeft
        self.feeLevel = feeLevel
        self.fee = fee
        self.sourceAddress = sourceAddress
        self.destinationAddress = destinationAddress
        self.hash = hash
        self.blockNumber = blockNumber
        self.waiting = waiting
        self.failure = failure
        self.call = call
        self.message = message
        self.signature = signature
        self.stopping = stopping
        self.note = note
        self.externalID = externalID
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

extension Transaction {
    /// The most that its fee can cost, whichever of its bytes is mined.
    public var feeMost: Amount { feeLimit.adding(feeRaise) ?? .most }
}

/// How much a withdrawal offers for being mined soon.
public enum FeeLevel: String, Sendable, CaseIterable {
    case slow = "Slow"
    case medium = "Medium"
    case fast = "Fast"
}

/// Why a transaction does not move: for whom it waits, since when, and what happens next.
public struct Waiting: Equatable, Sendable {
    public enum Cause: String, Sendable, CaseIterable {
        /// The server of the API key that started it.
        case callback = "ApprovalCallback"
        /// Its caller, who has had it built only.
        case order = "SignAndBroadcast"
        case sourceAddress = "SourceAddressBusy"
        case funds = "FundsOnOneAddress"
        case consolidation = "Consolidation"
        case announcement = "AddressAnnouncement"
        case holders = "KeyShareHolders"
        case run = "SigningRun"
        /// What the platform does next by itself.
        case platform = "Platform"
        case vault = "VaultFrozen"
        case confirmations = "Confirmations"
        case closing = "ClosingAtHolders"
        case chain = "Chain"
        case block = "BlockAfterReorganisation"
    }

    public let cause: Cause
    /// Names of whom or what is awaited.
    public let who: [String]
    public let since: Timestamp
    /// A sentence that says what happens next, or what to do.
    public let next: String

    public init(_ cause: Cause, who: [String], since: Timestamp, next: String) {
        self.cause = cause
        self.who = who
        self.since = since
        self.next = next
    }

    /// The same with how far other bytes are that are to be mined instead.
    func beside(_ replacement: Replacement?) -> Waiting {
        guard let sentence = replacement?.sentence else { return self }
        return Waiting(cause, who: who, since: since, next: "\(next) \(sentence)")
    }

    /// Whether it is the same wait, whenever it began.
    func isSame(as other: Waiting?) -> Bool {
        other?.cause == cause && other?.who == who && other?.next == next
    }
}

/// Why a transaction failed, and what each holder that refused has said.
public struct Failure: Equatable, Sendable {
    public enum Code: String, Sendable, CaseIterable {
        case refusedByHolders = "RefusedByHolders"
        case expired = "Expired"
        case addressRemoved = "AddressRemoved"
        /// The group's shares were replaced before it was signed: it is asked again.
        case keyChanged = "KeyChanged"
        case rejectedByChain = "RejectedByChain"
        case nonceSpent = "NonceSpent"
        case reorganised = "Reorganised"
        case cancelled = "Cancelled"
        case deniedByCallback = "DeniedByCallback"
        case callbackUnanswered = "CallbackUnanswered"

        /// Whether somebody who had to agree did not.
        public var isRefusal: Bool {
            switch self {
            case .refusedByHolders, .deniedByCallback, .callbackUnanswered: true
            case .expired, .addressRemoved, .keyChanged, .rejectedByChain, .nonceSpent,
                .reorganised, .cancelled:
                false
            }
        }
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// A holder's no, as it stands on a transaction.
public struct HolderRefusal: Equatable, Sendable {
    public let holder: String
    public let code: String
    public let sentence: String
    public let at: Timestamp

    public init(holder: String, code: String, sentence: String, at: Timestamp) {
        self.holder = holder
        self.code = code
        self.sentence = sentence
        self.at = at
    }
}

/// A status that a transaction took, and when.
public struct TimelineEntry: Equatable, Sendable {
    public let status: Transaction.Status
    public let at: Timestamp

    public init(status: Transaction.Status, at: Timestamp) {
        self.status = status
        self.at = at
    }
}

/// A transaction with what only reading needs.
public struct TransactionView: Equatable, Sendable {
    public let transaction: Transaction
    public let timeline: [TimelineEntry]
    public let refusals: [HolderRefusal]
    public let confirmations: UInt64
    public let requiredConfirmations: UInt64
    /// What it waits for; nil if it has ended.
    public let waiting: Waiting?
    /// What the fee is counted in; nil of what has none.
    public let feeAsset: Asset?
    /// The transfers that gather what a withdrawal needs, oldest first.
    public let consolidations: [Transaction]
    /// What was asked for to be mined in its place, oldest first.
    public var replacements: [Replacement] = []
    /// Those of them that leave an address of a vault which the asker may not see: source, amount
    /// and hash are not shown.
    public var hidden: Set<TransactionID> = []
}

extension TransactionView {
    /// One that nothing has happened to, for samples.
    public init(transaction: Transaction, requiredConfirmations: UInt64) {
        self.init(
            transaction: transaction, timeline: [], refusals: [], confirmations: 0,
            requiredConfirmations: requiredConfirmations, waiting: nil, feeAsset: nil,
            consolidations: [])
    }
}

extension TransactionView {
    /// The most that all transfers which gather its funds can cost.
    public var consolidationFeeLimit: Amount {
        transaction.feeLimit.times(
            UInt64(consolidations.count + transaction.consolidationsLeft)) ?? .most
    }

    /// What they did cost so far.
    public var consolidationFee: Amount {
        consolidations.reduce(.zero) { $0.adding($1.fee ?? .zero) ?? .most }
    }
}
