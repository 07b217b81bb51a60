import Algebra
import Canonical
import Chains
import Foundation
import Intents
import KeyGroups

/// What a holder asks its operator's callback servers: the same words as Cobo's callback protocol,
/// version 2 (docs/protocols/callback.md).
public struct Consultation: Sendable {
    /// What is decided: the intent's digest, or that of a check-up.
    public let subject: Digest
    /// Who asks.
    public let holder: IdentityPublicKey
    public let words: RequestWords
    /// Who has not decided yet.
    public let servers: [CallbackServer]
    /// Unix seconds; nobody is asked afterwards.
    public let expires: UInt64

    public var name: Digest { .requestName(of: subject, at: holder) }
    public var kind: RequestWords.Kind { words.kind }
    public var detail: JSONValue { words.detail }
    public var extra: JSONValue { words.extra }

    /// The package that is sent, JSON.
    var package: [UInt8] {
        JSONValue.object([
            "request_id": .string(name.hex), "request_type": .integer(kind.rawValue),
            "request_detail": .string(detail.text), "extra_info": .string(extra.text),
        ]).bytes
    }
}

extension Digest {
    /// What a request is called towards the operator's servers. Each holder has a name of its own
    /// for it, so that what a server tells one holder is no answer to another.
    static func requestName(of subject: Digest, at holder: IdentityPublicKey) -> Digest {
        TaggedHash.digest("quorumkeep/request-name/v1", subject.bytes + holder.bytes)
    }
}

/// What a request is, in the words of the protocols of callbacks and events, with nothing in them
/// that this holder has not judged or does not know by itself.
public struct RequestWords: Sendable {
    /// Numbers of the protocol.
    public enum Kind: UInt8, Sendable {
        case keyGeneration = 1
        case signing = 2
        case resharing = 3
        case checkUp = 5
    }

    public let kind: Kind
    public let detail: JSONValue
    public let extra: JSONValue

    /// - Parameters:
    ///   - items: what is signed.
    ///   - key: of the group that signs, as this holder has it.
    ///   - source: what a ceremony deals, if this holder has it.
    init(
        of items: [SigningItem], _ intent: Intent, _ subject: Digest, key: HeldKey?,
        source: HeldKey?
    ) {
        switch intent.purpose {
        case .keyCeremony(let ceremony):
            kind = ceremony.occasion == .keyGeneration ? .keyGeneration : .resharing
            detail = Self.detail(of: ceremony, intent, subject, source)
            extra = Self.extra(of: ceremony, intent, source)
        case .transfer, .contractCall, .message, .announcement:
            kind = .signing
            detail = Self.detail(of: items, intent, subject, key)
            extra = Self.extra(of: intent, key)
        }
    }
}

// Signing.
extension RequestWords {
    private static func detail(
        of items: [SigningItem], _ intent: Intent, _ subject: Digest, _ key: HeldKey?
    ) -> JSONValue {
        .object([
            "group_id": .string(intent.group.hex),
            "root_pub_key": .string(key?.rootText ?? ""),
            // Which of them sign is not chosen before they have approved.
            "used_node_ids": nodes(key?.holders),
            "bip32_path_list": .array(items.map { .string($0.path.description) }),
            "msg_hash_list": .array(items.map { .string($0.digest.hex) }),
            "tweak_list": .array([]),
            "signature_type": .integer(key?.key.scheme.callbackType ?? 0),
            "tss_protocol": .integer(key?.key.scheme.callbackProtocol ?? 3),
            "task_id": .string(subject.hex),
            "biz_task_id": .string(intent.request.text),
        ])
    }

    private static func extra(of intent: Intent, _ key: HeldKey?) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("org", .object(["org_id": .string(intent.tenant.text)])),
            ("wallet", .object(["wallet_id": .string(intent.vault.text)])),
        ]
        if let key {
            members.append(
                (
                    "signer_key_share_holder_group",
                    group(
                        intent.group, key.kind, key.holders, key.key.threshold, key.key.scheme,
                        root: key.rootText)
                ))
        }
        if let source = source(of: intent, key) {
            members += [
                ("source_addresses", .array([source])), ("transaction", transaction(of: intent)),
            ]
        }
        return .object(members.map { JSONValue.Member(name: $0.0, value: $0.1) })
    }

    private static func source(of intent: Intent, _ key: HeldKey?) -> JSONValue? {
        guard let (address, chain, path) = origin(of: intent) else { return nil }
        return .object([
            "address": .string(address), "chain_id": .string(chain.text),
            "path": .string(path.text), "root_pubkey": .string(key?.rootText ?? ""),
        ])
    }

    private static func origin(
        of intent: Intent
    ) -> (address: String, chain: ChainID, path: AccountPath)? {
        if case .message(let order) = intent.purpose {
            return (order.sourceAddress, order.chain, order.sourcePath)
        }
        return intent.payment.map { ($0.sourceAddress, $0.chain, $0.sourcePath) }
    }

    /// The transaction as this holder has rebuilt it. Amounts are in base units and assets have
    /// their CAIP names: a holder knows no others.
    private static func transaction(of intent: Intent) -> JSONValue {
        let time = JSONValue.integer(intent.notBefore * 1000)
        let origin = origin(of: intent)
        let (type, destination) = destination(of: intent)
        var members: [(String, JSONValue)] = [
            ("transaction_id", .string(intent.request.text)),
            ("wallet_id", .string(intent.vault.text)), ("type", .string(type)),
            ("status", .string("PendingSignature")),
            ("chain_id", .string(origin?.chain.text ?? "")),
            (
                "source",
                .object([
                    "source_type": .string("Org-Controlled"),
                    "wallet_id": .string(intent.vault.text),
                    "address": .string(origin?.address ?? ""),
                    "signer_key_share_holder_group_id": .string(intent.group.hex),
                ])
            ),
            ("destination", destination), ("initiator_type", .string("API")),
        ]
        if let payment = intent.payment { members += paid(payment, intent) }
        members += [("created_timestamp", time), ("updated_timestamp", time)]
        return .object(members.map { JSONValue.Member(name: $0.0, value: $0.1) })
    }

    /// The protocol's type of the transaction, and where it goes.
    private static func destination(of intent: Intent) -> (type: String, JSONValue) {
        switch intent.purpose {
        case .contractCall(let order):
            let output = order.payment.output
            let contract = JSONValue.object([
                "destination_type": .string("EVM_Contract"), "address": .string(output.address),
                "value": .string(output.amount.baseUnitText),
                "calldata": .string("0x" + Hex.encode(order.data)),
            ])
            return ("ContractCall", contract)
        case .message(let order): return ("MessageSign", destination(of: order.message))
        case .transfer(let order):
            let address = JSONValue.object([
                "destination_type": .string("Address"),
                "account_output": .object([
                    "address": .string(order.output.address),
                    "amount": .string(order.output.amount.baseUnitText),
                ]),
            ])
            return ("Withdrawal", address)
        case .keyCeremony, .announcement: return ("", .null)
        }
    }

    private static func destination(of message: EVMMessage) -> JSONValue {
        switch message {
        case .personal(let bytes):
            .object([
                "destination_type": .string("EVM_EIP_191_Signature"),
                "message": .string(Data(bytes).base64EncodedString()),
            ])
        case .typed(let text):
            .object([
                "destination_type": .string("EVM_EIP_712_Signature"),
                // It was judged before, so it can be read.
                "structured_data": (try? JSONParser.parse(text)) ?? .null,
            ])
        }
    }

    /// What only a transaction of the chain has.
    private static func paid(
        _ order: TransferOrder, _ intent: Intent
    ) -> [(String, JSONValue)] {
        let note = order.output.ownPath.map { "to this key's own address at \($0.text)" }
        return [
            ("token_id", .string(order.output.asset.text)),
            (
                "fee",
                .object([
                    "fee_type": .string("EVM_EIP_1559"),
                    "token_id": .string(order.output.asset.feeAsset.text),
                    "max_fee_per_gas": .string(String(order.fee.maxFeePerGas)),
                    "max_priority_fee_per_gas": .string(String(order.fee.maxPriorityFeePerGas)),
                    "gas_limit": .string(String(order.fee.gasLimit)),
                ])
            ),
            (
                "raw_tx_info",
                .object([
                    "used_nonce": .integer(order.nonce),
                    "unsigned_raw_tx": .string(
                        "0x" + Hex.encode(intent.transaction?.unsignedBytes ?? [])),
                ])
            ),
            ("description", .string(note ?? "")),
        ]
    }
}

// Check-ups.
extension RequestWords {
    /// - Parameters:
    ///   - keys: the group's keys that are active; there is at least one.
    ///   - challenge: names the check-up at the platform.
    init(
        ofCheckUp subject: Digest, _ group: GroupID, _ keys: [KeyRecord], _ challenge: [UInt8],
        by holder: IdentityPublicKey
    ) {
        kind = .checkUp
        let message = JSONValue.string(Hex.encode(challenge))
        detail = .object([
            "node_id": .string(holder.hex),
            "details": .array([.object(["group_id": .string(group.hex), "message": message])]),
            "task_id": .string(subject.hex), "biz_task_id": message,
        ])
        extra = .object([
            "validity_key_share_holder_groups": .array(
                keys.map {
                    Self.group(
                        group, $0.kind, $0.roster, $0.key.threshold, $0.scheme,
                        root: $0.key.rootText)
                })
        ])
    }
}

// Key ceremonies.
extension RequestWords {
    private static func detail(
        of ceremony: KeyCeremony, _ intent: Intent, _ subject: Digest, _ source: HeldKey?
    ) -> JSONValue {
        let (task, request) = (subject.hex, intent.request.text)
        guard let dealt = ceremony.source else {
            return .object([
                "threshold": .integer(ceremony.threshold.required),
                "node_ids": nodes(ceremony.holders),
                "curve": .integer(ceremony.scheme.callbackCurve),
                "task_id": .string(task), "biz_task_id": .string(request),
            ])
        }
        return .object([
            "old_group_id": .string(dealt.group.hex),
            // Who only receives has no chain code yet.
            "root_pub_key": .string(source?.rootText ?? "0x" + Hex.encode(dealt.publicKey)),
            "curve": .integer(ceremony.scheme.callbackCurve),
            "used_node_ids": nodes(source?.holders),
            "old_threshold": .integer(source?.key.threshold.required ?? 0),
            "new_threshold": .integer(ceremony.threshold.required),
            "new_node_ids": nodes(ceremony.holders),
            "task_id": .string(task), "biz_task_id": .string(request),
        ])
    }

    private static func extra(
        of ceremony: KeyCeremony, _ intent: Intent, _ source: HeldKey?
    ) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("org", .object(["org_id": .string(intent.tenant.text)])),
            ("vault", .object(["vault_id": .string(intent.vault.text)])),
            (
                "target_key_share_holder_group",
                group(
                    intent.group, ceremony.kind, ceremony.holders, ceremony.threshold,
                    ceremony.scheme, root: source?.rootText ?? "")
            ),
            (
                "tss_request",
                .object([
                    "tss_request_id": .string(intent.request.text),
                    "target_key_share_holder_group_id": .string(intent.group.hex),
                    "description": .string(ceremony.sentence),
                    "created_timestamp": .integer(intent.notBefore * 1000),
                ])
            ),
        ]
        if let dealt = ceremony.source, let source {
            members.append(
                (
                    "source_key_share_holder_group",
                    group(
                        dealt.group, source.kind, source.holders, source.key.threshold,
                        source.key.scheme, root: source.rootText)
                ))
        }
        return .object(members.map { JSONValue.Member(name: $0.0, value: $0.1) })
    }

    private static func group(
        _ id: GroupID, _ kind: GroupKind, _ holders: Roster, _ threshold: SigningThreshold,
        _ scheme: SignatureScheme, root: String
    ) -> JSONValue {
        .object([
            "key_share_holder_group_id": .string(id.hex),
            "type": .string(kind.callbackType),
            "tss_key_share_groups": .array([
                .object([
                    "tss_key_share_group_id": .string(id.hex),
                    "curve": .string(scheme == .ed25519 ? "ED25519" : "SECP256K1"),
                    "root_pubkey": .string(root),
                ])
            ]),
            "key_share_holders": .array(
                holders.identities.map { .object(["tss_node_id": .string($0.hex)]) }),
            "participants": .integer(threshold.holders),
            "threshold": .integer(threshold.required),
        ])
    }

    private static func nodes(_ holders: Roster?) -> JSONValue {
        .array((holders?.identities ?? []).map { .string($0.hex) })
    }
}

extension HeldKey {
    var rootText: String { key.rootText }
}

extension AnySharedKey {
    /// The root public key with its chain code, as BIP 32 spells it.
    var rootText: String {
        let form: ExtendedPublicKey.Form = scheme == .ed25519 ? .ed25519 : .secp256k1
        return ExtendedPublicKey(
            root: form.serialized(publicKey), chainCode: chainCode, form)?.description ?? ""
    }
}

extension SignatureScheme {
    /// The protocol's number of a signature.
    var callbackType: UInt8 {
        switch self {
        case .ecdsaSecp256k1: 1
        case .ed25519: 2
        case .bip340Secp256k1: 3
        }
    }

    /// The protocol's number of how it is signed; it has none for DKLs23 or FROST.
    var callbackProtocol: UInt8 { self == .ecdsaSecp256k1 ? 1 : 3 }

    /// The protocol's number of a curve.
    fileprivate var callbackCurve: UInt8 {
        switch self {
        case .ecdsaSecp256k1, .bip340Secp256k1: 0
        case .ed25519: 2
        }
    }
}

extension GroupKind {
    /// The protocol's word.
    fileprivate var callbackType: String {
        switch self {
        case .main: "MainGroup"
        case .signing: "SigningGroup"
        case .recovery: "RecoveryGroup"
        }
    }
}

extension RequestID {
    /// As the platform's interfaces spell it.
    fileprivate var text: String { VaultID(unchecked: bytes).text }
}

extension JSONValue {
    var text: String { String(decoding: bytes, as: UTF8.self) }
}
