import Algebra
import Canonical
import Chains
import GRDB
import Holder
import Intents
import KeyGroups
import Threshold

/// A holder's store in one SQLite file, written by one connection.
///
/// A transaction is on disk when `commit` returns: WAL with `synchronous=FULL`, read back at start.
public final class HolderDatabase: HolderStore {
    /// Envelopes kept as evidence; the oldest go first.
    static let evidenceMost = 10_000

    let queue: DatabaseQueue
    /// Set while a transaction is open.
    private var current: Database?
    /// A failure in a verb that cannot throw, thrown when the transaction ends.
    private var failure: (any Error)?

    struct NotDurable: Error, CustomStringConvertible {
        let description = "SQLite did not take synchronous=FULL"
    }

    struct Corrupt: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter path: the database file, or nil for one in memory (tests).
    public init(path: String?) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA journal_mode = WAL")
            try db.execute(sql: "PRAGMA synchronous = FULL")
            try db.execute(sql: "PRAGMA secure_delete = ON")
        }
        if let path {
            queue = try DatabaseQueue(path: path, configuration: configuration)
        } else {
            queue = try DatabaseQueue(configuration: configuration)
        }
        let level = try queue.read { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
        guard level == 2 else { throw NotDurable() }
        guard try queue.read(HolderSchema.migrator.hasBeenSuperseded) == false else {
            throw Corrupt(
                description:
                    "\(path ?? "it") was written by another version, which this one cannot read: "
                    + "use that version, or begin with a new data directory"
            )
        }
        try HolderSchema.migrator.migrate(queue)
    }

    public func commit<Result>(_ body: () throws -> Result) throws -> Result {
        failure = nil
        var result: Result?
        try queue.inTransaction(.immediate) { db in
            current = db
            defer { current = nil }
            result = try body()
            if let failure { throw failure }
            return .commit
        }
        guard let result else { preconditionFailure("a committed transaction has a result") }
        return result
    }

    /// The open transaction's connection; a verb outside `commit` is a bug.
    private var db: Database {
        guard let current else { preconditionFailure("a store verb outside of a transaction") }
        return current
    }

    func run(_ sql: String, _ arguments: StatementArguments = []) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    func row(_ sql: String, _ arguments: StatementArguments = []) throws -> Row? {
        try Row.fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    func rows(_ sql: String, _ arguments: StatementArguments = []) throws -> [Row] {
        try Row.fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }

    /// Inserts, and says whether the row is new.
    private func insertNew(_ sql: String, _ arguments: StatementArguments) throws -> Bool {
        try run(sql, arguments)
        return db.changesCount == 1
    }
}

// Keys.
extension HolderDatabase {
    private static let keyColumns = """
        group_id, epoch, scheme, kind, my_index, state, certificate_digest, descriptor,
        contributions, public_key, chain_code, verifying_shares, echo, intent, testimony
        """

    public func keys(of group: GroupID) throws -> [KeyRecord] {
        try rows("SELECT \(Self.keyColumns) FROM keys WHERE group_id = ?", [group.data])
            .map(Self.key)
    }

    public func unfinishedKeys() throws -> [KeyRecord] {
        try rows("SELECT \(Self.keyColumns) FROM keys WHERE state IN ('pending', 'certified')")
            .map(Self.key)
    }

    public func insert(_ key: KeyRecord, sealedShare: [UInt8]) throws -> Bool {
        let contributions = key.contributions.flatMap { $0.nonce + $0.ephemeral.bytes }
        let shares = key.roster.indices.flatMap { key.key.verifyingShares[$0] ?? [] }
        return try insertNew(
            """
            INSERT INTO keys (\(Self.keyColumns), sealed_share)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
            """,
            [
                key.group.data, Int64(clamping: key.epoch), Int64(clamping: key.scheme.rawValue),
                Int64(clamping: key.kind.rawValue), Int64(clamping: key.me.raw), key.state.rawValue,
                key.certificateDigest.data, key.descriptor.bytes.data, contributions.data,
                key.key.publicKey.data, key.key.chainCode.data, shares.data,
                key.echo.data, key.intent.data, key.testimony.bytes.data, sealedShare.data,
            ])
    }

    public func update(_ key: KeyRecord) throws {
        try run(
            "UPDATE keys SET state = ?, testimony = ? WHERE group_id = ? AND epoch = ?",
            [
                key.state.rawValue, key.testimony.bytes.data, key.group.data,
                Int64(clamping: key.epoch),
            ])
    }

    public func sealedShare(of group: GroupID, epoch: UInt64) throws -> [UInt8]? {
        try row(
            "SELECT sealed_share FROM keys WHERE group_id = ? AND epoch = ?",
            [group.data, Int64(clamping: epoch)]
        )?.bytes(0)
    }

    public func replaceSealedShare(of group: GroupID, epoch: UInt64, with sealed: [UInt8]) throws {
        try run(
            "UPDATE keys SET sealed_share = ? WHERE group_id = ? AND epoch = ?",
            [sealed.data, group.data, Int64(clamping: epoch)])
    }

    public func retiredKeys() throws -> [KeyRecord] {
        try rows("SELECT \(Self.keyColumns) FROM keys WHERE state = 'retired'").map(Self.key)
    }

    public func destroyShare(of group: GroupID, epoch: UInt64) throws {
        try run(
            """
            UPDATE keys SET sealed_share = NULL, state = 'destroyed'
            WHERE group_id = ? AND epoch = ?
            """, [group.data, Int64(clamping: epoch)])
    }

    public func activeKeys() throws -> [KeyRecord] {
        try rows("SELECT \(Self.keyColumns) FROM keys WHERE state = 'active'").map(Self.key)
    }

    public func joined(root: [UInt8]) throws -> UInt64? {
        try row("SELECT at FROM joined_roots WHERE root = ?", [root.data])?.number("at")
    }

    public func keepJoined(root: [UInt8], at time: UInt64) throws {
        try run(
            """
            INSERT INTO joined_roots VALUES (?, ?)
            ON CONFLICT DO UPDATE SET at = max(at, excluded.at)
            """, [root.data, Int64(clamping: time)])
    }

    private static func key(_ row: Row) throws -> KeyRecord {
        let descriptor = try RunDescriptor(try row.required("descriptor"))
        let contributions: [UInt8] = try row.required("contributions")
        let shares: [UInt8] = try row.required("verifying_shares")
        guard let plan = descriptor.plan, let group = GroupID(try row.required("group_id")),
            let scheme = SignatureScheme(rawValue: try row.number("scheme")),
            let kind = GroupKind(rawValue: try row.number("kind")),
            let me = ParticipantIndex(row["my_index"] as Int64),
            let state = KeyRecord.State(rawValue: row["state"]),
            let certificate = Digest(try row.required("certificate_digest")),
            let echo = Digest(try row.required("echo")),
            let intent = Digest(try row.required("intent")),
            let key = AnySharedKey(
                scheme, threshold: plan.threshold, publicKey: try row.required("public_key"),
                chainCode: try row.required("chain_code"),
                verifyingShares: verifyingShares(shares, plan.holders))
        else { throw Corrupt(description: "a row of keys does not decode") }
        return KeyRecord(
            group: group, epoch: try row.number("epoch"), scheme: scheme, kind: kind,
            roster: plan.holders, me: me, key: key, certificateDigest: certificate,
            descriptor: descriptor, contributions: parts(contributions), echo: echo,
            intent: intent, state: state, testimony: try KeyTestimony(row.required("testimony")))
    }

    private static func verifyingShares(
        _ bytes: [UInt8], _ holders: Roster
    ) -> [ParticipantIndex: [UInt8]] {
        let size = bytes.count / holders.indices.count
        var shares: [ParticipantIndex: [UInt8]] = [:]
        for (number, index) in holders.indices.enumerated() {
            shares[index] = Array(bytes.dropFirst(number * size).prefix(size))
        }
        return shares
    }

    private static func parts(_ bytes: [UInt8]) -> [RunContribution] {
        stride(from: 0, to: bytes.count, by: 64).compactMap { start in
            EphemeralPublicKey(bytes.dropFirst(start + 32).prefix(32)).map {
                RunContribution(nonce: Array(bytes[start..<start + 32]), ephemeral: $0)
            }
        }
    }
}

// Fences, bans, evidence.
extension HolderDatabase {
    public func use(descriptor: Digest) throws -> Bool {
        try insertNew(
            "INSERT INTO used_descriptors VALUES (?) ON CONFLICT DO NOTHING", [descriptor.data])
    }

    public func claim(_ run: RunID) -> Bool {
        do {
            return try insertNew(
                "INSERT INTO used_runs VALUES (?) ON CONFLICT DO NOTHING", [run.data])
        } catch {
            failure = error
            return false
        }
    }

    public func recordLast(run: RunID, item: UInt16, hash: Digest, intent: Digest) throws -> Bool {
        try insertNew(
            "INSERT INTO last_messages VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [run.data, Int64(clamping: item), hash.data, intent.data])
    }

    public func hasLast(for intent: Digest) throws -> Bool {
        try row("SELECT 1 FROM last_messages WHERE intent = ? LIMIT 1", [intent.data]) != nil
    }

    public func add(_ ban: Ban) throws {
        try run(
            "INSERT INTO bans VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [
                ban.group.data, Int64(clamping: ban.epoch), ban.peer.data, ban.run.data,
                ban.reason.rawValue,
                Int64(clamping: ban.at),
            ])
    }

    public func banned(group: GroupID, epoch: UInt64) throws -> Set<IdentityPublicKey> {
        Set(
            try rows(
                "SELECT peer FROM bans WHERE group_id = ? AND epoch = ?",
                [group.data, Int64(clamping: epoch)]
            ).compactMap { $0.bytes(0).flatMap { IdentityPublicKey($0) } })
    }

    public func countDiscardedSetup(group: GroupID, peer: IdentityPublicKey) throws -> Int {
        try run(
            """
            INSERT INTO discarded_setups VALUES (?, ?, 1)
            ON CONFLICT DO UPDATE SET count = count + 1
            """, [group.data, peer.data])
        return try row(
            "SELECT count FROM discarded_setups WHERE group_id = ? AND peer = ?",
            [group.data, peer.data])?["count"] ?? 0
    }

    public func peers(
        withDiscardedSetups count: Int, in group: GroupID
    ) throws -> Set<IdentityPublicKey> {
        Set(
            try rows(
                "SELECT peer FROM discarded_setups WHERE group_id = ? AND count >= ?",
                [group.data, count]
            ).compactMap { $0.bytes(0).flatMap { IdentityPublicKey($0) } })
    }

    /// Peers and groups of which setups were discarded, with how many.
    public func discardedSetups() throws -> [(group: GroupID, peer: IdentityPublicKey, count: Int)]
    {
        try rows("SELECT group_id, peer, count FROM discarded_setups", []).compactMap { row in
            guard let group = row.bytes(0).flatMap({ GroupID($0) }),
                let peer = row.bytes(1).flatMap({ IdentityPublicKey($0) })
            else { return nil }
            return (group, peer, row["count"] ?? 0)
        }
    }

    public func keepEvidence(
        _ envelopes: [[UInt8]], run digest: Digest, reason: String, at: UInt64
    ) throws {
        for envelope in envelopes {
            try run(
                "INSERT INTO evidence (run, reason, at, envelope) VALUES (?, ?, ?, ?)",
                [digest.data, reason, Int64(clamping: at), envelope.data])
        }
        try run(
            "DELETE FROM evidence WHERE id <= (SELECT max(id) FROM evidence) - ?",
            [Self.evidenceMost])
    }
}

// Intents and counters.
extension HolderDatabase {
    public func intent(_ digest: Digest) throws -> IntentRecord? {
        try row("SELECT * FROM intents WHERE digest = ?", [digest.data]).map(Self.intent)
    }

    private static func intent(_ row: Row) throws -> IntentRecord {
        guard let digest = Digest(try row.required("digest")),
            let state = IntentRecord.State(rawValue: row["state"])
        else { throw Corrupt(description: "a row of intents does not decode") }
        return IntentRecord(
            digest: digest, bytes: try row.required("bytes"), state: state,
            verdict: try row.required("verdict"), expires: try row.number("expires"))
    }

    public func put(_ intent: IntentRecord) throws {
        try run(
            """
            INSERT INTO intents VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET state = excluded.state, verdict = excluded.verdict
            """,
            [
                intent.digest.data, intent.bytes.data, intent.state.rawValue, intent.verdict.data,
                Int64(clamping: intent.expires),
            ])
    }

    public func unclosedIntents(expiredBefore time: UInt64) throws -> [IntentRecord] {
        // What was signed, and what gave a key, is never closed and is left alone here.
        try rows(
            """
            SELECT * FROM intents WHERE state <> 'closed' AND expires < ?
            AND NOT EXISTS (SELECT 1 FROM last_messages WHERE intent = digest)
            AND NOT EXISTS (SELECT 1 FROM keys WHERE intent = digest) LIMIT 1000
            """, [Int64(clamping: time)]
        ).map(Self.intent)
    }

    public func unsignedIntents(expiringAfter time: UInt64) throws -> [IntentRecord] {
        try rows(
            """
            SELECT * FROM intents WHERE state <> 'closed' AND expires > ? AND state = 'approved'
            AND NOT EXISTS (SELECT 1 FROM last_messages WHERE intent = digest)
            """, [Int64(clamping: time)]
        ).map(Self.intent)
    }

    public func reserve(
        _ amount: Amount, of asset: AssetID, under root: [UInt8], intent: Digest, at: UInt64
    ) throws {
        let columns = amount.columns
        try run(
            "INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [
                intent.data, root.data, asset.text, columns.high, columns.low,
                Int64(clamping: at),
            ])
    }

    public func release(intent: Digest) throws {
        try run("DELETE FROM reservations WHERE intent = ?", [intent.data])
    }

    public func spent(
        of asset: AssetID, under root: [UInt8], since: UInt64, except: Digest
    ) throws -> Amount {
        let found = try rows(
            """
            SELECT high, low FROM reservations
            WHERE root = ? AND asset = ? AND at > ? AND intent <> ?
            """, [root.data, asset.text, Int64(clamping: since), except.data])
        var sum = Amount.zero
        for row in found {
            guard let amount = Amount(high: row["high"], low: row["low"]) else {
                throw Corrupt(description: "a reservation is out of range")
            }
            sum = sum.adding(amount) ?? .most
        }
        return sum
    }
}

// Announced addresses.
extension HolderDatabase {
    public func announced(
        _ address: String, on chain: ChainID, under root: [UInt8]
    ) throws -> AnnouncedAddress? {
        try row(
            """
            SELECT first_seen, removed_at FROM announced
            WHERE root = ? AND chain = ? AND address = ?
            """, [root.data, chain.text, address]
        ).map { row in
            AnnouncedAddress(
                firstSeen: try row.number("first_seen"),
                removedAt: row["removed_at"] as Int64? == nil
                    ? nil : try row.number("removed_at"))
        }
    }

    public func keep(
        _ announced: AnnouncedAddress, of address: String, on chain: ChainID, under root: [UInt8]
    ) throws {
        try run(
            """
            INSERT INTO announced VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
            SET first_seen = excluded.first_seen, removed_at = excluded.removed_at
            """,
            [
                root.data, chain.text, address, Int64(clamping: announced.firstSeen),
                announced.removedAt.map { Int64(clamping: $0) },
            ])
    }
}

// Results, time and the operator's word.
extension HolderDatabase {
    public func keep(signatures: [ECDSASignature], of intent: Digest) throws {
        try run(
            "INSERT INTO signatures VALUES (?, ?) ON CONFLICT DO NOTHING",
            [intent.data, signatures.flatMap(\.bytes).data])
    }

    public func signatures(of intent: Digest) throws -> [ECDSASignature]? {
        guard
            let bytes = try row(
                "SELECT bytes FROM signatures WHERE intent = ?", [intent.data])?.bytes(0)
        else { return nil }
        let size = ECDSASignature.byteCount
        return stride(from: 0, to: bytes.count, by: size).compactMap {
            ECDSASignature(bytes.dropFirst($0).prefix(size))
        }
    }

    public func latestTime() throws -> UInt64 {
        UInt64(try row("SELECT number FROM facts WHERE name = 'time'")?["number"] as Int64? ?? 0)
    }

    public func setLatestTime(_ time: UInt64) throws {
        try run(
            """
            INSERT INTO facts (name, number) VALUES ('time', ?)
            ON CONFLICT DO UPDATE SET number = excluded.number
            """, [Int64(clamping: time)])
    }

    public func frozen() throws -> String? {
        try row("SELECT text FROM facts WHERE name = 'frozen'")?["text"]
    }

    public func freeze(_ why: String) throws {
        try run(
            """
            INSERT INTO facts (name, text) VALUES ('frozen', ?)
            ON CONFLICT DO UPDATE SET text = excluded.text
            """, [why])
    }

    /// The operator has looked: the holder judges again, and makes setups with everyone.
    public func thaw() throws {
        try run("DELETE FROM facts WHERE name = 'frozen'")
        try run("DELETE FROM discarded_setups")
    }

    public func isConfirmed(fingerprint: String, request: RequestID) throws -> Bool {
        try row(
            """
            SELECT 1 FROM confirmations WHERE fingerprint = ? AND request = ? AND confirmed = 1
            """, [fingerprint, request.data]) != nil
    }

    public func awaitConfirmation(
        fingerprint: String, request: RequestID, of what: String
    ) throws {
        try run(
            """
            INSERT INTO confirmations (fingerprint, request, what) VALUES (?, ?, ?)
            ON CONFLICT DO NOTHING
            """, [fingerprint, request.data, what])
    }

    /// The operator's yes to what waits under the fingerprint that everyone compared. It counts for
    /// these requests alone: the same ceremony asked for anew is asked about anew.
    public func confirm(fingerprint: String) throws {
        try run(
            "UPDATE confirmations SET confirmed = 1 WHERE fingerprint = ?", [fingerprint])
    }

    /// Ceremonies that wait for the operator: fingerprint and what is asked.
    public func awaitingConfirmation() throws -> [(fingerprint: String, what: String)] {
        try rows(
            "SELECT DISTINCT fingerprint, what FROM confirmations WHERE confirmed = 0"
        ).map { ($0["fingerprint"], $0["what"]) }
    }

    /// All envelopes kept as evidence, oldest first.
    public func evidence() throws -> [[UInt8]] {
        try commit {
            try rows("SELECT envelope FROM evidence ORDER BY id").compactMap { $0.bytes(0) }
        }
    }

    /// Every key with its state, for the operator.
    public func allKeys() throws -> [KeyRecord] {
        try rows("SELECT \(Self.keyColumns) FROM keys ORDER BY group_id, epoch").map(Self.key)
    }

    public func bans() throws -> [(peer: IdentityPublicKey, epoch: Int64, reason: String)] {
        try rows("SELECT peer, epoch, reason FROM bans").compactMap { row in
            row.bytes(0).flatMap { IdentityPublicKey($0) }.map { ($0, row["epoch"], row["reason"]) }
        }
    }
}
