import ArgumentParser
import AsyncHTTPClient
import Chains
import Custody
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Gateway
import Housekeeping
import Hummingbird
import Intents
import Logging
import ServiceLifecycle
import Storage
import UnixSignals
import Wire
import Workers

/// The option that every command on an installation has.
struct PlatformOption: ParsableArguments {
    @Option(name: .long, help: "The data directory of the installation, or of a local stack.")
    var data: String

    /// A local stack has its installation in a directory of its own.
    var directory: PlatformDirectory {
        let named = PlatformDirectory(data)
        let inner = PlatformDirectory(named.path(Dev.platform))
        return !named.exists && inner.exists ? inner : named
    }
}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the platform: front doors, relay and workers, until it is stopped.",
        discussion: """
            Health, readiness and metrics are at the address 'metrics' of platform.json. Stopped \
            by SIGTERM or SIGINT, it begins nothing more and answers what was begun.
            """)

    /// What is running may finish for so long; then it is cut off, which loses nothing.
    private static let shutdownMost = Duration.seconds(5)
    /// Open files beside the doors' connections: the relay's 1024, database, workers.
    private static let otherFiles = 1536

    @OptionGroup var options: PlatformOption

    @Flag(help: "End when standard input ends; for a supervisor that is the parent.")
    var endWithParent = false

    func run() async throws {
        try Chores.forbidCrashDumps()
        if endWithParent { Chores.endWithParent() }
        let directory = options.directory
        let configuration = try directory.configuration()
        if try configuration.logsAreJSON() { LoggingSystem.bootstrap { JSONLog(label: $0) } }
        var log = Logger(label: "platform")
        log.logLevel = .info
        let lock = try DirectoryLock(directory.url, name: "lock")
        let (custody, database) = try directory.custody()
        try await custody.write { books in
            try books.store.setAllOffline()
            try books.tellBooks()
        }
        try await custody.read { books in
            let missing = try books.store.assetsInUse().subtracting(books.settings.assets.map(\.id))
            guard missing.isEmpty else {
                throw CommandFailure(
                    "platform.json lacks \(missing.sorted().joined(separator: ", ")), of which "
                        + "there are wallets")
            }
        }
        try roomForConnections(configuration, log)
        let platform = try PlatformParts(
            custody: custody, database: database, configuration: configuration,
            directory: directory, log: log)
        var services = ServiceGroupConfiguration(
            services: platform.services.map { .init(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: log)
        services.maximumGracefulShutdownDuration = Self.shutdownMost
        let group = ServiceGroup(configuration: services)
        log.info(
            "serving",
            metadata: [
                "api": "\(configuration.custody.host):\(configuration.custody.tlsPort)",
                "relay": "\(configuration.relay.host):\(configuration.relay.port)",
            ])
        try await group.run()
        try database.close()
        log.info("stopped")
        withExtendedLifetime(lock) {}
    }

    /// Each connection is an open file, and so is much else.
    private func roomForConnections(
        _ configuration: PlatformConfiguration, _ log: Logger
    ) throws {
        let doors = configuration.custody.plainPort == nil ? 1 : 2
        let needed = try configuration.gatewaySettings().connectionsMost * doors + Self.otherFiles
        let allowed = Chores.allowFiles(needed)
        if allowed < needed {
            log.warning(
                """
                \(allowed) files may be open and \(needed) can be: raise the limit (LimitNOFILE), \
                or lower limits.connections
                """)
        }
    }
}

/// The graph of what runs in the platform's process, built by hand.
struct PlatformParts {
    let services: [any Service]

    init(
        custody: Bookkeeper, database: PlatformDatabase, configuration: PlatformConfiguration,
        directory: PlatformDirectory, log: Logger
    ) throws {
        let desk = SigningDesk(custody: custody, signer: try directory.intentKey(), log: log)
        let authority = directory.path(configuration.tls.authority)
        let certificate = directory.path(configuration.tls.certificate)
        let privateKey = directory.path(configuration.tls.privateKey)
        let relay = Relay(
            authority: Array(try Given.file(authority, "the authority of platform.json")),
            traffic: desk, log: log)
        _ = try Given.file(certificate, "the certificate of platform.json")
        _ = try Given.file(privateKey, "the certificate's key of platform.json")
        let server = RelayServer(
            relay: relay, configuration: configuration.relay, certificate: certificate,
            privateKey: privateKey, log: log)
        let nodes = try Self.nodes(configuration)
        let responses = try directory.responseKey()
        let gateway = GatewayServer(
            custody: custody, responses: responses, gas: NodeGas(nodes),
            settings: try configuration.gatewaySettings(), log: log)
        let (chains, tips) = Self.chains(custody, configuration, nodes, log)
        // What starts first stops last: the doors close before what they lead to, and who watches
        // sees all of it.
        var services: [any Service] = []
        if let door = configuration.metrics {
            let metrics = InstallationMetrics(
                custody: custody, database: database, tips: tips, started: custody.now)
            services.append(
                gateway.operations(host: door.host, port: door.port) {
                    gateway.metrics + (try await metrics.families())
                })
        }
        services += Self.workers(gateway, custody, responses, configuration, log) + chains
        services.append(Worker { await desk.run(through: relay) })
        services.append(server)
        services.append(
            try gateway.application(
                for: .tls(
                    host: configuration.custody.host, port: configuration.custody.tlsPort,
                    certificate: certificate, privateKey: privateKey)))
        if let port = configuration.custody.plainPort {
            services.append(try gateway.application(for: .loopback(port: port)))
        }
        services.append(Drain(gateway: gateway))
        self.services = services
    }

    private static func workers(
        _ gateway: GatewayServer, _ custody: Bookkeeper, _ responses: ResponseKey,
        _ configuration: PlatformConfiguration, _ log: Logger
    ) -> [any Service] {
        let webhooks = configuration.webhooks
        return [
            Worker { await gateway.keepUsage() },
            Worker {
                await Janitor(
                    custody: custody,
                    eventsKeptDays: webhooks.eventsKeptDays ?? RecordedEvent.usualKeptDays,
                    log: log
                ).run()
            },
            Worker { await Activator(custody: custody, log: log).run() },
            Worker {
                await WebhookSender(
                    custody: custody, responses: responses,
                    schedule: DeliverySchedule(pauses: webhooks.pausesSeconds.map { .seconds($0) }),
                    log: log
                ).run()
            },
        ]
    }

    private static func nodes(
        _ configuration: PlatformConfiguration
    ) throws -> [ChainID: EVMNode] {
        var nodes: [ChainID: EVMNode] = [:]
        for entry in configuration.chains {
            guard let chain = ChainID(entry.id) else {
                throw CommandFailure("platform.json: \(entry.id) is no chain in CAIP-2 form")
            }
            nodes[chain] = EVMNode(url: entry.rpcUrl, client: .shared)
        }
        return nodes
    }

    private static func chains(
        _ custody: Bookkeeper, _ configuration: PlatformConfiguration,
        _ nodes: [ChainID: EVMNode], _ log: Logger
    ) -> ([any Service], [ChainID: ChainTip]) {
        var services: [any Service] = []
        var tips: [ChainID: ChainTip] = [:]
        for entry in configuration.chains {
            guard let chain = ChainID(entry.id), let node = nodes[chain] else { continue }
            let tip = ChainTip()
            tips[chain] = tip
            services += [
                Worker {
                    await ChainFollower(
                        custody: custody, chain: chain, node: node,
                        pause: .milliseconds(entry.pollMilliseconds), seen: tip, log: log
                    ).run()
                },
                Worker {
                    await Broadcaster(custody: custody, chain: chain, node: node, log: log).run()
                },
            ]
        }
        return (services, tips)
    }
}

/// Is told first that the platform stops, and has no more begun at any door.
private struct Drain: Service {
    let gateway: GatewayServer

    func run() async throws {
        try await gracefulShutdown()
        gateway.drain()
    }
}

/// A worker's loop as a service: it ends when the group shuts down.
private struct Worker: Service {
    let work: @Sendable () async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown { await work() }
    }
}

/// The relay's door: gRPC over TLS 1.2 or newer.
private struct RelayServer: Service {
    let relay: Relay
    let log: Logger
    let server: GRPCServer<HTTP2ServerTransport.Posix>

    init(
        relay: Relay, configuration: PlatformConfiguration.Listener, certificate: String,
        privateKey: String, log: Logger
    ) {
        var config = HTTP2ServerTransport.Posix.Config.defaults
        let door = RelayDoor(relay)
        config.channelDebuggingCallbacks.onAcceptTCPConnection = { door.accept($0) }
        config.rpc.maxRequestPayloadSize = RelayWire.frameBytesMost
        self.relay = relay
        self.log = log
        server = GRPCServer(
            transport: .http2NIOPosix(
                address: .ipv4(host: configuration.host, port: configuration.port),
                transportSecurity: .tls(
                    certificateChain: [.file(path: certificate, format: .pem)],
                    privateKey: .file(path: privateKey, format: .pem)),
                config: config), services: [relay])
    }

    func run() async throws {
        do {
            try await withGracefulShutdownHandler {
                try await server.serve()
            } onGracefulShutdown: {
                server.beginGracefulShutdown()
                relay.disconnectAll()
            }
        } catch {
            guard Task.isCancelled else { throw error }
            // Holders lose nothing by it: whatever they have to say they say again.
            log.warning("a holder's line had not ended in time, and was cut: \(error)")
        }
    }
}
