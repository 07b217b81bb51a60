import Algebra
import Canonical
import Custody
import Intents
import KeyGroups

/// Custody's things as the MPC administration face shows them.
enum AdminResource {
    static func project(_ project: Project) -> JSONValue {
        .object([
            "project_id": .string(project.id.text), "org_id": .string(project.tenant.text),
            "name": .string(project.name),
            "participants": .integer(project.threshold.holders),
            "threshold": .integer(project.threshold.required),
            "created_timestamp": .integer(project.createdAt.milliseconds),
        ])
    }

    static func keyVault(_ keyVault: KeyVault, roots: [AnySharedKey]) -> JSONValue {
        .object([
            "vault_id": .string(keyVault.id.text),
            "project_id": .string(keyVault.project?.text ?? ""), "name": .string(keyVault.name),
            "type": .string(keyVault.kind.walletSubtype),
            "root_pubkeys": .array(
                roots.compactMap { root in
                    curve(root.scheme).map { curve in
                        .object([
                            "root_pubkey": .string(extended(root)), "curve": .string(curve),
                        ])
                    }
                }), "created_timestamp": .integer(keyVault.createdAt.milliseconds),
        ])
    }

    /// Nil of a scheme that the face has no word for.
    private static func curve(_ scheme: SignatureScheme) -> String? {
        switch scheme {
        case .ecdsaSecp256k1: "SECP256K1"
        case .ed25519: "ED25519"
        case .bip340Secp256k1: nil
        }
    }

    /// The key from which everything below it can be derived: `xpub…`, or `cpub…` of Ed25519.
    static func extended(_ root: AnySharedKey) -> String {
        let form: ExtendedPublicKey.Form = root.scheme == .ed25519 ? .ed25519 : .secp256k1
        let key = ExtendedPublicKey(
            root: form.serialized(root.publicKey), chainCode: root.chainCode, form)
        return key?.description ?? ""
    }

    static func group(_ view: KeyShareHolderGroupView) -> JSONValue {
        let group = view.group
        return .object([
            "key_share_holder_group_id": .string(group.id.text),
            "type": .string(group.kind.groupType),
            "tss_key_share_groups": .array(view.keys.compactMap(keyGroup)),
            "key_share_holders": .array(view.holders.map(holder)),
            "participants": .integer(group.threshold.holders),
            "threshold": .integer(group.threshold.required),
            "status": .string(view.state.rawValue),
            "created_timestamp": .integer(group.createdAt.milliseconds),
        ])
    }

    /// Shares of one key; nil before there are any.
    private static func keyGroup(_ group: HolderGroup) -> JSONValue? {
        guard let curve = curve(group.scheme), let root = group.certificate?.claimed()?.key else {
            return nil
        }
        return .object([
            "tss_key_share_group_id": .string(group.id.hex), "curve": .string(curve),
            "root_pubkey": .string(extended(root)),
        ])
    }

    static func holder(_ view: KeyShareHolderView) -> JSONValue {
        .object([
            "name": .string(view.holder.name), "type": .string(view.holder.kind.holderType),
            "tss_node_id": .string(view.holder.identity.hex), "online": .bool(view.isOnline),
            "signer": .bool(view.holder.isSigner),
            "status": .string(view.isReplacement ? "Changed" : "Valid"),
        ])
    }

    /// The platform's own, which is of no group yet.
    static func own(_ holder: RegisteredHolder) -> JSONValue {
        .object([
            "name": .string(holder.name),
            "type": .string(KeyShareHolder.Kind.platform.holderType),
            "tss_node_id": .string(holder.identity.hex),
            "online": .bool(holder.onlineSince != nil), "signer": .bool(true),
            "status": .string("Valid"),
        ])
    }

    /// - Parameter status: another than the request's own.
    static func request(_ request: KeyShareRequest, as status: String? = nil) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init(name: "tss_request_id", value: .string(request.id.text)),
            .init(
                name: "target_key_share_holder_group_id", value: .string(request.target.text)),
            .init(name: "type", value: .string(request.kind.requestType)),
            .init(name: "status", value: .string(status ?? request.status.requestStatus)),
            .init(name: "description", value: .string(request.note ?? "")),
            .init(
                name: "created_timestamp", value: .integer(request.createdAt.milliseconds)),
        ]
        if let source = request.source {
            members.append(
                .init(
                    name: "source_key_share_holder_group",
                    value: .object([
                        "key_share_holder_group_id": .string(source.group.text),
                        "tss_node_ids": .array(source.holders.map { .string($0.hex) }),
                    ])))
        }
        return .object(members)
    }
}

extension GroupKind {
    static let all: [GroupKind] = [.main, .signing, .recovery]

    var groupType: String {
        switch self {
        case .main: "MainGroup"
        case .signing: "SigningGroup"
        case .recovery: "RecoveryGroup"
        }
    }

    init?(groupType: String) {
        guard let kind = Self.all.first(where: { $0.groupType == groupType }) else { return nil }
        self = kind
    }
}

extension KeyShareHolder.Kind {
    var holderType: String {
        switch self {
        case .platform: "Cobo"
        case .mobile: "Mobile"
        case .server: "API"
        }
    }
}

extension KeyShareRequest.Kind {
    var requestType: String {
        switch self {
        case .keyGeneration: "KeyGen"
        case .fromKeyGroup: "KeyGenFromKeyGroup"
        case .recovery: "Recovery"
        }
    }
}

extension KeyShareRequest.Status {
    /// The face has no word for what was cancelled: nobody confirmed it.
    fileprivate var requestStatus: String {
        switch self {
        case .confirming: "PendingKeyHolderConfirmation"
        case .starting: "MPCProcessing"
        case .running: "KeyGenerating"
        case .done: "Success"
        case .refused, .cancelled: "KeyHolderConfirmationFailed"
        case .failed: "KeyGeneratingFailed"
        }
    }
}
