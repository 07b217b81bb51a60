import Canonical
import Custody
import HTTPTypes
import HummingbirdTesting
import Identity
import TestKit
import Testing

@testable import Gateway

@Suite struct `The audit trail` {
    private func lines(_ face: Face, _ query: String = "") async throws -> [JSONValue] {
        try await face.send("GET", "/v1/audit\(query)").json["items"]?.array ?? []
    }

    @Test func `has every change that took effect, and nothing else`() async throws {
        let face = try await Face(.live)
        var parts = Face.Parts(#"{"externalId":"a","name":"a"}"#)
        parts.idempotencyKey = "k"
        let made = try await face.send("POST", "/v1/vaults", parts)
        _ = try await face.send("POST", "/v1/vaults", parts)
        _ = try await face.post("/v1/vaults", "{}")
        _ = try await face.send("GET", "/v1/vaults")
        let vault = made.json["id"]?.string ?? ""
        let wallet = try await face.post("/v1/vaults/\(vault)/wallets", #"{"assetId":"ETH"}"#)
        _ = try await face.vault("theirs", as: face.other)
        let lines = try await lines(face)
        #expect(lines.map { $0["action"]?.string } == ["createWallet", "openVault"])
        #expect(lines.allSatisfy { $0["actor"]?.string == face.caller.id })
        #expect(lines.allSatisfy { $0["vaultIds"] == .array([.string(vault)]) })
        #expect(lines.allSatisfy { ["127.0.0.1", "::1"].contains($0["address"]?.string) })
        #expect(lines[1]["requestId"]?.string == made.headers[.requestID])
        #expect(
            lines[0]["subjectIds"]
                == .array([.string(vault), .string(wallet.json["id"]?.string ?? "")]))
    }

    @Test func `is asked for by vault and time, in pages`() async throws {
        let scene = try await `Keys for some vaults`.Scene()
        let (face, start) = (scene.face, scene.face.test.now)
        let id = { (value: JSONValue) in value["vaultId"]?.string ?? "" }
        // Both ends of a transfer have it.
        for end in [scene.from, scene.to] {
            let found = try await lines(face, "?vaultId=\(id(end))")
            #expect(
                found.map { $0["action"]?.string } == ["transfer", "createWallet", "openVault"])
        }
        #expect(try await lines(face, "?vaultId=\(id(scene.third))").count == 2)
        face.test.pass(seconds: 10)
        _ = try await face.vault("late")
        let late = start.adding(seconds: 10).text
        #expect(try await lines(face, "?from=\(late)").count == 1)
        #expect(try await lines(face, "?to=\(late)").count == 7)
        var (count, target) = (0, "?limit=3")
        while count < 20 {
            let page = try await face.send("GET", "/v1/audit\(target)")
            count += page.json["items"]?.array.count ?? 0
            guard let next = page.json["next"]?.string else { break }
            target = "?limit=3&after=\(next)"
        }
        #expect(count == 8)
        for query in ["?from=x", "?to=2027-01-15", "?vaultId=x", "?vault=x"] {
            #expect(try await face.send("GET", "/v1/audit\(query)").status == 400)
        }
    }

    @Test func `says what a PATCH has set, but of metadata only that it was`() async throws {
        let face = try await Face()
        let vault = try await face.vault("a")
        for body in [
            #"{"status":"Frozen","name":null}"#, #"{"name":"b","metadata":{"k":"hidden"}}"#,
        ] {
            _ = try await face.send("PATCH", "/v1/vaults/\(vault)", Face.Parts(body))
        }
        let found = try await lines(face).map { $0["changes"] }
        #expect(
            found == [
                .object(["metadata": .string("set"), "name": .string("b")]),
                .object(["status": .string("Frozen")]), .object([]),
            ])
    }

    /// A PATCH writes texts down as they are, for good.
    @Test func `has no secret to say`() {
        let set = CustodyAPI.endpoints.filter { $0.method == .patch }.map {
            [$0.name] + ($0.body ?? []).map(\.name)
        }
        #expect(
            set == [["changeVault", "name", "metadata", "status"], ["relabelAddress", "label"]])
    }

    @Test func `its page names every action`() throws {
        let actions = CustodyAPI.endpoints.filter { !$0.isRead && $0.isChange }
        let page = try DocumentedPage.text("audit-and-usage.md")
        let rows = actions.map { "| `\($0.name)` | `\($0.method.rawValue) /\($0.path)` |\n" }
        #expect(page.contains("| `action` | Call |\n|---|---|\n" + rows.joined() + "\n"))
    }

    @Test func `names the operator where it was one`() async throws {
        let face = try await Face()
        let tenant = face.caller.tenant
        try await face.test.custody.write(as: .operator) { books in
            let (key, _) = try books.createAPIKey(for: tenant, name: "x", scopes: [.vaultsRead])
            try books.audit("createKey", of: tenant, [key.id.text])
            try books.audit("addHolder", of: nil, ["elsewhere"])
        }
        let lines = try await lines(face)
        #expect(lines.count == 1)
        #expect(lines.first?["actor"]?.string == "operator")
        #expect(lines.first?["address"] == .null)
    }
}

@Suite struct `Usage` {
    private func counts(
        _ face: Face, _ query: String, _ name: String
    ) async throws -> [String: String] {
        let items = try await face.send("GET", "/v1/usage\(query)").json["items"]?.array ?? []
        return Dictionary(
            uniqueKeysWithValues: items.map { item in
                guard case .number(let count)? = item["requests"] else { return ("", "") }
                return (item[name]?.string ?? "", count)
            })
    }

    @Test func `is counted by day and by endpoint, for each tenant`() async throws {
        let face = try await Face()
        for name in ["a", "b"] { _ = try await face.vault(name) }
        _ = try await face.post("/v1/vaults", "{}")
        _ = try await face.send("GET", "/v1/vaults")
        _ = try await face.vault("x", as: face.other)
        var parts = Face.Parts()
        parts.tamper = { $0[.signature] = String(repeating: "0", count: 64) }
        _ = try await face.send("GET", "/v1/vaults", parts)
        try await face.meter.flush(to: face.test.custody)
        try await face.meter.flush(to: face.test.custody)
        #expect(
            try await counts(face, "?by=endpoint", "endpoint")
                == ["openVault": "3", "listVaults": "1"])
        face.test.pass(seconds: 86_400)
        _ = try await face.send("GET", "/v1/assets")
        try await face.meter.flush(to: face.test.custody)
        let days = ["2027-01-15": "5", "2027-01-16": "1"]
        #expect(try await counts(face, "", "day") == days)
        #expect(try await counts(face, "?from=2027-01-16", "day") == ["2027-01-16": "1"])
        #expect(
            try await counts(face, "?from=2027-01-15&to=2027-01-15", "day") == ["2027-01-15": "5"])
        for query in [
            "?from=2027-01-17", "?from=2027-01-16&to=2027-01-15", "?from=2026-01-01", "?by=month",
            "?from=2027-1-1", "?to=2027-02-30", "?limit=5",
        ] {
            #expect(try await face.send("GET", "/v1/usage\(query)").status == 400, "\(query)")
        }
    }

    @Test func `what is counted when the platform stops is stored`() async throws {
        let face = try await Face()
        _ = try await face.vault("a")
        let (meter, custody) = (face.meter, face.test.custody)
        let running = Task { await meter.run(custody) { Issue.record($0) } }
        running.cancel()
        await running.value
        #expect(try await counts(face, "?by=endpoint", "endpoint") == ["openVault": "1"])
    }
}
