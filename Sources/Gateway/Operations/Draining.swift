import Synchronization

/// Whether the platform is stopping: what runs is finished, and nothing more is begun.
final class Draining: Sendable {
    private let state = Atomic(false)

    var isOn: Bool { state.load(ordering: .relaxed) }

    func begin() { state.store(true, ordering: .relaxed) }
}
