import Algebra
import Canonical
import Chains
import HolderStorage
import Intents
import KeyGroups
import Logging
import Synchronization
import TestKit
import Testing
import Threshold

@testable import Holder

private let time: UInt64 = 1_800_000_000

/// What a test reads of an event.
private struct Said: Equatable, CustomStringConvertible {
    let type: String
    let status: Int
    let description: String

    init(_ type: String, _ status: Int) {
        (self.type, self.status) = (type, status)
        description = "\(type) \(status)"
    }

    init(_ event: HolderEvent) throws {
        let said = try JSONParser.parse(event.package)
        var type = ""
        var status = 0
        if case .string(let text)? = said["event_type"] { type = text }
        if case .number(let digits)? = said["data"]?["request_status"] {
            status = Int(digits) ?? 0
        }
        self.init(type, status)
    }
}

@Suite(.serialized) struct `A holder with event servers` {
    private static let servers = ["http://one:11030", "http://two:11030"].map {
        EventServer(address: $0)
    }

    /// Member 0 has event servers, the others none.
    private func quorum(
        _ seed: String, servers: [EventServer] = [servers[0]], keyFirst: Bool = true
    ) throws -> SimulatedQuorum {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: seed)
        if keyFirst { try quorum.generateKey() }
        quorum.members[0].eventServers = servers
        quorum.restart(0)
        return quorum
    }

    private func offered(_ quorum: SimulatedQuorum, request: UInt8 = 1) throws -> (
        Intent, TransferOrder
    ) {
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order), request: request)
        quorum.offer(intent)
        try quorum.run()
        return (intent, order)
    }

    /// Acknowledges events of the server until there are no more, and returns them.
    private func heard(
        _ quorum: SimulatedQuorum, _ server: EventServer = servers[0]
    ) throws -> [HolderEvent] {
        var heard: [HolderEvent] = []
        var at = quorum.events.lastIndex { $0.server == server } ?? quorum.events.count
        while at < quorum.events.count {
            let event = quorum.events[at].event
            heard.append(event)
            at = quorum.events.count
            try quorum.handle(.delivered(event: event.id, server: server.id), by: 0)
            at = quorum.events[at...].firstIndex { $0.server == server } ?? quorum.events.count
        }
        return heard
    }

    private func data(_ event: HolderEvent) throws -> JSONValue {
        let said = try JSONParser.parse(event.package)
        return try #require(said["data"])
    }

    @Test func `tells of a signing in the protocol's words, once and in order`() throws {
        let quorum = try quorum("events of a signing")
        let (intent, order) = try offered(quorum)
        // Offered again, nothing new is told.
        quorum.offer(intent, to: [0])
        try quorum.run()
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        #expect(quorum.events.count == 1, "one at a time")
        let events = try heard(quorum)
        #expect(
            try events.map(Said.init) == [
                Said("request.keysign.created", 110), Said("request.keysign.updated", 140),
                Said("request.keysign.succeeded", 190),
            ])
        #expect(Set(events.map(\.id)).count == 3)
        let last = try JSONParser.parse(events[2].package)
        #expect(last["node_id"] == .string(quorum.members[0].identity.hex))
        #expect(last["event_id"] == .string(events[2].id))
        #expect(last["created_timestamp"] == .integer(time * 1000))
        let told = try data(events[2])
        #expect(told["request_detail"]?["task_id"] == .string(intent.digest.hex))
        let name = Digest.requestName(of: intent.digest, at: quorum.members[0].identity)
        #expect(told["request_id"] == .string(name.hex))
        #expect(told["data_type"] == .string("KeySign"))
        let item = quorum.items(order)[0]
        #expect(told["request_detail"]?["msg_hash_list"] == .array([.string(item.digest.hex)]))
        let made = try #require(quorum.signatures[intent.digest]?[0]?.first)
        guard case .array(let signatures)? = told["result"]?["signatures"] else {
            Issue.record("no signatures are told")
            return
        }
        #expect(
            signatures.map { $0["signature"] } == [
                .string(Hex.encode(Array(made.bytes.prefix(64))))
            ])
        #expect(try quorum.members[0].database.rowCount(of: "events") == 0)
    }

    @Test func `tells of a refusal and of a closed request why, and nothing afterwards`() throws {
        let quorum = try quorum("events of a no")
        let refused = quorum.intent(.transfer(quorum.order(amount: 2_000_000)))
        quorum.offer(refused, to: [0])
        let closed = quorum.intent(.transfer(quorum.order()), request: 2)
        quorum.offer(closed, to: [0])
        try quorum.run()
        for _ in 0..<2 {
            for intent in [closed, refused] {
                try quorum.handle(
                    .close(
                        intent: intent.digest,
                        signature: quorum.sign(PlatformOrder.close(intent.digest))), by: 0)
            }
        }
        let events = try heard(quorum)
        func of(_ intent: Intent) throws -> [Said] {
            try events.filter { $0.subject == intent.digest }.map(Said.init)
        }
        #expect(
            try of(refused) == [
                Said("request.keysign.created", 110), Said("request.keysign.failed", 160),
            ])
        #expect(
            try of(closed) == [
                Said("request.keysign.created", 110), Said("request.keysign.updated", 140),
                Said("request.keysign.failed", 180),
            ])
        for event in events where try Said(event).status >= 160 {
            #expect(try data(event)["failed_reason"] != .string(""))
        }
    }

    @Test func `tells of a key and of its group`() throws {
        let quorum = try quorum("events of a key", keyFirst: false)
        try quorum.generateKey()
        let events = try heard(quorum)
        #expect(
            try events.map(Said.init) == [
                Said("request.keygen.created", 110), Said("request.keygen.updated", 140),
                Said("request.keygen.succeeded", 190),
            ])
        let last = try #require(events.last)
        let group = try #require(try data(last)["result"])
        #expect(group["id"] == .string(quorum.group.hex) && group["threshold"] == .integer(2))
        guard case .array(let participants)? = group["participants"],
            case .string(let root)? = group["root_extended_public_key"]
        else {
            Issue.record("the group has no participants or no root key")
            return
        }
        #expect(participants.count == 3 && root.hasPrefix("xpub"))
    }

    /// Killed before and after each of its transactions: nothing is lost, and what is told again is
    /// the same event.
    @Test func `that is killed tells the same events again`() throws {
        let quorum = try quorum("events and kills")
        let (intent, order) = try offered(quorum)
        let first = try #require(quorum.events.first?.event)
        // The server has heard; the holder is killed before it knows.
        quorum.handleAndRollBack(
            [.delivered(event: first.id, server: Self.servers[0].id)], by: 0)
        quorum.restart(0)
        try quorum.handle(.connected, by: 0)
        #expect(quorum.events.last?.event == first)
        quorum.handleAndDrop(.delivered(event: first.id, server: Self.servers[0].id), by: 0)
        quorum.restart(0)
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        #expect(
            try heard(quorum).map(Said.init) == [
                Said("request.keysign.updated", 140), Said("request.keysign.succeeded", 190),
            ])
    }

    /// What was told is known as long as anything may happen to the request, and a day longer.
    @Test func `forgets what it told when nothing more can follow, and tells nothing twice`() throws
    {
        let quorum = try quorum("events forgotten")
        let database = quorum.members[0].database
        let (signed, order) = try offered(quorum, request: 2)
        quorum.proposeSigning(signed, order, [0, 1])
        try quorum.run()
        let refused = quorum.intent(.transfer(quorum.order(amount: 2_000_000)), request: 3)
        let left = quorum.intent(.transfer(quorum.order()), request: 4)
        let ceremony = try #require(
            KeyCeremony(
                occasion: .keyGeneration, scheme: .ecdsaSecp256k1, kind: .main,
                threshold: quorum.threshold, holders: quorum.roster, source: nil))
        // Nobody confirms it.
        let unconfirmed = quorum.intent(
            .keyCeremony(ceremony), request: 5,
            group: GroupID(unchecked: [UInt8](repeating: 7, count: 16)))
        for intent in [refused, left, unconfirmed] { quorum.offer(intent, to: [0]) }
        try quorum.run()
        _ = try heard(quorum)
        #expect(try database.rowCount(of: "told") == 4)

        try quorum.tick(3600 + 3600)
        #expect(try database.rowCount(of: "told") == 4, "a day longer")
        let closed = try heard(quorum)
        #expect(try closed.map(Said.init) == [Said("request.keysign.failed", 180)])
        #expect(closed.first?.subject == left.digest)
        try quorum.tick(24 * 3600)
        #expect(try database.rowCount(of: "told") == 0)
        let count = quorum.events.count
        for intent in [signed, refused, left] { quorum.offer(intent, to: [0]) }
        for intent in [signed, refused, left] {
            quorum.post(
                .close(
                    intent: intent.digest,
                    signature: quorum.sign(PlatformOrder.close(intent.digest))), to: 0)
        }
        quorum.proposeSigning(signed, order, [0, 1])
        try quorum.run()
        try quorum.tick()
        #expect(quorum.events.count == count)
    }

    @Test func `remembers what it told of a key that not all have confirmed`() throws {
        let quorum = try quorum("events of a key that waits", keyFirst: false)
        let database = quorum.members[0].database
        // Nobody's testimony arrives.
        quorum.relay = { transit in
            if case .testimony = transit.input { return [] }
            return [transit]
        }
        try quorum.generateKey()
        try quorum.tick(30 * 24 * 3600)
        #expect(try database.rowCount(of: "told") == 1)
        _ = try heard(quorum)
        quorum.relay = { [$0] }
        for member in quorum.members.indices { try quorum.handle(.connected, by: member) }
        try quorum.run()
        #expect(try heard(quorum).map(Said.init) == [Said("request.keygen.succeeded", 190)])
        try quorum.tick()
        #expect(try database.rowCount(of: "told") == 0)
    }

    @Test func `what is not stored is not told`() throws {
        let quorum = try quorum("events rolled back")
        let intent = quorum.intent(.transfer(quorum.order()))
        quorum.handleAndRollBack(
            [.offer(intent: intent.bytes, signature: quorum.sign(intent.digest))], by: 0)
        quorum.restart(0)
        try quorum.handle(.connected, by: 0)
        #expect(quorum.events.isEmpty)
        #expect(try quorum.members[0].database.rowCount(of: "told") == 0)
    }

    @Test func `a server that is away delays neither signing nor the other server`() throws {
        let quorum = try quorum("events and a dead server", servers: Self.servers)
        for request in UInt8(1)...3 {
            let (intent, order) = try offered(quorum, request: request)
            quorum.proposeSigning(intent, order, [0, 1])
            try quorum.run()
            #expect(quorum.signatures[intent.digest]?.count == 2)
        }
        #expect(try heard(quorum, Self.servers[1]).count == 9)
        #expect(quorum.events.count { $0.server == Self.servers[0] } == 1)
        // Named no more, nothing is kept for it.
        quorum.members[0].eventServers = [Self.servers[1]]
        quorum.restart(0)
        try quorum.handle(.connected, by: 0)
        #expect(try quorum.members[0].database.rowCount(of: "events") == 0)
    }

    @Test func `keeps so many events and drops the oldest`() throws {
        let database = try quorum("events kept").members[0].database
        func event(_ n: Int) -> HolderEvent {
            HolderEvent(id: "\(n)", subject: .sha256([1]), package: [])
        }
        let server = Self.servers[0].id
        let dropped = try database.commit {
            try (0..<7).map { try database.keep(event($0), for: server, most: 5) }
        }
        #expect(dropped == [0, 0, 0, 0, 0, 1, 1])
        #expect(try database.commit { try database.oldestEvent(for: server)?.id } == "2")
        #expect(try database.rowCount(of: "events") == 5)
    }

    @Test func `drops the oldest with a word to the operator`() throws {
        let quorum = try quorum("events above the limit")
        let database = quorum.members[0].database
        try database.commit {
            for n in 0..<HolderEvent.keptMost {
                _ = try database.keep(
                    HolderEvent(id: "\(n)", subject: .sha256([1]), package: []),
                    for: Self.servers[0].id, most: HolderEvent.keptMost)
            }
        }
        _ = try offered(quorum)
        #expect(try database.rowCount(of: "events") == HolderEvent.keptMost)
        #expect(quorum.notes.contains { $0.text.contains("dropped the oldest event") })
        #expect(
            try database.commit { try database.oldestEvent(for: Self.servers[0].id)?.id } == "2")
    }
}

@Suite(.serialized) struct `The desk that tells event servers` {
    private static let key = SecretBox(RSAKey())
    private static let server = EventServer(address: "http://server:11030")

    /// What came to the server, and how long the holder paused.
    private final class Record: Sendable {
        let heard = Mutex<[(url: String, package: [UInt8])]>([])
        let pauses = Mutex<[Duration]>([])
    }

    private func desk(
        _ record: Record, retries: Int = 0, _ play: @escaping @Sendable (_ n: Int) throws -> Int,
        delivered: @escaping @Sendable (HolderInput) -> Void = { _ in }
    ) -> EventDesk {
        var patience = CallbackPatience.events
        patience.retries = retries
        let node = Self.key.with { $0.publicKey }
        return EventDesk(
            patience, issuer: "node", key: Self.key,
            log: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            post: { url, token, _ in
                let package = try PackageToken.open(token, under: node, now: time)
                let n = record.heard.withLock {
                    $0.append((url, package))
                    return $0.count
                }
                return CallbackPost.Answer(status: try play(n), body: [])
            },
            clock: { HolderTime(wall: time, monotonic: 0) },
            sleep: { pause in record.pauses.withLock { $0.append(pause) } }, delivered: delivered)
    }

    private func event() throws -> HolderEvent {
        .ping(
            from: try SimulatedQuorum(SigningThreshold(2, of: 2)!, seed: "desk").members[0]
                .identity, at: time)
    }

    /// What the desk posts of one event, and what the server heard.
    private func outcome(
        retries: Int = 0, _ play: @escaping @Sendable (_ n: Int) throws -> Int
    ) async throws -> (posted: HolderInput?, event: HolderEvent, record: Record) {
        let (inputs, feed) = AsyncStream.makeStream(of: HolderInput.self)
        let (record, event) = (Record(), try event())
        desk(record, retries: retries, play) { feed.yield($0) }.deliver(event, to: Self.server)
        var iterator = inputs.makeAsyncIterator()
        return (await iterator.next(), event, record)
    }

    @Test(arguments: [200, 201])
    func `posts a token and takes its acknowledgement`(_ status: Int) async throws {
        let (posted, event, record) = try await outcome { _ in status }
        guard case .delivered(event.id, Self.server.id)? = posted else {
            Issue.record("posted \(String(describing: posted))")
            return
        }
        let heard = record.heard.withLock { $0 }
        #expect(heard.map(\.url) == ["http://server:11030/v2/event"])
        #expect(heard.map(\.package) == [event.package])
        let said = try JSONParser.parse(event.package)
        #expect(said["event_type"] == .string("ping") && said["data"] == nil)
    }

    @Test func `tells the same again until it is heard`() async throws {
        let (_, event, record) = try await outcome { n in
            switch n {
            case 1: throw CallbackDesk.NoDecision("connection refused")
            case 2: 500
            case 3: 302
            case 4: 204
            default: 200
            }
        }
        let heard = record.heard.withLock { $0 }
        #expect(heard.map(\.package) == [[UInt8]](repeating: event.package, count: 5))
        #expect(
            record.pauses.withLock { $0 } == [Duration](repeating: .seconds(60), count: 4))
    }

    @Test func `gives an event up if it is told so`() async throws {
        let (posted, _, record) = try await outcome(retries: 2) { _ in 503 }
        #expect(posted != nil)
        #expect(record.heard.withLock { $0.count } == 3)
    }
}
