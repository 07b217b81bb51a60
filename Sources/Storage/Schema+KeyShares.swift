/// Projects, groups of holders as tenants know them, and requests for key shares. Each group of the
/// protocol that there is becomes one that its tenant knows.
extension Schema {
    static let keyShares = """
        CREATE TABLE projects (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            tenant BLOB NOT NULL REFERENCES tenants (id), name TEXT NOT NULL,
            required INTEGER NOT NULL, participants INTEGER NOT NULL, created_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX projects_of_tenant ON projects (tenant, seq);
        ALTER TABLE key_vaults ADD COLUMN project BLOB REFERENCES projects (id);
        ALTER TABLE holders ADD COLUMN is_own INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE key_share_holder_groups (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            key_vault BLOB NOT NULL REFERENCES key_vaults (id), kind INTEGER NOT NULL,
            required INTEGER NOT NULL, deleted_at INTEGER, created_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX key_share_holder_groups_of_key_vault
            ON key_share_holder_groups (key_vault, seq);
        CREATE TABLE key_share_holders (
            holder_group BLOB NOT NULL REFERENCES key_share_holder_groups (id),
            number INTEGER NOT NULL, identity BLOB NOT NULL, name TEXT NOT NULL,
            kind TEXT NOT NULL, is_signer INTEGER NOT NULL,
            PRIMARY KEY (holder_group, number), UNIQUE (holder_group, identity)
        ) STRICT;
        INSERT INTO key_share_holder_groups (id, key_vault, kind, required, created_at)
            SELECT id, key_vault, kind, required, created_at FROM holder_groups ORDER BY seq;
        WITH RECURSIVE places (number) AS (
            SELECT 0 UNION ALL SELECT number + 1 FROM places WHERE number < 19)
        INSERT INTO key_share_holders
            SELECT holder_groups.id, number, substr(identities, 32 * number + 1, 32),
                coalesce(holders.name, lower(hex(substr(identities, 32 * number + 1, 32)))),
                'Server', 1
            FROM holder_groups JOIN places ON 32 * number < length(identities)
            LEFT JOIN holders ON holders.identity = substr(identities, 32 * number + 1, 32);
        ALTER TABLE holder_groups ADD COLUMN record BLOB NOT NULL DEFAULT x'';
        ALTER TABLE holder_groups ADD COLUMN is_retired INTEGER NOT NULL DEFAULT 0;
        UPDATE holder_groups SET record = id;
        CREATE INDEX holder_groups_of_record ON holder_groups (record);
        ALTER TABLE ceremonies ADD COLUMN dealers BLOB;
        ALTER TABLE ceremonies ADD COLUMN request TEXT;
        CREATE INDEX ceremonies_of_request ON ceremonies (request, seq)
            WHERE request IS NOT NULL;
        CREATE INDEX signing_requests_of_ceremony ON signing_requests (ceremony)
            WHERE ceremony IS NOT NULL;
        CREATE TABLE key_share_requests (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            key_vault BLOB NOT NULL REFERENCES key_vaults (id), kind TEXT NOT NULL,
            target BLOB NOT NULL REFERENCES key_share_holder_groups (id), source BLOB,
            dealers BLOB, note TEXT, status TEXT NOT NULL, failure TEXT,
            created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX key_share_requests_of_target ON key_share_requests (target, seq);
        CREATE INDEX key_share_requests_open ON key_share_requests (seq)
            WHERE status IN ('Confirming', 'Starting', 'Running');
        """
}
