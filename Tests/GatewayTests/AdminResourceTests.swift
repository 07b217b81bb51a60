import Canonical
import Custody
import Identity
import Intents
import TestKit
import Testing

@testable import Gateway

@Suite struct `The MPC administration face` {
    private let vaults = "/v2/wallets/mpc/vaults"

    private func vault(
        _ face: Face, _ name: String, _ parts: Face.AdminParts? = nil
    ) async throws -> String {
        var parts = parts ?? Face.AdminParts()
        parts.body = Array(#"{"name":"\#(name)","vault_type":"Org-Controlled"}"#.utf8)
        let answer = try await face.admin("POST", vaults, parts)
        return answer.json["vault_id"]?.string ?? "status \(answer.status)"
    }

    @Test func `knows chains and tokens by the vendor's names`() async throws {
        let face = try await Face()
        try await face.admit()
        let chains = try await face.admin("GET", "/v2/wallets/chains")
        #expect(chains.data.map { $0["chain_id"]?.string } == ["SETH"])
        #expect(chains.json["pagination"]?["total_count"] == .number("1"))
        #expect(chains.json["pagination"]?["after"] == .string(""))
        let token = try await face.admin("GET", "/v2/wallets/tokens/SETH")
        #expect(token.json["decimal"] == .number("18"))
        let none = try await face.admin("GET", "/v2/wallets/tokens/ETH")
        #expect(none.status == 404 && none.errorCode == 2028)
        let other = try await face.admin("GET", "/v2/wallets/tokens?wallet_type=Custodial")
        #expect(other.status == 200 && other.data.isEmpty)
        let tenant = face.caller.tenant
        _ = try await face.test.custody.write { try $0.set("ETH", enabled: false, for: tenant) }
        #expect(try await face.admin("GET", "/v2/wallets/enabled_tokens").data.isEmpty)
        #expect(try await face.admin("GET", "/v2/wallets/tokens").data.count == 1)
    }

    @Test func `says whether an address is one`() async throws {
        let face = try await Face()
        try await face.admit()
        let path = "/v2/wallets/check_address_validity?chain_id=SETH&address="
        let good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        #expect(try await face.admin("GET", path + good).json["validity"] == .bool(true))
        #expect(try await face.admin("GET", path + "0x00").json["validity"] == .bool(false))
        let both = try await face.admin(
            "GET", "/v2/wallets/check_addresses_validity?chain_id=SETH&addresses=\(good)%2Cx")
        #expect(both.json.array.map { $0["validity"] } == [.bool(true), .bool(false)])
        let chain = try await face.admin(
            "GET", "/v2/wallets/check_address_chains_validity?address=\(good)&chain_ids=BTC")
        #expect(chain.status == 400 && chain.errorCode == 2006)
        let missing = try await face.admin("GET", "/v2/wallets/check_address_validity?address=x")
        #expect(missing.status == 400 && missing.errorCode == 2003)
        #expect(missing.json["error_message"] == .string("'chain_id' is required."))
    }

    @Test func `makes projects and vaults, and lists them both ways`() async throws {
        let face = try await Face()
        try await face.admit()
        let project = try await face.admin(
            "POST", "/v2/wallets/mpc/projects", #"{"name":"P","participants":3,"threshold":2}"#)
        #expect(project.status == 201 && project.json["threshold"] == .number("2"))
        let id = project.json["project_id"]?.string ?? ""
        let users = try await face.admin(
            "POST", vaults, #"{"name":"U","vault_type":"User-Controlled","project_id":"\#(id)"}"#)
        #expect(users.status == 201 && users.json["project_id"] == .string(id))
        #expect(users.json["root_pubkeys"]?.array.isEmpty == true)
        let renamed = try await face.admin(
            "PUT", "/v2/wallets/mpc/projects/\(id)", #"{"name":"Q"}"#)
        #expect(renamed.status == 200 && renamed.json["name"] == .string("Q"))

        for number in 1...4 { _ = try await vault(face, "V\(number)") }
        let path = vaults + "?vault_type=Org-Controlled&limit=2"
        let first = try await face.admin("GET", path)
        #expect(first.data.map { $0["name"]?.string } == ["V4", "V3"])
        #expect(first.json["pagination"]?["before"] == .string(""))
        #expect(first.json["pagination"]?["total_count"] == .number("5"))
        let after = first.json["pagination"]?["after"]?.string ?? ""
        let second = try await face.admin("GET", path + "&after=\(after)")
        #expect(second.data.map { $0["name"]?.string } == ["V2", "V1"])
        let before = second.json["pagination"]?["before"]?.string ?? ""
        #expect(try await face.admin("GET", path + "&before=\(before)").data == first.data)
        #expect(
            try await face.admin("GET", path + "&before=\(before)&after=\(after)").status == 400)
        #expect(try await face.admin("GET", vaults).errorCode == 2003)
        #expect(try await face.admin("GET", vaults + "?vault_type=X").errorCode == 2006)
        #expect(
            try await face.admin("GET", vaults + "?vault_type=Org-Controlled&limit=51").errorCode
                == 2006)
    }

    @Test(arguments: [
        (#"{"name":"P","participants":3}"#, 2003), (#"{"participants":3,"threshold":2}"#, 2003),
        (#"{"name":"P","participants":4,"threshold":2}"#, 2006),
        (#"{"name":"P","participants":2,"threshold":3}"#, 2006),
        (#"{"name":"P","participants":3,"threshold":1}"#, 2006),
        (#"{"name":"P","participants":"3","threshold":2}"#, 2006),
        (#"{"name":"","participants":3,"threshold":2}"#, 2006),
        (#"{"name":"P","participants":3,"threshold":2,"more":1}"#, 2006), ("[]", 2006), ("{", 2006),
    ])
    func `says what is wrong with a project`(body: String, code: Int) async throws {
        let face = try await Face()
        try await face.admit()
        let answer = try await face.admin("POST", "/v2/wallets/mpc/projects", body)
        #expect(answer.status == 400 && answer.errorCode == code, "\(answer.json)")
    }

    @Test func `shows another tenant's things as missing`() async throws {
        let face = try await Face()
        try await face.admit()
        let vault = try await vault(face, "V")
        var other = Face.AdminParts()
        other.key = .ed25519(0x22)
        try await face.admit(other.key, for: face.other.tenant)
        let nobody = "11111111-1111-4111-8111-111111111111"
        for id in [vault, nobody, "x"] {
            for path in ["", "/key_share_holder_groups", "/key_share_holders"] {
                let answer = try await face.admin("GET", "\(vaults)/\(id)\(path)", other)
                #expect(answer.status == 404 && answer.errorCode == 2028)
                #expect(answer.json["error_message"] != nil)
            }
        }
        other.body = Array(#"{"name":"mine"}"#.utf8)
        #expect(try await face.admin("PUT", "\(vaults)/\(vault)", other).status == 404)
        let kept = try await face.admin("GET", "\(vaults)/\(vault)")
        #expect(kept.json["name"] == .string("V"))
    }

    @Test func `shows the keys that a vault has`() async throws {
        let face = try await Face()
        try await face.admit()
        let list = try await face.admin("GET", vaults + "?vault_type=Org-Controlled")
        let roots = list.data.first?["root_pubkeys"]?.array ?? []
        #expect(roots.map { $0["curve"]?.string } == ["SECP256K1"])
        #expect(roots.first?["root_pubkey"]?.string?.hasPrefix("xpub") == true)
        let id = list.data.first?["vault_id"]?.string ?? ""
        let groups = try await face.admin("GET", "\(vaults)/\(id)/key_share_holder_groups")
        #expect(groups.data.first?["status"] == .string("Valid"))
        #expect(groups.data.first?["type"] == .string("MainGroup"))
        #expect(
            groups.data.first?["tss_key_share_groups"]?.array.first?["root_pubkey"]
                == roots.first?["root_pubkey"])
    }
}
