import Canonical
import Identity
import Synchronization

extension IPAddress {
    /// Whom it is counted for: of IPv6 the /64, which is one customer's.
    var place: String { Hex.encode(bytes.prefix(8)) }
}

/// The connections that are open, by the address at the other end, over all doors.
final class Connections: Sendable {
    private struct State {
        var open = 0
        var byPlace: [String: Int] = [:]
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
        let ip = IPAddress(address)
        let isLimited = ip.map { ip in !unlimited.contains { $0.contains(ip) } } ?? true
        let place = ip?.place ?? address
        return state.withLock {
            $0.open += 1
            $0.byPlace[place, default: 0] += 1
            return !isLimited || $0.byPlace[place, default: 0] <= perAddressMost
        }
    }

    func closed(from address: String) {
        let place = IPAddress(address)?.place ?? address
        state.withLock {
            $0.open -= 1
            let left = $0.byPlace[place, default: 1] - 1
            $0.byPlace[place] = left > 0 ? left : nil
        }
    }
}
