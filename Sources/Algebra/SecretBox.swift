/// Holds one value that cannot be copied where only copyable ones may stand, such as in an array.
///
/// The value is wiped when the last owner lets go of the box, or of what was taken out of it.
public final class SecretBox<Value: ~Copyable>: @unchecked Sendable {
    // Sendable: a box is owned by one run at a time; runs are driven by one thread.
    private var value: Value?

    public init(_ value: consuming Value) { self.value = consume value }

    /// The value, once; nil afterwards.
    public func take() -> Value? { value.take() }

    /// What `body` makes of the value; a box that was emptied is a bug.
    public func with<Result: ~Copyable, Failure: Error>(
        _ body: (borrowing Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch value {
        case .some(let value): return try body(value)
        case nil: preconditionFailure("the secret was taken out of its box before")
        }
    }
}
