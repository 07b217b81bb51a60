import Foundation
import Intents
import Synchronization

/// Runs a `HolderCore` on a thread of its own: takes all that has gathered as one batch, so that it
/// costs one flush to disk, and hands on what may be sent when it is stored.
public final class CoreThread: Sendable {
    /// Most inputs that wait, and most bytes of them; more are dropped, as a network drops.
    private static let inputsMost = 4096
    private static let bytesMost = 32 * 1024 * 1024

    private struct Inbox {
        var inputs: [HolderInput] = []
        var bytes = 0
        var dropped = 0
        var isStopped = false
    }

    private let inbox = Mutex(Inbox())
    private let signal = DispatchSemaphore(value: 0)
    private let sink: @Sendable (HolderOutput) -> Void
    private let clock: @Sendable () -> HolderTime

    /// - Parameters:
    ///   - clock: the machine's two clocks.
    ///   - sink: takes what may be sent; called on the core's thread.
    public init(
        clock: @escaping @Sendable () -> HolderTime,
        sink: @escaping @Sendable (HolderOutput) -> Void
    ) {
        self.clock = clock
        self.sink = sink
    }

    public func post(_ input: HolderInput) {
        let size = input.size
        inbox.withLock { inbox in
            // What a server of the operator's says is said once, and of few things at a time.
            let mayDrop =
                switch input {
                case .decided, .delivered: false
                default: true
                }
            let isFull =
                inbox.inputs.count >= Self.inputsMost || inbox.bytes + size > Self.bytesMost
            guard !(mayDrop && isFull) else {
                inbox.dropped += 1
                return
            }
            inbox.inputs.append(input)
            inbox.bytes += size
        }
        signal.signal()
    }

    public func stop() {
        inbox.withLock { $0.isStopped = true }
        signal.signal()
    }

    /// Handles inputs until `stop`, then returns. A store that fails is thrown: the core's memory
    /// is ahead of its disk then, so the process must end.
    public func run(_ core: HolderCore) throws {
        var lastTick = clock().monotonic
        while true {
            _ = signal.wait(timeout: .now() + 1)
            let (taken, dropped, isStopped) = inbox.withLock { inbox in
                defer { (inbox.inputs, inbox.bytes, inbox.dropped) = ([], 0, 0) }
                return (inbox.inputs, inbox.dropped, inbox.isStopped)
            }
            if isStopped { return }
            if dropped > 0 { sink(.note("dropped \(dropped) messages: the inbox was full")) }
            let time = clock()
            var inputs = taken
            if time.monotonic > lastTick {
                lastTick = time.monotonic
                inputs.append(.tick)
            }
            guard !inputs.isEmpty else { continue }
            for output in try core.handle(inputs, at: time) { sink(output) }
        }
    }
}

extension HolderInput {
    /// About how many bytes the input holds.
    var size: Int {
        switch self {
        case .connected, .close, .checkUp, .tick: 64
        case .decided, .delivered: 1024
        case .offer(let bytes, _), .envelope(let bytes), .testimony(let bytes): bytes.count
        case .run(let descriptor, let source): descriptor.count + source.count
        }
    }
}

extension HolderTime {
    /// The machine's clocks: Unix time, and time since boot with sleep counted.
    public static var machine: HolderTime {
        var boot = timespec()
        clock_gettime(CLOCK_BOOTTIME, &boot)
        return HolderTime(
            wall: UInt64(max(0, Date().timeIntervalSince1970)), monotonic: UInt64(boot.tv_sec))
    }
}
