import Custody
import HTTPTypes
import Identity

/// The face's reference as a page for people: the same table as the document, without a script.
enum ReferencePage {
    static func html(_ endpoints: [Endpoint]) -> String {
        let groups = Dictionary(grouping: endpoints) { $0.path.prefix { $0 != "/" } }
        let order = endpoints.map { $0.path.prefix { $0 != "/" } }.reduce(into: [Substring]()) {
            if !$0.contains($1) { $0.append($1) }
        }
        let links = order.map { "<a href=\"#\($0)\">\($0)</a>" }.joined(separator: " ")
        let sections = order.map { tag in
            "<h2 id=\"\(tag)\">\(tag)</h2>"
                + groups[tag, default: []].map(section).joined(separator: "\n")
        }
        return """
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Quorumkeep custody API</title>
            <style>\(style)</style>
            <main>
            <h1>Quorumkeep custody API</h1>
            <p>\(escaped(OpenAPI.signing))</p>
            <p>The same as a document: <a href="/openapi.json">openapi.json</a>.</p>
            <nav>\(links)</nav>
            \(sections.joined(separator: "\n"))
            </main>
            </html>

            """
    }

    private static let style = """
        :root { color-scheme: light dark; }
        body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
        main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
        nav a { margin-right: .8rem; }
        h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; }
        h3 { margin: 1.8rem 0 .2rem; font: 600 1rem ui-monospace, monospace; }
        h3 b { display: inline-block; min-width: 4.5rem; color: #0a6e5c; }
        table { border-collapse: collapse; width: 100%; margin: .4rem 0 1rem; }
        td, th { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; }
        tr { border-bottom: 1px solid #8883; }
        code { font-family: ui-monospace, monospace; font-size: .9em; }
        summary { cursor: pointer; }
        @media (prefers-color-scheme: dark) { h3 b { color: #4fd1b5; } a { color: #8ab4ff; } }
        """

    private static func section(_ endpoint: Endpoint) -> String {
        var parts = [
            "<h3 id=\"\(endpoint.name)\"><b>\(endpoint.method.rawValue)</b> "
                + "\(escaped("/v1/" + endpoint.path))</h3>",
            "<p>\(escaped(endpoint.says)) Scope <code>\(endpoint.scope.rawValue)</code>.</p>",
        ]
        if !endpoint.query.isEmpty || endpoint.isPaged {
            let page =
                endpoint.isPaged
                ? [
                    Member("limit", .integer(1...PageRequest.limitMost), optional: true),
                    Member("after", .text(), optional: true, "`next` of the page before"),
                ] : []
            parts.append(details("Query", endpoint.query + page))
        }
        if let body = endpoint.body { parts.append(details("Body", body, isOpen: true)) }
        let statuses = [endpoint.answer.status, endpoint.answer.also].compactMap { $0 }
        let status = statuses.map(String.init).joined(separator: " or ")
        parts.append(details("Answer \(status)", members(endpoint.answer.shape)))
        let codes = Problem.codes(of: endpoint).sorted { $0.key < $1.key }.map { status, codes in
            "<tr><td>\(status)</td><td>"
                + codes.map { "<code>\($0)</code>" }.joined(separator: ", ") + "</td></tr>"
        }
        parts.append(
            "<details><summary>Errors</summary><table>\(codes.joined())</table></details>")
        return parts.joined(separator: "\n")
    }

    private static func details(_ title: String, _ members: [Member], isOpen: Bool = false)
        -> String
    {
        guard !members.isEmpty else { return "<p>\(title)</p>" }
        let rows = members.map { member in
            "<tr><td><code>\(member.name)</code></td><td>\(escaped(type(member.shape)))"
                + "\(member.isOptional ? ", optional" : "")</td>"
                + "<td>\(escaped(member.says))</td></tr>"
        }
        return "<details\(isOpen ? " open" : "")><summary>\(title)</summary>"
            + "<table>\(rows.joined())</table></details>"
    }

    /// The members of an answer; of a page, those of its items.
    private static func members(_ shape: Shape?) -> [Member] {
        switch shape {
        case .named(_, let members), .object(let members): members
        case .page(let item), .list(let item), .nullable(let item): members(item)
        case nil, .text, .uuid, .time, .day, .amount, .integer, .boolean, .choice, .texts: []
        }
    }

    private static func type(_ shape: Shape) -> String {
        switch shape {
        case .text(let most): most.map { "text of at most \($0) characters" } ?? "text"
        case .uuid: "UUID"
        case .time: "time"
        case .day: "day"
        case .amount: "amount"
        case .integer(let range): range.map { "\($0.lowerBound) to \($0.upperBound)" } ?? "integer"
        case .boolean: "true or false"
        case .choice(let values): values.joined(separator: " | ")
        case .texts: "object of texts"
        case .list(let item): "array of " + type(item)
        case .named(let name, _): name
        case .object: "object"
        case .page(let item): "page of " + type(item)
        case .nullable(let inner): type(inner) + " or null"
        }
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
