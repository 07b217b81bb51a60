import Algebra
import Canonical
import Custody
import Foundation
import GRDB
import Intents
import KeyGroups

extension SQLStore {
    func insert(_ request: SigningRequest) throws {
        try run(
            """
            INSERT INTO signing_requests
                (intent, bytes, signature, group_id, movement, ceremony, attempt, source, nonce,
                 state, created_at, expires_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                request.digest.data, request.bytes.data, request.signature.data,
                request.group.data, request.transaction?.data, request.ceremony?.data,
                request.attempt, request.source,
                request.nonce.map { Int64($0) }, request.state.rawValue,
                request.createdAt.milliseconds, request.expiresAt.milliseconds,
            ])
    }

    func update(_ request: SigningRequest) throws {
        try run(
            """
            UPDATE signing_requests SET state = ?, closing_code = ?, closing_message = ?
            WHERE intent = ?
            """,
            [
                request.state.rawValue, request.closingBecause?.code.rawValue,
                request.closingBecause?.message, request.digest.data,
            ])
    }

    func signingRequest(_ intent: Digest) throws -> SigningRequest? {
        try row("SELECT * FROM signing_requests WHERE intent = ?", [intent.data])
            .map(Self.request)
    }

    func signingRequests(of transaction: TransactionID) throws -> [SigningRequest] {
        try rows(
            "SELECT * FROM signing_requests WHERE movement = ? ORDER BY seq", [transaction.data]
        )
        .map(Self.request)
    }

    func signingRequests(of ceremony: CeremonyID) throws -> [SigningRequest] {
        try rows(
            "SELECT * FROM signing_requests WHERE ceremony = ? ORDER BY seq", [ceremony.data]
        ).map(Self.request)
    }

    func signingRequests(in states: [SigningRequest.State]) throws -> [SigningRequest] {
        let marks = states.map { _ in "?" }.joined(separator: ", ")
        return try rows(
            """
            SELECT * FROM signing_requests WHERE state IN (\(marks))
                AND state NOT IN ('done', 'closed') ORDER BY seq
            """, StatementArguments(states.map(\.rawValue))
        ).map(Self.request)
    }

    private static func request(_ row: Row) throws -> SigningRequest {
        var closing: Failure?
        if row["closing_code"] as String? != nil {
            closing = Failure(try row.text("closing_code"), row["closing_message"])
        }
        let nonce = row["nonce"] as Int64? == nil ? nil : try row.number("nonce")
        return SigningRequest(
            digest: try row.value("intent"), bytes: try row.bytes("bytes"),
            signature: try row.value("signature"), group: try row.value("group_id"),
            subject: try subject(row), attempt: row["attempt"],
            source: row["source"], nonce: nonce, state: try row.text("state"),
            closingBecause: closing, createdAt: row.time("created_at"),
            expiresAt: row.time("expires_at"))
    }

    private static func subject(_ row: Row) throws -> SigningRequest.Subject {
        if let id: TransactionID = try row.optional("movement") { return .transaction(id) }
        return .ceremony(try row.value("ceremony"))
    }

    func put(_ verdict: SignedVerdict) throws {
        try run(
            """
            INSERT INTO verdicts VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET bytes = excluded.bytes
            """,
            [
                verdict.intent.data, verdict.holder.data, verdict.verdict.name, verdict.bytes.data,
            ])
    }

    func verdicts(on intent: Digest) throws -> [SignedVerdict] {
        try rows("SELECT bytes FROM verdicts WHERE intent = ? ORDER BY holder", [intent.data])
            .map { try SignedVerdict(try $0.bytes("bytes")) }
    }

    func insert(_ run: SigningRun) throws {
        try self.run(
            """
            INSERT INTO runs
                (descriptor, intent, attempt, members, state, silent, started_at, expires_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                run.descriptor.data, run.intent.data, Int64(run.attempt),
                run.members.flatMap(\.bytes).data, run.state.rawValue, Data(),
                run.startedAt.milliseconds, run.expiresAt.milliseconds,
            ])
    }

    func update(_ run: SigningRun) throws {
        try self.run(
            "UPDATE runs SET state = ?, silent = ?, reason = ?, ended_at = ? WHERE descriptor = ?",
            [
                run.state.rawValue, run.silent.flatMap(\.bytes).data, run.reason,
                run.endedAt?.milliseconds, run.descriptor.data,
            ])
    }

    func runs(of intent: Digest) throws -> [SigningRun] {
        try rows("SELECT * FROM runs WHERE intent = ? ORDER BY attempt", [intent.data])
            .map(Self.signingRun)
    }

    func run(_ descriptor: Digest) throws -> SigningRun? {
        try row("SELECT * FROM runs WHERE descriptor = ?", [descriptor.data]).map(Self.signingRun)
    }

    private static func signingRun(_ row: Row) throws -> SigningRun {
        guard let attempt = UInt16(exactly: row["attempt"] as Int64) else {
            throw row.corrupt("attempt")
        }
        return SigningRun(
            descriptor: try row.value("descriptor"), intent: try row.value("intent"),
            attempt: attempt, members: try keys(row, "members"), state: try row.text("state"),
            silent: try keys(row, "silent"), reason: row["reason"],
            startedAt: row.time("started_at"), expiresAt: row.time("expires_at"),
            endedAt: row.optionalTime("ended_at"))
    }

    func insertBannedPair(
        _ one: IdentityPublicKey, _ other: IdentityPublicKey, in group: GroupID
    ) throws {
        let (first, second) = one < other ? (one, other) : (other, one)
        try run(
            "INSERT INTO banned_pairs VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [group.data, first.data, second.data])
    }

    func removeBannedPairs(in group: GroupID) throws {
        try run("DELETE FROM banned_pairs WHERE group_id = ?", [group.data])
    }

    func bannedPairs(in group: GroupID) throws -> [Set<IdentityPublicKey>] {
        try rows("SELECT one, other FROM banned_pairs WHERE group_id = ?", [group.data]).map {
            [try $0.value("one"), try $0.value("other")]
        }
    }
}
