import ArgumentParser

@main
struct Quorumkeep: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quorumkeep",
        abstract: "Self-hosted custody of digital assets, with no key anywhere whole.",
        subcommands: [
            Serve.self, Initialise.self, Dev.self, Demo.self, TenantCommand.self, KeyCommand.self,
            HolderCommand.self, GroupCommand.self, LedgerCommand.self, TransactionCommand.self,
            EventsCommand.self, Trigger.self, Listen.self, Logs.self, Doctor.self,
        ])
}
