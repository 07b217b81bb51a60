/// API keys of which the platform knows the public half only, and the nonces that they have used.
extension Schema {
    static let publicKeys = """
        CREATE TABLE public_api_keys (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            tenant BLOB NOT NULL REFERENCES tenants (id), name TEXT NOT NULL,
            permissions TEXT NOT NULL, cidrs TEXT, created_at INTEGER NOT NULL,
            expires_at INTEGER, revoked_at INTEGER, last_used_at INTEGER
        ) STRICT;
        CREATE INDEX public_api_keys_of_tenant ON public_api_keys (tenant, seq);
        CREATE TABLE seen_nonces (
            caller TEXT NOT NULL, nonce TEXT NOT NULL, until INTEGER NOT NULL,
            PRIMARY KEY (caller, nonce)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX seen_nonces_by_age ON seen_nonces (until);
        """
}
