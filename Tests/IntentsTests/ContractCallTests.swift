import Algebra
import Canonical
import Chains
import Foundation
import KeyGroups
import TestKit
import Testing

@testable import Intents

/// Contract calls are off: each row says what a holder's operator must have allowed.
@Suite struct `A holder's judgement of contract calls` {
    private static let quorum: Result<SimulatedQuorum, any Error> = Result {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "calls")
        try quorum.generateKey()
        return quorum
    }
    private static let chain = ChainID.eip155(31337)
    private static let contract = EVMAddress(unchecked: [UInt8](repeating: 0xcc, count: 20))
    private static let data: [UInt8] = [1, 2, 3, 4, 5]

    private static func rule(
        chain: ChainID = chain, address: EVMAddress = contract, selectors: Set<[UInt8]>? = nil,
        most: UInt32 = 1000
    ) -> ContractRule {
        ContractRule(
            chain: chain, address: address, selectors: selectors, mostValue: Amount(most))
    }

    private static func rules(
        _ contracts: [ContractRule] = [rule()], from coin: HolderRules = SimulatedQuorum.rules(),
        token: EVMAddress? = nil
    ) -> HolderRules {
        var assets = coin.assets
        if let token { assets[.erc20(chain, token)] = assets[SimulatedQuorum.asset] }
        return HolderRules(
            environment: .sandbox, chains: coin.chains, assets: assets, contracts: contracts,
            digest: coin.digest)
    }

    private func judge(
        _ rules: HolderRules = rules(), to: String = contract.text, value: UInt64 = 1000,
        data: [UInt8] = data, gas: UInt64 = 50_000, chain: ChainID = chain,
        path: AccountPath? = nil, spent: UInt64 = 0, fullUntil: UInt64? = nil
    ) throws -> Judge.Finding {
        let quorum = try Self.quorum.get()
        let (key, digest) = quorum.certificate!.verified()!
        let held = HeldKey(
            group: quorum.group, epoch: 1, kind: .main, holders: quorum.roster,
            certificate: digest, key: key)
        let intent = try intent(to, value, data, gas, chain, path)
        return Judge(rules: rules).judge(
            intent,
            knowing: HolderKnowledge(
                identity: quorum.members[0].identity, now: SimulatedQuorum.start, key: held,
                spent: [SimulatedQuorum.asset: Amount(UInt128(spent))!],
                countersFullUntil: fullUntil, isCeremonyConfirmed: false, isFrozen: false))
    }

    private func intent(
        _ to: String, _ value: UInt64, _ data: [UInt8], _ gas: UInt64, _ chain: ChainID,
        _ path: AccountPath?
    ) throws -> Intent {
        let quorum = try Self.quorum.get()
        let honest = quorum.order(amount: value, gas: gas)
        let payment = TransferOrder(
            chain: chain, sourcePath: path ?? honest.sourcePath,
            sourceAddress: honest.sourceAddress,
            output: .init(asset: .native(chain), address: to, amount: honest.output.amount),
            nonce: 0, fee: honest.fee)
        return quorum.intent(.contractCall(try #require(CallOrder(payment: payment, data: data))))
    }

    private func code(_ finding: Judge.Finding) -> String {
        switch finding {
        case .approve: "approve"
        case .consult: "consult"
        case .refuse(let reason): "refuse \(reason.code.rawValue)"
        case .wait(let reason): "wait \(reason.code.rawValue)"
        }
    }

    @Test func `approves what its rules name, signs what it rebuilt, and counts value and fee`()
        throws
    {
        guard case .approve(let approved) = try judge() else {
            Issue.record("\(try judge())")
            return
        }
        let fee = try Self.quorum.get().order(gas: 50_000).fee
        let transaction = EVMTransaction(
            chainID: 31337, nonce: 0, fee: fee,
            payment: .call(Self.data, value: Amount(UInt32(1000)), contract: Self.contract))
        #expect(approved.items.map(\.digest) == [transaction.signingDigest])
        // 1000 and 50,000 gas at 10^9.
        #expect(approved.spending == [SimulatedQuorum.asset: Amount(UInt128(50_000_000_001_000))!])
    }

    @Test func `says no, each for its reason`() throws {
        let other = EVMAddress(unchecked: [UInt8](repeating: 0xcd, count: 20))
        let source = try Self.quorum.get().order().sourceAddress
        let selectors: Set<[UInt8]> = [[1, 2, 3, 4]]
        let rows: [(String, Judge.Finding)] = [
            ("refuse chain_not_served", try judge(chain: .eip155(1))),
            (
                "refuse asset_not_served",
                try judge(
                    HolderRules(
                        environment: .sandbox, chains: [Self.chain], assets: [:],
                        contracts: [Self.rule()], digest: .sha256([])))
            ),
            (
                "refuse wrong_source",
                try judge(path: AccountPath(coin: 60, vaultIndex: 5, number: 1))
            ),
            ("refuse wrong_destination", try judge(to: Self.contract.text.lowercased())),
            ("refuse wrong_destination", try judge(to: source)),
            // A token's contract is never called, whatever the rules name.
            ("refuse wrong_destination", try judge(Self.rules(token: Self.contract))),
            // Off unless they are allowed.
            ("refuse contract_not_allowed", try judge(SimulatedQuorum.rules())),
            ("refuse contract_not_allowed", try judge(to: other.text)),
            (
                "refuse contract_not_allowed",
                try judge(Self.rules([Self.rule(chain: .eip155(1))]))
            ),
            ("approve", try judge(Self.rules([Self.rule(selectors: selectors)]))),
            (
                "refuse contract_not_allowed",
                try judge(Self.rules([Self.rule(selectors: selectors)]), data: [1, 2, 3, 5])
            ),
            (
                "refuse contract_not_allowed",
                try judge(Self.rules([Self.rule(selectors: selectors)]), data: [1, 2, 3])
            ),
            (
                "refuse contract_not_allowed",
                try judge(Self.rules([Self.rule(selectors: selectors)]), data: [])
            ),
            ("refuse contract_not_allowed", try judge(Self.rules([Self.rule(selectors: [])]))),
            ("approve", try judge(data: [])), ("approve", try judge(value: 0)),
        ]
        for (at, row) in rows.enumerated() { #expect(code(row.1) == row.0, "row \(at)") }
    }

    @Test func `says no to what is above its limits`() throws {
        let start = SimulatedQuorum.start
        let rows: [(String, Judge.Finding)] = [
            ("refuse amount_above_limit", try judge(value: 1001)),
            (
                "refuse amount_above_limit",
                try judge(Self.rules(from: SimulatedQuorum.rules(perTransaction: 999)))
            ),
            (
                "refuse fee_above_limit",
                try judge(Self.rules(from: SimulatedQuorum.rules(fee: 1000)))
            ),
            (
                "refuse fee_above_limit",
                try judge(
                    Self.rules(from: SimulatedQuorum.rules(fee: 9_000_000_000_000_000)),
                    gas: ContractCall.gasMost + 1)
            ),
            ("wait daily_limit", try judge(fullUntil: start + 1)),
            (
                "wait daily_limit",
                try judge(
                    Self.rules(from: SimulatedQuorum.rules(perDay: 60_000_000_000_000)),
                    spent: 10_000_000_000_000)
            ),
            (
                "refuse daily_limit",
                try judge(Self.rules(from: SimulatedQuorum.rules(perDay: 50_000_000_000_999)))
            ),
        ]
        for (at, row) in rows.enumerated() { #expect(code(row.1) == row.0, "row \(at)") }
    }

    @Test func `an intent of a call is read as it is written, and pays in coins`() throws {
        let call = try intent(Self.contract.text, 7, Self.data, 50_000, Self.chain, nil)
        #expect(try Intent(call.bytes) == call)
        let payment = try #require(call.payment)
        func paying(_ output: TransferOrder.Output) -> TransferOrder {
            TransferOrder(
                chain: payment.chain, sourcePath: payment.sourcePath,
                sourceAddress: payment.sourceAddress, output: output, nonce: 0, fee: payment.fee)
        }
        let own = paying(
            .init(
                asset: payment.output.asset, address: payment.output.address,
                amount: payment.output.amount, ownPath: payment.sourcePath))
        let tokens = paying(
            .init(
                asset: SimulatedQuorum.token, address: payment.output.address,
                amount: payment.output.amount))
        for wrong in [own, tokens] {
            #expect(CallOrder(payment: wrong, data: []) == nil)
            // As a transfer it is read, and with data it is none.
            let quorum = try Self.quorum.get()
            guard case .map(var fields) = try CBOR.decode(quorum.intent(.transfer(wrong)).bytes)
            else { return }
            fields[8] = .unsigned(2)
            fields[14] = .bytes(Self.data)
            #expect(throws: MalformedBytes.self) { try Intent(CBOR.map(fields).encoded()) }
        }
        // A transfer has no data.
        guard case .map(var fields) = try CBOR.decode(call.bytes) else { return }
        fields[8] = .unsigned(1)
        #expect(throws: MalformedBytes.self) { try Intent(CBOR.map(fields).encoded()) }
        fields[14] = nil
        #expect(try Intent(CBOR.map(fields).encoded()).purpose == .transfer(payment))
    }

    @Test func `rules of contracts say what is wrong with them`() throws {
        func read(_ entry: String) throws -> [ContractRule] {
            let text = """
                {"version":1,"environment":"sandbox","chains":[],"assets":{},"contracts":[\(entry)]}
                """
            let file = try JSONDecoder().decode(HolderRulesFile.self, from: Data(text.utf8))
            return try file.rules(hashing: []).contracts
        }
        func entry(
            _ chain: String = "eip155:31337", _ address: String = Self.contract.text,
            _ selectors: String = "[\"0x01020304\"]", _ most: String = "1000"
        ) -> String {
            "{\"chain\":\"\(chain)\",\"address\":\"\(address)\",\"selectors\":\(selectors),"
                + "\"mostValue\":\"\(most)\"}"
        }
        #expect(try read(entry()) == [Self.rule(selectors: [[1, 2, 3, 4]])])
        #expect(try read(entry("eip155:31337", Self.contract.text, "null")) == [Self.rule()])
        for bad in [
            entry("31337"), entry("eip155:1", Self.contract.text.lowercased()),
            entry("eip155:1", Self.contract.text, "[\"01020304\"]"),
            entry("eip155:1", Self.contract.text, "[\"0x010203\"]"),
            entry("eip155:1", Self.contract.text, "[]", "-1"),
            entry("eip155:1", Self.contract.text, "[]", ""),
        ] {
            #expect(throws: HolderRulesFile.Invalid.self, "\(bad)") { try read(bad) }
        }
        let rules = Self.rules([Self.rule(selectors: [[1, 2, 3, 4], [0, 0, 0, 0]]), Self.rule()])
        let written = HolderRulesFile(
            environment: .sandbox, chains: [], assets: [:], contracts: rules.contracts)
        #expect(try written.rules(hashing: []).contracts == rules.contracts)
    }
}
