import Canonical
import Chains
import Custody
import Foundation
import Gateway
import Hummingbird
import Identity
import Intents
import Logging
import NIOCore
import Storage
import TestKit

/// A custody face in a process of its own, over a database on disk, beside a bare route of the same
/// web framework that makes one read of the same database. Orders come over standard input.
enum FaceServer {
    static let argument = "--face-server"
    static let walletCount = 32
    private static let depositBlocks = 2000

    /// What the other process must know, as the first line of the output.
    struct Facts: Codable {
        let keyID: String
        let secret: String
        let wallets: [String]
        let transaction: String
        /// Where SQLite keeps its count of commits.
        let sharedMemory: String
    }

    static func run(port: Int) async throws {
        let test = try TestCustody(machineClock: true)
        let path = test.directory.appending(path: "platform.sqlite").path
        let tenant = try await test.tenant("Bench")
        let (key, secret) = try await test.custody.write {
            try $0.createAPIKey(for: tenant, name: "bench", scopes: Set(Scope.allCases))
        }
        var chain = TestChain()
        let wallets = try await fundedWallets(test, tenant, &chain)
        let transaction = try await test.custody.write { books in
            try books.transfer(
                TransferDraft(
                    sourceWallet: wallets[0].id, destinationWallet: wallets[1].id, amount: "0.1",
                    note: nil, externalID: nil), for: tenant)
        }
        let facts = Facts(
            keyID: key.id.text, secret: secret, wallets: wallets.map(\.id.text),
            transaction: transaction.id.text, sharedMemory: "\(path)-shm")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await face(test, port).run() }
            group.addTask { try await bare(test, port + 1).run() }
            print(String(decoding: try JSONEncoder().encode(facts), as: UTF8.self))
            fflush(nil)
            while let order = readLine() {
                switch order {
                case "fill": try PlatformDatabase.fill(path: path, rows: 1_000_000)
                case "deposits":
                    let times = try await deposits(test, wallets[0], &chain)
                    print(times.map { String($0) }.joined(separator: " "))
                default: throw Failed()
                }
                print("done")
                fflush(nil)
            }
            group.cancelAll()
        }
    }

    private static func face(_ test: TestCustody, _ port: Int) throws -> some ApplicationProtocol {
        var settings = GatewaySettings()
        settings.keyLimit = RateLimit(perSecond: 1_000_000, burst: 1_000_000)
        settings.addressLimit = settings.keyLimit
        return try GatewayServer(
            custody: test.custody, responses: test.signer, gas: TestGas(), settings: settings,
            log: silent
        ).application(for: .loopback(port: port))
    }

    private static func bare(_ test: TestCustody, _ port: Int) -> some ApplicationProtocol {
        let router = Router()
        let database = test.database
        router.get("wallets/:id") { _, context -> String in
            guard let id = WalletID(text: try context.parameters.require("id")) else {
                throw HTTPError(.notFound)
            }
            let wallet = try await database.read { try $0.wallet(id) }
            guard let wallet else { throw HTTPError(.notFound) }
            return "\(wallet.id.text) \(wallet.asset) \(wallet.depositAddress)"
        }
        return Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port)), logger: silent)
    }

    private static let silent = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }

    private static func fundedWallets(
        _ test: TestCustody, _ tenant: TenantID, _ chain: inout TestChain
    ) async throws -> [Wallet] {
        var wallets: [Wallet] = []
        for number in 0..<walletCount {
            wallets.append(try await test.wallet("bench \(number)", of: tenant))
        }
        let much = try Amount(text: "1000000", decimals: 18)
        try await test.apply(chain.block())
        try await test.apply(
            chain.block(wallets.map { chain.deposit(much, to: $0.depositAddress) }))
        for _ in 0..<3 { try await test.apply(chain.block()) }
        return wallets
    }

    /// Milliseconds from a block's transaction, of which it is not known yet whose it is, to the
    /// commit of the deposit, each in a block of its own.
    private static func deposits(
        _ test: TestCustody, _ wallet: Wallet, _ chain: inout TestChain
    ) async throws -> [Double] {
        var times: [Double] = []
        for _ in 0..<depositBlocks {
            let block = chain.block([
                chain.deposit(Amount(UInt32(5000)), to: wallet.depositAddress)
            ])
            let start = ContinuousClock.now
            let isOurs = try await test.custody.read {
                try $0.concerns(block.transfers[0].transaction, moving: [], on: TestCustody.chain)
            }
            guard isOurs else { throw Failed() }
            try await test.apply(block)
            times.append(start.duration(to: .now) / .milliseconds(1))
        }
        return times
    }
}
