/// Several key vaults of a tenant, each with keys of several schemes. What was a key vault of one
/// scheme becomes a key of the tenant's first.
extension Schema {
    static let keyVaults = """
        CREATE TABLE several_key_vaults (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            tenant BLOB NOT NULL REFERENCES tenants (id), name TEXT NOT NULL, kind TEXT NOT NULL,
            next_vault INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL
        ) STRICT;
        INSERT INTO several_key_vaults (id, tenant, name, kind, next_vault, created_at)
            SELECT id, tenant, 'Default', 'Organisation', next_vault, created_at
            FROM key_vaults AS one
            WHERE rowid = (SELECT min(rowid) FROM key_vaults WHERE tenant = one.tenant)
            ORDER BY rowid;
        CREATE TABLE vault_keys (
            key_vault BLOB NOT NULL REFERENCES key_vaults (id), scheme INTEGER NOT NULL,
            main_group BLOB NOT NULL UNIQUE, signing_group BLOB NOT NULL,
            PRIMARY KEY (key_vault, scheme)
        ) STRICT;
        INSERT INTO vault_keys (key_vault, scheme, main_group, signing_group)
            SELECT first.id, one.scheme, one.main_group, one.signing_group
            FROM key_vaults AS one JOIN several_key_vaults AS first ON first.tenant = one.tenant;
        ALTER TABLE holder_groups ADD COLUMN scheme INTEGER NOT NULL DEFAULT 0;
        UPDATE holder_groups SET
            scheme = (SELECT scheme FROM key_vaults WHERE id = holder_groups.key_vault),
            key_vault = (
                SELECT first.id FROM key_vaults AS one
                JOIN several_key_vaults AS first ON first.tenant = one.tenant
                WHERE one.id = holder_groups.key_vault);
        DROP TABLE key_vaults;
        ALTER TABLE several_key_vaults RENAME TO key_vaults;
        CREATE INDEX key_vaults_of_tenant ON key_vaults (tenant, seq);
        ALTER TABLE address_notices RENAME TO notices_of_tenants;
        CREATE TABLE address_notices (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            entry BLOB NOT NULL REFERENCES address_book (id), holder BLOB NOT NULL,
            key_vault BLOB NOT NULL, is_told INTEGER NOT NULL, next_offer INTEGER NOT NULL,
            answer TEXT, UNIQUE (entry, holder, key_vault)
        ) STRICT;
        INSERT INTO address_notices
            SELECT notice.seq, notice.entry, notice.holder, key_vaults.id, notice.is_told,
                notice.next_offer, notice.answer
            FROM notices_of_tenants AS notice JOIN address_book ON address_book.id = notice.entry
            JOIN key_vaults ON key_vaults.tenant = address_book.tenant;
        DROP TABLE notices_of_tenants;
        CREATE INDEX address_notices_due ON address_notices (holder, next_offer, seq)
            WHERE is_told = 0;
        ALTER TABLE announcements ADD COLUMN key_vault BLOB NOT NULL DEFAULT x'';
        UPDATE announcements SET key_vault = coalesce((
            SELECT key_vaults.id FROM address_book
            JOIN key_vaults ON key_vaults.tenant = address_book.tenant
            WHERE address_book.id = announcements.entry), x'');
        """
}
