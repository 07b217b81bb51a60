import Algebra
import Canonical
import Chains
import Foundation
import Synchronization

/// A little EVM chain of transfers, of its coin and of one token, which checks what a real one
/// checks of them: signature, chain id, nonce, balance and gas. It keeps its blocks in a file and
/// is the same after a restart.
///
/// Blocks are mined while there is something in them or something to be confirmed, so an idle
/// chain does not grow.
public final class SimulatedEVM: Sendable {
    /// Wei per gas; it does not move.
    public static let baseFee: UInt64 = 1_000_000_000
    public static let priorityFee: UInt64 = 1_000_000_000
    /// Empty blocks that follow one with transfers, so that these are confirmed.
    private static let confirmingBlocks = 16
    /// What the faucet has at the start: a billion coins of 18 decimals, a billion tokens of 6.
    private static let faucetFunds = "1000000000000000000000000000"
    private static let faucetTokens = "1000000000000000"
    private static let poolMost = 10_000

    struct Block {
        let number: UInt64
        let hash: Digest
        let parent: Digest
        let transfers: [SignedEVMTransaction]
        /// What became of each.
        let outcomes: [Outcome]
    }

    struct Account {
        var balance = Amount.zero
        var tokens = Amount.zero
        var nonce: UInt64 = 0
    }

    struct Ledger {
        var blocks: [Block] = []
        var accounts: [EVMAddress: Account] = [:]
        var places: [Digest: (block: Int, index: Int)] = [:]
        var pool: [SignedEVMTransaction] = []
        var emptySince = 0
        /// Off, what is sent stays in the pool until a block is asked for.
        var isMining = true
        /// Makes the blocks after a reorganisation differ from those before it.
        var generation: UInt64 = 0
    }

    /// Why a transfer or a call is not taken.
    public struct Rejected: Error {
        public let message: String
    }

    public let chainID: UInt64
    let ledger = Mutex(Ledger())
    private let faucet: SecretBox<WholeKey>
    private let journal: FileHandle?

    /// - Parameters:
    ///   - faucet: the key of the stranger who has all the funds.
    ///   - journal: the file that keeps the blocks; nil to keep them in memory.
    public init(chainID: UInt64, faucet: SecretBox<WholeKey>, journal path: URL?) throws {
        self.chainID = chainID
        self.faucet = faucet
        guard let path else {
            journal = nil
            start()
            return
        }
        if !FileManager.default.fileExists(atPath: path.path) { try Data().write(to: path) }
        let lines = try String(contentsOf: path, encoding: .utf8).split(separator: "\n")
        let handle = try FileHandle(forUpdating: path)
        try handle.seekToEnd()
        journal = handle
        start()
        for line in lines { try replay(String(line)) }
    }

    private static var faucetAccount: Account {
        Account(
            balance: Amount(baseUnits: faucetFunds) ?? .most,
            tokens: Amount(baseUnits: faucetTokens) ?? .most)
    }

    private func start() {
        let address = faucet.with { EVMAddress($0.publicKey) }
        ledger.withLock { ledger in
            ledger = Ledger()
            ledger.accounts[address] = Self.faucetAccount
            ledger.blocks = [
                Block(
                    number: 0, hash: .sha256(Array("genesis \(chainID)".utf8)),
                    parent: .sha256([]), transfers: [], outcomes: [])
            ]
        }
    }

    /// A line of the journal: a block's transfers, or how many blocks were dropped.
    private struct Line: Codable {
        var transfers: [String]?
        var drop: Int?
    }

    private func replay(_ text: String) throws {
        let line = try JSONDecoder().decode(Line.self, from: Data(text.utf8))
        ledger.withLock { ledger in
            if let drop = line.drop {
                self.drop(drop, &ledger)
            } else {
                let transfers = (line.transfers ?? []).compactMap {
                    Hex.decode($0).flatMap { SignedEVMTransaction(raw: $0) }
                }
                append(transfers, &ledger)
            }
        }
    }

    /// Writes a line and flushes it to disk before anyone hears of it.
    private func write(_ line: Line) {
        guard let journal else { return }
        do {
            try journal.write(contentsOf: try JSONEncoder().encode(line) + Data("\n".utf8))
            try journal.synchronize()
        } catch {
            preconditionFailure("the simulated chain cannot write its journal: \(error)")
        }
    }

    // Mining.

    /// Mines a block if there is a reason to.
    public func mineIfNeeded() {
        ledger.withLock { ledger in
            guard ledger.isMining,
                !ledger.pool.isEmpty || ledger.emptySince < Self.confirmingBlocks
            else { return }
            mine(&ledger)
        }
    }

    /// Whether blocks are mined by themselves.
    func setMining(_ isOn: Bool) { ledger.withLock { $0.isMining = isOn } }

    public func mine(_ count: Int) {
        ledger.withLock { ledger in
            for _ in 0..<count { mine(&ledger) }
        }
    }

    private func mine(_ ledger: inout Ledger) {
        var transfers: [SignedEVMTransaction] = []
        var accounts = ledger.accounts
        let waiting = ledger.pool.sorted { $0.transaction.nonce < $1.transaction.nonce }
        var rest: [SignedEVMTransaction] = []
        for transfer in waiting {
            if Self.apply(transfer, &accounts) != nil {
                transfers.append(transfer)
            } else {
                rest.append(transfer)
            }
        }
        // What can never be mined any more is forgotten, as nodes do.
        ledger.pool = rest.filter { transfer in
            transfer.sender.map { transfer.transaction.nonce >= (accounts[$0]?.nonce ?? 0) }
                ?? false
        }
        append(transfers, &ledger)
        write(Line(transfers: transfers.map { Hex.encode($0.raw) }))
    }

    private func append(_ transfers: [SignedEVMTransaction], _ ledger: inout Ledger) {
        guard let last = ledger.blocks.last else { return }
        var outcomes: [Outcome] = []
        for (index, transfer) in transfers.enumerated() {
            // A transfer that a journal of another version holds may be impossible here.
            outcomes.append(Self.apply(transfer, &ledger.accounts) ?? .reverted(0))
            ledger.places[transfer.hash] = (ledger.blocks.count, index)
        }
        let number = last.number + 1
        let content =
            last.hash.bytes + number.bigEndianBytes + ledger.generation.bigEndianBytes
            + transfers.flatMap(\.hash.bytes)
        ledger.blocks.append(
            Block(
                number: number, hash: .sha256(content), parent: last.hash, transfers: transfers,
                outcomes: outcomes))
        ledger.emptySince = transfers.isEmpty ? ledger.emptySince + 1 : 0
    }

    /// Carries a transfer out and takes its fee; nil, and nothing is changed, if no block can have
    /// it.
    private static func apply(
        _ transfer: SignedEVMTransaction, _ accounts: inout [EVMAddress: Account]
    ) -> Outcome? {
        let transaction = transfer.transaction
        guard let sender = transfer.sender, var from = accounts[sender],
            from.nonce == transaction.nonce, let most = transaction.fee.most,
            let all = transaction.value.adding(most), all <= from.balance
        else { return nil }
        let outcome = outcome(of: transaction, from: sender, accounts)
        guard let fee = Amount(UInt128(outcome.gas) * UInt128(gasPrice(of: transaction))),
            let left = from.balance.subtracting(fee)
        else { return nil }
        from.balance = left
        from.nonce += 1
        accounts[sender] = from
        if outcome.succeeded {
            move(\.balance, transaction.value, from: sender, to: transaction.to, &accounts)
        }
        if let log = outcome.log {
            move(\.tokens, log.amount, from: sender, to: log.to, &accounts)
        }
        return outcome
    }

    private static func move(
        _ kind: WritableKeyPath<Account, Amount>, _ amount: Amount, from: EVMAddress,
        to: EVMAddress, _ accounts: inout [EVMAddress: Account]
    ) {
        guard let left = accounts[from]?[keyPath: kind].subtracting(amount) else { return }
        accounts[from]?[keyPath: kind] = left
        let raised = accounts[to, default: Account()][keyPath: kind].adding(amount)
        accounts[to, default: Account()][keyPath: kind] = raised ?? .most
    }

    static func gasPrice(of transaction: EVMTransaction) -> UInt64 {
        min(
            transaction.fee.maxFeePerGas,
            baseFee + min(transaction.fee.maxPriorityFeePerGas, transaction.fee.maxFeePerGas))
    }

    // What callers do.

    /// Takes a raw transfer into the pool.
    func send(_ raw: [UInt8]) throws(Rejected) -> Digest {
        guard let transfer = SignedEVMTransaction(raw: raw), let sender = transfer.sender else {
            throw Rejected(
                message:
                    "this chain takes signed EIP-1559 transactions without access list"
            )
        }
        let transaction = transfer.transaction
        return try ledger.withLock { ledger throws(Rejected) in
            guard ledger.places[transfer.hash] == nil,
                !ledger.pool.contains(where: { $0.hash == transfer.hash })
            else { throw Rejected(message: "already known") }
            guard transaction.chainID == chainID else {
                throw Rejected(
                    message:
                        "invalid chain id for signer: have \(transaction.chainID) want \(chainID)")
            }
            let account = ledger.accounts[sender] ?? Account()
            guard transaction.nonce >= account.nonce else {
                throw Rejected(
                    message:
                        "nonce too low: next nonce \(account.nonce), tx nonce \(transaction.nonce)")
            }
            guard transaction.fee.gasLimit >= Self.intrinsicGas(of: transaction) else {
                throw Rejected(message: "intrinsic gas too low")
            }
            guard transaction.fee.maxFeePerGas >= Self.baseFee else {
                throw Rejected(message: "max fee per gas less than block base fee")
            }
            guard let most = transaction.fee.most?.adding(transaction.value),
                most <= account.balance
            else { throw Rejected(message: "insufficient funds for gas * price + value") }
            guard ledger.pool.count < Self.poolMost else {
                throw Rejected(message: "txpool is full")
            }
            if let at = ledger.pool.firstIndex(where: {
                $0.sender == sender && $0.transaction.nonce == transaction.nonce
            }) {
                guard Self.outbids(transaction.fee, ledger.pool[at].transaction.fee) else {
                    throw Rejected(message: "replacement transaction underpriced")
                }
                ledger.pool.remove(at: at)
            }
            ledger.pool.append(transfer)
            return transfer.hash
        }
    }

    /// Whether a pool gives up the one for the other: both prices a tenth higher, as geth has it.
    private static func outbids(_ new: EVMFeeLimit, _ old: EVMFeeLimit) -> Bool {
        func isRaised(_ new: UInt64, _ old: UInt64) -> Bool {
            new > old && UInt128(new) * 100 >= UInt128(old) * 110
        }
        return isRaised(new.maxFeePerGas, old.maxFeePerGas)
            && isRaised(new.maxPriorityFeePerGas, old.maxPriorityFeePerGas)
    }

    /// Sends what the address lacks up to this balance, from the faucet, as a transfer in the next
    /// block.
    func raise(
        _ address: EVMAddress, to balance: Amount, ofToken: Bool = false
    ) throws(Rejected) {
        let (account, nonce) = ledger.withLock { ledger in
            let sender = faucet.with { EVMAddress($0.publicKey) }
            let pending = ledger.pool.filter { $0.sender == sender }.map(\.transaction.nonce).max()
            return (
                ledger.accounts[address] ?? Account(),
                pending.map { $0 + 1 } ?? ledger.accounts[sender]?.nonce ?? 0
            )
        }
        let have = ofToken ? account.tokens : account.balance
        guard let value = balance.subtracting(have), !value.isZero,
            let fee = EVMFeeLimit(
                gasLimit: ofToken ? Self.tokenGas : EVMFeeLimit.transferGas,
                maxFeePerGas: 2 * Self.baseFee, maxPriorityFeePerGas: Self.priorityFee)
        else { return }
        let transaction = EVMTransaction(
            chainID: chainID, nonce: nonce, fee: fee,
            payment: ofToken
                ? .tokens(ERC20Transfer(recipient: address, amount: value), contract: Self.token)
                : .coins(value, to: address))
        guard let signature = faucet.with({ $0.sign(transaction.signingDigest) }) else { return }
        _ = try send(transaction.signed(signature).raw)
    }

    /// Drops the newest blocks with all that is in them, and mines `new` empty ones.
    func reorganise(depth: Int, new: Int) throws(Rejected) -> UInt64 {
        try ledger.withLock { ledger throws(Rejected) in
            guard depth > 0, depth < ledger.blocks.count else {
                throw Rejected(message: "no block at that depth")
            }
            drop(depth, &ledger)
            write(Line(drop: depth))
            ledger.pool = []
            for _ in 0..<new { mine(&ledger) }
            return ledger.blocks.last?.number ?? 0
        }
    }

    private func drop(_ depth: Int, _ ledger: inout Ledger) {
        let kept = ledger.blocks.dropLast(depth)
        let address = faucet.with { EVMAddress($0.publicKey) }
        var fresh = Ledger()
        fresh.generation = ledger.generation
        fresh.isMining = ledger.isMining
        fresh.pool = ledger.pool
        fresh.accounts[address] = Self.faucetAccount
        fresh.blocks = Array(kept.prefix(1))
        for block in kept.dropFirst() {
            for (index, transfer) in block.transfers.enumerated() {
                _ = Self.apply(transfer, &fresh.accounts)
                fresh.places[transfer.hash] = (fresh.blocks.count, index)
            }
            fresh.blocks.append(block)
        }
        fresh.generation += 1
        ledger = fresh
    }
}
