import Algebra
import Canonical
import Custody
import GRDB
import Intents
import KeyGroups

/// Groups as tenants know them, and requests for key shares.
extension SQLStore {
    func insert(_ group: KeyShareHolderGroup) throws {
        try run(
            """
            INSERT INTO key_share_holder_groups (id, key_vault, kind, required, created_at)
            VALUES (?, ?, ?, ?, ?)
            """,
            [
                group.id.data, group.keyVault.data, Int64(group.kind.rawValue),
                group.threshold.required, group.createdAt.milliseconds,
            ])
        try insertHolders(of: group)
    }

    private func insertHolders(of group: KeyShareHolderGroup) throws {
        for (number, holder) in group.holders.enumerated() {
            try run(
                "INSERT INTO key_share_holders VALUES (?, ?, ?, ?, ?, ?)",
                [
                    group.id.data, number, holder.identity.data, holder.name,
                    holder.kind.rawValue, holder.isSigner,
                ])
        }
    }

    func update(_ group: KeyShareHolderGroup) throws {
        try run(
            "UPDATE key_share_holder_groups SET kind = ?, deleted_at = ? WHERE id = ?",
            [Int64(group.kind.rawValue), group.deletedAt?.milliseconds, group.id.data])
        try run("DELETE FROM key_share_holders WHERE holder_group = ?", [group.id.data])
        try insertHolders(of: group)
    }

    func holderGroup(_ id: KeyShareHolderGroupID) throws -> KeyShareHolderGroup? {
        try row(
            "SELECT * FROM key_share_holder_groups WHERE id = ? AND deleted_at IS NULL", [id.data]
        ).map(holderGroup)
    }

    func holderGroups(of keyVault: KeyVaultID) throws -> [KeyShareHolderGroup] {
        try rows(
            """
            SELECT * FROM key_share_holder_groups WHERE key_vault = ? AND deleted_at IS NULL
            ORDER BY seq
            """, [keyVault.data]
        ).map(holderGroup)
    }

    func holderGroups(
        of keyVault: KeyVaultID, _ kind: GroupKind?, _ request: PageRequest
    ) throws -> Page<KeyShareHolderGroup> {
        let (select, live) = ("SELECT * FROM key_share_holder_groups", "deleted_at IS NULL")
        guard let kind else {
            return try page(
                request, select, where: "key_vault = ? AND \(live)", [keyVault.data], holderGroup)
        }
        return try page(
            request, select, where: "key_vault = ? AND \(live) AND kind = ?",
            [keyVault.data, Int64(kind.rawValue)], holderGroup)
    }

    private func holderGroup(_ row: Row) throws -> KeyShareHolderGroup {
        let id: KeyShareHolderGroupID = try row.value("id")
        let holders = try rows(
            "SELECT * FROM key_share_holders WHERE holder_group = ? ORDER BY number", [id.data]
        ).map { row in
            KeyShareHolder(
                identity: try row.value("identity"), name: row["name"],
                kind: try row.text("kind"), isSigner: row["is_signer"])
        }
        guard let kind = GroupKind(rawValue: try row.number("kind")),
            let threshold = SigningThreshold(row["required"], of: holders.count)
        else { throw row.corrupt("kind") }
        return KeyShareHolderGroup(
            id: id, keyVault: try row.value("key_vault"), kind: kind, threshold: threshold,
            holders: holders, deletedAt: row.optionalTime("deleted_at"),
            createdAt: row.time("created_at"))
    }

    func insert(_ request: KeyShareRequest) throws {
        try run(
            """
            INSERT INTO key_share_requests
                (id, key_vault, kind, target, source, dealers, note, status, created_at,
                 expires_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                request.id.text, request.keyVault.data, request.kind.rawValue,
                request.target.data, request.source?.group.data,
                request.source?.holders.flatMap(\.bytes).data, request.note,
                request.status.rawValue, request.createdAt.milliseconds,
                request.expiresAt.milliseconds,
            ])
    }

    func update(_ request: KeyShareRequest) throws {
        try run(
            "UPDATE key_share_requests SET status = ?, failure = ? WHERE id = ?",
            [request.status.rawValue, request.failure, request.id.text])
    }

    func keyShareRequest(_ id: KeyShareRequestID) throws -> KeyShareRequest? {
        try row("SELECT * FROM key_share_requests WHERE id = ?", [id.text])
            .map(Self.keyShareRequest)
    }

    func keyShareRequests(
        for target: KeyShareHolderGroupID, _ request: PageRequest
    ) throws -> Page<KeyShareRequest> {
        try page(
            request, "SELECT * FROM key_share_requests", where: "target = ?", [target.data],
            Self.keyShareRequest)
    }

    func openKeyShareRequests() throws -> [KeyShareRequest] {
        try rows(
            """
            SELECT * FROM key_share_requests
            WHERE status IN ('Confirming', 'Starting', 'Running') ORDER BY seq
            """
        ).map(Self.keyShareRequest)
    }

    private static func keyShareRequest(_ row: Row) throws -> KeyShareRequest {
        guard let id = KeyShareRequestID(text: row["id"]) else { throw row.corrupt("id") }
        let source: KeyShareHolderGroupID? = try row.optional("source")
        return KeyShareRequest(
            id: id, keyVault: try row.value("key_vault"), kind: try row.text("kind"),
            target: try row.value("target"),
            source: try source.map { .init(group: $0, holders: try keys(row, "dealers")) },
            note: row["note"], status: try row.text("status"), failure: row["failure"],
            createdAt: row.time("created_at"), expiresAt: row.time("expires_at"))
    }
}
