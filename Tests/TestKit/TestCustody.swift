import Algebra
import Canonical
import Chains
import Custody
import Foundation
import Identity
import Intents
import KeyGroups
import Storage
import Synchronization
import Threshold

/// Custody on a real database in a temporary directory, with a clock that a test moves, and a
/// tenant whose key was made by the real ceremony.
public final class TestCustody: Sendable {
    public static let chain = ChainID.eip155(31337)
    public static let eth = Asset(
        id: "ETH", symbol: "ETH", name: "Ether", asset: .native(chain), decimals: 18,
        confirmations: 3, minimumWithdrawal: Amount(UInt32(1000)))

    /// A token of 6 decimals on the same chain.
    public static let token = EVMAddress(unchecked: [UInt8](repeating: 0x70, count: 20))
    public static let usdt = Asset(
        id: "USDT", symbol: "USDT", name: "Tether", asset: .erc20(chain, token), decimals: 6,
        confirmations: 3, minimumWithdrawal: Amount(UInt32(10_000)))

    public let custody: Bookkeeper
    public let database: PlatformDatabase
    public let directory: URL
    public let signer = TestSigner()
    private let clock: TestClock
    public let group: TestGroup

    /// One key for all tests of a process: making it takes half a second.
    private static let shared = made("custody")
    /// The key of a second tenant: no two tenants share addresses.
    private static let other = made("other")

    private static func made(_ seed: String) -> TestGroup {
        let group = TestGroup(SigningThreshold(2, of: 3)!, seed: seed)
        do { try group.generate() } catch { preconditionFailure("\(error)") }
        return group
    }

    /// - Parameter machineClock: for what waits in earnest; the clock goes by itself then.
    public init(
        assets: [Asset] = [TestCustody.eth], allowsLocalWebhooks: Bool = true,
        machineClock: Bool = false, events: any EventWriter = PlainEvents()
    ) throws {
        directory = FileManager.default.temporaryDirectory.appending(
            path: "quorumkeep-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        database = try PlatformDatabase(path: directory.appending(path: "platform.sqlite").path)
        let clock = TestClock()
        self.clock = clock
        group = Self.shared
        let key = SealingKey(SecretBytes(copying: [UInt8](repeating: 5, count: 32)))
        custody = Bookkeeper(
            database: database,
            settings: CustodySettings(
                environment: .sandbox, assets: assets, intentLifetime: 3600,
                allowsLocalWebhooks: allowsLocalWebhooks),
            vaultKey: PlatformVaultKey(key), events: events,
            clock: {
                guard machineClock else { return clock.now }
                return Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
            })
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    public func pass(seconds: Int64) { clock.pass(seconds) }
    public var now: Timestamp { clock.now }

    public var holders: [IdentityPublicKey] { group.identities.map { $0.with { $0.publicKey } } }

    /// A tenant whose holders have made its key.
    public func tenant(_ name: String = "Test") async throws -> TenantID {
        let isFirst = try await custody.read { try $0.store.tenants().isEmpty }
        let owner = isFirst ? group : Self.other
        let holders = owner.identities.map { $0.with { $0.publicKey } }
        let certificate = owner.certificate!
        return try await custody.write { books in
            if try books.store.chainState(Self.chain) == nil {
                try books.store.put(
                    ChainState(
                        chain: Self.chain, number: 0, hash: .sha256([]), baseFee: 1,
                        priorityFee: 1, at: books.now))
            }
            let known = try holders.enumerated().map {
                try books.register($0.element, name: "\(name)-\($0.offset + 1)")
            }
            let (tenant, keyVault) = try books.createTenant(
                name: name, threshold: 2, holders: known)
            var group = try books.store.group(keyVault.main)!
            group.certificate = certificate
            group.lastEpoch = 1
            try books.store.update(group)
            for var ceremony in try books.store.ceremonies(of: group.id) {
                ceremony.state = .done
                try books.store.update(ceremony)
            }
            return tenant.id
        }
    }

    /// A wallet of the vault of that name, which is opened if it is not there.
    public func wallet(
        _ name: String, of tenant: TenantID, asset: String = "ETH"
    ) async throws -> Wallet {
        try await custody.write { books in
            let vault = try books.openVault(
                VaultDraft(externalID: name, name: name, metadata: [:]), for: tenant)
            return try books.createWallet(
                WalletDraft(asset: asset, label: nil), in: vault.id, of: tenant)
        }
    }

    /// Has all holders hear what they have not heard of the address book, and take it over.
    public func announceAddresses(to chosen: [IdentityPublicKey]? = nil) async throws {
        let online = Set(chosen ?? holders + Self.other.identities.map { $0.with { $0.publicKey } })
        let (signer, now) = (signer, now)
        let identities = group.identities + Self.other.identities
        let orders = try await custody.write { try $0.announce(to: online, signer: signer) }
        for case .offer(let bytes, _, let to) in orders {
            for identity in identities where to.contains(identity.with { $0.publicKey }) {
                let verdict = identity.with {
                    SignedVerdict(
                        .approval(digests: []), on: Intent.digest(of: bytes), rules: .sha256([]),
                        at: UInt64(now.seconds), signedBy: $0)
                }
                _ = try await custody.write {
                    try $0.take(verdict, online: online, signer: signer)
                }
            }
        }
    }

    /// The wallet that the vault has of an asset, however it came to be.
    public func wallet(_ asset: String, in vault: VaultID) async throws -> Wallet? {
        try await custody.read { try $0.store.wallet(in: vault, asset: asset) }
    }

    public func balance(_ wallet: Wallet) async throws -> Balance {
        try await custody.read { try $0.balance(of: wallet) }
    }

    public func sums() async throws -> [LedgerSum] {
        try await custody.read { try $0.store.ledgerSums() }
    }
}

/// A clock that goes when it is told.
public final class TestClock: Sendable {
    private let time = Mutex<Int64>(1_800_000_000_000)
    public var now: Timestamp { Timestamp(milliseconds: time.withLock { $0 }) }
    public func pass(_ seconds: Int64) { time.withLock { $0 += seconds * 1000 } }
}

/// The platform's keys that sign, of a test.
public final class TestSigner: IntentSigner, ResponseSigner {
    private let key: SecretBox<IdentityKey>
    public let publicKey: IdentityPublicKey

    public init() {
        let key = IdentityKey(seed: SecretBytes(copying: [UInt8](repeating: 0x77, count: 32)))!
        publicKey = key.publicKey
        self.key = SecretBox(key)
    }

    public func sign(_ digest: Digest) -> IdentitySignature { key.with { $0.sign(digest) } }
}

/// Events as lines of text.
public struct PlainEvents: EventWriter {
    public init() {}

    public func body(of event: DomainEvent, in frame: EventFrame) -> [UInt8] {
        Array("\(frame.type) \(frame.sequence)".utf8)
    }

    /// Endpoints of the other form are told of requests for key shares, by their status.
    public func notices(of event: DomainEvent, _ books: Books) throws -> [Notice] {
        switch event {
        case .keyShareRequestCreated(let request), .keyShareRequestStatusUpdated(let request):
            [Notice(type: "request", data: Array(request.status.rawValue.utf8))]
        default: []
        }
    }

    public func body(of event: RecordedEvent, to url: String, retriesLeft: Int) -> [UInt8] {
        Array("\(event.id) \(url) \(retriesLeft) ".utf8) + event.body
    }

    public func question(about transaction: TransactionView, _ books: Books) -> [UInt8] {
        Array(transaction.transaction.id.text.utf8)
    }
}

/// A chain as a follower sees it: blocks that a test makes, with the transfers that concern it.
public struct TestChain {
    public private(set) var blocks: [FollowedBlock] = []
    private var generation: UInt8 = 0
    private var hashes: UInt64 = 0
    public static let fee: Amount = Amount(UInt32(21_000))

    public init() {}

    public mutating func block(_ transfers: [ObservedBlock.Transfer] = []) -> ObservedBlock {
        let number = UInt64(blocks.count)
        let block = FollowedBlock(
            number: number, hash: .sha256([generation] + number.bigEndianBytes),
            parent: blocks.last?.hash ?? .sha256([]))
        blocks.append(block)
        let placed = transfers.map { transfer in
            ObservedBlock.Transfer(
                transaction: transfer.transaction,
                receipt: EVMReceipt(
                    transaction: transfer.transaction.hash, block: block.hash,
                    succeeded: transfer.receipt.succeeded, fee: transfer.receipt.fee,
                    tokenTransfers: transfer.receipt.tokenTransfers))
        }
        return ObservedBlock(block: block, baseFee: 1, priorityFee: 1, transfers: placed)
    }

    /// Drops the newest block, and says which.
    public mutating func drop() -> FollowedBlock? {
        generation &+= 1
        return blocks.popLast()
    }

    /// A stranger's transfer to an address of ours.
    public mutating func deposit(_ amount: Amount, to address: String) -> ObservedBlock.Transfer {
        hashes += 1
        return .init(
            transaction: .init(
                hash: .sha256(hashes.bigEndianBytes),
                from: Self.stranger, to: try? EVMAddress(text: address), nonce: hashes,
                value: amount),
            receipt: EVMReceipt(
                transaction: .sha256([]), block: .sha256([]), succeeded: true, fee: Self.fee))
    }

    /// A stranger's call of a contract, in which tokens move.
    public mutating func call(
        _ transfers: [ERC20Log], succeeded: Bool = true
    ) -> ObservedBlock.Transfer {
        hashes += 1
        return .init(
            transaction: .init(
                hash: .sha256(hashes.bigEndianBytes), from: Self.stranger, to: TestCustody.token,
                nonce: hashes, value: .zero),
            receipt: EVMReceipt(
                transaction: .sha256([]), block: .sha256([]), succeeded: succeeded, fee: Self.fee,
                tokenTransfers: transfers))
    }

    public static let stranger = EVMAddress(unchecked: [UInt8](repeating: 0xee, count: 20))

    /// What a token's contract writes of a transfer.
    public static func log(
        _ amount: UInt32, to: String, from: EVMAddress = stranger,
        of contract: EVMAddress = TestCustody.token
    ) throws -> ERC20Log {
        ERC20Log(
            contract: contract, from: from, to: try EVMAddress(text: to), amount: Amount(amount))
    }

    /// A signed transfer of ours, mined; of a token, with what its contract writes.
    public static func mined(
        _ signed: SignedEVMTransaction, fee: Amount = fee, succeeded: Bool = true
    ) -> ObservedBlock.Transfer {
        var logs: [ERC20Log] = []
        if succeeded, case .tokens(let transfer, let contract) = signed.transaction.payment {
            logs = [
                ERC20Log(
                    contract: contract, from: signed.sender!, to: transfer.recipient,
                    amount: transfer.amount)
            ]
        }
        return mined(signed, fee: fee, succeeded: succeeded, logs)
    }

    public static func mined(
        _ signed: SignedEVMTransaction, fee: Amount = fee, succeeded: Bool = true,
        _ tokenTransfers: [ERC20Log]
    ) -> ObservedBlock.Transfer {
        .init(
            transaction: .init(
                hash: signed.hash, from: signed.sender!, to: signed.transaction.to,
                nonce: signed.transaction.nonce, value: signed.transaction.value,
                signature: signed.signature),
            receipt: EVMReceipt(
                transaction: signed.hash, block: .sha256([]), succeeded: succeeded, fee: fee,
                tokenTransfers: tokenTransfers))
    }
}

extension TestCustody {
    public func apply(_ block: ObservedBlock) async throws {
        try await custody.write { try $0.apply(block, on: Self.chain) }
    }

    public func revert(_ block: FollowedBlock) async throws {
        try await custody.write { try $0.revert(block, on: Self.chain) }
    }

    /// Makes the signature that the holders' quorum would make of a request.
    public func signature(_ request: SigningRequest) throws -> ECDSASignature {
        guard let item = try Intent(request.bytes).item else {
            preconditionFailure("a transfer or a message")
        }
        let network = try group.signing(TestKeys.indices(2), [item])
        network.run()
        return network.outputs.values.first![0]
    }
}
