import Canonical
import Chains
import Custody
import HTTPTypes
import Identity
import Intents

/// Chains, tokens, and whether an address is one.
extension AdminEndpoint {
    private static let pageMost = 500

    static let tokens: [AdminEndpoint] = [
        .list(
            "list_supported_chains", "wallets/chains", nil,
            query: ["wallet_type", "wallet_subtype", "chain_ids"], most: pageMost
        ) { call in try call.list(all: call.chains(call.settings.assets), call.show) },
        .get("get_chain_by_id", "wallets/chains/{chain_id}", nil) { call in
            guard let chain = call.settings.chain(named: call.text("chain_id")) else {
                throw Refusal.notFound("chain")
            }
            return call.show(chain)
        },
        .list(
            "list_supported_tokens", "wallets/tokens", nil,
            query: ["wallet_type", "wallet_subtype", "chain_ids", "token_ids"], most: pageMost
        ) { call in try call.list(all: call.tokens(call.settings.assets), call.show) },
        .get("get_token_by_id", "wallets/tokens/{token_id}", nil) { call in
            guard let asset = call.settings.asset(named: call.text("token_id")) else {
                throw Refusal.notFound("token")
            }
            return call.show(asset)
        },
        .list(
            "list_enabled_chains", "wallets/enabled_chains", nil,
            query: ["wallet_type", "wallet_subtype"], most: pageMost
        ) { call in try call.list(all: call.chains(call.enabled), call.show) },
        .list(
            "list_enabled_tokens", "wallets/enabled_tokens", nil,
            query: ["wallet_type", "wallet_subtype", "chain_ids", "token_ids"], most: pageMost
        ) { call in try call.list(all: call.tokens(call.enabled), call.show) },
        .get(
            "check_address_validity", "wallets/check_address_validity", nil,
            query: ["chain_id", "address"]
        ) { call in
            _ = try call.chain(named: call.required("chain_id", call.value("chain_id")))
            let address = try call.required("address", call.value("address"))
            return .object(["validity": .bool(AdminCall.isAddress(address))])
        },
        .get(
            "check_addresses_validity", "wallets/check_addresses_validity", nil,
            query: ["chain_id", "addresses"]
        ) { call in
            _ = try call.chain(named: call.required("chain_id", call.value("chain_id")))
            let addresses = try call.required("addresses", call.values("addresses"))
            return .array(
                addresses.map {
                    .object([
                        "address": .string($0), "validity": .bool(AdminCall.isAddress($0)),
                    ])
                })
        },
        .get(
            "check_address_chains_validity", "wallets/check_address_chains_validity", nil,
            query: ["address", "chain_ids"]
        ) { call in
            let address = try call.required("address", call.value("address"))
            let chains = try call.required("chain_ids", call.values("chain_ids"))
            return .array(
                try chains.map { name in
                    _ = try call.chain(named: name)
                    return .object([
                        "chain_id": .string(name), "validity": .bool(AdminCall.isAddress(address)),
                    ])
                })
        },
    ]
}

extension AdminCall {
    fileprivate var enabled: [Asset] {
        get throws { try settings.assets.filter { try books.isEnabled($0, for: tenant) } }
    }

    /// Whether wallets of ours are of the type that is asked for.
    var asksForOurWallets: Bool {
        get throws {
            let type = try value("wallet_type") ?? "MPC"
            let subtype = try value("wallet_subtype").map { name in
                KeyVault.Kind.allCases.contains { $0.walletSubtype == name }
            }
            return type == "MPC" && subtype ?? true
        }
    }

    fileprivate func chains(_ assets: [Asset]) throws -> [ChainID] {
        guard try asksForOurWallets else { return [] }
        let names = try values("chain_ids")
        return settings.chains.filter { chain in
            assets.contains { $0.asset.chain == chain }
                && names?.contains(CustodySettings.name(of: chain)) ?? true
        }
    }

    fileprivate func tokens(_ assets: [Asset]) throws -> [Asset] {
        guard try asksForOurWallets else { return [] }
        let (chains, tokens) = (try values("chain_ids"), try values("token_ids"))
        return assets.filter { asset in
            chains?.contains(CustodySettings.name(of: asset.asset.chain)) ?? true
                && tokens?.contains(CustodySettings.name(of: asset)) ?? true
        }
    }

    /// Whether funds can be sent there: the zero address is none.
    fileprivate static func isAddress(_ text: String) -> Bool {
        (try? EVMAddress(text: text))?.bytes.contains { $0 != 0 } ?? false
    }

    fileprivate func show(_ chain: ChainID) -> JSONValue {
        let coin = settings.coin(of: chain)
        let name = CustodySettings.name(of: chain)
        return .object([
            "chain_id": .string(name), "symbol": .string(coin?.symbol ?? name),
            "require_memo": .bool(false),
            "confirming_threshold": .integer(coin?.confirmations ?? 0),
            "caip2_chain_id": .string(chain.text),
        ])
    }

    fileprivate func show(_ asset: Asset) -> JSONValue {
        let chain = CustodySettings.name(of: asset.asset.chain)
        return .object([
            "token_id": .string(CustodySettings.name(of: asset)), "chain_id": .string(chain),
            "asset_id": .string(asset.id), "symbol": .string(asset.symbol),
            "name": .string(asset.name), "decimal": .integer(asset.decimals),
            "token_address": .string(asset.asset.contract?.text ?? ""),
            "fee_token_id": .string(chain), "can_deposit": .bool(true),
            "can_withdraw": .bool(true),
            "dust_threshold": .string(asset.minimumWithdrawal.text(decimals: asset.decimals)),
            "asset_model_type": .string("Account"),
        ])
    }
}
