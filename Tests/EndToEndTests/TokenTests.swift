import Canonical
import Chains
import CustodyClient
import Foundation
import Gateway
import SimulatedChains
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `Tokens on the local stack` {
    private static let outside = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

    @Test func `a deposit and a withdrawal, with faults and a reorganisation in between`()
        async throws
    {
        let stack = Stack(portBase: 18320)
        try await stack.start()
        let (api, chain) = (try stack.api(), try stack.chain)
        let assets = try await api.call("GET", "/assets")["items"]?.items ?? []
        let asset = try #require(assets.first { $0["id"]?.text == "USDT" })
        #expect(asset["contract"]?.text == SimulatedEVM.token.text)
        #expect(asset["decimals"]?.bytes == Array("6".utf8))
        let wallet = try await api.wallet("w", asset: "USDT")
        let address = wallet["depositAddress"]?.text ?? ""
        try await chain.fundTokens(address, "50000")
        try await until("the tokens are available", seconds: 30) {
            try await api.balance(wallet)["available"]?.text == "50000"
        }
        let entry = try await api.entry(Self.outside)
        let poor = await #expect(throws: APIClient.Refused.self) {
            _ = try await api.withdraw("10", from: wallet, to: entry)
        }
        #expect(poor?.status == 400)
        #expect(poor?.description.contains("The fee is paid in ETH") == true)

        // Coins that come to the vault open a wallet for them.
        try await chain.fund(address, "2")
        let vault = wallet["vaultId"]?.text ?? ""
        var coins = JSONValue.null
        try await until("a wallet for the coins has them", seconds: 30) {
            let wallets = try await api.call("GET", "/vaults/\(vault)/wallets")["items"]?.items
            coins = wallets?.first { $0["assetId"]?.text == "ETH" } ?? .null
            return coins["balance"]?["available"]?.text == "2"
        }
        #expect(coins["depositAddress"]?.text == address)

        for mode in ["drop_after", "garbage"] {
            try await chain.ask(
                "x_fault", [.string("eth_sendRawTransaction"), .string(mode), .integer(1)])
            try await chain.ask("x_fault", [.string("eth_getLogs"), .string(mode), .integer(1)])
            let done = try await api.wait(
                for: try await api.withdraw("100.25", from: wallet, to: entry), "Completed")
            #expect(done["amount"]?.text == "100.25")
            #expect(done["feeAssetId"]?.text == "ETH")
            // 52,000 gas at 2 gwei.
            #expect(done["fee"]?.text == "0.000104")
        }
        let last = try await api.withdraw("1", from: wallet, to: entry)
        try await api.wait(for: last, "Confirming")
        try await chain.ask("x_reorg", [.integer(2)])
        try await api.wait(for: last, "Completed")

        #expect(try await chain.tokens(of: Self.outside, at: SimulatedEVM.token) == "201.5")
        let left = try await api.balance(wallet)
        #expect(left["total"]?.text == "49798.5")
        #expect(left["reserved"]?.text == "0")
        #expect(try await chain.tokens(of: address, at: SimulatedEVM.token) == "49798.5")
        let total = try await api.balance(coins)["total"]?.text
        #expect(try await chain.balance(of: address).text(decimals: 18) == total)
        try await stack.stop()
    }

    @Test func `holders refuse above the token's limit, and both wallets are as before`()
        async throws
    {
        let stack = Stack(portBase: 18340)
        try await stack.start()
        let (api, chain) = (try stack.api(), try stack.chain)
        let coins = try await api.fundedWallet("w", "2", on: chain)
        let wallet = try await api.wallet("w", asset: "USDT")
        try await chain.fundTokens(wallet["depositAddress"]?.text ?? "", "50000")
        try await until("the tokens are available", seconds: 30) {
            try await api.balance(wallet)["available"]?.text == "50000"
        }
        let entry = try await api.entry(Self.outside)
        let asked = try await api.withdraw("10000.000001", from: wallet, to: entry)
        let failed = try await api.wait(for: asked, "Failed")
        #expect(failed["failure"]?["code"]?.text == "RefusedByHolders")
        #expect(
            Set(failed["refusals"]?.items.map { $0["holder"]?.text ?? "" } ?? [])
                == ["customer", "guardian"])
        #expect(try await api.balance(wallet)["available"]?.text == "50000")
        #expect(try await api.balance(coins)["available"]?.text == "2")
        try await stack.stop()
    }
}
