import Canonical
import Chains
import Custody
import Intents

/// Custody's things as the REST face shows them: docs/api.
enum Resource {
    static let vaultShape = Shape.named(
        "Vault",
        [
            Member("id", .uuid), Member("externalId", .text()), Member("name", .text()),
            Member("metadata", .texts), Member("status", .choice(Vault.Status.self)),
            Member("createdAt", .time),
        ])

    static func vault(_ vault: Vault) -> JSONValue {
        .object([
            "id": .string(vault.id.text), "externalId": .string(vault.externalID),
            "name": .string(vault.name), "metadata": metadata(vault.metadata),
            "status": .string(vault.status.rawValue), "createdAt": .string(vault.createdAt.text),
        ])
    }

    private static func metadata(_ metadata: [String: String]) -> JSONValue {
        .object(
            metadata.sorted { $0.key < $1.key }.map {
                .init(name: $0.key, value: .string($0.value))
            })
    }

    static let assetShape = Shape.named(
        "Asset",
        [
            Member("id", .text()), Member("symbol", .text()), Member("name", .text()),
            Member("network", .text(), "CAIP-2"), Member("decimals", .integer(0...18)),
            Member("contract", .nullable(.text())),
            Member("confirmations", .integer(), "blocks after which a transaction is final"),
            Member("minWithdrawal", .amount), Member("status", .choice(["Enabled", "Disabled"])),
        ])

    static func asset(_ asset: Asset, isEnabled: Bool = true) -> JSONValue {
        .object([
            "id": .string(asset.id), "symbol": .string(asset.symbol), "name": .string(asset.name),
            "network": .string(asset.asset.chain.text), "decimals": .integer(asset.decimals),
            "contract": .optional(asset.asset.contract?.text),
            "confirmations": .integer(asset.confirmations),
            "minWithdrawal": .string(asset.minimumWithdrawal.text(decimals: asset.decimals)),
            "status": .string(isEnabled ? "Enabled" : "Disabled"),
        ])
    }

    static let walletShape = Shape.named(
        "Wallet",
        [
            Member("id", .uuid), Member("vaultId", .uuid), Member("assetId", .text()),
            Member("assetName", .text()), Member("assetSymbol", .text()),
            Member("network", .text()), Member("label", .nullable(.text())),
            Member("depositAddress", .text()), Member("depositTag", .nullable(.text())),
            Member("status", .choice(Wallet.Status.self)), Member("createdAt", .time),
            Member("balance", balanceShape),
        ])

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

    static let addressShape = Shape.named(
        "DepositAddress",
        [
            Member("address", .text()), Member("path", .text(), "where it is derived"),
            Member("label", .nullable(.text())), Member("createdAt", .time),
        ])

    static func address(_ address: WalletAddress) -> JSONValue {
        .object([
            "address": .string(address.text), "path": .string(address.path.text),
            "label": .optional(address.label), "createdAt": .string(address.createdAt.text),
        ])
    }

    static let balanceShape = Shape.named(
        "Balance",
        [
            Member("total", .amount), Member("available", .amount, "what can be spent"),
            Member("pending", .amount, "on its way in"),
            Member("reserved", .amount, "for withdrawals that are on their way"),
        ])

    static func balance(_ balance: Balance, _ asset: Asset) -> JSONValue {
        func text(_ amount: Amount) -> JSONValue { .string(amount.text(decimals: asset.decimals)) }
        return .object([
            "total": text(balance.total), "available": text(balance.available),
            "pending": text(balance.pending), "reserved": text(balance.reserved),
        ])
    }

    static let assetBalanceShape = Shape.named(
        "AssetBalance",
        [
            Member("assetId", .text()), Member("total", .amount), Member("available", .amount),
            Member("pending", .amount), Member("reserved", .amount),
        ])

    static func assetBalance(_ balance: Balance, _ asset: Asset) -> JSONValue {
        guard case .object(let members) = self.balance(balance, asset) else { return .null }
        return .object([.init(name: "assetId", value: .string(asset.id))] + members)
    }

    static let feesShape = Shape.named(
        "Fees",
        [
            Member("slow", .amount), Member("medium", .amount), Member("fast", .amount),
            Member("assetId", .text(), "the coin that fees are paid in"),
            Member(
                "consolidations", .integer(0...Books.consolidationsMost),
                "transfers to one address that must go before, whose fees are in the others"),
        ])

    static func fees(
        _ fees: [FeeLevel: Amount], _ asset: Asset, consolidations: Int
    ) -> JSONValue {
        func text(_ level: FeeLevel) -> JSONValue {
            .optional(fees[level]?.text(decimals: asset.decimals))
        }
        return .object([
            "slow": text(.slow), "medium": text(.medium), "fast": text(.fast),
            "assetId": .string(asset.id), "consolidations": .integer(consolidations),
        ])
    }

    static let entryShape = Shape.named(
        "AddressBookEntry",
        [
            Member("id", .uuid), Member("network", .text()), Member("address", .text()),
            Member("tag", .nullable(.text())), Member("label", .text()),
            Member("externalId", .nullable(.text())),
            Member("status", .choice(AddressBookEntry.Status.self)),
            Member("activatesAt", .time), Member("createdAt", .time),
        ])

    static func entry(_ entry: AddressBookEntry) -> JSONValue {
        .object([
            "id": .string(entry.id.text), "network": .string(entry.network),
            "address": .string(entry.address), "tag": .null, "label": .string(entry.label),
            "externalId": .optional(entry.externalID), "status": .string(entry.status.rawValue),
            "activatesAt": .string(entry.activatesAt.text),
            "createdAt": .string(entry.createdAt.text),
        ])
    }

    static let webhookShape = Shape.named(
        "Webhook",
        [
            Member("url", .nullable(.text())),
            Member("signingSecret", .nullable(.text()), "base64; only when it is new"),
            Member("subscribedEventTypes", .list(.text())), Member("isConfigured", .boolean),
            Member(
                "previousSecretValidUntil", .nullable(.time),
                "while the secret before the last rotation signs too"),
        ])

    static func webhook(_ endpoint: WebhookEndpoint?, secret: String?) -> JSONValue {
        let types = DomainEvent.types.map { JSONValue.string($0) }
        return .object([
            "url": .optional(endpoint?.url), "signingSecret": .optional(secret),
            "subscribedEventTypes": .array(types), "isConfigured": .bool(endpoint != nil),
            "previousSecretValidUntil": .optional(endpoint?.previous?.until.text),
        ])
    }

    static let kinds = Shape.choice(Transaction.Kind.listed.map(\.rawValue))

    static let transactionShape = Shape.named(
        "Transaction",
        [
            Member("id", .uuid), Member("type", kinds),
            Member("status", .choice(Transaction.Status.self)),
            Member("subStatus", .nullable(.choice(Waiting.Cause.self)), "what is awaited"),
            Member("vaultId", .uuid), Member("walletId", .uuid),
            Member("destinationWalletId", .nullable(.uuid)), Member("assetId", .text()),
            Member("amount", .amount), Member("fee", .nullable(.amount), "what was paid"),
            Member("feeAssetId", .nullable(.text()), "the coin that the fee is paid in"),
            Member("maxFee", .nullable(.amount), "what was reserved for the fee"),
            Member(
                "consolidation", .nullable(consolidationShape), "where no address held enough"),
            Member("sourceAddress", .nullable(.text())),
            Member("destinationAddress", .nullable(.text())),
            Member("txHash", .nullable(.text())),
            Member(
                "signature", .nullable(.text()), "of a message that was signed: 65 bytes, r, s, v"),
            Member("confirmations", .integer()),
            Member("requiredConfirmations", .integer()),
            Member("waitingFor", .nullable(waitingShape)),
            Member("failure", .nullable(failureShape)), Member("refusals", .list(refusalShape)),
            Member("note", .nullable(.text())), Member("externalId", .nullable(.text())),
            Member("createdAt", .time), Member("updatedAt", .time),
            Member(
                "timeline",
                .list(
                    .object([
                        Member("status", .choice(Transaction.Status.self)), Member("at", .time),
                    ]))),
        ])

    private static let waitingShape = Shape.named(
        "WaitingFor",
        [
            Member("what", .choice(Waiting.Cause.self)), Member("who", .list(.text())),
            Member("since", .time), Member("next", .text(), "what happens next, or what to do"),
        ])

    private static let failureShape = Shape.named(
        "Failure",
        [Member("code", .choice(Failure.Code.self)), Member("message", .text())])

    private static let refusalShape = Shape.named(
        "HolderRefusal",
        [
            Member("holder", .text()), Member("code", .text()), Member("reason", .text()),
            Member("at", .time),
        ])

    private static let consolidationShape = Shape.named(
        "Consolidation",
        [
            Member("maxFee", .amount, "what was reserved for the fees of all transfers"),
            Member("fee", .amount, "what of them was paid"),
            Member(
                "transfers",
                .list(
                    .object([
                        Member("id", .uuid), Member("status", .choice(Transaction.Status.self)),
                        Member(
                            "sourceAddress", .nullable(.text()),
                            "null if it is of a vault that the key may not see"),
                        Member("destinationAddress", .nullable(.text())),
                        Member("amount", .nullable(.amount), "null as sourceAddress"),
                        Member("fee", .nullable(.amount)),
                        Member("txHash", .nullable(.text()), "null also as sourceAddress"),
                    ]))),
        ])

    private static func consolidation(
        _ view: TransactionView, _ asset: Asset, _ coin: Asset
    ) -> JSONValue {
        guard view.transaction.consolidationsLeft > 0 || !view.consolidations.isEmpty else {
            return .null
        }
        return .object([
            "maxFee": .string(view.consolidationFeeLimit.text(decimals: coin.decimals)),
            "fee": .string(view.consolidationFee.text(decimals: coin.decimals)),
            "transfers": .array(
                view.consolidations.map { transfer in
                    func shown(_ text: String?) -> JSONValue {
                        .optional(view.hidden.contains(transfer.id) ? nil : text)
                    }
                    return .object([
                        "id": .string(transfer.id.text),
                        "status": .string(transfer.status.rawValue),
                        "sourceAddress": shown(transfer.sourceAddress),
                        "destinationAddress": .optional(transfer.destinationAddress),
                        "amount": shown(transfer.amount.text(decimals: asset.decimals)),
                        "fee": .optional(transfer.fee?.text(decimals: coin.decimals)),
                        "txHash": shown(transfer.hash.map { "0x" + $0.hex }),
                    ])
                }),
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
            "subStatus": .optional(view.waiting?.cause.rawValue),
            "vaultId": .string(transaction.vault.text),
            "walletId": .string(transaction.wallet.text),
            "destinationWalletId": .optional(transaction.destinationWallet?.text),
            "assetId": .string(transaction.asset), "amount": text(transaction.amount, of: asset),
            "fee": text(transaction.fee, of: feeAsset),
            "feeAssetId": .optional(view.feeAsset?.id),
            "maxFee": [.withdrawal, .contractCall].contains(transaction.kind)
                ? text(transaction.feeMost, of: feeAsset) : .null,
            "consolidation": consolidation(view, asset, feeAsset),
            "sourceAddress": .optional(transaction.sourceAddress),
            "destinationAddress": .optional(transaction.destinationAddress),
            "txHash": .optional(transaction.hash.map { "0x" + $0.hex }),
            "signature": .optional(transaction.signature?.evmText),
            "confirmations": .integer(view.confirmations),
            "requiredConfirmations": .integer(view.requiredConfirmations),
            "waitingFor": waiting(view.waiting), "failure": failure(transaction.failure),
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
}
