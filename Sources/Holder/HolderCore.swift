import Algebra
import Canonical
import Chains
import Intents
import KeyGroups
import Threshold

/// A key share holder without its sockets: takes what came, stores what follows from it in one
/// transaction, and says what to send (docs/decisions/0002-holder-is-a-batch.md).
///
/// It believes nobody: an intent counts if the pinned platform key signed it *and* this holder's
/// own rules admit it, an envelope if its sender signed it.
public final class HolderCore {
    /// Most runs at a time. A run holds about 300 KB; more are refused until one has ended.
    static let runsMost = 64
    /// Longest time a run may take, in seconds: a key generation of three takes about one.
    static let runSecondsMost: UInt64 = 120
    /// Seconds after an intent's end at which the holder closes it by itself.
    static let closingDelay: UInt64 = 60
    /// A wall clock that gains more than this on the monotonic one freezes the holder, in seconds.
    static let clockJumpMost: UInt64 = 60
    /// Seconds after which holders say again what they know of keys that are not active.
    static let testimonyPause: UInt64 = 10
    /// Discarded setups with one peer after which an operator must look (section 4.5).
    static let discardedSetupsMost = 8

    let identity: IdentityKey
    let sealing: SealingKey
    let platform: IdentityPublicKey
    let judge: Judge
    let store: any HolderStore
    let confirmsCeremonies: Bool
    /// Servers of the operator's, each of which must approve what is signed.
    let callbackServers: [CallbackServer]
    /// Intents that the servers are asked about, by digest.
    var consultations: [Digest: [UInt8]] = [:]
    /// Check-ups that the servers are asked about, or have decided, by group.
    var checkUps: [GroupID: AskedCheckUp] = [:]
    /// Servers of the operator's that are told what becomes of requests.
    let eventServers: [EventServer]
    var outbox: EventOutbox
    var runs: [Digest: LiveRun] = [:]
    var outputs: [HolderOutput] = []
    /// Both clocks as they were when this process began, or was last thawed.
    private var clockStart: HolderTime?
    private var wasFrozen = false
    private var lastTestified: UInt64 = 0
    var now: UInt64 = 0

    /// - Parameters:
    ///   - sealing: the key that shares are sealed under at rest, kept apart from the store.
    ///   - platform: the platform's intent key, which the operator has pinned.
    ///   - dangerouslyConfirmsCeremonies: development: no person is asked before a key is made.
    public init(
        identity: consuming IdentityKey, sealing: consuming SealingKey,
        platform: IdentityPublicKey, rules: HolderRules, store: any HolderStore,
        callbackServers: [CallbackServer] = [], eventServers: [EventServer] = [],
        dangerouslyConfirmsCeremonies: Bool = false
    ) {
        self.identity = identity
        self.sealing = sealing
        self.platform = platform
        judge = Judge(rules: rules)
        self.store = store
        self.callbackServers = callbackServers
        self.eventServers = eventServers
        outbox = EventOutbox(eventServers)
        confirmsCeremonies = dangerouslyConfirmsCeremonies
    }

    /// Handles inputs in order, as one transaction.
    ///
    /// - Returns: what may be sent now that it is stored.
    /// - Throws: if the store fails; this value must then be thrown away, with the process.
    public func handle(_ inputs: [HolderInput], at time: HolderTime) throws -> [HolderOutput] {
        try store.commit {
            outputs = []
            try keepTime(time)
            for input in inputs { try handle(input) }
            try endLateRuns()
            try destroyRetired()
            try deliverEvents()
            return outputs
        }
    }

    private func handle(_ input: HolderInput) throws {
        switch input {
        case .connected: try resume()
        case .offer(let bytes, let signature): try offered(bytes, signature)
        case .close(let intent, let signature): try close(intent, signature)
        case .run(let bytes, let source): try proposed(bytes, source: source)
        case .envelope(let bytes): try arrived(bytes)
        case .testimony(let bytes): try testified(bytes)
        case .checkUp(let group, let challenge): try checkUp(group, challenge)
        case .decided(let subject, let server, let decision):
            try decided(decision, by: server, on: subject)
        case .delivered(let event, let server): try delivered(event, to: server)
        case .tick:
            try closeExpired()
            try forgetTold()
            if now >= lastTestified + Self.testimonyPause { try testify() }
        }
    }

    /// Judging time never runs back, and a jump forward freezes: a clock that someone else moves
    /// would end cooling periods and empty counters.
    private func keepTime(_ time: HolderTime) throws {
        let isFrozen = try store.frozen() != nil
        let start = clockStart ?? time
        // Whoever thawed this holder has looked at its clock.
        clockStart = wasFrozen && !isFrozen ? time : start
        wasFrozen = isFrozen
        let gained = Self.gain(from: clockStart ?? time, to: time)
        if gained > Self.clockJumpMost, !isFrozen {
            try store.freeze("The clock jumped ahead by \(gained) s.")
            outputs.append(.note("frozen: the clock jumped ahead by \(gained) s"))
            wasFrozen = true
        }
        // A time that is not believed is not kept either: it would outlive the correction.
        let believed = gained > Self.clockJumpMost ? time.wall - gained : time.wall
        let stored = try store.latestTime()
        now = max(believed, stored)
        if now > stored { try store.setLatestTime(now) }
    }

    /// Seconds that the wall clock has gained on the monotonic one.
    private static func gain(from start: HolderTime, to time: HolderTime) -> UInt64 {
        let wall = time.wall > start.wall ? time.wall - start.wall : 0
        let passed = time.monotonic > start.monotonic ? time.monotonic - start.monotonic : 0
        return wall > passed ? wall - passed : 0
    }

    /// Offers what others may have missed while we were away.
    private func resume() throws {
        try testify()
        for key in try store.activeKeys() { announce(key) }
    }

    /// Says again what is known of keys that not all have confirmed: a line may have been down.
    private func testify() throws {
        for key in try store.unfinishedKeys() { send(key.testimony, of: key) }
        lastTestified = now
    }

    func send(_ verdict: Verdict, on intent: Digest) -> SignedVerdict {
        let signed = SignedVerdict(
            verdict, on: intent, rules: judge.rules.digest, at: now, signedBy: identity)
        outputs.append(.verdict(signed))
        return signed
    }

    func note(_ text: String) { outputs.append(.note(text)) }
}
