import Algebra
import Canonical
import Chains
import Foundation
import KeyGroups
import SwiftProtobuf
import TestKit
import Wire

@testable import Holder
@testable import Intents
@testable import quorumkeep_node

/// What a holder is offered, and what holders and relay say to each other.
extension Decoders {
    private static let order = TransferOrder(
        chain: .eip155(1), sourcePath: AccountPath(coin: 60, vaultIndex: 1, number: 2)!,
        sourceAddress: "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
        output: .init(
            asset: .native(.eip155(1)), address: "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF",
            amount: Amount(baseUnits: "20000000000000000000")!),
        nonce: 7, fee: EVMFeeLimit(gasLimit: 21_000, maxFeePerGas: 5, maxPriorityFeePerGas: 1)!)

    private static let tokenOrder = TransferOrder(
        chain: order.chain, sourcePath: order.sourcePath, sourceAddress: order.sourceAddress,
        output: .init(
            asset: .erc20(.eip155(1), EVMAddress(unchecked: random("token", 20))),
            address: order.output.address, amount: Amount(UInt32(7))),
        nonce: 8, fee: order.fee)

    /// To an address of the same root key.
    private static let ownOrder = TransferOrder(
        chain: order.chain, sourcePath: order.sourcePath, sourceAddress: order.sourceAddress,
        output: .init(
            asset: order.output.asset, address: order.output.address, amount: order.output.amount,
            ownPath: AccountPath(coin: 60, vaultIndex: 1, number: 3)!),
        nonce: 9, fee: order.fee)

    private static func intent(_ purpose: Intent.Purpose) -> Intent {
        Intent(
            environment: .sandbox, tenant: TenantID(unchecked: random("t", 16)),
            vault: VaultID(unchecked: random("v", 16)),
            request: RequestID(unchecked: random("r", 16)),
            group: GroupID(unchecked: random("g", 16)), epoch: 1, purpose: purpose,
            notBefore: 1000, expires: 2000, policy: .sha256([]))
    }

    static let intentBytes: [[UInt8]] = [
        intent(.transfer(order)).bytes, intent(.transfer(tokenOrder)).bytes,
        intent(.transfer(ownOrder)).bytes,
        intent(
            .keyCeremony(
                KeyCeremony(
                    occasion: .keyGeneration, scheme: .ecdsaSecp256k1, kind: .main,
                    threshold: threshold2of3, holders: roster, source: nil)!)
        ).bytes,
        intent(
            .keyCeremony(
                KeyCeremony(
                    occasion: .recovery, scheme: .ed25519, kind: .main, threshold: threshold2of3,
                    holders: roster,
                    source: KeyCeremony.Source(
                        group: GroupID(unchecked: random("s", 16)), epoch: 3,
                        certificate: .sha256([4]), publicKey: random("k", 32)))!)
        ).bytes,
        intent(.announcement(Announcement(.add, order.output.address, on: order.chain))).bytes,
        intent(.announcement(Announcement(.remove, order.output.address, on: order.chain))).bytes,
        intent(.message(message(.personal(Array("hello".utf8))))).bytes,
        intent(.message(message(.typed(typedData)))).bytes,
        intent(.contractCall(CallOrder(payment: order, data: [1, 2, 3, 4])!)).bytes,
    ]

    private static func message(_ message: EVMMessage) -> MessageOrder {
        MessageOrder(
            chain: order.chain, sourcePath: order.sourcePath, sourceAddress: order.sourceAddress,
            message: message)
    }

    private static let typedData = Array(
        #"""
        {"types":{"EIP712Domain":[{"name":"chainId","type":"uint256"},{"name":"salt",\#
        "type":"bytes32"}],"Order":[{"name":"legs","type":"Leg[2][]"},{"name":"note",\#
        "type":"string"}],"Leg":[{"name":"to","type":"address"},{"name":"amount","type":"int64"}]},\#
        "primaryType":"Order","domain":{"chainId":1,"salt":\#
        "0x0101010101010101010101010101010101010101010101010101010101010101"},"message":{"legs":\#
        [[{"to":"0x2b5ad5c4795c026514f8317c7a215e218dccd6cf","amount":-5},\#
        {"to":"0x2b5ad5c4795c026514f8317c7a215e218dccd6cf","amount":"7"}]],"note":"x"}}
        """#.utf8)

    private static let verdicts: [[UInt8]] = {
        let said: [Verdict] = [
            .approval(digests: [.sha256([1]), .sha256([2])]), .closed, .given,
            .refusal(.init(.dailyLimit, "too much")), .waiting(.init(.notYet, "soon")),
        ]
        return said.map { verdict in
            sender.with {
                SignedVerdict(
                    verdict, on: .sha256([1]), rules: .sha256([2]), at: 1_800_000_000, signedBy: $0
                ).bytes
            }
        }
    }()

    /// Signs what a mutation made of a verdict, as its holder would.
    @Sendable private static func signAgain(_ bytes: [UInt8]) -> [UInt8] {
        guard case .map(var outer)? = try? CBOR.decode(bytes),
            case .bytes(let content)? = outer[1],
            case .map(let fields)? = try? CBOR.decode(content), case .text(let name)? = fields[1]
        else { return bytes }
        let digest = TaggedHash.digest("quorumkeep/verdict/\(name)/v1", content)
        outer[2] = .bytes(sender.with { $0.publicKey.bytes })
        outer[3] = .bytes(sender.with { $0.sign(digest).bytes })
        return CBOR.map(outer).encoded()
    }

    private static let testimony: [UInt8] = {
        let signature = sender.with { $0.sign(.sha256([5])) }
        return KeyTestimony(
            group: GroupID(unchecked: random("g", 16)), epoch: 1, scheme: .ecdsaSecp256k1,
            certificateDigest: .sha256([1]), signatures: [0: signature, 2: signature],
            activations: [1: signature]
        ).bytes
    }()

    private static let rules = """
        {"version":1,"environment":"sandbox","chains":["eip155:1","eip155:31337"],"assets":\
        {"eip155:1/slip44:60":{"mostPerTransaction":"1","mostPerDay":"2","mostFee":"3"}},\
        "policyHash":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",\
        "freshSetups":true,"addressCoolingSeconds":86400,"messages":{"eip191":{"mostBytes":64},\
        "eip712":[{"chain":"eip155:1","verifyingContract":\
        "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF","primaryType":"Mail"}]},"contracts":[{"chain":"eip155:1","address":\
        "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF","selectors":["0x01020304"],"mostValue":"1"}]}
        """

    static let intents: [Decoder] = [
        Decoder(
            name: "EVMTypedData",
            form: .text(["\"", "{", "}", "[", "]", ":", ",", "uint8", "0x", "-"]),
            limit: EVMMessage.byteLimit, seeds: [typedData]
        ) { bytes in
            // It is hashed and never written.
            (try? EVMTypedData(bytes)).map { _ in bytes }
        },
        Decoder(name: "Intent", form: .cbor, limit: CBOR.byteLimit, seeds: intentBytes) {
            try? Intent($0).bytes
        },
        Decoder(
            name: "SignedVerdict", form: .cbor, limit: SignedVerdict.byteLimit,
            seeds: verdicts, repair: signAgain
        ) { try? SignedVerdict($0).bytes },
        Decoder(
            name: "KeyTestimony", form: .cbor, limit: KeyTestimony.byteLimit, seeds: [testimony]
        ) { bytes in
            guard let testimony = try? KeyTestimony(bytes) else { return nil }
            _ = testimony.knowsMore(than: testimony)
            return testimony.bytes
        },
        .text(
            "AccountPath", seeds: ["m/44/60/0/0/7", "m/44/0/2147483647/0/0"],
            pieces: ["m/", "/44", "/", "0", "2147483648", "'", "+", "-"]
        ) { AccountPath(text: $0)?.text },
        .text(
            "EntityID", seeds: [TenantID(random: random("t", 16)).text],
            pieces: ["-", "a", "F", "0", "\u{301}"]
        ) { TenantID(text: $0)?.text },
        .text("CustodyEnvironment", seeds: ["sandbox", "production"], pieces: ["s", "x"]) {
            CustodyEnvironment(name: $0)?.name
        },
        Decoder(
            name: "holder rules file", form: .text(["\"", "{", "}", ":", ",", "null", "eip155:"]),
            limit: HolderRulesFile.byteLimit, seeds: [Array(rules.utf8)]
        ) { bytes in
            // Rules are not written by the program: what is read is what was in the file.
            (try? HolderRulesFile.read(Data(bytes))).map { _ in bytes }
        },
    ]

    private static let frames: [[UInt8]] = {
        let signature = Data(sender.with { $0.sign(.sha256([5])).bytes })
        let frames: [RelayWire.FromRelay] = [
            .with { $0.challenge.nonce = Data(random("c", 32)) },
            .with {
                $0.offer.intent = Data(intentBytes[0])
                $0.offer.signature = signature
            },
            .with {
                $0.close.intentDigest = Data(Digest.sha256([1]).bytes)
                $0.close.signature = signature
            },
            .with {
                $0.run.descriptor = Data(descriptors[1].bytes)
                $0.run.sourceCertificate = Data(certificate.bytes)
            },
            .with {
                $0.checkUp.groupID = Data(random("g", 16))
                $0.checkUp.challenge = Data(random("c", 32))
            },
            .with { $0.envelope = Data(envelope) },
            .with { $0.testimony = Data(testimony) },
        ]
        return frames.compactMap { try? $0.serializedBytes() }
    }()

    private static let answers: [[UInt8]] = {
        let signature = sender.with { $0.sign(.sha256([5])) }
        let holder = sender.with { $0.publicKey }
        let outputs: [HolderOutput] = [
            .envelope(to: [holder], bytes: envelope),
            .testimony(to: roster.identities, bytes: testimony),
            .signatures(intent: .sha256([1]), []),
            .keyReady(intent: .sha256([1]), certificate: certificate, activations: [signature]),
            .shareProof(
                group: GroupID(unchecked: random("g", 16)), epoch: 2, challenge: random("c", 32),
                proof: random("p", 65)),
            .runEnded(
                RunReport(
                    descriptor: .sha256([1]), intent: .sha256([2]), reason: "timeout",
                    culprits: [holder], missing: [])),
        ]
        return outputs.compactMap { try? $0.frame.serializedBytes() }
    }()

    /// Protobuf has several spellings of a value, and nothing that is signed or hashed is in it.
    static let wire: [Decoder] = [
        Decoder(name: "frame to a holder", isCanonical: false, seeds: frames) { bytes in
            guard let frame = try? RelayWire.FromRelay(serializedBytes: bytes) else { return nil }
            _ = HolderInput(frame)
            return try? frame.serializedBytes()
        },
        Decoder(name: "frame from a holder", isCanonical: false, seeds: answers) { bytes in
            let frame = try? RelayWire.FromNode(serializedBytes: bytes)
            return frame.flatMap { try? $0.serializedBytes() }
        },
    ]
}
