import Algebra
import Canonical
import Custody
import HTTPTypes
import Identity
import Intents
import KeyGroups

/// Key share holders, their groups, and TSS requests: requests for key shares.
extension AdminEndpoint {
    private static let groups = "wallets/mpc/vaults/{vault_id}/key_share_holder_groups"
    private static let group = groups + "/{key_share_holder_group_id}"
    private static let requests = "wallets/mpc/vaults/{vault_id}/tss_requests"
    private static let holders = "wallets/mpc/vaults/{vault_id}/key_share_holders"

    static let keyShares = holderGroups + keyShareRequests + keyShareHolders

    private static let holderGroups: [AdminEndpoint] = [
        .list(
            "list_key_share_holder_groups", groups, .keyGroupRead,
            query: ["key_share_holder_group_type"]
        ) { call in
            let kind = try call.value("key_share_holder_group_type") { GroupKind(groupType: $0) }
            return call.list(
                try call.books.holderGroups(kind, in: call.keyVault, of: call.tenant, call.page()),
                AdminResource.group)
        },
        .change(
            .post, "create_key_share_holder_group", groups, .keyGroupCreate,
            made: "key_share_holder_group_id"
        ) { call in
            AdminResource.group(
                try call.books.createHolderGroup(
                    call.groupDraft(), in: call.keyVault, of: call.tenant))
        },
        .get("get_key_share_holder_group_by_id", group, .keyGroupRead) { call in
            AdminResource.group(
                try call.books.holderGroup(call.group, in: call.keyVault, of: call.tenant))
        },
        .change(.put, "update_key_share_holder_group_by_id", group, .keyGroupUpdate) { call in
            var fields = try call.fields(
                "update_key_share_holder_group_action", "original_main_group_handling")
            let action = fields.string("update_key_share_holder_group_action")
            let original = fields.string("original_main_group_handling") ?? "Invalidate"
            try fields.finish()
            let isUpgrade =
                try call.required("update_key_share_holder_group_action", action)
                == "UpgradeToMainGroup"
            guard isUpgrade, ["Invalidate", "ConvertToSigningGroup"].contains(original) else {
                throw AdminProblem(.badValue, "There is no such action.")
            }
            return AdminResource.group(
                try call.books.makeMain(
                    call.group, keepingOriginal: original == "ConvertToSigningGroup",
                    in: call.keyVault, of: call.tenant))
        },
        .change(
            .post, "delete_key_share_holder_group_by_id", group + "/delete", .keyGroupDelete
        ) { call in
            try call.books.deleteHolderGroup(call.group, in: call.keyVault, of: call.tenant)
            return .object(["submitted": .bool(true)])
        },
    ]

    private static let keyShareRequests: [AdminEndpoint] = [
        .list(
            "list_tss_requests", requests, .keyGroupRead, query: ["key_share_holder_group_id"]
        ) { call in
            let group = try call.required(
                "key_share_holder_group_id",
                call.value("key_share_holder_group_id") {
                    KeyShareHolderGroupID(text: $0.lowercased())
                })
            return call.list(
                try call.books.keyShareRequests(
                    for: group, in: call.keyVault, of: call.tenant, call.page())
            ) { AdminResource.request($0) }
        },
        .change(
            .post, "create_tss_request", requests, .keyGroupCreate, made: "tss_request_id"
        ) { call in
            AdminResource.request(
                try call.books.requestKeyShares(
                    call.requestDraft(), in: call.keyVault, of: call.tenant))
        },
        .get(
            "get_tss_request_by_id", requests + "/{tss_request_id}", .keyGroupRead
        ) { call in
            AdminResource.request(
                try call.books.keyShareRequest(call.request, in: call.keyVault, of: call.tenant))
        },
        .change(
            .post, "cancel_tss_request_by_id", requests + "/{tss_request_id}/cancel",
            .keyGroupDelete
        ) { call in
            // The clients' word for a request that was cancelled as it was asked for.
            AdminResource.request(
                try call.books.cancelKeyShareRequest(
                    call.request, in: call.keyVault, of: call.tenant), as: "Success")
        },
    ]

    private static let keyShareHolders: [AdminEndpoint] = [
        .get("list_cobo_key_holders", "wallets/mpc/cobo_key_share_holders", nil) { call in
            .array(try call.books.ownHolders().map(AdminResource.own))
        },
        .list(
            "list_key_share_holders", holders, .keyGroupRead,
            query: ["key_share_holder_group_ids"]
        ) { call in
            let groups = try call.values("key_share_holder_group_ids").map { names in
                names.compactMap { KeyShareHolderGroupID(text: $0.lowercased()) }
            }
            let found = try call.books.keyShareHolders(
                of: groups, in: call.keyVault, of: call.tenant)
            return try call.list(all: found, AdminResource.holder)
        },
        .get(
            "get_key_share_holder_by_tss_node_id", holders + "/{tss_node_id}", .keyGroupRead
        ) { call in
            let found = try call.books.keyShareHolders(
                of: nil, in: call.keyVault, of: call.tenant)
            guard let holder = found.first(where: { $0.holder.identity == call.node }) else {
                throw Refusal.notFound("key share holder")
            }
            return AdminResource.holder(holder)
        },
        .change(
            .put, "replace_key_share_holder", holders + "/{tss_node_id}", .keyGroupUpdate
        ) { call in
            var fields = try call.fields(
                "key_share_holder_group_id", "replacement_tss_node_id", "name")
            let group: KeyShareHolderGroupID? = fields.id("key_share_holder_group_id")
            let replacement = fields.string("replacement_tss_node_id")
            let name = fields.string("name")
            try fields.finish()
            guard let lost = call.node else { throw Refusal.notFound("key share holder") }
            let text = try call.required("replacement_tss_node_id", replacement)
            guard let identity = IdentityPublicKey(hex: text) else {
                throw AdminCall.noNode("replacement_tss_node_id")
            }
            return AdminResource.group(
                try call.books.replaceHolder(
                    lost, by: identity, name: name,
                    in: call.required("key_share_holder_group_id", group), of: call.keyVault,
                    call.tenant))
        },
    ]
}

extension AdminCall {
    /// Most holders that a caller may name: a group has three.
    private static let holdersMost = 3

    /// The group in the path.
    fileprivate var group: KeyShareHolderGroupID {
        get throws { try id("key_share_holder_group_id", "key share holder group") }
    }

    fileprivate var request: KeyShareRequestID {
        get throws {
            guard let id = KeyShareRequestID(text: text("tss_request_id")) else {
                throw Refusal.notFound("TSS request")
            }
            return id
        }
    }

    /// The holder in the path.
    fileprivate var node: IdentityPublicKey? { IdentityPublicKey(hex: text("tss_node_id")) }

    fileprivate static func noNode(_ name: String) -> AdminProblem {
        AdminProblem(.badValue, "'\(name)' must be 64 hexadecimal digits, as the node prints them.")
    }

    fileprivate func groupDraft() throws -> KeyShareHolderGroupDraft {
        var fields = try self.fields(
            "key_share_holder_group_type", "participants", "threshold", "key_share_holders")
        let type = fields.string("key_share_holder_group_type")
        let (participants, threshold) = (
            fields.integer("participants"), fields.integer("threshold")
        )
        let holders = fields.objects(
            "key_share_holders", most: Self.holdersMost, knowing: "name", "type", "tss_node_id",
            "signer"
        ) { holder in
            (
                name: holder.string("name"), type: holder.string("type"),
                node: holder.string("tss_node_id"), isSigner: holder.boolean("signer")
            )
        }
        try fields.finish()
        let named = try required("key_share_holder_group_type", type)
        guard let kind = GroupKind(groupType: named) else {
            throw AdminProblem(.badValue, "There is no group type '\(named.prefix(64))'.")
        }
        return KeyShareHolderGroupDraft(
            kind: kind, participants: Int(try required("participants", participants)),
            threshold: Int(try required("threshold", threshold)),
            holders: try required("key_share_holders", holders).map { holder in
                let node = try required("tss_node_id", holder.node)
                let type = try required("type", holder.type)
                guard let identity = IdentityPublicKey(hex: node) else {
                    throw Self.noNode("tss_node_id")
                }
                let kinds = KeyShareHolder.Kind.allCases
                guard let kind = kinds.first(where: { $0.holderType == type }) else {
                    throw AdminProblem(.badValue, "There is no holder type '\(type.prefix(64))'.")
                }
                return .init(
                    name: holder.name ?? node, kind: kind, identity: identity,
                    isSigner: holder.isSigner ?? true)
            })
    }

    fileprivate func requestDraft() throws -> KeyShareRequestDraft {
        var fields = try self.fields(
            "type", "target_key_share_holder_group_id", "source_key_share_holder_group",
            "description")
        let type = fields.string("type")
        let target: KeyShareHolderGroupID? = fields.id("target_key_share_holder_group_id")
        let source = fields.object(
            "source_key_share_holder_group", knowing: "key_share_holder_group_id", "tss_node_ids"
        ) { source in
            (
                group: source.id("key_share_holder_group_id", KeyShareHolderGroupID.self),
                holders: source.list("tss_node_ids", "a node's id") { IdentityPublicKey(hex: $0) }
            )
        }
        let note = fields.string("description")
        try fields.finish()
        let named = try required("type", type)
        let kinds = KeyShareRequest.Kind.allCases
        guard let kind = kinds.first(where: { $0.requestType == named }) else {
            throw AdminProblem(.badValue, "There is no request type '\(named.prefix(64))'.")
        }
        return KeyShareRequestDraft(
            kind: kind, target: try required("target_key_share_holder_group_id", target),
            source: try source.map { source in
                .init(
                    group: try required("key_share_holder_group_id", source.group),
                    holders: source.holders)
            },
            // An empty description is none.
            note: note.flatMap { $0.isEmpty ? nil : $0 })
    }
}
