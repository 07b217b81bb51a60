import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A toy shop in Swift: a customer pays in, the shop hears of it by webhook, and pays out.
@main struct ToyShop {
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    let custody: Custody
    let chain: URL
    let deliveries = Deliveries()
    let order = random(bytes: 4)

    static func main() async {
        do {
            try await open()
        } catch {
            FileHandle.standardError.write(Data("toy shop: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func open() async throws {
        let file = ProcessInfo.processInfo.environment["QUORUMKEEP_STACK"]
        let stack = try JSONDecoder().decode(
            LocalStack.self,
            from: try Data(contentsOf: URL(filePath: file ?? ".quorumkeep-dev/dev.json")))
        let key = stack.tenants[0].keys.hmac
        let shop = ToyShop(
            custody: Custody(url: stack.custody.url, key: key.keyId, secret: key.secret),
            chain: stack.chains.evm.rpcUrl)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (ports, opened) = AsyncStream.makeStream(of: Int.self)
            group.addTask { try await shop.deliveries.serve { opened.yield($0) } }
            for await port in ports.prefix(1) { try await shop.run(port) }
            group.cancelAll()
        }
    }

    private func run(_ port: Int) async throws {
        // The secret is told when an endpoint is set, and never again: keep it.
        let endpoint: Endpoint = try await custody.call(
            "PUT", "/webhooks/outbound", ["url": "http://127.0.0.1:\(port)/hook"])
        deliveries.secret = endpoint.signingSecret
        guard try await refusesForgeries(port) else {
            throw Failed(description: "a forged delivery was taken")
        }
        var events = deliveries.events.makeAsyncIterator()

        // A customer has a vault, named by the shop's own id for the customer, and in it a wallet
        // for each asset. Asked for again, the same vault comes back: a second try doubles nothing.
        let vault: Named = try await custody.call(
            "POST", "/vaults", ["externalId": "customer-\(order)", "name": "A customer"])
        let wallet: Wallet = try await custody.call(
            "POST", "/vaults/\(vault.id)/wallets", ["assetId": "ETH"])
        say("please pay 3 ETH to \(wallet.depositAddress)")

        try await pay(wallet.depositAddress, wei: "3000000000000000000")
        let deposit = try await next(&events) {
            $0.type == "Deposit" && $0.walletId == wallet.id && $0.status == "Completed"
        }
        say("paid by deposit \(deposit.id), \(deposit.amount) ETH")

        let payout = try await payOut("1.25", from: wallet)
        say("payout \(payout.id) is \(payout.status)")
        // It ends in one of these; until then `waitingFor` says what it waits for.
        let ended = try await next(&events) {
            $0.id == payout.id && ["Completed", "Failed", "Cancelled"].contains($0.status)
        }
        guard ended.status == "Completed" else {
            throw Failed(
                description: "the payout is \(ended.status): \(ended.failure?.message ?? "")")
        }
        say("paid out with \(ended.confirmations) confirmations for a fee of \(ended.fee ?? "")")
        let left: Wallet = try await custody.call("GET", "/wallets/\(wallet.id)")
        say("left are \(left.balance.available) ETH")
    }

    /// Payouts go to addresses of the address book alone.
    private func payOut(_ amount: String, from wallet: Wallet) async throws -> Transaction {
        // Of digits alone, so that it has no letters whose case is a checksum.
        let destination = "0x" + String((0..<40).map { _ in "0123456789".randomElement() ?? "0" })
        var entry: Entry = try await custody.call(
            "POST", "/address-book",
            [
                "network": wallet.network, "address": destination, "label": "Customer",
                "externalId": "payout-address-\(order)",
            ])
        // It may have to cool before it is active.
        while entry.status == "Pending" {
            try await Task.sleep(for: .milliseconds(500))
            entry = try await custody.call("GET", "/address-book/\(entry.id)")
        }
        // The external id is the shop's own name for the payout: it is never paid twice, however
        // often it is asked for. The idempotency key gives a repeated request the first's answer.
        let content = [
            "sourceWalletId": wallet.id, "addressBookEntryId": entry.id, "amount": amount,
            "externalId": "payout-\(order)",
        ]
        var ids: Set<String> = []
        var payout: Transaction?
        for _ in 1...2 {
            let answer: Transaction = try await custody.call(
                "POST", "/transactions/withdraw", content, idempotencyKey: "payout-\(order)")
            ids.insert(answer.id)
            payout = answer
        }
        guard let payout, ids.count == 1 else {
            throw Failed(description: "two withdrawals for one payout")
        }
        return payout
    }

    private func next(
        _ events: inout AsyncStream<Transaction>.Iterator,
        where condition: (Transaction) -> Bool
    ) async throws -> Transaction {
        while let transaction = await events.next() {
            if condition(transaction) { return transaction }
        }
        throw Failed(description: "no more events come")
    }

    /// The customer pays. Here the simulated chain's faucet does.
    private func pay(_ address: String, wei: String) async throws {
        let call = """
            {"jsonrpc":"2.0","id":1,"method":"anvil_setBalance","params":["\(address)","\(wei)"]}
            """
        var request = URLRequest(url: chain)
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = Data(call.utf8)
        _ = try await URLSession.shared.data(for: request)
    }

    /// Whether a delivery that somebody else made up is refused.
    private func refusesForgeries(_ port: Int) async throws -> Bool {
        guard let url = URL(string: "http://127.0.0.1:\(port)/hook") else { return false }
        var request = URLRequest(url: url)
        request.httpMethod = "POST"
        request.httpBody = Data("{}".utf8)
        request.setValue("1", forHTTPHeaderField: "webhook-id")
        request.setValue(
            String(Int(Date().timeIntervalSince1970)), forHTTPHeaderField: "webhook-timestamp")
        request.setValue("v1,AA==", forHTTPHeaderField: "webhook-signature")
        let (_, response) = try await URLSession.shared.data(for: request)
        return (response as? HTTPURLResponse)?.statusCode == 401
    }

    private func say(_ words: String) { print("order \(order): \(words)") }
}

/// The custody API, with signed requests.
struct Custody {
    let url: String
    let key: String
    let secret: String

    /// The API has answered, and it is no success. `code` is what to branch on.
    struct Refused: Error, Decodable {
        let statusCode: Int
        let code: String
        let message: String
    }

    func call<Answer: Decodable>(
        _ method: String, _ path: String, _ content: [String: String]? = nil,
        idempotencyKey: String? = nil
    ) async throws -> Answer {
        guard let target = URL(string: url + path) else { throw URLError(.badURL) }
        // In one order always: a request that is repeated must have the same bytes.
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let body = try content.map { try encoder.encode($0) } ?? Data()
        var request = URLRequest(url: target, timeoutInterval: 15)
        request.httpMethod = method
        if !body.isEmpty {
            request.httpBody = body
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        }
        request.setValue(idempotencyKey, forHTTPHeaderField: "Idempotency-Key")
        // The path is signed as it is sent, with the prefix /v1 and the query.
        let query = target.query(percentEncoded: true).map { "?" + $0 } ?? ""
        let (now, nonce) = (String(Int(Date().timeIntervalSince1970)), random(bytes: 12))
        let lines = [
            now, method, target.path(percentEncoded: true) + query, hex(SHA256.hash(data: body)),
            nonce,
        ]
        let signature = HMAC<SHA256>.authenticationCode(
            for: Data(lines.joined(separator: "\n").utf8),
            using: SymmetricKey(data: Data(secret.utf8)))
        request.setValue(key, forHTTPHeaderField: "X-API-Key")
        request.setValue(now, forHTTPHeaderField: "X-Timestamp")
        request.setValue(nonce, forHTTPHeaderField: "X-Nonce")
        request.setValue(hex(signature), forHTTPHeaderField: "X-Signature")
        let (data, response) = try await URLSession.shared.data(for: request)
        guard let status = (response as? HTTPURLResponse)?.statusCode, status < 300 else {
            throw try JSONDecoder().decode(Refused.self, from: data)
        }
        return try JSONDecoder().decode(Answer.self, from: data)
    }
}

/// Receives webhooks at a port of this machine, and passes on those that are rightly signed.
final class Deliveries: Sendable {
    private static let secondsOffMost = 300
    private static let bodyBytesMost = 1 << 20

    /// The transactions of the events that came.
    let events: AsyncStream<Transaction>
    private let arrived: AsyncStream<Transaction>.Continuation
    private let state = Mutex<(secret: Data, seen: Set<String>)>((Data(), []))

    init() { (events, arrived) = AsyncStream.makeStream() }

    /// In base64, as the API tells it.
    var secret: String? {
        get { state.withLock { $0.secret.base64EncodedString() } }
        set {
            state.withLock { $0.secret = newValue.flatMap { Data(base64Encoded: $0) } ?? Data() }
        }
    }

    /// - Parameter opened: is told the port.
    func serve(_ opened: @escaping @Sendable (Int) -> Void) async throws {
        let router = Router()
        router.post("hook") { request, _ in
            let body = try await request.body.collect(upTo: Self.bodyBytesMost)
            let data = Data(body.readableBytesView)
            guard self.isSigned(request.headers, data) else {
                return HTTPResponse.Status.unauthorized
            }
            // Answer at once: what takes long is done later, from the shop's own queue.
            try self.take(data)
            return .noContent
        }
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                if let port = channel.localAddress?.port { opened(port) }
            }, logger: Logger(label: "toy-shop") { _ in SwiftLogNoOpLogHandler() })
        try await application.run()
    }

    /// Checks the signature of Standard Webhooks: over the bytes that came, before they are parsed.
    private func isSigned(_ headers: HTTPFields, _ body: Data) -> Bool {
        func header(_ name: String) -> String {
            HTTPField.Name(name).flatMap { headers[$0] } ?? ""
        }
        guard let at = Int(header("webhook-timestamp")),
            abs(Int(Date().timeIntervalSince1970) - at) <= Self.secondsOffMost
        else { return false }
        let signed = Data("\(header("webhook-id")).\(at).".utf8) + body
        let key = SymmetricKey(data: state.withLock { $0.secret })
        // After the secret was rotated there are two signatures, with a space between them.
        return header("webhook-signature").split(separator: " ").contains { one in
            guard one.hasPrefix("v1,"), let code = Data(base64Encoded: String(one.dropFirst(3)))
            else { return false }
            // It compares in constant time.
            return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: signed, using: key)
        }
    }

    private func take(_ body: Data) throws {
        let event = try JSONDecoder().decode(Event.self, from: body)
        // An event may come twice: it has the same id, and is taken once.
        let isNew = state.withLock { $0.seen.insert(event.id).inserted }
        guard isNew, event.type.hasPrefix("transaction.") else { return }
        arrived.yield(try JSONDecoder().decode(TransactionEvent.self, from: body).data)
    }
}

struct Endpoint: Decodable {
    let signingSecret: String?
}

struct Named: Decodable {
    let id: String
}

struct Wallet: Decodable {
    struct Balance: Decodable {
        let available: String
    }

    let id: String
    let network: String
    let depositAddress: String
    let balance: Balance
}

struct Entry: Decodable {
    let id: String
    let status: String
}

struct Transaction: Decodable {
    struct Failure: Decodable {
        let code: String
        let message: String
    }

    let id: String
    let type: String
    let status: String
    let walletId: String
    let amount: String
    let fee: String?
    let confirmations: Int
    let failure: Failure?
}

struct Event: Decodable {
    let id: String
    let type: String
}

struct TransactionEvent: Decodable {
    let data: Transaction
}

/// Where the local stack is: docs/dev-stack.md.
struct LocalStack: Decodable {
    struct API: Decodable {
        let url: String
    }
    struct Tenant: Decodable {
        struct Keys: Decodable {
            struct Key: Decodable {
                let keyId: String
                let secret: String
            }
            let hmac: Key
        }
        let keys: Keys
    }
    struct Chains: Decodable {
        struct EVM: Decodable {
            let rpcUrl: URL
        }
        let evm: EVM
    }

    let custody: API
    let tenants: [Tenant]
    let chains: Chains
}

func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String(format: "%02x", $0) }.joined()
}

func random(bytes count: Int) -> String {
    hex((0..<count).map { _ in UInt8.random(in: .min ... .max) })
}
