import GRDB

/// The platform's tables. Migrations only go forward; a released one is never changed.
///
/// SQL in the common subset of SQLite and PostgreSQL where that costs nothing. Amounts are two
/// integers, high · 10^18 + low. A `seq` is the place in lists: newest first, stable under inserts.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("2") { db in
            for part in [tenants, vaults, ledger, transactions, signing, chains, calls] {
                try db.execute(sql: part)
            }
        }
        migrator.registerMigration("cancellation") { db in try db.execute(sql: cancellation) }
        migrator.registerMigration("vault status") { db in try db.execute(sql: vaultStatus) }
        migrator.registerMigration("callers") { db in try db.execute(sql: callers) }
        migrator.registerMigration("announcements") { db in try db.execute(sql: announcements) }
        migrator.registerMigration("tokens") { db in try db.execute(sql: tokens) }
        migrator.registerMigration("webhook-attempts") { try $0.execute(sql: webhookAttempts) }
        migrator.registerMigration("figures") { db in try db.execute(sql: figures) }
        migrator.registerMigration("addresses") { try $0.execute(sql: addresses) }
        migrator.registerMigration("consolidation") { try $0.execute(sql: consolidation) }
        migrator.registerMigration("contents") { try $0.execute(sql: contents) }
        migrator.registerMigration("key vaults") { try $0.execute(sql: keyVaults) }
        migrator.registerMigration("key shares") { try $0.execute(sql: keyShares) }
        migrator.registerMigration("audit changes") { try $0.execute(sql: auditChanges) }
        migrator.registerMigration("gathering") { try $0.execute(sql: gathering) }
        migrator.registerMigration("public keys") { try $0.execute(sql: publicKeys) }
        migrator.registerMigration("messages") { try $0.execute(sql: messages) }
        migrator.registerMigration("contract calls") { try $0.execute(sql: contractCalls) }
        migrator.registerMigration("subscriptions") { try $0.execute(sql: subscriptions) }
        migrator.registerMigration("callbacks") { try $0.execute(sql: callbacks) }
        migrator.registerMigration("replacements") { try $0.execute(sql: replacements) }
        migrator.registerMigration("word nonces") { try $0.execute(sql: wordNonces) }
        migrator.registerMigration("built only") { try $0.execute(sql: builtOnly) }
        return migrator
    }

    private static let vaultStatus = """
        ALTER TABLE vaults ADD COLUMN status TEXT NOT NULL DEFAULT 'Active';
        CREATE TABLE disabled_assets (
            tenant BLOB NOT NULL REFERENCES tenants (id), asset TEXT NOT NULL,
            PRIMARY KEY (tenant, asset)
        ) STRICT, WITHOUT ROWID;
        """

    private static let cancellation = """
        ALTER TABLE transactions ADD COLUMN stop_code TEXT;
        ALTER TABLE transactions ADD COLUMN stop_message TEXT;
        DROP INDEX transactions_under_way;
        CREATE INDEX transactions_under_way ON transactions (status, kind, seq)
            WHERE status NOT IN ('Completed', 'Failed', 'Cancelled');
        """

    private static let tenants = """
        CREATE TABLE tenants (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, name TEXT NOT NULL,
            environment INTEGER NOT NULL, created_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE holders (
            identity BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
            online_since INTEGER
        ) STRICT;
        CREATE TABLE key_vaults (
            id BLOB PRIMARY KEY, tenant BLOB NOT NULL REFERENCES tenants (id),
            scheme INTEGER NOT NULL, main_group BLOB NOT NULL UNIQUE, signing_group BLOB NOT NULL,
            next_vault INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL,
            UNIQUE (tenant, scheme)
        ) STRICT;
        CREATE TABLE holder_groups (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            key_vault BLOB NOT NULL REFERENCES key_vaults (id), kind INTEGER NOT NULL,
            required INTEGER NOT NULL, identities BLOB NOT NULL, indices BLOB NOT NULL,
            last_epoch INTEGER NOT NULL, certificate BLOB, active_since INTEGER,
            signatures INTEGER NOT NULL, created_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX holder_groups_of_key_vault ON holder_groups (key_vault, seq);
        CREATE TABLE ceremonies (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            group_id BLOB NOT NULL REFERENCES holder_groups (id), occasion INTEGER NOT NULL,
            source BLOB, required INTEGER NOT NULL, identities BLOB NOT NULL,
            indices BLOB NOT NULL, state TEXT NOT NULL, failure TEXT, attempts INTEGER NOT NULL,
            created_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX ceremonies_of_group ON ceremonies (group_id, seq);
        CREATE INDEX ceremonies_open ON ceremonies (seq) WHERE state = 'open';
        CREATE TABLE check_ups (
            group_id BLOB PRIMARY KEY, epoch INTEGER NOT NULL, certificate BLOB NOT NULL,
            challenge BLOB NOT NULL, proved BLOB NOT NULL, damaged BLOB NOT NULL,
            at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE api_keys (
            id TEXT PRIMARY KEY, tenant BLOB NOT NULL REFERENCES tenants (id), name TEXT NOT NULL,
            scopes TEXT NOT NULL, sealed_secret BLOB NOT NULL, created_at INTEGER NOT NULL,
            revoked_at INTEGER
        ) STRICT;
        """

    private static let vaults = """
        CREATE TABLE vaults (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            tenant BLOB NOT NULL REFERENCES tenants (id),
            key_vault BLOB NOT NULL REFERENCES key_vaults (id), number INTEGER NOT NULL,
            external_id TEXT NOT NULL, name TEXT NOT NULL, metadata TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            UNIQUE (tenant, external_id), UNIQUE (key_vault, number)
        ) STRICT;
        CREATE INDEX vaults_of_tenant ON vaults (tenant, seq);
        CREATE TABLE wallets (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            tenant BLOB NOT NULL REFERENCES tenants (id),
            vault BLOB NOT NULL REFERENCES vaults (id), asset TEXT NOT NULL, label TEXT,
            deposit_address TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL,
            UNIQUE (vault, asset)
        ) STRICT;
        CREATE TABLE addresses (
            chain TEXT NOT NULL, text TEXT NOT NULL, tenant BLOB NOT NULL,
            wallet BLOB NOT NULL REFERENCES wallets (id), vault BLOB NOT NULL,
            coin INTEGER NOT NULL, vault_index INTEGER NOT NULL, number INTEGER NOT NULL,
            funds_high INTEGER NOT NULL CHECK (funds_high >= 0),
            funds_low INTEGER NOT NULL CHECK (funds_low >= 0), next_nonce INTEGER NOT NULL,
            PRIMARY KEY (chain, text), UNIQUE (chain, vault, coin, number)
        ) STRICT;
        CREATE INDEX addresses_of_tenant ON addresses (tenant, chain);
        CREATE TABLE address_book (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            tenant BLOB NOT NULL REFERENCES tenants (id), network TEXT NOT NULL,
            address TEXT NOT NULL, label TEXT NOT NULL, external_id TEXT, status TEXT NOT NULL,
            activates_at INTEGER NOT NULL, created_at INTEGER NOT NULL, UNIQUE (tenant, external_id)
        ) STRICT;
        CREATE UNIQUE INDEX address_book_entries ON address_book (tenant, network, address)
            WHERE status <> 'Removed';
        """

    /// An entry moves an amount from one account to another, so the ledger sums to zero by its
    /// form; the checks and triggers keep what remains to be kept, whoever writes.
    private static let ledger = """
        CREATE TABLE ledger_accounts (
            id INTEGER PRIMARY KEY, tenant BLOB NOT NULL, asset TEXT NOT NULL, wallet BLOB NOT NULL,
            role TEXT NOT NULL, debit_normal INTEGER NOT NULL,
            debits_high INTEGER NOT NULL DEFAULT 0, debits_low INTEGER NOT NULL DEFAULT 0,
            credits_high INTEGER NOT NULL DEFAULT 0, credits_low INTEGER NOT NULL DEFAULT 0,
            UNIQUE (tenant, asset, wallet, role),
            CHECK (debits_low BETWEEN 0 AND 999999999999999999 AND debits_high >= 0),
            CHECK (credits_low BETWEEN 0 AND 999999999999999999 AND credits_high >= 0),
            CONSTRAINT balance_not_negative CHECK (
                debit_normal = 1 AND (debits_high > credits_high
                    OR (debits_high = credits_high AND debits_low >= credits_low))
                OR debit_normal = 0 AND (credits_high > debits_high
                    OR (credits_high = debits_high AND credits_low >= debits_low)))
        ) STRICT;
        CREATE TABLE ledger_entries (
            id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,
            debit INTEGER NOT NULL REFERENCES ledger_accounts (id),
            credit INTEGER NOT NULL REFERENCES ledger_accounts (id),
            high INTEGER NOT NULL CHECK (high >= 0),
            low INTEGER NOT NULL CHECK (low BETWEEN 0 AND 999999999999999999),
            movement BLOB NOT NULL, at INTEGER NOT NULL,
            CHECK (debit <> credit), CHECK (high > 0 OR low > 0)
        ) STRICT;
        CREATE INDEX ledger_entries_of_movement ON ledger_entries (movement);
        CREATE TRIGGER ledger_entry_one_asset BEFORE INSERT ON ledger_entries BEGIN
            SELECT RAISE(ABORT, 'an entry is within one tenant and asset')
            WHERE (SELECT tenant || asset FROM ledger_accounts WHERE id = NEW.debit)
                IS NOT (SELECT tenant || asset FROM ledger_accounts WHERE id = NEW.credit);
        END;
        CREATE TRIGGER ledger_entry_posts AFTER INSERT ON ledger_entries BEGIN
            UPDATE ledger_accounts SET
                debits_high = debits_high + NEW.high
                    + (debits_low + NEW.low) / 1000000000000000000,
                debits_low = (debits_low + NEW.low) % 1000000000000000000
            WHERE id = NEW.debit;
            UPDATE ledger_accounts SET
                credits_high = credits_high + NEW.high
                    + (credits_low + NEW.low) / 1000000000000000000,
                credits_low = (credits_low + NEW.low) % 1000000000000000000
            WHERE id = NEW.credit;
        END;
        CREATE TRIGGER ledger_entries_stay BEFORE UPDATE ON ledger_entries BEGIN
            SELECT RAISE(ABORT, 'a ledger entry is never changed');
        END;
        CREATE TRIGGER ledger_entries_remain BEFORE DELETE ON ledger_entries BEGIN
            SELECT RAISE(ABORT, 'a ledger entry is never removed');
        END;
        """

    private static let transactions = """
        CREATE TABLE transactions (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            tenant BLOB NOT NULL REFERENCES tenants (id), kind TEXT NOT NULL, status TEXT NOT NULL,
            vault BLOB NOT NULL, wallet BLOB NOT NULL, destination_wallet BLOB,
            asset TEXT NOT NULL, high INTEGER NOT NULL, low INTEGER NOT NULL,
            fee_limit_high INTEGER NOT NULL, fee_limit_low INTEGER NOT NULL, fee_level TEXT,
            fee_high INTEGER, fee_low INTEGER, source_address TEXT, destination_address TEXT,
            hash BLOB, block_number INTEGER, waiting TEXT, failure_code TEXT, failure_message TEXT,
            note TEXT, external_id TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
            UNIQUE (tenant, kind, external_id)
        ) STRICT;
        CREATE INDEX transactions_of_tenant ON transactions (tenant, seq);
        CREATE INDEX transactions_of_wallet ON transactions (wallet, seq);
        CREATE INDEX transactions_to_wallet ON transactions (destination_wallet, seq)
            WHERE destination_wallet IS NOT NULL;
        CREATE INDEX transactions_of_vault ON transactions (vault, seq);
        CREATE INDEX transactions_under_way ON transactions (status, kind, seq)
            WHERE status NOT IN ('Completed', 'Failed');
        CREATE TABLE timeline (
            movement BLOB NOT NULL, number INTEGER NOT NULL, status TEXT NOT NULL,
            at INTEGER NOT NULL, PRIMARY KEY (movement, number)
        ) STRICT, WITHOUT ROWID;
        """

    private static let signing = """
        CREATE TABLE signing_requests (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, intent BLOB NOT NULL UNIQUE,
            bytes BLOB NOT NULL, signature BLOB NOT NULL, group_id BLOB NOT NULL,
            movement BLOB, ceremony BLOB, attempt INTEGER NOT NULL, source TEXT, nonce INTEGER,
            state TEXT NOT NULL, closing_code TEXT, closing_message TEXT,
            created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX signing_requests_of_movement ON signing_requests (movement);
        CREATE INDEX signing_requests_under_way ON signing_requests (state, seq)
            WHERE state NOT IN ('done', 'closed');
        CREATE TABLE verdicts (
            intent BLOB NOT NULL, holder BLOB NOT NULL, kind TEXT NOT NULL, bytes BLOB NOT NULL,
            PRIMARY KEY (intent, holder, kind)
        ) STRICT;
        CREATE TABLE runs (
            descriptor BLOB PRIMARY KEY, intent BLOB NOT NULL, attempt INTEGER NOT NULL,
            members BLOB NOT NULL, state TEXT NOT NULL, silent BLOB NOT NULL, reason TEXT,
            started_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, ended_at INTEGER,
            UNIQUE (intent, attempt)
        ) STRICT;
        CREATE TABLE banned_pairs (
            group_id BLOB NOT NULL, one BLOB NOT NULL, other BLOB NOT NULL,
            PRIMARY KEY (group_id, one, other)
        ) STRICT;
        """

    private static let chains = """
        CREATE TABLE outgoing (
            chain TEXT NOT NULL, hash BLOB NOT NULL, movement BLOB NOT NULL, source TEXT NOT NULL,
            nonce INTEGER NOT NULL, raw BLOB NOT NULL, state TEXT NOT NULL,
            next_broadcast INTEGER NOT NULL, broadcasts INTEGER NOT NULL, PRIMARY KEY (chain, hash)
        ) STRICT;
        CREATE INDEX outgoing_of_movement ON outgoing (movement);
        CREATE INDEX outgoing_of_source ON outgoing (chain, source, nonce);
        CREATE INDEX outgoing_to_broadcast ON outgoing (chain, next_broadcast)
            WHERE state = 'broadcasting';
        CREATE TABLE chain_states (
            chain TEXT PRIMARY KEY, number INTEGER NOT NULL, hash BLOB NOT NULL,
            base_fee INTEGER NOT NULL, priority_fee INTEGER NOT NULL, at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE blocks (
            chain TEXT NOT NULL, number INTEGER NOT NULL, hash BLOB NOT NULL, parent BLOB NOT NULL,
            PRIMARY KEY (chain, number)
        ) STRICT;
        CREATE TABLE effects (
            id INTEGER PRIMARY KEY, chain TEXT NOT NULL, block BLOB NOT NULL, hash BLOB NOT NULL,
            kind TEXT NOT NULL, address TEXT NOT NULL, movement BLOB NOT NULL,
            high INTEGER NOT NULL, low INTEGER NOT NULL, fee_high INTEGER NOT NULL,
            fee_low INTEGER NOT NULL, UNIQUE (chain, block, hash, kind)
        ) STRICT;
        CREATE TABLE deposits (
            chain TEXT NOT NULL, hash BLOB NOT NULL, movement BLOB NOT NULL,
            PRIMARY KEY (chain, hash)
        ) STRICT;
        """

    private static let calls = """
        CREATE TABLE answers (
            caller TEXT NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL,
            status INTEGER NOT NULL, body BLOB NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (caller, key)
        ) STRICT;
        CREATE INDEX answers_by_age ON answers (at);
        CREATE TABLE seen_signatures (
            caller TEXT NOT NULL, signature BLOB NOT NULL, until INTEGER NOT NULL,
            PRIMARY KEY (caller, signature)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX seen_signatures_by_age ON seen_signatures (until);
        CREATE TABLE sequences (
            tenant BLOB NOT NULL, resource BLOB NOT NULL, number INTEGER NOT NULL,
            PRIMARY KEY (tenant, resource)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE endpoints (
            tenant BLOB PRIMARY KEY, url TEXT NOT NULL, sealed_secret BLOB NOT NULL,
            created_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, tenant BLOB NOT NULL,
            resource BLOB NOT NULL, number INTEGER NOT NULL, type TEXT NOT NULL,
            body BLOB NOT NULL, created_at INTEGER NOT NULL, state TEXT NOT NULL,
            next_try INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, answer TEXT,
            UNIQUE (tenant, resource, number)
        ) STRICT;
        CREATE INDEX events_due ON events (next_try) WHERE state = 'waiting';
        CREATE INDEX events_in_order ON events (tenant, resource, number) WHERE state = 'waiting';
        """

    private static let announcements = """
        ALTER TABLE tenants ADD COLUMN cooling_seconds INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX address_book_to_activate ON address_book (activates_at)
            WHERE status = 'Pending';
        CREATE INDEX address_book_by_address ON address_book (tenant, network, address);
        CREATE TABLE address_notices (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            entry BLOB NOT NULL REFERENCES address_book (id), holder BLOB NOT NULL,
            is_told INTEGER NOT NULL, next_offer INTEGER NOT NULL, answer TEXT,
            UNIQUE (entry, holder)
        ) STRICT;
        CREATE INDEX address_notices_due ON address_notices (holder, next_offer, seq)
            WHERE is_told = 0;
        CREATE TABLE announcements (
            intent BLOB PRIMARY KEY, entry BLOB NOT NULL, change INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX announcements_by_age ON announcements (expires_at);
        """
}
