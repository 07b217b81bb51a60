import Algebra
import Canonical
import Chains
import Custody
import CustodyClient
import Foundation
import Gateway
import Housekeeping
import Intents
import Testing

@testable import quorumkeep

/// Outside addresses, on processes as they run in production.
@Suite(.serialized) struct `The address book of an installation` {
    private static let first = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    private static let second = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"

    private func setCooling(_ seconds: Int, _ stack: Stack) throws {
        let file = try stack.description
        let ran = try Ran.run(
            "quorumkeep",
            [
                "tenant", "cooling", "--data", file.platform.dataDir, "--tenant",
                file.tenants[0].id, "--seconds", String(seconds),
            ])
        #expect(ran.status == 0, "\(ran.errors)")
    }

    private func status(_ entry: JSONValue, _ api: APIClient) async throws -> String {
        try await api.call("GET", "/address-book/\(entry["id"]?.text ?? "")")["status"]?.text ?? ""
    }

    @Test func `cools at the tenant and at each holder, and ends what is not signed`() async throws
    {
        let stack = Stack(portBase: 18800)
        try await stack.start()
        let wallet = try await stack.api().fundedWallet("w", "9", on: try stack.chain)
        let holders = try stack.description.holders
        try await stack.stop()
        for holder in holders {
            try Stack.insert("\"addressCoolingSeconds\": 6,", into: "\(holder.dataDir)/rules.json")
        }
        try await stack.start()
        let api = try stack.api()

        try setCooling(3, stack)
        let made = ContinuousClock.now
        let entry = try await api.entry(Self.first)
        #expect(entry["status"]?.text == "Pending")
        let early = await #expect(throws: APIClient.Refused.self) {
            _ = try await api.withdraw("1", from: wallet, to: entry)
        }
        #expect(early?.status == 403)
        #expect(early?.description.contains(entry["activatesAt"]?.text ?? "?") == true)
        try await until("the entry is active", seconds: 10) {
            try await status(entry, api) == "Active"
        }
        #expect(ContinuousClock.now - made >= .seconds(2))  // times are whole seconds at the door
        // The tenant's time is over, the holders' own is not.
        let sent = try await api.withdraw("1", from: wallet, to: entry)
        try await until("it says that holders wait", seconds: 5) {
            try await api.transaction(sent)["waitingFor"]?["next"]?.text
                .contains("signs for it from") ?? false
        }
        try await api.wait(for: sent, "Broadcasting", "Confirming", "Completed")
        #expect(ContinuousClock.now - made >= .seconds(5))

        try setCooling(0, stack)
        let other = try await api.entry(Self.second)
        #expect(other["status"]?.text == "Active")
        let stopped = try await api.withdraw("1", from: wallet, to: other)
        try await api.wait(for: stopped, "PendingSignature")
        _ = try await api.call("DELETE", "/address-book/\(other["id"]?.text ?? "")")
        let ended = try await api.wait(for: stopped, "Failed")
        #expect(ended["failure"]?["code"]?.text == "AddressRemoved")
        #expect(try await status(other, api) == "Removed")
        try await api.wait(for: sent, "Completed")
        #expect(try await api.balance(wallet)["reserved"]?.text == "0")
        try await stack.stop()
    }

    @Test func `that the platform keeps to itself pays nobody`() async throws {
        let stack = Stack(portBase: 18820)
        try await stack.start()
        let api = try stack.api()
        let wallet = try await api.fundedWallet("w", "9", on: try stack.chain)
        let file = try stack.description
        let tenant = try #require(TenantID(text: file.tenants[0].id))
        let (custody, _) = try PlatformDirectory(file.platform.dataDir).custody()
        // Somebody who writes into the platform's database lets it believe that all know it.
        let entry = try await custody.write { books in
            let entry = try books.addAddress(
                AddressBookDraft(
                    network: "eip155:31337", address: Self.first, tag: nil, label: "thief's",
                    externalID: nil), for: tenant)
            for var notice in try books.store.notices(of: entry.id) {
                notice.isTold = true
                try books.store.put(notice)
            }
            return entry
        }
        let named = JSONValue.object(["id": .string(entry.id.text)])
        let refused = try await api.withdraw("1", from: wallet, to: named)
        let ended = try await api.wait(for: refused, "Failed")
        let codes = ended["refusals"]?.items.compactMap { $0["code"]?.text } ?? []
        #expect(codes.count >= 2)
        #expect(Set(codes) == ["address_not_announced"])
        // By that it hears who does not know it, and tells them: from then on their time counts.
        let paid = try await api.withdraw("1", from: wallet, to: named)
        try await api.wait(for: paid, "Completed")
        try await stack.stop()
    }
}
