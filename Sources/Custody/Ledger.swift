import Chains
import Intents

/// A place of the double-entry ledger. Every entry moves an amount from one account to another, so
/// the ledger sums to zero by construction; no account goes below zero, which the database
/// enforces.
public struct LedgerAccount: Hashable, Sendable {
    public enum Role: String, Sendable, CaseIterable {
        /// What the wallet may spend.
        case available
        /// Deposits that are not final yet.
        case pending
        /// What withdrawals that are under way will take at most.
        case reserved
        /// What the chain holds for the tenant; the other side of all of the above.
        case holdings
        /// Funds that a reorganisation took back after they were spent: a debt to be settled.
        case suspense

        /// Whether debits raise the balance: what we hold and are owed, as against what we owe.
        public var isDebitNormal: Bool {
            switch self {
            case .holdings, .suspense: true
            case .available, .pending, .reserved: false
            }
        }
    }

    public let tenant: TenantID
    public let asset: String
    /// Nil for `holdings`, which is one for the tenant and asset.
    public let wallet: WalletID?
    public let role: Role

    public init(tenant: TenantID, asset: String, wallet: WalletID?, role: Role) {
        self.tenant = tenant
        self.asset = asset
        self.wallet = wallet
        self.role = role
    }
}

/// One movement of the ledger. It is written once and never changed; what was wrong is moved back.
public struct LedgerEntry: Equatable, Sendable {
    /// What makes the entry the only one of its kind, such as chain, transaction and block of a
    /// credit: the same thing cannot be booked twice.
    public let key: String
    public let debit: LedgerAccount
    public let credit: LedgerAccount
    public let amount: Amount
    public let transaction: TransactionID
    public let at: Timestamp

    public init(
        key: String, debit: LedgerAccount, credit: LedgerAccount, amount: Amount,
        transaction: TransactionID, at: Timestamp
    ) {
        self.key = key
        self.debit = debit
        self.credit = credit
        self.amount = amount
        self.transaction = transaction
        self.at = at
    }
}

/// What a wallet has.
public struct Balance: Equatable, Sendable {
    public let available: Amount
    public let pending: Amount
    public let reserved: Amount

    public init(available: Amount, pending: Amount, reserved: Amount) {
        self.available = available
        self.pending = pending
        self.reserved = reserved
    }

    public var total: Amount {
        available.adding(pending)?.adding(reserved) ?? .most
    }
}

/// The ledger of one asset, summed over all tenants: equal on both sides at every commit.
public struct LedgerSum: Equatable, Sendable {
    public let asset: String
    /// Holdings and suspense.
    public let owned: Amount
    /// What all wallets have.
    public let owed: Amount

    public init(asset: String, owned: Amount, owed: Amount) {
        self.asset = asset
        self.owned = owned
        self.owed = owed
    }
}

extension Wallet {
    func account(_ role: LedgerAccount.Role) -> LedgerAccount {
        LedgerAccount(
            tenant: tenant, asset: asset, wallet: role == .holdings ? nil : id, role: role)
    }
}
