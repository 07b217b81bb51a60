import Canonical
import Chains
import Intents
import KeyGroups

/// Making intents: what leaves custody's hands to be judged by the holders.
extension Books {
    /// Makes an intent for every withdrawal, message and key ceremony that waits for one and can
    /// have it.
    ///
    /// One intent per source address is in the signing stage at a time, and its nonce is fixed here
    /// (docs/decisions/0005-nonces.md).
    public func makeIntents(signer: any IntentSigner) throws -> [SigningRequest] {
        var made: [SigningRequest] = []
        for ceremony in try store.openCeremonies() {
            if let request = try makeCeremonyIntent(ceremony, signer) { made.append(request) }
        }
        let round = SourceRound()
        for request in try store.signingRequests(in: [.open, .closing])
        where !Self.isAskedAgain(request) {
            guard let source = request.source, let id = request.transaction,
                try isKept(request)
            else { continue }
            let intent = try request.intent()
            guard let order = intent.payment else { continue }
            let keyVault = try keyVault(of: intent.vault, intent.tenant)
            round.keep(
                source, in: .init(keyVault: keyVault, chain: order.chain), for: id,
                isSigning: true)
        }
        for kind in [Transaction.Kind.withdrawal, .contractCall, .consolidation] {
            for transaction in try store.transactions(in: .pendingSignature, kind: kind) {
                if let request = try makeIntentAgain(transaction, round, signer) {
                    made.append(request)
                }
            }
        }
        made += try makeReplacementIntents(round, signer)
        made += try makeMessageIntents(signer)
        let submitted = try store.transactions(in: .submitted, kind: .withdrawal)
            .map { try keepTarget($0, round) }
        made += try makeCallIntents(round, signer)
        for transaction in submitted { made += try makeIntents(transaction, round, signer) }
        return made
    }

    /// How often a ceremony is begun before it has failed; a tenant's first key is never given up.
    private static let attemptsMost = 20

    private func makeCeremonyIntent(
        _ open: Ceremony, _ signer: any IntentSigner
    ) throws -> SigningRequest? {
        var ceremony = open
        // Of two runs that make one group's key each would make another.
        let before = try store.signingRequests(in: [.open, .closing]).filter {
            $0.ceremony == ceremony.id
                || (ceremony.occasion == .keyGeneration && $0.group == ceremony.group)
        }
        if try isHopeless(ceremony) {
            _ = try endRequest(
                of: ceremony, as: .failed, because: "Its runs failed over and over.")
            return nil
        }
        if ceremony.request == nil, ceremony.occasion != .keyGeneration,
            ceremony.attempts >= Self.attemptsMost, before.isEmpty
        {
            ceremony.state = .failed
            ceremony.failure = "It was begun \(ceremony.attempts) times and never ended."
            try store.update(ceremony)
            return nil
        }
        guard before.isEmpty, now >= Self.start(of: ceremony),
            var group = try store.group(ceremony.group),
            let keyVault = try store.keyVault(group.keyVault)
        else { return nil }
        let source = try source(of: ceremony)
        guard
            let purpose = KeyCeremony(
                occasion: ceremony.occasion, scheme: group.scheme, kind: group.kind,
                threshold: ceremony.threshold, holders: ceremony.holders, source: source)
        else { throw LedgerFault.impossible("ceremony \(ceremony.id)") }
        ceremony.attempts += 1
        try store.update(ceremony)
        group.lastEpoch += 1
        try store.update(group)
        return try request(
            for: group, epoch: group.lastEpoch, tenant: keyVault.tenant,
            vault: VaultID(unchecked: keyVault.id.bytes), .ceremony(ceremony.id),
            .keyCeremony(purpose), attempt: ceremony.attempts, nil, signer)
    }

    private func source(of ceremony: Ceremony) throws -> KeyCeremony.Source? {
        guard let id = ceremony.source else { return nil }
        guard let group = try store.group(id), let certificate = group.certificate,
            let (key, digest) = certificate.claimed()
        else { throw LedgerFault.impossible("source of ceremony \(ceremony.id)") }
        return KeyCeremony.Source(
            group: id, epoch: certificate.descriptor.epoch, certificate: digest,
            publicKey: key.publicKey)
    }

    /// When the ceremony's next attempt may begin: each is given twice the time of the one before
    /// it, up to ten minutes.
    private static func start(of ceremony: Ceremony) -> Timestamp {
        let given = Int64(clamping: ceremony.attempts)
        let doubling = given == 0 ? 0 : Int64(1) << min(given, 10)
        return ceremony.createdAt.adding(seconds: doubling + 600 * max(0, given - 10))
    }

    /// The intent of a withdrawal that has none yet, or those of the transfers that gather its
    /// funds first.
    private func makeIntents(
        _ submitted: Transaction, _ round: SourceRound, _ signer: any IntentSigner
    ) throws -> [SigningRequest] {
        var transaction = submitted
        if try isHeldBack(transaction) { return [] }
        let asset = try asset(transaction.asset)
        if try waitsForConsolidation(&transaction) { return [] }
        guard try isVaultActive(of: transaction) else {
            try wait(&transaction, .vault, who: [])
            return []
        }
        let group = try signingGroup(
            of: keyVault(of: transaction.vault, transaction.tenant))
        guard try isKnown(transaction, toEnoughOf: group.group) else { return [] }
        let pool = try pool(of: transaction, asset)
        if round.isKnownToLack(
            transaction.amount, fee: transaction.feeLimit, of: asset.asset, in: pool)
        {
            try letGo(&transaction)
            try wait(&transaction, .funds, who: [])
            return []
        }
        switch try source(for: transaction, asset, round) {
        case .kept(let keeper):
            try waitForSource(&transaction, keptFor: [keeper])
            return []
        case .address(let source):
            round.keep(source.text, in: pool, for: transaction.id, isSigning: true)
            return [try begin(&transaction, asset, from: source.text, signer)]
        case nil:
            return try consolidate(&transaction, asset, round).map { part in
                var part = part
                return try begin(&part, asset, from: part.sourceAddress ?? "", signer)
            }
        }
    }

    private func isVaultActive(of transaction: Transaction) throws -> Bool {
        try store.vault(transaction.vault, of: transaction.tenant)?.status == .active
    }

    /// What is gathered on an address is for the withdrawal that it is gathered for; but where that
    /// cannot go, since its vault is frozen, others may have it once all has come in.
    private func keepTarget(
        _ submitted: Transaction, _ round: SourceRound
    ) throws -> Transaction {
        var transaction = submitted
        guard let target = transaction.sourceAddress else { return transaction }
        let asset = try asset(transaction.asset)
        if try !isVaultActive(of: transaction), try !waitsForConsolidation(&transaction) {
            try letGo(&transaction)
        } else {
            round.keep(
                target, in: try pool(of: transaction, asset), for: transaction.id,
                isSigning: false)
        }
        return transaction
    }

    /// Fixes source and nonce, and makes the first intent.
    func begin(
        _ transaction: inout Transaction, _ asset: Asset, from source: String,
        _ signer: any IntentSigner
    ) throws -> SigningRequest {
        guard let source = try store.address(source, on: asset.asset.chain) else {
            throw LedgerFault.impossible("source of \(transaction.id)")
        }
        let group = try signingGroup(
            of: keyVault(of: transaction.vault, transaction.tenant))
        let request = try request(
            for: group.group, epoch: group.epoch, tenant: transaction.tenant,
            vault: transaction.vault, .transaction(transaction.id),
            try purpose(of: transaction, asset, source, nonce: source.nextNonce), attempt: 1,
            source, signer)
        transaction.sourceAddress = source.text
        try move(&transaction, to: .pendingSignature)
        return request
    }

    /// A further intent for a transaction whose last one expired while a signature may exist, or
    /// whose group was given new shares: with the same source and nonce, so that at most one of
    /// them can be mined.
    private func makeIntentAgain(
        _ transaction: Transaction, _ round: SourceRound, _ signer: any IntentSigner
    ) throws -> SigningRequest? {
        guard let last = try requestToRepeat(of: transaction), let source = last.source,
            let nonce = last.nonce
        else { return nil }
        let asset = try asset(transaction.asset)
        let pool = try pool(of: transaction, asset)
        guard round.keeper(of: source, in: pool, beside: transaction.id) == nil else { return nil }
        guard try transaction.kind != .withdrawal || entry(of: transaction) != nil else {
            // Removed since: it ends where it stands.
            var removed = transaction
            let requests = try store.signingRequests(of: transaction.id)
            if requests.allSatisfy({ $0.state == .closed }) {
                try fail(&removed, transaction.stopping ?? Self.addressRemoved)
            }
            return nil
        }
        guard let address = try store.address(source, on: asset.asset.chain),
            address.nextNonce == nonce
        else { return nil }
        round.keep(source, in: pool, for: transaction.id, isSigning: true)
        let group = try signingGroup(
            of: keyVault(of: transaction.vault, transaction.tenant))
        return try request(
            for: group.group, epoch: group.epoch, tenant: transaction.tenant,
            vault: transaction.vault, .transaction(transaction.id),
            try purpose(of: transaction, asset, address, nonce: nonce),
            attempt: last.attempt + 1, address, signer)
    }

    /// The last request of a transaction that has ended without a signature, where another must
    /// take its place.
    func requestToRepeat(of transaction: Transaction) throws -> SigningRequest? {
        let requests = try store.signingRequests(of: transaction.id)
        // An earlier one that cannot be closed keeps the transaction from ending in any other way.
        let isStuck = requests.contains { $0.state == .closing || $0.state == .unclear }
        guard let last = requests.max(by: { $0.attempt < $1.attempt }),
            Self.isAskedAgain(last)
                || (isStuck && last.state == .closed && last.closingBecause?.code == .expired)
        else { return nil }
        return last
    }

    private static func isAskedAgain(_ request: SigningRequest) -> Bool {
        switch (request.closingBecause?.code, request.state) {
        case (.expired, .unclear), (.keyChanged, .closing), (.keyChanged, .unclear),
            (.keyChanged, .closed):
            true
        default: false
        }
    }

    /// What the holders are asked to sign.
    ///
    /// - Parameter fee: nil for what the transaction was accepted with.
    func purpose(
        of transaction: Transaction, _ asset: Asset, _ source: WalletAddress, nonce: UInt64,
        fee: EVMFeeLimit? = nil
    ) throws -> Intent.Purpose {
        let order = try order(
            transaction, asset, source, nonce: nonce, fee: fee ?? firstFee(transaction, asset))
        guard let call = transaction.call else { return .transfer(order) }
        guard let order = CallOrder(payment: order, data: call.data) else {
            throw LedgerFault.impossible("call \(transaction.id)")
        }
        return .contractCall(order)
    }

    private func order(
        _ transaction: Transaction, _ asset: Asset, _ source: WalletAddress, nonce: UInt64,
        fee: EVMFeeLimit
    ) throws -> TransferOrder {
        // An address of ours is named with its path, so that holders know it for their own.
        let own =
            try transaction.kind == .consolidation
            ? store.address(transaction.destinationAddress ?? "", on: asset.asset.chain) : nil
        guard let destination = transaction.destinationAddress else {
            throw LedgerFault.impossible("withdrawal \(transaction.id)")
        }
        return TransferOrder(
            chain: asset.asset.chain, sourcePath: source.path, sourceAddress: source.text,
            output: .init(
                asset: asset.asset, address: destination, amount: transaction.amount,
                ownPath: own?.path),
            nonce: nonce, fee: fee)
    }

    /// At the price that was reserved for, with the tip of now.
    private func firstFee(_ transaction: Transaction, _ asset: Asset) throws -> EVMFeeLimit {
        let gas = transaction.call?.gasLimit ?? asset.gasLimit
        let price = UInt64(transaction.feeLimit.baseUnits / UInt128(gas))
        let tip = try store.chainState(asset.asset.chain).map {
            FeePrices($0).tip(transaction.feeLevel ?? .medium)
        }
        guard
            let fee = EVMFeeLimit(
                gasLimit: gas, maxFeePerGas: price, maxPriorityFeePerGas: min(tip ?? 1, price))
        else { throw LedgerFault.impossible("fee of \(transaction.id)") }
        return fee
    }

    func request(
        for group: HolderGroup, epoch: UInt64, tenant: TenantID, vault: VaultID,
        _ subject: SigningRequest.Subject, _ purpose: Intent.Purpose, attempt: Int,
        _ source: WalletAddress?, _ signer: any IntentSigner
    ) throws -> SigningRequest {
        let begins = now.adding(seconds: -1)
        let expires = begins.adding(seconds: settings.intentLifetime)
        let id =
            switch subject {
            case .transaction(let id): id.bytes
            case .ceremony(let id): id.bytes
            }
        let intent = Intent(
            environment: settings.environment, tenant: tenant, vault: vault,
            request: RequestID(unchecked: id), group: group.id, epoch: epoch, purpose: purpose,
            notBefore: UInt64(begins.seconds), expires: UInt64(expires.seconds),
            policy: settings.policy)
        let request = SigningRequest(
            digest: intent.digest, bytes: intent.bytes, signature: signer.sign(intent.digest),
            group: group.id, subject: subject, attempt: attempt, source: source?.text,
            nonce: intent.payment?.nonce, state: .open, createdAt: now, expiresAt: expires)
        try store.insert(request)
        return request
    }

    /// Notes why a transaction does not move; since when stays as it was while the reason is one.
    ///
    /// - Parameter next: what to say of it, if it is not what is usual for the cause.
    func wait(
        _ transaction: inout Transaction, _ cause: Waiting.Cause, who: [String],
        next: String? = nil
    ) throws {
        let usual =
            switch cause {
            case .sourceAddress:
                "These withdrawals are being signed for the addresses that it could leave, or "
                    + "have their funds gathered there; it follows them."
            case .callback:
                "The server of the API key that started it is asked whether it may go on."
            case .order:
                "It was built only: it goes on when its caller asks for it to be signed and "
                    + "broadcast."
            case .funds:
                "No \(Self.consolidationsMost + 1) of the tenant's addresses hold enough together, "
                    + "beside the fees and what is leaving them already. It goes on when other "
                    + "withdrawals end or funds come in."
            case .consolidation:
                "These transfers gather its funds on one address first; it goes on when they are "
                    + "final."
            case .announcement:
                "These holders must learn of the destination first; it goes on by itself when "
                    + "enough of them are online."
            case .holders:
                "Signing goes on by itself when enough of these holders answer; start them, or "
                    + "look at their logs."
            case .run: "The holders are signing."
            case .platform: "It is given to the key share holders next."
            case .vault:
                "The vault is not active. It goes on when it is again; cancel it if it must not."
            case .confirmations: "Blocks follow by themselves."
            case .closing:
                "Each of these holders must confirm that no signature exists; start it. Until then "
                    + "the funds stay reserved."
            case .chain: "The node is asked again and the same bytes are sent again."
            case .block:
                "A reorganisation removed its block. It counts again when it is mined again, and "
                    + "fails if it is not within an hour."
            }
        let before = transaction.waiting
        let isOngoing = before?.cause == cause && before?.who == who
        let waiting = Waiting(
            cause, who: who, since: isOngoing ? before?.since ?? now : now, next: next ?? usual)
        guard !waiting.isSame(as: transaction.waiting) else { return }
        transaction.waiting = waiting
        transaction.updatedAt = now
        try store.update(transaction)
    }
}
