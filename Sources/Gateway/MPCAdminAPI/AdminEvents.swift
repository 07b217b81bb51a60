import Canonical
import Custody
import Intents

/// The types of events that endpoints of the face are told of, as its clients know them.
enum AdminEventType: String, CaseIterable {
    case transactionCreated = "wallets.transaction.created"
    case transactionUpdated = "wallets.transaction.updated"
    case transactionFailed = "wallets.transaction.failed"
    case transactionSucceeded = "wallets.transaction.succeeded"
    case requestCreated = "wallets.mpc.tss_request.created"
    case requestUpdated = "wallets.mpc.tss_request.updated"
    case requestFailed = "wallets.mpc.tss_request.failed"
    case requestSucceeded = "wallets.mpc.tss_request.succeeded"
    case keyVaultCreated = "mpc_vaults.created"
    case keyVaultUpdated = "mpc_vaults.updated"
    case walletCreated = "wallets.created"
    case walletUpdated = "wallets.updated"
    case addressesCreated = "wallets.addresses.created"

    var says: String {
        switch self {
        case .transactionCreated: "A transaction was accepted, or a deposit was seen."
        case .transactionUpdated: "A transaction took a further status, which is not its last."
        case .transactionFailed: "A transaction has failed, or was rejected or cancelled."
        case .transactionSucceeded: "A transaction is completed."
        case .requestCreated: "A TSS request was made."
        case .requestUpdated: "A TSS request took a further status, which is not its last."
        case .requestFailed: "A TSS request has failed, or was refused or cancelled."
        case .requestSucceeded: "All holders have the shares that a TSS request was for."
        case .keyVaultCreated: "A vault was made."
        case .keyVaultUpdated: "A vault was renamed, or has its root keys."
        case .walletCreated: "A wallet was made."
        case .walletUpdated: "A wallet was renamed."
        case .addressesCreated: "An address was derived."
        }
    }

    /// The type by which a change of status is told.
    private static func update(of transaction: Transaction) -> AdminEventType {
        switch transaction.status {
        case .submitted, .pendingSignature, .broadcasting, .confirming: .transactionUpdated
        case .completed: .transactionSucceeded
        case .failed, .cancelled: .transactionFailed
        }
    }

    private static func update(of request: KeyShareRequest) -> AdminEventType {
        switch request.status {
        case .confirming, .starting, .running: .requestUpdated
        case .done: .requestSucceeded
        case .refused, .failed, .cancelled: .requestFailed
        }
    }

    /// What is told of an event.
    static func told(of event: DomainEvent, _ books: Books) throws -> [Notice] {
        switch event {
        case .transactionCreated(let view):
            // A transfer on the ledger alone is done as soon as it is made.
            let isDone = view.transaction.status.isFinal
            let types = [.transactionCreated] + (isDone ? [update(of: view.transaction)] : [])
            let data = try AdminResource.transaction(view, in: books).data(.transaction)
            return types.map { $0.notice(data) }
        case .transactionStatusUpdated(let view):
            let data = try AdminResource.transaction(view, in: books).data(.transaction)
            return [update(of: view.transaction).notice(data)]
        case .keyShareRequestCreated(let request):
            return [requestCreated.notice(AdminResource.request(request).data(.request))]
        case .keyShareRequestStatusUpdated(let request):
            return [update(of: request).notice(AdminResource.request(request).data(.request))]
        case .keyVaultCreated(let keyVault), .keyVaultUpdated(let keyVault):
            let isNew = if case .keyVaultCreated = event { true } else { false }
            let data = try AdminResource.keyVault(keyVault, in: books).data(.keyVault)
            return [(isNew ? keyVaultCreated : keyVaultUpdated).notice(data)]
        case .vaultCreated(let vault), .vaultUpdated(let vault):
            let isNew = if case .vaultCreated = event { true } else { false }
            let wallet = try AdminResource.wallet(vault, in: books)
            let data = JSONValue.object(["wallet": wallet]).data(.wallet)
            return [(isNew ? walletCreated : walletUpdated).notice(data)]
        case .addressCreated(let address, let vault):
            let shown = try AdminResource.address(address, of: vault, in: books)
                .adding("wallet_id", .string(vault.id.text))
            let data = JSONValue.object(["addresses": .array([shown])]).data(.addresses)
            return [addressesCreated.notice(data)]
        case .walletCreated, .balanceUpdated, .vaultStatusUpdated, .addressBookEntryCreated,
            .addressBookEntryActivated, .addressBookEntryDeleted, .securityAlert, .webhookTest:
            return []
        }
    }

    private func notice(_ data: JSONValue) -> Notice { Notice(type: rawValue, data: data.bytes) }
}

/// What an event's `data` is.
private enum DataType: String {
    case transaction = "Transaction"
    case request = "TSSRequest"
    case keyVault = "MPCVault"
    case wallet = "WalletInfo"
    case addresses = "Addresses"
}

extension JSONValue {
    /// The members of an object, after the type that tells its readers what they are.
    fileprivate func data(_ type: DataType) -> JSONValue {
        guard case .object(let members) = self else { return self }
        return .object([.init(name: "data_type", value: .string(type.rawValue))] + members)
    }

    fileprivate func adding(_ name: String, _ value: JSONValue) -> JSONValue {
        guard case .object(let members) = self else { return self }
        return .object(members + [.init(name: name, value: value)])
    }
}

/// Events about nothing, for whoever builds a receiver. Every id is zero.
extension AdminEventType {
    /// A sample of the type; nil of a type that there are none of.
    func sample(_ settings: CustodySettings, at now: Timestamp) -> JSONValue? {
        func transaction(_ status: Transaction.Status) -> JSONValue? {
            Self.transaction(status, settings, at: now)?.data(.transaction)
        }
        func request(_ status: KeyShareRequest.Status) -> JSONValue? {
            Self.request(status, at: now)?.data(.request)
        }
        return switch self {
        case .transactionCreated: transaction(.submitted)
        case .transactionUpdated: transaction(.broadcasting)
        case .transactionFailed: transaction(.failed)
        case .transactionSucceeded: transaction(.completed)
        case .requestCreated: request(.confirming)
        case .requestUpdated: request(.running)
        case .requestFailed: request(.failed)
        case .requestSucceeded: request(.done)
        case .keyVaultCreated, .keyVaultUpdated, .walletCreated, .walletUpdated,
            .addressesCreated:
            nil
        }
    }

    private static func none<ID: EntityID>(_: ID.Type = ID.self) -> ID {
        ID(unchecked: [UInt8](repeating: 0, count: ID.byteCount))
    }

    private static func transaction(
        _ status: Transaction.Status, _ settings: CustodySettings, at now: Timestamp
    ) -> JSONValue? {
        guard let asset = settings.assets.first else { return nil }
        let view = TransactionView(
            transaction: Transaction(
                id: none(), tenant: none(), kind: .withdrawal, status: status, vault: none(),
                wallet: none(), asset: asset.id, amount: asset.minimumWithdrawal,
                destinationAddress: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", note: "Sample",
                externalID: "sample", createdAt: now, updatedAt: now),
            requiredConfirmations: asset.confirmations)
        let keyVault = KeyVault(
            id: none(), tenant: none(), name: "Sample", kind: .organisation, createdAt: now)
        return AdminResource.transaction(
            view, asset, .init(source: keyVault, destination: nil), isDetail: false)
    }

    private static func request(
        _ status: KeyShareRequest.Status, at now: Timestamp
    ) -> JSONValue? {
        guard let id = KeyShareRequestID(text: String(repeating: "0", count: 32)) else {
            return nil
        }
        return AdminResource.request(
            KeyShareRequest(
                id: id, keyVault: none(), kind: .keyGeneration, target: none(), source: nil,
                note: "Sample", status: status, createdAt: now,
                expiresAt: now.adding(seconds: KeyShareRequest.lifetimeSeconds)))
    }
}
