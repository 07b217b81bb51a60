import ArgumentParser
import Canonical
import Foundation
import Housekeeping

struct Initialise: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make an installation: its keys, and a configuration to begin with.",
        discussion: """
            Prints the platform's intent key, which every holder pins. Put the certificate of the \
            doors and its key where platform.json says, and enter chains and assets there.
            """)

    @OptionGroup var options: PlatformOption

    @Option(help: "sandbox or production.")
    var environment: String

    func run() async throws {
        guard !options.directory.exists else {
            throw ValidationError("\(options.data) holds an installation already")
        }
        let configuration = PlatformConfiguration(
            environment: environment, custody: .init(host: "0.0.0.0", tlsPort: 7401),
            relay: .init(host: "0.0.0.0", port: 7403),
            tls: .init(
                certificate: "server.pem", privateKey: "server-key.pem", authority: "ca.pem"),
            chains: [], assets: [], intentLifetimeSeconds: 3600,
            webhooks: .init(allowLocal: false, pausesSeconds: Dev.webhookPauses),
            metrics: .init(host: "127.0.0.1", port: 7404))
        _ = try configuration.settings()
        try options.directory.create(configuration)
        print(try options.directory.intentKey().publicKey.hex)
    }
}
