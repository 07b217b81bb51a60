import Identity
import Synchronization

/// The connections that are open, by the address at the other end, over all doors.
final class Connections: Sendable {
    private struct State {
        var open = 0
        var byAddress: [String: Int] = [:]
    }

    private let perAddressMost: Int
    private let unlimited: [AddressRange]
    private let state = Mutex(State())

    /// - Parameter unlimited: proxies, who speak for many.
    init(perAddressMost: Int, unlimited: [AddressRange]) {
        self.perAddressMost = perAddressMost
        self.unlimited = unlimited
    }

    var open: Int { state.withLock { $0.open } }

    /// Counts one that was opened, which is closed in any case.
    ///
    /// - Returns: whether it may stay.
    func opened(from address: String) -> Bool {
        let isLimited =
            IPAddress(address).map { ip in !unlimited.contains { $0.contains(ip) } } ?? true
        return state.withLock {
            $0.open += 1
            $0.byAddress[address, default: 0] += 1
            return !isLimited || $0.byAddress[address, default: 0] <= perAddressMost
        }
    }

    func closed(from address: String) {
        state.withLock {
            $0.open -= 1
            let left = $0.byAddress[address, default: 1] - 1
            $0.byAddress[address] = left > 0 ? left : nil
        }
    }
}
