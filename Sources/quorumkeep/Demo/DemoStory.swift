import AsyncHTTPClient
import Canonical
import Chains
import Custody
import CustodyClient
import Foundation
import Gateway
import Housekeeping
import NIOCore
import SimulatedChains
import Workers

/// The main job, told step by step. Every step that did not do what it says is an error.
struct DemoStory {
    private static let patience = Duration.seconds(60)

    let directory: URL
    let portBase: Int
    private let narrator = Narrator()

    init(directory: URL, portBase: Int) {
        self.directory = directory
        self.portBase = portBase
    }

    /// What the story goes on with.
    private struct Scene {
        let stack: DevFile
        let api: APIClient
        let listener: WebhookListener
        let node: EVMNode
        let stranger: Stranger
    }

    func tell() async throws {
        narrator.chapter("The processes")
        let child = Process()
        let stack = try await narrator.step("platform, three key share holders and a chain start") {
            try await startStack(child)
        }
        defer {
            child.terminate()
            child.waitUntilExit()
        }
        narrator.note("platform, process \(stack.platform.pid): API, ledger, relay; no key share")
        for (number, holder) in stack.holders.enumerated() {
            let limit = DevSetup.plan(number + 1).perTransaction
            narrator.note(
                "holder \(holder.name), process \(holder.pid): one share of each key, signs "
                    + "at most \(limit) ETH at once")
        }
        let listener = WebhookListener()
        try await withThrowingTaskGroup(of: Void.self) { group in
            let port = portBase + 20
            group.addTask { try await listener.run(port: port) }
            let scene = try scene(stack, listener)
            try await play(scene)
            group.cancelAll()
        }
        narrator.finish()
    }

    private func startStack(_ child: Process) async throws -> DevFile {
        let file = directory.appending(path: "dev.json")
        try? FileManager.default.removeItem(at: file)
        child.executableURL = try DevStack.binary("quorumkeep")
        child.arguments = [
            "dev", "--data", directory.path, "--port-base", String(portBase),
        ]
        child.standardOutput = FileHandle.nullDevice
        child.standardError = FileHandle.nullDevice
        try child.run()
        while child.isRunning {
            if FileManager.default.fileExists(atPath: file.path) { return try DevFile.read(file) }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw CommandFailure(
            "the stack did not start; are ports \(portBase) and following free? Logs: "
                + "\(directory.path)/logs")
    }

    private func scene(_ stack: DevFile, _ listener: WebhookListener) throws -> Scene {
        guard let tenant = stack.tenants.first,
            let stranger = stack.chains.evm.faucetPrivateKey.flatMap({ Stranger(privateKey: $0) })
        else { throw CommandFailure("dev.json names no tenant or no stranger") }
        return Scene(
            stack: stack,
            api: APIClient(
                url: stack.custody.url, keyID: tenant.keys.hmac.keyId,
                secret: tenant.keys.hmac.secret),
            listener: listener, node: EVMNode(url: stack.chains.evm.rpcUrl, client: .shared),
            stranger: stranger)
    }

    private func play(_ scene: Scene) async throws {
        let (alice, bob) = try await openVaults(scene)
        try await deposit("30", to: alice, scene)
        try await transfer("4", from: alice, to: bob, scene)
        let entry = try await addAddress(scene)
        try await refusedWithdrawal("20", from: alice, to: entry, scene)
        try await withdrawal("2.5", from: alice, to: entry, scene)
        try await checkEvents(scene)
        try await checkLedger(scene)
    }

    // A vault and its key.

    private func openVaults(_ scene: Scene) async throws -> (JSONValue, JSONValue) {
        narrator.chapter("Vaults")
        narrator.note(
            "the three holders made the tenant's key together when it was set up; none has it"
        )
        try await narrator.step("a webhook endpoint is set") {
            let answer = try await scene.api.call(
                "PUT", "/webhooks/outbound",
                .object(["url": .string("http://127.0.0.1:\(portBase + 20)/hook")]))
            scene.listener.trust(answer["signingSecret"]?.text ?? "")
        }
        let alice = try await openVault("alice", "Alice", scene)
        let bob = try await openVault("bob", "Bob", scene)
        return (alice, bob)
    }

    private func openVault(
        _ id: String, _ name: String, _ scene: Scene
    ) async throws -> JSONValue {
        let wallet = try await narrator.step("a vault for \(name), and its ETH wallet") {
            let vault = try await scene.api.call(
                "POST", "/vaults", .object(["externalId": .string(id), "name": .string(name)]))
            return try await scene.api.call(
                "POST", "/vaults/\(vault["id"]?.text ?? "")/wallets",
                .object(["assetId": .string("ETH")]))
        }
        narrator.note("deposit address \(wallet["depositAddress"]?.text ?? "?")")
        return wallet
    }

    // Funds.

    private func deposit(_ amount: String, to wallet: JSONValue, _ scene: Scene) async throws {
        narrator.chapter("A deposit")
        let hash = try await narrator.step("a stranger signs and sends \(amount) ETH") {
            let nonce = try await scene.node.ask(EVMRPC.nonce(of: scene.stranger.address))
            guard let value = try? Amount(text: amount, decimals: 18),
                let to = try? EVMAddress(text: wallet["depositAddress"]?.text ?? ""),
                let signed = scene.stranger.pay(
                    value, to: to, chainID: scene.stack.chains.evm.chainId, nonce: nonce)
            else { throw CommandFailure("the stranger cannot pay") }
            return try await scene.node.ask(EVMRPC.send(signed))
        }
        let id = wallet["id"]?.text ?? ""
        let seen = try await narrator.step("it is seen in a block and confirming") {
            try await first("/transactions?walletId=\(id)&type=Deposit", scene) {
                $0["txHash"]?.text == "0x" + hash.hex
            }
        }
        try await narrator.step("it is completed") {
            _ = try await wait(for: seen, "Completed", scene)
        }
        try await showBalance("Alice", wallet, scene)
    }

    private func transfer(
        _ amount: String, from alice: JSONValue, to bob: JSONValue, _ scene: Scene
    ) async throws {
        narrator.chapter("A transfer between two customers, on the ledger alone")
        try await narrator.step("Alice sends Bob \(amount) ETH") {
            let answer = try await scene.api.call(
                "POST", "/transactions/transfer",
                .object([
                    "sourceWalletId": alice["id"] ?? .null,
                    "destinationWalletId": bob["id"] ?? .null, "amount": .string(amount),
                ]), idempotencyKey: "demo-transfer")
            guard answer["status"]?.text == "Completed" else {
                throw CommandFailure("the transfer is \(answer["status"]?.text ?? "?")")
            }
        }
        try await showBalance("Alice", alice, scene)
        try await showBalance("Bob", bob, scene)
    }

    private func addAddress(_ scene: Scene) async throws -> JSONValue {
        narrator.chapter("Withdrawals")
        return try await narrator.step("the stranger's address enters the address book") {
            try await scene.api.call(
                "POST", "/address-book",
                .object([
                    "network": .string("eip155:\(scene.stack.chains.evm.chainId)"),
                    "address": .string(scene.stranger.address.text), "label": .string("Stranger"),
                ]))
        }
    }

    private func withdraw(
        _ amount: String, _ wallet: JSONValue, _ entry: JSONValue, _ scene: Scene
    ) async throws -> JSONValue {
        try await scene.api.call(
            "POST", "/transactions/withdraw",
            .object([
                "sourceWalletId": wallet["id"] ?? .null, "addressBookEntryId": entry["id"] ?? .null,
                "amount": .string(amount),
            ]), idempotencyKey: "demo-withdrawal-\(amount)")
    }

    private func refusedWithdrawal(
        _ amount: String, from wallet: JSONValue, to entry: JSONValue, _ scene: Scene
    ) async throws {
        let failed = try await narrator.step("\(amount) ETH, above two holders' limits: refused") {
            let asked = try await withdraw(amount, wallet, entry, scene)
            return try await wait(for: asked, "Failed", scene)
        }
        guard let refusals = failed["refusals"]?.items, refusals.count == 2 else {
            throw CommandFailure("two refusals were expected")
        }
        for refusal in refusals {
            narrator.note("\(refusal["holder"]?.text ?? "?"): \(refusal["reason"]?.text ?? "?")")
        }
        try await showBalance("Alice", wallet, scene)
    }

    private func withdrawal(
        _ amount: String, from wallet: JSONValue, to entry: JSONValue, _ scene: Scene
    ) async throws {
        let asked = try await narrator.step("\(amount) ETH are asked for, and reserved") {
            try await withdraw(amount, wallet, entry, scene)
        }
        let signed = try await narrator.step("judged by the holders, signed by two of them") {
            try await wait(for: asked, "Broadcasting", scene)
        }
        narrator.note("transaction \(signed["txHash"]?.text ?? "?")")
        let done = try await narrator.step("broadcast, in a block, and confirmed") {
            try await wait(for: asked, "Completed", scene)
        }
        narrator.note("it cost \(done["fee"]?.text ?? "?") ETH")
        try await showBalance("Alice", wallet, scene)
    }

    private func showBalance(_ name: String, _ wallet: JSONValue, _ scene: Scene) async throws {
        let shown = try await scene.api.call("GET", "/wallets/\(wallet["id"]?.text ?? "")")
        let balance = shown["balance"] ?? .null
        narrator.note(
            "\(name) has \(balance["available"]?.text ?? "?") ETH available, "
                + "\(balance["reserved"]?.text ?? "?") reserved")
    }

    // Checks.

    private func checkEvents(_ scene: Scene) async throws {
        narrator.chapter("What the customer's back end has heard")
        let events = try await narrator.step("webhook events come, each with its signature") {
            let deadline = ContinuousClock.now + Self.patience
            while ContinuousClock.now < deadline {
                let completed = scene.listener.events.count {
                    $0.type == "transaction.status.updated"
                }
                if completed >= 7 { break }
                try await Task.sleep(for: .milliseconds(50))
            }
            return scene.listener.events
        }
        guard !events.isEmpty, events.allSatisfy(\.isSigned) else {
            throw CommandFailure(
                "\(events.count { !$0.isSigned }) of \(events.count) events were not signed rightly"
            )
        }
        for (type, count) in Dictionary(grouping: events, by: \.type).mapValues(\.count)
            .sorted(by: { $0.key < $1.key })
        {
            narrator.note("\(count) × \(type)")
        }
        narrator.note("\(events.count) signatures checked, all good")
    }

    private func checkLedger(_ scene: Scene) async throws {
        narrator.chapter("The ledger")
        let (custody, _) = try PlatformDirectory(scene.stack.platform.dataDir).custody()
        let sums = try await narrator.step("what is held and what is owed are summed") {
            try await custody.read { try $0.store.ledgerSums() }
        }
        for sum in sums {
            let (held, owed) = (sum.owned.text(decimals: 18), sum.owed.text(decimals: 18))
            narrator.note("\(sum.asset): held \(held), owed \(owed)")
            guard sum.owned == sum.owed else { throw CommandFailure("the sum is not zero") }
        }
        narrator.note("the difference is zero")
    }

    private func first(
        _ path: String, _ scene: Scene, where matches: (JSONValue) -> Bool
    ) async throws -> JSONValue {
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline {
            let page = try await scene.api.call("GET", path)
            if let found = page["items"]?.items.first(where: matches) { return found }
            try await Task.sleep(for: .milliseconds(30))
        }
        throw CommandFailure("nothing came at \(path)")
    }

    /// Asks until the transaction has the status, or one after it.
    private func wait(
        for transaction: JSONValue, _ status: String, _ scene: Scene
    ) async throws -> JSONValue {
        let deadline = ContinuousClock.now + Self.patience
        let id = transaction["id"]?.text ?? ""
        while ContinuousClock.now < deadline {
            let now = try await scene.api.call("GET", "/transactions/\(id)")
            let passed = now["timeline"]?.items.compactMap { $0["status"]?.text } ?? []
            if passed.contains(status) { return now }
            if passed.contains("Failed") {
                throw CommandFailure(
                    "the transaction failed: \(now["failure"]?["message"]?.text ?? "?")")
            }
            try await Task.sleep(for: .milliseconds(30))
        }
        throw CommandFailure("transaction \(id) is not \(status) after a minute")
    }
}
