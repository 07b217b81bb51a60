import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

/// One endpoint of the face: what its document says of it, and which verb it calls. The document,
/// the router and the tests are made of the same table.
struct Endpoint: Sendable {
    typealias Work = @Sendable (Call) throws -> Answer

    /// Its name in the document and in metrics: `openVault`.
    let name: String
    let method: HTTPRequest.Method
    /// Below `/v1/`, with parameters in braces: `vaults/{vault}`.
    let path: String
    let scope: Scope
    /// One sentence for the document.
    let says: String
    /// Query parameters, but for those of a page.
    let query: [Member]
    /// Members of the request's object; nil if it takes no body.
    let body: [Member]?
    let answer: Promise
    /// What its verb may refuse beyond what every endpoint may, in order of precedence.
    let refusals: [Refusal.Code]
    /// Whether it leaves something behind, and so a line in the audit trail.
    var isChange = true
    let work: Work

    /// Status and form of what comes back when nothing is refused.
    struct Promise: Sendable {
        let status: Int
        /// Another status, while something has still to happen.
        var also: Int?
        /// nil where there is no body.
        let shape: Shape?
    }

    struct Answer: Sendable {
        let status: Int
        let body: JSONValue?

        init(_ status: Int, _ body: JSONValue? = nil) {
            self.status = status
            self.body = body
        }
    }

    var isRead: Bool { method == .get }

    /// Whether it lists pages.
    var isPaged: Bool {
        if case .page = answer.shape { true } else { false }
    }

    /// As the router spells it.
    var route: String {
        path.replacing("{", with: ":").replacing("}", with: "")
    }

    /// Names of the parameters in the path.
    var parameters: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
            String($0.dropFirst().dropLast())
        }
    }

    /// What a call was about, for the audit trail: the ids in the path, and of what it answers.
    func subjects(of answer: Answer, _ values: [String: String]) -> [String] {
        var found = parameters.compactMap { name in
            // Ids in their one spelling.
            values[name].map { VaultID(text: $0.lowercased())?.text ?? $0 }
        }
        if case .string(let id)? = answer.body?["id"], !found.contains(id) { found.append(id) }
        return found
    }

    /// What a PATCH has set, for the audit trail: texts as they are; of anything else, only that it
    /// was set. No secret is set so.
    func changes(_ bytes: [UInt8]) throws -> [String: String] {
        guard method == .patch, let body else { return [:] }
        let asked = try JSONParser.parse(bytes)
        return body.reduce(into: [:]) { changes, member in
            switch asked[member.name] {
            case nil, .null: break
            case .string(let text): changes[member.name] = text
            case .number, .bool, .array, .object: changes[member.name] = "set"
            }
        }
    }

    static func get(
        _ name: String, _ path: String, _ scope: Scope, _ says: String, query: [Member] = [],
        answer: Shape, refusals: [Refusal.Code] = [],
        work: @escaping @Sendable (Call) throws -> JSONValue
    ) -> Endpoint {
        Endpoint(
            name: name, method: .get, path: path, scope: scope, says: says, query: query, body: nil,
            answer: Promise(status: 200, shape: answer), refusals: refusals
        ) { Answer(200, try work($0)) }
    }

    /// - Parameters:
    ///   - status: of the answer; 204 has no body.
    static func change(
        _ method: HTTPRequest.Method, _ name: String, _ path: String, _ scope: Scope,
        _ says: String, body: [Member]? = nil, status: Int, answer: Shape? = nil,
        refusals: [Refusal.Code] = [], isChange: Bool = true,
        work: @escaping @Sendable (Call) throws -> JSONValue?
    ) -> Endpoint {
        Endpoint(
            name: name, method: method, path: path, scope: scope, says: says, query: [],
            body: body, answer: Promise(status: status, shape: answer), refusals: refusals,
            isChange: isChange
        ) { Answer(status, try work($0)) }
    }
}

/// One request to an endpoint, within the transaction that answers it.
struct Call {
    let books: Books
    let caller: Caller
    private let endpoint: Endpoint
    private let parameters: [String: String]
    private let query: [(name: String, value: String)]
    private let body: [UInt8]

    init(
        _ endpoint: Endpoint, _ books: Books, _ caller: Caller, parameters: [String: String],
        query: [(name: String, value: String)], body: [UInt8]
    ) throws(Refusal) {
        self.endpoint = endpoint
        self.books = books
        self.caller = caller
        self.parameters = parameters
        self.query = query
        self.body = body
        try checkQuery()
    }

    var tenant: TenantID { caller.tenant }

    /// The id in the path. What is no id names nothing, so it is as if it were not there.
    func id<ID: EntityID>(_ name: String, _ what: String? = nil, _: ID.Type = ID.self) throws -> ID
    {
        guard let text = parameters[name], let id = ID(text: text.lowercased()) else {
            throw Refusal.notFound(what ?? name)
        }
        return id
    }

    /// A part of the path that is no id.
    func text(_ name: String) -> String { parameters[name] ?? "" }

    /// Which part of a list is asked for.
    func page() throws -> PageRequest {
        try PageRequest(
            limit: try value("limit") { Int($0) },
            after: try value("after") { books.cursor($0, of: tenant) })
    }

    /// A page as it is answered.
    func list<Item>(
        _ page: Page<Item>, _ show: (Item) throws -> JSONValue
    ) rethrows -> JSONValue {
        .object([
            "items": .array(try page.items.map(show)),
            "next": .optional(page.next.map { books.text(of: $0, for: tenant) }),
        ])
    }

    /// A query parameter; nil if it is not there.
    func value<Value>(_ name: String, _ read: (String) -> Value?) throws(Refusal) -> Value? {
        guard let text = query.first(where: { $0.name == name })?.value else { return nil }
        guard let value = read(text) else {
            throw Refusal(.invalid, field: name, "'\(name)' must be \(allowed(name)).")
        }
        return value
    }

    /// What a query parameter can be, for people.
    private func allowed(_ name: String) -> String {
        switch endpoint.query.first(where: { $0.name == name })?.shape {
        case .choice(let values)?: "one of \(values.joined(separator: ", "))"
        case .uuid?: "a UUID"
        case .time?: "a time such as 2026-01-31T12:00:00Z"
        case .day?: "a day such as 2026-01-31"
        default:
            name == "limit"
                ? "a whole number from 1 to \(PageRequest.limitMost)"
                : "what 'next' of a page of this list was"
        }
    }

    /// Refuses a query parameter that the endpoint does not take, or one that stands twice: a
    /// misspelt filter must not show all.
    private func checkQuery() throws(Refusal) {
        let known = endpoint.query.map(\.name) + (endpoint.isPaged ? ["limit", "after"] : [])
        var seen: Set<String> = []
        for parameter in query {
            let name = String(parameter.name.prefix(64))
            guard known.contains(parameter.name) else {
                throw Refusal(.invalid, field: name, "'\(name)' is not known here.")
            }
            guard seen.insert(parameter.name).inserted else {
                throw Refusal(.invalid, field: name, "'\(name)' stands twice.")
            }
        }
    }

    /// The members of the request's object.
    func fields() throws(Refusal) -> RequestFields {
        try RequestFields(body, knowing: Set((endpoint.body ?? []).map(\.name)))
    }
}
