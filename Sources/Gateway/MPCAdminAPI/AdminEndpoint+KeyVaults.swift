import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

/// Projects and vaults: key vaults of ours.
extension AdminEndpoint {
    static let keyVaults: [AdminEndpoint] = [
        .list("list_mpc_projects", "wallets/mpc/projects", .projectRead) { call in
            call.list(try call.books.projects(of: call.tenant, call.page()), AdminResource.project)
        },
        .change(
            .post, "create_mpc_project", "wallets/mpc/projects", .projectCreate, made: "project_id"
        ) { call in
            var fields = try call.fields("name", "participants", "threshold")
            let name = fields.string("name")
            let (participants, threshold) = (
                fields.integer("participants"), fields.integer("threshold")
            )
            try fields.finish()
            return AdminResource.project(
                try call.books.createProject(
                    name: call.required("name", name),
                    threshold: Int(call.required("threshold", threshold)),
                    participants: Int(call.required("participants", participants)),
                    for: call.tenant))
        },
        .get("get_mpc_project_by_id", "wallets/mpc/projects/{project_id}", .projectRead) { call in
            AdminResource.project(
                try call.books.project(call.id("project_id", "project"), of: call.tenant))
        },
        .change(
            .put, "update_mpc_project_by_id", "wallets/mpc/projects/{project_id}", .projectUpdate
        ) { call in
            var fields = try call.fields("name")
            let name = fields.string("name")
            try fields.finish()
            return AdminResource.project(
                try call.books.renameProject(
                    call.id("project_id", "project"), to: call.required("name", name),
                    of: call.tenant))
        },
        .list(
            "list_mpc_vaults", "wallets/mpc/vaults", .keyVaultRead,
            query: ["vault_type", "project_id"]
        ) { call in
            let kind = try call.required(
                "vault_type", call.value("vault_type") { KeyVault.Kind(vaultType: $0) })
            let project = try call.value("project_id") { ProjectID(text: $0.lowercased()) }
            let page = try call.books.keyVaults(
                of: call.tenant, kind, project: project, call.page())
            return try call.list(page, call.show)
        },
        .change(
            .post, "create_mpc_vault", "wallets/mpc/vaults", .keyVaultCreate, made: "vault_id"
        ) { call in
            var fields = try call.fields("name", "vault_type", "project_id")
            let (name, type) = (fields.string("name"), fields.string("vault_type"))
            let project: ProjectID? = fields.id("project_id")
            try fields.finish()
            guard let kind = KeyVault.Kind(vaultType: try call.required("vault_type", type)) else {
                throw AdminProblem(
                    .badValue, "'vault_type' must be Org-Controlled or User-Controlled.")
            }
            return try call.show(
                call.books.createKeyVault(
                    name: call.required("name", name), kind, project: project, for: call.tenant))
        },
        .get("get_mpc_vault_by_id", "wallets/mpc/vaults/{vault_id}", .keyVaultRead) { call in
            try call.show(call.books.keyVault(call.keyVault, of: call.tenant))
        },
        .change(
            .put, "update_mpc_vault_by_id", "wallets/mpc/vaults/{vault_id}", .keyVaultUpdate
        ) { call in
            var fields = try call.fields("name")
            let name = fields.string("name")
            try fields.finish()
            return try call.show(
                call.books.renameKeyVault(
                    call.keyVault, to: call.required("name", name), of: call.tenant))
        },
    ]
}

extension AdminCall {
    /// The vault in the path.
    var keyVault: KeyVaultID {
        get throws { try id("vault_id", "vault") }
    }

    fileprivate func show(_ keyVault: KeyVault) throws -> JSONValue {
        try AdminResource.keyVault(keyVault, in: books)
    }
}

extension KeyVault.Kind {
    /// As the face calls them, and the wallets below them.
    var walletSubtype: String {
        switch self {
        case .organisation: "Org-Controlled"
        case .user: "User-Controlled"
        }
    }

    init?(vaultType: String) {
        guard let kind = Self.allCases.first(where: { $0.walletSubtype == vaultType }) else {
            return nil
        }
        self = kind
    }
}
