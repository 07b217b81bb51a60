import Custody
import Logging

/// Ends the cooling of address-book entries when their time has come.
public struct Activator: Sendable {
    private static let pause = Duration.milliseconds(500)

    private let custody: Bookkeeper
    private let log: Logger

    public init(custody: Bookkeeper, log: Logger) {
        self.custody = custody
        self.log = log
    }

    public func run() async {
        while !Task.isCancelled {
            do {
                while try await custody.read({ try $0.hasEntriesToActivate() }) {
                    try await custody.write { try $0.activateEntries() }
                }
            } catch {
                log.error("activating address-book entries failed: \(error)")
            }
            try? await Task.sleep(for: Self.pause)
        }
    }
}
