import Chains
import Custody
import Foundation
import Gateway
import Housekeeping
import Identity
import Intents

/// The installation's configuration file, `platform.json`, read once when it starts.
struct PlatformConfiguration: Codable {
    static let version = 1

    var version = PlatformConfiguration.version
    /// `sandbox` or `production`.
    var environment: String
    var custody: Doors
    var relay: Listener
    /// Paths relative to the data directory: the certificate of both doors, its key, and the
    /// authority that holders pin.
    var tls: Certificates
    var chains: [Chain]
    var assets: [AssetEntry]
    /// How long holders may sign an intent, in seconds.
    var intentLifetimeSeconds: Int64
    var webhooks: Webhooks
    /// Whether every signature makes its own pair setups; left out for no.
    var freshSetups: Bool?
    /// Left out for the usual ones.
    var limits: Limits?
    /// Where operators ask for `/metrics`, `/health` and `/ready`; left out for nowhere.
    var metrics: Listener?
    /// `text` or `json`; left out for `json` in production and `text` in a sandbox.
    var logs: String?

    struct Doors: Codable {
        var host: String
        var tlsPort: Int
        /// Plain HTTP on loopback; left out but in development.
        var plainPort: Int?
        /// Proxies whose X-Forwarded-For is believed, in CIDR form; left out for none.
        var trustedProxies: [String]?
    }

    /// How many requests pass; each may be left out.
    struct Limits: Codable {
        var apiKey: Rate?
        var address: Rate?
        var failures: Rate?
        /// Connections of one door, and from one address.
        var connections: Int?
        var connectionsPerAddress: Int?
    }

    struct Rate: Codable {
        var perSecond: Int
        var burst: Int
    }

    struct Listener: Codable {
        var host: String
        var port: Int
    }

    struct Certificates: Codable {
        var certificate: String
        var privateKey: String
        var authority: String
    }

    struct Chain: Codable {
        /// CAIP-2.
        var id: String
        var rpcUrl: String
        var pollMilliseconds: Int
    }

    struct AssetEntry: Codable {
        var id: String
        var symbol: String
        var name: String
        /// CAIP-19.
        var asset: String
        var decimals: Int
        var confirmations: UInt64
        /// In whole coins.
        var minWithdrawal: String
        /// Gas that a token's withdrawal may use; left out for 100,000.
        var gasLimit: UInt64?
    }

    struct Webhooks: Codable {
        /// Allows plain HTTP and private addresses: for development.
        var allowLocal: Bool
        var pausesSeconds: [Int64]
        /// How many days an event is kept when its delivery has ended; 30 if left out.
        var eventsKeptDays: Int?
    }

    /// What the API's doors are set to.
    func gatewaySettings() throws -> GatewaySettings {
        var settings = GatewaySettings()
        settings.trustedProxies = try (custody.trustedProxies ?? []).map { text in
            do throws(AddressRange.Malformed) {
                return try AddressRange(text)
            } catch {
                throw CommandFailure(
                    "platform.json: custody.trustedProxies: '\(text)' is no range such as "
                        + "10.0.0.0/8 or 2001:db8::/32, without bits behind its prefix")
            }
        }
        settings.keyLimit = try limits?.apiKey?.limit() ?? settings.keyLimit
        settings.addressLimit = try limits?.address?.limit() ?? settings.addressLimit
        settings.failureLimit = try limits?.failures?.limit() ?? settings.failureLimit
        settings.connectionsMost = limits?.connections ?? settings.connectionsMost
        settings.connectionsPerAddressMost =
            limits?.connectionsPerAddress ?? settings.connectionsPerAddressMost
        let most = [settings.connectionsMost, settings.connectionsPerAddressMost]
        guard most.allSatisfy({ (1...100_000).contains($0) }) else {
            throw CommandFailure(
                "platform.json: limits.connections and limits.connectionsPerAddress are from 1 to "
                    + "100000")
        }
        return settings
    }

    /// Whether each line of the log is a JSON object.
    func logsAreJSON() throws -> Bool {
        switch logs {
        case nil: environment == CustodyEnvironment.production.name
        case "json": true
        case "text": false
        default: throw CommandFailure("platform.json: logs is text or json")
        }
    }

    func settings() throws -> CustodySettings {
        guard version == Self.version else {
            throw CommandFailure("platform.json: version \(Self.version) expected")
        }
        guard let environment = CustodyEnvironment(name: environment) else {
            throw CommandFailure("platform.json: environment is sandbox or production")
        }
        guard (60...Int64(Intent.lifetimeMost)).contains(intentLifetimeSeconds) else {
            throw CommandFailure("platform.json: intentLifetimeSeconds is from 60 to 86400")
        }
        guard (1...3650).contains(webhooks.eventsKeptDays ?? RecordedEvent.usualKeptDays) else {
            throw CommandFailure("platform.json: webhooks.eventsKeptDays is from 1 to 3650")
        }
        guard webhooks.pausesSeconds.allSatisfy({ (0...604_800).contains($0) }) else {
            throw CommandFailure("platform.json: webhooks.pausesSeconds are from 0 to 604800")
        }
        let assets = try self.assets.map { entry in
            let gas = entry.gasLimit ?? ERC20Transfer.usualGas
            guard let asset = AssetID(entry.asset), (0...18).contains(entry.decimals),
                (EVMFeeLimit.transferGas...ERC20Transfer.gasMost).contains(gas),
                asset.contract != nil || entry.gasLimit == nil,
                let least = try? Amount(text: entry.minWithdrawal, decimals: entry.decimals),
                entry.confirmations >= 1, entry.confirmations < Books.blocksKept
            else { throw CommandFailure("platform.json: asset \(entry.id) is impossible") }
            return Asset(
                id: entry.id, symbol: entry.symbol, name: entry.name, asset: asset,
                decimals: entry.decimals, confirmations: entry.confirmations,
                minimumWithdrawal: least, tokenGas: entry.gasLimit)
        }
        guard Set(assets.map(\.id)).count == assets.count else {
            throw CommandFailure("platform.json: an asset's id stands twice")
        }
        let kept = Set(assets.map(\.asset))
        guard kept.count == assets.count else {
            throw CommandFailure("platform.json: two assets are the same coin or token")
        }
        for asset in assets where !kept.contains(asset.asset.feeAsset) {
            throw CommandFailure(
                "platform.json: \(asset.id) needs \(asset.asset.feeAsset.text) as an asset too, "
                    + "which pays its fees")
        }
        if environment == .production {
            guard !webhooks.allowLocal, custody.plainPort == nil,
                !assets.contains(where: { $0.asset.chain.isTestNetwork })
            else {
                throw CommandFailure(
                    "platform.json: production has no plain HTTP, local webhooks or test networks")
            }
        }
        return CustodySettings(
            environment: environment, assets: assets, intentLifetime: intentLifetimeSeconds,
            allowsLocalWebhooks: webhooks.allowLocal,
            webhookRetriesMost: webhooks.pausesSeconds.count, freshSetups: freshSetups ?? false)
    }
}

extension PlatformConfiguration.Rate {
    fileprivate func limit() throws -> RateLimit {
        guard (1...1_000_000).contains(perSecond), (1...10_000_000).contains(burst) else {
            throw CommandFailure(
                "platform.json: limits have perSecond from 1 to 1000000 and burst from 1 to "
                    + "10000000")
        }
        return RateLimit(perSecond: perSecond, burst: burst)
    }
}
