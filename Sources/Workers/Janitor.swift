import Custody
import Logging

/// Forgets what is too old to matter: answers to idempotency keys, signatures past their window,
/// and announcements that have expired.
public struct Janitor: Sendable {
    private static let pause = Duration.seconds(600)

    private let custody: Bookkeeper
    private let log: Logger

    public init(custody: Bookkeeper, log: Logger) {
        self.custody = custody
        self.log = log
    }

    public func run() async {
        while !Task.isCancelled {
            do {
                try await custody.write { books in
                    try books.store.purge(
                        answersBefore: books.now.adding(seconds: -Once.keptSeconds),
                        signaturesBefore: books.now)
                    try books.store.forgetAnnouncements(before: books.now)
                }
            } catch {
                log.error("purging failed: \(error)")
            }
            try? await Task.sleep(for: Self.pause)
        }
    }
}
