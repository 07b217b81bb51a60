import Algebra
import Canonical
import Chains
import Custody
import Intents
import KeyGroups
import TestKit
import Testing

/// Alice has 10^15; the stranger is in the address book.
struct WithdrawalScene {
    let test: TestCustody
    let tenant: TenantID
    let alice: Wallet
    let entry: AddressBookEntry
    var chain: TestChain
    static let stranger = EVMAddress(unchecked: [UInt8](repeating: 0xee, count: 20)).text
    static let start = Amount(baseUnits: "1000000000000000")!

    init() async throws {
        test = try TestCustody()
        tenant = try await test.tenant()
        alice = try await test.wallet("alice", of: tenant)
        chain = TestChain()
        try await test.apply(chain.block())
        let deposit = chain.deposit(Self.start, to: alice.depositAddress)
        try await test.apply(chain.block([deposit]))
        for _ in 0..<2 { try await test.apply(chain.block()) }
        let tenant = tenant
        entry = try await test.custody.write { books in
            try books.addAddress(
                AddressBookDraft(
                    network: TestCustody.chain.text, address: Self.stranger, tag: nil,
                    label: "stranger", externalID: nil), for: tenant)
        }
        try await test.announceAddresses()
    }

    func draft(
        _ amount: String = "0.0001", entry: AddressBookEntryID? = nil, maxFee: String? = nil,
        externalID: String? = nil
    ) -> WithdrawalDraft {
        WithdrawalDraft(
            sourceWallet: alice.id, addressBookEntry: entry ?? self.entry.id,
            destinationAddress: nil, destinationTag: nil, amount: amount, feeLevel: .medium,
            maxFee: maxFee, note: nil, externalID: externalID)
    }

    func withdraw(_ draft: WithdrawalDraft) async throws -> Transaction {
        let tenant = tenant
        return try await test.custody.write { try $0.withdraw(draft, for: tenant) }
    }

    func requests() async throws -> [SigningRequest] {
        let signer = test.signer
        return try await test.custody.write { try $0.makeIntents(signer: signer) }
    }

    func read(_ transaction: Transaction) async throws -> TransactionView {
        let tenant = tenant
        return try await test.custody.read { try $0.transaction(transaction.id, of: tenant) }
    }

    /// A holder's verdict, taken in with all holders online.
    func say(
        _ verdict: Verdict, _ holder: Int, on request: SigningRequest,
        online: Set<IdentityPublicKey>? = nil
    ) async throws -> [HolderOrder] {
        let signed = test.group.identities[holder].with {
            SignedVerdict(
                verdict, on: request.digest, rules: .sha256([]),
                at: UInt64(test.now.seconds), signedBy: $0)
        }
        let (online, signer) = (online ?? Set(test.holders), test.signer)
        return try await test.custody.write {
            try $0.take(signed, online: online, signer: signer)
        }
    }

    func tend(_ online: Set<IdentityPublicKey>? = nil) async throws -> [HolderOrder] {
        let (online, signer) = (online ?? Set(test.holders), test.signer)
        return try await test.custody.write { try $0.tend(online: online, signer: signer) }
    }

    func sign(_ request: SigningRequest) async throws -> SignedEVMTransaction {
        let signature = try test.signature(request)
        #expect(
            try await test.custody.write {
                try $0.take(signature: signature, of: request.digest)
            })
        let id = request.transaction!
        let raw = try await test.custody.read { try $0.store.outgoing(of: id).last!.raw }
        return SignedEVMTransaction(raw: raw)!
    }

    func sums() async throws {
        #expect(try await test.sums().allSatisfy { $0.owned == $0.owed })
    }
}
