import Canonical
import Custody
import Foundation
import GRDB
import Identity
import Intents

extension SQLStore {
    func storedAnswer(_ key: String, of caller: APIKeyID) throws -> StoredAnswer? {
        try row("SELECT * FROM answers WHERE caller = ? AND key = ?", [caller.text, key]).map {
            row in
            StoredAnswer(
                fingerprint: try row.value("fingerprint"), status: row["status"],
                body: try row.bytes("body"), at: row.time("at"))
        }
    }

    func insert(_ answer: StoredAnswer, key: String, of caller: APIKeyID) throws {
        try run(
            "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)",
            [
                caller.text, key, answer.fingerprint.data, answer.status, answer.body.data,
                answer.at.milliseconds,
            ])
    }

    func claim(signature: [UInt8], of caller: APIKeyID, until: Timestamp) throws -> Bool {
        try changes(
            "INSERT INTO seen_signatures VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [caller.text, signature.data, until.milliseconds])
    }

    func purge(answersBefore: Timestamp, signaturesBefore: Timestamp) throws {
        try run("DELETE FROM answers WHERE at < ?", [answersBefore.milliseconds])
        try run("DELETE FROM seen_signatures WHERE until < ?", [signaturesBefore.milliseconds])
    }

    func nextSequence(of resource: [UInt8], tenant: TenantID) throws -> Int64 {
        try run(
            """
            INSERT INTO sequences VALUES (?, ?, 1)
            ON CONFLICT DO UPDATE SET number = number + 1
            """, [tenant.data, resource.data])
        return try row(
            "SELECT number FROM sequences WHERE tenant = ? AND resource = ?",
            [tenant.data, resource.data])?["number"] ?? 1
    }

    func insert(event frame: EventFrame, resource: [UInt8], body: [UInt8], deliver: Bool) throws {
        try run(
            """
            INSERT INTO events
                (id, tenant, resource, number, type, body, created_at, state, next_try)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                frame.id.data, frame.tenant.data, resource.data, frame.sequence, frame.type,
                body.data, frame.createdAt.milliseconds, deliver ? "waiting" : "unsent",
                frame.createdAt.milliseconds,
            ])
    }

    func setEndpoint(_ endpoint: WebhookEndpoint) throws {
        try run(
            """
            INSERT INTO endpoints VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
                url = excluded.url, sealed_secret = excluded.sealed_secret,
                created_at = excluded.created_at
            """,
            [
                endpoint.tenant.data, endpoint.url, endpoint.sealedSecret.data,
                endpoint.createdAt.milliseconds,
            ])
    }

    func removeEndpoint(of tenant: TenantID) throws -> Bool {
        try run(
            "UPDATE events SET state = 'unsent' WHERE tenant = ? AND state = 'waiting'",
            [tenant.data])
        return try changes("DELETE FROM endpoints WHERE tenant = ?", [tenant.data])
    }

    func endpoint(of tenant: TenantID) throws -> WebhookEndpoint? {
        try row("SELECT * FROM endpoints WHERE tenant = ?", [tenant.data]).map { row in
            WebhookEndpoint(
                tenant: tenant, url: row["url"], sealedSecret: try row.bytes("sealed_secret"),
                createdAt: row.time("created_at"))
        }
    }

    func dueDeliveries(
        at now: Timestamp, most: Int, ofTenantMost: Int
    ) throws -> [Delivery] {
        // The first that waits of each resource: a later one waits for it.
        try rows(
            """
            SELECT id, type, tenant, body, attempts FROM (
                SELECT *, row_number() OVER (PARTITION BY tenant ORDER BY next_try) AS place
                FROM events AS event
                WHERE state = 'waiting' AND next_try <= ? AND NOT EXISTS (
                    SELECT 1 FROM events AS earlier
                    WHERE earlier.tenant = event.tenant AND earlier.resource = event.resource
                        AND earlier.state = 'waiting' AND earlier.number < event.number))
            WHERE place <= ? ORDER BY next_try LIMIT ?
            """, [now.milliseconds, ofTenantMost, most]
        ).map { row in
            Delivery(
                event: try row.value("id"), type: row["type"], tenant: try row.value("tenant"),
                body: try row.bytes("body"), attempts: row["attempts"])
        }
    }

    func finish(delivery: EventID, at: Timestamp, answer: String) throws {
        try run(
            """
            UPDATE events SET state = 'delivered', next_try = ?, attempts = attempts + 1, answer = ?
            WHERE id = ?
            """, [at.milliseconds, answer, delivery.data])
    }

    func postpone(
        delivery: EventID, until: Timestamp, attempts: Int, answer: String
    ) throws {
        try run(
            "UPDATE events SET next_try = ?, attempts = ?, answer = ? WHERE id = ?",
            [until.milliseconds, attempts, answer, delivery.data])
    }

    func bury(delivery: EventID, attempts: Int, answer: String) throws {
        try run(
            "UPDATE events SET state = 'dead', attempts = ?, answer = ? WHERE id = ?",
            [attempts, answer, delivery.data])
    }
}
