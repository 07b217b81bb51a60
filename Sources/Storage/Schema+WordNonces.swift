/// How many nonces that are no times each key of the MPC administration face has used: those are
/// the ones that are never forgotten.
extension Schema {
    static let wordNonces = """
        ALTER TABLE public_api_keys ADD COLUMN words INTEGER NOT NULL DEFAULT 0;
        UPDATE public_api_keys SET words = (
            SELECT count(*) FROM seen_nonces
            WHERE caller = public_api_keys.id AND until = 9223372036854775807
        );
        """
}
