import Algebra
import Canonical
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

@Suite struct `Endpoints of the MPC administration face` {
    private static func subscribe(_ it: KeyVaultScene) async throws -> Subscription {
        let tenant = it.tenant
        return try await it.scene.custody.write {
            try $0.subscribe("http://127.0.0.1:1/", to: ["request"], note: nil, for: tenant)
        }
    }

    /// The statuses that the endpoint was told of, oldest first.
    private static func told(
        _ it: KeyVaultScene, _ subscription: Subscription
    ) async throws -> [String] {
        let tenant = it.tenant
        let filter = EventFilter(form: .mpcAdmin, resource: subscription.id.bytes)
        let found = try await it.scene.custody.read {
            try $0.store.events(
                of: tenant, matching: filter, PageRequest(order: .oldestFirst)
            ).items
        }
        #expect(found.allSatisfy { $0.state == .waiting }, "none waits for another")
        return found.map { String(decoding: $0.body, as: UTF8.self) }
    }

    @Test func `hear of each status of a request for key shares, once`() async throws {
        let it = try await KeyVaultScene("told")
        let subscription = try await Self.subscribe(it)
        let main = try await it.group(.main, [1, 2])
        _ = try await it.request(.keyGeneration, main)
        #expect(try await Self.told(it, subscription) == ["Confirming"])
        try await it.scene.settle(turns: 2)
        try await it.scene.restart()
        try await it.scene.settle(confirmedBy: [0, 1, 2])
        let told = try await Self.told(it, subscription)
        #expect(told.first == "Confirming" && told.last == "Done")
        #expect(Set(told).count == told.count, "\(told)")
    }

    @Test func `hear that a request was cancelled, and nothing that was refused`() async throws {
        let it = try await KeyVaultScene("told of an end")
        let subscription = try await Self.subscribe(it)
        let main = try await it.group(.main, [1, 2])
        let request = try await it.request(.keyGeneration, main)
        #expect(await refused { try await it.request(.keyGeneration, main) } == .requestOpen)
        let (keyVault, tenant) = (it.keyVault, it.tenant)
        for _ in 0..<2 {
            _ = try await it.scene.custody.write {
                try $0.cancelKeyShareRequest(request.id, in: keyVault, of: tenant)
            }
        }
        #expect(try await Self.told(it, subscription) == ["Confirming", "Cancelled"])
    }

    @Test func `are of one tenant, and in production told of nothing that never was`()
        async throws
    {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let other = try await test.tenant("Other")
        let subscription = try await test.custody.write {
            try $0.subscribe("http://127.0.0.1:1/", to: ["sample"], note: nil, for: tenant)
        }
        let notice = Notice(type: "sample", data: [])
        #expect(try await !test.custody.write { try $0.trigger(notice, of: other) })
        await #expect(throws: Refusal.notFound("endpoint")) {
            try await test.custody.read { try $0.subscription(subscription.id, of: other) }
        }
        let production = Bookkeeper(
            database: test.database,
            settings: CustodySettings(environment: .production, assets: [TestCustody.eth]),
            vaultKey: PlatformVaultKey(
                SealingKey(SecretBytes(copying: [UInt8](repeating: 5, count: 32)))),
            events: PlainEvents(), clock: { test.now })
        #expect(
            await refused { try await production.write { try $0.trigger(notice, of: tenant) } }
                == .invalid)
        for url in ["http://example.com/", "https://10.0.0.1/", "https://localhost/"] {
            #expect(
                await refused {
                    try await production.write {
                        try $0.subscribe(url, to: ["sample"], note: nil, for: tenant)
                    }
                } == .invalid)
        }
    }
}
