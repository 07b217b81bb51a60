import Canonical
import Chains
import Custody
import Foundation
import Logging

/// Follows one chain block by block, and takes back what a reorganisation took back.
public struct ChainFollower: Sendable {
    /// How many blocks before the newest the following begins.
    private static let startDepth: UInt64 = 32

    private let custody: Bookkeeper
    private let chain: ChainID
    private let node: EVMNode
    private let pause: Duration
    private let log: Logger
    private let seen: ChainTip
    private let complaints = Complaints()

    /// - Parameters:
    ///   - pause: how long to wait when there is no new block.
    ///   - seen: is told what the node says.
    public init(
        custody: Bookkeeper, chain: ChainID, node: EVMNode, pause: Duration,
        seen: ChainTip = ChainTip(), log: Logger
    ) {
        self.custody = custody
        self.chain = chain
        self.node = node
        self.pause = pause
        self.seen = seen
        self.log = log
    }

    /// The node is on another chain than it was set up for, or the chain was replaced further back
    /// than is kept: nothing is booked until a person has looked.
    public enum Halted: Error, CustomStringConvertible {
        case wrongChain(UInt64)
        case reorganisedTooDeep(UInt64)

        public var description: String {
            switch self {
            case .wrongChain(let id): "the node serves chain \(id)"
            case .reorganisedTooDeep(let block): "the chain was replaced below block \(block)"
            }
        }
    }

    /// Follows until cancelled.
    public func run() async {
        var isChecked = false
        while !Task.isCancelled {
            do {
                if !isChecked {
                    try await checkChain()
                    isChecked = true
                }
                while try await step(), !Task.isCancelled {}
            } catch let halted as Halted {
                if complaints.isNew("\(halted)") {
                    log.error(
                        "following is halted: \(halted)", metadata: ["chain": "\(chain.text)"])
                }
            } catch {
                if complaints.isNew("\(error)") {
                    log.warning("following waits: \(error)", metadata: ["chain": "\(chain.text)"])
                }
            }
            try? await Task.sleep(for: pause)
        }
    }

    private func checkChain() async throws {
        let id = try await node.ask(EVMRPC.chainID())
        guard chain == .eip155(id) else { throw Halted.wrongChain(id) }
    }

    /// Takes in one block or takes one back.
    ///
    /// - Returns: whether there may be more to do at once.
    private func step() async throws -> Bool {
        let chain = chain
        let tip = try await node.ask(EVMRPC.blockNumber())
        seen.note(tip, at: custody.now)
        guard let state = try await custody.read({ try $0.store.chainState(chain) }) else {
            // Nobody has an address yet: what happened before does not concern us. A few blocks
            // earlier, so that a reorganisation at the start has something to go back to.
            return try await takeIn(tip - min(tip, Self.startDepth))
        }
        guard let current = try await node.ask(EVMRPC.block(state.number)) else {
            guard try await isReplaced(below: state, tip) else { return false }
            try await takeBack(state)
            return true
        }
        guard current.hash == state.hash else {
            try await takeBack(state)
            return true
        }
        guard tip > state.number else { return false }
        return try await takeIn(state.number + 1, after: state.hash)
    }

    /// Whether a node that has no block of our height is on another chain. One that is only behind
    /// says nothing: its newest block is ours.
    private func isReplaced(below state: ChainState, _ tip: UInt64) async throws -> Bool {
        let chain = chain
        guard tip < state.number, let theirs = try await node.ask(EVMRPC.block(tip)) else {
            return false
        }
        guard let ours = try await custody.read({ try $0.store.followedBlock(tip, on: chain) })
        else { throw Halted.reorganisedTooDeep(tip) }
        return ours.hash != theirs.hash
    }

    private func takeBack(_ state: ChainState) async throws {
        let chain = chain
        try await custody.write { books in
            guard state.number > 0,
                let block = try books.store.followedBlock(state.number, on: chain),
                try books.store.followedBlock(state.number - 1, on: chain) != nil
            else { throw Halted.reorganisedTooDeep(state.number) }
            try books.revert(block, on: chain)
        }
        log.info(
            "a reorganisation removed block \(state.number)", metadata: ["chain": "\(chain.text)"])
        custody.bells.broadcasting.ring()
    }

    private func takeIn(_ number: UInt64, after parent: Digest? = nil) async throws -> Bool {
        let chain = chain
        guard let block = try await node.ask(EVMRPC.block(number)) else { return false }
        if let parent, block.parent != parent { return true }  // the next look takes back
        let priorityFee = try await node.ask(EVMRPC.priorityFee())
        let moved = try await tokenTransfers(in: block)
        let relevant = try await custody.read { books in
            try block.transactions.filter { transaction in
                try books.concerns(transaction, moving: moved[transaction.hash] ?? [], on: chain)
            }
        }
        var transfers: [ObservedBlock.Transfer] = []
        for transaction in relevant {
            guard let receipt = try await node.ask(EVMRPC.receipt(transaction.hash)),
                receipt.block == block.hash
            else { return false }  // the node is between two views; look again
            transfers.append(.init(transaction: transaction, receipt: receipt))
        }
        let observed = ObservedBlock(
            block: FollowedBlock(number: block.number, hash: block.hash, parent: block.parent),
            baseFee: block.baseFee ?? 0, priorityFee: priorityFee, transfers: transfers)
        let known = Set(transfers.map(\.transaction.hash))
        try await custody.write { books in
            let missed = try block.transactions.contains { transaction in
                try !known.contains(transaction.hash)
                    && books.concerns(
                        transaction, moving: moved[transaction.hash] ?? [], on: chain)
            }
            // An address came to be meanwhile: its deposit is found at the next look.
            guard !missed else { throw EVMNode.Failure.unclear("an address is new") }
            try books.apply(observed, on: chain)
        }
        return true
    }

    /// What the block's transactions did with the tokens that are kept here. A node that does not
    /// know the block by its hash answers with an error, so that nothing is missed.
    private func tokenTransfers(in block: EVMBlock) async throws -> [Digest: [ERC20Log]] {
        let tokens = custody.settings.tokens(on: chain)
        guard !tokens.isEmpty, !block.transactions.isEmpty else { return [:] }
        let transfers = try await node.ask(
            EVMRPC.tokenTransfers(inBlock: block.hash, of: tokens))
        return Dictionary(grouping: transfers, by: \.transaction).mapValues { $0.map(\.log) }
    }
}
