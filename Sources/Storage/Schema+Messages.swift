/// What is signed beside a payment, and the signature where it is what was asked for.
extension Schema {
    static let messages = """
        ALTER TABLE transactions ADD COLUMN payload_kind TEXT;
        ALTER TABLE transactions ADD COLUMN payload BLOB;
        ALTER TABLE transactions ADD COLUMN signature BLOB;
        """

    /// The gas that a contract call may use.
    static let contractCalls = "ALTER TABLE transactions ADD COLUMN gas_limit INTEGER;"
}
