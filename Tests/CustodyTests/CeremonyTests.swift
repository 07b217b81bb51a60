import Algebra
import Canonical
import Custody
import Intents
import KeyGroups
import TestKit
import Testing
import Threshold

@Suite struct `A key ceremony` {
    @Test func `setups are rotated after 90 days, or 2^20 signatures, when all holders are there`()
        async throws
    {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let holders = Set(test.holders)
        func open() async throws -> [Ceremony] {
            try await test.custody.read { try $0.store.openCeremonies() }
        }
        let main = try await test.custody.write { books in
            let key = try #require(try books.key(of: tenant, .ecdsaSecp256k1))
            var group = try #require(try books.store.group(key.main))
            group.activeSince = books.now
            try books.store.update(group)
            return group.id
        }
        try await test.custody.write { try $0.rotate(online: holders) }
        #expect(try await open().isEmpty)
        test.pass(seconds: 91 * 24 * 3600)
        try await test.custody.write { try $0.rotate(online: Set(holders.dropFirst())) }
        #expect(try await open().isEmpty, "not while a holder is away")
        try await test.custody.write { try $0.rotate(online: holders) }
        let begun = try await open()
        #expect(begun.map(\.occasion) == [.refresh] && begun.map(\.group) == [main])
        try await test.custody.write { try $0.rotate(online: holders) }
        #expect(try await open().count == 1, "one at a time")
        // One that failed is not begun again at once.
        try await test.custody.write { books in
            var ceremony = begun[0]
            ceremony.state = .failed
            try books.store.update(ceremony)
            try books.rotate(online: holders)
        }
        #expect(try await open().isEmpty)
        test.pass(seconds: 25 * 3600)
        try await test.custody.write { try $0.rotate(online: holders) }
        #expect(try await open().count == 1)
        // One that goes on for days is left alone, and nothing else is kept from work by it.
        test.pass(seconds: 25 * 3600)
        try await test.custody.write { try $0.rotate(online: holders) }
        #expect(try await open().count == 1)
    }

    @Test func `a key generation that fails begins again, in an epoch of its own`() async throws {
        let test = try TestCustody()
        let (holders, signer) = (test.holders, test.signer)
        let keyVault = try await test.custody.write { books in
            let known = try holders.enumerated().map {
                try books.register($0.element, name: "h\($0.offset)")
            }
            return try books.createTenant(name: "T", threshold: 2, holders: known).1
        }
        func ceremony() async throws -> SigningRequest? {
            try await test.custody.write { try $0.makeIntents(signer: signer).first }
        }
        let first = try #require(try await ceremony())
        #expect(try Intent(first.bytes).epoch == 1)
        func say(_ verdict: Verdict, _ number: Int) async throws -> [HolderOrder] {
            let signed = test.group.identities[number].with {
                SignedVerdict(
                    verdict, on: first.digest, rules: .sha256([]), at: UInt64(test.now.seconds),
                    signedBy: $0)
            }
            return try await test.custody.write {
                try $0.take(signed, online: Set(holders), signer: signer)
            }
        }
        var orders: [HolderOrder] = []
        for number in 0..<3 { orders = try await say(Verdict.approval(digests: []), number) }
        guard case .run(let bytes, _, _) = orders.first else {
            Issue.record("a run was expected: \(orders)")
            return
        }
        let run = try RunDescriptor(bytes).digest
        let closing = try await test.custody.write {
            try $0.runEnded(
                run, reason: "timeout", culprits: [], missing: [holders[2]], isBan: false,
                heardFrom: holders[0], online: Set(holders), signer: signer)
        }
        guard case .close = closing.first else {
            Issue.record("the ceremony is closed: \(closing)")
            return
        }
        #expect(try await ceremony() == nil, "not while shares of it may come to be")
        _ = try await say(.closed, 2)
        #expect(try await ceremony() == nil, "not at once")
        test.pass(seconds: 3)
        let second = try #require(try await ceremony())
        #expect(try Intent(second.bytes).epoch == 2)
        #expect(try await test.custody.read { try $0.store.group(keyVault.main)?.lastEpoch } == 2)
    }

    @Test func `a check-up counts what a holder proves of its own share, for this challenge`()
        async throws
    {
        let test = try TestCustody()
        let tenant = try await test.tenant()
        let id = try await test.custody.read {
            try #require(try $0.key(of: tenant, .ecdsaSecp256k1)).main
        }
        let checkUp = try await test.custody.write { try $0.checkUp(id) }
        func proof(_ number: Int, challenge: [UInt8]? = nil) throws -> [UInt8] {
            let index = TestKeys.indices(3)[number]
            let made = try test.group.share(index).proof(
                of: ShareCheck.Statement(
                    group: id, epoch: checkUp.epoch, certificate: checkUp.certificate,
                    index: index, challenge: challenge ?? checkUp.challenge))
            return try #require(made)
        }
        func take(
            _ proof: [UInt8], from number: Int, epoch: UInt64? = nil, challenge: [UInt8]? = nil
        ) async throws -> [Set<IdentityPublicKey>] {
            let holder = test.holders[number]
            return try await test.custody.write { books in
                try books.take(
                    proof: proof, of: id, epoch: epoch ?? checkUp.epoch,
                    challenge: challenge ?? checkUp.challenge, from: holder)
                let known = try #require(try books.store.checkUp(of: id))
                return [Set(known.proved), Set(known.damaged)]
            }
        }
        let holders = test.holders
        let other = [UInt8](repeating: 7, count: ShareCheck.challengeBytes)
        // For another challenge or epoch nothing is asked.
        #expect(try await take(proof(0), from: 0, challenge: other) == [[], []])
        #expect(try await take(proof(0), from: 0, epoch: 2) == [[], []])
        #expect(try await take(proof(0), from: 0) == [[holders[0]], []])
        // Another holder's proof is none, nor is one for another challenge, nor nothing.
        #expect(try await take(proof(0), from: 1) == [[holders[0]], [holders[1]]])
        #expect(
            try await take(proof(2, challenge: other), from: 2)
                == [[holders[0]], [holders[1], holders[2]]])
        #expect(try await take([], from: 2) == [[holders[0]], [holders[1], holders[2]]])
        // A share that was put right is whole; what was proved stays so.
        #expect(try await take(proof(1), from: 1) == [[holders[0], holders[1]], [holders[2]]])
        #expect(try await take([], from: 0) == [[holders[0], holders[1]], [holders[2]]])
    }
}
