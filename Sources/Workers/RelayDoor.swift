import NIOCore
import Synchronization

/// Keeps the relay's port passable: so many connections at once, and none that does not come from
/// a holder that has said who it is.
public final class RelayDoor: Sendable {
    /// Most connections at once: of all holders, and of some that are not let in.
    private static let connectionsMost = 1024
    /// How long a connection may take until a holder speaks over it: TLS, the stream and the hello.
    private static let strangerSeconds: Int64 = 10

    private let relay: Relay
    private let count = Mutex(0)

    public init(_ relay: Relay) { self.relay = relay }

    /// Watches a connection that was accepted.
    public func accept(_ channel: any Channel) -> EventLoopFuture<Void> {
        let number = count.withLock { count in
            count += 1
            return count
        }
        let relay = relay
        channel.closeFuture.whenComplete { [self] _ in count.withLock { $0 -= 1 } }
        guard number <= Self.connectionsMost, let address = channel.remoteAddress,
            let host = address.ipAddress, let port = address.port
        else {
            channel.close(promise: nil)
            return channel.eventLoop.makeSucceededVoidFuture()
        }
        channel.eventLoop.scheduleTask(in: .seconds(Self.strangerSeconds)) {
            if !relay.isHolder(host: host, port: port) { channel.close(promise: nil) }
        }
        return channel.eventLoop.makeSucceededVoidFuture()
    }
}
