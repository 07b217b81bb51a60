/// All of them, by room.
enum Decoders {
    static let all: [Decoder] = Array(
        [algebra, keyGroups, threshold, intents, servers, wire, chains, identity, platform].joined()
    )
}
