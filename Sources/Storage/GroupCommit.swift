import Dispatch
import GRDB
import Synchronization

/// Lets concurrent writers share one commit, and so one flush to disk: while one batch is being
/// committed the next one gathers. Each job has a savepoint of its own, so that it fails alone, and
/// hears of its success only after the commit.
final class GroupCommit: Sendable {
    /// Most jobs of one commit: bounds how long the first of a batch waits for the last.
    private static let batchMost = 256

    private struct Job: Sendable {
        /// Does the work; what it returns tells the writer how the commit went.
        let run: @Sendable (Database) -> @Sendable ((any Error)?) -> Void
        /// Tells the writer that the work was not done.
        let fail: @Sendable (any Error) -> Void
    }

    private struct State {
        var waiting: [Job] = []
        var isDraining = false
    }

    let counter = CommitCounter()
    private let pool: DatabasePool
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "quorumkeep.commit")

    init(_ pool: DatabasePool) { self.pool = pool }

    func write<Result: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let run: @Sendable (Database) -> @Sendable ((any Error)?) -> Void = { db in
                let outcome = Swift.Result { () throws -> Result in
                    var result: Result?
                    try db.inSavepoint {
                        result = try body(db)
                        return .commit
                    }
                    guard let result else { preconditionFailure("a savepoint that was kept") }
                    return result
                }
                return { failure in
                    if let failure {
                        continuation.resume(throwing: failure)
                    } else {
                        continuation.resume(with: outcome)
                    }
                }
            }
            let job = Job(run: run, fail: { continuation.resume(throwing: $0) })
            let mustDrain = state.withLock { state in
                state.waiting.append(job)
                defer { state.isDraining = true }
                return !state.isDraining
            }
            if mustDrain { queue.async { self.drain() } }
        }
    }

    private func drain() {
        while let batch = nextBatch() {
            var finish: [@Sendable ((any Error)?) -> Void] = []
            do {
                try pool.writeWithoutTransaction { db in
                    try db.inTransaction(.immediate) {
                        for job in batch { finish.append(job.run(db)) }
                        return .commit
                    }
                }
                counter.committed(jobs: batch.count)
                for done in finish { done(nil) }
            } catch {
                counter.failed()
                // Nothing of the batch is stored. Jobs that never ran hear of it as well.
                for done in finish { done(error) }
                for job in batch.dropFirst(finish.count) { job.fail(error) }
            }
        }
    }

    private func nextBatch() -> [Job]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isDraining = false
                return nil
            }
            let batch = Array(state.waiting.prefix(Self.batchMost))
            state.waiting.removeFirst(batch.count)
            return batch
        }
    }
}
