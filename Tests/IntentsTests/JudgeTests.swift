import Algebra
import Canonical
import Chains
import KeyGroups
import TestKit
import Testing

@testable import Intents

/// One row for each thing that a holder says no to, in the order of precedence of their codes.
@Suite struct `A holder's judgement` {
    private static let quorum: Result<SimulatedQuorum, any Error> = Result {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "judge")
        try quorum.generateKey()
        return quorum
    }

    private func judge(
        rules: HolderRules = SimulatedQuorum.rules(), epoch: UInt64 = 1,
        now: UInt64 = SimulatedQuorum.start, spent: UInt64 = 0, spentTokens: UInt64 = 0,
        isFrozen: Bool = false,
        knowsKey: Bool = true, kind: GroupKind = .main, isUnfinished: Bool = false,
        destination: AnnouncedAddress? = AnnouncedAddress(firstSeen: 0),
        scheme: SignatureScheme? = nil,
        _ change: (SimulatedQuorum) -> Intent
    ) throws -> Judge.Finding {
        let quorum = try Self.quorum.get()
        let (key, digest) = quorum.certificate!.verified()!
        // On the same curve a key of another scheme has the same points.
        let other = scheme.map {
            AnySharedKey(
                $0, threshold: key.threshold, publicKey: key.publicKey, chainCode: key.chainCode,
                verifyingShares: key.verifyingShares)!
        }
        let held = HeldKey(
            group: quorum.group, epoch: 1, kind: kind, holders: quorum.roster,
            certificate: digest, key: other ?? key)
        return Judge(rules: rules).judge(
            change(quorum),
            knowing: HolderKnowledge(
                identity: quorum.members[0].identity, now: now, key: knowsKey ? held : nil,
                spent: [
                    SimulatedQuorum.asset: Amount(UInt128(spent))!,
                    SimulatedQuorum.token: Amount(UInt128(spentTokens))!,
                ], destination: destination, isCeremonyConfirmed: false,
                isKeyUnfinished: isUnfinished, isFrozen: isFrozen))
    }

    private func code(_ finding: Judge.Finding) -> String {
        switch finding {
        case .approve: "approve"
        case .refuse(let reason): "refuse \(reason.code.rawValue)"
        case .wait(let reason): "wait \(reason.code.rawValue)"
        case .consult: "consult"
        }
    }

    private func order(
        _ quorum: SimulatedQuorum, chain: ChainID = .eip155(31337), path: AccountPath? = nil,
        source: String? = nil, asset: AssetID = SimulatedQuorum.asset, to: String? = nil,
        amount: UInt64 = 1000
    ) -> Intent {
        let honest = quorum.order(amount: amount)
        return quorum.intent(
            .transfer(
                TransferOrder(
                    chain: chain, sourcePath: path ?? honest.sourcePath,
                    sourceAddress: source ?? honest.sourceAddress,
                    output: .init(
                        asset: asset, address: to ?? honest.output.address,
                        amount: honest.output.amount), nonce: 0, fee: honest.fee)))
    }

    @Test func `approves what its rules admit, and signs what it rebuilt`() throws {
        let finding = try judge { $0.intent(.transfer($0.order())) }
        let quorum = try Self.quorum.get()
        guard case .approve(let approved) = finding else {
            Issue.record("\(finding)")
            return
        }
        #expect(approved.items == quorum.items(quorum.order()))
        // 1000 and 21,000 gas at 10^9.
        #expect(approved.spending == [SimulatedQuorum.asset: Amount(UInt128(21_000_000_001_000))!])
    }

    @Test func `says no, each for its reason`() throws {
        let rules = SimulatedQuorum.rules(perTransaction: 500, perDay: 30_000_000_000_000)
        let noFee = SimulatedQuorum.rules(fee: 1000)
        let production = HolderRules(
            environment: .production, chains: rules.chains, assets: rules.assets,
            digest: rules.digest)
        let pinned = HolderRules(
            environment: .sandbox, chains: rules.chains, assets: rules.assets,
            policy: .sha256([9]), digest: rules.digest)
        let start = SimulatedQuorum.start
        let rows: [(String, Judge.Finding)] = [
            ("wait frozen", try judge(isFrozen: true) { order($0) }),
            ("refuse wrong_environment", try judge(rules: production) { order($0) }),
            ("refuse policy_mismatch", try judge(rules: pinned) { order($0) }),
            ("refuse lifetime", try judge { $0.intent(.transfer($0.order()), lifetime: 90_000) }),
            ("refuse expired", try judge(now: start + 3600 + 31) { order($0) }),
            ("approve", try judge(now: start + 3600 + 30) { order($0) }),
            ("wait not_yet", try judge(now: start - 41) { order($0) }),
            ("approve", try judge(now: start - 40) { order($0) }),
            (
                "refuse chain_not_served",
                try judge { order($0, chain: .eip155(1), asset: .native(.eip155(1))) }
            ),
            ("refuse asset_not_served", try judge { order($0, asset: .native(.eip155(1))) }),
            ("refuse unknown_group", try judge(knowsKey: false) { order($0) }),
            ("wait unknown_group", try judge(knowsKey: false, isUnfinished: true) { order($0) }),
            ("refuse wrong_epoch", try judge { $0.intent(.transfer($0.order()), epoch: 2) }),
            ("refuse wrong_scheme", try judge(kind: .recovery) { order($0) }),
            ("refuse wrong_scheme", try judge(scheme: .bip340Secp256k1) { order($0) }),
            (
                "wait wrong_epoch",
                try judge(isUnfinished: true) { $0.intent(.transfer($0.order()), epoch: 2) }
            ),
            (
                "refuse wrong_epoch",
                try judge(isUnfinished: true) { $0.intent(.transfer($0.order()), epoch: 0) }
            ),
            (
                "refuse wrong_source",
                try judge { order($0, path: AccountPath(coin: 60, vaultIndex: 5, number: 1)) }
            ),
            (
                "refuse wrong_source",
                try judge { order($0, path: AccountPath(coin: 61, vaultIndex: 5, number: 0)) }
            ),
            ("refuse wrong_source", try judge { order($0, source: $0.order().output.address) }),
            (
                "refuse wrong_destination",
                try judge { order($0, to: $0.order().output.address.lowercased() + "0") }
            ),
            ("refuse amount_zero", try judge { order($0, amount: 0) }),
            ("refuse amount_above_limit", try judge(rules: rules) { order($0, amount: 501) }),
            ("approve", try judge(rules: rules) { order($0, amount: 500) }),
            ("refuse fee_above_limit", try judge(rules: noFee) { order($0) }),
            (
                "wait daily_limit",
                try judge(rules: rules, spent: 10_000_000_000_000) { order($0, amount: 500) }
            ),
            (
                "refuse daily_limit",
                try judge(rules: SimulatedQuorum.rules(perDay: 21_000_000_000_999)) { order($0) }
            ),
        ]
        for (expected, finding) in rows { #expect(code(finding) == expected) }
    }

    @Test func `says no to addresses that it does not know, or not for long`() throws {
        let cooling = SimulatedQuorum.rules(perTransaction: 500, addressCooling: 600)
        let start = SimulatedQuorum.start
        let young = AnnouncedAddress(firstSeen: start - 599)
        let rows: [(String, Judge.Finding)] = [
            ("refuse address_not_announced", try judge(destination: nil) { order($0) }),
            (
                "refuse address_removed",
                try judge(destination: .init(firstSeen: start - 9, removedAt: start - 1)) {
                    order($0)
                }
            ),
            (
                "wait address_cooling",
                try judge(rules: cooling, destination: young) { order($0, amount: 500) }
            ),
            (
                "approve",
                try judge(rules: cooling, destination: .init(firstSeen: start - 600)) {
                    order($0, amount: 500)
                }
            ),
            (
                "refuse amount_above_limit",
                try judge(rules: cooling, destination: young) { order($0, amount: 501) }
            ),
        ]
        for (expected, finding) in rows { #expect(code(finding) == expected) }
    }

    /// A transfer to an address of the same root key, which nobody announced.
    private func ownOrder(
        _ quorum: SimulatedQuorum, to number: UInt32 = 1, at path: AccountPath? = nil,
        address: String? = nil, amount: UInt64 = 1000
    ) -> Intent {
        let order = quorum.order(amount: amount)
        return quorum.intent(
            .transfer(
                TransferOrder(
                    chain: order.chain, sourcePath: order.sourcePath,
                    sourceAddress: order.sourceAddress,
                    output: .init(
                        asset: order.output.asset,
                        address: address ?? quorum.order(number: number).sourceAddress,
                        amount: order.output.amount,
                        ownPath: path ?? AccountPath(coin: 60, vaultIndex: 5, number: number)),
                    nonce: 0, fee: order.fee)))
    }

    @Test func `to its own addresses it needs no announcement, and spends the fee alone`() throws {
        // The amount is above all limits but leaves nobody; the fee is 21,000 gas at 10^9.
        let rules = SimulatedQuorum.rules(
            perTransaction: 500, perDay: 21_000_000_000_000, addressCooling: 600)
        let finding = try judge(rules: rules, destination: nil) { ownOrder($0) }
        guard case .approve(let approved) = finding else {
            Issue.record("\(finding)")
            return
        }
        #expect(approved.spending == [SimulatedQuorum.asset: Amount(UInt128(21_000_000_000_000))!])
        let quorum = try Self.quorum.get()
        guard case .transfer(let order) = ownOrder(quorum).purpose else { return }
        #expect(approved.items == quorum.items(order))
    }

    @Test func `to its source itself it sends nothing, for the fee alone, and nothing else`() throws
    {
        func judged(
            _ rules: HolderRules = SimulatedQuorum.rules(), amount: UInt64 = 0, number: UInt32 = 0,
            address: String? = nil, asset: AssetID? = nil, spent: UInt64 = 0
        ) throws -> Judge.Finding {
            try judge(rules: rules, spent: spent, destination: nil) { quorum in
                guard
                    case .transfer(let order) = ownOrder(
                        quorum, to: number,
                        at: AccountPath(coin: 60, vaultIndex: 5, number: number)!,
                        address: address, amount: amount
                    ).purpose
                else { preconditionFailure("a transfer") }
                return quorum.intent(
                    .transfer(
                        TransferOrder(
                            chain: order.chain, sourcePath: order.sourcePath,
                            sourceAddress: order.sourceAddress,
                            output: .init(
                                asset: asset ?? order.output.asset,
                                address: order.output.address, amount: order.output.amount,
                                ownPath: order.output.ownPath), nonce: 3, fee: order.fee)))
            }
        }
        let fee: UInt64 = 21_000_000_000_000
        let tight = SimulatedQuorum.rules(perTransaction: 1, perDay: fee)
        guard case .approve(let approved) = try judged(tight) else {
            Issue.record("\(code(try judged(tight)))")
            return
        }
        #expect(approved.spending == [SimulatedQuorum.asset: Amount(UInt128(fee))!])
        #expect(approved.items.count == 1)
        #expect(code(try judged(tight, spent: 1)) == "wait daily_limit")
        #expect(code(try judged(SimulatedQuorum.rules(fee: fee - 1))) == "refuse fee_above_limit")
        #expect(code(try judged(amount: 1)) == "refuse wrong_destination")
        #expect(code(try judged(number: 1)) == "refuse amount_zero")
        let tokens = try judged(tokenRules(), asset: SimulatedQuorum.token)
        #expect(code(tokens) == "refuse wrong_destination")
        let other = SimulatedQuorum.stranger
        #expect(code(try judged(address: other)) == "refuse wrong_destination")
    }

    @Test func `what is called its own and is not, it refuses`() throws {
        let other = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "another root")
        try other.generateKey()
        let path = { (coin: UInt32, vault: UInt32, number: UInt32) in
            AccountPath(coin: coin, vaultIndex: vault, number: number)!
        }
        func at(_ path: AccountPath, _ quorum: SimulatedQuorum) throws -> String {
            let key = try #require(quorum.certificate?.verified()?.key.key(of: ECDSA.self))
            return EVMAddress(DerivedKey(path.derivation, of: key)!.publicKey).text
        }
        let quorum = try Self.quorum.get()
        func judged(
            _ path: AccountPath, _ address: String, _ rules: HolderRules = SimulatedQuorum.rules(),
            spent: UInt64 = 0, amount: UInt64 = 1000
        ) throws -> String {
            code(
                try judge(rules: rules, spent: spent, destination: nil) {
                    ownOrder($0, at: path, address: address, amount: amount)
                })
        }
        let good = path(60, 5, 1)
        let rows: [(String, String)] = [
            ("approve", try judged(good, at(good, quorum))),
            ("approve", try judged(path(60, 9, 999), at(path(60, 9, 999), quorum))),
            ("approve", try judged(path(60, 999_999, 1), at(path(60, 999_999, 1), quorum))),
            // A stranger's, one of another root at this path, and ours at another path.
            ("refuse wrong_destination", try judged(good, SimulatedQuorum.stranger)),
            ("refuse wrong_destination", try judged(good, at(good, other))),
            ("refuse wrong_destination", try judged(good, at(path(60, 5, 2), quorum))),
            ("refuse wrong_destination", try judged(path(60, 6, 1), at(good, quorum))),
            // Where nobody would look, of another coin, and to itself.
            (
                "refuse wrong_destination",
                try judged(path(60, 5, 1000), at(path(60, 5, 1000), quorum))
            ),
            (
                "refuse wrong_destination",
                try judged(path(60, 1_000_000, 1), at(path(60, 1_000_000, 1), quorum))
            ),
            ("refuse wrong_destination", try judged(path(61, 5, 1), at(path(61, 5, 1), quorum))),
            ("refuse wrong_destination", try judged(path(60, 5, 0), at(path(60, 5, 0), quorum))),
            // Another spelling of the right one.
            ("refuse wrong_destination", try judged(good, at(good, quorum).lowercased())),
            ("refuse amount_zero", try judged(good, at(good, quorum), amount: 0)),
            (
                "refuse fee_above_limit",
                try judged(good, at(good, quorum), SimulatedQuorum.rules(fee: 20_999_999_999_999))
            ),
            (
                "wait daily_limit",
                try judged(
                    good, at(good, quorum), SimulatedQuorum.rules(perDay: 30_000_000_000_000),
                    spent: 9_000_000_000_001)
            ),
        ]
        for (at, row) in rows.enumerated() { #expect(row.1 == row.0, "row \(at)") }
        // Unmarked it is an address like any other.
        let unmarked = try judge(destination: nil) { order($0, to: try? at(good, $0)) }
        #expect(code(unmarked) == "refuse address_not_announced")
    }

    /// Limits of the token, and by themselves those of the coin that pays.
    private func tokenRules(
        perTransaction: UInt32 = 5000, perDay: UInt32 = 9000, fee: UInt64 = 100_000_000_000_000,
        coin: HolderRules = SimulatedQuorum.rules()
    ) -> HolderRules {
        var assets = coin.assets
        assets[SimulatedQuorum.token] = HolderRules.Limits(
            perTransaction: Amount(perTransaction), perDay: Amount(perDay),
            fee: Amount(UInt128(fee))!)
        return HolderRules(
            environment: coin.environment, chains: coin.chains, assets: assets, digest: coin.digest)
    }

    @Test func `of a token it signs the contract's call, and charges two limits`() throws {
        let quorum = try Self.quorum.get()
        let finding = try judge(rules: tokenRules()) { $0.intent(.transfer($0.tokenOrder())) }
        guard case .approve(let approved) = finding else {
            Issue.record("\(finding)")
            return
        }
        let order = quorum.tokenOrder()
        let call = EVMTransaction(
            chainID: 31337, nonce: 0, fee: order.fee,
            payment: .tokens(
                ERC20Transfer(
                    recipient: try EVMAddress(text: order.output.address),
                    amount: Amount(UInt32(1000))
                ),
                contract: EVMAddress(unchecked: [UInt8](repeating: 0x70, count: 20))))
        #expect(
            approved.items
                == [SigningItem(path: order.sourcePath.derivation, digest: call.signingDigest)])
        // 100,000 gas at 10^9.
        #expect(
            approved.spending == [
                SimulatedQuorum.token: Amount(UInt32(1000)),
                SimulatedQuorum.asset: Amount(UInt128(100_000_000_000_000))!,
            ])
    }

    @Test func `of a token it says no, each for its reason`() throws {
        let rules = tokenRules()
        let other = AssetID.erc20(
            .eip155(31337), EVMAddress(unchecked: [UInt8](repeating: 0x71, count: 20)))
        let elsewhere = AssetID.erc20(
            .eip155(1), EVMAddress(unchecked: [UInt8](repeating: 0x70, count: 20)))
        let noCoin = HolderRules(
            environment: .sandbox, chains: rules.chains,
            assets: rules.assets.filter { $0.key == SimulatedQuorum.token }, digest: rules.digest)
        let contract = SimulatedQuorum.token.contract?.text
        func judged(
            _ rules: HolderRules, spent: UInt64 = 0, spentTokens: UInt64 = 0,
            amount: UInt64 = 1000, asset: AssetID = SimulatedQuorum.token, to: String? = nil,
            gas: UInt64 = 100_000
        ) throws -> String {
            code(
                try judge(rules: rules, spent: spent, spentTokens: spentTokens) {
                    $0.intent(
                        .transfer($0.tokenOrder(amount: amount, asset: asset, to: to, gas: gas)))
                })
        }
        let wide = SimulatedQuorum.rules(fee: 10_000_000_000_000_000)
        let rows: [(String, String)] = [
            ("approve", try judged(rules)),
            ("refuse asset_not_served", try judged(SimulatedQuorum.rules())),
            ("refuse asset_not_served", try judged(noCoin)),
            ("refuse asset_not_served", try judged(rules, asset: other)),
            ("refuse asset_not_served", try judged(rules, asset: elsewhere)),
            ("refuse wrong_destination", try judged(rules, to: contract)),
            ("refuse amount_zero", try judged(rules, amount: 0)),
            ("approve", try judged(rules, amount: 5000)),
            ("refuse amount_above_limit", try judged(rules, amount: 5001)),
            ("refuse fee_above_limit", try judged(tokenRules(fee: 99_999_999_999_999))),
            (
                "refuse fee_above_limit",
                try judged(tokenRules(coin: SimulatedQuorum.rules(fee: 99_999_999_999_999)))
            ),
            (
                "refuse fee_above_limit",
                try judged(tokenRules(fee: 10_000_000_000_000_000, coin: wide), gas: 1_000_001)
            ),
            ("refuse daily_limit", try judged(tokenRules(perDay: 999))),
            (
                "refuse daily_limit",
                try judged(tokenRules(coin: SimulatedQuorum.rules(perDay: 99_999_999_999_999)))
            ),
            ("approve", try judged(rules, spentTokens: 8000)),
            ("wait daily_limit", try judged(rules, spentTokens: 8001)),
            ("approve", try judged(rules, spent: 900_000_000_000_000)),
            ("wait daily_limit", try judged(rules, spent: 900_000_000_000_001)),
        ]
        for (at, row) in rows.enumerated() { #expect(row.1 == row.0, "row \(at)") }
    }

    @Test func `a production holder refuses test networks`() throws {
        let rules = HolderRules(
            environment: .production, chains: [.eip155(31337)],
            assets: SimulatedQuorum.rules().assets, digest: .sha256([]))
        let quorum = try Self.quorum.get()
        let sandbox = order(quorum)
        let intent = Intent(
            environment: .production, tenant: sandbox.tenant, vault: sandbox.vault,
            request: sandbox.request, group: sandbox.group, epoch: 1, purpose: sandbox.purpose,
            notBefore: sandbox.notBefore, expires: sandbox.expires, policy: sandbox.policy)
        let finding = try judge(rules: rules) { _ in intent }
        #expect(code(finding) == "refuse test_network")
    }

    @Test func `an announcement is for a chain that is served, and for who has the key`() throws {
        func announce(
            _ quorum: SimulatedQuorum, _ address: String = SimulatedQuorum.stranger,
            on chain: ChainID = .eip155(31337), epoch: UInt64 = 1
        ) -> Intent {
            quorum.intent(.announcement(Announcement(.add, address, on: chain)), epoch: epoch)
        }
        let rows: [(String, Judge.Finding)] = [
            ("approve", try judge(destination: nil) { announce($0) }),
            ("approve", try judge(destination: nil) { announce($0, epoch: 7) }),
            ("wait frozen", try judge(isFrozen: true) { announce($0) }),
            ("refuse chain_not_served", try judge { announce($0, on: .eip155(1)) }),
            ("refuse unknown_group", try judge(knowsKey: false) { announce($0) }),
            ("wait unknown_group", try judge(knowsKey: false, isUnfinished: true) { announce($0) }),
            (
                "refuse wrong_destination",
                try judge { announce($0, $0.order().sourceAddress.lowercased()) }
            ),
        ]
        for (expected, finding) in rows { #expect(code(finding) == expected) }
    }

    @Test func `a ceremony waits for a person, and is for members only`() throws {
        func ceremony(_ quorum: SimulatedQuorum, _ holders: Roster) -> Intent {
            quorum.intent(
                .keyCeremony(
                    KeyCeremony(
                        occasion: .keyGeneration, scheme: .ecdsaSecp256k1, kind: .main,
                        threshold: SigningThreshold(2, of: holders.identities.count)!,
                        holders: holders, source: nil)!))
        }
        let waits = try judge(knowsKey: false) { ceremony($0, $0.roster) }
        #expect(code(waits) == "wait ceremony_unconfirmed")
        let second = try judge { ceremony($0, $0.roster) }
        #expect(code(second) == "refuse ceremony_mismatch", "a group keeps its key")
        let foreign = try judge(knowsKey: false) { quorum in
            ceremony(
                quorum,
                Roster(
                    Array(quorum.roster.identities.dropFirst()),
                    Array(quorum.roster.indices.dropFirst()))!)
        }
        #expect(code(foreign) == "refuse ceremony_not_for_us")
    }

    @Test func `rules say what is wrong with them`() throws {
        func rules(_ change: (inout [String: String]) -> Void) throws -> HolderRules {
            var limits = ["mostPerTransaction": "1", "mostPerDay": "2", "mostFee": "3"]
            change(&limits)
            let file = HolderRulesFile(
                environment: .sandbox, chains: [.eip155(1)],
                assets: [
                    .native(.eip155(1)): .init(
                        mostPerTransaction: limits["mostPerTransaction"]!,
                        mostPerDay: limits["mostPerDay"]!, mostFee: limits["mostFee"]!)
                ])
            return try file.rules(hashing: [1])
        }
        #expect(throws: Never.self) { try rules { _ in } }
        for (seconds, isGood) in [(0, true), (31_536_000, true), (31_536_001, false), (-1, false)] {
            let file = HolderRulesFile(
                environment: .sandbox, chains: [], assets: [:], addressCoolingSeconds: seconds)
            #expect(((try? file.rules(hashing: [1])) != nil) == isGood, "\(seconds)")
        }
        for bad in ["", "-1", "1.5", "1e3", "01", " 1", "0x1", String(repeating: "9", count: 40)] {
            #expect(throws: HolderRulesFile.Invalid.self, "\(bad)") {
                try rules { $0["mostFee"] = bad }
            }
        }
    }
}
