import Foundation

/// Gathers figures, prints each as it comes, and writes them as data.
final class Report {
    private let only: String
    private var figures: [Figure] = []

    init(only: String) { self.only = only }

    func wants(_ name: String) -> Bool { only.isEmpty || name.contains(only) }

    func add(_ figure: Figure) {
        figures.append(figure)
        let value = Self.text(figure.value, figure.unit == "bytes" ? 0 : 3)
        var line = figure.name.padding(toLength: 32, withPad: " ", startingAt: 0)
        line += String(repeating: " ", count: max(0, 12 - value.count)) + "\(value) \(figure.unit)"
        if let ratio = figure.ratio, let base = figure.base, let baseValue = figure.baseValue {
            let times = Self.text(ratio, ratio < 1 ? 4 : 1)
            line += "   = \(times) × \(base) (\(Self.text(baseValue, 4)) \(figure.unit))"
        }
        if let aim = figure.aim {
            line +=
                ", aim: at most \(Self.text(aim, aim < 1 ? 1 : 0)) "
                + (figure.ratio == nil ? figure.unit : "×")
        }
        if let least = figure.least { line += ", aim: at least \(Self.text(least, 1)) ×" }
        if let most = figure.aimValue {
            line += ", aim: at most \(Self.text(most, 0)) \(figure.unit)"
        }
        if let least = figure.leastValue {
            line += ", aim: at least \(Self.text(least, 0)) \(figure.unit)"
        }
        print(line)
        fflush(nil)
    }

    private static func text(_ value: Double, _ decimals: Int) -> String {
        String(format: "%.\(decimals)f", value)
    }

    private struct File: Encodable {
        let machine: String
        let commit: String
        let figures: [Figure]
    }

    func finish(_ path: String?) throws {
        guard !figures.isEmpty else {
            print("no figure has '\(only)' in its name")
            exit(64)
        }
        guard let path else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let file = File(machine: Self.machine, commit: Self.commit, figures: figures)
        try encoder.encode(file).write(to: URL(filePath: path))
    }

    private static var machine: String {
        let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = info.split(separator: "\n").first { $0.hasPrefix("model name") }
        let name = model?.split(separator: ":").last.map { $0.trimmingPrefix { $0 == " " } } ?? "?"
        return "\(name), \(ProcessInfo.processInfo.processorCount) cores"
    }

    private static var commit: String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["git", "rev-parse", "HEAD"]
        process.standardOutput = pipe
        guard (try? process.run()) != nil else { return "?" }
        process.waitUntilExit()
        let data = (try? pipe.fileHandleForReading.readToEnd()) ?? Data()
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
