import Canonical
import Custody
import Foundation
import GRDB
import Identity
import Intents

extension SQLStore {
    func storedAnswer(_ key: String, of caller: APIKeyID) throws -> StoredAnswer? {
        try row("SELECT * FROM answers WHERE caller = ? AND key = ?", [caller.text, key]).map {
            row in
            StoredAnswer(
                fingerprint: try row.value("fingerprint"), status: row["status"],
                body: try row.bytes("body"), at: row.time("at"))
        }
    }

    func insert(_ answer: StoredAnswer, key: String, of caller: APIKeyID) throws {
        try run(
            "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)",
            [
                caller.text, key, answer.fingerprint.data, answer.status, answer.body.data,
                answer.at.milliseconds,
            ])
    }

    func claim(signature: [UInt8], of caller: APIKeyID, until: Timestamp) throws -> Bool {
        try changes(
            "INSERT INTO seen_signatures VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [caller.text, signature.data, until.milliseconds])
    }

    func claim(nonce: String, of caller: APIPublicKey, until: Timestamp) throws -> Bool {
        try changes(
            "INSERT INTO seen_nonces VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [caller.text, nonce, until.milliseconds])
    }

    func purge(answersBefore: Timestamp, signaturesBefore: Timestamp) throws {
        try run("DELETE FROM answers WHERE at < ?", [answersBefore.milliseconds])
        try run("DELETE FROM seen_signatures WHERE until < ?", [signaturesBefore.milliseconds])
        try run("DELETE FROM seen_nonces WHERE until < ?", [signaturesBefore.milliseconds])
    }
}
