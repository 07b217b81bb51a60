import Algebra
import Canonical
import Foundation
import HTTPTypes
import Identity
import TestKit

@testable import Gateway

/// Makes malformed requests: from one seed always the same, but for time and nonce.
struct HostileRequests {
    /// What is sent, and how.
    struct Made {
        let kind: String
        /// Sent one after the other, with a moment between.
        let pieces: [[UInt8]]
        /// Whether the sender says at the end that nothing more comes, or hangs up at once.
        let end: End
    }

    enum End { case listens, endsSending, hangsUp }

    private let keyID: String
    private let secret: String
    private var random: TestRandom

    init(keyID: String, secret: String, seed: String) {
        self.keyID = keyID
        self.secret = secret
        random = TestRandom(seed)
    }

    /// - Parameter isSigned: as who has the secret signs; else with something in its place.
    mutating func next(isSigned: Bool) -> Made {
        let endpoint = CustodyAPI.endpoints[random.integer(below: CustodyAPI.endpoints.count)]
        var target = "/v1/" + path(endpoint)
        var method = endpoint.method.rawValue
        var body: [UInt8] = []
        let kinds = [
            "deep", "duplicates", "bytes", "types", "numbers", "mutated", "chunked", "truncated",
            "flood", "slow", "framing", "target", "method", "credentials",
        ]
        let kind = kinds[random.integer(below: kinds.count)]
        switch kind {
        case "deep": body = deep()
        case "duplicates": body = Array(object(endpoint, twice: true).utf8)
        case "bytes": body = random.bytes(random.integer(below: 3000))
        case "numbers": body = Array(object(endpoint, value: number).utf8)
        case "mutated": body = mutated(Array(object(endpoint, value: plausible).utf8))
        case "target": target = strangeTarget(target)
        case "method":
            method = pick(["TRACE", "OPTIONS", "HEAD", "CONNECT", "PROPFIND", "M-SEARCH", "LOCK"])
        default: body = Array(object(endpoint, value: any).utf8)
        }
        var fields = signature(method, target, body, isSigned)
        if kind == "credentials" { fields = strange(fields) }
        fields.append(
            ("Content-Type", pick(["application/json", "application/json", "text/plain"])))
        if random.integer(below: 4) == 0 {
            fields.append(("Idempotency-Key", "k\(random.integer(below: 200))"))
        }
        return sent(kind, method, target, fields, body)
    }

    private mutating func sent(
        _ kind: String, _ method: String, _ target: String, _ fields: [(String, String)],
        _ body: [UInt8]
    ) -> Made {
        var fields = fields
        var framed = body
        var end = End.listens
        switch kind {
        case "chunked":
            fields.append(("Transfer-Encoding", "chunked"))
            framed = chunked(body)
            end = .endsSending
        case "truncated":
            fields.append(("Content-Length", String(body.count + 1 + random.integer(below: 5000))))
            end = random.integer(below: 2) == 0 ? .endsSending : .hangsUp
        case "framing":
            fields += framing(body.count)
            end = .endsSending
        case "flood":
            fields += flood()
            fields.append(("Content-Length", String(body.count)))
        default: fields.append(("Content-Length", String(body.count)))
        }
        let close = random.integer(below: 2) == 0 ? "Connection: close\r\n" : ""
        let head =
            "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\(close)"
            + fields.map { "\($0.0): \($0.1)\r\n" }.joined() + "\r\n"
        let bytes = Array(head.utf8) + framed
        guard kind == "slow" else { return Made(kind: kind, pieces: [bytes], end: end) }
        let at = random.integer(below: bytes.count)
        let gone = random.integer(below: 3) == 0
        return Made(
            kind: kind,
            pieces: gone ? [Array(bytes[..<at])] : [Array(bytes[..<at]), Array(bytes[at...])],
            end: gone ? .endsSending : .listens)
    }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[random.integer(below: elements.count)]
    }

    private mutating func path(_ endpoint: Endpoint) -> String {
        let names = endpoint.path.split(separator: "/").map { part in
            part.hasPrefix("{") ? uuid() : String(part)
        }
        return names.joined(separator: "/")
    }

    private mutating func uuid() -> String {
        let hex = Array(Hex.encode(random.bytes(16)))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(hex[$0]) }
            .joined(separator: "-")
    }

    /// Members of the endpoint's own object, with the values that `value` makes.
    private mutating func object(
        _ endpoint: Endpoint, twice: Bool = false,
        value: ((inout HostileRequests) -> String)? = nil
    ) -> String {
        let names = (endpoint.body ?? []).map(\.name) + ["name"]
        let members = names.flatMap { name -> [String] in
            let member = "\"\(name)\":\(value.map { $0(&self) } ?? plausible(&self))"
            return twice ? [member, member] : [member]
        }
        return "{\(members.joined(separator: ","))}"
    }

    private func plausible(_ own: inout HostileRequests) -> String {
        own.pick([
            "\"1.5\"", "\"x\"", "\"\(own.uuid())\"", "\"ETH\"", "\"eip155:31337\"", "null",
            "\"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\"", "[\"vaults:read\"]", "{}", "true",
            "\"http://127.0.0.1:1/x\"", "\"2030-01-01T00:00:00Z\"", "60",
        ])
    }

    private func any(_ own: inout HostileRequests) -> String {
        own.pick([
            own.plausible(&own), "[]", "[[]]", "{\"a\":{}}", "\"\\u0000\"", "\"\\ud800\"", "-0",
            "\"\(String(repeating: "x", count: own.random.integer(below: 20_000)))\"", "\"٣\"",
            "[\(String(repeating: "1,", count: 2000))1]", "\"\u{202e}\"", "tru", "'a'", "",
        ])
    }

    private func number(_ own: inout HostileRequests) -> String {
        let digits = String(repeating: "9", count: 1 + own.random.integer(below: 2000))
        return own.pick([
            digits, "-\(digits)", "0.\(digits)", "1e\(digits)", "\"\(digits)\"", "\"-1\"", "NaN",
            "Infinity", "\"1e400\"", "9223372036854775808", "-9223372036854775809", "0x10", "01",
            "\"340282366920938463463374607431768211456\"", "1.0",
        ])
    }

    private mutating func deep() -> [UInt8] {
        let depth = pick([10, 100, 1000, 10_000, 60_000])
        let (open, close) = pick([("[", "]"), ("{\"a\":", "}"), ("[{\"a\":[", "]}]")])
        let closes = random.integer(below: 2) == 0 ? depth : 0
        return Array(
            (String(repeating: open, count: depth) + String(repeating: close, count: closes)).utf8)
    }

    private mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<(1 + random.integer(below: 6)) {
            let at = random.integer(below: bytes.count)
            switch random.integer(below: 4) {
            case 0: bytes[at] = random.bytes(1)[0]
            case 1: bytes.insert(random.bytes(1)[0], at: at)
            case 2: bytes.replaceSubrange(at..<at, with: [0xc0, 0xaf, 0xed, 0xa0, 0x80])
            default: bytes.remove(at: at)
            }
            if bytes.isEmpty { bytes = [0] }
        }
        return bytes
    }

    private mutating func chunked(_ body: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var rest = body[...]
        while !rest.isEmpty {
            let part = rest.prefix(1 + random.integer(below: 700))
            rest = rest.dropFirst(part.count)
            let size = String(part.count, radix: 16)
            let shown = pick([
                size, size, size, size, "0\(size)", "\(size);a=b", "-\(size)", "g", "\(size)0",
            ])
            out += Array("\(shown)\r\n".utf8) + part
            out += Array(pick(["\r\n", "\r\n", "\r\n", "\r\n", "\n", ""]).utf8)
        }
        let end = pick([
            "0\r\n\r\n", "0\r\n\r\n", "0\r\nX-Trailer: a\r\n\r\n", "0\r\n", "", "00\r\n\r\n",
        ])
        return out + Array(end.utf8)
    }

    private mutating func framing(_ count: Int) -> [(String, String)] {
        let length = ("Content-Length", String(count))
        return pick([
            [length, ("Transfer-Encoding", "chunked")], [("Transfer-Encoding", "chunked"), length],
            [length, length], [length, ("Content-Length", String(count + 1))],
            [("Content-Length", "+\(count)")], [("Content-Length", "-1")],
            [("Content-Length", "18446744073709551617")], [("Content-Length", "\(count), 0")],
            [("Transfer-Encoding", "xchunked")], [("Transfer-Encoding", "chunked, gzip")],
            [("Transfer-Encoding ", "chunked")], [("Transfer-Encoding", "\u{b}chunked")],
            [length, ("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings")],
            [length, ("Expect", "100-continue")], [length, ("Host", "other")],
            [("Content-Length", String(count) + "\r\n folded")], [],
        ])
    }

    private mutating func flood() -> [(String, String)] {
        switch random.integer(below: 4) {
        case 0: (0..<(50 + random.integer(below: 3000))).map { ("X-\($0)", "a") }
        case 1: [("X-Long", String(repeating: "a", count: random.integer(below: 200_000)))]
        case 2: [(String(repeating: "N", count: 1 + random.integer(below: 20_000)), "a")]
        default:
            [
                (
                    "X-Forwarded-For",
                    String(repeating: "10.0.0.1, ", count: random.integer(below: 900))
                )
            ]
        }
    }

    private mutating func strangeTarget(_ target: String) -> String {
        pick([
            target + "%00", target + "/..", target + "//", "/v1/../v1/vaults", "/v1/vaults/%2e%2e",
            target + "?limit=-1", target + "?limit=99999999999999999999",
            target + "?limit=1&limit=2",
            target + "?after=%ff%fe", target + "?from=x&to=y&by=z", target + "?" + "a=b&" + "a=b",
            target + "?" + String(repeating: "q", count: random.integer(below: 9000)),
            "/" + String(repeating: "a/", count: random.integer(below: 3000)), "*", "//", "/%",
            "http://other\(target)", target + "#x",
            "/v1/vaults/" + String(repeating: "%41", count: 40),
            target.uppercased(), target + "?walletId=" + uuid(), target + "?status=%F0%9F%92%A9",
        ])
    }

    private mutating func signature(
        _ method: String, _ target: String, _ body: [UInt8], _ isSigned: Bool
    ) -> [(String, String)] {
        let now = Int64(Date().timeIntervalSince1970)
        let nonce = Hex.encode(random.bytes(8))
        let signature = SignedRequest.sign(
            method: method, target: target, body: body, timestamp: now, nonce: nonce,
            secret: isSigned ? secret : "another")
        return [
            ("X-API-Key", keyID), ("X-Timestamp", String(now)), ("X-Nonce", nonce),
            ("X-Signature", signature),
        ]
    }

    private mutating func strange(_ fields: [(String, String)]) -> [(String, String)] {
        var fields = fields
        let at = random.integer(below: fields.count)
        switch random.integer(below: 5) {
        case 0: fields.append(fields[at])
        case 1: fields.remove(at: at)
        case 2: fields[at].1 = String(repeating: "9", count: 1 + random.integer(below: 300))
        case 3: fields[at].1 = String(decoding: random.bytes(12).map { $0 | 0x80 }, as: UTF8.self)
        default: fields[at].1 = fields[at].1.uppercased() + " "
        }
        return fields
    }
}
