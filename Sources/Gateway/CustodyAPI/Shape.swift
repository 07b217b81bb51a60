/// What a JSON value of the face looks like: what the document says, and what the tests hold
/// answers to.
indirect enum Shape: Sendable {
    /// Any text; what it holds, for the document.
    case text(most: Int? = nil)
    case uuid
    /// ISO 8601 in UTC, to the second.
    case time
    /// A day in ISO 8601.
    case day
    /// Whole coins in plain digits.
    case amount
    case integer(ClosedRange<Int>? = nil)
    case boolean
    case choice([String])
    /// An object of texts under names of the caller's.
    case texts
    case list(Shape)
    /// A resource: an object with a name of its own in the document.
    case named(String, [Member])
    case object([Member])
    /// One page of a list.
    case page(Shape)
    case nullable(Shape)

    static func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ type: Value.Type
    ) -> Shape {
        .choice(Value.allCases.map(\.rawValue))
    }
}

/// One member of an object.
struct Member: Sendable {
    let name: String
    let shape: Shape
    /// Of a request: may be left out.
    let isOptional: Bool
    /// For the document: what it is, in a few words.
    let says: String

    init(_ name: String, _ shape: Shape, optional: Bool = false, _ says: String = "") {
        self.name = name
        self.shape = shape
        isOptional = optional
        self.says = says
    }
}
