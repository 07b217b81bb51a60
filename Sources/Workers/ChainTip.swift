import Custody
import Synchronization

/// The newest block that a chain's node spoke of, for who watches how far behind we are.
public final class ChainTip: Sendable {
    private let last = Mutex<(number: UInt64, at: Timestamp)?>(nil)

    public init() {}

    /// nil until the node has answered.
    public var seen: (number: UInt64, at: Timestamp)? { last.withLock { $0 } }

    func note(_ number: UInt64, at now: Timestamp) { last.withLock { $0 = (number, now) } }
}
