import Canonical
import GRDB
import Holder

/// What event servers are to be told.
extension HolderDatabase {
    public func keep(_ event: HolderEvent, for server: Digest, most: Int) throws -> Int {
        try run(
            """
            INSERT INTO events (server, id, subject, package) VALUES (?, ?, ?, ?)
            ON CONFLICT DO NOTHING
            """, [server.data, event.id, event.subject.data, event.package.data])
        let displaced = try rows(
            "SELECT number FROM events WHERE server = ? ORDER BY number DESC LIMIT -1 OFFSET ?",
            [server.data, most])
        for row in displaced {
            try run("DELETE FROM events WHERE number = ?", [row["number"] as Int64])
        }
        return displaced.count
    }

    public func oldestEvent(for server: Digest) throws -> HolderEvent? {
        try row(
            "SELECT id, subject, package FROM events WHERE server = ? ORDER BY number LIMIT 1",
            [server.data]
        ).map { row in
            guard let subject = Digest(try row.required("subject")) else {
                throw Corrupt(description: "a row of events does not decode")
            }
            return HolderEvent(
                id: row["id"], subject: subject, package: try row.required("package"))
        }
    }

    public func dropEvent(_ id: String, for server: Digest) throws {
        try run("DELETE FROM events WHERE server = ? AND id = ?", [server.data, id])
    }

    public func dropEvents(exceptFor servers: Set<Digest>) throws {
        for row in try rows("SELECT DISTINCT server FROM events") {
            let bytes = try row.required("server")
            guard Digest(bytes).map({ !servers.contains($0) }) ?? true else { continue }
            try run("DELETE FROM events WHERE server = ?", [bytes.data])
        }
    }

    public func told(of subject: Digest) throws -> HolderEvent.Status? {
        try row("SELECT status FROM told WHERE subject = ?", [subject.data]).map { row in
            guard let number = UInt16(exactly: try row.number("status")),
                let status = HolderEvent.Status(rawValue: number)
            else { throw Corrupt(description: "a row of told does not decode") }
            return status
        }
    }

    public func setTold(
        _ status: HolderEvent.Status, of subject: Digest, expires: UInt64
    ) throws {
        try run(
            """
            INSERT INTO told VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET status = excluded.status
            """, [subject.data, Int64(status.rawValue), Int64(clamping: expires)])
    }

    public func forgetTold(expiredBefore time: UInt64) throws {
        try run(
            """
            DELETE FROM told WHERE subject IN (
                SELECT subject FROM told WHERE expires < ?
                AND NOT EXISTS (
                    SELECT 1 FROM keys
                    WHERE intent = subject AND state IN ('pending', 'certified'))
                AND NOT EXISTS (
                    SELECT 1 FROM intents WHERE digest = subject AND state <> 'closed'
                    AND NOT EXISTS (SELECT 1 FROM last_messages WHERE intent = digest)
                    AND NOT EXISTS (SELECT 1 FROM keys WHERE intent = digest))
                LIMIT 1000)
            """, [Int64(clamping: time)])
    }
}
