import Canonical
import Chains
import Intents

/// What a caller says of a message that one of its addresses is to sign.
public struct MessageDraft: Sendable {
    public let vault: VaultID
    public let chain: ChainID
    public let address: String
    public let message: EVMMessage
    public let note: String?
    public let externalID: String

    public init(
        vault: VaultID, chain: ChainID, address: String, message: EVMMessage, note: String?,
        externalID: String
    ) {
        self.vault = vault
        self.chain = chain
        self.address = address
        self.message = message
        self.note = note
        self.externalID = externalID
    }
}

/// Messages that an address signs. They move nothing, so the ledger knows nothing of them; each
/// goes through the holders as a withdrawal does, and the same asked for twice is judged twice.
extension Books {
    /// Most messages of a tenant that wait to be signed.
    public static let openMessagesMost = 100

    public func signMessage(_ draft: MessageDraft, for tenant: TenantID) throws -> Transaction {
        var validation = Validation()
        validation.text("note", draft.note, most: Transaction.noteMost, required: false)
        validation.text("externalId", draft.externalID, most: Transaction.externalIDMost)
        try validation.finish()
        let (source, coin) = try source(draft.address, in: draft.vault, on: draft.chain, of: tenant)
        guard try !isUsed(draft.externalID, by: tenant) else {
            throw externalIDReused(draft.externalID)
        }
        try check(draft.message, on: draft.chain)
        try checkUnderWay(of: tenant)
        var transaction = Transaction(
            id: newID(), tenant: tenant, kind: .messageSign, status: .submitted,
            vault: draft.vault, wallet: try wallet(for: coin, at: source).id, asset: coin.id,
            amount: .zero, sourceAddress: source.text, message: draft.message, note: draft.note,
            externalID: draft.externalID, createdAt: now, updatedAt: now)
        try submit(&transaction, isBuiltOnly: false)
        return transaction
    }

    /// Funds bound what else waits for holders; a message takes none.
    private func checkUnderWay(of tenant: TenantID) throws {
        let open = try [Transaction.Status.submitted, .pendingSignature].map { status in
            try store.transactions(in: status, kind: .messageSign).count { $0.tenant == tenant }
        }
        guard open.reduce(0, +) < Self.openMessagesMost else {
            throw Refusal(
                .requestOpen,
                "\(Self.openMessagesMost) messages wait to be signed already: ask again when one "
                    + "of them has ended.")
        }
    }

    /// The address of an active vault of the tenant, and its chain's coin.
    func source(
        _ address: String, in id: VaultID, on chain: ChainID, of tenant: TenantID
    ) throws -> (WalletAddress, Asset) {
        let vault = try vault(id, of: tenant)
        guard let source = try store.address(address, on: chain), source.vault == vault.id else {
            throw Refusal(
                .invalid, field: "address", "The wallet has no such address on the chain.")
        }
        guard vault.status == .active else {
            throw Refusal(.frozen, "The vault is frozen or archived: nothing is signed for it.")
        }
        guard let coin = settings.asset(.native(chain)) else {
            throw LedgerFault.impossible("\(chain.text) without its coin")
        }
        return (source, coin)
    }

    /// Refuses what every holder would.
    private func check(_ message: EVMMessage, on chain: ChainID) throws(Refusal) {
        switch message {
        case .personal(let bytes):
            guard bytes.count <= EVMMessage.byteLimit else {
                throw Refusal(
                    .invalid, field: "message",
                    "The message has more than \(EVMMessage.byteLimit) bytes.")
            }
        case .typed(let text):
            let data: EVMTypedData
            do throws(EVMTypedData.Malformed) {
                data = try EVMTypedData(text)
            } catch {
                throw Refusal(
                    .invalid, field: "structured_data",
                    "This is no typed data of EIP-712 that is signed: \(error.reason).")
            }
            guard let named = data.chainID, .eip155(named) == chain else {
                throw Refusal(
                    .invalid, field: "structured_data",
                    "The domain's 'chainId' must be there and name the chain.")
            }
        }
    }

    /// Intents for the messages that wait for one: the first, or another where the last was not
    /// signed and is asked for again. Two of them have the same content, so nothing else is signed.
    func makeMessageIntents(_ signer: any IntentSigner) throws -> [SigningRequest] {
        var made: [SigningRequest] = []
        for transaction in try store.transactions(in: .pendingSignature, kind: .messageSign) {
            guard let last = try requestToRepeat(of: transaction) else { continue }
            made.append(try messageRequest(transaction, attempt: last.attempt + 1, signer))
        }
        for var transaction in try store.transactions(in: .submitted, kind: .messageSign) {
            if try isHeldBack(transaction) { continue }
            guard try store.vault(transaction.vault, of: transaction.tenant)?.status == .active
            else {
                try wait(&transaction, .vault, who: [])
                continue
            }
            made.append(try messageRequest(transaction, attempt: 1, signer))
            try move(&transaction, to: .pendingSignature)
        }
        return made
    }

    private func messageRequest(
        _ transaction: Transaction, attempt: Int, _ signer: any IntentSigner
    ) throws -> SigningRequest {
        guard let message = transaction.message, let text = transaction.sourceAddress,
            let chain = settings.asset(transaction.asset)?.asset.chain,
            let source = try store.address(text, on: chain)
        else { throw LedgerFault.impossible("message \(transaction.id)") }
        let group = try signingGroup(of: keyVault(of: transaction.vault, transaction.tenant))
        let order = MessageOrder(
            chain: chain, sourcePath: source.path, sourceAddress: source.text, message: message)
        // No nonce and no funds: it keeps nothing else of its address waiting.
        return try request(
            for: group.group, epoch: group.epoch, tenant: transaction.tenant,
            vault: transaction.vault, .transaction(transaction.id), .message(order),
            attempt: attempt, nil, signer)
    }
}
