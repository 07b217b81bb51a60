/// What an API key may do. A request that needs a scope its key lacks is refused.
public enum Scope: String, CaseIterable, Sendable {
    case vaultsRead = "vaults:read"
    case vaultsWrite = "vaults:write"
    case walletsRead = "wallets:read"
    case walletsCreate = "wallets:create"
    case assetsRead = "assets:read"
    case transactionsRead = "transactions:read"
    case transactionsTransfer = "transactions:transfer"
    case transactionsWithdraw = "transactions:withdraw"
    case addressBookRead = "addressbook:read"
    case addressBookWrite = "addressbook:write"
    case webhooksManage = "webhooks:manage"
}
