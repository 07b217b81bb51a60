/// What callers may, what they did, and how often they called.
extension Schema {
    static let callers = """
        CREATE TABLE new_api_keys (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            tenant BLOB NOT NULL REFERENCES tenants (id), name TEXT NOT NULL,
            scopes TEXT NOT NULL, cidrs TEXT, vaults BLOB, sealed_secret BLOB NOT NULL,
            previous_sealed_secret BLOB, previous_until INTEGER, created_at INTEGER NOT NULL,
            expires_at INTEGER, revoked_at INTEGER, last_used_at INTEGER
        ) STRICT;
        INSERT INTO new_api_keys (id, tenant, name, scopes, sealed_secret, created_at, revoked_at)
            SELECT id, tenant, name, scopes, sealed_secret, created_at, revoked_at FROM api_keys
            ORDER BY created_at;
        DROP TABLE api_keys;
        ALTER TABLE new_api_keys RENAME TO api_keys;
        CREATE INDEX api_keys_of_tenant ON api_keys (tenant, seq);

        -- Those of before are not sealed.
        DELETE FROM answers;

        CREATE TABLE audit (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, tenant BLOB REFERENCES tenants (id),
            at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
            subjects TEXT NOT NULL, vaults BLOB NOT NULL, address TEXT, request TEXT
        ) STRICT;
        CREATE INDEX audit_of_tenant ON audit (tenant, seq);
        CREATE TABLE audit_vaults (
            vault BLOB NOT NULL, entry INTEGER NOT NULL REFERENCES audit (seq),
            PRIMARY KEY (vault, entry)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN
            SELECT RAISE(ABORT, 'a line of the audit trail is never changed');
        END;
        CREATE TRIGGER audit_remains BEFORE DELETE ON audit BEGIN
            SELECT RAISE(ABORT, 'a line of the audit trail is never removed');
        END;

        CREATE TABLE usage (
            tenant BLOB NOT NULL, day INTEGER NOT NULL, endpoint TEXT NOT NULL,
            count INTEGER NOT NULL, PRIMARY KEY (tenant, day, endpoint)
        ) STRICT, WITHOUT ROWID;
        """

    /// What a line of the audit trail set.
    static let auditChanges = "ALTER TABLE audit ADD COLUMN changes TEXT NOT NULL DEFAULT '{}';"
}
