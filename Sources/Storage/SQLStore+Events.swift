import Custody
import Foundation
import GRDB
import Intents

extension SQLStore {
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

    func insert(
        event frame: EventFrame, _ form: DeliveryForm, resource: [UInt8], body: [UInt8],
        deliver: Bool
    ) throws {
        let state: RecordedEvent.State =
            if !deliver {
                .unsent
            } else if form == .custody, try next(of: resource, tenant: frame.tenant) != nil {
                .queued
            } else { .waiting }
        try run(
            """
            INSERT INTO events
                (id, tenant, resource, number, type, body, created_at, state, next_try, form)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                frame.id.data, frame.tenant.data, resource.data, frame.sequence, frame.type,
                body.data, frame.createdAt.milliseconds, state.rawValue,
                frame.createdAt.milliseconds, form.rawValue,
            ])
    }

    /// The event of a resource that is to be delivered first.
    private func next(of resource: [UInt8], tenant: TenantID) throws -> Row? {
        try row(
            """
            SELECT seq, state FROM events
            WHERE tenant = ? AND resource = ? AND state IN ('Waiting', 'Queued')
            ORDER BY number LIMIT 1
            """, [tenant.data, resource.data])
    }

    func setEndpoint(_ endpoint: WebhookEndpoint) throws {
        try run(
            """
            INSERT INTO endpoints
                (tenant, url, sealed_secret, created_at, previous_secret, previous_until)
            VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
                url = excluded.url, sealed_secret = excluded.sealed_secret,
                created_at = excluded.created_at, previous_secret = excluded.previous_secret,
                previous_until = excluded.previous_until
            """,
            [
                endpoint.tenant.data, endpoint.url, endpoint.sealedSecret.data,
                endpoint.createdAt.milliseconds, endpoint.previous?.sealedSecret.data,
                endpoint.previous?.until.milliseconds,
            ])
    }

    func removeEndpoint(of tenant: TenantID) throws -> Bool {
        try run(
            """
            UPDATE events SET state = CASE state WHEN 'Redelivering' THEN 'Dead' ELSE 'Unsent' END
            WHERE tenant = ? AND state <> 'Delivered'
                AND state IN ('Waiting', 'Queued', 'Redelivering') AND form = 'custody'
            """, [tenant.data])
        return try changes("DELETE FROM endpoints WHERE tenant = ?", [tenant.data])
    }

    func endpoint(of tenant: TenantID) throws -> WebhookEndpoint? {
        try row("SELECT * FROM endpoints WHERE tenant = ?", [tenant.data]).map { row in
            var previous: WebhookEndpoint.Previous?
            if let until = row.optionalTime("previous_until") {
                previous = .init(sealedSecret: try row.bytes("previous_secret"), until: until)
            }
            return WebhookEndpoint(
                tenant: tenant, url: row["url"], sealedSecret: try row.bytes("sealed_secret"),
                previous: previous, createdAt: row.time("created_at"))
        }
    }

    /// Steps from tenant to tenant through the index of what is tried, and takes the first few of
    /// each: tenants and events that wait for nothing are not looked at.
    static let dueDeliveries = """
        WITH RECURSIVE tenants_with_some (tenant) AS (
            SELECT min(tenant) FROM events WHERE state IN ('Waiting', 'Redelivering')
            UNION ALL
            SELECT (
                SELECT min(tenant) FROM events
                WHERE state IN ('Waiting', 'Redelivering') AND tenant > tenants_with_some.tenant)
            FROM tenants_with_some WHERE tenant IS NOT NULL)
        SELECT events.id, events.tenant,
            row_number() OVER (PARTITION BY events.tenant ORDER BY events.next_try) AS turn
        FROM tenants_with_some CROSS JOIN events
        WHERE events.seq IN (
            SELECT seq FROM events AS due
            WHERE due.tenant = tenants_with_some.tenant
                AND due.state IN ('Waiting', 'Redelivering') AND due.next_try <= ?
                AND due.form <> 'callback'
            ORDER BY due.next_try LIMIT ?)
        ORDER BY turn, events.next_try LIMIT ?
        """

    func dueDeliveries(
        at now: Timestamp, most: Int, ofTenantMost: Int
    ) throws -> [DueDelivery] {
        try rows(Self.dueDeliveries, [now.milliseconds, ofTenantMost, most]).map { row in
            DueDelivery(
                event: try row.value("id"), tenant: try row.value("tenant"), isCallback: false)
        }
    }

    func delivery(_ event: EventID) throws -> Delivery? {
        try row(
            "\(Self.recorded) WHERE id = ? AND state IN ('Waiting', 'Redelivering')",
            [event.data]
        ).map { row in
            Delivery(tenant: try row.value("tenant"), event: try Self.event(row))
        }
    }

    func insert(_ attempt: DeliveryAttempt, of event: EventID) throws {
        guard
            let seq = try row("SELECT seq FROM events WHERE id = ?", [event.data])?["seq"] as Int64?
        else { return }
        var (status, start, failure): (Int?, Data?, String?)
        switch attempt.outcome {
        case .answer(let code, let bytes): (status, start) = (code, bytes.data)
        case .failure(let why): failure = why
        }
        try run(
            """
            INSERT INTO delivery_attempts
            SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ?, ?, ? FROM delivery_attempts
            WHERE event = ?
            """,
            [
                seq, attempt.began.milliseconds, attempt.milliseconds, status, start, failure, seq,
            ])
        try run(
            """
            DELETE FROM delivery_attempts WHERE event = ? AND number <=
                (SELECT max(number) FROM delivery_attempts WHERE event = ?) - ?
            """, [seq, seq, DeliveryAttempt.keptMost])
    }

    func finish(delivery: EventID, as state: RecordedEvent.State, at now: Timestamp) throws {
        guard
            let event = try row(
                "SELECT tenant, resource, state FROM events WHERE id = ?", [delivery.data]),
            try event.text("state", RecordedEvent.State.self).isTried
        else { return }
        try run(
            "UPDATE events SET state = ?, next_try = ? WHERE id = ?",
            [state.rawValue, now.milliseconds, delivery.data])
        guard let next = try next(of: event.bytes("resource"), tenant: event.value("tenant")),
            try next.text("state", RecordedEvent.State.self) == .queued
        else { return }
        try run(
            "UPDATE events SET state = 'Waiting', next_try = ? WHERE seq = ?",
            [now.milliseconds, next["seq"] as Int64])
    }

    func postpone(delivery: EventID, until: Timestamp) throws {
        try run(
            "UPDATE events SET next_try = ?, attempts = attempts + 1 WHERE id = ?",
            [until.milliseconds, delivery.data])
    }

    func redeliver(_ event: EventID, at now: Timestamp) throws {
        try run(
            """
            UPDATE events SET next_try = ?1,
                attempts = CASE WHEN state IN ('Waiting', 'Redelivering') THEN attempts ELSE 0 END,
                state = CASE state WHEN 'Waiting' THEN state ELSE 'Redelivering' END
            WHERE id = ?2 AND state <> 'Queued'
            """, [now.milliseconds, event.data])
    }

    private static let recorded = """
        SELECT *, (
            SELECT coalesce(max(number), 0) FROM delivery_attempts WHERE event = events.seq
        ) AS sent FROM events
        """

    func event(_ id: EventID, of tenant: TenantID) throws -> RecordedEvent? {
        try row("\(Self.recorded) WHERE id = ? AND tenant = ?", [id.data, tenant.data])
            .map(Self.event)
    }

    func events(
        of tenant: TenantID, matching filter: EventFilter, _ request: PageRequest
    ) throws -> Page<RecordedEvent> {
        var condition = "tenant = ?"
        var arguments: StatementArguments = [tenant.data]
        if let type = filter.type {
            condition += " AND type = ?"
            arguments += [type]
        }
        if let resource = filter.resource {
            condition += " AND resource = ?"
            arguments += [resource.data]
        }
        if let states = filter.states {
            // The index of states leaves out the usual one, so it is asked for in as many words.
            condition +=
                " AND state IN (\(Self.marks(states.count)))"
                + (states.contains(.delivered) ? "" : " AND state <> 'Delivered'")
            arguments += StatementArguments(states.map(\.rawValue))
        }
        if let form = filter.form {
            condition += " AND form = ?"
            arguments += [form.rawValue]
        }
        return try page(request, Self.recorded, where: condition, arguments, Self.event)
    }

    private static func event(_ row: Row) throws -> RecordedEvent {
        let state = try row.text("state", RecordedEvent.State.self)
        return RecordedEvent(
            id: try row.value("id"), form: try row.text("form"), type: row["type"],
            resource: try row.bytes("resource"), sequence: row["number"],
            body: try row.bytes("body"), createdAt: row.time("created_at"), state: state,
            nextTry: state.isTried ? row.time("next_try") : nil, attempts: row["sent"],
            tries: row["attempts"])
    }

    func attempts(of event: EventID) throws -> [DeliveryAttempt] {
        try rows(
            """
            SELECT delivery_attempts.* FROM delivery_attempts JOIN events ON seq = event
            WHERE events.id = ? ORDER BY delivery_attempts.number
            """, [event.data]
        ).map { row in
            let outcome: DeliveryAttempt.Outcome =
                if let status = row["status"] as Int? {
                    .answer(status: status, start: try row.bytes("start"))
                } else { .failure(row["failure"]) }
            return DeliveryAttempt(
                began: row.time("began"), milliseconds: row["milliseconds"], outcome: outcome)
        }
    }

    func purgeEvents(before: Timestamp, most: Int) throws -> Int {
        try run(
            """
            DELETE FROM events WHERE seq IN (
                SELECT seq FROM events WHERE created_at < ?
                    AND state IN ('Unsent', 'Delivered', 'Dead')
                ORDER BY created_at LIMIT ?)
            """, [before.milliseconds, most])
        return db.changesCount
    }
}
