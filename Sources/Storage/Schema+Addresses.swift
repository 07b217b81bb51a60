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
}
