import Algebra
import Canonical
import Chains
import KeyGroups

/// What a holder knows when it judges: all of it its own, none of it told by the platform.
public struct HolderKnowledge: Sendable {
    public let identity: IdentityPublicKey
    /// The holder's clock, Unix seconds, which never runs back.
    public let now: UInt64
    /// The active key of the group that the intent names.
    public let key: HeldKey?
    /// The active key of the group that a ceremony's source names.
    public let source: HeldKey?
    /// What was approved of an asset under this root key in the last 24 hours, this intent apart.
    public let spent: [AssetID: Amount]
    /// What this holder was told of a transfer's destination under this root key; nil if nothing.
    public let destination: AnnouncedAddress?
    /// Of a holder that was given a share of a key that existed before: it does not know what was
    /// spent, so its counters are full until a window has passed, Unix seconds.
    public let countersFullUntil: UInt64?
    /// Whether a person has confirmed the ceremony's fingerprint here.
    public let isCeremonyConfirmed: Bool
    /// Whether shares of the group wait for other holders' confirmation: what is not known yet may
    /// be known soon.
    public let isKeyUnfinished: Bool
    /// Set when the holder's operator must look before anything is signed.
    public let isFrozen: Bool
    /// What the operator's callback servers have decided of the intent.
    public let consents: Consents

    public init(
        identity: IdentityPublicKey, now: UInt64, key: HeldKey?, source: HeldKey? = nil,
        spent: [AssetID: Amount], destination: AnnouncedAddress? = nil,
        countersFullUntil: UInt64? = nil, isCeremonyConfirmed: Bool,
        isKeyUnfinished: Bool = false, isFrozen: Bool, consents: Consents = Consents()
    ) {
        self.identity = identity
        self.now = now
        self.key = key
        self.source = source
        self.spent = spent
        self.destination = destination
        self.countersFullUntil = countersFullUntil
        self.isCeremonyConfirmed = isCeremonyConfirmed
        self.isKeyUnfinished = isKeyUnfinished
        self.isFrozen = isFrozen
        self.consents = consents
    }
}

/// What a holder was told of an address, and when by its own clock, Unix seconds.
public struct AnnouncedAddress: Equatable, Sendable {
    /// When it was first announced, or again after it had been removed.
    public let firstSeen: UInt64
    public let removedAt: UInt64?

    public init(firstSeen: UInt64, removedAt: UInt64? = nil) {
        self.firstSeen = firstSeen
        self.removedAt = removedAt
    }
}

/// A key of which this holder has a share, as far as judging needs it.
public struct HeldKey: Equatable, Sendable {
    public let group: GroupID
    public let epoch: UInt64
    public let kind: GroupKind
    public let holders: Roster
    public let certificate: Digest
    public let key: AnySharedKey
    /// Holders that this one has banned in this epoch.
    public let banned: Set<IdentityPublicKey>

    public init(
        group: GroupID, epoch: UInt64, kind: GroupKind, holders: Roster, certificate: Digest,
        key: AnySharedKey, banned: Set<IdentityPublicKey> = []
    ) {
        self.group = group
        self.epoch = epoch
        self.kind = kind
        self.holders = holders
        self.certificate = certificate
        self.key = key
        self.banned = banned
    }
}

/// What an approved intent makes the holder do.
public struct Approved: Equatable, Sendable {
    /// What is signed, as the holder rebuilt it; empty for a ceremony.
    public let items: [SigningItem]
    /// What counts against the holder's limits, by asset, fees included.
    public let spending: [AssetID: Amount]
}

/// How a holder judges an intent against its own rules. The order of the checks is the order of
/// precedence of their codes.
public struct Judge: Sendable {
    /// By how much the platform's clock may be off from ours, in seconds.
    public static let clockTolerance: UInt64 = 30

    public let rules: HolderRules

    public init(rules: HolderRules) { self.rules = rules }

    public enum Finding: Equatable, Sendable {
        case approve(Approved)
        case refuse(Verdict.Reason)
        case wait(Verdict.Reason)
        /// The rules approve; the callback servers have not decided yet.
        case consult(Approved)
    }

    enum Stop: Error {
        case refuse(Verdict.Reason)
        case wait(Verdict.Reason)
    }

    public func judge(_ intent: Intent, knowing: HolderKnowledge) -> Finding {
        do throws(Stop) {
            try checkFrame(intent, knowing)
            try checkKeyRules(intent.purpose)
            switch intent.purpose {
            case .transfer(let order):
                return try settle(try approve(order, intent, knowing), knowing)
            case .contractCall(let order):
                return try settle(try approve(order, intent, knowing), knowing)
            case .message(let order):
                return try settle(try approve(order, intent, knowing), knowing)
            case .keyCeremony(let ceremony):
                return try settle(try approve(ceremony, intent, knowing), knowing)
            case .announcement(let announcement):
                return .approve(try approve(announcement, knowing))
            }
        } catch {
            switch error {
            case .refuse(let reason): return .refuse(reason)
            case .wait(let reason): return .wait(reason)
            }
        }
    }

    /// - Parameter isOpen: what is missing here may come yet, so the answer is not final.
    func refuse(
        _ code: RefusalCode, _ sentence: String, orWaitIf isOpen: Bool = false
    ) -> Stop {
        let reason = Verdict.Reason(code, sentence)
        return isOpen ? .wait(reason) : .refuse(reason)
    }

    /// Environment, policy and time.
    private func checkFrame(_ intent: Intent, _ knowing: HolderKnowledge) throws(Stop) {
        if knowing.isFrozen {
            throw .wait(
                Verdict.Reason(.frozen, "This holder is frozen until its operator has looked."))
        }
        guard intent.environment == rules.environment else {
            throw refuse(
                .wrongEnvironment,
                "The intent is for \(intent.environment.name), this holder serves "
                    + "\(rules.environment.name).")
        }
        if let policy = rules.policy, policy != intent.policy {
            throw refuse(
                .policyMismatch, "The platform applied another policy than is pinned here.")
        }
        guard intent.notBefore <= intent.expires,
            intent.expires - intent.notBefore <= Intent.lifetimeMost
        else { throw refuse(.lifetime, "The intent lives longer than 24 hours, or ends early.") }
        guard intent.expires + Self.clockTolerance >= knowing.now else {
            throw refuse(
                .expired,
                "The intent expired at \(Self.time(intent.expires)), it is "
                    + "\(Self.time(knowing.now)).")
        }
        guard intent.notBefore <= knowing.now + Self.clockTolerance else {
            throw .wait(
                Verdict.Reason(.notYet, "The intent begins at \(Self.time(intent.notBefore))."))
        }
    }

    private func approve(
        _ order: TransferOrder, _ intent: Intent, _ knowing: HolderKnowledge
    ) throws(Stop) -> Approved {
        let (limits, feeLimits) = try limits(for: order)
        let item = try rebuild(order, intent, knowing)
        let isOwn = order.output.ownPath != nil
        let announced = isOwn ? nil : try announcement(of: order.output.address, knowing)
        guard !order.output.amount.isZero || order.isDrop else {
            throw refuse(.amountZero, "The amount is zero.")
        }
        guard isOwn || order.output.amount <= limits.perTransaction else {
            throw refuse(
                .amountAboveLimit,
                "\(order.output.amount.baseUnitText) base units are above this holder's limit of "
                    + "\(limits.perTransaction.baseUnitText) for one transaction.")
        }
        let feeMost = min(limits.fee, feeLimits.fee)
        guard let fee = order.fee.most, fee <= feeMost else {
            throw refuse(
                .feeAboveLimit,
                "The fee may cost more than this holder's limit of \(feeMost.baseUnitText) base "
                    + "units.")
        }
        guard order.output.asset.contract == nil || order.fee.gasLimit <= ERC20Transfer.gasMost
        else {
            throw refuse(
                .feeAboveLimit,
                "A token's transfer may use at most \(ERC20Transfer.gasMost) gas.")
        }
        guard let spending = order.spending else {
            throw refuse(.amountAboveLimit, "Amount and fee are more than an amount can be.")
        }
        if let announced { try checkCooling(announced, knowing) }
        try checkDay(spending, knowing)
        return Approved(items: [item], spending: spending)
    }

    /// Whether a day's limits have room for it.
    func checkDay(
        _ spending: [AssetID: Amount], _ knowing: HolderKnowledge
    ) throws(Stop) {
        if let end = knowing.countersFullUntil, end > knowing.now {
            throw .wait(
                Verdict.Reason(
                    .dailyLimit,
                    "This holder was given its share less than a day ago and does not know what "
                        + "was spent before; its counters are full until \(Self.time(end))."))
        }
        try checkCounters(spending, knowing)
    }

    /// A token's amount counts against the token's limit, its fee against that of the chain's coin.
    private func checkCounters(
        _ spending: [AssetID: Amount], _ knowing: HolderKnowledge
    ) throws(Stop) {
        let charged = spending.sorted { $0.key.text < $1.key.text }.map { asset, amount in
            (asset, amount, rules.assets[asset]?.perDay ?? .zero)
        }
        for (asset, amount, most) in charged where amount > most {
            throw refuse(
                .dailyLimit,
                "Amount and fee are above this holder's limit for a day of \(asset.text).")
        }
        for (asset, amount, most) in charged {
            let spent = knowing.spent[asset] ?? .zero
            guard let sum = spent.adding(amount), sum <= most else {
                throw .wait(
                    Verdict.Reason(
                        .dailyLimit,
                        "With \(spent.baseUnitText) base units of \(asset.text) in the last 24 "
                            + "hours, this would be above the limit of \(most.baseUnitText) for a "
                            + "day."))
            }
        }
    }

    /// The limits of what is moved, and of the coin that the fee is paid in.
    func limits(
        for order: TransferOrder
    ) throws(Stop) -> (HolderRules.Limits, fee: HolderRules.Limits) {
        try checkServed(order.chain)
        guard order.output.asset.chain == order.chain,
            let limits = rules.assets[order.output.asset]
        else {
            throw refuse(
                .assetNotServed, "This holder has no limits for \(order.output.asset.text).")
        }
        guard let feeLimits = rules.assets[order.output.asset.feeAsset] else {
            throw refuse(
                .assetNotServed,
                "This holder has no limits for \(order.output.asset.feeAsset.text), in which the "
                    + "fee is paid.")
        }
        return (limits, feeLimits)
    }

    func checkServed(_ chain: ChainID) throws(Stop) {
        if rules.environment == .production, chain.isTestNetwork {
            throw refuse(.testNetwork, "\(chain.text) is a test network.")
        }
        guard rules.chains.contains(chain) else {
            throw refuse(.chainNotServed, "This holder does not serve \(chain.text).")
        }
    }

    /// Builds the chain's transaction from the intent, under the key that this holder has.
    private func rebuild(
        _ order: TransferOrder, _ intent: Intent, _ knowing: HolderKnowledge
    ) throws(Stop) -> SigningItem {
        let key = try sourceKey(
            of: order.sourceAddress, at: order.sourcePath, on: order.chain, intent, knowing)
        guard let transaction = order.transaction else {
            throw refuse(
                .wrongDestination,
                "The destination is no address of \(order.chain.text), or is the token itself.")
        }
        try checkOwn(order, key)
        return SigningItem(path: order.sourcePath.derivation, digest: transaction.signingDigest)
    }

    /// The key that signs, if the address is the one that we derive from it at the path.
    func sourceKey(
        of address: String, at path: AccountPath, on chain: ChainID, _ intent: Intent,
        _ knowing: HolderKnowledge
    ) throws(Stop) -> SharedKey<ECDSA> {
        guard let held = knowing.key else {
            throw refuse(
                .unknownGroup, "This holder has no key of the group.",
                orWaitIf: knowing.isKeyUnfinished)
        }
        guard held.epoch == intent.epoch else {
            throw refuse(
                .wrongEpoch,
                "The intent names epoch \(intent.epoch), this holder has epoch \(held.epoch).",
                orWaitIf: knowing.isKeyUnfinished && intent.epoch > held.epoch)
        }
        guard held.kind != .recovery, let key = held.key.key(of: ECDSA.self) else {
            throw refuse(
                .wrongScheme,
                "A \(held.key.scheme.name) key of a \(held.kind.name) group signs nothing of "
                    + "\(chain.text).")
        }
        guard path.coin == chain.coinType, let derived = DerivedKey(path.derivation, of: key),
            EVMAddress(derived.publicKey).text == address
        else {
            throw refuse(.wrongSource, "\(address) is not the address at \(path.text).")
        }
        return key
    }
}
