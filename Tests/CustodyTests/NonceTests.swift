import Custody
import Foundation
import GRDB
import Identity
import Testing

@testable import Storage

@Suite struct `Nonces that are no times` {
    /// A database as it was before they were counted.
    @Test func `that were used before they were counted count too`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "quorumkeep-migration-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appending(path: "platform.sqlite").path
        let queue = try DatabaseQueue(path: path)
        try Schema.migrator.migrate(queue, upTo: "callbacks")
        let keys = [
            "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737",
            "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
        ]
        try await queue.write { db in
            try db.execute(
                sql: """
                    INSERT INTO tenants (id, name, environment, created_at) VALUES (x'01', 'T', 1, 1)
                    """)
            for key in keys {
                try db.execute(
                    sql: """
                        INSERT INTO public_api_keys (id, tenant, name, permissions, created_at)
                        VALUES (?, x'01', 'k', '', 1)
                        """, arguments: [key])
            }
            for (nonce, until) in [("a", Int64.max), ("b", .max), ("1795219370468", 5)] {
                try db.execute(
                    sql: "INSERT INTO seen_nonces VALUES (?, ?, ?)",
                    arguments: [keys[0], nonce, until])
            }
        }
        try queue.close()
        let ids = try keys.map { try #require(APIPublicKey(text: $0)) }
        let counts = try await PlatformDatabase(path: path).write { store in
            try ids.map { try store.countWord(of: $0) }
        }
        #expect(counts == [3, 1])
    }
}
