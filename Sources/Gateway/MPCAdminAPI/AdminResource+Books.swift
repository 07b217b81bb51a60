import Canonical
import Custody
import Intents

/// Things that are shown with what the books say around them: in answers, and to endpoints.
extension AdminResource {
    /// - Parameter isDetail: with its timeline.
    static func transaction(
        _ view: TransactionView, in books: Books, isDetail: Bool = false
    ) throws -> JSONValue {
        let transaction = view.transaction
        guard let asset = books.settings.asset(transaction.asset),
            let vault = try books.store.vault(transaction.vault, of: transaction.tenant)
        else { throw LedgerFault.impossible("asset or vault of \(transaction.id)") }
        return self.transaction(
            view, asset,
            Ends(
                source: try books.keyVault(vault.keyVault, of: transaction.tenant),
                destination: try transaction.destinationWallet.flatMap {
                    try books.store.wallet($0, of: transaction.tenant)
                }), isDetail: isDetail)
    }

    static func keyVault(_ keyVault: KeyVault, in books: Books) throws -> JSONValue {
        self.keyVault(keyVault, roots: try books.rootKeys(of: keyVault.id))
    }

    static func wallet(_ vault: Vault, in books: Books) throws -> JSONValue {
        let keyVault = try books.keyVault(vault.keyVault, of: vault.tenant)
        let project = try keyVault.project.map { try books.project($0, of: vault.tenant) }
        return .object([
            "wallet_id": .string(vault.id.text), "wallet_type": .string("MPC"),
            "wallet_subtype": .string(keyVault.kind.walletSubtype), "name": .string(vault.name),
            "org_id": .string(vault.tenant.text), "vault_id": .string(keyVault.id.text),
            "vault_name": .string(keyVault.name), "project_id": .string(project?.id.text ?? ""),
            "project_name": .string(project?.name ?? ""),
        ])
    }

    static func address(
        _ address: WalletAddress, of vault: Vault, in books: Books
    ) throws -> JSONValue {
        let keys = try books.keys(of: address, in: vault)
        return .object([
            "address": .string(address.text),
            "chain_id": .string(CustodySettings.name(of: address.chain)),
            "path": .string(address.path.text), "encoding": .string("ENCODING_DEFAULT"),
            "pubkey": .string(Hex.encode(keys.derived)),
            "root_pubkey": .string(extended(keys.root)),
        ])
    }
}
