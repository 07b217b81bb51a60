import Custody
import Logging

/// Forgets what is too old to matter: answers to idempotency keys, signatures past their window,
/// announcements that have expired, and events whose delivery has ended.
public struct Janitor: Sendable {
    private static let pause = Duration.seconds(600)
    /// Events of one commit: others want to write too.
    private static let eventsAtOnce = 500

    private let custody: Bookkeeper
    private let eventsKeptDays: Int
    private let log: Logger

    public init(custody: Bookkeeper, eventsKeptDays: Int, log: Logger) {
        self.custody = custody
        self.eventsKeptDays = eventsKeptDays
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
                try await forgetEvents()
            } catch {
                log.error("purging failed: \(error)")
            }
            try? await Task.sleep(for: Self.pause)
        }
    }
    /// Forgets events that are older than they are kept.
    func forgetEvents() async throws {
        let seconds = Int64(eventsKeptDays) * 24 * 3600
        var last = Self.eventsAtOnce
        while last == Self.eventsAtOnce, !Task.isCancelled {
            last = try await custody.write { books in
                try books.store.purgeEvents(
                    before: books.now.adding(seconds: -seconds), most: Self.eventsAtOnce)
            }
        }
    }
}
