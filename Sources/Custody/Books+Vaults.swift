import Canonical
import Chains
import Identity
import Intents
import KeyGroups

/// What a caller says of a new vault.
public struct VaultDraft: Sendable {
    public let externalID: String?
    public let name: String?
    public let metadata: [String: String]

    public init(externalID: String?, name: String?, metadata: [String: String]) {
        self.externalID = externalID
        self.name = name
        self.metadata = metadata
    }
}

/// What a caller says of a new wallet.
public struct WalletDraft: Sendable {
    public let asset: String?
    public let label: String?

    public init(asset: String?, label: String?) {
        self.asset = asset
        self.label = label
    }
}

/// Vaults, wallets and their addresses.
extension Books {
    /// Opens a vault. The same external id with the same content gives the vault that it named.
    public func openVault(_ draft: VaultDraft, for tenant: TenantID) throws -> Vault {
        var validation = Validation()
        validation.text("externalId", draft.externalID, most: Vault.externalIDMost)
        validation.text("name", draft.name, most: Vault.nameMost)
        validation.metadata(draft.metadata)
        try validation.finish()
        let (externalID, name) = (draft.externalID ?? "", draft.name ?? "")
        let metadata = draft.metadata.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        let content = Digest.content([name] + metadata)
        if let existing = try store.vault(externalID: externalID, of: tenant) {
            let isSame = existing.content.map { $0 == content }
            guard isSame ?? (existing.name == name && existing.metadata == draft.metadata) else {
                throw Refusal(
                    .externalIDReused, field: "externalId",
                    "Another vault has the external id '\(externalID)'.")
            }
            try admit(existing.id)
            return existing
        }
        guard let keyVault = try defaultKeyVault(of: tenant) else {
            throw Refusal(.keyNotReady, "The tenant has no key vault.")
        }
        return try insertVault(
            newID(), under: keyVault, externalID: externalID, name: name,
            metadata: draft.metadata, content: content)
    }

    /// Opens a vault under a key vault whose holders have made its keys.
    public func openVault(
        named name: String?, under id: KeyVaultID, for tenant: TenantID
    ) throws -> Vault {
        var validation = Validation()
        validation.text("name", name, most: Vault.nameMost)
        try validation.finish()
        let keyVault = try keyVault(id, of: tenant)
        _ = try activeKey(of: keyVault.id)
        return try openVault(named: name ?? "", under: keyVault)
    }

    @discardableResult
    func openVault(named name: String, under keyVault: KeyVault) throws -> Vault {
        let id = newID(VaultID.self)
        return try insertVault(
            id, under: keyVault, externalID: id.text, name: name, metadata: [:],
            content: .content([name]))
    }

    private func insertVault(
        _ id: VaultID, under keyVault: KeyVault, externalID: String, name: String,
        metadata: [String: String], content: Digest
    ) throws -> Vault {
        let index = try store.nextVaultIndex(under: keyVault.id)
        guard index < AccountPath.vaultsMost else {
            throw Refusal(
                .tooManyVaults, "There are \(index) vaults, the most that a key vault can have.")
        }
        let vault = Vault(
            id: id, tenant: keyVault.tenant, keyVault: keyVault.id, index: index,
            externalID: externalID, name: name, metadata: metadata, content: content, createdAt: now
        )
        try admit(vault.id)
        try store.insert(vault)
        try record(.vaultCreated(vault), of: vault.tenant)
        return vault
    }

    public func vault(_ id: VaultID, of tenant: TenantID) throws -> Vault {
        guard let vault = try store.vault(id, of: tenant) else { throw Refusal.notFound("vault") }
        try admit(vault.id)
        return vault
    }

    public func vaults(
        of tenant: TenantID, matching filter: VaultFilter = VaultFilter(), _ page: PageRequest
    ) throws -> Page<Vault> {
        var filter = filter
        filter.within = actor.vaults
        return try store.vaults(of: tenant, matching: filter, page)
    }

    /// Changes what is not nil of a vault.
    ///
    /// - Throws: `.vaultNotEmpty` if it is to be archived and one of its wallets has funds.
    public func changeVault(
        _ id: VaultID, name: String?, metadata: [String: String]?, status: Vault.Status?,
        of tenant: TenantID
    ) throws -> Vault {
        var validation = Validation()
        validation.text("name", name, most: Vault.nameMost, required: false)
        validation.metadata(metadata ?? [:])
        try validation.finish()
        var vault = try vault(id, of: tenant)
        let (before, nameBefore) = (vault.status, vault.name)
        vault.name = name ?? vault.name
        vault.metadata = metadata ?? vault.metadata
        vault.status = status ?? before
        if vault.status == .archived, before != .archived {
            let isEmpty = try balances(of: vault).allSatisfy { $0.balance.total.isZero }
            guard isEmpty else {
                throw Refusal(
                    .vaultNotEmpty, field: "status",
                    "A vault with funds cannot be archived. Transfer what is left to a wallet of "
                        + "another vault (POST /transactions/transfer) while it is Active.")
            }
        }
        try store.update(vault)
        if vault.status != before {
            try record(.vaultStatusUpdated(vault), of: tenant)
            stirred.signing = true
        }
        if vault.name != nameBefore { try record(.vaultUpdated(vault), of: tenant) }
        return vault
    }

    /// The balance of each of the vault's wallets, by asset.
    public func balances(of vault: Vault) throws -> [(asset: Asset, balance: Balance)] {
        try settings.assets.compactMap { asset in
            try store.wallet(in: vault.id, asset: asset.id).map { (asset, try balance(of: $0)) }
        }
    }

    /// Creates the vault's wallet for an asset. Its deposit address is that of the vault on the
    /// asset's chain, derived when the chain's first wallet is created.
    public func createWallet(
        _ draft: WalletDraft, in vaultID: VaultID, of tenant: TenantID
    ) throws -> Wallet {
        var validation = Validation()
        validation.text("assetId", draft.asset, most: 64)
        validation.text("label", draft.label, most: Wallet.labelMost, required: false)
        try validation.finish()
        let vault = try vault(vaultID, of: tenant)
        let asset = try asset(draft.asset ?? "")
        guard vault.status != .archived else {
            throw Refusal(.frozen, "The vault is archived.")
        }
        guard try isEnabled(asset, for: tenant) else {
            throw Refusal(
                .unknownAsset, field: "assetId",
                "'\(asset.id)' is not enabled for this tenant: no wallet is opened for it.")
        }
        if let existing = try store.wallet(in: vault.id, asset: asset.id) {
            throw Refusal(
                .walletExists, field: "assetId",
                "The vault has a wallet for '\(asset.id)' already: \(existing.id.text).")
        }
        let key = try activeKey(of: vault.keyVault)
        // A deposit before the first block that is followed would never be seen.
        guard try store.chainState(asset.asset.chain) != nil else {
            throw Refusal(
                .chainUnavailable,
                "\(asset.asset.chain.text) has not been reached yet: no address is given out.")
        }
        var address = try store.firstAddress(of: vault.id, on: asset.asset.chain)
        if address == nil {
            address = try deriveAddress(of: vault, on: asset.asset.chain, label: nil, key)
        }
        guard let address else { throw LedgerFault.impossible("address of \(vault.id)") }
        return try open(asset, at: address, label: draft.label)
    }

    private func open(
        _ asset: Asset, at address: WalletAddress, label: String?
    ) throws -> Wallet {
        let wallet = Wallet(
            id: newID(), tenant: address.tenant, vault: address.vault, asset: asset.id,
            label: label, depositAddress: address.text, status: .active, createdAt: now)
        try store.insert(wallet)
        try record(.walletCreated(wallet, try balance(of: wallet), asset), of: wallet.tenant)
        return wallet
    }

    /// Whether the tenant opens wallets for the asset.
    public func isEnabled(_ asset: Asset, for tenant: TenantID) throws -> Bool {
        try !store.disabledAssets(of: tenant).contains(asset.id)
    }

    /// Lets the tenant open wallets for the asset, or no more; those that there are stay.
    public func set(_ id: String, enabled: Bool, for tenant: TenantID) throws -> Asset {
        guard let asset = settings.asset(id) else { throw Refusal.notFound("asset") }
        try admitAll()
        try store.set(asset.id, enabled: enabled, for: tenant)
        return asset
    }

    /// The wallet of an asset that moved at an address of ours. It is opened if the vault has none:
    /// what comes to a vault is never lost.
    func wallet(for asset: Asset, at address: WalletAddress) throws -> Wallet {
        if let wallet = try store.wallet(in: address.vault, asset: asset.id) { return wallet }
        let shown = try store.firstAddress(of: address.vault, on: address.chain)
        return try open(asset, at: shown ?? address, label: nil)
    }

    /// A further deposit address of the wallet, and of the vault's other wallets on its chain.
    public func openAddress(
        label: String?, for walletID: WalletID, of tenant: TenantID
    ) throws -> WalletAddress {
        var validation = Validation()
        validation.text("label", label, most: Wallet.labelMost, required: false)
        try validation.finish()
        let wallet = try wallet(walletID, of: tenant)
        let vault = try vault(wallet.vault, of: tenant)
        guard vault.status != .archived else {
            throw Refusal(.frozen, "The vault is archived.")
        }
        let key = try activeKey(of: vault.keyVault)
        return try deriveAddress(
            of: vault, on: try asset(wallet.asset).asset.chain, label: label, key)
    }

    /// The addresses at which the wallet receives; the one that it shows is the last of all pages.
    public func addresses(
        of walletID: WalletID, _ tenant: TenantID, _ page: PageRequest
    ) throws -> Page<WalletAddress> {
        let wallet = try wallet(walletID, of: tenant)
        return try store.addresses(
            of: wallet.vault, on: try asset(wallet.asset).asset.chain, page)
    }

    /// The next address of the vault on the chain: m/44/coin/vault/0/n, never hardened.
    private func deriveAddress(
        of vault: Vault, on chain: ChainID, label: String?, _ key: SharedKey<ECDSA>
    ) throws -> WalletAddress {
        let number = try store.nextAddressNumber(of: vault.id, coin: chain.coinType)
        guard number < AccountPath.numbersMost else {
            throw Refusal(
                .tooManyAddresses,
                "The vault has \(number) addresses on networks of this kind, the most that there "
                    + "can be.")
        }
        guard
            let path = AccountPath(
                coin: chain.coinType, vaultIndex: vault.index, number: number),
            let derived = DerivedKey(path.derivation, of: key)
        else { throw Refusal(.keyNotReady, "There is no further address under this vault.") }
        let address = WalletAddress(
            chain: chain, text: EVMAddress(derived.publicKey).text, tenant: vault.tenant,
            vault: vault.id, path: path, label: label, nextNonce: 0, createdAt: now)
        try store.insert(address)
        try record(.addressCreated(address, vault), of: vault.tenant)
        return address
    }

    /// - Parameter field: what names the wallet, where a request names more than one thing.
    public func wallet(
        _ id: WalletID, of tenant: TenantID, field: String? = nil
    ) throws -> Wallet {
        guard let wallet = try store.wallet(id, of: tenant) else {
            throw Refusal.notFound("wallet", field: field)
        }
        try admit(wallet.vault)
        return wallet
    }

    public func balance(of wallet: Wallet) throws -> Balance {
        let balances = try store.balances(of: wallet)
        return Balance(
            available: balances[.available] ?? .zero, pending: balances[.pending] ?? .zero,
            reserved: balances[.reserved] ?? .zero)
    }

    /// Records that a wallet's balance has changed.
    func recordBalance(of wallet: Wallet) throws {
        // As it is stored now: its status may have changed with its balance.
        let current = try store.wallet(wallet.id) ?? wallet
        try record(
            .balanceUpdated(current, try balance(of: current), try asset(current.asset)),
            of: current.tenant)
    }

    /// Moves an amount between two accounts of the ledger; nothing where it is zero.
    func post(
        _ key: String, debit: LedgerAccount, credit: LedgerAccount, _ amount: Amount,
        for transaction: TransactionID
    ) throws {
        guard !amount.isZero else { return }
        let entry = LedgerEntry(
            key: key, debit: debit, credit: credit, amount: amount, transaction: transaction,
            at: now)
        guard try store.post(entry) else { throw LedgerFault.bookedTwice(key) }
    }
}

/// What must not happen: a bug, not something that a caller did.
public enum LedgerFault: Error, Equatable {
    /// The same thing was about to be booked a second time; nothing was.
    case bookedTwice(String)
    /// A stored value is impossible.
    case impossible(String)
}

extension Validation {
    mutating func metadata(_ metadata: [String: String]) {
        if metadata.count > Vault.metadataEntriesMost {
            reject(
                "metadata", "'metadata' must have at most \(Vault.metadataEntriesMost) entries.")
        }
        for (key, value) in metadata {
            if key.isEmpty || key.unicodeScalars.count > Vault.metadataKeyMost
                || value.unicodeScalars.count > Vault.metadataValueMost
            {
                reject(
                    "metadata",
                    "A key of 'metadata' has 1 to \(Vault.metadataKeyMost) characters, a value at "
                        + "most \(Vault.metadataValueMost).")
            }
        }
    }
}
