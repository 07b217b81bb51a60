import Custody
import Identity
import Intents
import Synchronization

/// Counts requests by tenant, day and endpoint, and when each key was last used. What is counted
/// is in memory for a second at most; a crash loses that much.
final class UsageMeter: Sendable {
    private static let pause = Duration.seconds(1)

    private struct Place: Hashable {
        let tenant: TenantID
        let day: Int64
        let endpoint: String
    }

    private struct Counted {
        var requests: [Place: Int64] = [:]
        var used: [APIKeyID: Timestamp] = [:]
        var usedPublic: [APIPublicKey: Timestamp] = [:]

        var isEmpty: Bool { requests.isEmpty }
    }

    private let counted = Mutex(Counted())

    func count(_ key: APIKey, _ endpoint: String, at now: Timestamp) {
        let place = Place(tenant: key.tenant, day: now.day, endpoint: endpoint)
        counted.withLock {
            $0.requests[place, default: 0] += 1
            $0.used[key.id] = now
        }
    }

    func count(_ key: PublicAPIKey, _ endpoint: String, at now: Timestamp) {
        let place = Place(tenant: key.tenant, day: now.day, endpoint: endpoint)
        counted.withLock {
            $0.requests[place, default: 0] += 1
            $0.usedPublic[key.id] = now
        }
    }

    /// Stores what has been counted; if that fails it stays counted.
    func flush(to custody: Bookkeeper) async throws {
        let taken = counted.withLock { counted in
            defer { counted = Counted() }
            return counted
        }
        guard !taken.isEmpty else { return }
        do {
            try await custody.write { books in
                for (place, count) in taken.requests {
                    try books.store.add(
                        UsageCount(
                            tenant: place.tenant, day: place.day, endpoint: place.endpoint,
                            count: count))
                }
                for (key, at) in taken.used { try books.store.setUsed(key, at: at) }
                for (key, at) in taken.usedPublic { try books.store.setUsed(key, at: at) }
            }
        } catch {
            counted.withLock { counted in
                counted.requests.merge(taken.requests, uniquingKeysWith: +)
                counted.used.merge(taken.used, uniquingKeysWith: max)
                counted.usedPublic.merge(taken.usedPublic, uniquingKeysWith: max)
            }
            throw error
        }
    }

    /// Flushes each second until it is cancelled, and then once more.
    func run(_ custody: Bookkeeper, failed: @Sendable (any Error) -> Void) async {
        var isLast = false
        while !isLast {
            // Cut short when the platform stops.
            isLast = (try? await Task.sleep(for: Self.pause)) == nil
            do {
                try await flush(to: custody)
            } catch {
                failed(error)
            }
        }
    }
}
