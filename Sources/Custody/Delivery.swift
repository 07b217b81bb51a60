import Intents

/// How an endpoint is told: what it is sent, what signs it, and what acknowledges.
public enum DeliveryForm: String, Sendable, CaseIterable {
    /// The tenant's own endpoint, which has a secret.
    case custody
    /// An endpoint of the MPC administration face.
    case mpcAdmin
    /// The server of an API key, which is asked about a transaction: what it answers decides.
    case callback

    public func acknowledges(_ status: Int) -> Bool {
        switch self {
        case .custody: (200..<300).contains(status)
        case .mpcAdmin, .callback: status == 200 || status == 201
        }
    }
}

/// An event as it was recorded, and how far its delivery has come.
public struct RecordedEvent: Equatable, Sendable {
    /// How long events are kept after they were recorded, if their delivery has ended.
    public static let usualKeptDays = 30

    public enum State: String, Sendable, CaseIterable {
        /// There was no endpoint to send it to.
        case unsent = "Unsent"
        /// Follows an earlier event of its resource.
        case queued = "Queued"
        /// Is sent next, or again after a pause.
        case waiting = "Waiting"
        /// Is sent once more because somebody asked; holds nothing back.
        case redelivering = "Redelivering"
        case delivered = "Delivered"
        /// Given up after the last pause.
        case dead = "Dead"

        /// Whether the next try has a time.
        public var isTried: Bool { self == .waiting || self == .redelivering }
    }

    public let id: EventID
    public let form: DeliveryForm
    public let type: String
    /// What it is about; of the form `mpcAdmin` the endpoint that is told, of a callback itself.
    public let resource: [UInt8]
    public let sequence: Int64
    /// What is sent; of the form `mpcAdmin` the content of it.
    public let body: [UInt8]
    public let createdAt: Timestamp
    public let state: State
    /// When it is sent next; of a state that is tried.
    public let nextTry: Timestamp?
    /// How often it was sent.
    public let attempts: Int
    /// Tries that failed since its delivery, or its redelivery, began.
    public let tries: Int

    public init(
        id: EventID, form: DeliveryForm, type: String, resource: [UInt8], sequence: Int64,
        body: [UInt8], createdAt: Timestamp, state: State, nextTry: Timestamp?, attempts: Int,
        tries: Int
    ) {
        self.id = id
        self.form = form
        self.type = type
        self.resource = resource
        self.sequence = sequence
        self.body = body
        self.createdAt = createdAt
        self.state = state
        self.nextTry = nextTry
        self.attempts = attempts
        self.tries = tries
    }
}

public struct EventFilter: Equatable, Sendable {
    /// Nil for all.
    public let form: DeliveryForm?
    public let type: String?
    /// One of these; nil for all.
    public let states: [RecordedEvent.State]?
    /// What the events are about.
    public let resource: [UInt8]?

    public init(
        form: DeliveryForm? = nil, type: String? = nil, states: [RecordedEvent.State]? = nil,
        resource: [UInt8]? = nil
    ) {
        self.form = form
        self.type = type
        self.states = states
        self.resource = resource
    }
}

/// An event on its way to its tenant's endpoint.
public struct Delivery: Equatable, Sendable {
    public let tenant: TenantID
    public let event: RecordedEvent

    public init(tenant: TenantID, event: RecordedEvent) {
        self.tenant = tenant
        self.event = event
    }
}

/// Which event may be sent now, to whom.
public struct DueDelivery: Equatable, Sendable {
    public let event: EventID
    public let tenant: TenantID
    /// Money waits for its answer, so it stands in no line behind what only tells.
    public let isCallback: Bool

    public init(event: EventID, tenant: TenantID, isCallback: Bool) {
        self.event = event
        self.tenant = tenant
        self.isCallback = isCallback
    }
}

/// One try of a delivery, and what came of it.
public struct DeliveryAttempt: Equatable, Sendable {
    /// Attempts that are kept of one event: the newest.
    public static let keptMost = 50
    /// Of an answer's body: enough to see what the receiver complains about.
    public static let answerBytesMost = 2048
    static let failureMost = 300

    public enum Outcome: Equatable, Sendable {
        /// The status, and how the body begins.
        case answer(status: Int, start: [UInt8])
        /// There was no answer, or it did not come in time.
        case failure(String)
    }

    public let began: Timestamp
    public let milliseconds: Int64
    public let outcome: Outcome

    public init(began: Timestamp, milliseconds: Int64, outcome: Outcome) {
        self.began = began
        self.milliseconds = milliseconds
        self.outcome =
            switch outcome {
            case .answer(let status, let start):
                .answer(status: status, start: Array(start.prefix(Self.answerBytesMost)))
            case .failure(let why): .failure(String(why.prefix(Self.failureMost)))
            }
    }

    public func isAcknowledged(_ form: DeliveryForm) -> Bool {
        guard case .answer(let status, _) = outcome else { return false }
        return form.acknowledges(status)
    }
}

/// How patiently deliveries are tried.
public struct DeliverySchedule: Sendable {
    /// The contract's pauses after each failed try, in seconds; after the last the event is dead.
    public static let usualPauses: [Int64] = [
        5, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600,
    ]
    /// Time for a whole answer, head and body.
    public static let usualAnswer = Duration.seconds(10)
    /// The same, as endpoints of the form `mpcAdmin` expect it.
    public static let adminAnswer = Duration.seconds(2)

    /// After each try of a callback that was not answered, in seconds; the last is a refusal.
    public static let usualCallbackPauses: [Int64] =
        [2, 4, 8, 15, 30] + [Int64](repeating: 60, count: 25)

    private let usual: [Duration]
    private let callbacks: [Duration]
    private let answerMost: Duration

    /// - Parameter callbackPauses: those of callbacks.
    public init(
        pauses: [Duration], answerMost: Duration = DeliverySchedule.usualAnswer,
        callbackPauses: [Duration] = DeliverySchedule.usualCallbackPauses.map { .seconds($0) }
    ) {
        usual = pauses
        callbacks = callbackPauses
        self.answerMost = answerMost
    }

    func pauses(_ form: DeliveryForm) -> [Duration] {
        switch form {
        case .custody, .mpcAdmin: usual
        case .callback: callbacks
        }
    }

    public func answerMost(_ form: DeliveryForm) -> Duration {
        switch form {
        case .custody, .callback: answerMost
        case .mpcAdmin: min(answerMost, Self.adminAnswer)
        }
    }
}
