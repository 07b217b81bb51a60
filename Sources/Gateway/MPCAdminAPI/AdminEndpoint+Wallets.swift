import Canonical
import Chains
import Custody
import HTTPTypes
import Identity
import Intents

/// Wallets: vaults of ours, each with wallets of the tokens that it has.
extension AdminEndpoint {
    private static let wallet = "wallets/{wallet_id}"

    static let wallets: [AdminEndpoint] = walletThings + addresses + balances

    private static let walletThings: [AdminEndpoint] = [
        .list(
            "list_wallets", "wallets", .walletRead,
            query: ["wallet_type", "wallet_subtype", "project_id", "vault_id"]
        ) { call in
            guard try call.asksForOurWallets else {
                return try call.list(all: [Vault]()) { try call.show($0) }
            }
            let filter = VaultFilter(
                keyVault: try call.value("vault_id") { KeyVaultID(text: $0.lowercased()) },
                project: try call.value("project_id") { ProjectID(text: $0.lowercased()) },
                kind: try call.value("wallet_subtype") { KeyVault.Kind(vaultType: $0) })
            let page = try call.books.vaults(of: call.tenant, matching: filter, call.page())
            return try call.list(page, call.show)
        },
        .change(.post, "create_wallet", "wallets", .walletCreate, made: "wallet_id") { call in
            var fields = try call.fields(
                "name", "wallet_type", "wallet_subtype", "vault_id", "enable_auto_sweep")
            let (name, type) = (fields.string("name"), fields.string("wallet_type"))
            let subtype = fields.string("wallet_subtype")
            let id: KeyVaultID? = fields.id("vault_id")
            let sweeps = fields.boolean("enable_auto_sweep")
            try fields.finish()
            guard try call.required("wallet_type", type) == "MPC", sweeps != true else {
                throw AdminProblem.unsupported("A wallet that is not MPC, or sweeps by itself,")
            }
            let keyVault = try call.books.keyVault(
                call.required("vault_id", id), of: call.tenant)
            guard try call.required("wallet_subtype", subtype) == keyVault.kind.walletSubtype
            else {
                throw AdminProblem(
                    .badValue, "The vault is \(keyVault.kind.walletSubtype), the wallet is not.")
            }
            return try call.show(
                call.books.openVault(
                    named: call.required("name", name), under: keyVault.id, for: call.tenant))
        },
        .get("get_wallet_by_id", wallet, .walletRead) { call in
            try call.show(call.books.vault(call.wallet, of: call.tenant))
        },
        .change(.put, "update_wallet_by_id", wallet, .walletUpdate) { call in
            var fields = try call.fields("wallet_type", "name", "enable_auto_sweep")
            let (type, name) = (fields.string("wallet_type"), fields.string("name"))
            let sweeps = fields.boolean("enable_auto_sweep")
            try fields.finish()
            guard try call.required("wallet_type", type) == "MPC", sweeps != true else {
                throw AdminProblem.unsupported("A wallet that is not MPC, or sweeps by itself,")
            }
            return try call.show(
                call.books.changeVault(
                    call.wallet, name: name, metadata: nil, status: nil, of: call.tenant))
        },
    ]

    private static let addresses: [AdminEndpoint] = [
        .list(
            "list_addresses", wallet + "/addresses", .walletRead,
            query: ["chain_ids", "addresses"]
        ) { call in
            let vault = try call.books.vault(call.wallet, of: call.tenant)
            let chains =
                try call.values("chain_ids")?.map { try call.chain(named: $0) }
                ?? call.settings.chains
            let page = try call.books.addresses(
                in: vault.id, on: chains, named: call.values("addresses"), of: call.tenant,
                call.page())
            return try call.list(page) { try call.show($0, of: vault) }
        },
        .change(
            .post, "create_address", wallet + "/addresses", .walletCreateAddress
        ) { call in
            var fields = try call.fields("chain_id", "count", "encoding")
            let (chain, count) = (fields.string("chain_id"), fields.integer("count"))
            let encoding = fields.string("encoding")
            try fields.finish()
            guard [nil, "ENCODING_DEFAULT"].contains(encoding) else {
                throw AdminProblem.unsupported("An encoding of addresses but ENCODING_DEFAULT")
            }
            let opened = try call.books.openAddresses(
                count ?? 1, on: call.chain(named: call.required("chain_id", chain)),
                in: call.wallet, of: call.tenant)
            let vault = try call.books.vault(call.wallet, of: call.tenant)
            return .array(try opened.map { try call.show($0, of: vault) })
        },
    ]

    private static let balances: [AdminEndpoint] = [
        .list(
            "list_token_balances_for_wallet", wallet + "/tokens", .walletRead,
            query: ["token_ids"]
        ) { call in
            let vault = try call.books.vault(call.wallet, of: call.tenant)
            let names = try call.values("token_ids")
            let found = try call.books.balances(of: vault).filter {
                names?.contains(CustodySettings.name(of: $0.asset)) ?? true
            }
            return try call.list(all: found) { asset, balance in
                .object([
                    "token_id": .string(CustodySettings.name(of: asset)),
                    "balance": AdminResource.balance(balance, asset),
                ])
            }
        },
        .list(
            "list_address_balances_by_token", wallet + "/tokens/{token_id}", .walletRead,
            query: ["addresses"]
        ) { call in
            let asset = try call.asset(named: call.text("token_id"))
            let page = try call.books.addresses(
                in: call.wallet, on: [asset.asset.chain], named: call.values("addresses"),
                of: call.tenant, call.page())
            return try call.list(page) { address in
                .object([
                    "address": .string(address.text),
                    "balance": AdminResource.funds(
                        try call.books.store.funds(of: address.text, asset: asset.asset), asset),
                ])
            }
        },
        .list(
            "list_token_balances_for_address", wallet + "/addresses/{address}/tokens",
            .walletRead, query: ["token_ids"]
        ) { call in
            let names = try call.values("token_ids")
            let held = try call.settings.chains.flatMap { chain in
                let found = try call.books.addresses(
                    in: call.wallet, on: [chain], named: [call.text("address")], of: call.tenant,
                    PageRequest())
                return found.items.flatMap { address in
                    call.settings.assets.filter { $0.asset.chain == address.chain }
                        .map { (address: address, asset: $0) }
                }
            }
            guard !held.isEmpty else { throw Refusal.notFound("address") }
            let shown = held.filter {
                names?.contains(CustodySettings.name(of: $0.asset)) ?? true
            }
            return try call.list(all: shown) { place in
                .object([
                    "token_id": .string(CustodySettings.name(of: place.asset)),
                    "balance": AdminResource.funds(
                        try call.books.store.funds(
                            of: place.address.text, asset: place.asset.asset), place.asset),
                ])
            }
        },
    ]
}

extension AdminCall {
    /// The wallet in the path: a vault of ours.
    var wallet: VaultID {
        get throws { try id("wallet_id", "wallet") }
    }

    /// The vault that holds a vault's keys, which the face calls by that name.
    func keyVault(of vault: Vault) throws -> KeyVault {
        try books.keyVault(vault.keyVault, of: tenant)
    }

    fileprivate func show(_ vault: Vault) throws -> JSONValue {
        try AdminResource.wallet(vault, in: books)
    }

    fileprivate func show(_ address: WalletAddress, of vault: Vault) throws -> JSONValue {
        try AdminResource.address(address, of: vault, in: books)
    }
}
