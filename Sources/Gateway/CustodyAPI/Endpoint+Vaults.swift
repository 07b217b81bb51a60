import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

extension Endpoint {
    static let vaults: [Endpoint] = [
        .change(
            .post, "openVault", "vaults", .vaultsWrite, "Opens a vault.",
            body: [
                Member(
                    "externalId", .text(most: Vault.externalIDMost),
                    "the caller's own; unique for ever"),
                Member("name", .text(most: Vault.nameMost)),
                Member(
                    "metadata", .texts, optional: true,
                    "at most \(Vault.metadataEntriesMost) entries"),
            ], status: 201, answer: Resource.vaultShape,
            refusals: [.externalIDReused, .keyNotReady, .tooManyVaults]
        ) { call in
            var fields = try call.fields()
            let draft = VaultDraft(
                externalID: fields.string("externalId"), name: fields.string("name"),
                metadata: fields.strings("metadata"))
            try fields.finish()
            return Resource.vault(try call.books.openVault(draft, for: call.tenant))
        },
        .get(
            "listVaults", "vaults", .vaultsRead, "Lists vaults.", answer: .page(Resource.vaultShape)
        ) { call in
            call.list(
                try call.books.vaults(of: call.tenant, call.page()), Resource.vault)
        },
        .get(
            "getVault", "vaults/{vault}", .vaultsRead, "Shows a vault.",
            answer: Resource.vaultShape
        ) { call in
            Resource.vault(try call.books.vault(call.id("vault"), of: call.tenant))
        },
        .change(
            .patch, "changeVault", "vaults/{vault}", .vaultsWrite,
            "Changes a vault's name, metadata or status; what is left out stays.",
            body: [
                Member("name", .text(most: Vault.nameMost), optional: true),
                Member("metadata", .texts, optional: true, "in place of what was there"),
                Member("status", .choice(Vault.Status.self), optional: true),
            ], status: 200, answer: Resource.vaultShape, refusals: [.vaultNotEmpty]
        ) { call in
            let id: VaultID = try call.id("vault")
            var fields = try call.fields()
            let (name, status) = (fields.string("name"), fields.choice("status", Vault.Status.self))
            let metadata = fields.has("metadata") ? fields.strings("metadata") : nil
            try fields.finish()
            return Resource.vault(
                try call.books.changeVault(
                    id, name: name, metadata: metadata, status: status, of: call.tenant))
        },
        .get(
            "listBalances", "vaults/{vault}/balances", .walletsRead,
            "Shows the balance of each of a vault's wallets.",
            answer: .list(Resource.assetBalanceShape)
        ) { call in
            let vault = try call.books.vault(call.id("vault"), of: call.tenant)
            return .array(
                try call.books.balances(of: vault).map {
                    Resource.assetBalance($0.balance, $0.asset)
                })
        },
    ]

    static let wallets: [Endpoint] = [
        .change(
            .post, "createWallet", "vaults/{vault}/wallets", .walletsCreate,
            "Opens a wallet for an asset, with a deposit address.",
            body: [
                Member("assetId", .text(), "of `GET /assets`"),
                Member("label", .text(most: Wallet.labelMost), optional: true),
            ], status: 201, answer: Resource.walletShape,
            refusals: [
                .unknownAsset, .frozen, .walletExists, .keyNotReady, .chainUnavailable,
                .tooManyAddresses,
            ]
        ) { call in
            let vault: VaultID = try call.id("vault")
            var fields = try call.fields()
            let draft = WalletDraft(asset: fields.string("assetId"), label: fields.string("label"))
            try fields.finish()
            return try call.show(try call.books.createWallet(draft, in: vault, of: call.tenant))
        },
        .get(
            "listWallets", "vaults/{vault}/wallets", .walletsRead, "Lists a vault's wallets.",
            answer: .page(Resource.walletShape)
        ) { call in
            let vault = try call.books.vault(call.id("vault"), of: call.tenant)
            return try call.list(
                try call.books.store.wallets(in: vault.id, call.page())
            ) { try call.show($0) }
        },
        .get(
            "getWallet", "wallets/{wallet}", .walletsRead, "Shows a wallet and its balance.",
            answer: Resource.walletShape
        ) { call in try call.show(try call.books.wallet(call.id("wallet"), of: call.tenant)) },
        .change(
            .post, "openDepositAddress", "wallets/{wallet}/addresses", .walletsCreate,
            "Opens a further deposit address of a wallet.",
            body: [Member("label", .text(most: Wallet.labelMost), optional: true)],
            status: 201, answer: Resource.addressShape,
            refusals: [.frozen, .keyNotReady, .tooManyAddresses]
        ) { call in
            let wallet: WalletID = try call.id("wallet")
            var fields = try call.fields()
            let label = fields.string("label")
            try fields.finish()
            return Resource.address(
                try call.books.openAddress(label: label, for: wallet, of: call.tenant))
        },
        .get(
            "listDepositAddresses", "wallets/{wallet}/addresses", .walletsRead,
            "Lists the deposit addresses of a wallet.", answer: .page(Resource.addressShape)
        ) { call in
            call.list(
                try call.books.addresses(of: call.id("wallet"), call.tenant, call.page()),
                Resource.address)
        },
        .get(
            "listAssets", "assets", .assetsRead,
            "Lists the assets that wallets can be opened for, or those that were disabled.",
            query: [Member("status", .choice(["Enabled", "Disabled"]), optional: true)],
            answer: .page(Resource.assetShape)
        ) { call in
            _ = try call.page()  // one page has them all
            let shown =
                try call.value("status") { ["Enabled": true, "Disabled": false][$0] } ?? true
            let assets = try call.books.settings.assets.filter {
                try call.books.isEnabled($0, for: call.tenant) == shown
            }
            return .object([
                "items": .array(assets.map { Resource.asset($0, isEnabled: shown) }), "next": .null,
            ])
        },
        .change(
            .put, "enableAsset", "assets/{asset}/enablement", .vaultsWrite,
            "Lets wallets be opened for an asset.", status: 200, answer: Resource.assetShape
        ) { call in
            Resource.asset(
                try call.books.set(call.text("asset"), enabled: true, for: call.tenant))
        },
        .change(
            .delete, "disableAsset", "assets/{asset}/enablement", .vaultsWrite,
            "Lets no more wallets be opened for an asset; deposits are credited as before.",
            status: 204
        ) { call in
            _ = try call.books.set(call.text("asset"), enabled: false, for: call.tenant)
            return nil
        },
    ]
}

extension Call {
    func show(_ wallet: Wallet) throws -> JSONValue {
        guard let asset = books.settings.asset(wallet.asset) else {
            throw LedgerFault.impossible("asset of \(wallet.id)")
        }
        return Resource.wallet(wallet, try books.balance(of: wallet), asset)
    }
}
