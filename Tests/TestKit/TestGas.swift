import Chains
import Custody
import Synchronization

/// Says what it is told to say of calls, and what it was asked.
public final class TestGas: GasEstimator {
    private struct State {
        var answer: Result<UInt64, Refusal> = .success(50_000)
        var asked: [EVMCallQuestion] = []
    }

    private let state = Mutex(State())

    public init() {}

    public var asked: [EVMCallQuestion] { state.withLock { $0.asked } }
    public func say(_ gas: UInt64) { state.withLock { $0.answer = .success(gas) } }
    public func fail(_ refusal: Refusal) { state.withLock { $0.answer = .failure(refusal) } }

    public func gas(of question: EVMCallQuestion) async throws -> UInt64 {
        try state.withLock { state in
            state.asked.append(question)
            return state.answer
        }.get()
    }
}
