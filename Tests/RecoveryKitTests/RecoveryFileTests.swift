import Algebra
import Canonical
import Foundation
import KeyGroups
import TestKit
import Testing

@testable import RecoveryKit

@Suite struct `A recovery file` {
    private func opened(_ file: RecoveryFile) throws -> [SecretBox<RecoveryShare>] {
        try file.open(under: try Kits.passphrase())
    }

    @Test func `opens under its passphrase as the share that was sealed`() throws {
        let kits = try Kits.one.get()
        for at in 0..<3 {
            let file = try kits.file(at)
            let read = try RecoveryFile(file.bytes)
            #expect(read == file && read.bytes == file.bytes)
            let shares = try opened(read)
            #expect(shares.count == 1)
            shares[0].with { share in
                #expect(share.group == kits.group && share.holder.index.raw == at + 1)
                #expect(share.secret.withBytes { Array($0) } == kits.secrets[at])
            }
        }
    }

    @Test func `holds several keys under one passphrase`() throws {
        let (one, other) = (try Kits.one.get(), try Kits.foreign.get())
        var random = TestRandom("several")
        let file = RecoveryFile(
            sealing: [try one.share(0), try other.share(2)], under: try Kits.passphrase(),
            created: Kits.created, iterations: Kits.iterations, random: &random)
        let shares = try opened(try RecoveryFile(file.bytes))
        #expect(shares.map { $0.with { $0.group } } == [one.group, other.group])
        var twice = TestRandom("twice")
        let doubled = RecoveryFile(
            sealing: [try one.share(0), try one.share(1)], under: try Kits.passphrase(),
            created: Kits.created, iterations: Kits.iterations, random: &twice)
        #expect(throws: RecoveryFault.malformed("one key stands twice in it")) {
            try RecoveryFile(doubled.bytes)
        }
    }

    @Test func `is told apart by no two passphrases`() throws {
        let file = try Kits.one.get().file(0)
        for phrase in ["correct horse battery staplf", "correct horse battery stapl"] {
            #expect(throws: RecoveryFault.doesNotOpen) {
                _ = try file.open(under: try Kits.passphrase(phrase))
            }
        }
    }

    @Test func `with any byte changed is refused, but for when it was made`() throws {
        let file = try Kits.one.get().file(0)
        let bytes = file.bytes
        var unnoticed: Set<UInt8> = []
        var stages: [String: Int] = [:]
        for at in bytes.indices {
            var changed = bytes
            changed[at] ^= 1
            do {
                let read = try RecoveryFile(changed)
                _ = try opened(read)
                unnoticed.insert(bytes[at])
                #expect(read.created != file.created || read == file, "byte \(at)")
                stages["unnoticed", default: 0] += 1
            } catch let fault as RecoveryFault {
                stages[fault == .doesNotOpen ? "opening" : "reading", default: 0] += 1
            }
        }
        // The time's characters, and the line end, which is as good as a tabulator or none.
        let allowed = Set(Kits.created.utf8).union([UInt8(ascii: "\n")])
        #expect(unnoticed.isSubset(of: allowed), "\(unnoticed)")
        // Nonce, ciphertext, tag, salt and iterations are found out by opening.
        #expect((stages["opening"] ?? 0) > 100 && (stages["reading"] ?? 0) > 1500, "\(stages)")
    }

    @Test func `cut short at any byte is refused`() throws {
        let bytes = try Kits.one.get().file(0).bytes
        for count in stride(from: 0, to: bytes.count - 1, by: 7) {
            #expect(throws: RecoveryFault.self) { try RecoveryFile(Array(bytes.prefix(count))) }
        }
    }

    @Test func `with a share of another holder inside does not fit`() throws {
        let kits = try Kits.one.get()
        let (one, other) = (try kits.file(0), try kits.file(0))
        let swapped = RecoveryFile(
            [.init(group: kits.group, index: ParticipantIndex(2)!, sealed: one.entries[0].sealed)],
            created: other.created, other.stretch)
        #expect(throws: RecoveryFault.doesNotFit(share: "2 of group \(kits.group.id)")) {
            _ = try opened(try RecoveryFile(swapped.bytes))
        }
        #expect(throws: RecoveryFault.self) {
            _ = try RecoveryShare(
                of: kits.group, ParticipantIndex(1)!,
                secret: SecretBytes(copying: kits.secrets[1]))
        }
    }

    @Test func `has nothing of a pair setup in it`() throws {
        let kits = try Kits.one.get()
        let passphrase = try Kits.passphrase()
        for at in 0..<3 {
            let file = try kits.file(at)
            let entry = file.entries[0]
            // What is sealed is the share's 32 bytes, and nothing beside them.
            #expect(entry.sealed.count == 12 + 32 + 16)
            let key = AESGCMKey(file.stretch.key(from: passphrase.bytes))
            guard
                let plain = key.open(
                    entry.sealed.dropFirst(12), nonce: Array(entry.sealed.prefix(12)))
            else { throw RecoveryFault.doesNotOpen }
            #expect(plain.withBytes { Array($0) } == kits.secrets[at])
            // Neither is any of the holder's other secrets there in clear, as bytes or spelt out.
            let info = 4 + 32 + 33 + 32 + 3 * 34
            let secrets = Array(kits.stored[at].dropFirst(info + 1)) + kits.secrets[at]
            let text = String(decoding: file.bytes, as: UTF8.self)
            let raw = Set(windows(of: file.bytes)).union(
                windows(of: Data(base64Encoded: certificate(text)).map { Array($0) } ?? []))
            for window in windows(of: secrets) where Set(window).count > 4 {
                #expect(!raw.contains(window))
            }
            for start in stride(from: 0, to: secrets.count - 24, by: 24) {
                let piece = Array(secrets[start..<start + 24])
                guard Set(piece).count > 4 else { continue }
                #expect(!text.contains(Hex.encode(piece)))
                #expect(!text.contains(Data(piece).base64EncodedString()))
            }
        }
    }

    private func windows(of bytes: [UInt8]) -> [[UInt8]] {
        (0..<max(0, bytes.count - 7)).map { Array(bytes[$0..<$0 + 8]) }
    }

    private func certificate(_ text: String) -> String {
        text.split(separator: "\"certificate\":\"").last
            .map { String($0.prefix { $0 != "\"" }) } ?? ""
    }

    @Test func `has the names and encodings of Cobo's form`() throws {
        let kits = try Kits.one.get()
        let json = try JSONDecoder().decode(JSON.self, from: Data(try kits.file(1).bytes))
        let entry = json["recovery_groups"][0]
        let (info, share) = (entry["group_info"], entry["share_info"])
        #expect(entry["version"].integer == 1 && info["type"].integer == 1)
        #expect(info["id"].text == kits.group.id.hex && info["curve"].text == "secp256k1")
        #expect(info["threshold"].integer == 2 && info["epoch"].integer == 1)
        #expect(info["root_extended_public_key"].text == kits.group.root.description)
        #expect(info["chaincode"].text == "0x" + Hex.encode(kits.group.root.chainCode))
        #expect(info["participants"].items.map { $0["share_id"].text } == ["1", "2", "3"])
        let mine = info["participants"][1]
        for name in ["node_id", "share_id", "share_public_key"] {
            #expect(share[name].text == mine[name].text)
        }
        #expect(mine["share_public_key"].text.hasPrefix("0x0"))
        #expect(Data(base64Encoded: share["encrypted_share"].text)?.count == 60)
        #expect(share["kdf"]["length"].integer == 32 && share["kdf"]["hash_type"].integer == 7)
        #expect(share["kdf"]["hash_name"].text == "SHA-512")
        #expect(share["kdf"]["salt"].text.utf8.count == 66)
    }

    @Test(arguments: [
        ("\"iterations\":10000", "\"iterations\":9999"),
        ("\"iterations\":10000", "\"iterations\":10000001"),
        ("\"iterations\":10000", "\"iterations\":1e4"),
        ("\"iterations\":10000", "\"iterations\":99999999999999999999"),
        ("\"hash_type\":7", "\"hash_type\":6"), ("\"length\":32", "\"length\":16"),
        ("SHA-512", "SHA-256"), ("\"version\":1", "\"version\":2"), ("\"type\":1", "\"type\":2"),
        ("\"threshold\":2", "\"threshold\":1"), ("\"epoch\":1", "\"epoch\":2"),
        ("\"share_id\":\"1\"", "\"share_id\":\"01\""), ("\"curve\"", "\"curse\""),
        ("\"version\":1", "\"version\":1,\"more\":1"),
        ("\"version\":1", "\"version\":1,\"version\":1"),
        ("{\"recovery_groups\"", "{\"more\":1,\"recovery_groups\""),
        ("2027-01-15T08:00:00Z", "2027-01-15T08:00:00Z and very much later than that"),
    ])
    func `of another form is refused`(this: String, that: String) throws {
        let text = String(decoding: try Kits.one.get().file(0).bytes, as: UTF8.self)
        let changed = text.replacingOccurrences(of: this, with: that)
        #expect(changed != text)
        #expect(throws: RecoveryFault.self) { try RecoveryFile(Array(changed.utf8)) }
    }

    @Test func `may be laid out by hand, in any order`() throws {
        let file = try Kits.one.get().file(0)
        let object = try JSONSerialization.jsonObject(with: Data(file.bytes))
        let pretty = try JSONSerialization.data(
            withJSONObject: object,
            options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        #expect(try RecoveryFile(Array(pretty)) == file)
    }

    @Test func `that is too large, empty or no list is refused`() throws {
        let space = [UInt8](repeating: 0x20, count: RecoveryFile.byteLimit + 1)
        for bytes in [space, [], Array("{}".utf8), Array("[]".utf8)] {
            #expect(throws: RecoveryFault.self) { try RecoveryFile(bytes) }
        }
        let text = String(decoding: try Kits.one.get().file(0).bytes, as: UTF8.self)
        let list = text.dropFirst("{\"recovery_groups\":[".count).dropLast(3)
        let none = "{\"recovery_groups\":[]}"
        let many = [String](
            repeating: String(list), count: RecoveryFile.groupsMost + 1
        ).joined(separator: ",")
        for text in [none, "{\"recovery_groups\":[\(many)]}"] {
            #expect(throws: RecoveryFault.self) { try RecoveryFile(Array(text.utf8)) }
        }
    }

    @Test func `is not made of a certificate that is forged`() throws {
        let kits = try Kits.one.get()
        for at in kits.group.certificate.indices {
            var forged = kits.group.certificate
            forged[at] ^= 1
            #expect(throws: RecoveryFault.self, "byte \(at)") {
                try RecoveryGroup(certificate: forged)
            }
        }
    }

    @Test(arguments: [
        "", "fifteen letters", " begins with a space", "ends with a space ",
        "a letter beyond \u{e9}",
        "two lines\nof a passphrase", "a tabulator\tin the midst",
        String(repeating: "a", count: Passphrase.most + 1),
    ])
    func `takes no passphrase that is short or odd`(text: String) {
        #expect(throws: RecoveryFault.self) { _ = try Kits.passphrase(text) }
    }

    @Test func `takes a passphrase with the line end of a file`() throws {
        let phrase = try Kits.passphrase()
        for end in ["\n", "\r\n"] {
            #expect(phrase.matches(try Kits.passphrase(Kits.phrase + end)))
        }
        #expect(!phrase.matches(try Kits.passphrase(Kits.phrase + "!")))
    }
}
