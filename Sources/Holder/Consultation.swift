import Canonical
import Chains
import Intents
import KeyGroups

/// What a holder asks its operator's callback servers: the same words as Cobo's callback protocol,
/// version 2, with nothing in them that this holder has not judged or does not know by itself
/// (docs/protocols/callback.md).
public struct Consultation: Sendable {
    /// Numbers of the protocol.
    public enum Kind: UInt8, Sendable {
        case keyGeneration = 1
        case signing = 2
        case resharing = 3
    }

    /// What is decided: the intent's digest, which is the request's name too.
    public let subject: Digest
    public let kind: Kind
    public let detail: JSONValue
    public let extra: JSONValue
    /// Who has not decided yet.
    public let servers: [CallbackServer]
    /// Unix seconds; nobody is asked afterwards.
    public let expires: UInt64

    /// - Parameters:
    ///   - key: of the group that signs, as this holder has it.
    ///   - source: what a ceremony deals, if this holder has it.
    init(
        of approved: Approved, _ intent: Intent, _ subject: Digest, key: HeldKey?,
        source: HeldKey?, servers: [CallbackServer]
    ) {
        self.subject = subject
        self.servers = servers
        expires = intent.expires
        switch intent.purpose {
        case .keyCeremony(let ceremony):
            kind = ceremony.occasion == .keyGeneration ? .keyGeneration : .resharing
            detail = Self.detail(of: ceremony, intent, subject, source)
            extra = Self.extra(of: ceremony, intent, source)
        case .transfer, .contractCall, .message, .announcement:
            kind = .signing
            detail = Self.detail(of: approved, intent, subject, key)
            extra = Self.extra(of: intent, key)
        }
    }

    /// The package that is sent, JSON.
    var package: [UInt8] {
        JSONValue.object([
            "request_id": .string(subject.hex), "request_type": .integer(kind.rawValue),
            "request_detail": .string(detail.text), "extra_info": .string(extra.text),
        ]).bytes
    }
}

// Signing.
extension Consultation {
    private static func detail(
        of approved: Approved, _ intent: Intent, _ subject: Digest, _ key: HeldKey?
    ) -> JSONValue {
        .object([
            "group_id": .string(intent.group.hex),
            "root_pub_key": .string(key?.rootText ?? ""),
            // Which of them sign is not chosen before they have approved.
            "used_node_ids": nodes(key?.holders),
            "bip32_path_list": .array(approved.items.map { .string($0.path.description) }),
            "msg_hash_list": .array(approved.items.map { .string($0.digest.hex) }),
            "tweak_list": .array([]),
            "signature_type": .integer(key?.key.scheme.callbackType ?? 0),
            "tss_protocol": .integer(key?.key.scheme == .ecdsaSecp256k1 ? 1 : 3),
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
        members += [
            ("source_addresses", .array([source(of: intent, key)])),
            ("transaction", transaction(of: intent)),
        ]
        return .object(members.map { JSONValue.Member(name: $0.0, value: $0.1) })
    }

    private static func source(of intent: Intent, _ key: HeldKey?) -> JSONValue {
        .object([
            "address": .string(intent.sourceAddress ?? ""),
            "chain_id": .string(intent.chain?.text ?? ""),
            "path": .string(intent.item?.path.description ?? ""),
            "root_pubkey": .string(key?.rootText ?? ""),
        ])
    }

    /// The transaction as this holder has rebuilt it. Amounts are in base units and assets have
    /// their CAIP names: a holder knows no others.
    private static func transaction(of intent: Intent) -> JSONValue {
        let (type, destination) = destination(of: intent)
        let time = JSONValue.integer(intent.notBefore * 1000)
        var members: [(String, JSONValue)] = [
            ("transaction_id", .string(intent.request.text)),
            ("wallet_id", .string(intent.vault.text)), ("type", .string(type)),
            ("status", .string("PendingSignature")),
            ("chain_id", .string(intent.chain?.text ?? "")),
            (
                "source",
                .object([
                    "source_type": .string("Org-Controlled"),
                    "wallet_id": .string(intent.vault.text),
                    "address": .string(intent.sourceAddress ?? ""),
                    "signer_key_share_holder_group_id": .string(intent.group.hex),
                ])
            ),
            ("destination", destination), ("initiator_type", .string("API")),
            ("created_timestamp", time), ("updated_timestamp", time),
        ]
        if let payment = intent.payment {
            members += [
                ("token_id", .string(payment.output.asset.text)), ("fee", fee(of: payment)),
                (
                    "raw_tx_info",
                    .object([
                        "used_nonce": .integer(payment.nonce),
                        "unsigned_raw_tx": .string(
                            "0x" + Hex.encode(intent.transaction?.unsignedBytes ?? [])),
                    ])
                ),
                (
                    "description",
                    .string(
                        payment.output.ownPath.map { "to this key's own address at \($0.text)" }
                            ?? "")
                ),
            ]
        }
        return .object(members.map { JSONValue.Member(name: $0.0, value: $0.1) })
    }

    private static func fee(of payment: TransferOrder) -> JSONValue {
        .object([
            "fee_type": .string("EVM_EIP_1559"),
            "token_id": .string(payment.output.asset.feeAsset.text),
            "max_fee_per_gas": .string(String(payment.fee.maxFeePerGas)),
            "max_priority_fee_per_gas": .string(String(payment.fee.maxPriorityFeePerGas)),
            "gas_limit": .string(String(payment.fee.gasLimit)),
        ])
    }

    /// What the transaction is for, and the protocol's word for it.
    private static func destination(of intent: Intent) -> (type: String, JSONValue) {
        switch intent.purpose {
        case .transfer(let order):
            let output = JSONValue.object([
                "address": .string(order.output.address),
                "amount": .string(order.output.amount.baseUnitText),
            ])
            return (
                "Withdrawal",
                .object(["destination_type": .string("Address"), "account_output": output])
            )
        case .contractCall(let order):
            return (
                "ContractCall",
                .object([
                    "destination_type": .string("EVM_Contract"),
                    "address": .string(order.payment.output.address),
                    "value": .string(order.payment.output.amount.baseUnitText),
                    "calldata": .string("0x" + Hex.encode(order.data)),
                ])
            )
        case .message(let order):
            return ("MessageSign", message(order.message))
        case .keyCeremony, .announcement: return ("", .null)
        }
    }

    private static func message(_ message: EVMMessage) -> JSONValue {
        switch message {
        case .personal(let bytes):
            .object([
                "destination_type": .string("EVM_EIP_191_Signature"),
                "message": .string("0x" + Hex.encode(bytes)),
            ])
        case .typed(let text):
            .object([
                "destination_type": .string("EVM_EIP_712_Signature"),
                "raw_structured_data": .string(String(decoding: text, as: UTF8.self)),
            ])
        }
    }
}

// Key ceremonies.
extension Consultation {
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

extension Intent {
    /// The chain that it is for, and the address that signs; nil where none does.
    fileprivate var chain: ChainID? {
        if case .message(let order) = purpose { order.chain } else { payment?.chain }
    }
    fileprivate var sourceAddress: String? {
        if case .message(let order) = purpose {
            order.sourceAddress
        } else {
            payment?.sourceAddress
        }
    }
}

extension HeldKey {
    /// The root public key with its chain code, as BIP 32 spells it.
    var rootText: String {
        let form: ExtendedPublicKey.Form = key.scheme == .ed25519 ? .ed25519 : .secp256k1
        return ExtendedPublicKey(
            root: form.serialized(key.publicKey), chainCode: key.chainCode, form)?.description ?? ""
    }
}

extension SignatureScheme {
    /// The protocol's number of a signature.
    fileprivate var callbackType: UInt8 {
        switch self {
        case .ecdsaSecp256k1: 1
        case .ed25519: 2
        case .bip340Secp256k1: 3
        }
    }

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
    fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }
}
