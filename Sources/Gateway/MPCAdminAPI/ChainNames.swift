import Chains
import Custody

/// What the face calls chains and tokens: as its clients know them from their vendor.
extension CustodySettings {
    private static let names: [ChainID: String] = [.eip155(1): "ETH", .eip155(31337): "SETH"]

    static func name(of chain: ChainID) -> String {
        if let name = names[chain] { return name }
        return switch chain {
        case .eip155(let id): "EVM_\(id)"
        }
    }

    /// A chain's coin is called as the chain; a token has the chain's name before its own.
    static func name(of asset: Asset) -> String {
        let chain = name(of: asset.asset.chain)
        return asset.asset.contract == nil ? chain : "\(chain)_\(asset.id)"
    }

    /// The chains that assets are kept of, each once.
    var chains: [ChainID] {
        assets.map(\.asset.chain).reduce(into: []) { found, chain in
            if !found.contains(chain) { found.append(chain) }
        }
    }

    func chain(named name: String) -> ChainID? { chains.first { Self.name(of: $0) == name } }
    func asset(named name: String) -> Asset? { assets.first { Self.name(of: $0) == name } }

    /// The coin that a chain's fees are paid in.
    func coin(of chain: ChainID) -> Asset? { asset(.native(chain)) }
}

extension AdminCall {
    /// The chain that the caller names.
    func chain(named name: String) throws -> ChainID {
        guard let chain = settings.chain(named: name) else {
            throw AdminProblem(.badValue, "There is no chain '\(name.prefix(64))' here.")
        }
        return chain
    }

    func asset(named name: String) throws -> Asset {
        guard let asset = settings.asset(named: name) else {
            throw AdminProblem(.unsupportedToken, "There is no token '\(name.prefix(64))' here.")
        }
        return asset
    }
}
