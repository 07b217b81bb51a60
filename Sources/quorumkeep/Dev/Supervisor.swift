import Foundation
import Housekeeping
import Synchronization

/// Starts the local stack's processes and stops them. A child that dies stays dead until it is
/// started again; if the supervisor dies, its end of the lifeline closes and the children follow.
final class Supervisor: Sendable {
    /// How long a child may take to stop before it is killed, in seconds.
    private static let stopSeconds = 8.0

    struct Command: Sendable {
        let binary: URL
        let arguments: [String]
    }

    private struct State {
        var commands: [String: Command] = [:]
        var running: [String: Process] = [:]
        /// Children that were told to stop, so that their end is no news.
        var stopping: Set<String> = []
        var isStopping = false
    }

    private let state = Mutex(State())
    private let logs: URL
    private let lifeline: Pipe
    private let report: @Sendable (String) -> Void

    /// - Parameters:
    ///   - logs: the folder for the children's output.
    ///   - report: says what happens to children.
    init(logs: URL, report: @escaping @Sendable (String) -> Void) throws {
        self.logs = logs
        self.report = report
        try PrivateFile.makeDirectory(logs)
        lifeline = Pipe()
        // Children must not inherit our end, or one would keep the other alive.
        _ = fcntl(lifeline.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
    }

    func add(_ name: String, _ command: Command) throws {
        state.withLock { $0.commands[name] = command }
        try start(name)
    }

    func pid(_ name: String) -> Int32? {
        state.withLock { $0.running[name].map { $0.processIdentifier } }
    }

    func start(_ name: String) throws {
        let command = try state.withLock { state in
            guard let command = state.commands[name] else {
                throw Self.unknown(name, state)
            }
            guard state.running[name] == nil else {
                throw CommandFailure("\(name) is running already")
            }
            return command
        }
        let log = logs.appending(path: "\(name).log")
        if !FileManager.default.fileExists(atPath: log.path) {
            try PrivateFile.write(Data(), to: log)
        }
        let handle = try FileHandle(forWritingTo: log)
        try handle.seekToEnd()
        let process = Process()
        process.executableURL = command.binary
        process.arguments = command.arguments
        process.standardInput = lifeline.fileHandleForReading
        process.standardOutput = handle
        process.standardError = handle
        process.terminationHandler = { [weak self] ended in
            self?.ended(name, ended, log)
        }
        try process.run()
        state.withLock { $0.running[name] = process }
    }

    private static func unknown(_ name: String, _ state: State) -> CommandFailure {
        let known = state.commands.keys.sorted().joined(separator: ", ")
        return CommandFailure("there is no child '\(name)'; there are \(known)")
    }

    private func ended(_ name: String, _ process: Process, _ log: URL) {
        let isExpected = state.withLock { state in
            state.running[name] = nil
            return state.stopping.remove(name) != nil || state.isStopping
        }
        guard !isExpected else { return }
        let how = process.terminationReason == .uncaughtSignal ? "signal" : "status"
        report("\(name) ended (\(how) \(process.terminationStatus)); its log is \(log.path)")
    }

    /// Stops one child, and kills it if it does not.
    func stop(_ name: String) throws {
        let process = try state.withLock { state in
            guard state.commands[name] != nil else { throw Self.unknown(name, state) }
            guard let process = state.running[name] else {
                throw CommandFailure("\(name) is not running")
            }
            state.stopping.insert(name)
            return process
        }
        stop([process])
    }

    func stopAll() {
        let processes = state.withLock { state in
            state.isStopping = true
            return Array(state.running.values)
        }
        stop(processes)
    }

    private func stop(_ processes: [Process]) {
        for process in processes { process.terminate() }
        let deadline = Date() + Self.stopSeconds
        for process in processes {
            while process.isRunning, Date() < deadline { usleep(20_000) }
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            process.waitUntilExit()
        }
    }
}
