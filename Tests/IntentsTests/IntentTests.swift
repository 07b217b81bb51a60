import Algebra
import Canonical
import Chains
import KeyGroups
import TestKit
import Testing

@testable import Intents

@Suite struct `Intents` {
    static let quorum: Result<SimulatedQuorum, any Error> = Result {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "intents")
        try quorum.generateKey()
        return quorum
    }

    private var transfer: Intent {
        get throws {
            let quorum = try Self.quorum.get()
            return quorum.intent(.transfer(quorum.order()))
        }
    }

    private var tokenTransfer: Intent {
        get throws {
            let quorum = try Self.quorum.get()
            return quorum.intent(.transfer(quorum.tokenOrder()))
        }
    }

    private var ceremony: Intent {
        get throws {
            let quorum = try Self.quorum.get()
            return quorum.intent(
                .keyCeremony(
                    KeyCeremony(
                        occasion: .keyGeneration, scheme: .ecdsaSecp256k1, kind: .main,
                        threshold: quorum.threshold, holders: quorum.roster, source: nil)!))
        }
    }

    private var announcement: Intent {
        get throws {
            try Self.quorum.get().intent(
                .announcement(Announcement(.add, SimulatedQuorum.stranger, on: .eip155(1))))
        }
    }

    private func message(_ message: EVMMessage) throws -> Intent {
        let quorum = try Self.quorum.get()
        let order = quorum.order()
        return quorum.intent(
            .message(
                MessageOrder(
                    chain: order.chain, sourcePath: order.sourcePath,
                    sourceAddress: order.sourceAddress, message: message)))
    }

    @Test func `of a message hold as much as one may have, and no more`() throws {
        let most = [UInt8](repeating: 7, count: EVMMessage.byteLimit)
        let intent = try message(.personal(most))
        #expect(try Intent(intent.bytes) == intent)
        let over = try message(.personal(most + [7]))
        #expect(throws: MalformedBytes.self) { try Intent(over.bytes) }
        // The same bytes as a person's message and as typed data are two intents.
        #expect(try message(.personal([1])).digest != message(.typed([1])).digest)
        guard case .map(var fields) = try CBOR.decode(intent.bytes) else { return }
        fields[14] = .map([1: .unsigned(3), 2: .bytes([1])])
        #expect(throws: MalformedBytes.self) { try Intent(CBOR.map(fields).encoded()) }
        fields[14] = nil
        #expect(throws: MalformedBytes.self) { try Intent(CBOR.map(fields).encoded()) }
    }

    @Test func `are read as they are written, and no other way`() throws {
        let messages = [try message(.personal([1, 2])), try message(.typed(Array("{}".utf8)))]
        for intent in [try transfer, try tokenTransfer, try ceremony, try announcement] + messages {
            #expect(try Intent(intent.bytes) == intent)
            var random = TestRandom("intents")
            for _ in 0..<3000 {
                var bytes = intent.bytes
                bytes[random.integer(below: bytes.count)] ^= 1 << UInt8(random.integer(below: 8))
                if let other = try? Intent(bytes) {
                    #expect(other.bytes == bytes)
                    #expect(other.digest != intent.digest)
                }
            }
        }
    }

    /// The bytes are fixed early and change only by version: this is version 1.
    @Test func `have frozen bytes`() throws {
        let order = TransferOrder(
            chain: .eip155(1), sourcePath: AccountPath(coin: 60, vaultIndex: 1, number: 2)!,
            sourceAddress: "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
            output: .init(
                asset: .native(.eip155(1)), address: "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF",
                amount: Amount(baseUnits: "20000000000000000000")!),
            nonce: 7,
            fee: EVMFeeLimit(gasLimit: 21_000, maxFeePerGas: 5, maxPriorityFeePerGas: 1)!)
        func id(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 16) }
        let intent = Intent(
            environment: .production, tenant: TenantID(unchecked: id(1)),
            vault: VaultID(unchecked: id(2)), request: RequestID(unchecked: id(3)),
            group: GroupID(unchecked: id(4)), epoch: 5, purpose: .transfer(order), notBefore: 1000,
            expires: 2000, policy: .sha256([]))
        for (epoch, expires) in [(UInt64.max, 2000), (5, UInt64.max), (5, Intent.timeMost + 1)] {
            let impossible = Intent(
                environment: .production, tenant: intent.tenant, vault: intent.vault,
                request: intent.request, group: intent.group, epoch: epoch,
                purpose: .transfer(order), notBefore: 1000, expires: expires, policy: .sha256([]))
            #expect(throws: MalformedBytes.self) { try Intent(impossible.bytes) }
        }
        let tag = Digest.sha256(Array("quorumkeep/intent/v1".utf8)).bytes
        #expect(intent.digest == Digest.sha256(tag + tag + intent.bytes))
        #expect(
            Hex.encode(intent.bytes)
                == "b0010102010350" + Hex.encode(id(1)) + "0450" + Hex.encode(id(2)) + "0550"
                + Hex.encode(id(3)) + "0650" + Hex.encode(id(4)) + "070508010968"
                + Hex.encode(Array("eip155:1".utf8)) + "0aa2016d"
                + Hex.encode(Array("m/44/60/1/0/2".utf8))
                + "02782a" + Hex.encode(Array(order.sourceAddress.utf8)) + "0b81a30172"
                + Hex.encode(Array("eip155:1/slip44:60".utf8)) + "02782a"
                + Hex.encode(Array(order.output.address.utf8)) + "03c2490" + "1158e460913d00000"
                + "0c070da30119520802050301" + "0f1903e8101907d0115820" + Digest.sha256([]).hex)
    }

    @Test func `that announce have frozen bytes too, and no others`() throws {
        let address = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
        let intent = try Self.quorum.get().intent(
            .announcement(Announcement(.remove, address, on: .eip155(1))))
        let map =
            "a301020268" + Hex.encode(Array("eip155:1".utf8)) + "03782a"
            + Hex.encode(Array(address.utf8))
        #expect(Hex.encode(intent.bytes).contains("080609" + map + "0f1a"))
        guard case .map(let fields) = try CBOR.decode(intent.bytes),
            case .map(let inner)? = fields[9]
        else { return }
        func refused(_ change: (inout [UInt64: CBOR]) -> Void) -> Bool {
            var (changed, outer) = (inner, fields)
            change(&changed)
            outer[9] = .map(changed)
            return (try? Intent(CBOR.map(outer).encoded())) == nil
        }
        #expect(!refused { _ in })
        for change: UInt64 in [0, 3] { #expect(refused { $0[1] = .unsigned(change) }) }
        #expect(refused { $0[2] = .text("eip155:01") })
        #expect(refused { $0[3] = .text(String(repeating: "0", count: 129)) })
        #expect(refused { $0[4] = .text("a tag, where no chain has any") })
        for key in inner.keys { #expect(refused { $0[key] = nil }) }
    }

    @Test func `of an unknown kind, version or field are refused`() throws {
        let good = try transfer
        guard case .map(let fields) = try CBOR.decode(good.bytes) else { return }
        func refused(_ change: (inout [UInt64: CBOR]) -> Void) -> Bool {
            var changed = fields
            change(&changed)
            return (try? Intent(CBOR.map(changed).encoded())) == nil
        }
        #expect(!refused { _ in })
        #expect(refused { $0[1] = .unsigned(2) })
        #expect(refused { $0[2] = .unsigned(2) })
        for kind: UInt64 in [0, 2, 3, 4, 5, 6, 7] { #expect(refused { $0[8] = .unsigned(kind) }) }
        #expect(refused { $0[14] = .bytes([]) })
        #expect(refused { $0[99] = .unsigned(0) })
        #expect(refused { $0[9] = .text("eip155:031337") })
        #expect(refused { $0[10] = .map([1: .text("m/44/60/5/1/0"), 2: .text("x")]) })
        #expect(refused { $0[10] = .map([1: .text("m/44/60/05/0/0"), 2: .text("x")]) })
        #expect(refused { $0[11] = .array([]) })
        #expect(refused { $0[12] = nil })
        for key in fields.keys { #expect(refused { $0[key] = nil }) }
        #expect(refused { $0[13] = .map([1: .unsigned(1), 2: .unsigned(1), 3: .unsigned(2)]) })
    }

    @Test func `a verdict is its holder's alone`() throws {
        let key = IdentityKey(seed: SecretBytes(copying: [UInt8](repeating: 1, count: 32)))!
        let digest = Digest.sha256([1])
        let verdicts: [Verdict] = [
            .approval(digests: [.sha256([2])]), .refusal(.init(.expired, "late")),
            .waiting(.init(.frozen, "frozen")), .closed, .given,
        ]
        for verdict in verdicts {
            let signed = SignedVerdict(
                verdict, on: digest, rules: .sha256([3]), at: 5, signedBy: key)
            #expect(try SignedVerdict(signed.bytes) == signed)
            for at in signed.bytes.indices {
                var bytes = signed.bytes
                bytes[at] ^= 1
                #expect((try? SignedVerdict(bytes)) == nil, "byte \(at) of \(verdict.name)")
            }
        }
    }

    @Test func `a ceremony's fingerprint names group, threshold, holders, places and key`() throws {
        let quorum = try Self.quorum.get()
        let (group, threshold) = (quorum.group, quorum.threshold)
        let (holders, indices) = (quorum.roster, quorum.roster.indices)
        func fingerprint(
            _ threshold: SigningThreshold, _ holders: Roster, of group: GroupID,
            _ occasion: KeyCeremony.Occasion = .keyGeneration, kind: GroupKind = .main,
            source: KeyCeremony.Source? = nil
        ) throws -> String {
            try #require(
                KeyCeremony(
                    occasion: occasion, scheme: .ecdsaSecp256k1, kind: kind, threshold: threshold,
                    holders: holders, source: source)
            ).fingerprint(of: group)
        }
        let other = GroupID(unchecked: [UInt8](repeating: 8, count: 16))
        let swapped = Roster(holders.identities, [indices[1], indices[0], indices[2]])!
        func source(_ key: UInt8) -> KeyCeremony.Source {
            KeyCeremony.Source(group: other, epoch: 1, certificate: .sha256([]), publicKey: [key])
        }
        let all = [
            try fingerprint(threshold, holders, of: group),
            try fingerprint(threshold, holders, of: other),
            try fingerprint(SigningThreshold(3, of: 3)!, holders, of: group),
            try fingerprint(threshold, swapped, of: group),
            try fingerprint(threshold, holders, of: group, .recovery, source: source(1)),
            try fingerprint(threshold, holders, of: group, .recovery, source: source(2)),
            try fingerprint(
                threshold, holders, of: group, .fromKeyGroup, kind: .signing, source: source(1)),
            try fingerprint(
                threshold, holders, of: group, .fromKeyGroup, kind: .recovery, source: source(1)),
        ]
        #expect(Set(all).count == all.count)
        #expect(all.allSatisfy { $0.count == 39 })
    }

    @Test func `a ceremony that cannot be is none`() throws {
        let quorum = try Self.quorum.get()
        let source = KeyCeremony.Source(
            group: quorum.group, epoch: 1, certificate: .sha256([]), publicKey: [1])
        let impossible: [(KeyCeremony.Occasion, GroupKind, KeyCeremony.Source?)] = [
            (.keyGeneration, .main, source), (.keyGeneration, .signing, nil),
            (.fromKeyGroup, .main, source), (.fromKeyGroup, .signing, nil),
            (.recovery, .recovery, source), (.recovery, .main, nil), (.refresh, .main, nil),
        ]
        for (occasion, kind, source) in impossible {
            #expect(
                KeyCeremony(
                    occasion: occasion, scheme: .ecdsaSecp256k1, kind: kind,
                    threshold: quorum.threshold, holders: quorum.roster, source: source) == nil)
        }
    }
}
