/// Bytes that take the place of a signed transfer's, and what is reserved for their fees.
extension Schema {
    static let replacements = """
        ALTER TABLE transactions ADD COLUMN fee_raise_high INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE transactions ADD COLUMN fee_raise_low INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE replacements (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            movement BLOB NOT NULL REFERENCES transactions (id), number INTEGER NOT NULL,
            tenant BLOB NOT NULL REFERENCES tenants (id), external_id TEXT NOT NULL,
            kind TEXT NOT NULL, replaced BLOB NOT NULL, gas_limit INTEGER NOT NULL,
            price INTEGER NOT NULL, tip INTEGER NOT NULL, state TEXT NOT NULL,
            intent BLOB UNIQUE, hash BLOB, explanation TEXT, created_at INTEGER NOT NULL,
            UNIQUE (movement, number), UNIQUE (tenant, external_id)
        ) STRICT;
        CREATE INDEX replacements_asked ON replacements (seq) WHERE state = 'asked';
        """

    /// Transactions that were built only; a row goes when its caller has it go on.
    static let builtOnly = """
        CREATE TABLE built_only (
            movement BLOB PRIMARY KEY REFERENCES transactions (id)
        ) STRICT, WITHOUT ROWID;
        """
}
