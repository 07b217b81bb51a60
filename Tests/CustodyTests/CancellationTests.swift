import Algebra
import Canonical
import Chains
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

@Suite struct `A withdrawal that is cancelled` {
    private static let approval = Verdict.approval(digests: [])

    private func cancel(
        _ transaction: Transaction, _ scene: WithdrawalScene
    ) async throws -> (TransactionView, isDone: Bool) {
        let tenant = scene.tenant
        return try await scene.test.custody.write { try $0.cancel(transaction.id, of: tenant) }
    }

    @Test func `ends at once while no holder was asked`() async throws {
        let scene = try await WithdrawalScene()
        let asked = try await scene.withdraw(scene.draft())
        let (view, isDone) = try await cancel(asked, scene)
        #expect(isDone && view.transaction.status == .cancelled && view.waiting == nil)
        #expect(view.transaction.failure == nil)
        let balance = try await scene.test.balance(scene.alice)
        #expect(balance.available == WithdrawalScene.start && balance.reserved.isZero)
        #expect(try await scene.requests().isEmpty)
        // Saying it again changes nothing.
        let (again, _) = try await cancel(asked, scene)
        #expect(again.timeline.map(\.status) == [.submitted, .cancelled])
        try await scene.sums()
    }

    @Test func `ends when no run was proposed, and the holders are told`() async throws {
        let scene = try await WithdrawalScene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        _ = try await scene.say(Self.approval, 0, on: request)
        let (view, isDone) = try await cancel(asked, scene)
        #expect(!isDone && view.transaction.status == .pendingSignature)
        // Before the holders are told: nobody reads that signing goes on.
        #expect(view.waiting?.cause == .closing && view.waiting?.who == [])
        #expect(
            view.waiting?.next == "Its cancellation was asked for: it ends when the holders have "
                + "confirmed that no signature exists.")
        let orders = try await scene.tend()
        #expect(
            orders.contains {
                if case .close(request.digest, _, _) = $0 { true } else { false }
            })
        #expect(try await scene.read(asked).transaction.status == .cancelled)
        #expect(try await scene.test.balance(scene.alice).available == WithdrawalScene.start)
        // A signature that comes all the same moves nothing: no two holders gave one.
        _ = try await scene.tend()
        #expect(try await scene.read(asked).transaction.status == .cancelled)
    }

    @Test func `waits for every member of a run, and is not before each has closed it`()
        async throws
    {
        let scene = try await WithdrawalScene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        _ = try await scene.say(Self.approval, 0, on: request)
        #expect(!(try await scene.say(Self.approval, 2, on: request)).isEmpty)
        _ = try await cancel(asked, scene)
        _ = try await scene.tend()
        _ = try await scene.say(.closed, 0, on: request)
        let view = try await scene.read(asked)
        #expect(view.transaction.status == .pendingSignature)
        #expect(view.waiting?.cause == .closing && view.waiting?.who.isEmpty == false)
        #expect(view.waiting?.next.hasPrefix("Its cancellation was asked for: ") == true)
        #expect(!(try await scene.test.balance(scene.alice)).reserved.isZero)
        _ = try await scene.say(.closed, 2, on: request)
        #expect(try await scene.read(asked).transaction.status == .cancelled)
        try await scene.sums()
    }

    @Test func `goes on if it was signed meanwhile, and then it is too late`() async throws {
        let scene = try await WithdrawalScene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        _ = try await scene.say(Self.approval, 0, on: request)
        _ = try await scene.say(Self.approval, 2, on: request)
        _ = try await cancel(asked, scene)
        _ = try await scene.sign(request)
        let signed = try await scene.read(asked)
        #expect(signed.transaction.status == .broadcasting && signed.waiting?.cause == .chain)
        let late = await #expect(throws: Refusal.self) { _ = try await cancel(asked, scene) }
        #expect(late?.code == .tooLate)
        try await scene.sums()
    }

    @Test func `is too late when a holder has given its part`() async throws {
        let scene = try await WithdrawalScene()
        let asked = try await scene.withdraw(scene.draft())
        let request = try #require(try await scene.requests().first)
        _ = try await scene.say(Self.approval, 0, on: request)
        _ = try await scene.say(Self.approval, 2, on: request)
        _ = try await cancel(asked, scene)
        _ = try await scene.tend()
        _ = try await scene.say(.given, 2, on: request)
        let late = await #expect(throws: Refusal.self) { _ = try await cancel(asked, scene) }
        #expect(late?.code == .tooLate)
        #expect(try await scene.read(asked).transaction.status == .pendingSignature)
        #expect(!(try await scene.test.balance(scene.alice)).reserved.isZero)
    }

    @Test func `of another tenant is not there, and a deposit cannot be`() async throws {
        let scene = try await WithdrawalScene()
        let asked = try await scene.withdraw(scene.draft())
        let other = try await scene.test.tenant("Other")
        let missing = await #expect(throws: Refusal.self) {
            _ = try await scene.test.custody.write { try $0.cancel(asked.id, of: other) }
        }
        #expect(missing?.code == .notFound)
        let tenant = scene.tenant
        let deposit = try await scene.test.custody.read { books in
            try books.transactions(
                of: tenant, matching: TransactionFilter(kind: .deposit), PageRequest()
            ).items[0].transaction
        }
        let refused = await #expect(throws: Refusal.self) { _ = try await cancel(deposit, scene) }
        #expect(refused?.code == .tooLate)
    }

    @Test func `a frozen vault keeps what it has, and lets nothing out`() async throws {
        let scene = try await WithdrawalScene()
        let asked = try await scene.withdraw(scene.draft())
        let (tenant, vault) = (scene.tenant, scene.alice.vault)
        func set(_ status: Vault.Status) async throws {
            _ = try await scene.test.custody.write {
                try $0.changeVault(vault, name: nil, metadata: nil, status: status, of: tenant)
            }
        }
        try await set(.frozen)
        #expect(try await scene.requests().isEmpty)
        #expect(try await scene.read(asked).waiting?.cause == .vault)
        let refused = await #expect(throws: Refusal.self) {
            _ = try await scene.withdraw(scene.draft())
        }
        #expect(refused?.code == .frozen)
        let full = await #expect(throws: Refusal.self) { try await set(.archived) }
        #expect(full?.code == .vaultNotEmpty)
        #expect(full?.message.contains("POST /transactions/transfer") == true)
        try await set(.active)
        #expect(try await scene.requests().count == 1)
    }
}
