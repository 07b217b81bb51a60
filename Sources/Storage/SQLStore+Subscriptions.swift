import Custody
import GRDB
import Intents

extension SQLStore {
    func insert(_ subscription: Subscription) throws {
        try run(
            """
            INSERT INTO subscriptions (id, tenant, url, types, note, is_active, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                subscription.id.data, subscription.tenant.data, subscription.url,
                subscription.types.joined(separator: " "), subscription.note,
                subscription.isActive, subscription.createdAt.milliseconds,
            ])
    }

    func update(_ subscription: Subscription) throws {
        try run(
            "UPDATE subscriptions SET types = ?, note = ?, is_active = ? WHERE id = ?",
            [
                subscription.types.joined(separator: " "), subscription.note,
                subscription.isActive, subscription.id.data,
            ])
        guard !subscription.isActive else { return }
        try run(
            """
            UPDATE events SET state = CASE attempts WHEN 0 THEN 'Unsent' ELSE 'Dead' END
            WHERE tenant = ? AND resource = ? AND state IN ('Waiting', 'Redelivering')
            """, [subscription.tenant.data, subscription.id.data])
    }

    func subscription(_ id: SubscriptionID, of tenant: TenantID) throws -> Subscription? {
        try row(
            "SELECT * FROM subscriptions WHERE id = ? AND tenant = ?", [id.data, tenant.data]
        ).map(Self.subscription)
    }

    func subscriptions(of tenant: TenantID) throws -> [Subscription] {
        try rows(
            "SELECT * FROM subscriptions WHERE tenant = ? AND is_active = 1 ORDER BY seq",
            [tenant.data]
        ).map(Self.subscription)
    }

    func subscriptions(
        of tenant: TenantID, matching filter: SubscriptionFilter, _ request: PageRequest
    ) throws -> Page<Subscription> {
        var condition = SQLCondition("tenant = ?", [tenant.data])
        if let isActive = filter.isActive { condition.also("is_active = ?", [isActive]) }
        if let type = filter.type {
            condition.also("instr(' ' || types || ' ', ?) > 0", [" \(type) "])
        }
        return try page(
            request, "SELECT * FROM subscriptions", where: condition.text, condition.arguments,
            Self.subscription)
    }

    private static func subscription(_ row: Row) throws -> Subscription {
        Subscription(
            id: try row.value("id"), tenant: try row.value("tenant"), url: row["url"],
            types: (row["types"] as String).split(separator: " ").map(String.init),
            note: row["note"], isActive: row["is_active"], createdAt: row.time("created_at"))
    }
}
