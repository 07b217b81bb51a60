import Canonical
import Chains
import Custody
import Foundation
import Logging

/// Sends signed transfers to their chain, the same bytes as often as it takes, until a block has
/// them. An answer that does not come decides nothing: the node is asked what it knows.
public struct Broadcaster: Sendable {
    private static let pause = Duration.milliseconds(500)

    private let custody: Bookkeeper
    private let chain: ChainID
    private let node: EVMNode
    private let log: Logger

    public init(custody: Bookkeeper, chain: ChainID, node: EVMNode, log: Logger) {
        self.custody = custody
        self.chain = chain
        self.node = node
        self.log = log
    }

    /// Works until cancelled, when its bell rings and now and then by itself.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.pause)
                    self.custody.bells.broadcasting.ring()
                }
            }
            for await _ in custody.bells.broadcasting.rings {
                do {
                    try await broadcastDue()
                } catch {
                    log.error("broadcasting failed: \(error)")
                }
            }
        }
    }

    private func broadcastDue() async throws {
        let (chain, now) = (chain, custody.now)
        let due = try await custody.read { books in
            try books.store.outgoingToBroadcast(on: chain, before: now)
        }
        for transfer in due {
            let refusal = await broadcast(transfer)
            try await custody.write { books in
                try books.broadcasted(transfer.hash, on: chain, refusal: refusal)
            }
        }
    }

    /// - Returns: what the node said if it does not have the transfer.
    private func broadcast(_ transfer: OutgoingTransfer) async -> String? {
        guard let signed = SignedEVMTransaction(raw: transfer.raw) else {
            return "the stored transfer does not decode"
        }
        do throws(EVMNode.Failure) {
            _ = try await node.ask(EVMRPC.send(signed))
            return nil
        } catch {
            // Known already, refused, or lost on the way: the node knows which.
            if let knows = try? await node.ask(EVMRPC.knows(transfer.hash)), knows { return nil }
            return "\(error)"
        }
    }
}
