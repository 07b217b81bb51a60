import Synchronization

/// What happened how often, gathered from tests that run beside each other.
final class Tally: Sendable {
    private struct State {
        var counts: [String: [String: Int]] = [:]
        var finished = 0
    }

    private let name: String
    private let state = Mutex(State())

    init(_ name: String) { self.name = name }

    func add(_ what: String, _ outcome: String = "", _ number: Int = 1) {
        state.withLock { $0.counts[what, default: [:]][outcome, default: 0] += number }
    }

    /// The closing lines, for whoever is the last of so many to ask.
    func closing(after many: Int) -> String? {
        state.withLock { state in
            state.finished += 1
            guard state.finished == many else { return nil }
            return state.counts.sorted { $0.key < $1.key }.map { what, outcomes in
                let parts = outcomes.filter { !$0.key.isEmpty }
                    .sorted { ($1.value, $0.key) < ($0.value, $1.key) }
                    .map { "\($0.value) \($0.key)" }.joined(separator: ", ")
                let sum = outcomes.values.reduce(0, +)
                return "\(name): \(what) \(sum)\(parts.isEmpty ? "" : " = \(parts)")"
            }.joined(separator: "\n")
        }
    }
}
