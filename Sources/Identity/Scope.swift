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
    case keysManage = "keys:manage"
    case usageRead = "usage:read"
    case auditRead = "audit:read"

    /// What is about a tenant as a whole: not for a key that is for some of its vaults.
    public static let tenantWide: Set<Scope> = [
        .webhooksManage, .keysManage, .usageRead, .auditRead,
    ]
}
