/// Several addresses of a vault on a chain, with labels.
extension Schema {
    static let addresses = """
        ALTER TABLE addresses ADD COLUMN label TEXT;
        ALTER TABLE addresses ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
        UPDATE addresses SET created_at = coalesce((
            SELECT min(wallets.created_at) FROM wallets
            WHERE wallets.vault = addresses.vault
                AND wallets.deposit_address = addresses.text), 0);
        """

    /// What vaults and entries were made with, for who asks for them once more.
    static let contents = """
        ALTER TABLE vaults ADD COLUMN content BLOB;
        ALTER TABLE address_book ADD COLUMN content BLOB;
        """

    /// Transfers between a tenant's addresses that a withdrawal waits for.
    static let consolidation = """
        ALTER TABLE transactions ADD COLUMN parent BLOB;
        ALTER TABLE transactions ADD COLUMN consolidations_left INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX transactions_of_parent ON transactions (parent) WHERE parent IS NOT NULL;
        """
}
