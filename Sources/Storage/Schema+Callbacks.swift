/// Questions to the servers of API keys about transactions.
extension Schema {
    static let callbacks = """
        ALTER TABLE public_api_keys ADD COLUMN callback_url TEXT;
        CREATE TABLE callbacks (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, event BLOB NOT NULL UNIQUE,
            tenant BLOB NOT NULL REFERENCES tenants (id),
            movement BLOB NOT NULL UNIQUE REFERENCES transactions (id), url TEXT NOT NULL,
            outcome TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX callbacks_of_tenant ON callbacks (tenant, seq);
        CREATE INDEX callbacks_waiting ON callbacks (event) WHERE outcome = 'Waiting';
        """
}
