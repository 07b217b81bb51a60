import Canonical
import Chains
import Custody
import Intents

/// Custody's things as the REST face shows them: contract `custody-rest`.
enum Resource {
    static func vault(_ vault: Vault) -> JSONValue {
        .object([
            "id": .string(vault.id.text), "externalId": .string(vault.externalID),
            "name": .string(vault.name), "metadata": metadata(vault.metadata),
            "status": .string("Active"), "createdAt": .string(vault.createdAt.text),
        ])
    }

    private static func metadata(_ metadata: [String: String]) -> JSONValue {
        .object(
            metadata.sorted { $0.key < $1.key }.map {
                .init(name: $0.key, value: .string($0.value))
            })
    }

    static func asset(_ asset: Asset) -> JSONValue {
        .object([
            "id": .string(asset.id), "symbol": .string(asset.symbol), "name": .string(asset.name),
            "network": .string(asset.asset.chain.text), "decimals": .integer(asset.decimals),
            "contract": .optional(asset.asset.contract?.text),
            "confirmations": .integer(asset.confirmations),
            "minWithdrawal": .string(asset.minimumWithdrawal.text(decimals: asset.decimals)),
            "status": .string("Enabled"),
        ])
    }

    static func wallet(_ wallet: Wallet, _ balance: Balance, _ asset: Asset) -> JSONValue {
        .object([
            "id": .string(wallet.id.text), "vaultId": .string(wallet.vault.text),
            "assetId": .string(wallet.asset), "assetName": .string(asset.name),
            "assetSymbol": .string(asset.symbol), "network": .string(asset.asset.chain.text),
            "label": .optional(wallet.label), "depositAddress": .string(wallet.depositAddress),
            "depositTag": .null, "status": .string(wallet.status.rawValue),
            "createdAt": .string(wallet.createdAt.text), "balance": self.balance(balance, asset),
        ])
    }

    static func balance(_ balance: Balance, _ asset: Asset) -> JSONValue {
        func text(_ amount: Amount) -> JSONValue { .string(amount.text(decimals: asset.decimals)) }
        return .object([
            "total": text(balance.total), "available": text(balance.available),
            "pending": text(balance.pending), "reserved": text(balance.reserved),
        ])
    }

    static func entry(_ entry: AddressBookEntry) -> JSONValue {
        .object([
            "id": .string(entry.id.text), "network": .string(entry.network),
            "address": .string(entry.address), "tag": .null, "label": .string(entry.label),
            "externalId": .optional(entry.externalID), "status": .string(entry.status.rawValue),
            "activatesAt": .string(entry.activatesAt.text),
            "createdAt": .string(entry.createdAt.text),
        ])
    }

    static func webhook(_ endpoint: WebhookEndpoint?, secret: String?) -> JSONValue {
        let types = DomainEventTypes.all.map { JSONValue.string($0) }
        return .object([
            "url": .optional(endpoint?.url), "signingSecret": .optional(secret),
            "subscribedEventTypes": .array(types), "isConfigured": .bool(endpoint != nil),
        ])
    }

    static func transaction(_ view: TransactionView, _ asset: Asset) -> JSONValue {
        let transaction = view.transaction
        func text(_ amount: Amount?, of asset: Asset) -> JSONValue {
            .optional(amount?.text(decimals: asset.decimals))
        }
        let feeAsset = view.feeAsset ?? asset
        return .object([
            "id": .string(transaction.id.text), "type": .string(transaction.kind.rawValue),
            "status": .string(transaction.status.rawValue),
            "subStatus": .optional(transaction.waiting?.cause.rawValue),
            "vaultId": .string(transaction.vault.text),
            "walletId": .string(transaction.wallet.text),
            "destinationWalletId": .optional(transaction.destinationWallet?.text),
            "assetId": .string(transaction.asset), "amount": text(transaction.amount, of: asset),
            "fee": text(transaction.fee, of: feeAsset),
            "feeAssetId": .optional(view.feeAsset?.id),
            "maxFee": transaction.kind == .withdrawal
                ? text(transaction.feeLimit, of: feeAsset) : .null,
            "sourceAddress": .optional(transaction.sourceAddress),
            "destinationAddress": .optional(transaction.destinationAddress),
            "txHash": .optional(transaction.hash.map { "0x" + $0.hex }),
            "confirmations": .integer(view.confirmations),
            "requiredConfirmations": .integer(view.requiredConfirmations),
            "waitingFor": waiting(transaction.waiting), "failure": failure(transaction.failure),
            "refusals": .array(view.refusals.map(refusal)), "note": .optional(transaction.note),
            "externalId": .optional(transaction.externalID),
            "createdAt": .string(transaction.createdAt.text),
            "updatedAt": .string(transaction.updatedAt.text),
            "timeline": .array(
                view.timeline.map {
                    .object(["status": .string($0.status.rawValue), "at": .string($0.at.text)])
                }),
        ])
    }

    private static func waiting(_ waiting: Waiting?) -> JSONValue {
        guard let waiting else { return .null }
        return .object([
            "what": .string(waiting.cause.rawValue),
            "who": .array(waiting.who.map { .string($0) }), "since": .string(waiting.since.text),
            "next": .string(waiting.next),
        ])
    }

    private static func failure(_ failure: Failure?) -> JSONValue {
        guard let failure else { return .null }
        return .object([
            "code": .string(failure.code.rawValue), "message": .string(failure.message),
        ])
    }

    private static func refusal(_ refusal: HolderRefusal) -> JSONValue {
        .object([
            "holder": .string(refusal.holder), "code": .string(refusal.code),
            "reason": .string(refusal.sentence), "at": .string(refusal.at.text),
        ])
    }

    static func page<Item>(_ page: Page<Item>, _ show: (Item) throws -> JSONValue) rethrows
        -> JSONValue
    {
        .object([
            "items": .array(try page.items.map(show)), "next": .optional(page.next?.text),
        ])
    }
}

/// The event types that a webhook receives.
enum DomainEventTypes {
    static let all = [
        "transaction.created", "transaction.status.updated", "wallet.created", "balance.updated",
        "addressbook.entry.created", "addressbook.entry.deleted",
    ]
}

/// Writes events as the custody REST face delivers them.
public struct CustodyEventWriter: EventWriter {
    private let assets: [String: Asset]

    public init(assets: [Asset]) {
        self.assets = Dictionary(uniqueKeysWithValues: assets.map { ($0.id, $0) })
    }

    public func body(of event: DomainEvent, in frame: EventFrame) -> [UInt8] {
        JSONValue.object([
            "id": .string(frame.id.text), "type": .string(frame.type),
            "createdAt": .string(frame.createdAt.text), "sequence": .integer(frame.sequence),
            "tenantId": .string(frame.tenant.text),
            "environment": .string(frame.environment.name), "data": data(of: event),
        ]).bytes
    }

    private func data(of event: DomainEvent) -> JSONValue {
        switch event {
        case .transactionCreated(let view), .transactionStatusUpdated(let view):
            guard let asset = assets[view.transaction.asset] else { return .null }
            return Resource.transaction(view, asset)
        case .walletCreated(let wallet, let balance, let asset),
            .balanceUpdated(let wallet, let balance, let asset):
            return Resource.wallet(wallet, balance, asset)
        case .addressBookEntryCreated(let entry), .addressBookEntryDeleted(let entry):
            return Resource.entry(entry)
        }
    }
}
