import Canonical
import Chains
import CustodyClient
import Foundation
import Gateway
import TestKit
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `An EVM that others wrote` {
    @Test func `a token's contract that others wrote is paid to and from`() async throws {
        let node = try await ForeignNode.start(port: 18292)
        defer { kill(node.processIdentifier, SIGKILL) }
        let chain = Chain(url: "http://127.0.0.1:18292")
        let bytecode = try Vectors.json("chains/erc20_tusd.json")["bytecode"].text
        func deploy() async throws -> EVMAddress {
            let deployed = try await chain.ask("x_deploy", [.string(bytecode)]).text
            return try #require(EVMAddress(hex: deployed.dropFirst(2)))
        }
        let (token, other) = (try await deploy(), try await deploy())
        let stack = Stack(
            portBase: 18300, options: ["--evm-rpc", chain.url, "--evm-token", token.text])
        try await stack.start()
        let api = try stack.api()
        let coins = try await api.fundedWallet("w", "5", on: chain)
        let wallet = try await api.wallet("w", asset: "USDT")
        let address = try EVMAddress(text: wallet["depositAddress"]?.text ?? "")
        #expect(coins["depositAddress"]?.text == address.text)
        // Of the other contract it is no deposit.
        for (contract, tokens) in [(other, UInt32(700_000_000)), (token, 250_000_000)] {
            let call = ERC20Transfer(recipient: address, amount: Amount(tokens))
            try await chain.ask(
                "eth_sendTransaction",
                [
                    .object([
                        "to": .string(contract.text),
                        "data": .string("0x" + Hex.encode(call.data)),
                    ])
                ])
        }
        try await until("the deposit is available", seconds: 30) {
            try await api.balance(wallet)["available"]?.text == "250"
        }
        let to = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        let entry = try await api.entry(to)
        for number in 1...2 {
            let done = try await api.wait(
                for: try await api.withdraw("100.5", from: wallet, to: entry), "Completed")
            let receipt = try await chain.ask(
                "eth_getTransactionReceipt", [done["txHash"] ?? .null])
            #expect(receipt["status"]?.text == "0x1")
            #expect(receipt["to"]?.text.lowercased() == "0x" + token.hex)
            let paid = try await chain.tokens(of: to, at: token)
            #expect(paid == (number == 1 ? "100.5" : "201"))
        }
        #expect(try await api.balance(wallet)["total"]?.text == "49")
        #expect(try await chain.tokens(of: address.text, at: token) == "49")
        let total = try await api.balance(coins)["total"]?.text
        #expect(try await chain.balance(of: address.text).text(decimals: 18) == total)
        try await stack.stop()
    }

    @Test func `it executes a withdrawal, and its sender is the tenant's address`() async throws {
        let node = try await ForeignNode.start(port: 18290)
        // Not SIGTERM: the thread that starts it may block that, and its child inherits this.
        defer { kill(node.processIdentifier, SIGKILL) }
        let chain = Chain(url: "http://127.0.0.1:18290")
        let stack = Stack(portBase: 18260, options: ["--evm-rpc", chain.url])
        try await stack.start()
        let api = try stack.api()
        let wallet = try await api.fundedWallet("w", "5", on: chain)
        let to = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        let entry = try await api.entry(to)
        for number in 1...2 {
            let done = try await api.wait(
                for: try await api.withdraw("1.25", from: wallet, to: entry), "Completed")
            let hash = done["txHash"] ?? .null
            let mined = try await chain.ask("eth_getTransactionByHash", [hash])
            let from = try EVMAddress(text: wallet["depositAddress"]?.text ?? "")
            #expect(mined["from"]?.text.lowercased() == "0x" + from.hex)
            #expect(mined["to"]?.text.lowercased() == to.lowercased())
            let receipt = try await chain.ask("eth_getTransactionReceipt", [hash])
            #expect(receipt["status"]?.text == "0x1")
            let paid = try await chain.balance(of: to).text(decimals: 18)
            #expect(paid == (number == 1 ? "1.25" : "2.5"))
        }
        let total = try await api.balance(wallet)["total"]?.text
        let onChain = try await chain.balance(of: wallet["depositAddress"]?.text ?? "")
        #expect(total == onChain.text(decimals: 18))
        try await stack.stop()
    }
}
