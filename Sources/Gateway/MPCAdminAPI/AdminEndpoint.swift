import Canonical
import Chains
import Custody
import HTTPTypes
import Identity
import Intents

/// One endpoint of the MPC administration face: the permission that it needs and what it calls.
/// The router, the tests and the table in docs/api/mpc-admin.md are made of the same table.
struct AdminEndpoint: Sendable {
    typealias Work = @Sendable (AdminCall) throws -> JSONValue

    /// As the clients call it: `create_mpc_vault`.
    let name: String
    let method: HTTPRequest.Method
    /// Below `/v2/`, with parameters in braces.
    let path: String
    /// Nil of what every key may.
    let permission: Permission?
    /// Query parameters, but for those of a page.
    var query: [String] = []
    /// Most that a page may have; nil of what lists none.
    var pageMost: Int?
    /// Whether it leaves something behind, and so a line in the audit trail.
    var isChange = true
    /// The member of what it answers that names what it made.
    var made: String?
    /// What a chain's node is asked before the work is done; it answers with gas.
    var question: (@Sendable (AdminCall) throws -> EVMCallQuestion?)?
    /// Nil of what is not served.
    let work: Work?

    /// Most items of a page, but for chains and tokens.
    static let usualPageMost = 50

    /// Clients take another status for no answer.
    var status: Int { method == .post ? 201 : 200 }

    /// As the router spells it.
    var route: String { path.replacing("{", with: ":").replacing("}", with: "") }

    static func get(
        _ name: String, _ path: String, _ permission: Permission?, query: [String] = [],
        work: @escaping Work
    ) -> AdminEndpoint {
        AdminEndpoint(
            name: name, method: .get, path: path, permission: permission, query: query,
            isChange: false, work: work)
    }

    static func list(
        _ name: String, _ path: String, _ permission: Permission?, query: [String] = [],
        most: Int = usualPageMost, work: @escaping Work
    ) -> AdminEndpoint {
        AdminEndpoint(
            name: name, method: .get, path: path, permission: permission, query: query,
            pageMost: most, isChange: false, work: work)
    }

    static func change(
        _ method: HTTPRequest.Method, _ name: String, _ path: String, _ permission: Permission,
        made: String? = nil, work: @escaping Work
    ) -> AdminEndpoint {
        AdminEndpoint(
            name: name, method: method, path: path, permission: permission, made: made, work: work)
    }

    static func unsupported(
        _ method: HTTPRequest.Method, _ name: String, _ path: String
    ) -> AdminEndpoint {
        AdminEndpoint(
            name: name, method: method, path: path, permission: nil, isChange: false, work: nil)
    }
}

/// One request to an endpoint, within the transaction that answers it.
struct AdminCall {
    /// Items of a page whose limit is left out.
    private static let usualLimit = 10
    /// Most values of a filter.
    private static let valuesMost = 50

    let books: Books
    let caller: AdminCaller
    private let endpoint: AdminEndpoint
    private let parameters: [String: String]
    private let query: [(name: String, value: String)]
    private let body: [UInt8]
    /// What a node has answered to the endpoint's question.
    let gas: UInt64?

    init(
        _ endpoint: AdminEndpoint, _ books: Books, _ caller: AdminCaller,
        parameters: [String: String], query: [(name: String, value: String)], body: [UInt8],
        gas: UInt64? = nil
    ) throws(AdminProblem) {
        self.endpoint = endpoint
        self.books = books
        self.caller = caller
        self.parameters = parameters
        // Clients leave empty ones out when they sign.
        self.query = query.filter { !$0.value.isEmpty }
        self.body = body
        self.gas = gas
        try checkQuery()
    }

    var tenant: TenantID { caller.tenant }
    var settings: CustodySettings { books.settings }

    /// Refuses a query parameter that the endpoint does not take, or one that stands twice: a
    /// misspelt filter must not show all. What is not supported says that first.
    private func checkQuery() throws(AdminProblem) {
        guard endpoint.work != nil else { return }
        let paging = endpoint.pageMost == nil ? [] : ["limit", "before", "after"]
        var seen: Set<String> = []
        for parameter in query {
            let name = parameter.name.prefix(64)
            guard (endpoint.query + paging).contains(parameter.name) else {
                throw AdminProblem(.badValue, "'\(name)' is not known here.")
            }
            guard seen.insert(parameter.name).inserted else {
                throw AdminProblem(.badValue, "'\(name)' stands twice.")
            }
        }
    }

    /// The id in the path. What is no id names nothing, so it is as if it were not there.
    func id<ID: EntityID>(_ name: String, _ what: String, _: ID.Type = ID.self) throws -> ID {
        guard let id = ID(text: text(name).lowercased()) else { throw Refusal.notFound(what) }
        return id
    }

    /// A part of the path that is no id.
    func text(_ name: String) -> String { parameters[name] ?? "" }

    /// A query parameter; nil if it is not there.
    func value<Value>(
        _ name: String, _ read: (String) -> Value?
    ) throws(AdminProblem) -> Value? {
        guard let text = query.first(where: { $0.name == name })?.value else { return nil }
        guard let value = read(text) else {
            throw AdminProblem(.badValue, "'\(name)' has no value that it can have.")
        }
        return value
    }

    func value(_ name: String) throws(AdminProblem) -> String? { try value(name) { $0 } }

    /// The values of a filter, joined by commas; nil if it is not there.
    func values(_ name: String) throws(AdminProblem) -> [String]? {
        guard let text = try value(name) else { return nil }
        let values = text.split(separator: ",", omittingEmptySubsequences: false)
        guard values.count <= Self.valuesMost else {
            throw AdminProblem(.badValue, "'\(name)' has at most \(Self.valuesMost) values.")
        }
        return values.map(String.init)
    }

    /// What must be there.
    func required<Value>(_ name: String, _ value: Value?) throws(AdminProblem) -> Value {
        guard let value else { throw AdminProblem.missing(name) }
        return value
    }

    /// Which part of a list is asked for.
    func page(_ order: PageRequest.Order = .newestFirst) throws -> PageRequest {
        try PageRequest(
            limit: try limit(), after: try cursor("after"), before: try cursor("before"),
            order: order, isCounted: true)
    }

    private func limit() throws(AdminProblem) -> Int {
        let most = endpoint.pageMost ?? AdminEndpoint.usualPageMost
        let limit = try value("limit") { Int($0) } ?? Self.usualLimit
        guard (1...most).contains(limit) else {
            throw AdminProblem(.badValue, "'limit' must be from 1 to \(most).")
        }
        return limit
    }

    private func cursor(_ name: String) throws(AdminProblem) -> PageCursor? {
        try value(name) { books.cursor($0, of: tenant) }
    }

    /// A page as it is answered.
    func list<Item>(
        _ page: Page<Item>, _ show: (Item) throws -> JSONValue
    ) rethrows -> JSONValue {
        Self.answer(
            try page.items.map(show), before: text(page.previous), after: text(page.next),
            total: page.total ?? page.items.count)
    }

    /// The part that is asked for of what is all there; its cursors are places in it.
    func list<Item>(all items: [Item], _ show: (Item) throws -> JSONValue) throws -> JSONValue {
        let (limit, after, before) = (try limit(), try cursor("after"), try cursor("before"))
        guard after == nil || before == nil else {
            throw AdminProblem(.badValue, "Only one of 'after' and 'before' is taken.")
        }
        func place(_ cursor: PageCursor) -> Int { max(0, min(Int(cursor.number), items.count)) }
        let start = after.map(place) ?? before.map { max(0, place($0) - limit) } ?? 0
        let end = min(items.count, before.map(place) ?? start + limit)
        return Self.answer(
            try items[start..<end].map(show),
            before: start > 0 ? text(PageCursor(number: Int64(start))) : "",
            after: end < items.count ? text(PageCursor(number: Int64(end))) : "",
            total: items.count)
    }

    private func text(_ cursor: PageCursor?) -> String {
        cursor.map { books.text(of: $0, for: tenant) } ?? ""
    }

    private static func answer(
        _ items: [JSONValue], before: String, after: String, total: Int
    ) -> JSONValue {
        .object([
            "data": .array(items),
            "pagination": .object([
                "before": .string(before), "after": .string(after), "total_count": .integer(total),
            ]),
        ])
    }

    /// Says that a kind of thing is not served before its other members are looked at: nobody knows
    /// them here.
    func serve(
        _ fields: RequestFields, _ member: String, in object: String? = nil, only kinds: String...
    ) throws(AdminProblem) {
        guard let kind = fields.peek(member, in: object), !kinds.contains(kind) else { return }
        throw AdminProblem.unsupported("'\(member)' \(kind.prefix(32))")
    }

    func serveFees(_ fields: RequestFields) throws(AdminProblem) {
        try serve(fields, "fee_type", in: "fee", only: "Fixed", "EVM_EIP_1559", "EVM_Legacy")
    }

    /// The members of the request's object.
    func fields(_ names: String...) throws(Refusal) -> RequestFields {
        try RequestFields(body, knowing: Set(names))
    }
}
