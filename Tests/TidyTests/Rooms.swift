/// What a room may import: ARCHITECTURE.md's table, and for a reason each more than Package.swift.
struct Room: Sendable {
    /// Other rooms.
    let rooms: Set<String>
    /// Modules that are not ours.
    let outside: Set<String>
    /// Where Foundation is not free: the files that need it.
    let foundationOnlyIn: [String]

    init(_ rooms: Set<String>, outside: Set<String> = [], foundationOnlyIn: [String] = []) {
        self.rooms = rooms
        self.outside = outside
        self.foundationOnlyIn = foundationOnlyIn
    }
}

/// The rooms under `Sources`, from the bottom up.
enum Rooms {
    /// System libraries: a module map and a shim. Only Algebra may speak to them.
    static let walls: Set<String> = ["CLibCrypto", "CSecp256k1", "CSodium"]

    static let all: [String: Room] = [
        "CLibCrypto": Room([]),
        "CSecp256k1": Room([]),
        "CSodium": Room([]),
        "Canonical": Room([]),
        // RSA of swift-crypto speaks Data.
        "Algebra": Room(
            walls.union(["Canonical"]), outside: ["Crypto", "CryptoExtras"],
            foundationOnlyIn: ["Algebra/RSAKey.swift"]),
        "KeyGroups": Room(["Algebra", "Canonical"]),
        // Base64.
        "RecoveryKit": Room(
            ["Algebra", "Canonical", "KeyGroups"],
            foundationOnlyIn: ["RecoveryKit/RecoveryFile+JSON.swift"]),
        "Threshold": Room(["Algebra", "Canonical", "KeyGroups"]),
        // JSON is read and written by Foundation; nothing else of it is needed here.
        "Chains": Room(["Algebra", "Canonical"], foundationOnlyIn: ["Chains/EVM/EVMRPC.swift"]),
        "Intents": Room(["Algebra", "Canonical", "Chains", "KeyGroups"]),
        // Base64.
        "Identity": Room(
            ["Algebra", "Canonical"], outside: ["Crypto"],
            foundationOnlyIn: ["Identity/WebhookSignature.swift"]),
        // URLs are taken apart by Foundation. No clock, socket, file or database.
        "Custody": Room(
            ["Algebra", "Canonical", "Chains", "Identity", "Intents", "KeyGroups"],
            foundationOnlyIn: ["Custody/WebhookTarget.swift"]),
        "Storage": Room(
            ["Algebra", "Canonical", "Chains", "Custody", "Identity", "Intents", "KeyGroups"],
            outside: ["Dispatch", "Foundation", "GRDB", "Synchronization"]),
        "Wire": Room([], outside: ["GRPCCore", "Synchronization"]),
        "Holder": Room(
            ["Algebra", "Canonical", "Chains", "Intents", "KeyGroups", "Threshold", "Wire"],
            outside: [
                "AsyncHTTPClient", "Foundation", "GRPCCore", "GRPCNIOTransportHTTP2Posix",
                "Logging", "NIOCore", "NIOHTTP1", "SwiftProtobuf", "Synchronization",
            ]),
        "HolderStorage": Room(
            ["Algebra", "Canonical", "Chains", "Holder", "Intents", "KeyGroups", "Threshold"],
            outside: ["Foundation", "GRDB"]),
        "Workers": Room(
            [
                "Algebra", "Canonical", "Chains", "Custody", "Identity", "Intents", "KeyGroups",
                "Wire",
            ],
            outside: [
                "AsyncHTTPClient", "Foundation", "GRPCCore", "Logging", "NIOCore", "NIOHTTP1",
                "SwiftProtobuf", "Synchronization",
            ]),
        "SimulatedChains": Room(
            ["Algebra", "Canonical", "Chains"],
            outside: [
                "Foundation", "HTTPTypes", "Hummingbird", "Logging", "NIOCore", "Synchronization",
            ]),
        "Gateway": Room(
            ["Algebra", "Canonical", "Chains", "Custody", "Identity", "Intents", "KeyGroups"],
            outside: [
                "Foundation", "HTTPTypes", "Hummingbird", "HummingbirdCore", "HummingbirdTLS",
                "Logging", "NIOCore", "NIOHTTPTypes", "NIOSSL", "Synchronization",
            ]),
        "Housekeeping": Room([], outside: ["Foundation"]),
        "CustodyClient": Room(
            ["Algebra", "Canonical", "Gateway", "Identity"],
            outside: ["AsyncHTTPClient", "Foundation", "NIOCore", "NIOHTTP1"]),
        "quorumkeep-node": Room(
            [
                "Algebra", "Canonical", "Chains", "Holder", "HolderStorage", "Housekeeping",
                "Intents", "KeyGroups", "RecoveryKit",
            ],
            outside: ["ArgumentParser", "Foundation", "Logging", "Synchronization", "UnixSignals"]),
        // Offline: nothing that reaches a network or a store.
        "quorumkeep-recover": Room(
            ["Algebra", "Canonical", "Chains", "Housekeeping", "KeyGroups", "RecoveryKit"],
            outside: ["ArgumentParser", "Foundation"]),
        "quorumkeep": Room(
            [
                "Algebra", "Canonical", "Chains", "Custody", "CustodyClient", "Gateway",
                "Housekeeping", "Identity", "Intents", "KeyGroups", "SimulatedChains", "Storage",
                "Wire", "Workers",
            ],
            outside: [
                "ArgumentParser", "AsyncHTTPClient", "Crypto", "Foundation", "GRPCCore",
                "GRPCNIOTransportHTTP2Posix", "HTTPTypes", "Hummingbird", "Logging", "NIOCore",
                "NIOHTTP1", "NIOSSL", "ServiceLifecycle", "SwiftASN1", "Synchronization",
                "UnixSignals", "X509",
            ]),
    ]

    /// Command lines: they print, read the environment, and start the clock.
    static let executables: Set<String> = ["quorumkeep", "quorumkeep-node", "quorumkeep-recover"]

    /// Rooms below the servers: no clock, no waiting, no environment.
    static let pure: Set<String> = [
        "Canonical", "Algebra", "KeyGroups", "RecoveryKit", "Threshold", "Chains", "Intents",
        "Identity",
        "Custody", "Storage", "Wire", "HolderStorage",
    ]

    /// What sees key shares. The platform is never linked with any of it.
    static let holderOnly: Set<String> = [
        "Threshold", "Holder", "HolderStorage", "RecoveryKit",
    ]

    /// Everything that a room reaches when each room links what `links` says.
    static func reach(of room: String, _ links: [String: Set<String>]) -> Set<String> {
        var reached: Set<String> = []
        var waiting = [room]
        while let next = waiting.popLast() {
            if reached.insert(next).inserted { waiting += links[next] ?? [] }
        }
        return reached
    }
}
