import ArgumentParser
import Foundation
import Housekeeping

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch the stack do its main job, from nothing, and stop it again.")

    @Option(help: "First of the ports that the stack uses meanwhile.")
    var portBase = 7600

    @Option(help: "Keep everything in this directory, in place of a temporary one.")
    var data: String?

    func run() async throws {
        let directory =
            data.map { URL(filePath: $0).absoluteURL }
            ?? FileManager.default.temporaryDirectory.appending(
                path: "quorumkeep-demo-\(ProcessInfo.processInfo.processIdentifier)")
        defer {
            if data == nil { try? FileManager.default.removeItem(at: directory) }
        }
        try await DemoStory(directory: directory, portBase: portBase).tell()
    }
}

/// Says what happens, with the time each step took. A terminal sees that work is going on; a pipe
/// gets plain lines.
final class Narrator {
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private let start = ContinuousClock.now
    private var step = 0

    func chapter(_ title: String) { print("\n\(title)") }
    func note(_ text: String) { print("     \(text)") }

    /// Does one step and says how long it took.
    func step<Result>(_ what: String, _ work: () async throws -> Result) async throws -> Result {
        step += 1
        let number = String(repeating: " ", count: step < 10 ? 1 : 0) + String(step)
        if isTerminal { show("\(number)   … \(what)") }
        let began = ContinuousClock.now
        let result: Result
        do {
            result = try await work()
        } catch {
            if isTerminal { show("\r\u{1b}[K") }
            print("\(number)   FAILED  \(what)")
            throw error
        }
        if isTerminal { show("\r\u{1b}[K") }
        print("\(number)   \(Self.text(began.duration(to: .now)))  \(what)")
        fflush(nil)
        return result
    }

    private func show(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    private static func text(_ duration: Duration) -> String {
        let milliseconds =
            duration.components.seconds * 1000
            + duration.components.attoseconds / 1_000_000_000_000_000
        let text = "\(milliseconds) ms"
        return String(repeating: " ", count: max(0, 9 - text.count)) + text
    }

    func finish() {
        print("\ndone in \(Self.text(start.duration(to: .now)).trimmingPrefix { $0 == " " })")
    }
}
