import Canonical
import Foundation
import HTTPTypes
import Testing

@testable import Gateway

/// Holds every answer that a test gets to what the document says of the endpoint.
enum ShapeCheck {
    static func endpoint(_ method: String, _ target: String) -> Endpoint? {
        let path = target.prefix { $0 != "?" }
        guard path.hasPrefix("/v1/") else { return nil }
        let parts = path.dropFirst(4).split(separator: "/", omittingEmptySubsequences: false)
        return CustodyAPI.endpoints.first { endpoint in
            let own = endpoint.path.split(separator: "/")
            return endpoint.method.rawValue == method && own.count == parts.count
                && zip(own, parts).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
    }

    static func check(_ method: String, _ target: String, _ answer: Face.Answer) {
        guard let endpoint = endpoint(method, target) else { return }
        let code = answer.code
        if (200..<300).contains(answer.status) {
            let promised = [endpoint.answer.status, endpoint.answer.also]
            #expect(promised.contains(answer.status), "\(method) \(target)")
            guard let shape = endpoint.answer.shape else {
                #expect(answer.bytes.isEmpty, "\(method) \(target) has a body")
                return
            }
            for problem in problems(answer.json, shape, "answer") {
                Issue.record("\(method) \(target): \(problem)")
            }
        } else {
            let codes = Problem.codes(of: endpoint)[answer.status, default: []]
            #expect(codes.contains(code), "\(method) \(target): \(answer.status) \(code)")
        }
    }

    /// Where a value is not of the shape.
    static func problems(_ value: JSONValue, _ shape: Shape, _ place: String) -> [String] {
        func matches(_ pattern: String) -> [String] {
            guard case .string(let text) = value,
                text.range(of: pattern, options: .regularExpression) != nil
            else { return ["\(place): \(value) does not match \(pattern)"] }
            return []
        }
        switch (shape, value) {
        case (.nullable, .null): return []
        case (.nullable(let inner), _): return problems(value, inner, place)
        case (.text, .string), (.integer, .number), (.boolean, .bool): return []
        case (.uuid, _): return matches("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        case (.time, _): return matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$")
        case (.amount, _): return matches(#"^[0-9]+(\.[0-9]+)?$"#)
        case (.choice(let values), .string(let text)):
            return values.contains(text) ? [] : ["\(place): \(text) is none of \(values)"]
        case (.texts, .object(let members)):
            return members.flatMap { problems($0.value, .text(), "\(place).\($0.name)") }
        case (.list(let item), .array(let items)):
            return items.enumerated().flatMap { problems($1, item, "\(place)[\($0)]") }
        case (.page(let item), .object):
            return problems(
                value,
                .object([Member("items", .list(item)), Member("next", .nullable(.text()))]), place)
        case (.named(_, let known), .object(let members)),
            (.object(let known), .object(let members)):
            let names = Set(known.map(\.name))
            let extra = members.map(\.name).filter { !names.contains($0) }
            let missing = known.filter { !$0.isOptional && value[$0.name] == nil }.map(\.name)
            return extra.map { "\(place).\($0) is not in the document" }
                + missing.map { "\(place).\($0) is missing" }
                + known.flatMap { member in
                    value[member.name].map { problems($0, member.shape, "\(place).\(member.name)") }
                        ?? []
                }
        default: return ["\(place): \(value) is of another type"]
        }
    }
}

@Suite struct `The table of endpoints` {
    @Test func `names each thing once`() {
        let endpoints = CustodyAPI.endpoints
        #expect(Set(endpoints.map(\.name)).count == endpoints.count)
        #expect(Set(endpoints.map { "\($0.method) \($0.path)" }).count == endpoints.count)
    }

    @Test func `the check of shapes finds what is wrong`() throws {
        let vault = try JSONParser.parse(
            Array(
                #"""
                {"id":"x","externalId":1,"name":"a","metadata":{},"status":"Odd","more":1}
                """#.utf8))
        #expect(ShapeCheck.problems(vault, Resource.vaultShape, "vault").count == 5)
    }

    @Test func `the document names every endpoint, form and code`() throws {
        let document = OpenAPI.document(CustodyAPI.endpoints)
        let text = String(decoding: document.bytes, as: UTF8.self)
        for endpoint in CustodyAPI.endpoints {
            let path = document["paths"]?["/v1/\(endpoint.path)"]
            let operation = path?[endpoint.method.rawValue.lowercased()]
            #expect(operation?["operationId"]?.string == endpoint.name)
            #expect(operation?["responses"]?[String(endpoint.answer.status)] != nil)
        }
        // A server's path stands before the paths, which have the prefix already.
        #expect(document["servers"] == .array([.object(["url": .string("/")])]))
        #expect(document["paths"]?["/v1/vaults"] != nil)
        // Every reference leads somewhere.
        for part in text.components(separatedBy: "#/components/schemas/").dropFirst() {
            let name = String(part.prefix { $0.isLetter })
            #expect(document["components"]?["schemas"]?[name] != nil, "\(name)")
        }
    }

    @Test func `a path names the methods that it has`() async throws {
        let face = try await Face()
        let answer = try await face.send("DELETE", "/v1/vaults")
        #expect(answer.status == 405)
        #expect(answer.headers[.allow] == "GET, POST")
    }

    @Test func `the document and its page are there for everyone`() async throws {
        let face = try await Face()
        let document = try await face.raw("GET", "/openapi.json", [:], [])
        #expect(document.status == 200 && document.json["openapi"]?.string == "3.1.0")
        let event = document.json["webhooks"]?["event"]?["post"]?["requestBody"]
        #expect(event?["content"]?["application/json"]?["schema"]?["properties"]?["data"] != nil)
        let page = try await face.raw("GET", "/reference", [:], [])
        let text = String(decoding: page.bytes, as: UTF8.self)
        for endpoint in CustodyAPI.endpoints { #expect(text.contains("id=\"\(endpoint.name)\"")) }
        #expect(page.headers[.contentSecurityPolicy]?.hasPrefix("default-src 'none'") == true)
    }
}
