import Canonical
import Chains
import Intents

/// What a follower brings of one block: the transfers that concern us, with their receipts.
public struct ObservedBlock: Sendable {
    public let block: FollowedBlock
    public let baseFee: UInt64
    public let priorityFee: UInt64
    public let transfers: [Transfer]

    public struct Transfer: Sendable {
        public let transaction: EVMBlock.Transaction
        public let receipt: EVMReceipt

        public init(transaction: EVMBlock.Transaction, receipt: EVMReceipt) {
            self.transaction = transaction
            self.receipt = receipt
        }
    }

    public init(
        block: FollowedBlock, baseFee: UInt64, priorityFee: UInt64, transfers: [Transfer]
    ) {
        self.block = block
        self.baseFee = baseFee
        self.priorityFee = priorityFee
        self.transfers = transfers
    }
}

/// Following a chain: what its blocks did to wallets, and undoing what a reorganisation took back.
extension Books {
    /// How many blocks back a reorganisation is followed.
    public static let blocksKept: UInt64 = 512

    /// Whether a transaction of a block, or a token that moves in it, has to do with an address of
    /// ours.
    public func concerns(
        _ transaction: EVMBlock.Transaction, moving tokens: [ERC20Log], on chain: ChainID
    ) throws -> Bool {
        var accounts = Set(tokens.flatMap { [$0.from, $0.to] })
        accounts.insert(transaction.from)
        if let to = transaction.to { accounts.insert(to) }
        return try accounts.contains {
            try store.address($0.text, on: chain) != nil
        }
    }

    /// Takes in the next block.
    public func apply(_ observed: ObservedBlock, on chain: ChainID) throws {
        let block = observed.block
        try store.put(
            ChainState(
                chain: chain, number: block.number, hash: block.hash, baseFee: observed.baseFee,
                priorityFee: observed.priorityFee, at: now))
        try store.insert(block, on: chain)
        if block.number > Self.blocksKept {
            try store.forgetBlocks(on: chain, below: block.number - Self.blocksKept)
        }
        for transfer in observed.transfers {
            let own = try applyOutgoing(transfer, block, chain)
            if own?.isConsolidation != true { try applyCoins(transfer, block, chain) }
            try applyTokens(transfer, except: own, block, chain)
        }
        try completeWhatIsDeepEnough(chain, tip: block.number)
    }

    /// Takes back the newest block, and all that it did.
    public func revert(_ block: FollowedBlock, on chain: ChainID) throws {
        for effect in try store.effects(ofBlock: block.hash, on: chain).reversed() {
            switch effect.kind {
            case .deposit: try revertDeposit(effect)
            case .withdrawal: try revertWithdrawal(effect)
            case .foreign: try revertForeign(effect)
            }
        }
        try store.removeEffects(ofBlock: block.hash, on: chain)
        try store.forgetBlocks(on: chain, from: block.number)
        guard let state = try store.chainState(chain) else { return }
        try store.put(
            ChainState(
                chain: chain, number: block.number - 1, hash: block.parent, baseFee: state.baseFee,
                priorityFee: state.priorityFee, at: now))
    }

    /// Looks at every transaction that is in a block and as deep as its asset asks.
    private func completeWhatIsDeepEnough(_ chain: ChainID, tip: UInt64) throws {
        for kind in [Transaction.Kind.deposit, .withdrawal, .contractCall, .consolidation] {
            for var transaction in try store.transactions(in: .confirming, kind: kind) {
                guard let asset = settings.asset(transaction.asset), asset.asset.chain == chain
                else { continue }
                guard let number = transaction.blockNumber else {
                    try failIfGone(&transaction)
                    continue
                }
                guard tip >= number, tip - number + 1 >= asset.confirmations else { continue }
                switch kind {
                case .deposit: try complete(deposit: &transaction)
                case .withdrawal, .contractCall, .consolidation:
                    try complete(withdrawal: &transaction, chain)
                case .internalTransfer, .messageSign: break
                }
            }
        }
    }

    func changeFunds(
        of text: String, _ asset: AssetID, by amount: Amount, up: Bool
    ) throws {
        guard !amount.isZero, let address = try store.address(text, on: asset.chain) else { return }
        let before = try store.funds(of: text, asset: asset)
        guard let funds = up ? before.adding(amount) : before.subtracting(amount)
        else { throw LedgerFault.impossible("funds of \(text)") }
        try store.setFunds(funds, of: address, asset: asset)
    }
}
