import GRDB

/// The holder's tables. Migrations only go forward; a released one is never changed.
enum HolderSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("2") { db in
            try db.execute(sql: first)
        }
        migrator.registerMigration("3-announced") { db in
            try db.execute(sql: announced)
        }
        migrator.registerMigration("4-decisions") { db in
            try db.execute(sql: decisions)
        }
        migrator.registerMigration("5-events") { db in
            try db.execute(sql: events)
        }
        migrator.registerMigration("6-told") { db in
            try db.execute(sql: toldUntil)
        }
        return migrator
    }

    private static let first = """
        CREATE TABLE keys (
            group_id BLOB NOT NULL, epoch INTEGER NOT NULL, scheme INTEGER NOT NULL,
            kind INTEGER NOT NULL, my_index INTEGER NOT NULL, state TEXT NOT NULL,
            certificate_digest BLOB NOT NULL, descriptor BLOB NOT NULL,
            contributions BLOB NOT NULL, public_key BLOB NOT NULL, chain_code BLOB NOT NULL,
            verifying_shares BLOB NOT NULL, echo BLOB NOT NULL, intent BLOB NOT NULL,
            testimony BLOB NOT NULL, sealed_share BLOB,
            PRIMARY KEY (group_id, epoch)
        ) STRICT;
        CREATE TABLE used_descriptors (digest BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
        CREATE TABLE used_runs (run BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
        CREATE TABLE last_messages (
            run BLOB NOT NULL, item INTEGER NOT NULL, hash BLOB NOT NULL, intent BLOB NOT NULL,
            PRIMARY KEY (run, item)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX last_messages_of_intent ON last_messages (intent);
        CREATE TABLE bans (
            group_id BLOB NOT NULL, epoch INTEGER NOT NULL, peer BLOB NOT NULL, run BLOB NOT NULL,
            reason TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (group_id, epoch, peer)
        ) STRICT;
        CREATE TABLE discarded_setups (
            group_id BLOB NOT NULL, peer BLOB NOT NULL, count INTEGER NOT NULL,
            PRIMARY KEY (group_id, peer)
        ) STRICT;
        CREATE TABLE evidence (
            id INTEGER PRIMARY KEY, run BLOB NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
            envelope BLOB NOT NULL
        ) STRICT;
        CREATE TABLE intents (
            digest BLOB PRIMARY KEY, bytes BLOB NOT NULL, state TEXT NOT NULL,
            verdict BLOB NOT NULL, expires INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX intents_unclosed ON intents (expires) WHERE state <> 'closed';
        CREATE TABLE reservations (
            intent BLOB NOT NULL, root BLOB NOT NULL, asset TEXT NOT NULL,
            high INTEGER NOT NULL CHECK (high >= 0), low INTEGER NOT NULL CHECK (low >= 0),
            at INTEGER NOT NULL, PRIMARY KEY (intent, root, asset)
        ) STRICT;
        CREATE INDEX reservations_of_asset ON reservations (root, asset, at);
        CREATE TABLE signatures (intent BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
        CREATE TABLE confirmations (
            fingerprint TEXT NOT NULL, request BLOB NOT NULL, what TEXT NOT NULL,
            confirmed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (fingerprint, request)
        ) STRICT;
        CREATE TABLE joined_roots (
            root BLOB PRIMARY KEY, at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE facts (name TEXT PRIMARY KEY, number INTEGER, text TEXT) STRICT;
        """

    private static let announced = """
        CREATE TABLE announced (
            root BLOB NOT NULL, chain TEXT NOT NULL, address TEXT NOT NULL,
            first_seen INTEGER NOT NULL, removed_at INTEGER, PRIMARY KEY (root, chain, address)
        ) STRICT, WITHOUT ROWID;
        """

    /// What event servers are to be told, and what they were last told of each request.
    private static let events = """
        CREATE TABLE events (
            number INTEGER PRIMARY KEY AUTOINCREMENT, server BLOB NOT NULL, id TEXT NOT NULL,
            subject BLOB NOT NULL, package BLOB NOT NULL, UNIQUE (server, id)
        ) STRICT;
        CREATE INDEX events_of_server ON events (server, number);
        CREATE TABLE told (
            subject BLOB PRIMARY KEY, status INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    /// When the requests end of which something was told: later it need not be known.
    private static let toldUntil = """
        ALTER TABLE told ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;
        UPDATE told
        SET expires = coalesce((SELECT expires FROM intents WHERE digest = subject), 0);
        CREATE INDEX told_by_end ON told (expires);
        """

    /// What callback servers decided: one decision of each on one subject.
    private static let decisions = """
        CREATE TABLE decisions (
            subject BLOB NOT NULL, server BLOB NOT NULL, decision TEXT NOT NULL, why TEXT,
            at INTEGER NOT NULL, PRIMARY KEY (subject, server)
        ) STRICT, WITHOUT ROWID;
        """
}
