import Canonical
import Custody
import HTTPTypes
import HummingbirdTesting
import Identity
import TestKit
import Testing

@testable import Gateway

@Suite struct `IP addresses and ranges` {
    @Test func `an address has one spelling, and mapped ones are IPv4`() {
        for (text, normal) in [
            ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("::", "::"), ("::1", "::1"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("2001:db8::1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("1::", "1::"),
            ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::FFFF:c000:0201", "192.0.2.1"), ("::192.0.2.1", "::c000:201"),
            ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ] {
            #expect(IPAddress(text)?.text == normal, "\(text)")
            #expect(IPAddress(normal) == IPAddress(text), "\(text)")
        }
    }

    @Test(arguments: [
        "", " ", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "1.2.3.-4", "1.2.3.+4", "0x1.2.3.4",
        "1.2.3.4 ", " 1.2.3.4", "1.2.3.٤", "16909060", "1.2.3.", ":", ":::", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "::-1", "::+1", "fe80::1%eth0", "[::1]",
        "::1.2.3", "1.2.3.4::", "::ffff:1.2.3.4:5", "1:2:3:4:5:6:7::8", "::1:", ":1::",
        "1.2.3.4:80",
        "localhost",
    ])
    func `what is no address is none`(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `a range has the addresses of its prefix and no others`() throws {
        for (text, inside, outside) in [
            (
                "10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
                ["11.0.0.0", "::1"]
            ),
            ("192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127", "192.0.3.128"]),
            ("192.0.2.1/32", ["192.0.2.1"], ["192.0.2.0", "192.0.2.2"]),
            ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "2001:db8::1"]),
            ("::ffff:10.0.0.0/104", ["10.9.9.9"], ["11.0.0.0", "::10.0.0.1"]),
            ("2001:db8::/32", ["2001:db8:ffff::1"], ["2001:db9::", "10.0.0.1"]),
            ("2001:db8::/33", ["2001:db8:7fff::"], ["2001:db8:8000::"]),
            ("::/0", ["::1", "ffff::"], ["127.0.0.1", "::ffff:127.0.0.1"]),
        ] {
            let range = try AddressRange(text)
            for address in inside { #expect(range.contains(IPAddress(address)!), "\(address)") }
            for address in outside { #expect(!range.contains(IPAddress(address)!), "\(address)") }
            #expect(try AddressRange(range.text) == range)
        }
        let wide = try AddressRange("10.0.0.0/8")
        #expect(wide.contains(try AddressRange("10.1.0.0/16")))
        #expect(wide.contains(wide))
        #expect(!(try AddressRange("10.1.0.0/16")).contains(wide))
        #expect(!(try AddressRange("::/0")).contains(wide))
    }

    static let forged: [(String, AddressRange.Malformed)] = [
        ("", .address), ("10.0.0.0", .prefix), ("10.0.0.0/", .prefix), ("10.0.0.0/33", .prefix),
        ("10.0.0.0/08", .prefix), ("10.0.0.0/+8", .prefix), ("10.0.0.0/-1", .prefix),
        ("10.0.0.0/8/8", .prefix), ("10.0.0.0/8 ", .prefix), ("10.0.0.0/255.0.0.0", .prefix),
        ("10.0.0.0/٨", .prefix), ("10.0.0.0/99999999999999999999", .prefix), ("10/8", .address),
        ("010.0.0.0/8", .address), ("0x0a.0.0.0/8", .address), ("10.0.0.1/8", .hostBits),
        ("10.0.0.0/4", .hostBits), ("*", .address), ("::/129", .prefix), ("::1/64", .hostBits),
        ("::ffff:0.0.0.0/95", .hostBits), ("::ffff:10.0.0.1/104", .hostBits), ("[::]/0", .address),
        ("fe80::%1/64", .address),
    ]

    @Test(arguments: forged)
    func `a forged range is refused for a reason`(
        _ row: (text: String, why: AddressRange.Malformed)
    ) {
        #expect(throws: row.why) { try AddressRange(row.text) }
    }

    @Test func `the client is the rightmost that is no trusted proxy`() throws {
        let trusted = try ["10.0.0.0/8", "2001:db8::/32"].map { try AddressRange($0) }
        for (peer, forwarded, client) in [
            ("192.0.2.9", [], "192.0.2.9"), ("192.0.2.9", ["198.51.100.1"], "192.0.2.9"),
            ("10.0.0.1", [], "10.0.0.1"), ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", ["203.0.113.7, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", ["203.0.113.7", "198.51.100.1 , 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", ["198.51.100.1,2001:db8::5\t,::ffff:10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", ["rubbish, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", ["198.51.100.1, rubbish"], nil), ("10.0.0.1", [""], nil),
            ("10.0.0.1", ["198.51.100.1,"], nil), ("10.0.0.1", ["198.51.100.1:80"], nil),
            ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] as [(String, [String], String?)] {
            let found = IPAddress.client(
                peer: IPAddress(peer)!, forwarded: forwarded, trusting: trusted)
            #expect(found?.text == client, "\(peer) \(forwarded)")
        }
        let spoofed = IPAddress.client(
            peer: IPAddress("10.0.0.1")!, forwarded: ["198.51.100.1"], trusting: [])
        #expect(spoofed?.text == "10.0.0.1")
    }
}

@Suite struct `Where a key may be used from` {
    private static func settings(trusting ranges: [String]) throws -> GatewaySettings {
        var settings = GatewaySettings()
        settings.trustedProxies = try ranges.map { try AddressRange($0) }
        return settings
    }

    private func limited(_ face: Face, to cidrs: [String]) async throws -> Face.Caller {
        let tenant = face.caller.tenant
        let (key, secret) = try await face.test.custody.write {
            try $0.createAPIKey(
                for: tenant, name: "limited", scopes: Set(Scope.allCases), cidrs: cidrs)
        }
        return Face.Caller(id: key.id.text, secret: secret, tenant: tenant)
    }

    private func get(
        _ face: Face, _ caller: Face.Caller, forwarded: [String] = []
    ) async throws -> Face.Answer {
        var parts = Face.Parts()
        parts.caller = caller
        for value in forwarded { parts.extra.append(.init(name: .forwardedFor, value: value)) }
        return try await face.send("GET", "/v1/vaults", parts)
    }

    @Test func `a spoofed X-Forwarded-For is believed from no one`() async throws {
        let face = try await Face(.live)
        let home = try await limited(face, to: ["127.0.0.0/8", "::1/128"])
        let away = try await limited(face, to: ["198.51.100.0/24"])
        #expect(try await get(face, home).status == 200)
        #expect(try await get(face, away).code == "address_not_allowed")
        #expect(try await get(face, away, forwarded: ["198.51.100.1"]).status == 403)
        #expect(try await get(face, home, forwarded: ["198.51.100.1"]).status == 200)
    }

    @Test func `a trusted proxy says whose call it is, and its caller cannot add to it`()
        async throws
    {
        let settings = try Self.settings(trusting: ["127.0.0.0/8", "::1/128"])
        let face = try await Face(.live, settings)
        let away = try await limited(face, to: ["198.51.100.0/24"])
        #expect(try await get(face, away, forwarded: ["198.51.100.1"]).status == 200)
        #expect(try await get(face, away, forwarded: ["::ffff:198.51.100.1"]).status == 200)
        for spoofed in [
            ["198.51.100.1, 203.0.113.7"], ["198.51.100.1", "203.0.113.7"], [],
            ["198.51.100.1, what"],
        ] {
            let answer = try await get(face, away, forwarded: spoofed)
            #expect(answer.code == "address_not_allowed", "\(spoofed)")
        }
    }

    @Test func `an address that is not known is on no list`() async throws {
        let face = try await Face()
        let anywhere = try await limited(face, to: ["0.0.0.0/0", "::/0"])
        #expect(try await get(face, anywhere).code == "address_not_allowed")
    }

    @Test func `a call from elsewhere is one alert a minute, in the trail and as an event`()
        async throws
    {
        let face = try await Face(.live)
        let tenant = face.caller.tenant
        _ = try await face.test.custody.write {
            try $0.setWebhook(url: "http://127.0.0.1:1/hook", for: tenant)
        }
        let away = try await limited(face, to: ["198.51.100.0/24"])
        var wrong = Face.Parts()
        wrong.caller = Face.Caller(id: away.id, secret: face.other.secret, tenant: tenant)
        #expect(try await face.send("GET", "/v1/vaults", wrong).status == 401)
        for _ in 0..<5 { #expect(try await get(face, away).status == 403) }
        let lines = try await face.send("GET", "/v1/audit").json["items"]?.array ?? []
        let alerts = lines.filter { $0["action"]?.string == "AddressNotAllowed" }
        #expect(alerts.count == 1)
        #expect(alerts.first?["actor"]?.string == away.id)
        #expect(["127.0.0.1", "::1"].contains(alerts.first?["address"]?.string))
        let events = try await face.send("GET", "/v1/webhooks/events?state=Waiting").json
        #expect(events["items"]?.array.map { $0["type"]?.string } == ["security.alert"])
    }

    @Test func `so many requests from one address pass, whoever sends them`() async throws {
        var settings = GatewaySettings()
        settings.addressLimit = RateLimit(perMinute: 1, burst: 5)
        let face = try await Face(.live, settings)
        var codes: [Int] = []
        for number in 0..<8 {
            codes.append(
                try await face.raw("GET", number.isMultiple(of: 2) ? "/v1/vaults" : "/x", [:], [])
                    .status)
        }
        #expect(codes == [401, 404, 401, 404, 401, 429, 429, 429])
        let limited = try await face.send("GET", "/v1/vaults")
        #expect(limited.code == "rate_limited")
        #expect(Int(limited.headers[.retryAfter] ?? "") ?? 0 > 0)
    }

    @Test func `a header of the credentials stands once`() async throws {
        let face = try await Face()
        for name in [HTTPField.Name.apiKey, .timestamp, .signature, .nonce] {
            var parts = Face.Parts()
            parts.tamper = { $0.append(HTTPField(name: name, value: $0[name] ?? "")) }
            let answer = try await face.send("GET", "/v1/vaults", parts)
            #expect(answer.status == 401)
            #expect(answer.code == "malformed_credentials", "\(name)")
        }
    }
}
