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

    /// The most that all fees may be together: of what waits from before, what is reserved. And
    /// what is signed and leaves an address, for who looks what that has left.
    static let gathering = """
        ALTER TABLE transactions ADD COLUMN max_fee_high INTEGER;
        ALTER TABLE transactions ADD COLUMN max_fee_low INTEGER;
        UPDATE transactions SET max_fee_high = fee_limit_high, max_fee_low = fee_limit_low
            WHERE kind = 'Withdrawal' AND status = 'Submitted';
        CREATE INDEX outgoing_broadcasting ON outgoing (chain, source)
            WHERE state = 'broadcasting';
        """
}
