import Canonical
import Custody
import Intents

/// Writes events as the faces deliver them.
public struct FaceEventWriter: EventWriter {
    private let assets: [String: Asset]

    public init(assets: [Asset]) {
        self.assets = Dictionary(uniqueKeysWithValues: assets.map { ($0.id, $0) })
    }

    /// For the document. What `data` is depends on the type.
    static let shape = Shape.object([
        Member("id", .uuid), Member("type", .text()), Member("createdAt", .time),
        Member("sequence", .integer(), "within the resource, from 1"), Member("tenantId", .uuid),
        Member("environment", .text()),
        Member("data", .object([]), "the resource as it was at that moment"),
    ])

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
        case .vaultStatusUpdated(let vault): return Resource.vault(vault)
        case .addressBookEntryCreated(let entry), .addressBookEntryActivated(let entry),
            .addressBookEntryDeleted(let entry):
            return Resource.entry(entry)
        case .securityAlert(let alert): return Resource.alert(alert)
        case .webhookTest:
            return .object(["message": .string("Deliveries reach you.")])
        case .keyVaultCreated, .keyVaultUpdated, .vaultCreated, .vaultUpdated, .addressCreated,
            .keyShareRequestCreated, .keyShareRequestStatusUpdated:
            return .null
        }
    }

    public func notices(of event: DomainEvent, _ books: Books) throws -> [Notice] {
        try AdminEventType.told(of: event, books)
    }

    public func body(
        of event: RecordedEvent, to url: String, retriesLeft: Int
    ) throws -> [UInt8] {
        try AdminResource.event(event, to: url, retriesLeft: retriesLeft).bytes
    }

    public func question(about transaction: TransactionView, _ books: Books) throws -> [UInt8] {
        try AdminResource.transaction(transaction, in: books).bytes
    }
}
