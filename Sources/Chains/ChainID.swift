/// A chain by its CAIP-2 name, in the one spelling that this project uses.
public enum ChainID: Hashable, Sendable {
    /// An EVM chain by its EIP-155 chain id.
    case eip155(UInt64)

    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "eip155", let id = UInt64(parts[1]), id > 0 else {
            return nil
        }
        self = .eip155(id)
        guard self.text == text else { return nil }
    }

    public var text: String {
        switch self {
        case .eip155(let id): "eip155:\(id)"
        }
    }

    /// SLIP-44 coin type of the chain's addresses. EVM chains share theirs: what is signed names
    /// the chain.
    public var coinType: UInt32 {
        switch self {
        case .eip155: 60
        }
    }

    /// Chains whose coins are worth nothing: developers' chains and public test networks. A
    /// production holder refuses them.
    public var isTestNetwork: Bool {
        switch self {
        case .eip155(let id):
            [1337, 31337, 11_155_111, 17_000, 560_048, 80_002, 97, 84_532].contains(id)
        }
    }
}

/// An asset by its CAIP-19 name.
public enum AssetID: Hashable, Sendable {
    /// A chain's own coin, by SLIP-44.
    case native(ChainID)
    /// A token, by its contract with the address's EIP-55 checksum.
    case erc20(ChainID, EVMAddress)

    private static let tokenPrefix = "erc20:"

    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let chain = ChainID(String(parts[0])) else { return nil }
        if parts[1].hasPrefix(Self.tokenPrefix),
            let contract = try? EVMAddress(text: String(parts[1].dropFirst(Self.tokenPrefix.count)))
        {
            self = .erc20(chain, contract)
        } else {
            self = .native(chain)
        }
        guard self.text == text else { return nil }
    }

    public var text: String {
        switch self {
        case .native(let chain): "\(chain.text)/slip44:\(chain.coinType)"
        case .erc20(let chain, let contract): "\(chain.text)/\(Self.tokenPrefix)\(contract.text)"
        }
    }

    public var chain: ChainID {
        switch self {
        case .native(let chain), .erc20(let chain, _): chain
        }
    }

    /// A token's contract; nil of a chain's own coin.
    public var contract: EVMAddress? {
        switch self {
        case .native: nil
        case .erc20(_, let contract): contract
        }
    }

    /// The coin in which the chain takes its fees.
    public var feeAsset: AssetID { .native(chain) }
}
