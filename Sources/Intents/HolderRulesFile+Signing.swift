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
    ]
}
