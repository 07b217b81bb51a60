import Algebra
import Canonical
import Chains
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

/// Deposits, withdrawals, signatures, refusals, cancellations, blocks and reorganisations in an
/// order that a seed draws, on addresses that hold too little each.
@Suite struct `A walk with consolidations` {
    private struct Walk {
        var scene: WithdrawalScene
        var random: TestRandom
        var addresses: [String] = []
        var blocks: [[ObservedBlock.Transfer]] = []
        /// Deposits that a reorganisation took back, which come again.
        var deposits: [ObservedBlock.Transfer] = []
        var gathered = 0

        init(_ seed: Int) async throws {
            scene = try await WithdrawalScene()
            random = TestRandom("walk \(seed)")
            addresses = [scene.alice.depositAddress]
            let alice = scene.alice
            for _ in 0..<4 {
                let address = try await scene.test.custody.write {
                    try $0.openAddress(label: nil, for: alice.id, of: alice.tenant).text
                }
                addresses.append(address)
            }
            for address in addresses.dropFirst() {
                deposits.append(scene.chain.deposit(Amount(amount(900))!, to: address))
            }
        }

        /// What the chain has, beside what was there to begin with.
        func state() -> (funds: [String: UInt128], nonces: [String: UInt64]) {
            var funds = [addresses[0]: WithdrawalScene.start.baseUnits]
            var nonces: [String: UInt64] = [:]
            for transfer in blocks.joined() {
                let (sent, receipt) = (transfer.transaction, transfer.receipt)
                if addresses.contains(sent.from.text) {
                    funds[sent.from.text, default: 0] -= receipt.fee.baseUnits
                    nonces[sent.from.text] = sent.nonce + 1
                }
                guard receipt.succeeded, let value = sent.value, let to = sent.to else { continue }
                if addresses.contains(sent.from.text) {
                    funds[sent.from.text, default: 0] -= value.baseUnits
                }
                if addresses.contains(to.text) { funds[to.text, default: 0] += value.baseUnits }
            }
            return (funds, nonces)
        }

        mutating func amount(_ most: Int) -> UInt128 {
            UInt128(1 + random.integer(below: most)) * 1_000_000_000_000
        }

        /// Mines what a chain can mine of what is broadcast; some of it is not carried out.
        mutating func mine(all: Bool = false) async throws {
            var transfers: [ObservedBlock.Transfer] = []
            blocks.append([])
            for deposit in deposits where all || random.integer(below: 2) == 0 {
                deposits.removeAll { $0.transaction.hash == deposit.transaction.hash }
                transfers.append(deposit)
            }
            blocks[blocks.count - 1] = transfers
            let raws = try await scene.test.custody.read { books in
                try books.store.outgoingToBroadcast(
                    on: TestCustody.chain, before: Timestamp(milliseconds: .max)
                ).map(\.raw)
            }
            for raw in raws where all || random.integer(below: 3) > 0 {
                let signed = try #require(SignedEVMTransaction(raw: raw))
                let (funds, nonces) = state()
                let source = signed.sender!.text
                let cost = signed.transaction.value.baseUnits + 63_000
                guard signed.transaction.nonce == nonces[source, default: 0],
                    funds[source, default: 0] >= cost
                else { continue }
                let fails = !all && random.integer(below: 12) == 0
                transfers.append(TestChain.mined(signed, succeeded: !fails))
                blocks[blocks.count - 1] = transfers
            }
            try await scene.test.apply(scene.chain.block(transfers))
        }

        mutating func reorganise() async throws {
            for _ in 0..<(1 + random.integer(below: 5)) {
                guard let dropped = blocks.popLast() else { return }
                deposits += dropped.filter { !addresses.contains($0.transaction.from.text) }
                try await scene.test.revert(scene.chain.drop()!)
            }
        }

        /// Asks for some tenths of what is available, or for a part that is drawn.
        mutating func withdraw(tenths: Int? = nil) async throws {
            let most = try await scene.test.balance(scene.alice).available.baseUnits
            let wei = most * UInt128(tenths ?? 1 + random.integer(below: 9)) / 10
            let draft = scene.draft(Amount(wei)!.text(decimals: 18))
            do throws(any Error) {
                let made = try await scene.withdraw(draft)
                if made.consolidationsLeft > 0 { gathered += 1 }
            } catch is Refusal {}
        }

        func open() async throws -> [SigningRequest] {
            _ = try await scene.requests()
            return try await scene.test.custody.read {
                try $0.store.signingRequests(in: [.open, .closing])
            }
        }

        func sign(_ request: SigningRequest) async throws {
            let signature = try scene.test.signature(request)
            _ = try await scene.test.custody.write {
                try $0.take(signature: signature, of: request.digest)
            }
        }

        func unfinished() async throws -> [Transaction] {
            try await scene.test.custody.read { books in
                var found: [Transaction] = []
                for status in Transaction.Status.allCases where !status.isFinal {
                    for kind in [Transaction.Kind.deposit, .withdrawal, .consolidation] {
                        found += try books.store.transactions(in: status, kind: kind)
                    }
                }
                return found
            }
        }

        func cancel(_ transaction: Transaction) async throws {
            let tenant = scene.tenant
            do {
                _ = try await scene.test.custody.write {
                    try $0.cancel(transaction.id, of: tenant)
                }
            } catch is Refusal {}
        }

        mutating func step() async throws {
            switch random.integer(below: 12) {
            case 0...1:
                deposits.append(
                    scene.chain.deposit(
                        Amount(amount(900))!, to: addresses[random.integer(below: 5)]))
            case 2...3: try await withdraw()
            case 4...6:
                let requests = try await open()
                guard !requests.isEmpty else { return }
                try await sign(requests[random.integer(below: requests.count)])
            case 7: try await reorganise()
            case 8:
                let waiting = try await unfinished().filter { $0.kind == .withdrawal }
                guard !waiting.isEmpty else { return }
                try await cancel(waiting[random.integer(below: waiting.count)])
                if random.integer(below: 2) == 0 { _ = try await scene.tend() }
            case 9 where random.integer(below: 4) == 0:
                guard let request = try await open().last else { return }
                let no = Verdict.refusal(.init(.feeAboveLimit, "No."))
                for holder in 0...1 { _ = try await scene.say(no, holder, on: request) }
            default: try await mine()
            }
            try await scene.sums()
        }

        /// Goes on with nothing in the way until all has ended. What a reorganisation took for good
        /// is sent anew, also to an address that gathers for another; nothing else may lack.
        mutating func settle() async throws {
            for round in 0..<200 {
                for request in try await open() { try await sign(request) }
                _ = try await scene.tend()
                try await mine(all: true)
                let left = try await unfinished()
                if left.isEmpty, deposits.isEmpty { return }
                guard round % 20 == 19 else { continue }
                for transaction in left where transaction.kind != .deposit {
                    var address = transaction.sourceAddress
                    if transaction.status == .submitted, transaction.waiting?.cause == .funds {
                        let available = try await scene.test.balance(scene.alice).available
                        #expect(available < Amount(UInt32(20 * 63_000)), "it could be gathered")
                        address = addresses[0]
                    } else if transaction.status != .broadcasting {
                        continue
                    }
                    deposits.append(
                        scene.chain.deposit(
                            transaction.amount.adding(Amount(UInt32(126_000)))!,
                            to: address ?? addresses[0]))
                }
            }
            Issue.record("not all has ended: \(try await unfinished())")
        }
    }

    @Test(arguments: 0..<12) func `ends with ledger, addresses and chain of one mind`(
        _ seed: Int
    ) async throws {
        var walk = try await Walk(seed)
        for _ in 0..<3 { try await walk.mine(all: true) }
        try await walk.withdraw(tenths: 9)
        #expect(walk.gathered == 1)
        for _ in 0..<120 { try await walk.step() }
        try await walk.settle()
        let (test, tenant, addresses) = (walk.scene.test, walk.scene.tenant, walk.addresses)
        let (booked, held) = try await test.custody.read { books -> (Amount, [Amount]) in
            let account = LedgerAccount(
                tenant: tenant, asset: "ETH", wallet: nil, role: .holdings)
            return (
                try books.store.balance(of: account),
                try addresses.map {
                    try books.store.funds(of: $0, asset: TestCustody.eth.asset)
                }
            )
        }
        let (funds, _) = walk.state()
        #expect(held.map(\.baseUnits) == addresses.map { funds[$0, default: 0] })
        #expect(booked.baseUnits == funds.values.reduce(0, +))
        let balance = try await test.balance(walk.scene.alice)
        #expect(balance.reserved.isZero && balance.pending.isZero)
        #expect(balance.available == booked)
    }
}
