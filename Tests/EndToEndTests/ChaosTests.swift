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

/// Kills the platform and holders with SIGKILL while clients transfer and withdraw.
///
/// QUORUMKEEP_CHAOS=20 kills the platform 20 times and holders 20 times (as the long run does);
/// QUORUMKEEP_SEED=text repeats the choices of a run that printed its seed.
@Suite(.serialized) struct `kill -9` {
    private static let clients = 8
    private static let startCoins = "50"

    /// What a client was told has happened.
    private struct Acknowledged: Sendable {
        let id: String
        let externalID: String
        let client: Int
        /// The client whose wallet received it; nil for a withdrawal.
        let receiver: Int?
        let amount: Amount
    }

    private final class Work: Sendable {
        private let ended = Atomic(false)
        var isOver: Bool { ended.load(ordering: .relaxed) }
        func end() { ended.store(true, ordering: .relaxed) }
    }

    private struct Actor: Sendable {
        let number: Int
        let wallet: JSONValue
        let entry: JSONValue
        let destination: String
    }

    @Test func `loses nothing that was acknowledged and doubles nothing`() async throws {
        let environment = ProcessInfo.processInfo.environment
        let rounds = environment["QUORUMKEEP_CHAOS"].flatMap { Int($0) } ?? 4
        let seed = environment["QUORUMKEEP_SEED"] ?? String(UInt32.random(in: 0...UInt32.max))
        print("chaos: QUORUMKEEP_CHAOS=\(rounds) QUORUMKEEP_SEED=\(seed)")
        let stack = Stack(portBase: 18320)
        try await stack.start()
        let api = try stack.api()
        let actors = try await actors(api, try stack.chain)
        let work = Work()
        let acknowledged = try await withThrowingTaskGroup(of: [Acknowledged].self) { group in
            for actor in actors {
                group.addTask { [actors] in
                    var random = TestRandom("\(seed) client \(actor.number)")
                    var done: [Acknowledged] = []
                    while !work.isOver {
                        done.append(try await self.act(actor, actors, api, done.count, &random))
                    }
                    return done
                }
            }
            do {
                try await crash(stack, rounds, seed)
            } catch {
                work.end()
                throw error
            }
            work.end()
            return try await group.reduce(into: []) { $0 += $1 }
        }
        print("chaos: \(acknowledged.count) acknowledged, \(2 * rounds) kills")
        #expect(acknowledged.count > rounds)
        try await check(acknowledged, actors, stack)
        try await stack.stop()
    }

    private func actors(_ api: APIClient, _ chain: Chain) async throws -> [Actor] {
        var actors: [Actor] = []
        for number in 0..<Self.clients {
            let destination = EVMAddress(
                unchecked: Array(Digest.sha256([UInt8(number)]).bytes.prefix(20))
            ).text
            actors.append(
                Actor(
                    number: number,
                    wallet: try await api.fundedWallet("c\(number)", Self.startCoins, on: chain),
                    entry: try await api.entry(destination), destination: destination))
        }
        return actors
    }

    /// Kills platform and holders in turn, leaving time for work between.
    private func crash(_ stack: Stack, _ rounds: Int, _ seed: String) async throws {
        var random = TestRandom("\(seed) crashes")
        let names = try stack.description.holders.map(\.name)
        for round in 1...rounds {
            for victim in ["platform", names[random.integer(below: names.count)]] {
                try await Task.sleep(for: .milliseconds(200 + random.integer(below: 800)))
                try await stack.crash(
                    victim, pause: .milliseconds(random.integer(below: 300)))
            }
            if round.isMultiple(of: 5) { print("chaos: \(round) of \(rounds) rounds") }
        }
    }

    /// Does one thing, and repeats the request until it is answered.
    private func act(
        _ actor: Actor, _ actors: [Actor], _ api: APIClient, _ count: Int,
        _ random: inout TestRandom
    ) async throws -> Acknowledged {
        let externalID = "c\(actor.number)-\(count)"
        let amount = Amount(UInt32(1 + random.integer(below: 1_000_000)))
            .adding(Amount(baseUnits: "1000000000000000")!)!
        var receiver: Int?
        if random.integer(below: 2) == 0 {
            receiver = (actor.number + 1 + random.integer(below: actors.count - 1)) % actors.count
        }
        let target: (name: String, id: JSONValue) =
            receiver.map { ("destinationWalletId", actors[$0].wallet["id"] ?? .null) }
            ?? ("addressBookEntryId", actor.entry["id"] ?? .null)
        let body = JSONValue.object([
            "sourceWalletId": actor.wallet["id"] ?? .null, target.name: target.id,
            "amount": .string(amount.text(decimals: 18)), "externalId": .string(externalID),
        ])
        let path = receiver == nil ? "/transactions/withdraw" : "/transactions/transfer"
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            do {
                let answer = try await api.call(
                    "POST", path, body, idempotencyKey: externalID)
                // Not all at once: a withdrawal waits for the one before it of its address.
                try await Task.sleep(for: .milliseconds(random.integer(below: 200)))
                return Acknowledged(
                    id: answer["id"]?.text ?? "", externalID: externalID, client: actor.number,
                    receiver: receiver, amount: amount)
            } catch let refused as APIClient.Refused where refused.status < 500 {
                throw refused
            } catch {
                try await Task.sleep(for: .milliseconds(30))
            }
        }
        throw Stack.Late(description: "\(externalID) was not answered for a minute")
    }

    private func check(
        _ acknowledged: [Acknowledged], _ actors: [Actor], _ stack: Stack
    ) async throws {
        let (api, chain) = (try stack.api(), try stack.chain)
        for one in acknowledged where one.receiver == nil {
            try await api.wait(
                for: .object(["id": .string(one.id)]), "Completed", seconds: 180)
        }
        // What is there is what was acknowledged: no more, no less.
        var listed: [String: [String]] = [:]
        var fees: [Int: Amount] = [:]
        var after = ""
        while true {
            let page = try await api.call("GET", "/transactions?limit=200\(after)")
            for item in page["items"]?.items ?? [] where item["type"]?.text != "Deposit" {
                let externalID = item["externalId"]?.text ?? ""
                listed[externalID, default: []].append(item["id"]?.text ?? "")
                if item["type"]?.text == "Withdrawal",
                    let number = Int(externalID.dropFirst().prefix { $0 != "-" })
                {
                    let fee = try Amount(text: item["fee"]?.text ?? "", decimals: 18)
                    fees[number] = (fees[number] ?? .zero).adding(fee)
                }
            }
            guard let next = page["next"]?.text, !next.isEmpty else { break }
            after = "&after=\(next)"
        }
        #expect(listed.count == acknowledged.count)
        for one in acknowledged { #expect(listed[one.externalID] == [one.id]) }
        try await checkBalances(acknowledged, actors, fees, api, chain)
        let (custody, _) = try PlatformDirectory(try stack.description.platform.dataDir).custody()
        for sum in try await custody.read({ try $0.store.ledgerSums() }) {
            #expect(sum.owned == sum.owed)
        }
    }

    private func checkBalances(
        _ acknowledged: [Acknowledged], _ actors: [Actor], _ fees: [Int: Amount],
        _ api: APIClient, _ chain: Chain
    ) async throws {
        var onLedger = Amount.zero
        var onChain = Amount.zero
        for actor in actors {
            var expected = try Amount(text: Self.startCoins, decimals: 18)
            var paid = Amount.zero
            for one in acknowledged {
                if one.receiver == actor.number { expected = expected.adding(one.amount)! }
                if one.client == actor.number, one.receiver == nil {
                    paid = paid.adding(one.amount)!
                }
            }
            for one in acknowledged where one.client == actor.number {
                expected = try #require(expected.subtracting(one.amount))
            }
            expected = try #require(expected.subtracting(fees[actor.number] ?? .zero))
            let balance = try await api.balance(actor.wallet)
            #expect(balance["available"]?.text == expected.text(decimals: 18))
            #expect(balance["reserved"]?.text == "0")
            #expect(try await chain.balance(of: actor.destination) == paid)
            onLedger = onLedger.adding(expected)!
            let address = actor.wallet["depositAddress"]?.text ?? ""
            onChain = onChain.adding(try await chain.balance(of: address))!
        }
        #expect(onLedger == onChain)
    }
}
