import Canonical
import Chains
import CustodyClient
import Foundation
import Gateway
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `Several addresses on the local stack` {
    private static let outside = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

    @Test func `are paid from together, though the platform is killed and the chain turns back`()
        async throws
    {
        let stack = Stack(portBase: 18860)
        try await stack.start()
        let (api, chain) = (try stack.api(), try stack.chain)
        let wallet = try await api.fundedWallet("w", "3", on: chain)
        let path = "/wallets/\(wallet["id"]?.text ?? "")/addresses"
        let second = try await api.call(
            "POST", path, .object(["label": .string("till 2")]))["address"]?.text
        let third = try await api.call("POST", path, .object([]))["address"]?.text
        let addresses = [wallet["depositAddress"]?.text, second, third].compactMap(\.self)
        #expect(Set(addresses).count == 3)
        for address in addresses.dropFirst() { try await chain.fund(address, "3") }
        try await until("all three are available", seconds: 30) {
            try await api.balance(wallet)["available"]?.text == "9"
        }
        let entry = try await api.entry(Self.outside)
        try await chain.ask(
            "x_fault", [.string("eth_sendRawTransaction"), .string("drop_after"), .integer(1)])
        let asked = try await api.withdraw("8", from: wallet, to: entry)
        #expect(asked["consolidation"]?["maxFee"]?.text == "0.000126")
        // It may be over by the time that we look; what was made stays to be seen.
        try await until("what gathers its funds is made", seconds: 20) {
            let seen = try await api.transaction(asked)
            return seen["consolidation"]?["transfers"]?.items.count == 2
                || seen["status"]?.text == "Failed"
        }
        try await stack.crash("platform", pause: .milliseconds(300))
        try await until("the platform answers again", seconds: 20) {
            (try? await api.balance(wallet)) != nil
        }
        try await chain.ask("x_reorg", [.integer(2)])
        let done = try await api.wait(for: asked, "Completed")
        let transfers = done["consolidation"]?["transfers"]?.items ?? []
        #expect(transfers.map { $0["status"]?.text } == ["Completed", "Completed"])
        #expect(done["consolidation"]?["fee"]?.text == "0.000084")
        #expect(done["fee"]?.text == "0.000042")
        #expect(transfers.allSatisfy { $0["destinationAddress"] == done["sourceAddress"] })
        #expect(try await chain.balance(of: Self.outside).text(decimals: 18) == "8")
        var left = Amount.zero
        for address in addresses { left = left.adding(try await chain.balance(of: address))! }
        #expect(left.text(decimals: 18) == "0.999874")
        #expect(try await api.balance(wallet)["total"]?.text == "0.999874")
        #expect(try await api.balance(wallet)["available"]?.text == "0.999874")
        let listed = try await api.call("GET", "/transactions")["items"]?.items ?? []
        #expect(listed.count == 4, "three deposits and the withdrawal")

        let file = try stack.description
        let id = transfers.first?["id"]?.text ?? ""
        for (transaction, line) in [
            (done["id"]?.text ?? "", "Consolidation"), (id, "Consolidation of"),
        ] {
            let story = try Ran.run(
                "quorumkeep", ["tx", "explain", "--data", file.platform.dataDir, transaction])
            #expect(story.output.contains(line), "\(story)")
            #expect(story.output.contains(id) || transaction == id)
            if transaction != id {
                #expect(story.output.contains("gathering   0.000084 ETH\n"), "\(story)")
                #expect(story.output.contains("whole fee   0.000126 ETH\n"), "\(story)")
            }
        }
        try await stack.stop()
    }
}
