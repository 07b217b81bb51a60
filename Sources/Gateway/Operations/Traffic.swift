import HTTPTypes
import Synchronization

/// What went through the doors since the process began. Places are bounded by the routes that there
/// are: a path that is none of ours, or a method that is no usual one, has no place of its own.
final class Traffic: Sendable {
    /// In place of a route where there is none.
    static let unknown = "none"
    private static let methods: Set<HTTPRequest.Method> = [
        .get, .head, .post, .put, .patch, .delete, .options,
    ]
    /// Upper bounds of durations, in milliseconds.
    private static let bounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]

    private struct Place: Hashable {
        let route: String
        let method: String
    }

    private struct Count {
        /// By class: 1xx to 5xx.
        var statuses = [Int](repeating: 0, count: 5)
        var durations = [Int](repeating: 0, count: Traffic.bounds.count + 1)
        var total = Duration.zero

        mutating func add(_ kind: Int, _ bound: Int, _ took: Duration) {
            statuses[kind] += 1
            durations[bound] += 1
            total += took
        }
    }

    private let counts = Mutex<[Place: Count]>([:])
    private let inFlight = Atomic(0)
    private let unreadable = Atomic(0)

    func began() { inFlight.add(1, ordering: .relaxed) }

    func ended(
        _ route: String, _ method: HTTPRequest.Method, _ status: HTTPResponse.Status,
        _ took: Duration
    ) {
        inFlight.subtract(1, ordering: .relaxed)
        let place = Place(
            route: route, method: Self.methods.contains(method) ? method.rawValue : "other")
        let bound = Self.bounds.firstIndex { took <= .milliseconds($0) } ?? Self.bounds.count
        let kind = min(max(status.code / 100, 1), 5) - 1
        counts.withLock {
            $0[place, default: Count()].add(kind, bound, took)
        }
    }

    /// A connection brought no HTTP, no TLS, or broke.
    func noteUnreadable() { unreadable.add(1, ordering: .relaxed) }

    var families: [MetricFamily] {
        var requests = MetricFamily(
            "quorumkeep_http_requests_total", .counter,
            "Requests that were answered, by route, method and class of status.")
        var durations = MetricFamily(
            "quorumkeep_http_request_duration_seconds", .histogram,
            "From a request's head to its answer, by route and method.")
        let counted = counts.withLock { $0 }.sorted {
            ($0.key.route, $0.key.method) < ($1.key.route, $1.key.method)
        }
        let bounds = Self.bounds.map { MetricFamily.seconds(.milliseconds($0)) }
        for (place, count) in counted {
            let labels = [("route", place.route), ("method", place.method)]
            for (kind, number) in count.statuses.enumerated() where number > 0 {
                requests.add(labels + [("status", "\(kind + 1)xx")], number)
            }
            durations.add(
                labels, bounds: bounds, counts: count.durations,
                sum: MetricFamily.seconds(count.total))
        }
        return [
            requests, durations,
            MetricFamily(
                "quorumkeep_http_requests_in_flight", .gauge, "Requests that are being answered.",
                inFlight.load(ordering: .relaxed)),
            MetricFamily(
                "quorumkeep_http_unreadable_total", .counter,
                "Times that a connection broke, or brought no HTTP or TLS.",
                unreadable.load(ordering: .relaxed)),
        ]
    }
}
