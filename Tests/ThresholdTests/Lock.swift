import Foundation

/// A lock for what tests share.
final class Lock: Sendable {
    private let lock = NSLock()

    func with<Result>(_ body: () throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body()
    }
}
