import Algebra
import Canonical
import Chains
import Custody
import Identity
import Intents
import TestKit
import Testing

@Suite struct `Transactions that their key's server is asked about` {
    /// A withdrawal that was started with a key that has a server.
    private struct Held {
        let scene: WithdrawalScene
        let actor: Custody.Actor
        let transaction: Transaction

        init() async throws {
            let scene = try await WithdrawalScene()
            let tenant = scene.tenant
            let seed = SecretBytes(copying: [UInt8](repeating: 0x31, count: 32))
            let publicKey = IdentityKey(seed: seed)!.publicKey.hex
            let key = try await scene.test.custody.write {
                try $0.createPublicAPIKey(
                    publicKey, for: tenant, name: "key", permissions: [.transactionWithdraw],
                    callbackURL: "http://127.0.0.1:1/ask?token=secret")
            }
            actor = .publicKey(key, from: .init(address: nil, request: "req"))
            self.scene = scene
            let draft = scene.draft(externalID: "r-1")
            transaction = try await scene.test.custody.write(as: actor) {
                try $0.withdraw(draft, for: tenant)
            }
        }

        var test: TestCustody { scene.test }

        func view() async throws -> TransactionView { try await scene.read(transaction) }

        func due() async throws -> [Delivery] {
            let now = test.now
            return try await test.custody.read { books in
                try books.store.dueCallbacks(at: now, most: 100, ofTenantMost: 8).compactMap {
                    try books.store.delivery($0.event)
                }
            }
        }

        /// What the server answers to the question that is due.
        func answer(_ status: Int, _ body: String, pauses: Int = 30) async throws {
            let delivery = try #require(try await due().first)
            try await take(delivery, status, body, pauses: pauses)
        }

        func take(
            _ delivery: Delivery, _ status: Int, _ body: String, pauses: Int = 30
        ) async throws {
            let attempt = DeliveryAttempt(
                began: test.now, milliseconds: 1,
                outcome: status == 0
                    ? .failure(body) : .answer(status: status, start: Array(body.utf8)))
            let schedule = DeliverySchedule(
                pauses: [], callbackPauses: [Duration](repeating: .seconds(1), count: pauses))
            try await test.custody.write { try $0.tried(delivery, attempt, schedule) }
        }

        func reserved() async throws -> Bool {
            try await !test.balance(scene.alice).reserved.isZero
        }
    }

    @Test func `wait, and are given to the holders when it says ok`() async throws {
        let held = try await Held()
        #expect(try await held.scene.requests().isEmpty)
        let waiting = try #require(try await held.view().waiting)
        #expect(waiting.cause == .callback && waiting.who == ["127.0.0.1"])
        #expect(!"\(waiting)".contains("secret"))
        let delivery = try #require(try await held.due().first)
        #expect(
            String(decoding: delivery.event.body, as: UTF8.self) == held.transaction.id.text)
        try await held.answer(201, "ok")
        #expect(try await held.due().isEmpty)
        #expect(try await held.scene.requests().count == 1)
        // Another process asked at the same time, and was told something else.
        try await held.take(delivery, 200, "deny")
        #expect(try await held.view().transaction.status == .pendingSignature)
        let tenant = held.scene.tenant
        #expect(
            await refused {
                try await held.test.custody.write {
                    try $0.redeliver(delivery.event.id, of: tenant)
                }
            } == .tooLate)
    }

    @Test func `are refused when it says deny, and the money is free again`() async throws {
        let held = try await Held()
        let delivery = try #require(try await held.due().first)
        #expect(try await held.reserved())
        try await held.answer(200, "deny")
        let view = try await held.view()
        #expect(view.transaction.status == .failed)
        #expect(view.transaction.failure?.code == .deniedByCallback)
        #expect(try await !held.reserved())
        try await held.take(delivery, 200, "ok")
        #expect(try await held.view().transaction.status == .failed)
        #expect(try await held.scene.requests().isEmpty)
        #expect(try await held.test.sums().allSatisfy { $0.owned == $0.owed })
    }

    @Test func `are refused when it never says either`() async throws {
        let held = try await Held()
        let others = [
            (200, "OK"), (200, "ok\n"), (200, " ok"), (200, "okay"), (200, ""), (200, "\"ok\""),
            (202, "ok"), (204, ""), (302, "ok"), (500, "ok"), (500, "deny"), (0, "no answer"),
            (200, String(repeating: "ok", count: 3000)),
        ]
        for turn in 0..<30 {
            let (status, body) = others[turn % others.count]
            try await held.answer(status, body)
            #expect(try await held.view().transaction.status == .submitted, "\(status) \(body)")
            #expect(try await held.due().isEmpty, "a pause follows")
            #expect(try await held.scene.requests().isEmpty)
            held.test.pass(seconds: 2)
        }
        let waiting = try #require(try await held.view().waiting)
        #expect(waiting.next.contains("30 times"))
        try await held.answer(503, "")
        let view = try await held.view()
        #expect(view.transaction.failure?.code == .callbackUnanswered)
        #expect(view.transaction.failure?.message.contains("31 times") ?? false)
        #expect(try await !held.reserved())
        #expect(try await held.due().isEmpty)
    }

    @Test func `are asked about at once when somebody says so, while nothing is decided`()
        async throws
    {
        let held = try await Held()
        let event = try #require(try await held.due().first).event.id
        try await held.answer(500, "")
        #expect(try await held.due().isEmpty)
        let tenant = held.scene.tenant
        _ = try await held.test.custody.write { try $0.redeliver(event, of: tenant) }
        #expect(try await held.due().map(\.event.tries) == [1])
        let stranger = try await held.test.tenant("Stranger")
        #expect(
            await refused {
                try await held.test.custody.read { try $0.callback(event, of: stranger) }
            } == .notFound)
    }

    @Test func `that end before are asked about no more`() async throws {
        let held = try await Held()
        let delivery = try #require(try await held.due().first)
        let (id, tenant) = (held.transaction.id, held.scene.tenant)
        let isDone = try await held.test.custody.write { try $0.cancel(id, of: tenant).isDone }
        #expect(isDone)
        #expect(try await held.due().isEmpty)
        try await held.take(delivery, 200, "ok")
        #expect(try await held.view().transaction.status == .cancelled)
        #expect(try await held.scene.requests().isEmpty)
    }

    @Test func `are asked about once, however often they are sent`() async throws {
        let held = try await Held()
        let (draft, tenant) = (held.scene.draft(externalID: "r-1"), held.scene.tenant)
        let again = try await held.test.custody.write(as: held.actor) {
            try $0.withdraw(draft, for: tenant)
        }
        #expect(again.id == held.transaction.id)
        #expect(try await held.due().count == 1)
        // What another key starts waits for nobody.
        let other = try await held.scene.withdraw(held.scene.draft())
        #expect(try await held.due().count == 1)
        #expect(try await held.scene.requests().compactMap(\.transaction) == [other.id])
    }

    @Test func `need a server that may be called`() async throws {
        let held = try await Held()
        let tenant = held.scene.tenant
        for url in [
            "", "ftp://x/", "http://u@x/", "http://x/" + String(repeating: "a", count: 500),
        ] {
            #expect(
                await refused {
                    try await held.test.custody.write {
                        try $0.createPublicAPIKey(
                            String(repeating: "ab", count: 32), for: tenant, name: "key",
                            permissions: [.walletRead], callbackURL: url)
                    }
                } == .invalid, "\(url)")
        }
    }
}
