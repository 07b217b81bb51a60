import Algebra
import Canonical
import Chains
import Foundation
import KeyGroups
import TestKit
import Testing

@testable import Intents

/// What an operator says about keys in the rules file, and who is refused by it.
@Suite struct `Rules about keys` {
    private static let quorum = Result {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "key rules")
        try quorum.generateKey()
        return quorum
    }

    private func rules(_ members: String) throws -> HolderRules {
        let text = """
            {"version": 1, "environment": "sandbox", "chains": ["eip155:31337"], "assets": {
            "eip155:31337/slip44:60": {"mostPerTransaction": "1000000", "mostPerDay":
            "1000000000000000", "mostFee": "100000000000000"}}\(members)}
            """
        let file = try JSONDecoder().decode(HolderRulesFile.self, from: Data(text.utf8))
        return try file.rules(hashing: Array(text.utf8))
    }

    private func held(_ quorum: SimulatedQuorum) -> HeldKey {
        let (key, digest) = quorum.certificate!.verified()!
        return HeldKey(
            group: quorum.group, epoch: 1, kind: .main, holders: quorum.roster,
            certificate: digest, key: key)
    }

    /// The code of the answer; nil if it is an approval.
    private func code(
        _ rules: HolderRules, _ purpose: (SimulatedQuorum) -> Intent.Purpose
    ) throws -> String? {
        let quorum = try Self.quorum.get()
        let held = held(quorum)
        let purpose = purpose(quorum)
        var isNew = false
        var epoch: UInt64 = 1
        if case .keyCeremony(let ceremony) = purpose {
            isNew = ceremony.source == nil
            epoch = isNew ? 1 : 2
        }
        let finding = Judge(rules: rules).judge(
            quorum.intent(purpose, epoch: epoch),
            knowing: HolderKnowledge(
                identity: quorum.members[0].identity, now: SimulatedQuorum.start,
                key: isNew ? nil : held, source: isNew ? nil : held, spent: [:],
                destination: AnnouncedAddress(firstSeen: 0), isCeremonyConfirmed: true,
                isFrozen: false))
        switch finding {
        case .approve, .consult: return nil
        case .refuse(let reason): return reason.code.rawValue
        case .wait(let reason): return "waiting \(reason.code.rawValue)"
        }
    }

    private func generation(_ quorum: SimulatedQuorum) -> Intent.Purpose {
        .keyCeremony(
            KeyCeremony(
                occasion: .keyGeneration, scheme: .ecdsaSecp256k1, kind: .main,
                threshold: quorum.threshold, holders: quorum.roster, source: nil)!)
    }

    private func refresh(_ quorum: SimulatedQuorum) -> Intent.Purpose {
        let held = held(quorum)
        return .keyCeremony(
            KeyCeremony(
                occasion: .refresh, scheme: .ecdsaSecp256k1, kind: .main,
                threshold: quorum.threshold, holders: quorum.roster,
                source: .init(
                    group: quorum.group, epoch: 1, certificate: held.certificate,
                    publicKey: held.key.publicKey))!)
    }

    private func transfer(_ quorum: SimulatedQuorum) -> Intent.Purpose {
        .transfer(quorum.order())
    }

    private func list(_ identities: [IdentityPublicKey]) -> String {
        "[" + identities.map { "\"\($0.hex)\"" }.joined(separator: ", ") + "]"
    }

    @Test func `that are left out restrict nothing`() throws {
        for text in [
            "", #", "signing": {}, "keyGeneration": {}, "resharing": {"rejectAll": false}"#,
        ] {
            let rules = try rules(text)
            #expect(rules.keys == KeyRules())
            for purpose in [generation, refresh, transfer] {
                #expect(try code(rules, purpose) == nil)
            }
        }
    }

    @Test func `refuse what they reject as a whole, and nothing else`() throws {
        let cases = [
            ("keyGeneration", "key_generation_not_allowed"),
            ("resharing", "resharing_not_allowed"), ("signing", "signing_not_allowed"),
        ]
        for (at, (name, expected)) in cases.enumerated() {
            let rules = try rules(#", "\#(name)": {"rejectAll": true}"#)
            let codes = try [generation, refresh, transfer].map { try code(rules, $0) }
            for (other, code) in codes.enumerated() {
                #expect(code == (other == at ? expected : nil), "\(name)")
            }
            let announced = try code(rules) { _ in
                .announcement(Announcement(.add, SimulatedQuorum.stranger, on: .eip155(31337)))
            }
            #expect(announced == nil, "an announcement signs nothing")
        }
        #expect(try rules(#", "checkUp": {"rejectAll": true}"#).keys.rejectsCheckUps)
        // Who rejects all allows nobody.
        let both = try rules(#", "keyGeneration": {"rejectAll": true, "allow": []}"#)
        #expect(try code(both, generation) == "key_generation_not_allowed")
    }

    @Test func `allow the groups that they name, of the key that they name`() throws {
        let quorum = try Self.quorum.get()
        let all = quorum.roster.identities
        let two = Array(all.prefix(2))
        let held = held(quorum)
        let root = try #require(
            ExtendedPublicKey(root: held.key.publicKey, chainCode: held.key.chainCode, .secp256k1))
        let other = try #require(
            ExtendedPublicKey(
                root: Hex.decode(
                    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")!,
                chainCode: held.key.chainCode, .secp256k1))
        for (threshold, holders, isGood) in [(2, all, true), (3, all, false), (2, two, false)] {
            let allowed = #""threshold": \#(threshold), "holders": \#(list(holders))"#
            let made = try rules(#", "keyGeneration": {"allow": [{\#(allowed)}]}"#)
            #expect(
                try code(made, generation) == (isGood ? nil : "key_generation_not_allowed"))
            for (key, isKey) in [(root, true), (other, false)] {
                let dealt = try rules(
                    #", "resharing": {"allow": [{"publicKey": "\#(key)", \#(allowed)}]}"#)
                #expect(
                    try code(dealt, refresh) == (isGood && isKey ? nil : "resharing_not_allowed"))
            }
        }
        #expect(
            try code(try rules(#", "resharing": {"allow": []}"#), refresh)
                == "resharing_not_allowed")
    }

    @Test func `say what is wrong with them`() throws {
        let all = list(try Self.quorum.get().roster.identities)
        let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        let good = #""threshold": 2, "holders": \#(all)"#
        for bad in [
            #""signing": {"allow": []}"#, #""checkUp": {"allow": []}"#,
            #""keyGeneration": {"allow": [{"threshold": 1, "holders": \#(all)}]}"#,
            #""keyGeneration": {"allow": [{"threshold": 4, "holders": \#(all)}]}"#,
            #""keyGeneration": {"allow": [{"threshold": 2, "holders": ["ab", "cd"]}]}"#,
            #""keyGeneration": {"allow": [{"publicKey": "xpub", \#(good)}]}"#,
            #""resharing": {"allow": [{"threshold": 2, "holders": \#(all)}]}"#,
            #""resharing": {"allow": [{"publicKey": "\#(key)", \#(good)}]}"#,
        ] {
            #expect(throws: HolderRulesFile.Invalid.self, "\(bad)") { try rules(", " + bad) }
        }
        let many = Array(repeating: #"{"threshold": 2, "holders": \#(all)}"#, count: 65)
        #expect(throws: HolderRulesFile.Invalid.self) {
            try rules(#", "keyGeneration": {"allow": [\#(many.joined(separator: ","))]}"#)
        }
    }
}
