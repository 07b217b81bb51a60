import Foundation
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `The stock client of Cobo WaaS 2` {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test func `is refused as documented, and runs its whole MPC flow on our quorum`() async throws
    {
        let python = Self.root.appending(path: ".build-cobo-client/bin/python")
        try #require(
            FileManager.default.isExecutableFile(atPath: python.path),
            "bin/test installs cobo-waas2")
        let stack = Stack(portBase: 18460, options: ["--block-time", "50", "--holders", "5"])
        try await stack.start()
        for script in ["errors.py", "story.py", "table.py"] {
            let output = try run(script, with: python, against: stack)
            #expect(output.hasSuffix("done\n"), "\(output)")
        }
        try await stack.stop()
    }

    /// What the script prints, whether it ends well or not.
    private func run(_ script: String, with python: URL, against stack: Stack) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = python
        process.arguments = [
            Self.root.appending(path: "Tests/CoboClient/\(script)").path,
            stack.directory.appending(path: "dev.json").path,
            try DevStack.binary("quorumkeep").path,
        ]
        process.environment = ProcessInfo.processInfo.environment.merging([
            "PYTHONDONTWRITEBYTECODE": "1"
        ]) { $1 }
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: output, as: UTF8.self)
    }
}
