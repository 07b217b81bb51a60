import Synchronization

/// How the writers shared commits since the process began.
public struct CommitCounts: Equatable, Sendable {
    /// Upper bounds of `batches`' places, in jobs; the last is the most that one commit takes.
    public static let bounds = [1, 2, 4, 8, 16, 32, 64, 128, 256]

    /// Commits by the number of their jobs: each counts at the first bound that it does not exceed.
    public fileprivate(set) var batches = [Int](repeating: 0, count: CommitCounts.bounds.count)
    /// Jobs of all commits.
    public fileprivate(set) var jobs = 0
    /// Commits that failed, with everything in them.
    public fileprivate(set) var failed = 0

    public var commits: Int { batches.reduce(0, +) }
}

/// Counts for `GroupCommit`.
final class CommitCounter: Sendable {
    private let counts = Mutex(CommitCounts())

    var current: CommitCounts { counts.withLock { $0 } }

    func committed(jobs: Int) {
        let place =
            CommitCounts.bounds.firstIndex { jobs <= $0 } ?? CommitCounts.bounds.count - 1
        counts.withLock {
            $0.batches[place] += 1
            $0.jobs += jobs
        }
    }

    func failed() { counts.withLock { $0.failed += 1 } }
}
