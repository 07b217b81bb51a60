import ArgumentParser
import Custody
import Housekeeping
import Intents

struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Events of a tenant, and their deliveries.",
        subcommands: [List.self, Show.self, Redeliver.self])

    /// The options of every command on one tenant.
    struct TenantOption: ParsableArguments {
        @Option(help: "The tenant's name or id; may be left out where there is one tenant.")
        var tenant: String?

        func id(_ books: Books) throws -> TenantID {
            if let tenant {
                let found = try books.store.tenants().filter {
                    $0.name == tenant || $0.id.text == tenant.lowercased()
                }
                guard let only = found.first, found.count == 1 else {
                    throw CommandFailure(
                        found.isEmpty
                            ? "there is no tenant \(tenant)"
                            : "\(found.count) tenants are called \(tenant): give an id")
                }
                return only.id
            }
            let tenants = try books.store.tenants()
            guard let only = tenants.first, tenants.count == 1 else {
                throw CommandFailure(
                    "say which tenant with --tenant: "
                        + tenants.map { "\($0.id) (\($0.name))" }.joined(separator: ", "))
            }
            return only.id
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the newest events.")

        @OptionGroup var options: PlatformOption
        @OptionGroup var owner: TenantOption

        @Option(help: "Only those of this type.")
        var type: String?

        @Option(
            help: ArgumentHelp(
                "Only those in this state.",
                discussion: RecordedEvent.State.allCases.map(\.rawValue).joined(separator: " ")))
        var state: String?

        @Option(help: "How many, 1 to 200.")
        var limit = 50

        func run() async throws {
            let state = try state.map { text in
                guard let state = RecordedEvent.State(rawValue: text) else {
                    throw ValidationError("there is no state '\(text)'")
                }
                return state
            }
            let (custody, _) = try options.directory.custody()
            let (owner, filter) = (owner, EventFilter(type: type, state: state))
            let events = try await refusing {
                let page = try PageRequest(limit: limit)
                return try await custody.read { books in
                    try books.store.events(of: owner.id(books), matching: filter, page).items
                }
            }
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
        discussion: "Types: " + Books.sampleTypes.joined(separator: " "))

    @OptionGroup var options: PlatformOption
    @OptionGroup var owner: EventsCommand.TenantOption

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
