import Algebra
import Canonical
import Identity
import Intents

/// What a caller may repeat without it happening twice.
public struct Once: Sendable {
    public static let keyMost = 255
    /// How long an answer is kept, in seconds.
    public static let keptSeconds: Int64 = 48 * 3600

    /// The caller's key; nil if it sent none.
    public let key: String?
    /// Hash over method, path and body: what the key stands for.
    public let fingerprint: Digest

    public init(key: String?, fingerprint: Digest) throws(Refusal) {
        if let key {
            let isPlain = key.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
            guard isPlain, (1...Self.keyMost).contains(key.utf8.count) else {
                throw Refusal(
                    .invalid, field: "Idempotency-Key",
                    "'Idempotency-Key' must have 1 to \(Self.keyMost) printable ASCII characters.")
            }
        }
        self.key = key
        self.fingerprint = fingerprint
    }
}

/// A signature that must not be accepted again, and until when.
public struct SignatureClaim: Sendable {
    public let signature: [UInt8]
    public let until: Timestamp

    public init(signature: [UInt8], until: Timestamp) {
        self.signature = signature
        self.until = until
    }
}

/// The signature of this request was seen before, and it carries no known idempotency key.
public struct Replayed: Error, Equatable {
    public init() {}
}

/// The request's nonce is no time, and its key has used as many of these as are remembered.
public struct NoncesSpent: Error, Equatable {
    public init() {}
}

extension Books {
    /// Does `work` unless it was done before: what is stored is the answer, in the same transaction
    /// as the effect. A repeated idempotency key gets the stored answer; a repeated signature
    /// without one is a replay. A refusal stores nothing.
    public func once(
        _ once: Once, by caller: APIKeyID, claiming claim: SignatureClaim,
        _ work: (Books) throws -> (status: Int, body: [UInt8])
    ) throws -> StoredAnswer {
        if let key = once.key, let stored = try store.storedAnswer(key, of: caller) {
            guard stored.fingerprint == once.fingerprint else {
                throw Refusal(
                    .idempotencyKeyReused, field: "Idempotency-Key",
                    "The idempotency key was used for another request.")
            }
            return try opened(stored, key, caller)
        }
        guard try store.claim(signature: claim.signature, of: caller, until: claim.until) else {
            throw Replayed()
        }
        let result = try work(self)
        let answer = StoredAnswer(
            fingerprint: once.fingerprint, status: result.status, body: result.body, at: now)
        try keep(answer, once, caller)
        return answer
    }

    /// Notes a request that had no effect: its signature counts no more. With a failure of ours in
    /// place of an answer, a repetition gets that too.
    public func failed(
        _ once: Once?, by caller: APIKeyID, claiming claim: SignatureClaim,
        with failure: (status: Int, body: [UInt8])?
    ) throws {
        _ = try store.claim(signature: claim.signature, of: caller, until: claim.until)
        guard let failure, let once, let key = once.key,
            try store.storedAnswer(key, of: caller) == nil
        else { return }
        try keep(
            StoredAnswer(
                fingerprint: once.fingerprint, status: failure.status, body: failure.body, at: now),
            once, caller)
    }

    /// Answers may hold secrets, so they are stored sealed.
    private func keep(_ answer: StoredAnswer, _ once: Once, _ caller: APIKeyID) throws {
        guard let key = once.key else { return }
        let sealed =
            answer.body.isEmpty
            ? []
            : vaultKey.key.sealForStorage(
                answer.body, authenticating: Self.context(key, caller))
        let stored = StoredAnswer(
            fingerprint: answer.fingerprint, status: answer.status, body: sealed, at: answer.at)
        try store.insert(stored, key: key, of: caller)
    }

    private func opened(
        _ stored: StoredAnswer, _ key: String, _ caller: APIKeyID
    ) throws -> StoredAnswer {
        guard !stored.body.isEmpty else { return stored }
        guard
            let body = vaultKey.key.openStored(
                stored.body, authenticating: Self.context(key, caller))
        else { throw LedgerFault.impossible("answer to \(caller)") }
        return StoredAnswer(
            fingerprint: stored.fingerprint, status: stored.status,
            body: body.withBytes { Array($0) }, at: stored.at)
    }

    private static func context(_ key: String, _ caller: APIKeyID) -> [UInt8] {
        Array("quorumkeep/stored-answer/v1/\(caller)/\(key)".utf8)
    }
}

extension Digest {
    /// Of what a resource with an external id is made with: the same again gives what there is,
    /// however it was changed since.
    static func content(_ parts: [String]) -> Digest {
        .sha256(parts.flatMap { UInt64($0.utf8.count).bigEndianBytes + Array($0.utf8) })
    }
}
