import Canonical
import Chains
import Custody
import HTTPTypes
import Hummingbird
import Identity
import Intents

/// The MPC administration face, which clients of Cobo WaaS 2 speak: a table of endpoints, each with
/// its permission and the verbs of the books that it calls. It owns no rule.
struct MPCAdminAPI: Sendable {
    static let endpoints =
        AdminEndpoint.organisation + AdminEndpoint.tokens + AdminEndpoint.keyVaults
        + AdminEndpoint.keyShares + AdminEndpoint.wallets + AdminEndpoint.transactions
        + AdminEndpoint.replacements + AdminEndpoint.calls + AdminEndpoint.messages
        + AdminEndpoint.addressBook
        + AdminEndpoint.webhooks + AdminEndpoint.callbacks + AdminEndpoint.unsupported

    /// Methods that are answered with what a path has instead.
    private static let methods: [HTTPRequest.Method] = [.get, .post, .put, .patch, .delete]

    /// What a request that changes nothing comes to.
    private enum Look: Sendable {
        case done(JSONValue)
        /// A chain's node must be asked first.
        case ask(EVMCallQuestion, AdminCaller)
    }

    let custody: Bookkeeper
    let meter: UsageMeter
    let authenticator: AdminAuthenticator
    let answers: SignedAnswers
    let gas: any GasEstimator

    func add(to router: RouterGroup<GatewayContext>) {
        for endpoint in Self.endpoints {
            router.on(RouterPath(endpoint.route), method: endpoint.method) { request, context in
                try await answer(endpoint, request, context)
            }
        }
        for (route, endpoints) in Dictionary(grouping: Self.endpoints, by: \.route) {
            let allowed = endpoints.map(\.method)
            for method in Self.methods where !allowed.contains(method) {
                router.on(RouterPath(route), method: method) { request, context -> Response in
                    let body = try await Authenticator.body(of: request)
                    try await authenticator.read(request, context, body) { _, _ in }
                    throw AdminProblem(.unsupported, "This path has no \(method.rawValue).")
                }
            }
        }
    }

    private func answer(
        _ endpoint: AdminEndpoint, _ request: Request, _ context: GatewayContext
    ) async throws -> Response {
        let body = try await Authenticator.body(of: request)
        let parameters = Dictionary(
            context.parameters.map { (String($0.key), Escapes.decoded($0.value) ?? "") }
        ) { first, _ in first }
        let query = request.uri.queryParameters.map { (String($0.key), String($0.value)) }
        let call: @Sendable (Books, AdminCaller, UInt64?) throws -> AdminCall = {
            try AdminCall(
                endpoint, $0, $1, parameters: parameters, query: query, body: body, gas: $2)
        }
        let work: @Sendable (AdminCall) throws -> JSONValue = { call in
            guard let work = endpoint.work else {
                throw AdminProblem.unsupported("'\(endpoint.name)'")
            }
            return try work(call)
        }
        let admit: @Sendable (AdminCaller) throws -> Void = { caller in
            meter.count(caller.apiKey, "v2.\(endpoint.name)", at: custody.now)
            try caller.require(endpoint.permission)
        }
        guard endpoint.isChange else {
            let answer = try await authenticator.read(
                request, context, body
            ) { books, caller -> Look in
                try admit(caller)
                let call = try call(books, caller, nil)
                if let question = try endpoint.question?(call) { return .ask(question, caller) }
                return .done(try work(call))
            }
            switch answer {
            case .done(let answer):
                return answers.response(.init(code: endpoint.status), answer.bytes)
            case .ask(let question, let caller):
                let gas = try await self.gas.gas(of: question)
                let answer = try await custody.read(as: caller.actor) { books in
                    try work(call(books, caller, gas))
                }
                return answers.response(.init(code: endpoint.status), answer.bytes)
            }
        }
        let caller = try await authenticator.read(
            request, context, body, isChange: true
        ) { _, caller in
            try admit(caller)
            return caller
        }
        let question: @Sendable (Books) throws -> EVMCallQuestion? = {
            try endpoint.question?(call($0, caller, nil))
        }
        let answer = try await change(request, caller, body, question) { books, gas in
            let answer = try work(call(books, caller, gas))
            var subjects = parameters.sorted { $0.key < $1.key }.map(\.value)
            if let made = endpoint.made, case .string(let id)? = answer[made] {
                subjects.append(id)
            }
            try books.audit(endpoint.name, of: caller.tenant, subjects)
            return answer
        }
        return answers.response(.init(code: endpoint.status), answer.bytes)
    }

    /// A request that changes something: its nonce is taken in the same transaction. One that was
    /// refused must not be carried out later by someone who repeats it.
    private func change(
        _ request: Request, _ caller: AdminCaller, _ body: [UInt8],
        _ question: @escaping @Sendable (Books) throws -> EVMCallQuestion?,
        _ work: @escaping @Sendable (Books, _ gas: UInt64?) throws -> JSONValue
    ) async throws -> JSONValue {
        do {
            if !body.isEmpty { try request.requireJSON() }
            let asked = try await custody.read(as: caller.actor, question)
            let gas: UInt64? = if let asked { try await self.gas.gas(of: asked) } else { nil }
            return try await custody.write(as: caller.actor) { books in
                try books.claim(caller.request)
                return try work(books, gas)
            }
        } catch let error where error is Replayed || error is NoncesSpent {
            throw error
        } catch {
            try await custody.write(as: caller.actor) { try $0.claim(caller.request) }
            throw error
        }
    }
}
