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
            refusals: [.externalIDReused, .keyNotReady]
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
            Resource.page(
                try call.books.vaults(of: call.tenant, call.page()), Resource.vault)
        },
        .get(
            "getVault", "vaults/{vault}", .vaultsRead, "Shows a vault.",
            answer: Resource.vaultShape
        ) { call in
            Resource.vault(try call.books.vault(call.id("vault"), of: call.tenant))
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
            refusals: [.unknownAsset, .walletExists, .keyNotReady, .chainUnavailable]
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
            return try Resource.page(
                try call.books.store.wallets(in: vault.id, call.page())
            ) { try call.show($0) }
        },
        .get(
            "getWallet", "wallets/{wallet}", .walletsRead, "Shows a wallet and its balance.",
            answer: Resource.walletShape
        ) { call in try call.show(try call.books.wallet(call.id("wallet"), of: call.tenant)) },
        .get(
            "listAssets", "assets", .assetsRead, "Lists the assets that wallets can be opened for.",
            answer: .page(Resource.assetShape)
        ) { call in
            .object([
                "items": .array(call.books.settings.assets.map(Resource.asset)), "next": .null,
            ])
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
