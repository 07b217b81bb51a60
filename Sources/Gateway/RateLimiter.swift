import Synchronization

/// Lets each caller do so much a second, with bursts; remembers a bounded number of callers.
final class RateLimiter: Sendable {
    private static let callersMost = 100_000

    private struct Bucket {
        var tokens: Double
        var at: ContinuousClock.Instant
    }

    private let perSecond: Double
    private let burst: Double
    private let buckets = Mutex<[String: Bucket]>([:])

    init(_ limit: RateLimit) {
        perSecond = Double(limit.perMinute) / 60
        burst = Double(limit.burst)
    }

    /// Takes one token of the caller.
    ///
    /// - Returns: nil if there was one, else the seconds until there is.
    func take(_ caller: String, at now: ContinuousClock.Instant = .now) -> Int? {
        buckets.withLock { buckets in
            if buckets.count >= Self.callersMost, buckets[caller] == nil {
                // A full bucket says nothing: forget those, and if none is, everyone starts anew.
                buckets = buckets.filter { filled($0.value, now) < burst }
                if buckets.count >= Self.callersMost { buckets = [:] }
            }
            var bucket = buckets[caller] ?? Bucket(tokens: burst, at: now)
            bucket.tokens = filled(bucket, now)
            bucket.at = now
            defer { buckets[caller] = bucket }
            guard bucket.tokens >= 1 else {
                return max(1, Int(((1 - bucket.tokens) / perSecond).rounded(.up)))
            }
            bucket.tokens -= 1
            return nil
        }
    }

    private func filled(_ bucket: Bucket, _ now: ContinuousClock.Instant) -> Double {
        let passed = bucket.at.duration(to: now)
        let seconds =
            Double(passed.components.seconds) + Double(passed.components.attoseconds) / 1e18
        return min(burst, bucket.tokens + seconds * perSecond)
    }
}
