import Canonical
import CustodyClient
import Foundation
import Gateway
import Synchronization
import TestKit
import Testing

@testable import quorumkeep

/// A working day in small: clients read, transfer, open vaults and withdraw, and nothing may grow
/// that has no reason to. QUORUMKEEP_LOAD_SECONDS=600 is the whole run.
@Suite(.serialized) struct `Under load` {
    private static let seconds = LongRun.count("QUORUMKEEP_LOAD_SECONDS", short: 10)
    private static let clients = 8

    /// What one process has.
    private struct Size {
        let name: String
        let memoryKiB: Int
        let descriptors: Int

        init(_ name: String, _ pid: Int32) throws {
            self.name = name
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
            memoryKiB = Int(line?.split(separator: " ").dropFirst().first ?? "") ?? 0
            descriptors = try FileManager.default.contentsOfDirectory(
                atPath: "/proc/\(pid)/fd"
            ).count
        }
    }

    /// How long calls took, in ms.
    private final class Times: Sendable {
        private let all = Mutex<[String: [Double]]>([:])

        func add(_ kind: String, _ time: Double) {
            all.withLock { $0[kind, default: []].append(time) }
        }

        /// The slowest hundredth since the last time that it was asked, by kind.
        func take() -> [String: (count: Int, p99: Double)] {
            all.withLock { all in
                defer { all = [:] }
                return all.mapValues { times in
                    let sorted = times.sorted()
                    return (sorted.count, sorted[sorted.count * 99 / 100])
                }
            }
        }
    }

    @Test func `memory and descriptors stay what they are`() async throws {
        let stack = Stack(portBase: 18720, options: ["--block-time", "200"])
        try await stack.start()
        let (api, chain) = (try stack.api(), try stack.chain)
        let entry = try await api.entry("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        var wallets: [JSONValue] = []
        for number in 0..<Self.clients {
            wallets.append(try await api.fundedWallet("load \(number)", "1000", on: chain))
        }
        let (times, end) = (Times(), ContinuousClock.now + .seconds(Self.seconds))
        let (first, last) = try await withThrowingTaskGroup(of: Void.self) { group in
            for number in wallets.indices {
                group.addTask { [wallets] in
                    var random = TestRandom("load \(number)")
                    while ContinuousClock.now < end {
                        try await self.act(number, wallets, entry, api, times, &random)
                        try await Task.sleep(for: .milliseconds(20))
                    }
                }
            }
            // The first fifth warms up; then the fifth after it is compared with the last one.
            let fifth = Double(Self.seconds) / 5
            try await Task.sleep(for: .seconds(fifth))
            _ = times.take()
            try await Task.sleep(for: .seconds(fifth))
            let first = try report("start", times, stack)
            try await Task.sleep(for: .seconds(2 * fifth))
            _ = times.take()
            try await group.waitForAll()
            return (first, try report("end", times, stack))
        }
        for (before, after) in zip(first, last) {
            // Of the database's 8 readers each has two files, and is opened when first needed.
            #expect(after.descriptors <= before.descriptors + 2 * 8, "\(after.name)")
            #expect(after.memoryKiB < before.memoryKiB * 5 / 4 + 8192, "\(after.name)")
        }
        try await stack.stop()
    }

    private func report(_ when: String, _ times: Times, _ stack: Stack) throws -> [Size] {
        let file = try stack.description
        let sizes =
            try [Size("platform", file.platform.pid)]
            + file.holders.map { try Size($0.name, $0.pid) }
        let spans = times.take().sorted { $0.key < $1.key }.map { kind, span in
            "\(kind) \(span.count), p99 \(String(format: "%.1f", span.p99)) ms"
        }
        let grown = sizes.map { "\($0.name) \($0.memoryKiB) KiB, \($0.descriptors) descriptors" }
        print("load, \(when): " + (spans + grown).joined(separator: "; "))
        return sizes
    }

    private func act(
        _ number: Int, _ wallets: [JSONValue], _ entry: JSONValue, _ api: APIClient,
        _ times: Times, _ random: inout TestRandom
    ) async throws {
        let other = (number + 1 + random.integer(below: wallets.count - 1)) % wallets.count
        let (wallet, receiver) = (wallets[number], wallets[other])
        let choice = random.integer(below: 100)
        let start = ContinuousClock.now
        let kind: String
        switch choice {
        case 0..<45:
            kind = "wallet"
            _ = try await api.balance(wallet)
        case 45..<65:
            kind = "list"
            _ = try await api.call("GET", "/transactions?limit=20")
        case 65..<95:
            kind = "transfer"
            _ = try await api.call(
                "POST", "/transactions/transfer",
                .object([
                    "sourceWalletId": wallet["id"] ?? .null,
                    "destinationWalletId": receiver["id"] ?? .null, "amount": .string("0.00001"),
                ]), idempotencyKey: UUID().uuidString)
        case 95..<98:
            kind = "open"
            _ = try await api.wallet(UUID().uuidString)
        default:
            kind = "withdraw"
            _ = try await api.withdraw("0.0001", from: wallet, to: entry)
        }
        times.add(kind, start.duration(to: .now) / .milliseconds(1))
    }
}
