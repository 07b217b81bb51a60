import Custody
import Foundation
import Hummingbird
import HummingbirdTLS
import Logging
import NIOCore
import NIOSSL

/// The front doors. They hold no key: they find out who asks, translate, and call one verb.
public struct GatewayServer: Sendable {
    /// A connection on which nothing comes is closed after so long.
    private static let idleSeconds: Int64 = 30

    /// A door: plain HTTP is for loopback, and only in development.
    public enum Door: Sendable {
        case loopback(port: Int)
        case tls(host: String, port: Int, certificate: String, privateKey: String)
    }

    private let custody: Bookkeeper
    private let settings: GatewaySettings
    private let log: Logger
    let meter = UsageMeter()

    public init(custody: Bookkeeper, settings: GatewaySettings = .init(), log: Logger) {
        self.custody = custody
        self.settings = settings
        self.log = log
    }

    /// Stores each second what the doors have counted, until it is cancelled. It must end after
    /// they have.
    public func keepUsage() async {
        await meter.run(custody) { log.error("storing usage failed: \($0)") }
    }

    /// What answers requests, without a socket.
    var router: Router<GatewayContext> {
        let router = Router(context: GatewayContext.self)
        let alarm = Alarm(custody: custody)
        router.add(middleware: Doorkeeper(settings: settings, log: log))
        CustodyAPI.addDocuments(to: router)
        CustodyAPI(
            custody: custody, meter: meter, alarm: alarm,
            authenticator: Authenticator(custody: custody, settings: settings, alarm: alarm)
        ).add(to: router.group("v1"))
        return router
    }

    /// Serves a door until the service group shuts it down, finishing what is running.
    public func application(for door: Door) throws -> some ApplicationProtocol {
        var quiet = log
        quiet.logLevel = .warning
        switch door {
        case .loopback(let port):
            return Application(
                router: router,
                server: .http1(configuration: .init(idleTimeout: .seconds(Self.idleSeconds))),
                configuration: .init(address: .hostname("127.0.0.1", port: port)), logger: quiet)
        case .tls(let host, let port, let certificate, let privateKey):
            var tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map {
                    .certificate($0)
                }, privateKey: .privateKey(try NIOSSLPrivateKey(file: privateKey, format: .pem)))
            tls.minimumTLSVersion = .tlsv12
            return Application(
                router: router,
                server: try .tls(
                    .http1(configuration: .init(idleTimeout: .seconds(Self.idleSeconds))),
                    tlsConfiguration: tls),
                configuration: .init(address: .hostname(host, port: port)), logger: quiet)
        }
    }
}
