import Custody
import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Identity
import Logging
import NIOCore
import NIOSSL

/// The front doors. They hold no key: they find out who asks, translate, and call one verb.
public struct GatewayServer: Sendable {
    /// What a request's head may be. Ours have some 600 bytes in 10 fields.
    private static let heads = HTTP1Channel.Configuration.DecoderConfiguration(
        maxHeaderFieldSize: 8 * 1024, maxHeaderListSize: 32 * 1024, maxHeaderFieldCount: 64)

    /// A door: plain HTTP is for loopback, and only in development.
    public enum Door: Sendable {
        case loopback(port: Int)
        case tls(host: String, port: Int, certificate: String, privateKey: String)
    }

    private let custody: Bookkeeper
    private let answers: SignedAnswers
    private let gas: any GasEstimator
    private let settings: GatewaySettings
    private let log: Logger
    let meter = UsageMeter()
    private let traffic = Traffic()
    private let draining = Draining()
    private let connections: Connections

    /// - Parameters:
    ///   - responses: signs what the MPC administration face answers.
    ///   - gas: is asked before a contract is called.
    public init(
        custody: Bookkeeper, responses: any ResponseSigner, gas: any GasEstimator,
        settings: GatewaySettings = .init(),
        log: Logger
    ) {
        self.custody = custody
        answers = SignedAnswers(signer: responses, custody: custody)
        self.gas = gas
        self.settings = settings
        self.log = log
        connections = Connections(
            perAddressMost: settings.connectionsPerAddressMost, unlimited: settings.trustedProxies)
    }

    /// Stores each second what the doors have counted, until it is cancelled. It must end after
    /// they have.
    public func keepUsage() async {
        await meter.run(custody) { log.error("storing usage failed: \($0)") }
    }

    /// Begins nothing more: what comes from here on is told to come again.
    public func drain() { draining.begin() }

    /// What went through the doors.
    public var metrics: [MetricFamily] {
        traffic.families + [
            MetricFamily(
                "quorumkeep_http_connections_open", .gauge, "Connections that are open.",
                connections.open)
        ]
    }

    /// What answers requests, without a socket.
    func router(isSecure: Bool) -> Router<GatewayContext> {
        let router = Router(context: GatewayContext.self)
        let alarm = Alarm(custody: custody)
        router.add(
            middleware: Doorkeeper(
                settings: settings, traffic: traffic, draining: draining, answers: answers,
                isSecure: isSecure, log: log))
        Probe(custody: custody, draining: draining).add(to: router)
        CustodyAPI.addDocuments(to: router)
        PlaygroundPage.add(to: router, MPCAdminAPI.endpoints)
        CustodyAPI(
            custody: custody, meter: meter, alarm: alarm,
            authenticator: Authenticator(custody: custody, settings: settings, alarm: alarm)
        ).add(to: router.group("v1"))
        MPCAdminAPI(
            custody: custody, meter: meter,
            authenticator: AdminAuthenticator(custody: custody, settings: settings, alarm: alarm),
            answers: answers, gas: gas
        ).add(to: router.group("v2"))
        return router
    }

    /// Serves a door until the service group shuts it down, finishing what is running.
    public func application(for door: Door) throws -> some ApplicationProtocol {
        switch door {
        case .loopback(let port):
            return Application(
                router: router(isSecure: false), server: http1,
                configuration: configuration("127.0.0.1", port), logger: quiet)
        case .tls(let host, let port, let certificate, let privateKey):
            var tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map {
                    .certificate($0)
                }, privateKey: .privateKey(try NIOSSLPrivateKey(file: privateKey, format: .pem)))
            tls.minimumTLSVersion = .tlsv12
            return Application(
                router: router(isSecure: true), server: try .tls(http1, tlsConfiguration: tls),
                configuration: configuration(host, port), logger: quiet)
        }
    }

    /// The operators' door: plain HTTP, nobody is asked who they are, so it is for an address that
    /// nobody else reaches.
    public func operations(
        host: String, port: Int, metrics: @escaping @Sendable () async throws -> [MetricFamily]
    ) -> some ApplicationProtocol {
        let router = Router()
        Probe(custody: custody, draining: draining).addForOperators(to: router, metrics: metrics)
        return Application(
            router: router, server: http1, configuration: configuration(host, port), logger: quiet)
    }

    private var quiet: Logger {
        var quiet = log
        quiet.logLevel = .warning
        return quiet
    }

    private var http1: HTTPServerBuilder {
        let (connections, traffic) = (connections, traffic)
        let transferMost = settings.transferMost
        return .http1(
            configuration: .init(
                additionalChannelHandlers: [
                    ConnectionWatch(
                        connections: connections, traffic: traffic, transferMost: transferMost)
                ], idleTimeout: TimeAmount(settings.transferMost),
                httpDecoderConfiguration: Self.heads))
    }

    private func configuration(_ host: String, _ port: Int) -> ApplicationConfiguration {
        ApplicationConfiguration(
            address: .hostname(host, port: port),
            availableConnectionsDelegate: MaximumAvailableConnections(settings.connectionsMost))
    }
}
