import Canonical
import Custody
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Identity
import Intents
import Logging
import NIOCore
import Synchronization
import TestKit

@testable import Gateway

/// The custody face without a socket, over a real database, with keys of two tenants.
struct Face {
    struct Caller {
        let id: String
        let secret: String
        let tenant: TenantID
    }

    struct Answer {
        let status: Int
        let headers: HTTPFields
        let bytes: [UInt8]

        var json: JSONValue { (try? JSONParser.parse(bytes)) ?? .null }
        var code: String { json["code"]?.string ?? "" }
        /// Names of the fields that the answer complains about.
        var fields: [String] {
            guard case .object(let members)? = json["errors"] else { return [] }
            return members.map(\.name)
        }
    }

    let test: TestCustody
    let caller: Caller
    let other: Caller
    let meter: UsageMeter
    private let application: any ApplicationProtocol
    private let transport: TestingSetup
    let counter = Counter()
    /// What the chain's node says of calls.
    let gas = TestGas()

    /// - Parameter transport: `.live` goes through sockets, and so has an address.
    init(_ transport: TestingSetup = .router, _ settings: GatewaySettings = .init()) async throws {
        self.transport = transport
        test = try TestCustody(events: FaceEventWriter(assets: [TestCustody.eth]))
        caller = try await Self.makeCaller(test, try await test.tenant("One"))
        other = try await Self.makeCaller(test, try await test.tenant("Two"))
        let server = GatewayServer(
            custody: test.custody, responses: test.signer, gas: gas, settings: settings,
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        meter = server.meter
        application = Application(router: server.router(isSecure: false))
    }

    static func makeCaller(
        _ test: TestCustody, _ tenant: TenantID, scopes: Set<Scope> = Set(Scope.allCases)
    ) async throws -> Caller {
        let (key, secret) = try await test.custody.write {
            try $0.createAPIKey(for: tenant, name: "key", scopes: scopes)
        }
        return Caller(id: key.id.text, secret: secret, tenant: tenant)
    }

    /// What a request carries beyond method and target.
    struct Parts {
        var body: [UInt8] = []
        var caller: Caller?
        var secondsOff: Int64 = 0
        var nonce: String?
        var idempotencyKey: String?
        var contentType = "application/json"
        var extra: HTTPFields = [:]
        /// Changes the signed headers before they are sent.
        var tamper: (@Sendable (inout HTTPFields) -> Void)?

        init(_ body: String = "") { self.body = Array(body.utf8) }
    }

    func send(_ method: String, _ target: String, _ parts: Parts = Parts()) async throws -> Answer {
        let caller = parts.caller ?? caller
        let now = test.now.seconds + parts.secondsOff
        let nonce = parts.nonce ?? "n\(counter.next())"
        var headers = parts.extra
        headers[.apiKey] = caller.id
        headers[.timestamp] = String(now)
        headers[.nonce] = nonce
        headers[.signature] = SignedRequest.sign(
            method: method, target: target, body: parts.body, timestamp: now, nonce: nonce,
            secret: caller.secret)
        headers[.idempotencyKey] = parts.idempotencyKey
        if !parts.body.isEmpty { headers[.contentType] = parts.contentType }
        parts.tamper?(&headers)
        let answer = try await raw(method, target, headers, parts.body)
        ShapeCheck.check(method, target, answer)
        return answer
    }

    func raw(
        _ method: String, _ target: String, _ headers: HTTPFields, _ body: [UInt8]
    ) async throws -> Answer {
        let response = try await application.test(transport) { client in
            try await client.executeRequest(
                uri: target, method: HTTPRequest.Method(rawValue: method)!, headers: headers,
                body: ByteBuffer(bytes: body))
        }
        return Answer(
            status: response.status.code, headers: response.headers,
            bytes: Array(response.body.readableBytesView))
    }

    func post(_ target: String, _ body: String, as caller: Caller? = nil) async throws -> Answer {
        var parts = Parts(body)
        parts.caller = caller
        return try await send("POST", target, parts)
    }

    func vault(_ name: String, as caller: Caller? = nil) async throws -> String {
        let answer = try await post(
            "/v1/vaults", #"{"externalId":"\#(name)","name":"\#(name)"}"#, as: caller)
        return answer.json["id"]?.string ?? "status \(answer.status)"
    }

    func wallet(_ name: String, as caller: Caller? = nil) async throws -> JSONValue {
        let vault = try await vault(name, as: caller)
        return try await post("/v1/vaults/\(vault)/wallets", #"{"assetId":"ETH"}"#, as: caller).json
    }
}

/// Counts up, for nonces.
final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    func next() -> Int { value.add(1, ordering: .relaxed).newValue }
}

extension JSONValue {
    var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }
    var array: [JSONValue] {
        guard case .array(let items) = self else { return [] }
        return items
    }
}
