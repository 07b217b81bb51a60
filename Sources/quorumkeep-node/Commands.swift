import Algebra
import ArgumentParser
import Canonical
import Foundation
import Holder
import HolderStorage
import Housekeeping
import Intents
import KeyGroups
import Logging

@main
struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quorumkeep-node",
        abstract: "A key share holder: keeps shares of keys, and signs what its own rules admit.",
        discussion: """
            It dials out to its relay and opens no port. What it keeps is in its data directory; \
            its rules are in rules.json there, and count from the next start.
            """,
        subcommands: [
            Init.self, Start.self, Info.self, Pending.self, Confirm.self, Thaw.self,
            CheckUp.self, ExportShare.self, Rules.self, Callback.self, Events.self,
        ])
}

struct DataOption: ParsableArguments {
    @Option(name: .long, help: "The holder's data directory.")
    var data: String

    var directory: NodeDirectory { NodeDirectory(data) }
}

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a holder: fresh keys, and what its operator pins.")

    @OptionGroup var options: DataOption

    @Option(help: "A name for people.")
    var name: String

    @Option(help: "The relay, as host:port.")
    var relay: String

    @Option(help: "The name in the relay's certificate; the host if left out.")
    var serverName: String?

    @Option(help: "PEM file of the authority that signed the relay's certificate.")
    var ca: String

    @Option(help: "The platform's intent key, 64 hexadecimal digits.")
    var platformKey: String

    @Option(help: "The rules file to begin with.")
    var rules: String

    func run() async throws {
        let parts = relay.split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]), (1...65_535).contains(port) else {
            throw ValidationError("--relay must be host:port")
        }
        guard IdentityPublicKey(hex: platformKey) != nil else {
            throw ValidationError("--platform-key must be 64 hexadecimal digits")
        }
        let configuration = NodeDirectory.Configuration(
            name: name,
            relay: .init(
                host: String(parts[0]), port: port, serverName: serverName ?? String(parts[0])),
            platformKey: platformKey)
        try options.directory.create(
            configuration, rules: try Given.file(rules, "--rules"),
            authority: try Given.file(ca, "--ca"))
        print(try options.directory.identity().publicKey.hex)
    }
}

struct Start: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the holder until it is stopped.")

    @OptionGroup var options: DataOption

    @Flag(help: "End when standard input ends; for a supervisor that is the parent.")
    var endWithParent = false

    @Flag(help: "Development only: take part in key ceremonies without asking a person.")
    var dangerouslyConfirmCeremonies = false

    func run() async throws {
        try Chores.forbidCrashDumps()
        if endWithParent { Chores.endWithParent() }
        let directory = options.directory
        let configuration = try directory.configuration()
        let lock = try DirectoryLock(directory.url, name: "lock")
        var log = Logger(label: "holder.\(configuration.name)")
        log.logLevel = .info
        if dangerouslyConfirmCeremonies {
            log.warning("this holder confirms every key ceremony without asking a person")
        }
        if !Chores.lockMemory() {
            log.notice(
                "memory may be swapped to disk: raise the limit of locked memory to forbid it")
        }
        guard let platformKey = IdentityPublicKey(hex: configuration.platformKey) else {
            throw CommandFailure("platformKey in node.json is no key")
        }
        let callback = try configuration.callback?.settings(in: directory)
        let events = try configuration.events?.settings()
        let core = HolderCore(
            identity: try directory.identity(), sealing: try directory.sealingKey(),
            platform: platformKey, rules: try directory.rules(), store: try directory.database(),
            callbackServers: callback?.targets.map(\.server) ?? [],
            eventServers: events?.servers ?? [],
            dangerouslyConfirmsCeremonies: dangerouslyConfirmCeremonies)
        let servers =
            (callback?.targets.map(\.server.address) ?? [])
            + (events?.servers.map(\.address) ?? [])
        for address in servers where CallbackConfiguration.isOpen(address) {
            log.warning(
                """
                \(address) is spoken to in clear: whoever is in between reads everything and can \
                withhold it; use https, or a network of your own
                """)
        }
        let hasServers = callback != nil || events != nil
        let key = hasServers ? SecretBox(try directory.callbackKey()) : nil
        let issuer = try directory.identity().publicKey.hex
        try await NodeProcess(log: log).run(
            core, identity: SecretBox(try directory.identity()),
            relay: RelayAddress(
                host: configuration.relay.host, port: configuration.relay.port,
                serverName: configuration.relay.serverName,
                authorityFile: directory.authorityFile.path)
        ) { [log] said in
            guard let key else { return NodeProcess.Desks() }
            return NodeProcess.Desks(
                callback: callback.map {
                    CallbackDesk(
                        $0.targets, $0.patience, issuer: issuer, key: key, log: log,
                        post: CallbackPost().post, decided: said)
                },
                events: events.map {
                    EventDesk(
                        $0.patience, issuer: issuer, key: key, log: log, post: CallbackPost().post,
                        delivered: said)
                })
        }
        withExtendedLifetime(lock) {}
    }
}

struct Info: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show who the holder is, its keys, bans and whether it is frozen.")

    @OptionGroup var options: DataOption

    func run() async throws {
        let directory = options.directory
        let database = try directory.database()
        print("name      \(try directory.configuration().name)")
        print("identity  \(try directory.identity().publicKey.hex)")
        print("rules     \(try directory.rules().digest.hex)")
        try database.commit {
            print("frozen    \(try database.frozen() ?? "no")")
            for key in try database.allKeys() {
                print("key       \(key.line), public key \(Hex.encode(key.key.publicKey))")
            }
            for discarded in try database.discardedSetups() {
                print(
                    "discarded \(discarded.count) setups with \(discarded.peer.hex) in group "
                        + "\(discarded.group)")
            }
            for ban in try database.bans() {
                print("ban       \(ban.peer.hex) in epoch \(ban.epoch): \(ban.reason)")
            }
        }
    }
}

struct Pending: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show key ceremonies that wait for a person's confirmation.")

    @OptionGroup var options: DataOption

    func run() async throws {
        let database = try options.directory.database()
        let waiting = try database.commit { try database.awaitingConfirmation() }
        if waiting.isEmpty { print("nothing waits") }
        for ceremony in waiting { print("\(ceremony.fingerprint)  \(ceremony.what)") }
    }
}

struct Confirm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Confirm a key ceremony, after comparing its fingerprint with the other holders.")

    @OptionGroup var options: DataOption

    @Argument(help: "The fingerprint, as `pending` shows it at every holder.")
    var fingerprint: String

    func run() async throws {
        let database = try options.directory.database()
        let isKnown = try database.commit {
            guard
                try database.awaitingConfirmation().contains(where: {
                    $0.fingerprint == fingerprint
                })
            else { return false }
            try database.confirm(fingerprint: fingerprint)
            return true
        }
        guard isKnown else { throw ValidationError("no ceremony with this fingerprint waits here") }
        print("confirmed \(fingerprint)")
    }
}

struct Thaw: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a frozen holder sign again, and make setups with peers that broke them.",
        discussion: "Find out first why it froze, or why the setups were discarded.")

    @OptionGroup var options: DataOption

    func run() async throws {
        let database = try options.directory.database()
        try database.commit { try database.thaw() }
        print("thawed")
    }
}
