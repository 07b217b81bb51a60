import Foundation
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `The stock client of Cobo WaaS 2` {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test func `runs its whole MPC flow on our quorum`() async throws {
        let python = Self.root.appending(path: ".build-cobo-client/bin/python")
        try #require(
            FileManager.default.isExecutableFile(atPath: python.path),
            "bin/test installs cobo-waas2")
        let stack = Stack(portBase: 18460, options: ["--block-time", "50", "--holders", "5"])
        try await stack.start()
        let process = Process()
        let pipe = Pipe()
        process.executableURL = python
        process.arguments = [
            Self.root.appending(path: "Tests/CoboClient/story.py").path,
            stack.directory.appending(path: "dev.json").path,
            try DevStack.binary("quorumkeep").path,
        ]
        process.environment = ProcessInfo.processInfo.environment.merging([
            "PYTHONDONTWRITEBYTECODE": "1"
        ]) { $1 }
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(
            decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(output)")
        #expect(output.hasSuffix("done\n"))
        try await stack.stop()
    }
}
