import Algebra
import Chains
import Identity
import Intents

/// Events about nothing, for whoever builds a receiver.
extension Books {
    /// Records an event of the type about what never was, to be delivered. What it names does not
    /// exist, so production has but the type that says so itself.
    public func trigger(_ type: String, of tenant: TenantID) throws -> RecordedEvent {
        if type == "webhook.test" { return try testWebhook(of: tenant) }
        guard settings.environment == .sandbox else {
            throw Refusal(.invalid, field: "type", "Production takes the type webhook.test alone.")
        }
        _ = try requireWebhook(of: tenant)
        guard let event = try samples(of: tenant).first(where: { $0.type == type }) else {
            throw Refusal(
                .invalid, field: "type",
                "There are samples of \(DomainEvent.types.joined(separator: ", ")).")
        }
        return try self.event(try enter(event, of: tenant), of: tenant)
    }

    private func samples(of tenant: TenantID) throws -> [DomainEvent] {
        guard let asset = settings.assets.first else {
            throw Refusal(.invalid, "There is no asset to make a sample with.")
        }
        let address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        let wallet = Wallet(
            id: newID(), tenant: tenant, vault: newID(), asset: asset.id, label: "Sample",
            depositAddress: address, status: .active, createdAt: now)
        let amount = asset.minimumWithdrawal
        let balance = Balance(available: amount, pending: .zero, reserved: .zero)
        let deposit = TransactionView(
            transaction: Transaction(
                id: newID(), tenant: tenant, kind: .deposit, status: .confirming,
                vault: wallet.vault, wallet: wallet.id, asset: asset.id, amount: amount,
                destinationAddress: address, note: "Sample", createdAt: now, updatedAt: now),
            timeline: [TimelineEntry(status: .confirming, at: now)], refusals: [],
            confirmations: 1, requiredConfirmations: asset.confirmations, waiting: nil,
            feeAsset: nil, consolidations: [])
        func entry(_ status: AddressBookEntry.Status) -> AddressBookEntry {
            AddressBookEntry(
                id: newID(), tenant: tenant, network: asset.asset.chain.text, address: address,
                label: "Sample", externalID: nil, status: status, activatesAt: now, createdAt: now)
        }
        var random = SystemRandom()
        let alert = SecurityAlert(
            kind: .addressNotAllowed, key: APIKeyID(isLive: false, random: random.bytes(12)).text,
            address: "192.0.2.1", request: "req_sample")
        return [
            .walletCreated(wallet, balance, asset), .balanceUpdated(wallet, balance, asset),
            .transactionCreated(deposit), .transactionStatusUpdated(deposit),
            .vaultStatusUpdated(
                Vault(
                    id: wallet.vault, tenant: tenant, keyVault: newID(), index: 0,
                    externalID: "sample", name: "Sample", metadata: [:], status: .frozen,
                    content: nil, createdAt: now)),
            .addressBookEntryCreated(entry(.pending)), .addressBookEntryActivated(entry(.active)),
            .addressBookEntryDeleted(entry(.removed)), .securityAlert(alert),
        ]
    }
}
