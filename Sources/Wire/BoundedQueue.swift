import Synchronization

/// A queue between a producer that must not wait and one consumer: bounded in count and bytes, so
/// that a slow or absent consumer costs its sender's messages and never our memory.
public final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var bytes = 0
        var waiter: CheckedContinuation<Void, Never>?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let countMost: Int
    private let bytesMost: Int

    public init(countMost: Int, bytesMost: Int) {
        self.countMost = countMost
        self.bytesMost = bytesMost
    }

    /// False if there is no room, or the queue is closed: the element is dropped.
    @discardableResult
    public func push(_ element: Element, bytes: Int = 0) -> Bool {
        let (taken, waiter) = state.withLock { state in
            guard !state.isClosed, state.elements.count < countMost,
                state.bytes + bytes <= bytesMost
            else { return (false, nil as CheckedContinuation<Void, Never>?) }
            state.elements.append(element)
            state.bytes += bytes
            return (true, state.waiter.take())
        }
        waiter?.resume()
        return taken
    }

    /// Ends the queue; what is in it can still be taken.
    public func close() {
        let waiter = state.withLock { state in
            state.isClosed = true
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Everything that has gathered, waiting until there is something; nil when the queue is closed
    /// and empty, or the task is cancelled.
    public func next() async -> [Element]? {
        await withTaskCancellationHandler {
            while true {
                let (batch, isOver) = state.withLock { state in
                    let batch = state.elements
                    state.elements = []
                    state.bytes = 0
                    return (batch, state.isClosed)
                }
                if !batch.isEmpty { return batch }
                if isOver || Task.isCancelled { return nil }
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        if !state.elements.isEmpty || state.isClosed { return true }
                        state.waiter = continuation
                        return false
                    }
                    if isReady { continuation.resume() }
                }
            }
        } onCancel: {
            close()
        }
    }
}
