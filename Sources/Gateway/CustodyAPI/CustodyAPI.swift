import Algebra
import Canonical
import Custody
import HTTPTypes
import Hummingbird
import Identity
import Intents
import Logging
import NIOCore

/// The custody REST face: each route names its scope, reads its fields, calls one verb of the books
/// and shows what comes back. It owns no rule.
struct CustodyAPI: Sendable {
    let custody: Bookkeeper
    let log: Logger

    func add(to router: RouterGroup<GatewayContext>) {
        addVaults(to: router)
        addTransactions(to: router)
        addAddressBook(to: router)
        addWebhooks(to: router)
    }

    private func addVaults(to router: RouterGroup<GatewayContext>) {
        router.post("vaults") { request, context in
            try await change(request, context, .vaultsWrite) { books, tenant in
                var fields = try RequestFields(context.body)
                let draft = VaultDraft(
                    externalID: fields.string("externalId"), name: fields.string("name"),
                    metadata: fields.strings("metadata"))
                try fields.finish()
                return (201, Resource.vault(try books.openVault(draft, for: tenant)))
            }
        }
        router.get("vaults") { request, context in
            let page = try PageRequest(request)
            return try await read(request, context, .vaultsRead) { books, tenant in
                Resource.page(try books.store.vaults(of: tenant, page), Resource.vault)
            }
        }
        router.get("vaults/:vault") { request, context in
            let id = try context.id("vault", VaultID.self)
            return try await read(request, context, .vaultsRead) { books, tenant in
                Resource.vault(try books.vault(id, of: tenant))
            }
        }
        router.post("vaults/:vault/wallets") { request, context in
            let id = try context.id("vault", VaultID.self)
            return try await change(request, context, .walletsCreate) { books, tenant in
                var fields = try RequestFields(context.body)
                let draft = WalletDraft(
                    asset: fields.string("assetId"), label: fields.string("label"))
                try fields.finish()
                return (201, try show(try books.createWallet(draft, in: id, of: tenant), books))
            }
        }
        router.get("vaults/:vault/wallets") { request, context in
            let id = try context.id("vault", VaultID.self)
            let page = try PageRequest(request)
            return try await read(request, context, .walletsRead) { books, tenant in
                let vault = try books.vault(id, of: tenant)
                return try Resource.page(try books.store.wallets(in: vault.id, page)) {
                    try show($0, books)
                }
            }
        }
        router.get("wallets/:wallet") { request, context in
            let id = try context.id("wallet", WalletID.self)
            return try await read(request, context, .walletsRead) { books, tenant in
                try show(try books.wallet(id, of: tenant), books)
            }
        }
        router.get("assets") { request, context in
            try await read(request, context, .assetsRead) { books, _ in
                .object([
                    "items": .array(books.settings.assets.map(Resource.asset)), "next": .null,
                ])
            }
        }
    }

    private func addTransactions(to router: RouterGroup<GatewayContext>) {
        router.post("transactions/transfer") { request, context in
            try await change(request, context, .transactionsTransfer) { books, tenant in
                var fields = try RequestFields(context.body)
                let draft = TransferDraft(
                    sourceWallet: fields.id("sourceWalletId"),
                    destinationWallet: fields.id("destinationWalletId"),
                    amount: fields.string("amount"), note: fields.string("note"),
                    externalID: fields.string("externalId"))
                try fields.finish()
                return (201, try show(try books.transfer(draft, for: tenant), books))
            }
        }
        router.post("transactions/withdraw") { request, context in
            try await change(request, context, .transactionsWithdraw) { books, tenant in
                var fields = try RequestFields(context.body)
                let draft = WithdrawalDraft(
                    sourceWallet: fields.id("sourceWalletId"),
                    addressBookEntry: fields.id("addressBookEntryId"),
                    destinationAddress: fields.string("destinationAddress"),
                    destinationTag: fields.string("destinationTag"),
                    amount: fields.string("amount"), feeLevel: fields.choice("feeLevel") ?? .medium,
                    maxFee: fields.string("maxFee"), note: fields.string("note"),
                    externalID: fields.string("externalId"))
                try fields.finish()
                return (202, try show(try books.withdraw(draft, for: tenant), books))
            }
        }
        router.get("transactions") { request, context in
            let page = try PageRequest(request, filters: TransactionFilter.parameters)
            let filter = try TransactionFilter(request)
            return try await read(request, context, .transactionsRead) { books, tenant in
                try Resource.page(
                    try books.transactions(of: tenant, matching: filter, page)
                ) { try show($0, books) }
            }
        }
        router.get("transactions/:transaction") { request, context in
            let id = try context.id("transaction", TransactionID.self)
            return try await read(request, context, .transactionsRead) { books, tenant in
                try show(try books.transaction(id, of: tenant), books)
            }
        }
    }

    private func addAddressBook(to router: RouterGroup<GatewayContext>) {
        router.post("address-book") { request, context in
            try await change(request, context, .addressBookWrite) { books, tenant in
                var fields = try RequestFields(context.body)
                let draft = AddressBookDraft(
                    network: fields.string("network"), address: fields.string("address"),
                    tag: fields.string("tag"), label: fields.string("label"),
                    externalID: fields.string("externalId"))
                try fields.finish()
                return (201, Resource.entry(try books.addAddress(draft, for: tenant)))
            }
        }
        router.get("address-book") { request, context in
            let page = try PageRequest(request, filters: ["status"])
            let status = try request.query("status") { AddressBookEntry.Status(rawValue: $0) }
            return try await read(request, context, .addressBookRead) { books, tenant in
                Resource.page(
                    try books.store.addressBook(of: tenant, status: status, page), Resource.entry)
            }
        }
        router.get("address-book/:entry") { request, context in
            let id = try context.id("entry", AddressBookEntryID.self)
            return try await read(request, context, .addressBookRead) { books, tenant in
                Resource.entry(try books.addressBookEntry(id, of: tenant))
            }
        }
        router.patch("address-book/:entry") { request, context in
            let id = try context.id("entry", AddressBookEntryID.self)
            return try await change(request, context, .addressBookWrite) { books, tenant in
                var fields = try RequestFields(context.body)
                let label = fields.string("label")
                try fields.finish()
                return (200, Resource.entry(try books.relabel(id, label, of: tenant)))
            }
        }
        router.delete("address-book/:entry") { request, context in
            let id = try context.id("entry", AddressBookEntryID.self)
            return try await change(request, context, .addressBookWrite) { books, tenant in
                try books.removeAddress(id, of: tenant)
                return (204, nil)
            }
        }
    }

    private func addWebhooks(to router: RouterGroup<GatewayContext>) {
        router.put("webhooks/outbound") { request, context in
            try await change(request, context, .webhooksManage) { books, tenant in
                var fields = try RequestFields(context.body)
                let url = fields.string("url")
                try fields.finish()
                let (endpoint, secret) = try books.setWebhook(url: url, for: tenant)
                return (200, Resource.webhook(endpoint, secret: secret))
            }
        }
        router.get("webhooks/outbound") { request, context in
            try await read(request, context, .webhooksManage) { books, tenant in
                Resource.webhook(try books.webhook(of: tenant), secret: nil)
            }
        }
        router.delete("webhooks/outbound") { request, context in
            try await change(request, context, .webhooksManage) { books, tenant in
                try books.removeWebhook(of: tenant)
                return (204, nil)
            }
        }
    }
}

// What all routes share.
extension CustodyAPI {
    private func show(_ wallet: Wallet, _ books: Books) throws -> JSONValue {
        guard let asset = books.settings.asset(wallet.asset) else {
            throw LedgerFault.impossible("asset of \(wallet.id)")
        }
        return Resource.wallet(wallet, try books.balance(of: wallet), asset)
    }

    private func show(_ transaction: Transaction, _ books: Books) throws -> JSONValue {
        try show(try books.view(transaction), books)
    }

    private func show(_ view: TransactionView, _ books: Books) throws -> JSONValue {
        guard let asset = books.settings.asset(view.transaction.asset) else {
            throw LedgerFault.impossible("asset of \(view.transaction.id)")
        }
        return Resource.transaction(view, asset)
    }

    private func read(
        _ request: Request, _ context: GatewayContext, _ scope: Scope,
        _ show: @escaping @Sendable (Books, TenantID) throws -> JSONValue
    ) async throws -> Response {
        let caller = try context.caller(with: scope)
        let value = try await custody.read { books in try show(books, caller.tenant) }
        return Self.response(200, value.bytes)
    }

    /// A request that changes something: done once per idempotency key, and once per signature.
    private func change(
        _ request: Request, _ context: GatewayContext, _ scope: Scope,
        _ work: @escaping @Sendable (Books, TenantID) throws -> (status: Int, body: JSONValue?)
    ) async throws -> Response {
        let caller = try context.caller(with: scope)
        guard let claim = context.claim else { throw Problem.internal }
        // Idempotency is for POST; what else changes something is the same when repeated.
        let key = request.method == .post ? request.headers[.idempotencyKey] : nil
        var once: Once?
        do {
            if !context.body.isEmpty { try request.requireJSON() }
            let asked = try Once(key: key, fingerprint: request.fingerprint(context.body))
            once = asked
            let answer = try await custody.write { books in
                try books.once(asked, by: caller.key, claiming: claim) { books in
                    let result = try work(books, caller.tenant)
                    return (result.status, result.body?.bytes ?? [])
                }
            }
            return Self.response(answer.status, answer.body)
        } catch {
            try await remember(error, once, caller, claim, context)
            throw error
        }
    }

    /// A request that was refused must not be carried out later by someone who repeats it; one that
    /// failed here is answered the same when it is repeated with its key.
    private func remember(
        _ error: any Error, _ once: Once?, _ caller: Caller, _ claim: SignatureClaim,
        _ context: GatewayContext
    ) async throws {
        guard !(error is Replayed) else { return }
        let isRefusal = error is Refusal || error is Problem
        let body = Problem.internal.body(requestID: context.requestID)
        try await custody.write { books in
            _ = try books.store.claim(
                signature: claim.signature, of: caller.key, until: claim.until)
            guard !isRefusal, let once, let key = once.key,
                try books.store.storedAnswer(key, of: caller.key) == nil
            else { return }
            try books.store.insert(
                StoredAnswer(
                    fingerprint: once.fingerprint, status: 500, body: body, at: books.now),
                key: key, of: caller.key)
        }
    }

    private static func response(_ status: Int, _ body: [UInt8]) -> Response {
        Response(
            status: .init(code: status),
            headers: body.isEmpty ? [:] : [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}

extension GatewayContext {
    func caller(with scope: Scope) throws -> Caller {
        guard let caller else { throw Problem.internal }
        try caller.require(scope)
        return caller
    }

    /// The id in the path. What is no id names nothing, so it is as if it were not there.
    func id<ID: EntityID>(_ name: String, _ type: ID.Type) throws -> ID {
        guard let text = parameters.get(name), let id = ID(text: text.lowercased()) else {
            throw Refusal.notFound(name == "entry" ? "address-book entry" : name)
        }
        return id
    }
}

extension Request {
    func requireJSON() throws(Problem) {
        let type = headers[.contentType]?.split(separator: ";").first?
            .trimmingPrefix { $0 == " " }.lowercased()
        guard type == "application/json" else {
            throw Problem(
                .unsupportedMediaType, "not_json", "Content-Type must be application/json.")
        }
    }

    /// Hash over what the request asks for: method, path with query, and body.
    func fingerprint(_ body: [UInt8]) -> Digest {
        .sha256(Array("\(method.rawValue) \(head.path ?? "")\n".utf8) + body)
    }

    func query<Value>(_ name: String, _ read: (String) -> Value?) throws(Refusal) -> Value? {
        guard let text = uri.queryParameters[Substring(name)] else { return nil }
        guard let value = read(String(text)) else {
            throw Refusal(.invalid, field: name, "'\(name)' has no value that it can have.")
        }
        return value
    }

    /// Refuses a query parameter that is not among these: a misspelt filter must not show all.
    func allowQuery(_ names: [String]) throws(Refusal) {
        for parameter in uri.queryParameters where !names.contains(String(parameter.key)) {
            let name = String(parameter.key.prefix(64))
            throw Refusal(.invalid, field: name, "'\(name)' is not known here.")
        }
    }
}

extension PageRequest {
    /// - Parameter filters: the other parameters that the list takes.
    init(_ request: Request, filters: [String] = []) throws(Refusal) {
        try request.allowQuery(["limit", "after"] + filters)
        try self.init(
            limit: try request.query("limit") { Int($0) },
            after: try request.query("after") { PageCursor(text: $0) })
    }
}

extension TransactionFilter {
    fileprivate static let parameters = ["walletId", "vaultId", "type", "status"]

    init(_ request: Request) throws(Refusal) {
        self.init(
            wallet: try request.query("walletId") { WalletID(text: $0.lowercased()) },
            vault: try request.query("vaultId") { VaultID(text: $0.lowercased()) },
            kind: try request.query("type") { Transaction.Kind(rawValue: $0) },
            status: try request.query("status") { Transaction.Status(rawValue: $0) })
    }
}
