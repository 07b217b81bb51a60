import ArgumentParser
import Foundation
import Housekeeping

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Logs of a local stack.", subcommands: [Tail.self])

    struct Tail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what platform and holders log, as it comes, until Ctrl-C.")

        private static let ending = ".log"
        private static let pause = Duration.milliseconds(200)
        /// Of what was logged before, so much of each file is shown.
        private static let before: UInt64 = 2048

        @OptionGroup var stack: StackOption

        @Argument(help: "platform, or holders' names; all if left out.")
        var names: [String] = []

        func run() async throws {
            let folder = try stack.directory().appending(path: "logs")
            var places: [String: UInt64] = [:]
            guard FileManager.default.fileExists(atPath: folder.path) else {
                throw CommandFailure(
                    "\(folder.path) is missing: \(stack.data) holds no local stack")
            }
            let known = try Self.logs(in: folder)
            if let other = names.first(where: { !known.contains($0) }) {
                throw CommandFailure(
                    "there is no log '\(other)'; there are \(known.joined(separator: ", "))")
            }
            while true {
                // A child that is started for the first time gets its file then.
                for name in try Self.logs(in: folder)
                where names.isEmpty || names.contains(name) {
                    try show(folder.appending(path: name + Self.ending), name, &places[name])
                }
                fflush(nil)
                try await Task.sleep(for: Self.pause)
            }
        }

        private static func logs(in folder: URL) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder.path)
                .filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }.sorted()
        }

        /// Prints whole lines from the place on; half a line waits for its rest.
        private func show(_ file: URL, _ name: String, _ place: inout UInt64?) throws {
            let handle = try FileHandle(forReadingFrom: file)
            defer { try? handle.close() }
            let end = try handle.seekToEnd()
            let isFirst = place == nil
            // A file that is shorter than it was is another one.
            var from = place ?? (end > Self.before ? end - Self.before : 0)
            if from > end { from = 0 }
            try handle.seek(toOffset: from)
            let data = try handle.readToEnd() ?? Data()
            guard let last = data.lastIndex(of: UInt8(ascii: "\n")) else {
                place = from
                return
            }
            var lines = data[..<last].split(separator: UInt8(ascii: "\n"))
            if isFirst, from > 0, !lines.isEmpty { lines.removeFirst() }
            for line in lines {
                print("\(name)  \(String(decoding: line, as: UTF8.self))")
            }
            place = from + UInt64(last - data.startIndex) + 1
        }
    }
}
