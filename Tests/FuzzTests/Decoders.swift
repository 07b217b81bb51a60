/// All of them, by room.
enum Decoders {
    static let all: [Decoder] = Array(
        [algebra, keyGroups, threshold, intents, wire, chains, identity, platform].joined())
}
