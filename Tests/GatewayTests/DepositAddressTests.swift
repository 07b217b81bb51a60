import Canonical
import Custody
import Identity
import TestKit
import Testing

@testable import Gateway

/// `POST` and `GET /wallets/{id}/addresses`.
@Suite struct `Deposit addresses over the API` {
    private func addresses(_ face: Face, _ path: String) async throws -> [JSONValue] {
        try await face.send("GET", path).json["items"]?.array ?? []
    }

    @Test func `are opened with a label and listed, the wallet's own last`() async throws {
        let face = try await Face()
        let wallet = try await face.wallet("a")
        let path = "/v1/wallets/\(wallet["id"]?.string ?? "")/addresses"
        let first = try await addresses(face, path)
        #expect(first.map { $0["address"] } == [wallet["depositAddress"]])
        #expect(first.map { $0["path"]?.string } == ["m/44/60/0/0/0"])
        #expect(first.map { $0["label"] } == [.null])
        let made = try await face.post(path, #"{"label":"Invoice 7"}"#)
        #expect(made.status == 201)
        #expect(made.json["label"]?.string == "Invoice 7")
        #expect(made.json["path"]?.string == "m/44/60/0/0/1")
        #expect(try await face.post(path, "{}").json["label"] == .null)
        let all = try await addresses(face, path)
        #expect(all.map { $0["path"]?.string?.last } == ["2", "1", "0"])
        #expect(all[1] == made.json)
        #expect(Set(all.compactMap { $0["address"]?.string }).count == 3)
        let page = try await face.send("GET", "\(path)?limit=2").json
        let rest = try await face.send(
            "GET", "\(path)?limit=2&after=\(page["next"]?.string ?? "")"
        ).json
        #expect((page["items"]?.array ?? []) + (rest["items"]?.array ?? []) == all)
        #expect(rest["next"] == .null)
    }

    @Test func `are opened once for an idempotency key, and refused for their reason`()
        async throws
    {
        let face = try await Face()
        let wallet = try await face.wallet("a")
        let path = "/v1/wallets/\(wallet["id"]?.string ?? "")/addresses"
        var parts = Face.Parts(#"{"label":"x"}"#)
        parts.idempotencyKey = "one"
        let once = try await face.send("POST", path, parts)
        #expect(try await face.send("POST", path, parts).bytes == once.bytes)
        #expect(try await addresses(face, path).count == 2)
        let long = String(repeating: "x", count: 101)
        #expect(try await face.post(path, #"{"label":"\#(long)"}"#).fields == ["label"])
        #expect(try await face.post(path, #"{"labels":"x"}"#).fields == ["labels"])
        let vault = "/v1/vaults/\(wallet["vaultId"]?.string ?? "")"
        _ = try await face.send("PATCH", vault, Face.Parts(#"{"status":"Frozen"}"#))
        #expect(try await face.post(path, "{}").status == 201, "deposits to it are credited")
        _ = try await face.send("PATCH", vault, Face.Parts(#"{"status":"Archived"}"#))
        let archived = try await face.post(path, "{}")
        #expect(archived.status == 400 && archived.code == "frozen")
        #expect(try await addresses(face, path).count == 3)
        let foreign = try await face.post(path, "{}", as: face.other)
        #expect(foreign.status == 404)
        let reader = try await Face.makeCaller(
            face.test, face.caller.tenant, scopes: [.walletsRead])
        #expect(try await face.post(path, "{}", as: reader).code == "missing_scope")
    }
}
