import ArgumentParser
import Custody
import Housekeeping
import Intents

struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Events of a tenant, and their deliveries.",
        subcommands: [List.self, Show.self, Redeliver.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the newest events.")

        @OptionGroup var options: PlatformOption
        @OptionGroup var owner: TenantOption

        @Option(
            help: ArgumentHelp(
                "Only those of this type.",
                discussion: DomainEvent.types.joined(separator: " ")))
        var type: String?

        @Option(
            help: ArgumentHelp(
                "Only those in this state.",
                discussion: RecordedEvent.State.allCases.map(\.rawValue).joined(separator: " ")))
        var state: String?

        @Option(help: "How many, 1 to 200.")
        var limit = 50

        func validate() throws {
            if let type, !DomainEvent.types.contains(type) {
                let known = DomainEvent.types.joined(separator: ", ")
                throw ValidationError("there is no type '\(type)'; there are \(known)")
            }
        }

        func run() async throws {
            let state = try state.map { text in
                guard let state = RecordedEvent.State(rawValue: text) else {
                    let known = RecordedEvent.State.allCases.map(\.rawValue)
                    throw ValidationError(
                        "there is no state '\(text)'; there are "
                            + known.joined(separator: ", "))
                }
                return state
            }
            let (custody, _) = try options.directory.custody()
            let (owner, filter) = (owner, EventFilter(type: type, states: state.map { [$0] }))
            let events = try await refusing {
                let page = try PageRequest(limit: limit)
                return try await custody.read { books in
                    try books.store.events(of: owner.id(books), matching: filter, page).items
                }
            }
            if events.isEmpty { Progress.say("no events") }
            for event in events {
                print(
                    "\(event.id)  \(event.createdAt.text)  \(event.state.rawValue)  "
                        + "attempts: \(event.attempts)  \(event.type) \(event.sequence)")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what is sent of an event, and what came of each attempt.")

        @OptionGroup var options: PlatformOption
        @OptionGroup var owner: TenantOption

        @Argument(help: "The event's id.")
        var event: String

        func run() async throws {
            let id = try EventsCommand.id(event)
            let (custody, _) = try options.directory.custody()
            let owner = owner
            let (event, attempts) = try await refusing {
                try await custody.read { books in
                    (
                        try books.event(id, of: owner.id(books)),
                        try books.store.attempts(of: id)
                    )
                }
            }
            print("\(event.type) \(event.sequence), \(event.state.rawValue)")
            for attempt in attempts {
                let said =
                    switch attempt.outcome {
                    case .answer(let status, let start):
                        "\(status) \(String(decoding: start, as: UTF8.self).debugDescription)"
                    case .failure(let why): why
                    }
                print("  \(attempt.began.text)  \(attempt.milliseconds) ms  \(said)")
            }
            if let next = event.nextTry { print("  \(next.text)  next try") }
            print(String(decoding: event.body, as: UTF8.self))
        }
    }

    struct Redeliver: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send an event once more: the same id and body.")

        @OptionGroup var options: PlatformOption
        @OptionGroup var owner: TenantOption

        @Argument(help: "The event's id.")
        var event: String

        func run() async throws {
            let id = try EventsCommand.id(event)
            let (custody, _) = try options.directory.custody()
            let owner = owner
            let event = try await refusing {
                try await custody.write(as: .operator) { books in
                    let tenant = try owner.id(books)
                    try books.audit("redeliverEvent", of: tenant, [id.text])
                    return try books.redeliver(id, of: tenant)
                }
            }
            print("\(event.id)  \(event.state.rawValue)")
        }
    }

    private static func id(_ text: String) throws -> EventID {
        guard let id = EventID(text: text.lowercased()) else {
            throw ValidationError("that is no event's id")
        }
        return id
    }
}

struct Trigger: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send a tenant's endpoint a sample of an event.",
        discussion: "Types: " + DomainEvent.types.joined(separator: " "))

    @OptionGroup var options: PlatformOption
    @OptionGroup var owner: TenantOption

    @Argument(help: "The event's type.")
    var type = "webhook.test"

    func run() async throws {
        let (custody, _) = try options.directory.custody()
        let (owner, type) = (owner, type)
        let event = try await refusing {
            try await custody.write(as: .operator) { books in
                let tenant = try owner.id(books)
                let event = try books.trigger(type, of: tenant)
                try books.audit("triggerEvent", of: tenant, [event.id.text])
                return event
            }
        }
        print("\(event.id)  \(event.state.rawValue)")
    }
}
