import Chains
import Custody
import Foundation
import GRDB
import Intents
import TestKit
import Testing

@Suite struct `The ledger` {
    private func scene() async throws -> (TestCustody, Wallet, Wallet, TestChain) {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let alice = try await test.wallet("alice", of: tenant)
        let bob = try await test.wallet("bob", of: tenant)
        var chain = TestChain()
        try await test.apply(chain.block())
        let deposit = chain.deposit(Amount(1_000_000), to: alice.depositAddress)
        try await test.apply(chain.block([deposit]))
        for _ in 0..<2 { try await test.apply(chain.block()) }
        return (test, alice, bob, chain)
    }

    @Test func `the database itself refuses a balance below zero, changes and removals`()
        async throws
    {
        let (test, alice, bob, _) = try await scene()
        #expect(try await test.balance(alice).available == Amount(1_000_000))
        let entry = LedgerEntry(
            key: "overdraft",
            debit: LedgerAccount(
                tenant: alice.tenant, asset: "ETH", wallet: alice.id, role: .available),
            credit: LedgerAccount(
                tenant: bob.tenant, asset: "ETH", wallet: bob.id, role: .available),
            amount: Amount(1_000_001),
            transaction: TransactionID(unchecked: [UInt8](repeating: 1, count: 16)),
            at: test.now)
        await #expect(throws: DatabaseError.self) {
            try await test.custody.write { _ = try $0.store.post(entry) }
        }
        #expect(try await test.balance(alice).available == Amount(1_000_000))
        // Whoever opens the file with another program meets the same.
        let queue = try DatabaseQueue(path: test.directory.appending(path: "platform.sqlite").path)
        let insert = "INSERT INTO ledger_entries (key, debit, credit, high, low, movement, at)"
        for sql in [
            "UPDATE ledger_entries SET low = 1", "DELETE FROM ledger_entries",
            "UPDATE ledger_accounts SET debits_low = 1000001 WHERE role = 'available'",
            "\(insert) VALUES ('x', 1, 1, 0, 1, x'', 0)",
            "\(insert) VALUES ('x', 1, 2, 0, 0, x'', 0)",
            "\(insert) VALUES ('x', 1, 2, 0, -5, x'', 0)",
        ] {
            #expect(throws: DatabaseError.self, "\(sql)") {
                try queue.write { try $0.execute(sql: sql) }
            }
        }
    }

    @Test func `an entry stays within one tenant and asset`() async throws {
        let (test, alice, _, _) = try await scene()
        let other = try await test.tenant("Other")
        let stranger = try await test.wallet("x", of: other)
        let entry = LedgerEntry(
            key: "across",
            debit: LedgerAccount(
                tenant: alice.tenant, asset: "ETH", wallet: alice.id, role: .available),
            credit: LedgerAccount(
                tenant: other, asset: "ETH", wallet: stranger.id, role: .available),
            amount: Amount(1),
            transaction: TransactionID(unchecked: [UInt8](repeating: 1, count: 16)),
            at: test.now)
        await #expect(throws: DatabaseError.self) {
            try await test.custody.write { _ = try $0.store.post(entry) }
        }
    }

    @Test func `the same thing is booked once`() async throws {
        let (test, alice, bob, _) = try await scene()
        let entry = LedgerEntry(
            key: "once",
            debit: LedgerAccount(
                tenant: alice.tenant, asset: "ETH", wallet: alice.id, role: .available),
            credit: LedgerAccount(
                tenant: bob.tenant, asset: "ETH", wallet: bob.id, role: .available),
            amount: Amount(5),
            transaction: TransactionID(unchecked: [UInt8](repeating: 1, count: 16)),
            at: test.now)
        #expect(try await test.custody.write { try $0.store.post(entry) })
        #expect(try await !test.custody.write { try $0.store.post(entry) })
        #expect(try await test.balance(bob).available == Amount(5))
    }

    @Test func `amounts beyond 64 bits are kept exactly`() async throws {
        let (test, alice, bob, start) = try await scene()
        var chain = start
        let large = Amount(baseUnits: "123456789012345678901234567890123456")!
        let deposit = chain.deposit(large, to: bob.depositAddress)
        try await test.apply(chain.block([deposit]))
        for _ in 0..<2 { try await test.apply(chain.block()) }
        #expect(try await test.balance(bob).available == large)
        let (from, to) = (bob.id, alice.id)
        try await test.custody.write { books in
            _ = try books.transfer(
                TransferDraft(
                    sourceWallet: from, destinationWallet: to,
                    amount: "123456789012345678.901234567890123455", note: nil, externalID: nil),
                for: alice.tenant)
        }
        #expect(try await test.balance(bob).available == Amount(1))
        let sums = try await test.sums()
        #expect(sums.allSatisfy { $0.owned == $0.owed })
    }

    @Test func `a refused transfer changes nothing, each for its reason`() async throws {
        let (test, alice, bob, _) = try await scene()
        let other = try await test.tenant("Other")
        let foreign = try await test.wallet("foreign", of: other)
        let unknown = WalletID(unchecked: [UInt8](repeating: 9, count: 16))
        let tiny = "0.000000000001"
        let rows: [(WalletID?, WalletID?, String?, Refusal.Code, String?)] = [
            (nil, bob.id, tiny, .invalid, "sourceWalletId"),
            (alice.id, nil, tiny, .invalid, "destinationWalletId"),
            (alice.id, bob.id, nil, .invalid, "amount"),
            (alice.id, bob.id, "0", .invalid, "amount"),
            (alice.id, bob.id, "-1", .invalid, "amount"),
            (alice.id, bob.id, "1e-3", .invalid, "amount"),
            (alice.id, bob.id, "0.0000000000000000001", .invalid, "amount"),
            (alice.id, bob.id, "99999999999999999999", .invalid, "amount"),
            (unknown, bob.id, tiny, .notFound, nil),
            (foreign.id, bob.id, tiny, .notFound, nil),
            (alice.id, foreign.id, tiny, .notFound, nil),
            (alice.id, alice.id, tiny, .sameWallet, "destinationWalletId"),
            (alice.id, bob.id, "0.000000000001000001", .insufficientFunds, "amount"),
        ]
        for (source, destination, amount, code, field) in rows {
            let draft = TransferDraft(
                sourceWallet: source, destinationWallet: destination, amount: amount, note: nil,
                externalID: nil)
            let refusal = await #expect(throws: Refusal.self) {
                try await test.custody.write { _ = try $0.transfer(draft, for: alice.tenant) }
            }
            #expect(refusal?.code == code)
            if let field { #expect(refusal?.fields.keys.contains(field) == true) }
        }
        #expect(try await test.balance(alice).available == Amount(1_000_000))
        #expect(try await test.balance(bob).available == .zero)
        let page = try PageRequest(limit: 10)
        let found = try await test.custody.read {
            try $0.transactions(of: alice.tenant, matching: .init(kind: .internalTransfer), page)
        }
        #expect(found.items.isEmpty)
    }

    @Test func `an external id is one transfer for ever`() async throws {
        let (test, alice, bob, _) = try await scene()
        func transfer(_ amount: String) async throws -> Transaction {
            let draft = TransferDraft(
                sourceWallet: alice.id, destinationWallet: bob.id, amount: amount, note: nil,
                externalID: "invoice 7")
            return try await test.custody.write { try $0.transfer(draft, for: alice.tenant) }
        }
        let first = try await transfer("0.0000000000001")
        let again = try await transfer("0.0000000000001")
        #expect(first.id == again.id)
        let refusal = await #expect(throws: Refusal.self) {
            _ = try await transfer("0.0000000000002")
        }
        #expect(refusal?.code == .externalIDReused)
        #expect(try await test.balance(bob).available == Amount(100_000))
    }

    @Test func `concurrent writers each have their own fate, and none is lost`() async throws {
        let (test, alice, bob, _) = try await scene()
        // 200 transfers of 10,000 with 1,000,000 there: exactly 100 fit.
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let draft = TransferDraft(
                        sourceWallet: alice.id, destinationWallet: bob.id,
                        amount: "0.00000000000001", note: nil, externalID: "n\(number)")
                    do {
                        try await test.custody.write {
                            _ = try $0.transfer(draft, for: alice.tenant)
                        }
                        return true
                    } catch {
                        return false
                    }
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(outcomes == 100)
        #expect(try await test.balance(alice).available == .zero)
        #expect(try await test.balance(bob).available == Amount(1_000_000))
    }
}
