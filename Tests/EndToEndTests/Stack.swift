import AsyncHTTPClient
import Canonical
import Chains
import CustodyClient
import Foundation
import Gateway
import Housekeeping
import NIOCore
import NIOHTTP1
import SimulatedChains
import Workers

@testable import quorumkeep

/// A local stack of real processes on a directory of its own, as `bin/dev` starts it.
final class Stack: @unchecked Sendable {  // used by one test at a time
    let directory: URL
    let portBase: Int
    /// Of `quorumkeep dev`, from the next start on.
    var options: [String]
    private var process: Process?

    init(portBase: Int, options: [String] = ["--block-time", "50"]) {
        self.portBase = portBase
        self.options = options
        directory = FileManager.default.temporaryDirectory.appending(
            path: "quorumkeep-e2e-\(UUID().uuidString)")
    }

    deinit {
        process?.terminate()
        process?.waitUntilExit()
        try? FileManager.default.removeItem(at: directory)
        try? FileManager.default.removeItem(at: directory.appendingPathExtension("log"))
    }

    /// What a test waits for did not come.
    struct Late: Error, CustomStringConvertible {
        let description: String
    }

    var pid: Int32 { process?.processIdentifier ?? 0 }
    private var devFile: URL { directory.appending(path: "dev.json") }

    /// Starts the stack and waits until it is ready.
    func start() async throws {
        try? FileManager.default.removeItem(at: devFile)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let log = directory.appendingPathExtension("log")
        try Data().write(to: log)
        let process = Process()
        process.executableURL = try DevStack.binary("quorumkeep")
        process.arguments =
            ["dev", "--data", directory.path, "--port-base", String(portBase)] + options
        process.standardOutput = try FileHandle(forWritingTo: log)
        process.standardError = process.standardOutput
        try process.run()
        self.process = process
        try await until("the stack is ready", seconds: 60) {
            guard process.isRunning else { throw Late(description: "it ended: \(output(log))") }
            return FileManager.default.fileExists(atPath: devFile.path)
        }
    }

    private func output(_ file: URL) -> String {
        (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    }

    var description: DevFile { get throws { try DevFile.read(devFile) } }

    /// Asks the stack to stop, and waits until it has.
    func stop() async throws {
        process?.terminate()
        try await waitForEnd()
    }

    func kill() async throws {
        Glibc.kill(pid, SIGKILL)
        try await waitForEnd()
    }

    private func waitForEnd() async throws {
        guard let process else { return }
        try await until("the supervisor ends", seconds: 15) { !process.isRunning }
        self.process = nil
    }

    /// Starts or stops a child, as `quorumkeep dev start NAME` does.
    func control(_ verb: String, _ name: String) async throws {
        try await ControlSocket.ask(verb, name, in: directory)
    }

    /// Kills a child, and starts it again after a while.
    func crash(_ name: String, pause: Duration) async throws {
        let file = try description
        let all = [("platform", file.platform.pid)] + file.holders.map { ($0.name, $0.pid) }
        guard let pid = all.first(where: { $0.0 == name })?.1, pid > 0 else { return }
        Glibc.kill(pid, SIGKILL)
        try await Task.sleep(for: pause)
        try await until("\(name) starts again", seconds: 10) {
            do {
                try await control("start", name)
                return true
            } catch let failure as CommandFailure
                where failure.description.contains("is running already")
            {
                return false
            }
        }
    }

    /// Process ids of the stack's processes: those that name its directory.
    func processes() -> [Int32] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.compactMap { Int32($0) }.filter { pid in
            guard pid != getpid(),
                let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline")
            else { return false }
            return String(decoding: data, as: UTF8.self).contains(directory.path)
        }
    }

    var chain: Chain {
        get throws { Chain(url: try description.chains.evm.rpcUrl) }
    }

    var stranger: Stranger {
        get throws {
            guard let key = try description.chains.evm.faucetPrivateKey,
                let stranger = Stranger(privateKey: key)
            else { throw Late(description: "dev.json has no faucet key") }
            return stranger
        }
    }

    /// Adds a member to a JSON object in a file, as an operator's editor does.
    static func insert(_ member: String, into file: String) throws {
        let url = URL(filePath: file)
        var text = String(decoding: try Data(contentsOf: url), as: UTF8.self)
        guard let opening = text.firstIndex(of: "{") else {
            throw Late(description: "\(file) has no object")
        }
        text.insert(contentsOf: member, at: text.index(after: opening))
        try Data(text.utf8).write(to: url)
    }

    func api(_ number: Int = 0) throws -> APIClient {
        let file = try description
        let key = file.tenants[number].keys.hmac
        return APIClient(url: file.custody.url, keyID: key.keyId, secret: key.secret)
    }
}

/// A program of ours that was run, and what it said.
struct Ran {
    let status: Int32
    let output: String
    let errors: String

    var lines: [String] { output.split(separator: "\n").map(String.init) }

    static func run(_ program: String, _ arguments: [String]) throws -> Ran {
        let process = Process()
        let (out, err) = (Pipe(), Pipe())
        process.executableURL = try DevStack.binary(program)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = out
        process.standardError = err
        try process.run()
        let output = try out.fileHandleForReading.readToEnd() ?? Data()
        let errors = try err.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Ran(
            status: process.terminationStatus, output: String(decoding: output, as: UTF8.self),
            errors: String(decoding: errors, as: UTF8.self))
    }
}

/// Waits for a condition, and says which when it does not come.
func until(
    _ what: String, seconds: Double, _ holds: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try await !holds() {
        guard ContinuousClock.now < deadline else {
            throw Stack.Late(description: "after \(seconds) s it does not hold that \(what)")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}

/// The chain's node, as anyone may ask it, with its controls for tests.
struct Chain: Sendable {
    let url: String

    struct NoAnswer: Error {}

    @discardableResult
    func ask(_ method: String, _ parameters: [JSONValue] = []) async throws -> JSONValue {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(
            JSONValue.object([
                "jsonrpc": .string("2.0"), "id": .integer(1), "method": .string(method),
                "params": .array(parameters),
            ]).bytes)
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let body = try await response.body.collect(upTo: 4 * 1024 * 1024)
        let answer = try JSONParser.parse(Array(body.readableBytesView))
        guard let result = answer["result"] else {
            throw Stack.Late(description: "\(method): \(answer["error"]?["message"]?.text ?? "?")")
        }
        return result
    }

    func balance(of address: String) async throws -> Amount {
        let text = try await ask("eth_getBalance", [.string(address), .string("latest")]).text
        guard let wei = UInt128(text.dropFirst(2), radix: 16), let amount = Amount(wei) else {
            throw NoAnswer()
        }
        return amount
    }

    /// What a token's contract says that an address has, in whole tokens.
    func tokens(of address: String, at contract: EVMAddress) async throws -> String {
        let owner = try EVMAddress(text: address)
        let text = try await ask(
            "eth_call",
            [
                .object([
                    "to": .string(contract.text),
                    "data": .string("0x70a08231" + String(repeating: "0", count: 24) + owner.hex),
                ]), .string("latest"),
            ]
        ).text
        guard let units = UInt128(text.dropFirst(2), radix: 16), let amount = Amount(units) else {
            throw NoAnswer()
        }
        return amount.text(decimals: SimulatedEVM.tokenDecimals)
    }

    /// Credits an address with tokens of the simulated chain.
    func fundTokens(_ address: String, _ tokens: String) async throws {
        let units = try Amount(text: tokens, decimals: SimulatedEVM.tokenDecimals).baseUnitText
        try await ask(
            "anvil_dealERC20",
            [.string(address), .string(SimulatedEVM.token.text), .string(units)])
    }

    /// Credits an address as a payment from outside does.
    func fund(_ address: String, _ coins: String) async throws {
        let wei = try Amount(text: coins, decimals: 18).baseUnits
        try await ask(
            "anvil_setBalance", [.string(address), .string("0x" + String(wei, radix: 16))])
    }
}

/// What tests do as a tenant.
extension APIClient {
    /// A wallet of the vault of that name, which is opened if it is not there.
    func wallet(_ name: String, asset: String = "ETH") async throws -> JSONValue {
        let vault = try await call(
            "POST", "/vaults", .object(["externalId": .string(name), "name": .string(name)]))
        return try await call(
            "POST", "/vaults/\(vault["id"]?.text ?? "")/wallets",
            .object(["assetId": .string(asset)]))
    }

    func entry(_ address: String, network: String = "eip155:31337") async throws -> JSONValue {
        try await call(
            "POST", "/address-book",
            .object([
                "network": .string(network), "address": .string(address), "label": .string("x"),
            ]))
    }

    func withdraw(
        _ amount: String, from wallet: JSONValue, to entry: JSONValue,
        key: String = UUID().uuidString
    ) async throws -> JSONValue {
        try await call(
            "POST", "/transactions/withdraw",
            .object([
                "sourceWalletId": wallet["id"] ?? .null, "addressBookEntryId": entry["id"] ?? .null,
                "amount": .string(amount), "externalId": .string(key),
            ]), idempotencyKey: key)
    }

    func transaction(_ transaction: JSONValue) async throws -> JSONValue {
        try await call("GET", "/transactions/\(transaction["id"]?.text ?? "")")
    }

    func balance(_ wallet: JSONValue) async throws -> JSONValue {
        try await call("GET", "/wallets/\(wallet["id"]?.text ?? "")")["balance"] ?? .null
    }

    /// Waits until a transaction has one of these statuses.
    @discardableResult
    func wait(
        for transaction: JSONValue, _ statuses: String..., seconds: Double = 60
    ) async throws -> JSONValue {
        var last = JSONValue.null
        do {
            try await until("the transaction is \(statuses)", seconds: seconds) {
                last = try await self.transaction(transaction)
                return statuses.contains(last["status"]?.text ?? "")
            }
        } catch let late as Stack.Late {
            throw Stack.Late(
                description: late.description + ": "
                    + String(decoding: last.bytes, as: UTF8.self))
        }
        return last
    }

    /// A wallet with funds that are available.
    func fundedWallet(_ name: String, _ coins: String, on chain: Chain) async throws -> JSONValue {
        let wallet = try await wallet(name)
        try await chain.fund(wallet["depositAddress"]?.text ?? "", coins)
        try await until("\(coins) are available", seconds: 30) {
            try await balance(wallet)["available"]?.text == coins
        }
        return wallet
    }
}
