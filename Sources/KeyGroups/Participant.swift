/// A member's place in a key share holder group: the point at which its share lies on the
/// polynomial, 1…20, never 0.
public struct ParticipantIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The largest group. Broadcasts are echoed by hash, so the cost grows with the square.
    public static let most: UInt8 = 20

    public let raw: UInt8

    public init?(_ raw: some BinaryInteger) {
        guard raw >= 1, raw <= Self.most else { return nil }
        self.raw = UInt8(raw)
    }

    public static func < (a: Self, b: Self) -> Bool { a.raw < b.raw }
    public var description: String { String(raw) }
}

/// How many of how many holders must sign.
public struct SigningThreshold: Hashable, Sendable {
    public let required: Int
    public let holders: Int

    /// Nil unless 2 ≤ `required` ≤ `holders` ≤ 20.
    public init?(_ required: Int, of holders: Int) {
        guard required >= 2, required <= holders, holders <= Int(ParticipantIndex.most) else {
            return nil
        }
        (self.required, self.holders) = (required, holders)
    }
}

/// The participants of one run, and which of them we are.
public struct Quorum: Sendable {
    public let me: ParticipantIndex
    /// Everyone, ascending.
    public let members: [ParticipantIndex]
    /// Everyone else, ascending.
    public let others: [ParticipantIndex]

    /// Nil if a member stands twice or we are none of them.
    public init?(me: ParticipantIndex, members: [ParticipantIndex]) {
        let sorted = members.sorted()
        guard Set(sorted).count == sorted.count, sorted.contains(me) else { return nil }
        self.me = me
        self.members = sorted
        others = sorted.filter { $0 != me }
    }
}
