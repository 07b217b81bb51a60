import Algebra
import Canonical
import Chains
import KeyGroups

/// Everything that is needed to build one chain transaction, to sign one message, to hold one key
/// ceremony or to announce one address, and nothing that is not judged: what platform, holders and
/// audit log hash (docs/protocols/intent.md).
public struct Intent: Equatable, Sendable {
    public static let version: UInt64 = 1
    /// Last time that is one, Unix seconds: the end of the year 9999.
    public static let timeMost: UInt64 = 253_402_300_799
    public static let epochMost = UInt64(UInt32.max)
    /// Longest time from `notBefore` to `expires`, in seconds.
    public static let lifetimeMost: UInt64 = 24 * 3600

    public let environment: CustodyEnvironment
    public let tenant: TenantID
    public let vault: VaultID
    public let request: RequestID
    public let group: GroupID
    public let epoch: UInt64
    public let purpose: Purpose
    /// Unix seconds.
    public let notBefore: UInt64
    /// Unix seconds; nothing is signed for this intent afterwards.
    public let expires: UInt64
    /// SHA-256 of the policy that the platform applied.
    public let policy: Digest

    public enum Purpose: Equatable, Sendable {
        case transfer(TransferOrder)
        case contractCall(CallOrder)
        case message(MessageOrder)
        case keyCeremony(KeyCeremony)
        case announcement(Announcement)
    }

    public init(
        environment: CustodyEnvironment, tenant: TenantID, vault: VaultID, request: RequestID,
        group: GroupID, epoch: UInt64, purpose: Purpose, notBefore: UInt64, expires: UInt64,
        policy: Digest
    ) {
        self.environment = environment
        self.tenant = tenant
        self.vault = vault
        self.request = request
        self.group = group
        self.epoch = epoch
        self.purpose = purpose
        self.notBefore = notBefore
        self.expires = expires
        self.policy = policy
    }

    /// SHA-256(tag || tag || bytes) with tag = SHA-256("quorumkeep/intent/v1").
    public static func digest(of bytes: [UInt8]) -> Digest {
        TaggedHash.digest("quorumkeep/intent/v1", bytes)
    }

    public var digest: Digest { Self.digest(of: bytes) }

    public var isAnnouncement: Bool {
        if case .announcement = purpose { true } else { false }
    }
}

/// SHA-256(tag || tag || bytes), where tag = SHA-256(name): BIP 340's tagged hash.
public enum TaggedHash {
    public static func digest(_ name: String, _ bytes: [UInt8]) -> Digest {
        let tag = Digest.sha256(Array(name.utf8)).bytes
        return .sha256(tag + tag + bytes)
    }
}

/// A payment from one derived address of an account chain: of its own coin, or of a token, which
/// the output's asset says.
public struct TransferOrder: Equatable, Sendable {
    public let chain: ChainID
    public let sourcePath: AccountPath
    /// As text, which the holder derives and compares.
    public let sourceAddress: String
    public let output: Output
    public let nonce: UInt64
    public let fee: EVMFeeLimit

    public struct Output: Equatable, Sendable {
        public let asset: AssetID
        public let address: String
        public let amount: Amount
        /// Where the address is derived, if it is one of the source's own root key.
        public let ownPath: AccountPath?

        public init(
            asset: AssetID, address: String, amount: Amount, ownPath: AccountPath? = nil
        ) {
            self.asset = asset
            self.address = address
            self.amount = amount
            self.ownPath = ownPath
        }
    }

    public init(
        chain: ChainID, sourcePath: AccountPath, sourceAddress: String, output: Output,
        nonce: UInt64, fee: EVMFeeLimit
    ) {
        self.chain = chain
        self.sourcePath = sourcePath
        self.sourceAddress = sourceAddress
        self.output = output
        self.nonce = nonce
        self.fee = fee
    }
}

/// An outside address that transfers may go to from now on, or may not any more. It is announced
/// when it is entered and not when it is used, so that a holder knows by its own clock how long
/// people had to object.
public struct Announcement: Equatable, Sendable {
    public enum Change: UInt64, Sendable {
        case add = 1
        case remove = 2
    }

    public let change: Change
    public let chain: ChainID
    public let address: String

    public init(_ change: Change, _ address: String, on chain: ChainID) {
        self.change = change
        self.chain = chain
        self.address = address
    }
}

extension TransferOrder {
    /// The one transaction that carries the order out, which platform and holders build alike.
    ///
    /// Nil where the destination is no address of the chain, or is the token's own contract, from
    /// which nobody gets anything back; or the asset is of another chain.
    public var transaction: EVMTransaction? {
        guard output.asset.chain == chain,
            let to = try? EVMAddress(text: output.address), to != output.asset.contract
        else { return nil }
        let payment: EVMPayment =
            switch output.asset {
            case .native: .coins(output.amount, to: to)
            case .erc20(_, let contract):
                .tokens(
                    ERC20Transfer(recipient: to, amount: output.amount), contract: contract)
            }
        switch chain {
        case .eip155(let id):
            return EVMTransaction(chainID: id, nonce: nonce, fee: fee, payment: payment)
        }
    }

    /// Whether it moves nothing, from its source to itself: it costs its fee, and keeps whatever
    /// else has the nonce from the chain.
    var isDrop: Bool {
        output.ownPath == sourcePath && output.asset == output.asset.feeAsset
            && output.amount.isZero
    }

    /// The assets that it takes from its source: what it moves, and the coin of the fee.
    public var assets: Set<AssetID> { [output.asset, output.asset.feeAsset] }

    /// What it takes of each at most, and of the root key's addresses together the fee alone where
    /// the destination is one of them; nil where that is more than an amount can be.
    var spending: [AssetID: Amount]? {
        guard let most = fee.most else { return nil }
        guard output.ownPath == nil else { return [output.asset.feeAsset: most] }
        guard output.asset == output.asset.feeAsset else {
            return [output.asset: output.amount, output.asset.feeAsset: most]
        }
        return output.amount.adding(most).map { [output.asset: $0] }
    }
}

/// A path of exactly the form `m/44/{coin}/{vault index}/0/{n}`, none of it hardened.
public struct AccountPath: Hashable, Sendable {
    /// How many addresses there are under one vault and coin: numbers 0 to 999.
    public static let numbersMost: UInt32 = 1000
    /// How many vaults there are under one key: indices 0 to 999,999.
    public static let vaultsMost: UInt32 = 1_000_000

    public let coin: UInt32
    public let vaultIndex: UInt32
    public let number: UInt32

    /// Nil if a part is 2^31 or more.
    public init?(coin: UInt32, vaultIndex: UInt32, number: UInt32) {
        guard [coin, vaultIndex, number].allSatisfy({ $0 < 0x8000_0000 }) else { return nil }
        self.coin = coin
        self.vaultIndex = vaultIndex
        self.number = number
    }

    /// Reads the one spelling that `text` writes.
    public init?(text: String) {
        guard let path = DerivationPath(text: text), path.steps.count == 5, path.steps[0] == 44,
            path.steps[3] == 0
        else { return nil }
        self.init(coin: path.steps[1], vaultIndex: path.steps[2], number: path.steps[4])
    }

    public var derivation: DerivationPath {
        guard let path = DerivationPath([44, coin, vaultIndex, 0, number]) else {
            preconditionFailure("every part is below 2^31")
        }
        return path
    }

    public var text: String { derivation.description }
}
