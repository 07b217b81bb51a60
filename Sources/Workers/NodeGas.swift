import Chains
import Custody

/// Asks a chain's node how much gas a call takes.
public struct NodeGas: GasEstimator {
    /// Most characters of a node's own words.
    private static let reasonMost = 200

    private let nodes: [ChainID: EVMNode]

    public init(_ nodes: [ChainID: EVMNode]) { self.nodes = nodes }

    public func gas(of question: EVMCallQuestion) async throws -> UInt64 {
        let unknown = Refusal(
            .chainUnavailable, "The chain's node cannot be asked how much gas the call takes.")
        guard let node = nodes[question.chain] else { throw unknown }
        do throws(EVMNode.Failure) {
            return try await node.ask(EVMRPC.gas(of: question))
        } catch {
            // What else a node says, of its provider or its limits, is for its operator.
            guard case .refused(let why) = error, why.lowercased().contains("revert") else {
                throw unknown
            }
            throw Refusal(
                .invalid, field: "calldata",
                "The chain's node says that the call fails: \(why.prefix(Self.reasonMost))")
        }
    }
}
