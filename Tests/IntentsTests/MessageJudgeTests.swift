import Algebra
import Canonical
import Chains
import Foundation
import KeyGroups
import TestKit
import Testing

@testable import Intents

/// Messages are off: each row says what a holder's operator must have allowed.
@Suite struct `A holder's judgement of messages` {
    private static let quorum: Result<SimulatedQuorum, any Error> = Result {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "messages")
        try quorum.generateKey()
        return quorum
    }
    private static let chain = ChainID.eip155(31337)
    private static let contract = EVMAddress(unchecked: [UInt8](repeating: 0xcc, count: 20))
    private static let hello = EVMMessage.personal(Array("hello".utf8))

    private static func rules(
        personal: Int? = 5, typed: [TypedDataRule] = [mail()], chains: Set<ChainID> = [chain],
        assets: [AssetID: HolderRules.Limits] = [:]
    ) -> HolderRules {
        HolderRules(
            environment: .sandbox, chains: chains, assets: assets,
            messages: MessageRules(personalMost: personal, typed: Set(typed)), digest: .sha256([]))
    }

    private static func mail(
        chain: ChainID = chain, contract: EVMAddress = contract, type: String = "Mail"
    ) -> TypedDataRule {
        TypedDataRule(chain: chain, contract: contract, primaryType: type)
    }

    /// Typed data whose domain has these members beside a name.
    private static func typed(
        _ domain: String = "\"chainId\":31337,\"verifyingContract\":\"\(contract.text)\"",
        fields: [String] = ["uint256 chainId", "address verifyingContract"], contents: String = "hi"
    ) -> EVMMessage {
        let declared = fields.map { field in
            let parts = field.split(separator: " ")
            return "{\"name\":\"\(parts[1])\",\"type\":\"\(parts[0])\"}"
        }.joined(separator: ",")
        return .typed(
            Array(
                """
                {"types":{"EIP712Domain":[\(declared)],"Mail":[{"name":"contents",\
                "type":"string"}]},"primaryType":"Mail","domain":{\(domain)},\
                "message":{"contents":"\(contents)"}}
                """.utf8))
    }

    private func judge(
        _ message: EVMMessage = hello, rules: HolderRules = rules(), chain: ChainID = chain,
        path: AccountPath? = nil, source: String? = nil, epoch: UInt64 = 1,
        kind: GroupKind = .main, knowsKey: Bool = true, isFrozen: Bool = false,
        now: UInt64 = SimulatedQuorum.start
    ) throws -> Judge.Finding {
        let quorum = try Self.quorum.get()
        let (key, digest) = quorum.certificate!.verified()!
        let held = HeldKey(
            group: quorum.group, epoch: 1, kind: kind, holders: quorum.roster, certificate: digest,
            key: key)
        let honest = quorum.order()
        let order = MessageOrder(
            chain: chain, sourcePath: path ?? honest.sourcePath,
            sourceAddress: source ?? honest.sourceAddress, message: message)
        return Judge(rules: rules).judge(
            quorum.intent(.message(order), epoch: epoch),
            knowing: HolderKnowledge(
                identity: quorum.members[0].identity, now: now, key: knowsKey ? held : nil,
                spent: [:], isCeremonyConfirmed: false, isFrozen: isFrozen))
    }

    private func code(_ finding: Judge.Finding) -> String {
        switch finding {
        case .approve: "approve"
        case .consult: "consult"
        case .refuse(let reason): "refuse \(reason.code.rawValue)"
        case .wait(let reason): "wait \(reason.code.rawValue)"
        }
    }

    @Test func `approves what its rules name, and signs what it rebuilt`() throws {
        let path = try Self.quorum.get().order().sourcePath.derivation
        let data = Self.typed()
        guard case .typed(let text) = data else { return }
        for (message, digest) in [
            (Self.hello, EVMMessage.digest(ofPersonal: Array("hello".utf8))),
            (data, try EVMTypedData(text).digest),
        ] {
            guard case .approve(let approved) = try judge(message) else {
                Issue.record("\(try judge(message))")
                continue
            }
            #expect(approved.items == [SigningItem(path: path, digest: digest)])
            #expect(approved.spending.isEmpty)
        }
    }

    @Test func `says no to what a token takes for an order`() throws {
        let limits = HolderRules.Limits(perTransaction: .most, perDay: .most, fee: .most)
        let rules = Self.rules(assets: [.erc20(Self.chain, Self.contract): limits])
        #expect(code(try judge(Self.typed(), rules: rules)) == "refuse message_not_allowed")
        #expect(code(try judge(rules: rules)) == "approve")
    }

    @Test func `says no, each for its reason`() throws {
        let stranger = EVMAddress(unchecked: [UInt8](repeating: 0xcd, count: 20))
        let noChain = Self.typed(
            "\"verifyingContract\":\"\(Self.contract.text)\"",
            fields: ["address verifyingContract"])
        let noContract = Self.typed("\"chainId\":31337", fields: ["uint256 chainId"])
        let elsewhere = Self.typed(
            "\"chainId\":1,\"verifyingContract\":\"\(Self.contract.text)\"")
        let start = SimulatedQuorum.start
        let rows: [(String, Judge.Finding)] = [
            ("wait frozen", try judge(isFrozen: true)),
            ("refuse expired", try judge(now: start + 3600 + 31)),
            ("refuse chain_not_served", try judge(chain: .eip155(1))),
            ("refuse unknown_group", try judge(knowsKey: false)),
            ("refuse wrong_epoch", try judge(epoch: 2)),
            ("refuse wrong_scheme", try judge(kind: .recovery)),
            (
                "refuse wrong_source",
                try judge(path: AccountPath(coin: 60, vaultIndex: 5, number: 1))
            ),
            (
                "refuse wrong_source",
                try judge(path: AccountPath(coin: 61, vaultIndex: 5, number: 0))
            ),
            ("refuse wrong_source", try judge(source: stranger.text)),
            // Off unless they are allowed.
            ("refuse message_not_allowed", try judge(rules: SimulatedQuorum.rules())),
            ("refuse message_not_allowed", try judge(Self.typed(), rules: SimulatedQuorum.rules())),
            ("refuse message_not_allowed", try judge(rules: Self.rules(personal: nil))),
            ("refuse message_too_long", try judge(.personal(Array("hello!".utf8)))),
            ("approve", try judge(.personal([]))),
            ("refuse message_malformed", try judge(.typed(Array("{}".utf8)))),
            ("refuse message_malformed", try judge(.typed([0xff]))),
            ("refuse message_domain", try judge(noChain)),
            ("refuse message_domain", try judge(elsewhere)),
            (
                "refuse message_domain",
                try judge(elsewhere, rules: Self.rules(typed: [Self.mail(chain: .eip155(1))]))
            ),
            ("refuse message_not_allowed", try judge(noContract)),
            (
                "refuse message_not_allowed",
                try judge(Self.typed(), rules: Self.rules(typed: [Self.mail(type: "Permit")]))
            ),
            (
                "refuse message_not_allowed",
                try judge(Self.typed(), rules: Self.rules(typed: [Self.mail(contract: stranger)]))
            ),
            (
                "refuse message_not_allowed",
                try judge(
                    Self.typed(), rules: Self.rules(typed: [Self.mail(chain: .eip155(1))]))
            ),
            // The order of the codes: what it is comes before whether it is allowed.
            (
                "refuse message_malformed",
                try judge(.typed(Array("{}".utf8)), rules: SimulatedQuorum.rules())
            ),
            ("refuse message_domain", try judge(noChain, rules: SimulatedQuorum.rules())),
        ]
        for (at, row) in rows.enumerated() { #expect(code(row.1) == row.0, "row \(at)") }
    }

    @Test func `what it says of a message can be read again, whatever the message is`() throws {
        // Verdicts are ASCII, and typed data is not.
        let texts = [
            "{\"types\":{\"\u{e9}\":[]},\"primaryType\":\"\u{e9}\",\"domain\":{},\"message\":{}}",
            "{\"\u{1f680}\":1,\"\u{1f680}\":2}",
        ]
        for text in texts {
            guard case .refuse(let reason) = try judge(.typed(Array(text.utf8))) else {
                Issue.record("\(text)")
                continue
            }
            let identity = IdentityKey(
                seed: SecretBytes(copying: [UInt8](repeating: 7, count: 32)))!
            let verdict = SignedVerdict(
                .refusal(reason), on: .sha256([1]), rules: .sha256([2]), at: 1, signedBy: identity)
            #expect(try SignedVerdict(verdict.bytes) == verdict)
        }
    }

    @Test func `a digest of a message is none of a transfer's`() throws {
        // The bytes of a transfer as it is signed, given as a message.
        let quorum = try Self.quorum.get()
        let transaction = try #require(quorum.order().transaction)
        let key = WholeKey(SecretBytes(copying: [UInt8](repeating: 1, count: 32)))!
        let signed = transaction.signed(key.sign(transaction.signingDigest)!)
        let digests: Set<Digest> = [
            transaction.signingDigest, signed.hash,
            EVMMessage.digest(ofPersonal: transaction.signingDigest.bytes),
            EVMMessage.digest(ofPersonal: signed.raw),
        ]
        #expect(digests.count == 4)
    }

    @Test func `rules of messages say what is wrong with them`() throws {
        func read(_ messages: String) throws -> MessageRules {
            let text = """
                {"version":1,"environment":"sandbox","chains":[],"assets":{},"messages":\(messages)}
                """
            let file = try JSONDecoder().decode(HolderRulesFile.self, from: Data(text.utf8))
            return try file.rules(hashing: Array(text.utf8)).messages
        }
        let address = Self.contract.text
        func entry(_ chain: String, _ contract: String, _ type: String) -> String {
            "{\"eip712\":[{\"chain\":\"\(chain)\",\"verifyingContract\":\"\(contract)\","
                + "\"primaryType\":\"\(type)\"}]}"
        }
        #expect(try read("{}") == .none)
        #expect(try read("null") == .none)
        #expect(try read("{\"eip191\":{\"mostBytes\":16384}}").personalMost == 16384)
        let good = entry("eip155:31337", address, "Mail")
        #expect(try read(good).typed == [Self.mail()])
        for bad in [
            "{\"eip191\":{\"mostBytes\":0}}", "{\"eip191\":{\"mostBytes\":16385}}",
            "{\"eip191\":{}}", entry("eip155:01", address, "Mail"),
            entry("eip155:1", address.lowercased(), "Mail"), entry("eip155:1", address, "Mail[]"),
            entry("eip155:1", address, ""),
        ] {
            #expect(throws: (any Error).self, "\(bad)") { try read(bad) }
        }
        let written = HolderRulesFile(
            environment: .sandbox, chains: [Self.chain], assets: [:],
            messages: Self.rules().messages)
        #expect(try written.rules(hashing: []).messages == Self.rules().messages)
    }
}
