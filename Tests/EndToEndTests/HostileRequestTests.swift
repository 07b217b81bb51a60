import Canonical
import Foundation
import Synchronization
import TestKit
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `Hostile requests` {
    /// QUORUMKEEP_HOSTILE=20000 is the whole run.
    private static let count = LongRun.count("QUORUMKEEP_HOSTILE", short: 2000)
    private static let workers = 8
    /// Longest that an answer, or the end of the connection, may take: a connection whose request
    /// cannot be read is kept for a second.
    private static let secondsMost = 8.0

    /// What came of requests.
    private struct Outcomes {
        var statuses: [Int: Int] = [:]
        var unanswered = 0
        var slowest = Duration.zero
        /// What must not be: 5xx, no end.
        var faults: [String] = []
    }

    private struct Size {
        let memory: Int
        /// Connections to it, to holders and to nodes, and the doors.
        let sockets: Int
        /// All open ones, with sockets.
        let files: Int

        init(of pid: Int32) throws {
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
            memory = Int(line?.split(separator: " ").dropFirst().first ?? "") ?? 0
            let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")
            files = open.count
            sockets =
                open.filter {
                    // One that is closed by now is no connection.
                    let target = try? FileManager.default.destinationOfSymbolicLink(
                        atPath: "/proc/\(pid)/fd/\($0)")
                    return target?.hasPrefix("socket:") ?? false
                }.count
        }
    }

    @Test func `of 20,000 none is a fault of ours, none hangs, and nothing grows`() async throws {
        let stack = Stack(portBase: 18900)
        try await stack.start()
        // Failed attempts are what this is about, so none is turned away for being one of many.
        try await stack.control("stop", "platform")
        let directory = PlatformDirectory(try stack.description.platform.dataDir)
        try Stack.insert(
            #""limits":{"failures":{"perSecond":1000000,"burst":1000000}},"#,
            into: directory.path("platform.json"))
        try await stack.control("start", "platform")
        let file = try stack.description
        let key = file.tenants[0].keys.hmac
        let port = stack.portBase
        try await until("the door is open", seconds: 10) { RawConnection(port: port) != nil }
        func play(_ count: Int, _ seed: String) async -> Outcomes {
            await Self.play(count, at: port, key.keyId, key.secret, seed)
        }
        let warm = await play(max(400, Self.count / 10), "warm")
        // What cannot be read is kept for 5 s; holders and the chain's node are back by then.
        try await Task.sleep(for: .seconds(7))
        let before = try Size(of: file.platform.pid)
        let outcomes = await play(Self.count, "hostile")
        try await until("its connections are closed", seconds: 40) {
            try Size(of: file.platform.pid).sockets <= before.sockets + 4
        }
        let after = try Size(of: file.platform.pid)
        let statuses = outcomes.statuses.sorted { $0.key < $1.key }.map { "\($0): \($1)" }
        print(
            """
            hostile requests: \(Self.count), answered \(statuses.joined(separator: ", ")), not \
            answered \(outcomes.unanswered), slowest \(outcomes.slowest); memory \
            \(before.memory) KiB, then \(after.memory) KiB; sockets \(before.sockets), then \
            \(after.sockets); files \(before.files), then \(after.files)
            """)
        let faults = warm.faults + outcomes.faults
        #expect(faults.isEmpty, "\(faults.prefix(10).joined(separator: "\n"))")
        #expect(after.memory - before.memory < 48 * 1024)
        // Of the database's 8 readers each has two files, and is opened when it is first needed.
        #expect(after.files - before.files <= after.sockets - before.sockets + 2 * 8)
        #expect(outcomes.statuses[401, default: 0] > Self.count / 10, "wrongly signed ones")
        #expect(outcomes.statuses[400, default: 0] > Self.count / 10, "rightly signed ones")
        #expect(try stack.description.platform.pid == file.platform.pid)
        let logs = try String(
            contentsOf: stack.directory.appending(path: "logs/platform.log"), encoding: .utf8)
        #expect(!logs.contains(" error "), "an error in the log is a bug")
        #expect(!logs.contains(key.secret))
        _ = try await stack.api().wallet("afterwards")
        try await stack.stop()
    }

    private static func play(
        _ count: Int, at port: Int, _ keyID: String, _ secret: String, _ seed: String
    ) async -> Outcomes {
        await withTaskGroup(of: Outcomes.self) { group in
            for worker in 0..<workers {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        Thread.detachNewThread {
                            var requests = HostileRequests(
                                keyID: keyID, secret: secret, seed: "\(seed) \(worker)")
                            var outcomes = Outcomes()
                            for number in 0..<(count / workers) {
                                send(
                                    requests.next(isSigned: number.isMultiple(of: 2)), to: port,
                                    "\(seed) \(worker) no. \(number)", &outcomes)
                            }
                            continuation.resume(returning: outcomes)
                        }
                    }
                }
            }
            return await group.reduce(into: Outcomes()) { all, one in
                all.statuses.merge(one.statuses, uniquingKeysWith: +)
                all.unanswered += one.unanswered
                all.slowest = max(all.slowest, one.slowest)
                all.faults += one.faults
            }
        }
    }

    private static func send(
        _ made: HostileRequests.Made, to port: Int, _ place: String, _ outcomes: inout Outcomes
    ) {
        guard let line = RawConnection(port: port) else {
            outcomes.faults.append("\(place), \(made.kind): no connection")
            return
        }
        let began = ContinuousClock.now
        for (number, piece) in made.pieces.enumerated() {
            if number > 0 { usleep(3000) }
            line.send(piece)
        }
        if made.end == .hangsUp { return outcomes.unanswered += 1 }
        if made.end == .endsSending { line.endSending() }
        let (bytes, isClosed) = line.receive(seconds: secondsMost) {
            made.end == .listens && !RawAnswer.all(in: $0).isEmpty
        }
        let answers = RawAnswer.all(in: bytes)
        outcomes.slowest = max(outcomes.slowest, began.duration(to: .now))
        if answers.isEmpty, !isClosed {
            outcomes.faults.append("\(place), \(made.kind): neither an answer nor an end")
        }
        if answers.isEmpty { outcomes.unanswered += 1 }
        // Without a length the body is read as another request, which is none.
        if answers.dropFirst().contains(where: { $0.status != 400 }) {
            outcomes.faults.append("\(place), \(made.kind): \(answers.count) answers")
        }
        for answer in answers {
            outcomes.statuses[answer.status, default: 0] += 1
            if answer.status >= 500 {
                outcomes.faults.append("\(place), \(made.kind): \(answer.status)")
            }
        }
    }
}
