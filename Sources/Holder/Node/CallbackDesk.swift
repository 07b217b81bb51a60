import Algebra
import Canonical
import Foundation
import Intents
import Logging
import Synchronization

/// A callback server of the operator's, as the holder's configuration names it.
public struct CallbackTarget: Sendable {
    public let server: CallbackServer
    /// Signs its answers.
    public let key: RSAPublicKey

    /// - Parameter address: where it is asked, `http://host:port` or `https://host:port`.
    public init(address: String, key: RSAPublicKey) {
        server = CallbackServer(address: address, publicKey: key.bytes)
        self.key = key
    }
}

/// How patiently a holder asks.
public struct CallbackPatience: Equatable, Sendable {
    /// Of a token that the holder signs, in minutes.
    public static let tokenMinutes = 1...60
    /// Repetitions after the first time; 0 is until the intent expires.
    public static let retries = 0...10_000
    /// Between two times, in seconds.
    public static let sleepSeconds = 1...3600
    /// For one answer, in seconds.
    public static let timeoutSeconds = 1...300

    public var tokenMinutes = 2
    public var retries = 60
    public var sleepSeconds = 60
    public var timeoutSeconds = 10

    public init() {}
}

/// Asks the operator's callback servers what the holder's core wants to know, each one by itself
/// until it has decided or was asked often enough, and posts what they decided. Nothing waits for
/// it: what is asked is kept by the core, and asked again after a restart.
public final class CallbackDesk: Sendable {
    /// Sends a token to an address and returns what came of it.
    public typealias Post =
        @Sendable (_ url: String, _ token: String, _ limit: Duration) async throws ->
        CallbackPost.Answer

    /// An answer that is no decision.
    struct NoDecision: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    private struct Asking {
        var tasks: [Digest: (number: UInt64, task: Task<Void, Never>)] = [:]
        /// How often something was begun.
        var count: UInt64 = 0
    }

    private let targets: [Digest: CallbackTarget]
    private let patience: CallbackPatience
    private let issuer: String
    private let key: SecretBox<RSAKey>
    private let post: Post
    private let clock: @Sendable () -> HolderTime
    private let sleep: @Sendable (Duration) async throws -> Void
    private let log: QuietLog
    private let decided: @Sendable (HolderInput) -> Void
    private let asking = Mutex(Asking())

    /// - Parameters:
    ///   - issuer: what the holder calls itself in its tokens.
    ///   - key: signs what is asked.
    ///   - decided: takes each decision.
    public init(
        _ targets: [CallbackTarget], _ patience: CallbackPatience, issuer: String,
        key: SecretBox<RSAKey>, log: Logger, post: @escaping Post,
        clock: @escaping @Sendable () -> HolderTime = { .machine },
        sleep: @escaping @Sendable (Duration) async throws -> Void = {
            try await Task.sleep(for: $0)
        },
        decided: @escaping @Sendable (HolderInput) -> Void
    ) {
        self.targets = Dictionary(
            targets.map { ($0.server.id, $0) }, uniquingKeysWith: { first, _ in first })
        self.patience = patience
        self.issuer = issuer
        self.key = key
        self.post = post
        self.clock = clock
        self.sleep = sleep
        self.log = QuietLog(log)
        self.decided = decided
    }

    /// Begins to ask; returns at once.
    public func ask(_ consultation: Consultation) {
        asking.withLock { asking in
            asking.count += 1
            let number = asking.count
            let task = Task {
                await self.askAll(consultation)
                self.asking.withLock { asking in
                    guard asking.tasks[consultation.subject]?.number == number else { return }
                    asking.tasks[consultation.subject] = nil
                }
            }
            asking.tasks.updateValue((number, task), forKey: consultation.subject)?.task.cancel()
        }
    }

    /// Asks no more about it.
    public func end(_ subject: Digest) {
        asking.withLock { $0.tasks.removeValue(forKey: subject) }?.task.cancel()
    }

    private func askAll(_ consultation: Consultation) async {
        await withDiscardingTaskGroup { group in
            for server in consultation.servers {
                group.addTask {
                    guard let target = self.targets[server.id],
                        let decision = await self.decision(of: target, on: consultation)
                    else { return }
                    self.decided(
                        .decided(subject: consultation.subject, server: server.id, decision))
                }
            }
        }
    }

    /// What the server decided, or that it was silent; nil if it need not be asked any more.
    func decision(
        of target: CallbackTarget, on consultation: Consultation
    ) async -> ServerDecision? {
        var repetitions = 0
        while true {
            let why: String
            do {
                return try await ask(target, consultation)
            } catch {
                why = "\(error)"
            }
            if Task.isCancelled { return nil }
            log.warn("\(target.server.address) gave no decision: \(why)")
            let next = clock().wall + UInt64(patience.sleepSeconds)
            guard patience.retries == 0 || repetitions < patience.retries,
                next < consultation.expires
            else { return .silent(why: why) }
            repetitions += 1
            do {
                try await sleep(.seconds(patience.sleepSeconds))
            } catch {
                return nil  // cancelled
            }
        }
    }

    private func ask(
        _ target: CallbackTarget, _ consultation: Consultation
    ) async throws -> ServerDecision {
        let expires = clock().wall + UInt64(patience.tokenMinutes) * 60
        let token = key.with {
            PackageToken.seal(consultation.package, issuer: issuer, expires: expires, under: $0)
        }
        let answer = try await post(
            target.server.address + "/v2/check", token, .seconds(patience.timeoutSeconds))
        guard answer.status == 200 else { throw NoDecision("it answered \(answer.status)") }
        return try Self.decision(
            in: answer.body, on: consultation.name, under: target.key, now: clock().wall)
    }

    /// Reads an answer: a token, bare or as a JSON string. A server that says no may call that an
    /// error of its own; only what it signed for this request counts.
    static func decision(
        in body: [UInt8], on name: Digest, under key: RSAPublicKey, now: UInt64
    ) throws -> ServerDecision {
        guard body.count <= CallbackPost.answerBytesMost else { throw CallbackPost.TooLarge() }
        var token = String(decoding: body, as: UTF8.self).trimmingCharacters(
            in: .whitespacesAndNewlines)
        if token.hasPrefix("\""),
            case .string(let inner)? = try? JSONParser.parse(Array(token.utf8))
        {
            token = inner
        }
        let package = try PackageToken.open(token, under: key, now: now)
        guard let said = try? JSONParser.parse(package) else {
            throw NoDecision("its package is no JSON")
        }
        guard said["request_id"] == .string(name.hex) else {
            throw NoDecision("it answered another request")
        }
        var why = ""
        if case .string(let text)? = said["error"] { why = printable(text) }
        switch (said["status"], said["action"]) {
        case (_, .string("REJECT")): return .rejected(why: why)
        case (.number("0"), .string("APPROVE")): return .approved
        case (.number(let status), _): throw NoDecision("it answered status \(status) \(why)")
        default: throw NoDecision("its answer has neither status nor action")
        }
    }

    /// A server's words, fit for a log.
    private static func printable(_ text: String) -> String {
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(ServerDecision.whyMost) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: shown.append(" ")
            default: shown.append(scalar)
            }
        }
        return String(shown)
    }
}
