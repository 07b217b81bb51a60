import Canonical
import Chains

/// A holder's own rules, written by its operator: what it signs at most, whoever asks.
///
/// Everything that is not named is refused. Amounts are integers in base units. Every key must be
/// there, so that a misspelt one is an error when the holder starts and not a limit that is
/// missing.
public struct HolderRules: Equatable, Sendable {
    public let environment: CustodyEnvironment
    public let chains: Set<ChainID>
    public let assets: [AssetID: Limits]
    /// SHA-256 of the policy that the platform must have applied; nil to accept any.
    public let policy: Digest?
    /// Whether it signs only in runs that make their own pair setups, so that it shares nothing
    /// with a peer that outlives a run.
    public let freshSetups: Bool
    /// How long ago an address must have been announced here, by this holder's own clock, before a
    /// transfer to it is signed, in seconds.
    public let addressCooling: UInt64
    /// What may be done with keys.
    public let keys: KeyRules
    public let messages: MessageRules
    public let contracts: [ContractRule]
    /// Tagged hash of the rules file's bytes, which every verdict carries.
    public let digest: Digest

    public struct Limits: Equatable, Sendable {
        /// Most of one transaction.
        public let perTransaction: Amount
        /// Most of all transactions in any 24 hours, fees included for a chain's own coin.
        public let perDay: Amount
        /// Most that the fee of one transaction may cost, in the chain's own coin.
        public let fee: Amount

        public init(perTransaction: Amount, perDay: Amount, fee: Amount) {
            self.perTransaction = perTransaction
            self.perDay = perDay
            self.fee = fee
        }
    }

    public init(
        environment: CustodyEnvironment, chains: Set<ChainID>, assets: [AssetID: Limits],
        policy: Digest? = nil, freshSetups: Bool = false, addressCooling: UInt64 = 0,
        messages: MessageRules = .none, contracts: [ContractRule] = [],
        keys: KeyRules = KeyRules(), digest: Digest
    ) {
        self.environment = environment
        self.chains = chains
        self.assets = assets
        self.policy = policy
        self.freshSetups = freshSetups
        self.addressCooling = addressCooling
        self.keys = keys
        self.messages = messages
        self.contracts = contracts
        self.digest = digest
    }
}

/// The rules file's form, JSON.
public struct HolderRulesFile: Codable, Sendable {
    public static let version = 1
    public static let byteLimit = 256 * 1024
    /// Longest cooling of addresses, a year, in seconds.
    public static let addressCoolingMost = 365 * 24 * 3600

    public let version: Int
    public let environment: String
    public let chains: [String]
    public let assets: [String: Limits]
    public let policyHash: String?
    public let freshSetups: Bool?
    public let addressCoolingSeconds: Int?
    public let keyGeneration: KeyRuleFile?
    public let resharing: KeyRuleFile?
    public let signing: KeyRuleFile?
    public let checkUp: KeyRuleFile?
    public let messages: Messages?
    public let contracts: [Contract]?

    public struct Limits: Codable, Sendable {
        public let mostPerTransaction: String
        public let mostPerDay: String
        public let mostFee: String

        public init(mostPerTransaction: String, mostPerDay: String, mostFee: String) {
            self.mostPerTransaction = mostPerTransaction
            self.mostPerDay = mostPerDay
            self.mostFee = mostFee
        }
    }

    public init(
        environment: CustodyEnvironment, chains: [ChainID], assets: [AssetID: Limits],
        addressCoolingSeconds: Int? = nil, messages: MessageRules? = nil,
        contracts: [ContractRule]? = nil
    ) {
        version = Self.version
        self.environment = environment.name
        self.chains = chains.map(\.text)
        self.assets = Dictionary(uniqueKeysWithValues: assets.map { ($0.key.text, $0.value) })
        policyHash = nil
        freshSetups = nil
        self.addressCoolingSeconds = addressCoolingSeconds
        keyGeneration = nil
        resharing = nil
        signing = nil
        checkUp = nil
        self.messages = messages.map(Messages.init)
        self.contracts = contracts?.map(Contract.init)
    }

    /// The keys that a file may have.
    public static let keys: Set = [
        "version", "environment", "chains", "assets", "policyHash", "freshSetups",
        "addressCoolingSeconds", "messages", "contracts", "keyGeneration", "resharing", "signing",
        "checkUp",
    ]

    /// A value of the file that cannot be, with where it stands and what was expected.
    public struct Invalid: Error, Equatable, CustomStringConvertible, Sendable {
        public let description: String
        public init(_ description: String) { self.description = description }
    }

    /// - Parameter bytes: the file's content, whose hash names the rules.
    public func rules(hashing bytes: [UInt8]) throws(Invalid) -> HolderRules {
        guard version == Self.version else {
            throw Invalid("version: \(Self.version) expected, not \(version)")
        }
        guard let environment = CustodyEnvironment(name: environment) else {
            throw Invalid("environment: sandbox or production expected")
        }
        var chains: Set<ChainID> = []
        for text in self.chains {
            guard let chain = ChainID(text) else {
                throw Invalid("chains: \(text) is no chain in CAIP-2 form")
            }
            chains.insert(chain)
        }
        var assets: [AssetID: HolderRules.Limits] = [:]
        for (text, limits) in self.assets {
            guard let asset = AssetID(text) else {
                throw Invalid("assets: \(text) is no asset in CAIP-19 form")
            }
            func amount(_ name: String, _ value: String) throws(Invalid) -> Amount {
                guard let amount = Amount(baseUnits: value) else {
                    throw Invalid(
                        "assets.\(text).\(name): an integer in base units expected")
                }
                return amount
            }
            assets[asset] = HolderRules.Limits(
                perTransaction: try amount("mostPerTransaction", limits.mostPerTransaction),
                perDay: try amount("mostPerDay", limits.mostPerDay),
                fee: try amount("mostFee", limits.mostFee))
        }
        let policy = policyHash.map { Digest(hex: $0) }
        if case .some(.none) = policy {
            throw Invalid("policyHash: 64 hexadecimal digits expected")
        }
        let cooling = addressCoolingSeconds ?? 0
        guard (0...Self.addressCoolingMost).contains(cooling) else {
            throw Invalid("addressCoolingSeconds: 0 to \(Self.addressCoolingMost) expected")
        }
        var contracts: [ContractRule] = []
        for (at, contract) in (self.contracts ?? []).enumerated() {
            contracts.append(try contract.rule("contracts[\(at)]"))
        }
        return HolderRules(
            environment: environment, chains: chains, assets: assets,
            policy: policy ?? nil, freshSetups: freshSetups ?? false,
            addressCooling: UInt64(cooling), messages: try messages?.rules() ?? .none,
            contracts: contracts, keys: try keyRules(),
            digest: TaggedHash.digest("quorumkeep/rules/v1", bytes))
    }

    private func keyRules() throws(Invalid) -> KeyRules {
        var generation: [KeyRules.AllowedGroup]?
        var reshared: [KeyRules.AllowedGroup]?
        if let keyGeneration {
            generation = try keyGeneration.groups("keyGeneration", namesKeys: false)
        }
        if let resharing { reshared = try resharing.groups("resharing", namesKeys: true) }
        return KeyRules(
            generation: generation, resharing: reshared,
            rejectsSigning: try signing?.rejects("signing") ?? false,
            rejectsCheckUps: try checkUp?.rejects("checkUp") ?? false)
    }
}
