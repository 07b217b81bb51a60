import Canonical
import Chains

/// Which messages a holder signs.
public struct MessageRules: Equatable, Sendable {
    public static let none = MessageRules(personalMost: nil, typed: [])

    /// Longest message of EIP-191, in bytes; nil where none is signed.
    public let personalMost: Int?
    public let typed: Set<TypedDataRule>

    public init(personalMost: Int?, typed: Set<TypedDataRule>) {
        self.personalMost = personalMost
        self.typed = typed
    }
}

/// Typed data that a holder signs: of this type, for this contract, on this chain.
public struct TypedDataRule: Hashable, Sendable {
    public let chain: ChainID
    public let contract: EVMAddress
    public let primaryType: String

    public init(chain: ChainID, contract: EVMAddress, primaryType: String) {
        self.chain = chain
        self.contract = contract
        self.primaryType = primaryType
    }
}

extension HolderRulesFile {
    /// What the file says of messages.
    public struct Messages: Codable, Sendable {
        public let eip191: Personal?
        public let eip712: [TypedData]?

        public struct Personal: Codable, Sendable {
            public let mostBytes: Int
        }

        public struct TypedData: Codable, Sendable {
            public let chain: String
            public let verifyingContract: String
            public let primaryType: String
        }

        public init(_ rules: MessageRules) {
            eip191 = rules.personalMost.map { Personal(mostBytes: $0) }
            eip712 = rules.typed.map {
                TypedData(
                    chain: $0.chain.text, verifyingContract: $0.contract.text,
                    primaryType: $0.primaryType)
            }.sorted {
                ($0.chain, $0.verifyingContract, $0.primaryType)
                    < ($1.chain, $1.verifyingContract, $1.primaryType)
            }
        }

        func rules() throws(Invalid) -> MessageRules {
            if let most = eip191?.mostBytes, !(1...EVMMessage.byteLimit).contains(most) {
                throw Invalid("messages.eip191.mostBytes: 1 to \(EVMMessage.byteLimit) expected")
            }
            var typed: Set<TypedDataRule> = []
            for (at, entry) in (eip712 ?? []).enumerated() {
                guard let chain = ChainID(entry.chain) else {
                    throw Invalid(
                        "messages.eip712[\(at)].chain: \(entry.chain) is no chain in CAIP-2 form")
                }
                guard let contract = try? EVMAddress(text: entry.verifyingContract) else {
                    throw Invalid(
                        "messages.eip712[\(at)].verifyingContract: an address with its EIP-55 "
                            + "checksum expected")
                }
                guard EVMTypedData.isName(entry.primaryType) else {
                    throw Invalid("messages.eip712[\(at)].primaryType: a type's name expected")
                }
                typed.insert(
                    TypedDataRule(
                        chain: chain, contract: contract, primaryType: entry.primaryType))
            }
            return MessageRules(personalMost: eip191?.mostBytes, typed: typed)
        }
    }

    /// The keys that each object within the file may have, by where it stands; a list's entries
    /// stand where the list does. An asset's name is none of the path.
    public static let innerKeys: [String: Set<String>] = [
        "assets": ["mostPerTransaction", "mostPerDay", "mostFee"],
        "messages": ["eip191", "eip712"],
        "messages.eip191": ["mostBytes"],
        "messages.eip712": ["chain", "verifyingContract", "primaryType"],
        "contracts": ["chain", "address", "selectors", "mostValue"],
        "keyGeneration": ["rejectAll", "allow"],
        "keyGeneration.allow": ["threshold", "holders"],
        "resharing": ["rejectAll", "allow"],
        "resharing.allow": ["publicKey", "threshold", "holders"],
        "signing": ["rejectAll"],
        "checkUp": ["rejectAll"],
    ]
}

/// A contract that a holder calls.
public struct ContractRule: Hashable, Sendable {
    public let chain: ChainID
    public let address: EVMAddress
    /// The functions that are called, by the first four bytes of the data; nil for any, and for
    /// coins alone.
    public let selectors: Set<[UInt8]>?
    /// Most coins of one call, in base units.
    public let mostValue: Amount

    public init(
        chain: ChainID, address: EVMAddress, selectors: Set<[UInt8]>?, mostValue: Amount
    ) {
        self.chain = chain
        self.address = address
        self.selectors = selectors
        self.mostValue = mostValue
    }

    /// Whether it is for this contract and this function.
    func admits(_ order: CallOrder, of contract: EVMAddress) -> Bool {
        guard chain == order.payment.chain, address == contract else { return false }
        guard let selectors else { return true }
        return order.selector.map(selectors.contains) ?? false
    }
}

extension HolderRulesFile {
    /// What the file says of a contract.
    public struct Contract: Codable, Sendable {
        public let chain: String
        public let address: String
        public let selectors: [String]?
        public let mostValue: String

        public init(_ rule: ContractRule) {
            chain = rule.chain.text
            address = rule.address.text
            selectors = rule.selectors?.map { "0x" + Hex.encode($0) }.sorted()
            mostValue = rule.mostValue.baseUnitText
        }

        func rule(_ place: String) throws(Invalid) -> ContractRule {
            guard let chain = ChainID(chain) else {
                throw Invalid("\(place).chain: \(chain) is no chain in CAIP-2 form")
            }
            guard let address = try? EVMAddress(text: address) else {
                throw Invalid("\(place).address: an address with its EIP-55 checksum expected")
            }
            guard let most = Amount(baseUnits: mostValue) else {
                throw Invalid("\(place).mostValue: an integer in base units expected")
            }
            guard let selectors else {
                return ContractRule(
                    chain: chain, address: address, selectors: nil, mostValue: most)
            }
            var read: Set<[UInt8]> = []
            for text in selectors {
                guard text.hasPrefix("0x"), let bytes = Hex.decode(text.dropFirst(2)),
                    bytes.count == ContractCall.selectorBytes
                else { throw Invalid("\(place).selectors: 0x and 8 hexadecimal digits expected") }
                read.insert(bytes)
            }
            return ContractRule(chain: chain, address: address, selectors: read, mostValue: most)
        }
    }
}
