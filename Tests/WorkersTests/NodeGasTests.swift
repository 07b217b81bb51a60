import AsyncHTTPClient
import Canonical
import Chains
import Custody
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization
import TestKit
import Testing
import Workers

@Suite struct `A node that is asked for gas` {
    /// Answers as a test says, and keeps what it was asked.
    private final class Node: Sendable {
        let answer = Mutex("")
        let asked = Mutex<[String]>([])

        func serve(port: Int) async throws {
            let router = Router()
            router.post("/") { request, _ in
                let body = try await request.body.collect(upTo: 1 << 20)
                self.asked.withLock { $0.append(String(buffer: body)) }
                return self.answer.withLock { $0 }
            }
            var quiet = Logger(label: "node")
            quiet.logLevel = .critical
            try await Application(
                router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
                logger: quiet
            ).runService(gracefulShutdownSignals: [])
        }
    }

    private static let question = EVMCallQuestion(
        chain: TestCustody.chain, from: EVMAddress(unchecked: [UInt8](repeating: 1, count: 20)),
        to: EVMAddress(unchecked: [UInt8](repeating: 2, count: 20)),
        value: Amount(UInt32(255)), data: [0xab, 0xcd])

    private func code(_ gas: NodeGas, _ question: EVMCallQuestion = question) async -> String {
        do {
            return String(try await gas.gas(of: question))
        } catch {
            return (error as? Refusal)?.code.rawValue ?? "\(error)"
        }
    }

    @Test func `says how much, or why nobody knows`() async throws {
        let (port, node) = (18_482, Node())
        let gas = NodeGas([
            TestCustody.chain: EVMNode(url: "http://127.0.0.1:\(port)", client: .shared)
        ])
        #expect(await code(gas) == "chain_unavailable", "nobody is there")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await node.serve(port: port) }
            var tries = 0
            while await code(gas) == "chain_unavailable", node.asked.withLock({ $0.isEmpty }),
                tries < 200
            {
                tries += 1
                try await Task.sleep(for: .milliseconds(20))
            }
            for (answer, expected) in [
                ("\"result\":\"0xea60\"", "60000"),
                ("\"error\":{\"code\":3,\"message\":\"execution reverted\"}", "invalid"),
                (
                    "\"error\":{\"code\":-32005,\"message\":\"project 7 is over its quota\"}",
                    "chain_unavailable"
                ),
                ("\"result\":null", "chain_unavailable"), ("\"result\":60000", "chain_unavailable"),
            ] {
                node.answer.withLock { $0 = "{\"jsonrpc\":\"2.0\",\"id\":1,\(answer)}" }
                #expect(await code(gas) == expected)
            }
            let body = node.asked.withLock { $0.last ?? "" }
            let asked = try JSONParser.parse(Array(body.utf8))
            #expect(asked["method"] == .string("eth_estimateGas"))
            guard case .array(let parameters)? = asked["params"] else {
                Issue.record("\(body)")
                return group.cancelAll()
            }
            #expect(parameters.count == 1 && parameters[0]["data"] == .string("0xabcd"))
            #expect(parameters[0]["gas"] == .string("0x2dc6c0"), "no more than a call may use")
            #expect(parameters[0]["value"] == .string("0xff"))
            #expect(parameters[0]["from"] == .string(Self.question.from.text))
            #expect(parameters[0]["to"] == .string(Self.question.to.text))
            let elsewhere = EVMCallQuestion(
                chain: .eip155(5), from: Self.question.from, to: Self.question.to, value: .zero,
                data: [])
            #expect(await code(gas, elsewhere) == "chain_unavailable")
            group.cancelAll()
        }
    }
}
