import Canonical
import CustodyClient
import Foundation
import Gateway
import Testing

@testable import quorumkeep

/// What integrators are given to begin with, run as they would.
@Suite(.serialized) struct `The examples` {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test func `of the API's pages are answered as the pages say`() async throws {
        let stack = Stack(portBase: 18480)
        try await stack.start()
        let said = try await Self.run(
            Self.root.appending(path: "Tests/ApiPages/pages.py"),
            [stack.directory.appending(path: "dev.json").path], on: stack)
        #expect(said.contains(" 0 answered otherwise"), "\(said)")
        print("pages of the API: \(said)", terminator: "")
        try await stack.stop()
    }

    /// Runs a program on a stack to its end, and tells what it said.
    private static func run(
        _ program: URL, _ arguments: [String] = [], on stack: Stack
    ) async throws -> String {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging([
            "QUORUMKEEP_STACK": stack.directory.appending(path: "dev.json").path,
            "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
        ]) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let said = String(
            decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(said)")
        return said
    }

    @Test(arguments: ["examples/toy-shop.sh", "examples/toy_shop.py", "toy-shop"])
    func `take a deposit and pay out`(program: String) async throws {
        let stack = Stack(portBase: 18460)
        try await stack.start()
        let said = try await Self.run(
            program.contains("/")
                ? Self.root.appending(path: program) : try DevStack.binary(program), on: stack)
        for words in [
            "pay 3 ETH to 0x", "paid by deposit", "is Submitted", "left are 1.749958 ETH",
        ] {
            #expect(said.contains(words), "\(words) in: \(said)")
        }
        // One payout, however often it was asked for.
        let payouts = try await stack.api().call("GET", "/transactions?type=Withdrawal")
        #expect(payouts["items"]?.items.map { $0["status"]?.text } == ["Completed"])
        #expect(payouts["items"]?.items.first?["amount"]?.text == "1.25")
        try await stack.stop()
    }
}
