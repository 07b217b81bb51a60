/// Endpoints of the MPC administration face, and how each event is delivered.
extension Schema {
    static let subscriptions = """
        ALTER TABLE events ADD COLUMN form TEXT NOT NULL DEFAULT 'custody';
        CREATE TABLE subscriptions (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            tenant BLOB NOT NULL REFERENCES tenants (id), url TEXT NOT NULL, types TEXT NOT NULL,
            note TEXT, is_active INTEGER NOT NULL, created_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX subscriptions_of_tenant ON subscriptions (tenant, is_active);
        """
}
