import Custody
import Identity

/// Tells a tenant when one of its keys is used from where, or for what, it is not for. One alert
/// a minute for each key, address and kind, so that whoever causes them cannot fill the store.
final class Alarm: Sendable {
    private let custody: Bookkeeper
    private let perPlace = RateLimiter(RateLimit(perMinute: 1, burst: 1))
    /// A thief with many addresses is one matter.
    private let perKey = RateLimiter(RateLimit(perSecond: 1, burst: 60))

    init(custody: Bookkeeper) { self.custody = custody }

    /// Stores the alert in a transaction of its own: what it is about has left nothing.
    func raise(_ kind: SecurityAlert.Kind, _ caller: some KnownCaller) async throws {
        let place = "\(kind.rawValue) \(caller.name) \(caller.origin.address?.text ?? "")"
        guard perPlace.take(place) == nil, perKey.take(caller.name) == nil else { return }
        try await custody.write(as: caller.actor) { try $0.alert(kind) }
    }
}
