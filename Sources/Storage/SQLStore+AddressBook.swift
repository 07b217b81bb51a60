import Algebra
import Canonical
import Custody
import Foundation
import GRDB
import Intents

/// The address book, and what holders are told of it.
extension SQLStore {
    func insert(_ entry: AddressBookEntry) throws {
        try run(
            """
            INSERT INTO address_book
                (id, tenant, network, address, label, external_id, status, activates_at, content,
                 created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                entry.id.data, entry.tenant.data, entry.network, entry.address, entry.label,
                entry.externalID, entry.status.rawValue, entry.activatesAt.milliseconds,
                entry.content?.data, entry.createdAt.milliseconds,
            ])
    }

    func update(_ entry: AddressBookEntry) throws {
        try run(
            "UPDATE address_book SET label = ?, status = ? WHERE id = ?",
            [entry.label, entry.status.rawValue, entry.id.data])
    }

    func addressBookEntry(
        _ id: AddressBookEntryID, of tenant: TenantID
    ) throws -> AddressBookEntry? {
        try row("SELECT * FROM address_book WHERE id = ? AND tenant = ?", [id.data, tenant.data])
            .map(Self.entry)
    }

    func addressBookEntry(
        network: String, address: String, of tenant: TenantID
    ) throws -> AddressBookEntry? {
        try row(
            """
            SELECT * FROM address_book
            WHERE tenant = ? AND network = ? AND address = ? AND status <> 'Removed'
            """, [tenant.data, network, address]
        ).map(Self.entry)
    }

    func addressBookEntry(externalID: String, of tenant: TenantID) throws -> AddressBookEntry? {
        try row(
            "SELECT * FROM address_book WHERE tenant = ? AND external_id = ?",
            [tenant.data, externalID]
        ).map(Self.entry)
    }

    func addressBookEntry(_ id: AddressBookEntryID) throws -> AddressBookEntry? {
        try row("SELECT * FROM address_book WHERE id = ?", [id.data]).map(Self.entry)
    }

    func addressBook(
        of tenant: TenantID, matching filter: AddressBookFilter, _ request: PageRequest
    ) throws -> Page<AddressBookEntry> {
        var condition = SQLCondition("tenant = ?", [tenant.data])
        if let status = filter.status {
            condition.also("status = ?", [status.rawValue])
        } else {
            condition.also("status <> 'Removed'", [])
        }
        condition.isOne("network", of: filter.network.map { [$0] })
        condition.isOne("address", of: filter.address.map { [$0] })
        condition.isOne("label", of: filter.label.map { [$0] })
        return try page(
            request, "SELECT * FROM address_book", where: condition.text, condition.arguments,
            Self.entry)
    }

    func entriesToActivate(at now: Timestamp, most: Int) throws -> [AddressBookEntry] {
        try rows(
            """
            SELECT * FROM address_book WHERE status = 'Pending' AND activates_at <= ?
            ORDER BY activates_at, seq LIMIT ?
            """, [now.milliseconds, most]
        ).map(Self.entry)
    }

    private static func entry(_ row: Row) throws -> AddressBookEntry {
        AddressBookEntry(
            id: try row.value("id"), tenant: try row.value("tenant"), network: row["network"],
            address: row["address"], label: row["label"], externalID: row["external_id"],
            status: try row.text("status"), activatesAt: row.time("activates_at"),
            content: try row.optional("content"), createdAt: row.time("created_at"))
    }

    func unsignedWithdrawals(
        to address: String, of tenant: TenantID
    ) throws -> [Transaction] {
        try rows(
            """
            SELECT * FROM transactions WHERE status IN ('Submitted', 'PendingSignature')
                AND status NOT IN ('Completed', 'Failed', 'Cancelled') AND kind = 'Withdrawal'
                AND tenant = ? AND destination_address = ? ORDER BY seq
            """, [tenant.data, address]
        ).map(Self.transaction)
    }

    func put(_ notice: AddressNotice) throws {
        try run(
            """
            INSERT INTO address_notices (entry, holder, key_vault, is_told, next_offer, answer)
            VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (entry, holder, key_vault) DO UPDATE SET is_told = excluded.is_told,
                next_offer = excluded.next_offer, answer = excluded.answer
            """,
            [
                notice.entry.data, notice.holder.data, notice.keyVault.data, notice.isTold,
                notice.nextOffer.milliseconds, notice.answer,
            ])
    }

    func addNotices(
        under keyVault: KeyVaultID, for holder: IdentityPublicKey, at now: Timestamp
    ) throws {
        try run(
            """
            INSERT INTO address_notices (entry, holder, key_vault, is_told, next_offer)
            SELECT id, ?, ?, 0, ? FROM address_book
            WHERE tenant = (SELECT tenant FROM key_vaults WHERE id = ?) AND status <> 'Removed'
            ORDER BY seq
            ON CONFLICT (entry, holder, key_vault) DO NOTHING
            """, [holder.data, keyVault.data, now.milliseconds, keyVault.data])
    }

    func repeatNotices(
        under keyVault: KeyVaultID, for holder: IdentityPublicKey, at now: Timestamp
    ) throws {
        try run(
            """
            UPDATE address_notices SET is_told = 0, next_offer = ?
            WHERE holder = ? AND is_told = 1 AND key_vault = ? AND entry IN
                (SELECT id FROM address_book WHERE status <> 'Removed'
                    AND tenant = (SELECT tenant FROM key_vaults WHERE id = ?))
            """, [now.milliseconds, holder.data, keyVault.data, keyVault.data])
    }

    func hastenNotices(for holder: IdentityPublicKey, at now: Timestamp) throws {
        try run(
            """
            UPDATE address_notices SET next_offer = ?
            WHERE holder = ? AND is_told = 0 AND next_offer > ?
            """, [now.milliseconds, holder.data, now.milliseconds])
    }

    func dueNotices(
        for holder: IdentityPublicKey, at now: Timestamp, most: Int, unansweredUntil: Timestamp
    ) throws -> [AddressNotice] {
        let unanswered = try row(
            """
            SELECT count(*) AS count FROM address_notices
            WHERE holder = ? AND is_told = 0 AND next_offer > ? AND next_offer <= ?
            """, [holder.data, now.milliseconds, unansweredUntil.milliseconds])
        return try rows(
            """
            SELECT * FROM address_notices AS due
            WHERE holder = ? AND is_told = 0 AND next_offer <= ? AND NOT EXISTS (
                SELECT 1 FROM address_book AS entry
                CROSS JOIN address_book AS before CROSS JOIN address_notices AS earlier
                WHERE entry.id = due.entry AND before.tenant = entry.tenant
                    AND before.network = entry.network AND before.address = entry.address
                    AND before.seq < entry.seq AND earlier.entry = before.id
                    AND earlier.holder = due.holder AND earlier.key_vault = due.key_vault
                    AND earlier.is_told = 0)
            ORDER BY next_offer, seq LIMIT ?
            """,
            [
                holder.data, now.milliseconds, max(0, most - (unanswered?["count"] as Int? ?? 0)),
            ]
        ).map(Self.notice)
    }

    func notices(of entry: AddressBookEntryID) throws -> [AddressNotice] {
        try rows("SELECT * FROM address_notices WHERE entry = ? ORDER BY seq", [entry.data])
            .map(Self.notice)
    }

    private static func notice(_ row: Row) throws -> AddressNotice {
        AddressNotice(
            entry: try row.value("entry"), holder: try row.value("holder"),
            keyVault: try row.value("key_vault"), isTold: row["is_told"],
            nextOffer: row.time("next_offer"), answer: row["answer"])
    }

    func insert(_ announcement: AddressAnnouncement) throws {
        try run(
            """
            INSERT INTO announcements (intent, entry, key_vault, change, expires_at)
            VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
            """,
            [
                announcement.digest.data, announcement.entry.data, announcement.keyVault.data,
                Int64(announcement.change.rawValue), announcement.expiresAt.milliseconds,
            ])
    }

    func addressAnnouncement(_ intent: Digest) throws -> AddressAnnouncement? {
        try row("SELECT * FROM announcements WHERE intent = ?", [intent.data]).map { row in
            guard let change = Announcement.Change(rawValue: try row.number("change")) else {
                throw row.corrupt("change")
            }
            return AddressAnnouncement(
                digest: try row.value("intent"), entry: try row.value("entry"),
                keyVault: try row.value("key_vault"), change: change,
                expiresAt: row.time("expires_at"))
        }
    }

    func forgetAnnouncements(before: Timestamp) throws {
        try run("DELETE FROM announcements WHERE expires_at < ?", [before.milliseconds])
    }
}
