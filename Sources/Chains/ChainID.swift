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

    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let chain = ChainID(String(parts[0])) else { return nil }
        self = .native(chain)
        guard self.text == text else { return nil }
    }

    public var text: String {
        switch self {
        case .native(let chain): "\(chain.text)/slip44:\(chain.coinType)"
        }
    }

    public var chain: ChainID {
        switch self {
        case .native(let chain): chain
        }
    }
}
