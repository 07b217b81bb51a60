/// Work took longer than it may.
struct DeadlinePassed: Error, CustomStringConvertible {
    let limit: Duration
    var description: String { "no whole answer within \(limit)" }
}

/// Does the work, and gives it up when the time is over. It must end soon when it is cancelled:
/// this returns only when it has.
func withDeadline<Result: Sendable>(
    _ limit: Duration, _ work: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await work() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let result = first else {
            throw DeadlinePassed(limit: limit)
        }
        // What a cancelled work returns may be half of it.
        try Task.checkCancellation()
        return result
    }
}
