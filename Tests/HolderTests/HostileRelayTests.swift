import Algebra
import Canonical
import Chains
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// A relay without the intent key, and a platform with it, against real holders.
@Suite(.serialized) struct `Hostile requests` {
    private func quorum(_ seed: String) throws -> SimulatedQuorum {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: seed)
        try quorum.generateKey()
        return quorum
    }

    private func changed(
        _ intent: Intent, request: UInt8? = nil, expires: UInt64? = nil, epoch: UInt64? = nil,
        _ change: (TransferOrder) -> TransferOrder = { $0 }
    ) -> Intent {
        guard case .transfer(let order) = intent.purpose else { return intent }
        return Intent(
            environment: intent.environment, tenant: intent.tenant, vault: intent.vault,
            request: request.map { RequestID(unchecked: [UInt8](repeating: $0, count: 16)) }
                ?? intent.request,
            group: intent.group, epoch: epoch ?? intent.epoch, purpose: .transfer(change(order)),
            notBefore: intent.notBefore, expires: expires ?? intent.expires, policy: intent.policy)
    }

    private func order(
        _ order: TransferOrder, chain: ChainID? = nil, path: AccountPath? = nil,
        to: String? = nil, amount: Amount? = nil, nonce: UInt64? = nil, fee: EVMFeeLimit? = nil
    ) -> TransferOrder {
        TransferOrder(
            chain: chain ?? order.chain, sourcePath: path ?? order.sourcePath,
            sourceAddress: order.sourceAddress,
            output: .init(
                asset: order.output.asset, address: to ?? order.output.address,
                amount: amount ?? order.output.amount), nonce: nonce ?? order.nonce,
            fee: fee ?? order.fee)
    }

    /// Each change that a relay can make to an intent on its way.
    private func mutations(_ intent: Intent) -> [(String, Intent)] {
        let thief = EVMAddress(unchecked: [UInt8](repeating: 0x66, count: 20)).text
        return [
            ("recipient", changed(intent) { order($0, to: thief) }),
            ("amount", changed(intent) { order($0, amount: Amount(999_999)) }),
            ("chain id", changed(intent) { order($0, chain: .eip155(1)) }),
            ("nonce", changed(intent) { order($0, nonce: 9) }),
            (
                "fee",
                changed(intent) {
                    order(
                        $0,
                        fee: EVMFeeLimit(
                            gasLimit: 21_000, maxFeePerGas: 2_000_000_000, maxPriorityFeePerGas: 1)!
                    )
                }
            ),
            (
                "path",
                changed(intent) { order($0, path: AccountPath(coin: 60, vaultIndex: 6, number: 0)) }
            ),
            ("request id", changed(intent, request: 7)),
            ("expiry", changed(intent, expires: intent.expires + 3600)),
            ("epoch", changed(intent, epoch: 2)),
        ]
    }

    @Test func `a relay that changes an intent gets no verdict from anyone`() throws {
        let quorum = try quorum("relay changes")
        let intent = quorum.intent(.transfer(quorum.order()))
        let honest = quorum.sign(intent.digest)
        for (name, other) in mutations(intent) {
            for index in 0..<3 {
                quorum.post(.offer(intent: other.bytes, signature: honest), to: index)
            }
            try quorum.run()
            #expect(quorum.verdicts.allSatisfy { $0.verdict.intent != other.digest }, "\(name)")
            quorum.proposeSigning(other, quorum.order(), [0, 1])
            try quorum.run()
            #expect(quorum.signatures.isEmpty, "\(name)")
        }
        let dropped = quorum.notes.filter {
            $0.text == "dropped an intent that the platform key did not sign"
        }
        #expect(dropped.count == 3 * mutations(intent).count)
        let stored = try quorum.members[0].database.commit {
            try quorum.members[0].database.intent(intent.digest)
        }
        #expect(stored == nil)
    }

    @Test func `a relay that proposes another transaction than was approved gets no Ready`() throws
    {
        let quorum = try quorum("relay proposes")
        let honest = quorum.order()
        let intent = quorum.intent(.transfer(honest))
        quorum.offer(intent)
        try quorum.run()
        for (name, other) in mutations(intent) {
            guard case .transfer(let order) = other.purpose else { continue }
            let items = quorum.items(order)
            guard items != quorum.items(honest) else { continue }
            quorum.propose(
                intent,
                .signing(
                    certificate: quorum.certificate!.verified()!.digest, items: items,
                    quorum.places(of: [0, 1])))
            try quorum.run()
            #expect(
                quorum.reports.last?.report.reason
                    == "the run would sign something else than was approved", "\(name)")
        }
        #expect(quorum.signatures.isEmpty)
        #expect(
            quorum.envelopes.allSatisfy {
                $0.envelope.header.kind != .ready
                    || $0.envelope.header.run.bytes != intent.digest.bytes
            })
    }

    @Test func `17 a run of the wrong quorum, key or time is refused at Ready`() throws {
        let quorum = try quorum("wrong runs")
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        let items = quorum.items(order)
        let before = quorum.envelopes.count
        func last(_ propose: () -> Void) throws -> String {
            propose()
            try quorum.run()
            return quorum.reports.last?.report.reason ?? ""
        }
        #expect(
            try last { quorum.proposeSigning(intent, order, [0, 1, 2]) }.contains(
                "not of its threshold"))
        #expect(
            try last {
                quorum.propose(
                    intent,
                    .signing(certificate: .sha256([]), items: items, quorum.places(of: [0, 1])))
            } == "the group's key is not one that signs this")
        #expect(
            try last { quorum.proposeSigning(intent, order, [0, 1], expiresIn: 0) }.contains(
                "time is over"))
        #expect(
            try last { quorum.proposeSigning(intent, order, [0, 1], expiresIn: 10_000) }.contains(
                "too long"))
        #expect(
            try last {
                let two = SigningThreshold(2, of: 2)!
                let holders = quorum.places(of: [0, 1])
                quorum.propose(
                    intent,
                    .keyCeremony(
                        SharingPlan(kind: .main, threshold: two, holders: holders, source: nil)!))
            }.contains("another kind"))
        let unknown = quorum.intent(.transfer(quorum.order(nonce: 5)))
        #expect(
            try last { quorum.proposeSigning(unknown, order, [0, 1]) }.contains(
                "no approved intent"))
        #expect(quorum.envelopes.count == before)
        #expect(quorum.signatures.isEmpty)
    }

    @Test func `17 a run with a stranger, or with members in each other's places, is refused`()
        throws
    {
        let quorum = try quorum("strangers")
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        let before = quorum.envelopes.count
        let own = quorum.members[0].identity
        let peer = quorum.members[1].identity
        let stranger = IdentityKey(seed: SecretBytes(copying: [UInt8](repeating: 5, count: 32)))!
            .publicKey
        let (one, two, four) = (
            ParticipantIndex(1)!, ParticipantIndex(2)!, ParticipantIndex(4)!
        )
        let rosters: [[(IdentityPublicKey, ParticipantIndex)]] = [
            [(own, one), (stranger, two)], [(own, two), (peer, one)], [(own, one), (peer, four)],
        ]
        for members in rosters {
            let sorted = members.sorted { $0.0 < $1.0 }
            let descriptor = RunDescriptor(
                request: intent.request, attempt: 1, intent: intent.digest, group: intent.group,
                epoch: 1, scheme: .ecdsaSecp256k1,
                purpose: .signing(
                    certificate: quorum.certificate!.verified()!.digest,
                    items: quorum.items(order), Roster(sorted.map(\.0), sorted.map(\.1))!),
                expires: SimulatedQuorum.start + 60)
            try quorum.handle(.run(descriptor: descriptor.bytes, source: []), by: 0)
            #expect(
                quorum.reports.last?.report.reason
                    == "the quorum is not of this group, or not of its threshold")
        }
        #expect(quorum.envelopes.count == before)
    }

    @Test func `an old intent offered again, or after its end, signs nothing new`() throws {
        let quorum = try quorum("replay")
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order), lifetime: 100)
        quorum.offer(intent)
        try quorum.run()
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        let signatures = try #require(quorum.signatures[intent.digest])
        let sent = quorum.envelopes.count
        // Offered again, it answers with the verdict and the signature that there is.
        quorum.offer(intent)
        try quorum.run()
        #expect(quorum.envelopes.count == sent)
        #expect(quorum.signatures[intent.digest]?[0]?.first == signatures[0]?.first)
        try quorum.tick(200)
        let second = quorum.intent(.transfer(quorum.order(nonce: 1)), lifetime: 100, request: 2)
        quorum.offer(second)
        try quorum.run()
        let refusal = try #require(quorum.verdicts.last?.verdict.verdict)
        guard case .refusal(let reason) = refusal else {
            Issue.record("\(refusal)")
            return
        }
        #expect(reason.code == .expired)
    }

    @Test func `a relay that swaps, repeats and mixes envelopes gets no second signature`() throws {
        let quorum = try quorum("swaps")
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        let old = quorum.envelopes.map(\.envelope.bytes)
        let second = quorum.order(amount: 5000, nonce: 1)
        let other = quorum.intent(.transfer(second), request: 2)
        quorum.offer(other)
        try quorum.run()
        var random = TestRandom("swap order")
        quorum.relay = { transit in
            guard case .envelope(let bytes) = transit.input else { return [transit] }
            let replays = random.shuffled(old).prefix(6).map {
                SimulatedQuorum.Transit(to: random.integer(below: 3), input: .envelope($0))
            }
            let misdirected = SimulatedQuorum.Transit(to: 2, input: .envelope(bytes))
            return replays + [misdirected, transit, transit]
        }
        quorum.proposeSigning(other, second, [0, 1])
        try quorum.run()
        #expect(quorum.signatures[other.digest]?.count == 2)
        #expect(quorum.signatures[other.digest]?[0] == quorum.signatures[other.digest]?[1])
        // One last message of each member and run, whatever was repeated.
        let lasts = quorum.envelopes.filter { $0.envelope.header.round == 3 }
        #expect(lasts.count == 4)
    }

    @Test func `a platform with the key is bound by each holder's own rules`() throws {
        let quorum = try quorum("hostile platform")
        let thief = EVMAddress(unchecked: [UInt8](repeating: 0x66, count: 20)).text
        let order = quorum.order()
        let rows: [(String, Intent, RefusalCode)] = [
            (
                "above the limit",
                quorum.intent(.transfer(quorum.order(amount: 1_000_001)), request: 2),
                .amountAboveLimit
            ),
            (
                "lies about the source path",
                quorum.intent(
                    .transfer(
                        self.order(order, path: AccountPath(coin: 60, vaultIndex: 9, number: 0))),
                    request: 3), .wrongSource
            ),
            (
                "hides a higher fee",
                quorum.intent(
                    .transfer(quorum.order(maxFee: 5_000_000_000)), request: 4), .feeAboveLimit
            ),
            (
                "hides a fee in gas",
                quorum.intent(.transfer(quorum.order(gas: 10_000_000)), request: 5), .feeAboveLimit
            ),
            (
                "another chain",
                quorum.intent(
                    .transfer(self.order(order, chain: .eip155(1), to: thief)), request: 6),
                .chainNotServed
            ),
        ]
        for (name, intent, code) in rows {
            quorum.offer(intent)
            try quorum.run()
            let said = quorum.verdicts.filter { $0.verdict.intent == intent.digest }
            #expect(said.count == 3, "\(name)")
            for (_, verdict) in said {
                guard case .refusal(let reason) = verdict.verdict else {
                    Issue.record("\(name): \(verdict.verdict)")
                    continue
                }
                #expect(reason.code == code, "\(name)")
                #expect(reason.sentence.count > 20, "\(name)")
            }
            quorum.proposeSigning(intent, order, [0, 1])
            try quorum.run()
            #expect(quorum.signatures.isEmpty, "\(name)")
        }
    }

    @Test func `a platform cannot pass a day's limit by asking often`() throws {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "day")
        // Room for two: each counts 1000 and its fee of at most 21,000 gas at 10^9.
        for member in quorum.members {
            member.rules = SimulatedQuorum.rules(perDay: 2 * 21_000_000_001_000)
        }
        for index in 0..<3 { quorum.restart(index) }
        try quorum.generateKey()
        var approved = 0
        for number in UInt8(1)...5 {
            let intent = quorum.intent(
                .transfer(quorum.order(nonce: UInt64(number))), request: number)
            quorum.offer(intent)
            try quorum.run()
            if case .approval = quorum.verdicts.last?.verdict.verdict { approved += 1 }
        }
        #expect(approved == 2)
        guard case .waiting(let reason) = quorum.verdicts.last?.verdict.verdict else {
            Issue.record("a full counter waits")
            return
        }
        #expect(reason.code == .dailyLimit)
        // A restart forgets nothing; a day later there is room again.
        for index in 0..<3 { quorum.restart(index) }
        let late = quorum.intent(.transfer(quorum.order(nonce: 9)), lifetime: 7200, request: 9)
        quorum.offer(late)
        try quorum.run()
        guard case .waiting = quorum.verdicts.last?.verdict.verdict else {
            Issue.record("the counter survives a restart")
            return
        }
    }

    @Test func `a clock that jumps ahead freezes the holder; one that runs back changes nothing`()
        throws
    {
        let quorum = try quorum("clock")
        let member = quorum.members[0]
        try quorum.handle(.tick, by: 0)
        member.wall += 7200
        member.monotonic += 5
        let intent = quorum.intent(.transfer(quorum.order()), lifetime: 80_000)
        quorum.offer(intent, to: [0])
        try quorum.run()
        guard case .waiting(let reason) = quorum.verdicts.last?.verdict.verdict else {
            Issue.record("a frozen holder waits")
            return
        }
        #expect(reason.code == .frozen)
        // The clock is set right again, the operator thaws, and the jump has left nothing behind.
        member.wall -= 7195
        try member.database.commit { try member.database.thaw() }
        let timely = quorum.intent(.transfer(quorum.order()), lifetime: 1000, request: 2)
        quorum.offer(timely, to: [0])
        try quorum.run()
        guard case .approval = quorum.verdicts.last?.verdict.verdict else {
            Issue.record("a time that was not believed is not kept")
            return
        }
        member.wall += 2000
        member.monotonic += 2000
        try quorum.handle(.tick, by: 0)
        member.wall -= 100_000
        let expired = quorum.intent(.transfer(quorum.order()), lifetime: 1000, request: 3)
        quorum.offer(expired, to: [0])
        try quorum.run()
        guard case .refusal(let late) = quorum.verdicts.last?.verdict.verdict else {
            Issue.record("judging time never runs back")
            return
        }
        #expect(late.code == .expired)
    }

    @Test func `garbage is dropped and stores nothing`() throws {
        let quorum = try quorum("garbage")
        var random = TestRandom("garbage")
        let before = quorum.verdicts.count
        for _ in 0..<2000 {
            let bytes = random.bytes(random.integer(below: 200))
            let signature = IdentitySignature(unchecked: random.bytes(64))
            for input: HolderInput in [
                .envelope(bytes), .run(descriptor: bytes, source: bytes), .testimony(bytes),
                .offer(intent: bytes, signature: signature),
                .close(intent: .sha256(bytes), signature: signature),
            ] {
                try quorum.handle(input, by: 0)
            }
        }
        #expect(quorum.verdicts.count == before)
        #expect(try quorum.members[0].database.rowCount(of: "intents") == 1)  // the ceremony's
        #expect(try quorum.members[0].database.rowCount(of: "used_descriptors") == 1)
    }
}
