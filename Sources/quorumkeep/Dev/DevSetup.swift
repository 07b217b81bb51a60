import Algebra
import Canonical
import Chains
import Custody
import Foundation
import Housekeeping
import Identity
import Intents
import KeyGroups
import SimulatedChains

/// Lays out the local stack's data directory the first time, and finds everything as it was after.
struct DevSetup {
    /// A holder of the local stack, with limits of its own so that refusals can be seen.
    struct HolderPlan {
        let name: String
        let type: String
        /// In whole coins.
        var perTransaction = "10"
        let perDay = "1000"
        /// In whole tokens.
        var tokensPerTransaction = "10000"
        let tokensPerDay = "1000000"
    }

    static let plans = [
        HolderPlan(
            name: "operator", type: "Platform", perTransaction: "100",
            tokensPerTransaction: "100000"),
        HolderPlan(name: "customer", type: "Customer"),
        HolderPlan(name: "guardian", type: "ThirdParty"),
    ]
    private static let feeMost = "0.1"
    private static let decimals = 18
    private static let confirmations: UInt64 = 3

    let directory: URL
    let portBase: Int
    let rpcURL: String
    let chainID: UInt64
    /// The contract of the asset `USDT`; nil for none.
    let token: EVMAddress?
    let holderCount: Int
    let freshSetups: Bool
    let nodeBinary: URL

    var platform: PlatformDirectory {
        PlatformDirectory(directory.appending(path: Dev.platform).path)
    }
    func holderDirectory(_ number: Int) -> URL { directory.appending(path: "holder-\(number)") }
    private var keysFile: URL { directory.appending(path: "dev-keys.json") }
    private var faucetFile: URL { directory.appending(path: "faucet.key") }
    var caPath: String { platform.path("ca.pem") }

    static func plan(_ number: Int) -> HolderPlan {
        number <= plans.count
            ? plans[number - 1]
            : HolderPlan(name: "holder-\(number)", type: "Customer")
    }

    /// Makes what is not there yet. Ports and node may be others than last time.
    func prepare() throws {
        try PrivateFile.makeDirectory(directory)
        let isNew = !platform.exists
        try requireSameShape(isNew)
        try platform.create(configuration)
        if isNew { try DevCertificates.write(to: platform.url) }
        for number in 1...holderCount {
            let folder = holderDirectory(number)
            if FileManager.default.fileExists(atPath: folder.appending(path: "node.json").path) {
                try setRelay(of: folder)
            } else {
                try makeHolder(number)
            }
        }
    }

    /// A new stack begins in a directory of its own, not among someone's files.
    static func requireOwn(_ directory: URL) throws {
        guard !PlatformDirectory(directory.appending(path: Dev.platform).path).exists else {
            return
        }
        let ours: Set = ["dev.lock", "dev.sock"]
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        if let other = names.filter({ !ours.contains($0) }).min() {
            throw CommandFailure(
                "\(directory.path) holds \(other) and no local stack: give --data another directory"
            )
        }
    }

    /// Holders and chain are those of the first start; ports may be others.
    private func requireSameShape(_ isNew: Bool) throws {
        guard !isNew else { return }
        let made = (1...20).count { number in
            FileManager.default.fileExists(
                atPath: holderDirectory(number).appending(path: "node.json").path)
        }
        guard made == holderCount else {
            throw CommandFailure(
                "\(directory.path) was begun with \(made) holders: give --holders \(made), or "
                    + "another --data")
        }
        let chain = try platform.configuration().chains.first?.id ?? ""
        guard chain == "eip155:\(chainID)" else {
            throw CommandFailure(
                "\(directory.path) was begun on \(chain), the node is of eip155:\(chainID): give "
                    + "another --data")
        }
    }

    private var configuration: PlatformConfiguration {
        let chain = "eip155:\(chainID)"
        return PlatformConfiguration(
            environment: "sandbox",
            custody: .init(host: "127.0.0.1", tlsPort: portBase + 1, plainPort: portBase),
            relay: .init(host: "127.0.0.1", port: portBase + 3),
            tls: .init(
                certificate: "server.pem", privateKey: "server-key.pem", authority: "ca.pem"),
            chains: [.init(id: chain, rpcUrl: rpcURL, pollMilliseconds: 100)],
            assets: assets, intentLifetimeSeconds: 3600,
            webhooks: .init(allowLocal: true, pausesSeconds: Dev.webhookPauses),
            freshSetups: freshSetups, metrics: .init(host: "127.0.0.1", port: portBase + 4))
    }

    private var assets: [PlatformConfiguration.AssetEntry] {
        let chain = ChainID.eip155(chainID)
        let coin = PlatformConfiguration.AssetEntry(
            id: "ETH", symbol: "ETH", name: "Ether (simulated)",
            asset: AssetID.native(chain).text, decimals: Self.decimals,
            confirmations: Self.confirmations, minWithdrawal: "0.000001")
        let tokens = token.map { contract in
            PlatformConfiguration.AssetEntry(
                id: "USDT", symbol: "USDT", name: "Tether (simulated)",
                asset: AssetID.erc20(chain, contract).text, decimals: SimulatedEVM.tokenDecimals,
                confirmations: Self.confirmations, minWithdrawal: "0.01")
        }
        return [coin] + (tokens.map { [$0] } ?? [])
    }

    private func limits(_ plan: HolderPlan) -> [AssetID: HolderRulesFile.Limits] {
        func units(_ coins: String, _ decimals: Int) -> String {
            (try? Amount(text: coins, decimals: decimals))?.baseUnitText ?? "0"
        }
        let chain = ChainID.eip155(chainID)
        let fee = units(Self.feeMost, Self.decimals)
        var limits: [AssetID: HolderRulesFile.Limits] = [
            .native(chain): .init(
                mostPerTransaction: units(plan.perTransaction, Self.decimals),
                mostPerDay: units(plan.perDay, Self.decimals), mostFee: fee)
        ]
        if let token {
            let decimals = SimulatedEVM.tokenDecimals
            limits[.erc20(chain, token)] = .init(
                mostPerTransaction: units(plan.tokensPerTransaction, decimals),
                mostPerDay: units(plan.tokensPerDay, decimals), mostFee: fee)
        }
        return limits
    }

    /// Messages for people, and the one typed message of EIP-712's example.
    private var messages: MessageRules {
        MessageRules(
            personalMost: 4096,
            typed: [
                TypedDataRule(
                    chain: .eip155(chainID), contract: Self.exampleContract, primaryType: "Mail")
            ])
    }

    /// A contract that is none: a call of it moves coins, and its data is on the chain.
    private var contracts: [ContractRule] {
        let most = (try? Amount(text: "1", decimals: Self.decimals)) ?? .zero
        return [
            ContractRule(
                chain: .eip155(chainID), address: Self.exampleContract, selectors: nil,
                mostValue: most)
        ]
    }

    private static let exampleContract = EVMAddress(unchecked: [UInt8](repeating: 0xcc, count: 20))

    private func makeHolder(_ number: Int) throws {
        let plan = Self.plan(number)
        let rules = HolderRulesFile(
            environment: .sandbox, chains: [.eip155(chainID)], assets: limits(plan),
            messages: messages, contracts: contracts)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let draft = directory.appending(path: "rules-\(number).json")
        try PrivateFile.write(try encoder.encode(rules), to: draft)
        defer { try? FileManager.default.removeItem(at: draft) }
        let output = try Self.output(
            of: nodeBinary,
            [
                "init", "--data", holderDirectory(number).path, "--name", plan.name, "--relay",
                "127.0.0.1:\(portBase + 3)", "--server-name", "localhost", "--ca", caPath,
                "--platform-key", try platform.intentKey().publicKey.hex, "--rules", draft.path,
            ])
        let identity = output.trimmingCharacters(in: .whitespacesAndNewlines)
        try PrivateFile.write(
            Data(identity.utf8), to: holderDirectory(number).appending(path: "identity.txt"))
    }

    /// Points an existing holder to the relay's port of this start.
    private func setRelay(of folder: URL) throws {
        let file = folder.appending(path: "node.json")
        guard
            var object = try JSONSerialization.jsonObject(with: try Data(contentsOf: file))
                as? [String: Any], var relay = object["relay"] as? [String: Any]
        else { throw CommandFailure("\(file.path) cannot be read") }
        relay["port"] = portBase + 3
        object["relay"] = relay
        try PrivateFile.write(
            try JSONSerialization.data(
                withJSONObject: object, options: [.prettyPrinted, .sortedKeys]),
            to: file)
    }

    private static func output(of binary: URL, _ arguments: [String]) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = binary
        process.arguments = arguments
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw CommandFailure("\(binary.lastPathComponent) \(arguments[0]) failed")
        }
        return String(decoding: data, as: UTF8.self)
    }

    func identity(_ number: Int) throws -> IdentityPublicKey {
        let text = try String(
            contentsOf: holderDirectory(number).appending(path: "identity.txt"), encoding: .utf8)
        guard let key = IdentityPublicKey(hex: text) else {
            throw CommandFailure("holder \(number) has no readable identity")
        }
        return key
    }

    /// The stranger's key on the simulated chain: made once, and published in `dev.json`.
    func faucetKey() throws -> SecretBytes {
        if !FileManager.default.fileExists(atPath: faucetFile.path) {
            var random = SystemRandom()
            let key = SecretScalar(random: &random).encoded()
            try key.withBytes { try PrivateFile.write(Data($0), to: faucetFile) }
        }
        return SecretBytes(copying: try PrivateFile.read(faucetFile))
    }

    /// Two tenants, so that isolation can be tried, with an API key of each kind.
    func tenants(_ custody: Bookkeeper) async throws -> [DevFile.Tenant] {
        var tenants: [DevFile.Tenant]
        if let saved = try savedTenants() {
            tenants = saved
        } else {
            tenants = try await makeTenants(custody)
        }
        guard tenants.contains(where: { $0.keys.ed25519 == nil }) else { return tenants }
        for number in tenants.indices where tenants[number].keys.ed25519 == nil {
            tenants[number].keys.ed25519 = try await makePublicKey(tenants[number], custody)
        }
        try save(tenants)
        return tenants
    }

    private func savedTenants() throws -> [DevFile.Tenant]? {
        guard let data = try? PrivateFile.read(keysFile) else { return nil }
        return try JSONDecoder().decode([DevFile.Tenant].self, from: data)
    }

    private func save(_ tenants: [DevFile.Tenant]) throws {
        try PrivateFile.write(try JSONEncoder().encode(tenants), to: keysFile)
    }

    private func makePublicKey(
        _ tenant: DevFile.Tenant, _ custody: Bookkeeper
    ) async throws -> DevFile.Ed25519Key {
        guard let id = TenantID(text: tenant.id) else {
            throw CommandFailure("\(keysFile.path) names no tenant")
        }
        var random = SystemRandom()
        let seed = random.bytes(IdentityKey.seedBytes)
        guard let key = IdentityKey(seed: SecretBytes(copying: seed)) else {
            throw CommandFailure("no key could be made")
        }
        let publicKey = key.publicKey.hex
        _ = try await custody.write { books in
            try books.createPublicAPIKey(
                publicKey, for: id, name: "dev", permissions: Set(Permission.allCases))
        }
        return DevFile.Ed25519Key(privateKey: Hex.encode(seed), publicKey: publicKey)
    }

    private func makeTenants(_ custody: Bookkeeper) async throws -> [DevFile.Tenant] {
        let holders = try (1...holderCount).map { number in
            (identity: try identity(number), name: Self.plan(number).name)
        }
        let tenants = try await custody.write { books in
            let registered = try holders.map { try books.register($0.identity, name: $0.name) }
            try books.setOwnHolder(Self.plan(1).name)
            return try ["Demo", "Other"].map { name in
                let (tenant, _) = try books.createTenant(
                    name: name, threshold: min(2, registered.count), holders: registered)
                let (key, secret) = try books.createAPIKey(
                    for: tenant.id, name: "dev", scopes: Set(Scope.allCases))
                return DevFile.Tenant(
                    id: tenant.id.text, name: name, environment: tenant.environment.name,
                    keys: .init(hmac: .init(keyId: key.id.text, secret: secret)))
            }
        }
        try save(tenants)
        return tenants
    }
}
