import AsyncHTTPClient
import Canonical
import CustodyClient
import Foundation
import Gateway
import NIOCore
import NIOHTTP1

/// Withdrawals through the whole stack, as sixteen clients see them: from the request to the
/// signature that a quorum of three processes made and the platform stored. The chain's own time is
/// left out.
struct StackFigures {
    private static let clients = 16
    private static let withdrawals = 12
    /// By one client, one after the other.
    private static let aloneWithdrawals = 40
    private static let reads = 200
    private static let portBase = 18700
    private static let base = "stack.read"

    private let api: APIClient
    private let rpcURL: String
    private let chainID: String

    static func measure(into report: Report) async throws {
        guard
            [
                "withdrawals.alone.p50", "withdrawals.per_second", "withdrawals.p50",
                "withdrawals.p99",
            ]
            .contains(where: { report.wants("stack.\($0)") })
        else { return }
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "quorumkeep-bench-\(ProcessInfo.processInfo.processIdentifier)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let stack = Process()
        guard let own = Bundle.main.executableURL else { throw Failed() }
        stack.executableURL = own.resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "quorumkeep")
        stack.arguments = [
            "dev", "--data", directory.path, "--port-base", String(portBase), "--block-time", "50",
        ]
        stack.standardOutput = FileHandle.nullDevice
        stack.standardError = FileHandle.nullDevice
        try stack.run()
        defer {
            stack.terminate()
            stack.waitUntilExit()
        }
        let file = directory.appending(path: "dev.json")
        while !FileManager.default.fileExists(atPath: file.path) {
            guard stack.isRunning else { throw Failed() }
            try await Task.sleep(for: .milliseconds(50))
        }
        let value = try JSONParser.parse(Array(try Data(contentsOf: file)))
        try await StackFigures(value).measure(report)
    }

    private init(_ file: JSONValue) throws {
        guard let key = file["tenants"]?.items.first?["keys"]?["hmac"],
            let chain = file["chains"]?["evm"], case .number(let id)? = chain["chainId"]
        else { throw Failed() }
        api = APIClient(
            url: file["custody"]?["url"]?.text ?? "", keyID: key["keyId"]?.text ?? "",
            secret: key["secret"]?.text ?? "")
        rpcURL = chain["rpcUrl"]?.text ?? ""
        chainID = id
    }

    private func measure(_ report: Report) async throws {
        let entry = try await api.call(
            "POST", "/address-book",
            .object([
                "network": .string("eip155:\(chainID)"),
                "address": .string("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
                "label": .string("bench"),
            ]))
        var wallets: [JSONValue] = []
        for number in 0..<Self.clients { wallets.append(try await fundedWallet(number)) }
        let (readSpan, readTimes) = try await run(wallets, Self.reads) { wallet in
            _ = try await api.call("GET", "/wallets/\(wallet["id"]?.text ?? "")")
        }
        let (_, alone) = try await run([wallets[0]], Self.aloneWithdrawals) { wallet in
            try await withdraw(from: wallet, to: entry)
        }
        report.add(
            Figure(
                name: "stack.withdrawals.alone.p50", value: Self.quantile(alone, 0.5), unit: "ms",
                aim: 60, runs: alone.count))
        let (span, times) = try await run(wallets, Self.withdrawals) { wallet in
            try await withdraw(from: wallet, to: entry)
        }
        let perSecond = Double(times.count) / span
        let readsPerSecond = Double(readTimes.count) / readSpan
        report.add(
            Figure(
                name: "stack.withdrawals.per_second", value: perSecond, unit: "1/s",
                ratio: perSecond / readsPerSecond, base: "\(Self.base).per_second",
                baseValue: readsPerSecond, runs: times.count))
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let (value, base) = (Self.quantile(times, share), Self.quantile(readTimes, share))
            report.add(
                Figure(
                    name: "stack.withdrawals.\(name)", value: value, unit: "ms",
                    ratio: value / base, base: "\(Self.base).\(name)", baseValue: base,
                    runs: times.count))
        }
    }

    private static func quantile(_ times: [Double], _ share: Double) -> Double {
        times.sorted()[min(times.count - 1, Int(Double(times.count) * share))] * 1000
    }

    /// All clients at once, each so often.
    ///
    /// - Returns: seconds in all, and of each time.
    private func run(
        _ wallets: [JSONValue], _ count: Int,
        _ work: @escaping @Sendable (JSONValue) async throws -> Void
    ) async throws -> (span: Double, times: [Double]) {
        let start = ContinuousClock.now
        let times = try await withThrowingTaskGroup(of: [Double].self) { group in
            for wallet in wallets {
                group.addTask {
                    var times: [Double] = []
                    for _ in 0..<count {
                        let began = ContinuousClock.now
                        try await work(wallet)
                        times.append(Self.seconds(since: began))
                    }
                    return times
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        return (Self.seconds(since: start), times)
    }

    private static func seconds(since start: ContinuousClock.Instant) -> Double {
        start.duration(to: .now) / .seconds(1)
    }

    private func withdraw(from wallet: JSONValue, to entry: JSONValue) async throws {
        let asked = try await api.call(
            "POST", "/transactions/withdraw",
            .object([
                "sourceWalletId": wallet["id"] ?? .null, "addressBookEntryId": entry["id"] ?? .null,
                "amount": .string("0.01"),
            ]), idempotencyKey: UUID().uuidString)
        while true {
            let now = try await api.call("GET", "/transactions/\(asked["id"]?.text ?? "")")
            switch now["status"]?.text {
            case "Submitted", "PendingSignature": try await Task.sleep(for: .milliseconds(5))
            case "Broadcasting", "Confirming", "Completed": return
            default: throw Failed()
            }
        }
    }

    private func fundedWallet(_ number: Int) async throws -> JSONValue {
        let vault = try await api.call(
            "POST", "/vaults",
            .object(["externalId": .string("bench \(number)"), "name": .string("bench")]))
        let wallet = try await api.call(
            "POST", "/vaults/\(vault["id"]?.text ?? "")/wallets",
            .object(["assetId": .string("ETH")]))
        var request = HTTPClientRequest(url: rpcURL)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(
            JSONValue.object([
                "jsonrpc": .string("2.0"), "id": .integer(1),
                "method": .string("anvil_setBalance"),
                "params": .array([
                    wallet["depositAddress"] ?? .null, .string("0x8ac7230489e80000"),
                ]),
            ]).bytes)
        _ = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
        let id = wallet["id"]?.text ?? ""
        while try await api.call("GET", "/wallets/\(id)")["balance"]?["available"]?.text != "10" {
            try await Task.sleep(for: .milliseconds(20))
        }
        return wallet
    }
}
