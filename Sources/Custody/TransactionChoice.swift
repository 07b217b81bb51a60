import Canonical
import Intents

/// Transactions that are one of several things; nil where it does not matter.
public struct TransactionChoice: Equatable, Sendable {
    /// A status, and of what failed whether somebody has refused it.
    public struct Outcome: Equatable, Sendable {
        public let status: Transaction.Status
        public let isRefused: Bool

        public init(_ status: Transaction.Status, isRefused: Bool = false) {
            self.status = status
            self.isRefused = isRefused
        }
    }

    public var ids: [TransactionID]?
    public var hashes: [Digest]?
    public var externalID: String?
    public var kinds: [Transaction.Kind]?
    public var outcomes: [Outcome]?
    public var vaults: [VaultID]?
    public var assets: [String]?
    /// Of vaults below this key vault, this project's, or one of this kind.
    public var below = VaultFilter()

    public init() {}
}
