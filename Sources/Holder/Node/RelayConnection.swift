import Algebra
import Canonical
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Intents
import KeyGroups
import Logging
import SwiftProtobuf
import Synchronization
import Threshold
import Wire

/// Where a holder finds its relay.
public struct RelayAddress: Sendable {
    public let host: String
    public let port: Int
    /// The name in the relay's certificate.
    public let serverName: String
    /// PEM file of the certificate authority that is pinned for the relay.
    public let authorityFile: String

    public init(host: String, port: Int, serverName: String, authorityFile: String) {
        self.host = host
        self.port = port
        self.serverName = serverName
        self.authorityFile = authorityFile
    }
}

/// Keeps a holder connected to its relay: dials out, proves who it is, carries frames, and dials
/// again when the line is gone.
public final class RelayConnection: Sendable {
    private static let firstPause = Duration.milliseconds(200)
    private static let longestPause = Duration.seconds(5)
    private static let framesMost = 8192
    private static let bytesMost = 64 * 1024 * 1024

    private let address: RelayAddress
    private let authority: [UInt8]
    private let identity: SecretBox<IdentityKey>
    private let log: Logger
    private let quietLog: QuietLog
    private let lastHeard = Mutex<UInt64>(0)
    private let outbound = Mutex<BoundedQueue<RelayWire.FromNode>?>(nil)
    private let receive: @Sendable (HolderInput) -> Void

    /// - Parameter receive: takes what the relay brings.
    public init(
        _ address: RelayAddress, identity: SecretBox<IdentityKey>, log: Logger,
        receive: @escaping @Sendable (HolderInput) -> Void
    ) throws {
        self.address = address
        authority = Array(try Data(contentsOf: URL(filePath: address.authorityFile)))
        self.identity = identity
        self.log = log
        quietLog = QuietLog(log)
        self.receive = receive
    }

    /// Sends what the holder has stored; without a line it is dropped, and said again when asked.
    public func send(_ output: HolderOutput) {
        if case .note(let text) = output {
            quietLog.warn(text)
            return
        }
        if case .verdict(let signed) = output {
            quietLog.info("\(signed.verdict.text), intent \(signed.intent)")
        }
        let frame = output.frame
        outbound.withLock { queue in _ = queue?.push(frame, bytes: output.size) }
    }

    /// Runs until cancelled.
    public func run() async {
        var pause = Self.firstPause
        while !Task.isCancelled {
            do {
                let stayed = try await connectOnce()
                if stayed {
                    pause = Self.firstPause
                } else if !Task.isCancelled {
                    let me = identity.with { $0.publicKey.hex }
                    quietLog.warn(
                        "the relay did not let us in: is \(me) registered with the platform?")
                }
            } catch is CancellationError {
                return
            } catch {
                quietLog.warn("no connection to the relay: \(error)")
            }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// One connection, until it ends.
    ///
    /// - Returns: whether the relay had accepted us.
    private func connectOnce() async throws -> Bool {
        var config = HTTP2ClientTransport.Posix.Config.defaults
        config.http2.authority = address.serverName
        var security = HTTP2ClientTransport.Posix.TransportSecurity.TLS.defaults
        security.trustRoots = .certificates([.file(path: address.authorityFile, format: .pem)])
        security.serverCertificateVerification = .fullVerification
        let target: any ResolvableTarget =
            isIPv4
            ? .ipv4(address: address.host, port: address.port)
            : .dns(host: address.host, port: address.port)
        let transport = try HTTP2ClientTransport.Posix(
            target: target, transportSecurity: .tls(security), config: config)
        return try await withGRPCClient(transport: transport) { client in
            let queue = BoundedQueue<RelayWire.FromNode>(
                countMost: Self.framesMost, bytesMost: Self.bytesMost)
            defer {
                outbound.withLock { $0 = nil }
                queue.close()
            }
            return try await RelayWire.Client(wrapping: client).connect { writer in
                while let frames = await queue.next() {
                    for frame in frames { try await writer.write(frame) }
                }
            } onResponse: { [self] response in
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    group.addTask { try await self.listen(response.messages, queue) }
                    group.addTask { try await self.beat(queue) }
                    defer { group.cancelAll() }
                    return try await group.next() ?? false
                }
            }
        }
    }

    private var isIPv4: Bool {
        var address = in_addr()
        return inet_pton(AF_INET, self.address.host, &address) == 1
    }

    /// Sends heartbeats, and ends the connection when the relay has been silent for too long.
    private func beat(_ queue: BoundedQueue<RelayWire.FromNode>) async throws -> Bool {
        while true {
            try await Task.sleep(for: .seconds(RelayWire.silenceSeconds / 3))
            queue.push(.with { $0.heartbeat = .init() })
            let silent = HolderTime.machine.monotonic - lastHeard.withLock { $0 }
            if silent > UInt64(RelayWire.silenceSeconds) { return true }
        }
    }

    private func listen(
        _ frames: RPCAsyncSequence<RelayWire.FromRelay, any Error>,
        _ queue: BoundedQueue<RelayWire.FromNode>
    ) async throws -> Bool {
        var isAccepted = false
        lastHeard.withLock { $0 = HolderTime.machine.monotonic }
        for try await frame in frames {
            lastHeard.withLock { $0 = HolderTime.machine.monotonic }
            switch frame.content {
            case .challenge(let challenge):
                let digest = RelayHello.digest(
                    nonce: Array(challenge.nonce), authority: authority)
                let (key, signature) = identity.with { ($0.publicKey, $0.sign(digest)) }
                queue.push(
                    .with {
                        $0.hello.identity = Data(key.bytes)
                        $0.hello.signature = Data(signature.bytes)
                    })
            case .accepted:
                isAccepted = true
                outbound.withLock { $0 = queue }
                log.info("connected to the relay")
                receive(.connected)
            case .offer, .close, .run, .envelope, .testimony, .checkUp:
                guard isAccepted, let input = HolderInput(frame) else { continue }
                receive(input)
            case .heartbeat, nil: break
            }
        }
        return isAccepted
    }
}

/// Says one thing once a minute at most, so that no peer can fill the log.
final class QuietLog: Sendable {
    private static let pauseSeconds: UInt64 = 60
    /// Most different texts that are remembered.
    private static let textsMost = 256

    private let log: Logger
    private let last = Mutex<[String: UInt64]>([:])

    init(_ log: Logger) { self.log = log }

    func warn(_ text: String) { say(text, .warning) }
    func info(_ text: String) { say(text, .info) }

    private func say(_ text: String, _ level: Logger.Level) {
        let now = HolderTime.machine.monotonic
        let isNew = last.withLock { last in
            if let before = last[text], now < before + Self.pauseSeconds { return false }
            if last.count >= Self.textsMost { last = [:] }
            last[text] = now
            return true
        }
        if isNew { log.log(level: level, "\(text)") }
    }
}
