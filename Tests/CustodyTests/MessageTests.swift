import Algebra
import Canonical
import Chains
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

@Suite struct `A message that is to be signed` {
    private static let approval = Verdict.approval(digests: [])
    private static let hello = EVMMessage.personal(Array("hello".utf8))

    private func draft(
        _ scene: WithdrawalScene, _ message: EVMMessage = hello, id: String = "m-1",
        address: String? = nil, chain: ChainID = TestCustody.chain
    ) -> MessageDraft {
        MessageDraft(
            vault: scene.alice.vault, chain: chain, address: address ?? scene.alice.depositAddress,
            message: message, note: nil, externalID: id)
    }

    private func ask(_ scene: WithdrawalScene, _ draft: MessageDraft) async throws -> Transaction {
        let tenant = scene.tenant
        return try await scene.test.custody.write { try $0.signMessage(draft, for: tenant) }
    }

    private func give(
        _ signature: ECDSASignature, _ request: SigningRequest, _ scene: WithdrawalScene
    )
        async throws -> Bool
    {
        try await scene.test.custody.write {
            try $0.take(signature: signature, of: request.digest)
        }
    }

    @Test func `goes through the holders, and ends with its signature`() async throws {
        let scene = try await WithdrawalScene()
        let before = try await scene.test.balance(scene.alice)
        let asked = try await ask(scene, draft(scene))
        #expect(asked.kind == .messageSign && asked.status == .submitted)
        let request = try #require(try await scene.requests().first)
        #expect(request.transaction == asked.id && request.source == nil && request.nonce == nil)
        // No holder must know of an address for it.
        _ = try await scene.say(Self.approval, 0, on: request)
        let orders = try await scene.say(Self.approval, 2, on: request)
        guard case .run(let bytes, _, _)? = orders.first else {
            Issue.record("no run: \(orders)")
            return
        }
        let item = try #require(try Intent(request.bytes).item)
        guard case .signing(_, let items, _) = try RunDescriptor(bytes).purpose else { return }
        #expect(items == [item])
        #expect(item.digest == EVMMessage.digest(ofPersonal: Array("hello".utf8)))

        let signature = try scene.test.signature(request)
        #expect(try await give(signature, request, scene))
        let view = try await scene.read(asked)
        #expect(view.timeline.map(\.status) == [.submitted, .pendingSignature, .completed])
        #expect(view.transaction.signature == signature && view.waiting == nil)
        #expect(view.feeAsset == nil && view.requiredConfirmations == 0)
        let signer = try #require(signature.signer(of: item.digest))
        #expect(EVMAddress(signer).text == scene.alice.depositAddress)
        // Nothing has moved, nothing is broadcast, and no nonce was used.
        #expect(try await scene.test.balance(scene.alice) == before)
        let (id, address) = (asked.id, scene.alice.depositAddress)
        let (outgoing, nonce) = try await scene.test.custody.read { books in
            (
                try books.store.outgoing(of: id),
                try books.store.address(address, on: TestCustody.chain)?.nextNonce
            )
        }
        #expect(outgoing.isEmpty && nonce == 0)
        try await scene.sums()
        // Said again, it changes nothing.
        #expect(!(try await give(signature, request, scene)))
        #expect(try await scene.read(asked).timeline.count == 3)
    }

    @Test func `is not signed by another's signature, or with the wrong last byte`() async throws {
        let scene = try await WithdrawalScene()
        let asked = try await ask(scene, draft(scene))
        let request = try #require(try await scene.requests().first)
        _ = try await ask(scene, draft(scene, .personal(Array("other".utf8)), id: "m-2"))
        let other = try #require(try await scene.requests().first)
        let signature = try scene.test.signature(other)
        #expect(!(try await give(signature, request, scene)))
        let good = try scene.test.signature(request)
        let turned = try #require(
            ECDSASignature(r: good.r, s: good.s, recoveryID: good.recoveryID ^ 1))
        #expect(!(try await give(turned, request, scene)))
        #expect(try await scene.read(asked).transaction.status == .pendingSignature)
        #expect(try await give(good, request, scene))
    }

    @Test func `asked for twice is judged twice`() async throws {
        let scene = try await WithdrawalScene()
        _ = try await ask(scene, draft(scene))
        let used = await #expect(throws: Refusal.self) { _ = try await ask(scene, draft(scene)) }
        #expect(used?.code == .externalIDReused)
        _ = try await ask(scene, draft(scene, id: "m-2"))
        let requests = try await scene.requests()
        #expect(requests.count == 2 && requests[0].digest != requests[1].digest)
        let items = try requests.map { try Intent($0.bytes).item }
        #expect(items[0] == items[1])
        #expect(try await give(try scene.test.signature(requests[0]), requests[0], scene))
        let second = try #require(requests[1].transaction)
        let status = try await scene.test.custody.read { try $0.store.transaction(second)?.status }
        #expect(status == .pendingSignature)
    }

    @Test func `keeps no withdrawal from its address waiting`() async throws {
        let scene = try await WithdrawalScene()
        _ = try await ask(scene, draft(scene))
        _ = try await scene.withdraw(scene.draft())
        #expect(try await scene.requests().count == 2)
    }

    @Test func `that holders refuse fails with their reasons`() async throws {
        let scene = try await WithdrawalScene()
        let asked = try await ask(scene, draft(scene))
        let request = try #require(try await scene.requests().first)
        let no = Verdict.refusal(.init(.messageNotAllowed, "Not here."))
        _ = try await scene.say(no, 0, on: request)
        _ = try await scene.say(no, 1, on: request)
        let view = try await scene.read(asked)
        #expect(view.transaction.status == .failed)
        #expect(view.transaction.failure?.code == .refusedByHolders)
        #expect(view.refusals.map(\.code) == ["message_not_allowed", "message_not_allowed"])
        try await scene.sums()
    }

    @Test func `whose signature may exist is asked for again, with the same content`() async throws
    {
        let scene = try await WithdrawalScene()
        let asked = try await ask(scene, draft(scene))
        let first = try #require(try await scene.requests().first)
        _ = try await scene.say(Self.approval, 0, on: first)
        _ = try await scene.say(Self.approval, 2, on: first)
        scene.test.pass(seconds: 3601)
        _ = try await scene.tend([])
        _ = try await scene.say(.given, 0, on: first, online: [])
        let again = try #require(try await scene.requests().first)
        #expect(again.attempt == 2 && again.transaction == asked.id)
        #expect(try Intent(again.bytes).item == Intent(first.bytes).item)
        // The signature of the first turns up after all; it is one of the same bytes.
        #expect(try await give(try scene.test.signature(first), first, scene))
        #expect(try await scene.read(asked).transaction.status == .completed)
        let orders = try await scene.tend()
        #expect(
            orders.contains {
                if case .close(again.digest, _, _) = $0 { true } else { false }
            })
        #expect(!(try await give(try scene.test.signature(again), again, scene)))
        #expect(try await scene.requests().isEmpty)
    }

    @Test func `can be cancelled until it is signed`() async throws {
        let scene = try await WithdrawalScene()
        let tenant = scene.tenant
        let asked = try await ask(scene, draft(scene))
        let (view, isDone) = try await scene.test.custody.write {
            try $0.cancel(asked.id, of: tenant)
        }
        #expect(isDone && view.transaction.status == .cancelled)
        #expect(try await scene.requests().isEmpty)
        let other = try await ask(scene, draft(scene, id: "m-2"))
        let request = try #require(try await scene.requests().first)
        #expect(try await give(try scene.test.signature(request), request, scene))
        let late = await #expect(throws: Refusal.self) {
            _ = try await scene.test.custody.write { try $0.cancel(other.id, of: tenant) }
        }
        #expect(late?.code == .tooLate)
    }

    @Test func `is one of a hundred that wait at most`() async throws {
        let scene = try await WithdrawalScene()
        let tenant = scene.tenant
        let drafts = (0...Books.openMessagesMost).map { draft(scene, id: "m-\($0)") }
        let first = try await ask(scene, drafts[0])
        for draft in drafts[1..<Books.openMessagesMost] { _ = try await ask(scene, draft) }
        let refusal = await #expect(throws: Refusal.self) {
            _ = try await ask(scene, drafts[Books.openMessagesMost])
        }
        #expect(refusal?.code == .requestOpen)
        _ = try await scene.test.custody.write { try $0.cancel(first.id, of: tenant) }
        _ = try await ask(scene, drafts[Books.openMessagesMost])
    }

    @Test func `is refused where no holder could sign it`() async throws {
        let scene = try await WithdrawalScene()
        let tenant = scene.tenant
        let bob = try await scene.test.wallet("bob", of: tenant)
        let long = [UInt8](repeating: 0, count: EVMMessage.byteLimit + 1)
        let elsewhere = """
            {"types":{"EIP712Domain":[{"name":"chainId","type":"uint256"}],"T":[]},\
            "primaryType":"T","domain":{"chainId":1},"message":{}}
            """
        for wrong in [
            draft(scene, address: bob.depositAddress),
            draft(scene, address: WithdrawalScene.stranger), draft(scene, address: "x"),
            draft(scene, .personal(long)), draft(scene, .typed(Array("{}".utf8))),
            draft(scene, .typed(Array(elsewhere.utf8))), draft(scene, id: ""),
        ] {
            let refusal = await #expect(throws: Refusal.self) { _ = try await ask(scene, wrong) }
            #expect(refusal?.code == .invalid)
        }
        let id = scene.alice.vault
        let stranger = try await scene.test.tenant("Another")
        let foreign = draft(scene)
        let refusal = await #expect(throws: Refusal.self) {
            _ = try await scene.test.custody.write { try $0.signMessage(foreign, for: stranger) }
        }
        #expect(refusal?.code == .notFound)
        _ = try await scene.test.custody.write {
            try $0.changeVault(id, name: nil, metadata: nil, status: .frozen, of: tenant)
        }
        let frozen = await #expect(throws: Refusal.self) { _ = try await ask(scene, draft(scene)) }
        #expect(frozen?.code == .frozen)
    }

    @Test func `whose vault is frozen waits for it`() async throws {
        let scene = try await WithdrawalScene()
        let (tenant, id) = (scene.tenant, scene.alice.vault)
        let asked = try await ask(scene, draft(scene))
        _ = try await scene.test.custody.write {
            try $0.changeVault(id, name: nil, metadata: nil, status: .frozen, of: tenant)
        }
        #expect(try await scene.requests().isEmpty)
        #expect(try await scene.read(asked).waiting?.cause == .vault)
    }
}
