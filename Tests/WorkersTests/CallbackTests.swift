import Algebra
import Canonical
import Chains
import Custody
import Identity
import Intents
import TestKit
import Testing

@testable import Workers

/// The server of an API key, asked over HTTP.
@Suite struct `Callbacks over HTTP` {
    private static let brisk = DeliverySchedule(
        pauses: [], answerMost: .milliseconds(400),
        callbackPauses: [.milliseconds(50), .milliseconds(50)])

    /// A withdrawal that was started with a key whose server is there.
    private static func withdraw(
        _ outbox: Outbox, _ url: String
    ) async throws -> Transaction {
        let test = outbox.test
        let tenant = try await test.tenant()
        let wallet = try await test.wallet("alice", of: tenant)
        var chain = TestChain()
        let deposit = chain.deposit(
            Amount(baseUnits: "1000000000000000")!, to: wallet.depositAddress)
        for transfers in [[], [deposit], [], []] { try await test.apply(chain.block(transfers)) }
        let seed = SecretBytes(copying: [UInt8](repeating: 0x31, count: 32))
        let publicKey = IdentityKey(seed: seed)!.publicKey.hex
        let key = try await test.custody.write { books in
            _ = try books.addAddress(
                AddressBookDraft(
                    network: TestCustody.chain.text, address: TestChain.stranger.text, tag: nil,
                    label: "stranger", externalID: nil), for: tenant)
            return try books.createPublicAPIKey(
                publicKey, for: tenant, name: "key", permissions: [.transactionWithdraw],
                callbackURL: url)
        }
        return try await test.custody.write(
            as: .publicKey(key, from: .init(address: nil, request: "req"))
        ) {
            try $0.withdraw(
                WithdrawalDraft(
                    sourceWallet: wallet.id, addressBookEntry: nil,
                    destinationAddress: TestChain.stranger.text, destinationTag: nil,
                    amount: "0.0001", feeLevel: .medium, maxFee: nil, note: nil, externalID: "r"),
                for: tenant)
        }
    }

    private static func expect(
        _ state: Callback.State, of transaction: Transaction, _ outbox: Outbox,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let came = try await holds {
            try await outbox.custody.read { try $0.store.callback(of: transaction.id) }?.state
                == state
        }
        #expect(came, sourceLocation: sourceLocation)
    }

    @Test(arguments: [("ok", Callback.State.approved), ("deny", .denied)])
    func `a question is signed, and its answer decides`(
        _ word: String, _ state: Callback.State
    ) async throws {
        let outbox = try Outbox()
        let turns = Turns()
        let receiver = Receiver { _ in
            turns.next() == 0 ? .answer(503) : .answer(200, Array(word.utf8))
        }
        try await receiver.serving { port in
            let transaction = try await Self.withdraw(outbox, "http://127.0.0.1:\(port)/ask")
            try await sending(outbox.custody, Self.brisk) {
                try await Self.expect(state, of: transaction, outbox)
            }
            #expect(receiver.got.count == 2 && Set(receiver.got.map(\.body)).count == 1)
            let got = try #require(receiver.got.first)
            let content = got.body + Array("|\(got.header("BIZ-TIMESTAMP"))".utf8)
            let signature = try #require(
                Hex.decode(got.header("BIZ-RESP-SIGNATURE")).flatMap { IdentitySignature($0) })
            #expect(
                TestSigner().publicKey.verifies(
                    signature, of: .sha256(Digest.sha256(content).bytes)))
        }
    }

    @Test func `the begin of an answer, silence and a redirect decide nothing`() async throws {
        let second = Receiver { _ in .answer(200, Array("ok".utf8)) }
        try await second.serving { place in
            let manners: [Receiver.Manner] = [
                .begin(200, Array("ok".utf8)), .hang, .redirect("http://127.0.0.1:\(place)/"),
            ]
            for manner in manners {
                let outbox = try Outbox()
                let receiver = Receiver { _ in manner }
                try await receiver.serving { port in
                    let transaction = try await Self.withdraw(outbox, "http://127.0.0.1:\(port)/")
                    try await sending(outbox.custody, Self.brisk) {
                        try await Self.expect(.failed, of: transaction, outbox)
                    }
                    #expect(receiver.got.count == 3)
                }
            }
        }
        #expect(second.got.isEmpty)
    }

    @Test func `what was asked before an end is asked again by the next process`() async throws {
        let outbox = try Outbox()
        let turns = Turns()
        let receiver = Receiver { _ in
            turns.next() == 0 ? .hang : .answer(200, Array("ok".utf8))
        }
        try await receiver.serving { port in
            let transaction = try await Self.withdraw(outbox, "http://127.0.0.1:\(port)/")
            try await sending(outbox.custody, DeliverySchedule(pauses: [])) {
                let came = try await holds { receiver.got.count == 1 }
                #expect(came)
            }
            try await Self.expect(.waiting, of: transaction, outbox)
            try await sending(outbox.restarted(), DeliverySchedule(pauses: [])) {
                try await Self.expect(.approved, of: transaction, outbox)
            }
            #expect(receiver.got.count == 2)
        }
    }

    @Test func `events that cannot be delivered delay no question`() async throws {
        let outbox = try Outbox()
        let dead = Receiver { _ in .hang }
        let receiver = Receiver { _ in .answer(200, Array("ok".utf8)) }
        try await dead.serving { place in
            try await receiver.serving { port in
                let transaction = try await Self.withdraw(outbox, "http://127.0.0.1:\(port)/")
                let tenant = transaction.tenant
                _ = try await outbox.custody.write {
                    try $0.setWebhook(url: "http://127.0.0.1:\(place)/", for: tenant)
                }
                try await outbox.record((0..<20).map { _ in Outbox.newID() }, of: tenant)
                let slow = DeliverySchedule(pauses: [.seconds(60)], answerMost: .seconds(60))
                try await sending(outbox.custody, slow) {
                    try await Self.expect(.approved, of: transaction, outbox)
                }
            }
        }
    }

    @Test func `a server inside is not called`() async throws {
        let outbox = try Outbox(allowsLocal: false)
        let receiver = Receiver { _ in .answer(200, Array("ok".utf8)) }
        try await receiver.serving { port in
            let transaction = try await Self.withdraw(outbox, "https://receiver.test:\(port)/")
            try await sending(outbox.custody, Self.brisk) { _, _ in
                ["10.1.2.3"]
            } _: {
                try await Self.expect(.failed, of: transaction, outbox)
            }
        }
        #expect(receiver.got.isEmpty)
    }
}
