extension Schema {
    /// Every attempt of a delivery, states that say which event of a resource is tried, and a
    /// second secret of an endpoint.
    static let webhookAttempts = """
        UPDATE events SET state = CASE
            WHEN state = 'delivered' THEN 'Delivered' WHEN state = 'dead' THEN 'Dead'
            WHEN state = 'unsent' THEN 'Unsent'
            WHEN EXISTS (
                SELECT 1 FROM events AS earlier
                WHERE earlier.tenant = events.tenant AND earlier.resource = events.resource
                    AND earlier.state IN ('waiting', 'Waiting') AND earlier.number < events.number)
            THEN 'Queued' ELSE 'Waiting' END;
        DROP INDEX events_due;
        DROP INDEX events_in_order;
        ALTER TABLE events DROP COLUMN answer;
        CREATE INDEX events_to_try ON events (tenant, next_try)
            WHERE state IN ('Waiting', 'Redelivering');
        CREATE INDEX events_in_order ON events (tenant, resource, number)
            WHERE state IN ('Waiting', 'Queued');
        CREATE INDEX events_of_tenant ON events (tenant, seq);
        CREATE INDEX events_of_type ON events (tenant, type, seq);
        CREATE INDEX events_in_state ON events (tenant, state, seq)
            WHERE state <> 'Delivered';
        CREATE INDEX events_by_age ON events (created_at);
        CREATE TABLE delivery_attempts (
            event INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
            number INTEGER NOT NULL, began INTEGER NOT NULL, milliseconds INTEGER NOT NULL,
            status INTEGER, start BLOB, failure TEXT, PRIMARY KEY (event, number),
            CHECK ((status IS NULL) = (start IS NULL) AND (status IS NULL) <> (failure IS NULL))
        ) STRICT, WITHOUT ROWID;
        ALTER TABLE endpoints ADD COLUMN previous_secret BLOB;
        ALTER TABLE endpoints ADD COLUMN previous_until INTEGER;
        """
}
