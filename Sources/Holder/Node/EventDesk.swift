import Algebra
import Canonical
import Intents
import Logging

extension CallbackPatience {
    /// With event servers: until they have heard.
    public static let events: CallbackPatience = {
        var patience = CallbackPatience()
        patience.retries = 0
        return patience
    }()
}

/// Tells the operator's event servers what the holder's core wants them to know, and posts what
/// they have acknowledged. The core gives it one event for a server at a time, keeps it until then,
/// and waits for nothing here.
public final class EventDesk: Sendable {
    /// An answer that acknowledges nothing.
    struct NotHeard: Error, CustomStringConvertible {
        let description: String
    }

    private let patience: CallbackPatience
    private let issuer: String
    private let key: SecretBox<RSAKey>
    private let post: CallbackDesk.Post
    private let clock: @Sendable () -> HolderTime
    private let sleep: @Sendable (Duration) async throws -> Void
    private let log: QuietLog
    private let delivered: @Sendable (HolderInput) -> Void

    /// - Parameters:
    ///   - issuer: what the holder calls itself in its tokens.
    ///   - key: signs what is told.
    ///   - delivered: is told what a server need not be told any more.
    public init(
        _ patience: CallbackPatience, issuer: String, key: SecretBox<RSAKey>, log: Logger,
        post: @escaping CallbackDesk.Post,
        clock: @escaping @Sendable () -> HolderTime = { .machine },
        sleep: @escaping @Sendable (Duration) async throws -> Void = {
            try await Task.sleep(for: $0)
        },
        delivered: @escaping @Sendable (HolderInput) -> Void
    ) {
        self.patience = patience
        self.issuer = issuer
        self.key = key
        self.post = post
        self.clock = clock
        self.sleep = sleep
        self.log = QuietLog(log)
        self.delivered = delivered
    }

    /// Begins to tell; returns at once.
    public func deliver(_ event: HolderEvent, to server: EventServer) {
        Task {
            guard await self.isSettled(event, to: server) else { return }
            self.delivered(.delivered(event: event.id, server: server.id))
        }
    }

    /// Whether the server need not be told any more: it has heard, or was told often enough.
    private func isSettled(_ event: HolderEvent, to server: EventServer) async -> Bool {
        var repetitions = 0
        while true {
            do {
                try await tell(event, to: server)
                return true
            } catch {
                log.warn("\(server.address) acknowledged no event: \(error)")
            }
            guard patience.retries == 0 || repetitions < patience.retries else {
                log.warn("\(server.address) is told no more of an event it never acknowledged")
                return true
            }
            repetitions += 1
            do {
                try await sleep(.seconds(patience.sleepSeconds))
            } catch {
                return false  // cancelled
            }
        }
    }

    /// Tells once.
    ///
    /// - Throws: if the server did not acknowledge it in time.
    public func tell(_ event: HolderEvent, to server: EventServer) async throws {
        let expires = clock().wall + UInt64(patience.tokenMinutes) * 60
        let token = key.with {
            PackageToken.seal(event.package, issuer: issuer, expires: expires, under: $0)
        }
        let answer = try await post(
            server.address + "/v2/event", token, .seconds(patience.timeoutSeconds))
        guard [200, 201].contains(answer.status) else {
            throw NotHeard(description: "it answered \(answer.status)")
        }
    }
}
