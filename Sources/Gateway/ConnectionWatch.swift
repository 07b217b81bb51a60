import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Ends a connection that takes too long: whose request does not come to its end, or whose answer
/// is not taken. A request that is answered before it has come whole is the connection's last, so
/// that nobody reads its rest as another request.
///
/// How long the head of a request may take is for Hummingbird's own idle time.
final class ConnectionWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// For the other end to read its last answer, before the line is cut.
    private static let lastAnswerMost = TimeAmount.seconds(1)
    /// For who waits for what cannot be read to say so to the other end.
    private static let refusalMost = TimeAmount.seconds(5)
    /// For what was begun to come to its end when the platform stops: two doors, one after the
    /// other, within the 5 seconds of a shutdown.
    private static let drainMost = TimeAmount.seconds(2)

    private let connections: Connections
    private let traffic: Traffic
    private let transferMost: TimeAmount
    /// Under which this connection is counted; nil before and after.
    private var address: String?
    /// Requests whose head has come, and answers that have gone.
    private var begun = 0
    private var answered = 0
    /// Heads of answers that have gone, those that only say to go on with it.
    private var heads = 0
    /// Whether the rest of the newest request has still to come.
    private var isReading = false
    /// Whether the newest answer has begun and not gone in full.
    private var isWriting = false
    /// Whether what comes is dropped, since the connection has had its last answer.
    private var isOver = false
    private var reading: Scheduled<Void>?
    private var writing: Scheduled<Void>?

    init(connections: Connections, traffic: Traffic, transferMost: Duration) {
        self.connections = connections
        self.traffic = traffic
        self.transferMost = TimeAmount(transferMost)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { opened(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        opened(context)
        context.fireChannelActive()
    }

    private func opened(_ context: ChannelHandlerContext) {
        guard address == nil else { return }
        let address = context.remoteAddress?.ipAddress ?? ""
        self.address = address
        if !connections.opened(from: address) { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    private func end() {
        if let address { connections.closed(from: address) }
        address = nil
        reading?.cancel()
        writing?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        switch unwrapInboundIn(data) {
        case .head:
            begun += 1
            isReading = true
        case .body: break
        case .end:
            isReading = false
            reading?.cancel()
            reading = nil
        }
        context.fireChannelRead(data)
    }

    /// Most requests come whole, and most answers go at once; a clock is set for the others.
    func channelReadComplete(context: ChannelHandlerContext) {
        if isReading, reading == nil { reading = close(context, in: transferMost) }
        context.fireChannelReadComplete()
    }

    /// What came cannot be read. Whoever waits for it is told, and says so to the other end.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        traffic.noteUnreadable()
        if !isOver {
            reading?.cancel()
            reading = close(context, in: Self.refusalMost)
        }
        context.fireErrorCaught(error)
    }

    func write(
        context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        guard !isOver else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        // The answer is to the request whose rest is missing.
        let isLast = isReading && answered + 1 >= begun
        switch unwrapOutboundIn(data) {
        case .head(var head):
            writing?.cancel()
            writing = nil
            isWriting = true
            heads += 1
            guard isLast else {
                context.write(data, promise: promise)
                return
            }
            head.headerFields[.connection] = "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body:
            context.write(data, promise: promise)
        case .end:
            answered += 1
            let (done, number) = (
                promise ?? context.eventLoop.makePromise(of: Void.self), heads
            )
            done.futureResult.assumeIsolated().whenComplete { [self] _ in
                guard number == heads else { return }
                isWriting = false
                writing?.cancel()
                writing = nil
            }
            context.write(data, promise: done)
            guard isLast else { return }
            isOver = true
            reading?.cancel()
            reading = close(context, in: Self.lastAnswerMost)
        }
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        if isWriting, writing == nil { writing = close(context, in: transferMost) }
    }

    /// Told that the platform stops. What was not asked in full is not waited for.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent, isReading {
            reading?.cancel()
            reading = close(context, in: Self.drainMost)
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func close(_ context: ChannelHandlerContext, in time: TimeAmount) -> Scheduled<Void> {
        let channel = context.channel
        return context.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }
}
