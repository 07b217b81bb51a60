import Algebra
import Canonical
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit

@testable import Threshold

/// Holders with their stores, and between them a network that loses, delays, repeats, reorders and
/// changes what it carries, and under them machines that die: all of it drawn from one seed.
///
/// At most one member is corrupted. Its identity key is in the network's hands, which signs other
/// envelopes with it than the member sent; or the member is a puppet that lies inside the protocol.
final class FaultyNetwork {
    let quorum: SimulatedQuorum
    let corrupted: Int?
    private(set) var invariants: Invariants
    private(set) var counts: [String: Int] = [:]
    var random: TestRandom
    private var faults: Faults
    /// What is on its way: any of it may be next.
    private var pool: [SimulatedQuorum.Transit] = []
    /// What was delivered, to be delivered again.
    private var past: [SimulatedQuorum.Transit] = []
    private var dead: Set<Int> = []
    private var trace: [String] = []
    private var puppet: Puppet?

    private static let pastMost = 200
    private static let traceMost = 60

    /// - Parameter mayLie: whether a puppet may be in a member's place, which knows how to sign and
    ///   nothing else.
    init(_ original: SimulatedQuorum, seed: Int, mayLie: Bool = true) throws {
        var random = TestRandom("network \(seed)")
        let holders = original.threshold.holders
        let (isCorrupted, who) = (random.integer(below: 2) == 0, random.integer(below: holders))
        quorum = try SimulatedQuorum(copying: original)
        faults = Faults(&random)
        corrupted = isCorrupted && holders > 2 ? who : nil
        invariants = Invariants(quorum, corrupted: corrupted)
        self.random = random
        quorum.relay = { [unowned self] transit in
            pool.append(transit)
            return []
        }
        quorum.watch = { [unowned self] output, member in invariants.note(output, by: member) }
        if let corrupted, mayLie, chance(1, of: 2) { corrupt(corrupted) }
    }

    /// In place of the member's core a puppet, of whose messages every fourth is changed.
    private func corrupt(_ index: Int) {
        let puppet = Puppet(quorum, index)
        puppet.change = { [unowned self] message in
            guard faults.areOn, random.integer(below: 4) == 0 else { return message }
            count("lies")
            return message.changed { bytes in
                bytes[random.integer(below: bytes.count)] ^= 1 << UInt8(random.integer(below: 8))
            }
        }
        quorum.replace(index, by: puppet)
        self.puppet = puppet
    }

    var isHealed: Bool { !faults.areOn }
    var honest: [Int] { quorum.members.indices.filter { $0 != corrupted } }
    /// Whether as many honest members as must sign are there.
    var canSignWithoutCorrupted: Bool { honest.count >= quorum.threshold.required }

    /// Lets this intent be signed, and so.
    func admit(_ intent: Intent, _ items: [SigningItem]) { invariants.admit(intent, items) }

    /// Lets this key be made.
    func admit(_ intent: Intent) { invariants.admit(intent) }

    func count(_ what: String, _ number: Int = 1) { counts[what, default: 0] += number }

    func say(_ what: String) {
        trace.append(what)
        if trace.count > Self.traceMost { trace.removeFirst() }
    }

    var lastEvents: String { trace.joined(separator: "\n") }

    func chance(_ one: Int, of all: Int) -> Bool { random.integer(below: all) < one }
}

// Steps.
extension FaultyNetwork {
    /// Plays a scenario: first under faults, then healed, until it is done.
    ///
    /// - Throws: `Invariants.Broken`.
    func play(_ scenario: inout some Scenario, steps: Int) throws {
        try scenario.start(self)
        try settle()
        var rest = steps
        while rest > 0 {
            rest -= 1
            // What is done may still be disturbed for a while.
            if scenario.isDone(self) { rest = min(rest, steps / 8) }
            try step(&scenario)
        }
        count(scenario.isDone(self) ? "done under faults" : "not done under faults")
        try heal(&scenario)
    }

    private func step(_ scenario: inout some Scenario) throws {
        count("steps")
        if let index = dead.sorted().first, chance(1, of: 6) { raise(index) }
        switch faults.draw(&random) {
        case .loss: lose()
        case .repetition: try deliver(keeping: true)
        case .corruption: try deliver { self.damaged($0) }
        case .equivocation: try deliver { self.contradicted($0) }
        case .replay: try replay()
        case .death: kill()
        case .clock: try tick(UInt64(1 + random.integer(below: 20)))
        case .retry: try scenario.retry(self, isHealed: false)
        case .batch: try deliver(atMost: 4)
        case nil:
            if pool.isEmpty { try scenario.retry(self, isHealed: false) }
            try deliver()
        }
        try settle()
    }

    /// Brings everything that members have posted into the pool, and looks at the invariants.
    private func settle() throws {
        try quorum.run()
        try invariants.check()
    }

    /// The network is whole again, and every holder runs.
    private func heal(_ scenario: inout some Scenario) throws {
        say("healed")
        faults = .none
        for index in dead.sorted() { raise(index) }
        let (wall, monotonic) = quorum.members.reduce((0, 0)) {
            (max($0.0, $1.wall), max($0.1, $1.monotonic))
        }
        for member in quorum.members { (member.wall, member.monotonic) = (wall, monotonic) }
        try tick(130)
        try drain()
        try checkUp()
        guard canSignWithoutCorrupted else { return }
        for attempt in 1...scenario.attemptsMost {
            try scenario.retry(self, isHealed: true)
            try drain()
            if scenario.isDone(self) {
                count("done once healed, attempt \(attempt)")
                return try checkUp()
            }
            try tick(130)
        }
        throw Invariants.Broken(.liveness, "not done after \(scenario.attemptsMost) attempts")
    }

    /// Every honest holder proves that its active shares are whole, whatever became of the rest.
    private func checkUp() throws {
        let before = invariants.proofCount
        var due = 0
        for index in honest {
            let keys = try quorum.members[index].database.storedKeys()
            let groups = Set(keys.filter { $0.state == .active }.map(\.group))
            due += keys.count { $0.state == .active }
            for group in groups.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
                let challenge = random.bytes(32)
                quorum.post(.checkUp(group: group, challenge: challenge), to: index)
            }
        }
        try drain()
        guard invariants.proofCount - before == due else {
            throw Invariants.Broken(.shareIsWhole, "\(due) shares are active")
        }
    }

    private func drain() throws {
        try settle()
        while !pool.isEmpty { try deliver() }
    }

    private func tick(_ seconds: UInt64) throws {
        say("\(seconds) s later")
        try quorum.tick(seconds)
        // No two clocks are the same.
        if faults.areOn {
            let member = quorum.members[random.integer(below: quorum.members.count)]
            member.wall += 2
            member.monotonic += 2
        }
        try settle()
    }

    private func nextPlace() -> Int? {
        guard !pool.isEmpty else { return nil }
        return faults.isOrdered ? 0 : random.integer(below: pool.count)
    }

    private func lose() {
        guard let at = nextPlace() else { return }
        count("lost")
        say("lost: \(describe(pool.remove(at: at)))")
    }

    private func deliver(
        keeping: Bool = false, atMost most: Int = 1,
        _ change: (SimulatedQuorum.Transit) -> SimulatedQuorum.Transit = { $0 }
    ) throws {
        guard let at = nextPlace() else { return }
        let first = keeping ? pool[at] : pool.remove(at: at)
        var inputs = [change(first).input]
        while inputs.count < most, let more = pool.firstIndex(where: { $0.to == first.to }) {
            inputs.append(pool.remove(at: more).input)
        }
        if keeping { count("repeated") }
        remember(first)
        say("\(inputs.count) to \(first.to): \(describe(first))\(keeping ? ", kept" : "")")
        count("delivered", inputs.count)
        try quorum.handle(inputs, by: first.to)
        try settle()
    }

    private func remember(_ transit: SimulatedQuorum.Transit) {
        past.append(transit)
        if past.count > Self.pastMost { past.removeFirst() }
    }

    private func replay() throws {
        guard !past.isEmpty else { return }
        var old = past[random.integer(below: past.count)]
        if chance(1, of: 4) {
            old = .init(to: random.integer(below: quorum.members.count), input: old.input)
        }
        count("replayed")
        say("again to \(old.to): \(describe(old))")
        try quorum.handle(old.input, by: old.to)
    }

    /// A process dies: while nothing happens, before what it does is stored, or after that and
    /// before anybody hears of it.
    private func kill() {
        let alive = quorum.members.indices.filter {
            !dead.contains($0) && ($0 != corrupted || puppet == nil)
        }
        guard !alive.isEmpty else { return }
        let index = alive[random.integer(below: alive.count)]
        let places = pool.indices.filter { pool[$0].to == index }.prefix(3)
        let inputs = places.map { pool[$0].input }
        for place in places.reversed() { remember(pool.remove(at: place)) }
        if inputs.isEmpty {
            quorum.stop(index)
            say("\(index) dies")
        } else if chance(1, of: 2) {
            quorum.handleAndRollBack(inputs, by: index)
            say("\(index) dies before it has stored \(inputs.map(describe))")
        } else {
            quorum.handleAndDrop(inputs, by: index)
            say("\(index) dies after it has stored \(inputs.map(describe))")
        }
        count("died")
        dead.insert(index)
    }

    private func raise(_ index: Int) {
        say("\(index) starts")
        dead.remove(index)
        quorum.restart(index)
        quorum.post(.connected, to: index)
    }
}

// Changes on the way.
extension FaultyNetwork {
    /// The same with some of its bytes changed: nobody has signed it.
    private func damaged(_ transit: SimulatedQuorum.Transit) -> SimulatedQuorum.Transit {
        count("damaged")
        say("the next is damaged")
        var transit = transit
        switch transit.input {
        case .envelope(let bytes): transit.input = .envelope(damaged(bytes))
        case .testimony(let bytes): transit.input = .testimony(damaged(bytes))
        case .run(let bytes, let source):
            transit.input = .run(descriptor: damaged(bytes), source: source)
        case .offer(let bytes, let signature):
            transit.input = .offer(intent: damaged(bytes), signature: signature)
        case .close(let intent, let signature):
            let bytes = damaged(intent.bytes)
            transit.input = .close(intent: Digest(bytes) ?? intent, signature: signature)
        case .connected, .checkUp, .decided, .delivered, .tick: break
        }
        return transit
    }

    private func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.integer(below: 3) where !bytes.isEmpty {
            bytes[random.integer(below: bytes.count)] ^= UInt8(1 + random.integer(below: 255))
        }
        if chance(1, of: 8) { bytes.removeLast(min(bytes.count, 1 + random.integer(below: 40))) }
        return bytes
    }

    /// Another envelope for the same place, signed by the corrupted member as well as the first.
    private func contradicted(_ transit: SimulatedQuorum.Transit) -> SimulatedQuorum.Transit {
        guard let corrupted, case .envelope(let bytes) = transit.input, transit.to != corrupted,
            let envelope = try? Envelope(bytes), !envelope.body.isEmpty,
            envelope.isSigned(by: quorum.members[corrupted].identity)
        else { return transit }
        count("equivocated")
        say("the next is another than \(corrupted) sent")
        // The true one may come as well, later.
        if chance(1, of: 2) { pool.append(transit) }
        var body = envelope.body
        body[random.integer(below: body.count)] ^= UInt8(1 + random.integer(below: 255))
        let other = quorum.identityOf(corrupted).with {
            Envelope(envelope.header, body, signedBy: $0)
        }
        return .init(to: transit.to, input: .envelope(other.bytes))
    }

    private func describe(_ transit: SimulatedQuorum.Transit) -> String { describe(transit.input) }

    private func describe(_ input: HolderInput) -> String {
        switch input {
        case .connected: "connected"
        case .offer(let intent, _): "offer \(Intent.digest(of: intent).hex.prefix(6))"
        case .close(let intent, _): "close \(intent.hex.prefix(6))"
        case .run(let bytes, _):
            (try? RunDescriptor(bytes)).map {
                "run \($0.attempt) of \($0.intent.hex.prefix(6)), members \($0.roster.indices)"
            } ?? "a malformed run"
        case .envelope(let bytes):
            (try? Envelope(bytes)).map(\.description) ?? "a malformed envelope"
        case .testimony: "testimony"
        case .checkUp: "check-up"
        case .decided(let subject, _, _): "a decision on \(subject.hex.prefix(6))"
        case .delivered: "delivered"
        case .tick: "tick"
        }
    }
}

/// What goes wrong, and how often in a thousand steps.
struct Faults {
    enum Kind: CaseIterable {
        case loss, repetition, corruption, equivocation, replay, death, clock, retry, batch
    }

    static let none = Faults()

    private var rates: [(kind: Kind, rate: Int)] = []
    /// Whether messages arrive in the order in which they were sent.
    private(set) var isOrdered = true
    var areOn: Bool { !rates.isEmpty }

    private init() {}

    /// Some kinds not at all, some seldom, some often: a run that fails in its first round shows
    /// nothing about its last.
    init(_ random: inout TestRandom) {
        isOrdered = random.integer(below: 3) == 0
        for kind in Kind.allCases {
            let most =
                switch kind {
                case .loss: 80
                case .repetition, .corruption, .replay: 120
                case .equivocation, .batch: 200
                case .death: 40
                case .clock, .retry: 30
                }
            rates.append((kind, [0, most / 6, most][random.integer(below: 3)]))
        }
    }

    func draw(_ random: inout TestRandom) -> Kind? {
        guard areOn else { return nil }
        var rest = random.integer(below: 1000)
        for (kind, rate) in rates {
            if rest < rate { return kind }
            rest -= rate
        }
        return nil
    }
}
