import Algebra
import Canonical
import Chains
import Custody
import CustodyClient
import Foundation
import Gateway
import Synchronization
import TestKit
import Testing

@testable import quorumkeep

/// What must be so each time, done many times over. The environment says how many:
/// QUORUMKEEP_KEYS=1000, QUORUMKEEP_WITHDRAWALS=1000 and QUORUMKEEP_REORGANISATIONS=200 are the
/// whole runs.
@Suite(.serialized) struct `Many times over` {
    private static let payee = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

    /// Counts up, for whoever asks next.
    private final class Counter: Sendable {
        private let value = Atomic<Int>(0)
        var now: Int { value.load(ordering: .relaxed) }
        /// One more, and how many it was before.
        func next() -> Int { value.add(1, ordering: .relaxed).oldValue }
    }

    private static let keys = LongRun.count("QUORUMKEEP_KEYS", short: 40)
    private static let callsPerKey = 50
    private static let keysAtOnce = 4

    @Test(arguments: [0, 1]) func `a key that is sent fifty times at once has one effect`(
        killsPerHundred: Int
    ) async throws {
        let stack = Stack(portBase: 18660)
        try await stack.start()
        let api = try stack.api()
        let from = try await api.fundedWallet("from", "100", on: try stack.chain)
        let to = try await api.wallet("to")
        let body = JSONValue.object([
            "sourceWalletId": from["id"] ?? .null, "destinationWalletId": to["id"] ?? .null,
            "amount": .string("0.001"),
        ])
        let kills = (Self.keys * killsPerHundred + 19) / 20
        let (next, answers) = (Counter(), Counter())
        let ids = try await withThrowingTaskGroup(of: [String: Set<String>].self) { group in
            for _ in 0..<Self.keysAtOnce {
                group.addTask {
                    var found: [String: Set<String>] = [:]
                    while true {
                        let number = next.next()
                        guard number < Self.keys else { return found }
                        let ids = try await self.sendAtOnce("key \(number)", body, api)
                        for _ in ids { _ = answers.next() }
                        found["key \(number)"] = Set(ids)
                    }
                }
            }
            for number in 0..<kills {
                // At a tenth of the work, at two tenths, and so on.
                try await until("it is time for the next kill", seconds: 600) {
                    next.now > number * Self.keys / (kills + 1)
                }
                try await stack.crash("platform", pause: .milliseconds(50))
            }
            return try await group.reduce(into: [:]) { $0.merge($1) { $0.union($1) } }
        }
        print(
            "idempotency: \(ids.count) keys, \(ids.count * Self.callsPerKey) calls, "
                + "\(answers.now) answered with the effect, \(kills) kills")
        #expect(ids.count == Self.keys)
        #expect(ids.values.allSatisfy { $0.count == 1 })
        let effects = try await transfers(api)
        #expect(effects.count == Self.keys)
        #expect(Set(effects) == Set(ids.values.flatMap { $0 }))
        let moved = try Amount(text: "0.001", decimals: 18).times(UInt64(Self.keys))
        #expect(try await api.balance(to)["total"]?.text == moved?.text(decimals: 18))
        try await stack.stop()
    }

    /// All calls of a key at once; those that are told that the first is still running, or to come
    /// again later, or told nothing, ask again.
    ///
    /// - Returns: what each was answered in the end.
    private func sendAtOnce(
        _ key: String, _ body: JSONValue, _ api: APIClient
    ) async throws -> [String] {
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<Self.callsPerKey {
                group.addTask {
                    let deadline = ContinuousClock.now + .seconds(60)
                    while ContinuousClock.now < deadline {
                        do {
                            return try await api.call(
                                "POST", "/transactions/transfer", body, idempotencyKey: key)["id"]?
                                .text ?? ""
                        } catch let refused as APIClient.Refused where refused.status == 409 {
                            try await Task.sleep(for: .milliseconds(5))
                        } catch let refused as APIClient.Refused where refused.status == 429 {
                            try await Task.sleep(for: .seconds(1))
                        } catch let refused as APIClient.Refused where refused.status < 500 {
                            throw refused
                        } catch {
                            try await Task.sleep(for: .milliseconds(50))
                        }
                    }
                    throw Stack.Late(description: "\(key) was not answered for a minute")
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func transfers(_ api: APIClient) async throws -> [String] {
        try await Self.all("/transactions?type=InternalTransfer&limit=200", api).map {
            $0["id"]?.text ?? ""
        }
    }

    private static func all(_ path: String, _ api: APIClient) async throws -> [JSONValue] {
        var (items, after): ([JSONValue], String) = ([], "")
        while true {
            let page = try await api.call("GET", path + after)
            items += page["items"]?.items ?? []
            guard let next = page["next"]?.text, !next.isEmpty else { return items }
            after = "&after=\(next)"
        }
    }

    private static let withdrawals = LongRun.count("QUORUMKEEP_WITHDRAWALS", short: 40)
    private static let sources = min(50, 10 + withdrawals / 20)
    private static let faulty = [
        "eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_getBlockByNumber",
        "eth_getLogs", "eth_blockNumber", "eth_maxPriorityFeePerGas", "eth_getTransactionByHash",
    ]

    @Test func `with a node that fails in every way no withdrawal is paid twice`() async throws {
        let stack = Stack(portBase: 18680)
        try await stack.start()
        let (api, chain) = (try stack.api(), try stack.chain)
        let entry = try await api.entry(Self.payee)
        var wallets: [JSONValue] = []
        for number in 0..<Self.sources {
            wallets.append(try await api.fundedWallet("w\(number)", "50", on: chain))
        }
        let ends = Counter()
        let wanted = try await withThrowingTaskGroup(of: [JSONValue].self) { group in
            group.addTask {
                try await self.spoil(chain) { ends.now > 0 }
                return []
            }
            let asked = try await self.ask(from: wallets, to: entry, api)
            for one in asked { try await api.wait(for: one, "Completed", "Failed", seconds: 240) }
            _ = ends.next()
            try await group.waitForAll()
            return asked
        }
        var paid = Amount.zero
        var statuses: [String: Int] = [:]
        var hashes: Set<String> = []
        for one in wanted {
            let end = try await api.transaction(one)
            statuses[end["status"]?.text ?? "", default: 0] += 1
            guard end["status"]?.text == "Completed" else { continue }
            let amount = try Amount(text: end["amount"]?.text ?? "", decimals: 18)
            paid = try #require(paid.adding(amount))
            let mined = try await chain.ask(
                "eth_getTransactionByHash", [end["txHash"] ?? .null])
            #expect(mined["value"]?.text == "0x" + String(amount.baseUnits, radix: 16))
            hashes.insert(end["txHash"]?.text ?? "")
        }
        print("faulty node: \(wanted.count) withdrawals, \(statuses)")
        #expect(wanted.count == Self.withdrawals)
        #expect(hashes.count == statuses["Completed"])
        #expect(try await chain.balance(of: Self.payee) == paid)
        try await checkBooks(wallets, stack)
        try await checkLedger(stack)
        try await stack.stop()
    }

    private func ask(
        from wallets: [JSONValue], to entry: JSONValue, _ api: APIClient
    ) async throws -> [JSONValue] {
        let next = Counter()
        return try await withThrowingTaskGroup(of: [JSONValue].self) { group in
            for wallet in wallets {
                group.addTask {
                    var asked: [JSONValue] = []
                    while true {
                        let number = next.next() + 1
                        guard number <= Self.withdrawals else { return asked }
                        // Each amount is another, so that the chain tells which was paid.
                        let amount = try Amount(text: "0.01", decimals: 18)
                            .adding(Amount(UInt32(number)))!
                        asked.append(
                            try await api.withdraw(
                                amount.text(decimals: 18), from: wallet, to: entry,
                                key: "w\(number)"))
                        try await api.wait(for: asked.last!, "Completed", "Failed", seconds: 240)
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func spoil(_ chain: Chain, until isOver: @Sendable () -> Bool) async throws {
        var random = TestRandom("faults")
        let modes = ["drop_after", "drop_before", "garbage", "http500", "error"]
        var rounds = 0
        while !isOver() {
            rounds += 1
            // Every other fault is in what cannot be told from outside: whether it was sent.
            let method =
                Self.faulty[rounds.isMultiple(of: 2) ? 0 : random.integer(below: Self.faulty.count)]
            var fault: [JSONValue] = [
                .string(method), .string(modes[random.integer(below: modes.count)]),
                .integer(1 + random.integer(below: 3)),
            ]
            if rounds.isMultiple(of: 100) || rounds == 10 {
                // Longer than the platform waits for an answer.
                fault = [.string(method), .string("delay"), .integer(1), .integer(12)]
            }
            try await chain.ask("x_fault", fault)
            try await Task.sleep(for: .milliseconds(100 + random.integer(below: 200)))
        }
        print("faulty node: \(rounds) faults of one to three calls each")
        for method in Self.faulty {
            try await chain.ask("x_fault", [.string(method), .string("clear")])
        }
    }

    private static let reorganisations = LongRun.count("QUORUMKEEP_REORGANISATIONS", short: 10)

    @Test func `after each reorganisation the ledger equals the chain`() async throws {
        let stack = Stack(portBase: 18700, options: ["--block-time", "20"])
        try await stack.start()
        let (api, chain) = (try stack.api(), try stack.chain)
        let entry = try await api.entry(Self.payee)
        var wallets: [JSONValue] = []
        for number in 0..<4 {
            wallets.append(try await api.fundedWallet("w\(number)", "50", on: chain))
        }
        try await chain.ask("anvil_mine", [.integer(12)])
        var random = TestRandom("reorganisations")
        var withdrawals: [JSONValue] = []
        for round in 1...Self.reorganisations {
            // A deposit and a withdrawal that are in blocks, or on their way, when they go.
            let wallet = wallets[random.integer(below: wallets.count)]
            let address = wallet["depositAddress"]?.text ?? ""
            let more = try await chain.balance(of: address).adding(Amount(UInt32(1000 + round)))!
            try await chain.fund(address, more.text(decimals: 18))
            let other = wallets[random.integer(below: wallets.count)]
            let asked = try await api.withdraw("0.001", from: other, to: entry, key: "r\(round)")
            withdrawals.append(asked)
            if random.integer(below: 2) == 0 {
                try await api.wait(for: asked, "Confirming", "Completed")
            } else {
                try await Task.sleep(for: .milliseconds(random.integer(below: 150)))
            }
            try await chain.ask(
                "x_reorg",
                [.integer(1 + random.integer(below: 6)), .integer(random.integer(below: 4))])
            try await api.wait(for: asked, "Completed")
            try await checkBooks(wallets, stack)
        }
        for one in withdrawals {
            #expect(try await api.transaction(one)["status"]?.text == "Completed")
        }
        let paid = try Amount(text: "0.001", decimals: 18).times(UInt64(withdrawals.count))
        #expect(try await chain.balance(of: Self.payee) == paid)
        try await checkLedger(stack)
        print("reorganisations: \(Self.reorganisations), \(withdrawals.count) withdrawals")
        try await stack.stop()
    }

    /// Waits until each wallet's total is what the chain says of its address.
    private func checkBooks(_ wallets: [JSONValue], _ stack: Stack) async throws {
        let (api, chain) = (try stack.api(), try stack.chain)
        for wallet in wallets {
            var said = ("", "")
            do {
                try await until("the ledger equals the chain", seconds: 30) {
                    let address = wallet["depositAddress"]?.text ?? ""
                    let balance = try await api.balance(wallet)
                    said = (
                        balance["total"]?.text ?? "",
                        try await chain.balance(of: address).text(decimals: 18)
                    )
                    return said.0 == said.1 && balance["reserved"]?.text == "0"
                }
            } catch {
                throw Stack.Late(description: "ledger \(said.0), chain \(said.1)")
            }
        }
    }

    private func checkLedger(_ stack: Stack) async throws {
        let (custody, _) = try PlatformDirectory(try stack.description.platform.dataDir).custody()
        for sum in try await custody.read({ try $0.store.ledgerSums() }) {
            #expect(sum.owned == sum.owed)
        }
    }
}
