import Canonical
import CustodyClient
import Foundation
import Testing

@testable import quorumkeep

@Suite(.serialized) struct `An installation with fresh setups` {
    @Test func `pays, and its holders sign in no other way`() async throws {
        let stack = Stack(portBase: 18780)
        try await stack.start()
        let file = try stack.description
        let wallet = try await stack.api().fundedWallet("w", "9", on: try stack.chain)
        let entry = try await stack.api().entry("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        try await stack.stop()
        for holder in file.holders {
            try Stack.insert("\"freshSetups\": true,", into: "\(holder.dataDir)/rules.json")
        }
        try await stack.start()
        let api = try stack.api()
        let waiting = try await api.withdraw("1", from: wallet, to: entry)
        let log = stack.directory.appending(path: "logs/operator.log")
        try await until("a holder says why it does not sign", seconds: 30) {
            String(decoding: try Data(contentsOf: log), as: UTF8.self).contains(
                "not joining a run: this holder signs with setups of the run alone")
        }
        let status = try await api.call("GET", "/transactions/\(waiting["id"]?.text ?? "")")
        #expect(status["status"]?.text == "PendingSignature")
        try await stack.stop()
        stack.options.append("--fresh-setups")
        try await stack.start()
        try await stack.api().wait(for: waiting, "Completed")
        try await stack.stop()
    }
}
