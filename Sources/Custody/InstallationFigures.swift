import Chains

/// What an operator watches of an installation: counts over all tenants, none of which names one.
public struct InstallationFigures: Equatable, Sendable {
    public struct Place: Hashable, Sendable {
        public let kind: Transaction.Kind
        public let status: Transaction.Status

        public init(kind: Transaction.Kind, status: Transaction.Status) {
            self.kind = kind
            self.status = status
        }
    }

    /// Transactions that have not ended; a place that is missing has none.
    public let underWay: [Place: Int]
    /// What wallets owe to what is held, by asset; an asset that is missing has none.
    public let suspense: [String: Amount]
    /// Events whose delivery has not ended, and since when the oldest of them waits.
    public let eventsWaiting: Int
    public let oldestWaiting: Timestamp?
    /// Events that were given up, and are kept.
    public let eventsDead: Int
    public let holders: Int
    public let holdersOnline: Int
    public let chains: [ChainState]

    public init(
        underWay: [Place: Int], suspense: [String: Amount], eventsWaiting: Int,
        oldestWaiting: Timestamp?, eventsDead: Int, holders: Int, holdersOnline: Int,
        chains: [ChainState]
    ) {
        self.underWay = underWay
        self.suspense = suspense
        self.eventsWaiting = eventsWaiting
        self.oldestWaiting = oldestWaiting
        self.eventsDead = eventsDead
        self.holders = holders
        self.holdersOnline = holdersOnline
        self.chains = chains
    }
}
