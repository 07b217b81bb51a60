import Algebra
import Canonical
import CustodyClient
import Foundation
import Gateway
import TestKit
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `Garbage on every port` {
    /// Connects to a loopback port, sends bytes and hangs up.
    private func send(_ bytes: [UInt8], to port: Int) { RawConnection(port: port)?.send(bytes) }

    private func residentKiB(_ pid: Int32) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return Int(line?.split(separator: " ").dropFirst().first ?? "") ?? 0
    }

    @Test func `is dropped; nothing grows and nobody is disturbed`() async throws {
        let stack = Stack(portBase: 18340)
        try await stack.start()
        let api = try stack.api()
        let wallet = try await api.fundedWallet("w", "9", on: try stack.chain)
        let entry = try await api.entry("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        let pid = try stack.description.platform.pid
        var random = TestRandom("garbage")
        let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
        func round() {
            for number in 0..<150 {
                var bytes = random.bytes(1 + random.integer(below: 20_000))
                if number.isMultiple(of: 3) { bytes = preface + bytes }
                if number % 5 == 1 { bytes = [22, 3, 1] + bytes }
                if number % 5 == 2 { bytes = Array("POST /v1/vaults HTTP/1.1\r\n".utf8) + bytes }
                for door in [0, 1, 3] { send(bytes, to: stack.portBase + door) }
            }
        }
        round()
        let logs = try logSize(stack)
        let before = try residentKiB(pid)
        for _ in 0..<3 { round() }
        let after = try residentKiB(pid)
        #expect(after - before < 48 * 1024, "\(before) KiB, then \(after) KiB")
        #expect(try logSize(stack) - logs < 64 * 1024)
        #expect(try stack.description.platform.pid == pid)
        try await api.wait(for: try await api.withdraw("1", from: wallet, to: entry), "Completed")
        try await stack.stop()
    }

    private func logSize(_ stack: Stack) throws -> Int {
        let folder = stack.directory.appending(path: "logs")
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).reduce(0) {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: folder.appending(path: $1).path)
            return $0 + (attributes[.size] as? Int ?? 0)
        }
    }

    @Test func `who says nothing at the relay is cut off, and keeps nobody from ending`()
        async throws
    {
        let stack = Stack(portBase: 18400)
        try await stack.start()
        let silent = (0..<40).compactMap { _ in RawConnection(port: stack.portBase + 3) }
        #expect(silent.count == 40)
        try await until("they are cut off", seconds: 15) {
            silent.allSatisfy { $0.receive(seconds: 0.01).isClosed }
        }
        let late = (0..<40).compactMap { _ in RawConnection(port: stack.portBase + 3) }
        try await stack.stop()
        withExtendedLifetime(late) {}
        let log = try String(
            contentsOf: stack.directory.appending(path: "logs/platform.log"), encoding: .utf8)
        #expect(log.contains("stopped"), "it ended by itself")
    }

    @Test func `a holder that nobody registered is not let in`() async throws {
        let stack = Stack(portBase: 18360)
        try await stack.start()
        let file = try stack.description
        let folder = stack.directory.appending(path: "stranger")
        func node(_ arguments: [String]) throws -> Process {
            let process = Process()
            process.executableURL = try DevStack.binary("quorumkeep-node")
            process.arguments = arguments
            process.standardOutput = FileHandle.nullDevice
            return process
        }
        let platform = PlatformDirectory(file.platform.dataDir)
        let make = try node([
            "init", "--data", folder.path, "--name", "stranger", "--relay",
            "127.0.0.1:\(stack.portBase + 3)", "--server-name", "localhost", "--ca",
            platform.path("ca.pem"), "--platform-key", try platform.intentKey().publicKey.hex,
            "--rules", file.holders[0].dataDir + "/rules.json",
        ])
        try make.run()
        make.waitUntilExit()
        try #require(make.terminationStatus == 0)
        let stranger = try node(["start", "--data", folder.path])
        let log = folder.appending(path: "log")
        try Data().write(to: log)
        stranger.standardError = try FileHandle(forWritingTo: log)
        stranger.standardOutput = stranger.standardError
        try stranger.run()
        defer { stranger.terminate() }
        var said = ""
        try await until("it says that it was not let in", seconds: 20) {
            said = try String(contentsOf: log, encoding: .utf8)
            return said.contains("did not let us in")
        }
        #expect(said.split(separator: "\n").count < 12, "\(said)")
        try await stack.stop()
    }
}
