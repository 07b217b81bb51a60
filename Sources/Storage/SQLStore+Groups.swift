import Algebra
import Canonical
import Custody
import Foundation
import GRDB
import Identity
import Intents
import KeyGroups

/// Groups, ceremonies, check-ups.
extension SQLStore {
    func insert(_ group: HolderGroup) throws {
        try run(
            """
            INSERT INTO holder_groups
                (id, key_vault, record, scheme, kind, required, identities, indices, last_epoch,
                 certificate, active_since, signatures, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                group.id.data, group.keyVault.data, group.record.data,
                Int64(group.scheme.rawValue), Int64(group.kind.rawValue),
                group.threshold.required, Self.identities(group.holders),
                Self.indices(group.holders), Int64(group.lastEpoch), group.certificate?.bytes.data,
                group.activeSince?.milliseconds, group.signatures, group.createdAt.milliseconds,
            ])
    }

    func update(_ group: HolderGroup) throws {
        try run(
            """
            UPDATE holder_groups SET required = ?, identities = ?, indices = ?, last_epoch = ?,
                certificate = ?, active_since = ?, signatures = ?
            WHERE id = ?
            """,
            [
                group.threshold.required, Self.identities(group.holders),
                Self.indices(group.holders), Int64(group.lastEpoch), group.certificate?.bytes.data,
                group.activeSince?.milliseconds, group.signatures, group.id.data,
            ])
    }

    func group(_ id: GroupID) throws -> HolderGroup? {
        try row("SELECT * FROM holder_groups WHERE id = ?", [id.data]).map(Self.group)
    }

    func groups(of keyVault: KeyVaultID) throws -> [HolderGroup] {
        try rows(
            "SELECT * FROM holder_groups WHERE key_vault = ? AND is_retired = 0 ORDER BY seq",
            [keyVault.data]
        ).map(Self.group)
    }

    func groups(of record: KeyShareHolderGroupID) throws -> [HolderGroup] {
        try rows("SELECT * FROM holder_groups WHERE record = ? ORDER BY scheme", [record.data])
            .map(Self.group)
    }

    func retireGroups(of record: KeyShareHolderGroupID) throws {
        try run("UPDATE holder_groups SET is_retired = 1 WHERE record = ?", [record.data])
    }

    private static func group(_ row: Row) throws -> HolderGroup {
        guard let kind = GroupKind(rawValue: try row.number("kind")) else {
            throw row.corrupt("kind")
        }
        guard let scheme = SignatureScheme(rawValue: try row.number("scheme")) else {
            throw row.corrupt("scheme")
        }
        let (threshold, holders) = try quorum(row)
        let certificate =
            row["certificate"] == nil ? nil : try KeyCertificate(try row.bytes("certificate"))
        return HolderGroup(
            id: try row.value("id"), keyVault: try row.value("key_vault"),
            record: try row.value("record"), scheme: scheme, kind: kind, threshold: threshold,
            holders: holders,
            lastEpoch: try row.number("last_epoch"),
            certificate: certificate, activeSince: row.optionalTime("active_since"),
            signatures: row["signatures"], isRetired: row["is_retired"],
            createdAt: row.time("created_at"))
    }

    func countSignature(by group: GroupID) throws {
        try run(
            "UPDATE holder_groups SET signatures = signatures + 1 WHERE id = ?", [group.data])
    }

    func groups(activeBefore time: Timestamp, orSignatures count: Int) throws -> [HolderGroup] {
        try rows(
            """
            SELECT * FROM holder_groups WHERE certificate IS NOT NULL
                AND is_retired = 0 AND (active_since < ? OR signatures >= ?) ORDER BY seq
            """, [time.milliseconds, count]
        ).map(Self.group)
    }

    func insert(_ ceremony: Ceremony) throws {
        try run(
            """
            INSERT INTO ceremonies
                (id, group_id, occasion, source, required, identities, indices, dealers,
                 request, state, attempts, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                ceremony.id.data, ceremony.group.data, Int64(ceremony.occasion.rawValue),
                ceremony.source?.data, ceremony.threshold.required,
                Self.identities(ceremony.holders), Self.indices(ceremony.holders),
                ceremony.dealers?.flatMap(\.bytes).data, ceremony.request?.text,
                ceremony.state.rawValue, ceremony.attempts, ceremony.createdAt.milliseconds,
            ])
    }

    func update(_ ceremony: Ceremony) throws {
        try run(
            "UPDATE ceremonies SET state = ?, failure = ?, attempts = ? WHERE id = ?",
            [ceremony.state.rawValue, ceremony.failure, ceremony.attempts, ceremony.id.data])
    }

    func ceremony(_ id: CeremonyID) throws -> Ceremony? {
        try row("SELECT * FROM ceremonies WHERE id = ?", [id.data]).map(Self.ceremony)
    }

    func openCeremonies() throws -> [Ceremony] {
        try rows("SELECT * FROM ceremonies WHERE state = 'open' ORDER BY seq").map(Self.ceremony)
    }

    func ceremonies(of group: GroupID) throws -> [Ceremony] {
        try rows("SELECT * FROM ceremonies WHERE group_id = ? ORDER BY seq", [group.data])
            .map(Self.ceremony)
    }

    func ceremonies(of request: KeyShareRequestID) throws -> [Ceremony] {
        try rows("SELECT * FROM ceremonies WHERE request = ? ORDER BY seq", [request.text])
            .map(Self.ceremony)
    }

    func failedRuns(of ceremony: CeremonyID) throws -> Int {
        try row(
            """
            SELECT count(DISTINCT runs.intent) AS count FROM signing_requests
            JOIN runs ON runs.intent = signing_requests.intent
            WHERE signing_requests.ceremony = ? AND signing_requests.state NOT IN ('open', 'done')
            """, [ceremony.data])?["count"] ?? 0
    }

    private static func ceremony(_ row: Row) throws -> Ceremony {
        guard let occasion = KeyCeremony.Occasion(rawValue: try row.number("occasion")) else {
            throw row.corrupt("occasion")
        }
        let (threshold, holders) = try quorum(row)
        return Ceremony(
            id: try row.value("id"), group: try row.value("group_id"), occasion: occasion,
            source: try row.optional("source"), threshold: threshold, holders: holders,
            dealers: row["dealers"] == nil ? nil : try keys(row, "dealers"),
            request: try request(row), state: try row.text("state"), failure: row["failure"],
            attempts: row["attempts"],
            createdAt: row.time("created_at"))
    }

    private static func request(_ row: Row) throws -> KeyShareRequestID? {
        guard let text = row["request"] as String? else { return nil }
        guard let id = KeyShareRequestID(text: text) else { throw row.corrupt("request") }
        return id
    }

    func put(_ checkUp: CheckUp) throws {
        try run(
            """
            INSERT INTO check_ups VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET epoch = excluded.epoch, certificate = excluded.certificate,
                challenge = excluded.challenge, proved = excluded.proved,
                damaged = excluded.damaged, at = excluded.at
            """,
            [
                checkUp.group.data, Int64(checkUp.epoch), checkUp.certificate.data,
                checkUp.challenge.data, checkUp.proved.flatMap(\.bytes).data,
                checkUp.damaged.flatMap(\.bytes).data, checkUp.at.milliseconds,
            ])
    }

    func checkUp(of group: GroupID) throws -> CheckUp? {
        try row("SELECT * FROM check_ups WHERE group_id = ?", [group.data]).map(Self.checkUp)
    }

    func checkUps(since: Timestamp) throws -> [CheckUp] {
        try rows("SELECT * FROM check_ups WHERE at >= ?", [since.milliseconds]).map(Self.checkUp)
    }

    private static func checkUp(_ row: Row) throws -> CheckUp {
        CheckUp(
            group: try row.value("group_id"), epoch: try row.number("epoch"),
            certificate: try row.value("certificate"), challenge: try row.bytes("challenge"),
            proved: try keys(row, "proved"), damaged: try keys(row, "damaged"),
            at: row.time("at"))
    }

    private static func identities(_ roster: Roster) -> Data {
        roster.identities.flatMap(\.bytes).data
    }

    private static func indices(_ roster: Roster) -> Data { roster.indices.map(\.raw).data }

    private static func quorum(_ row: Row) throws -> (SigningThreshold, Roster) {
        let identities = try keys(row, "identities")
        let indices = try row.bytes("indices").compactMap { ParticipantIndex($0) }
        guard let threshold = SigningThreshold(row["required"], of: identities.count),
            let holders = Roster(identities, indices)
        else { throw row.corrupt("identities") }
        return (threshold, holders)
    }
}
