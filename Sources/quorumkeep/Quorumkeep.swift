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

    static func main() async {
        do {
            var command = try await asyncParseAsRoot()
            do {
                if var waiting = command as? any AsyncParsableCommand {
                    try await waiting.run()
                } else {
                    try command.run()
                }
            } catch let error as ValidationError {
                // The library would show the usage of all of it.
                Progress.say("Error: \(error.message)")
                Progress.say("Usage: \(usageString(for: type(of: command)))")
                throw ExitCode.validationFailure
            }
        } catch {
            exit(withError: error)
        }
    }
}
