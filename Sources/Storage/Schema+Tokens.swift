/// Tokens: an address belongs to a vault and not to a wallet, what it holds stands by asset, and
/// one transaction of a chain can make several deposits.
extension Schema {
    static let tokens = """
        ALTER TABLE addresses RENAME TO wallet_addresses;
        CREATE TABLE addresses (
            chain TEXT NOT NULL, text TEXT NOT NULL, tenant BLOB NOT NULL,
            vault BLOB NOT NULL REFERENCES vaults (id), coin INTEGER NOT NULL,
            vault_index INTEGER NOT NULL, number INTEGER NOT NULL, next_nonce INTEGER NOT NULL,
            PRIMARY KEY (chain, text), UNIQUE (vault, coin, number)
        ) STRICT;
        INSERT INTO addresses
            SELECT chain, text, tenant, vault, coin, vault_index, number, next_nonce
            FROM wallet_addresses;
        CREATE TABLE address_funds (
            address TEXT NOT NULL, asset TEXT NOT NULL, tenant BLOB NOT NULL, vault BLOB NOT NULL,
            high INTEGER NOT NULL CHECK (high >= 0),
            low INTEGER NOT NULL CHECK (low BETWEEN 0 AND 999999999999999999),
            PRIMARY KEY (address, asset)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX address_funds_of_tenant ON address_funds (tenant, asset, high, low);
        CREATE INDEX address_funds_of_vault ON address_funds (vault, asset, high, low);
        INSERT INTO address_funds
            SELECT text, chain || '/slip44:' || coin, tenant, vault, funds_high, funds_low
            FROM wallet_addresses;
        DROP TABLE wallet_addresses;
        ALTER TABLE effects RENAME TO coin_effects;
        CREATE TABLE effects (
            id INTEGER PRIMARY KEY, chain TEXT NOT NULL, block BLOB NOT NULL, hash BLOB NOT NULL,
            kind TEXT NOT NULL, place TEXT NOT NULL, address TEXT NOT NULL, movement BLOB NOT NULL,
            asset TEXT NOT NULL, high INTEGER NOT NULL, low INTEGER NOT NULL,
            fee_high INTEGER NOT NULL, fee_low INTEGER NOT NULL,
            UNIQUE (chain, block, hash, kind, place)
        ) STRICT;
        INSERT INTO effects
            SELECT id, chain, block, hash, kind, '0', address, movement, chain || '/slip44:60',
                high, low, fee_high, fee_low
            FROM coin_effects;
        DROP TABLE coin_effects;
        ALTER TABLE deposits RENAME TO coin_deposits;
        CREATE TABLE deposits (
            chain TEXT NOT NULL, hash BLOB NOT NULL, place TEXT NOT NULL, movement BLOB NOT NULL,
            PRIMARY KEY (chain, hash, place)
        ) STRICT;
        INSERT INTO deposits SELECT chain, hash, '0', movement FROM coin_deposits;
        DROP TABLE coin_deposits;
        """
}
