import Canonical
import Chains
import Intents

/// What a caller says of a new address-book entry.
public struct AddressBookDraft: Sendable {
    public let network: String?
    public let address: String?
    public let tag: String?
    public let label: String?
    public let externalID: String?

    public init(
        network: String?, address: String?, tag: String?, label: String?, externalID: String?
    ) {
        self.network = network
        self.address = address
        self.tag = tag
        self.label = label
        self.externalID = externalID
    }
}

/// The outside addresses that a tenant's withdrawals may go to.
extension Books {
    public func addAddress(
        _ draft: AddressBookDraft, for tenant: TenantID
    ) throws -> AddressBookEntry {
        var validation = Validation()
        validation.text("network", draft.network, most: 64)
        validation.text("address", draft.address, most: 128)
        validation.text("label", draft.label, most: AddressBookEntry.labelMost)
        validation.text(
            "externalId", draft.externalID, most: Transaction.externalIDMost, required: false)
        if draft.tag != nil {
            validation.reject("tag", "Addresses of this network have no tag.")
        }
        try validation.finish()
        let network = draft.network ?? ""
        guard settings.assets.contains(where: { $0.asset.chain.text == network }) else {
            throw Refusal(
                .unknownNetwork, field: "network",
                "There is no network '\(network)' here; there are \(settings.networkNames).")
        }
        let address = try Self.checked(draft.address ?? "", field: "address")
        let content = Digest.content([network, address, draft.label ?? ""])
        if let externalID = draft.externalID,
            let existing = try store.addressBookEntry(externalID: externalID, of: tenant)
        {
            let isSame =
                existing.network == network && existing.address == address
                && existing.label == draft.label
            guard existing.content.map({ $0 == content }) ?? isSame, existing.status != .removed
            else {
                throw Refusal(
                    .externalIDReused, field: "externalId",
                    "Another entry has the external id '\(externalID)'.")
            }
            return existing
        }
        guard try store.addressBookEntry(network: network, address: address, of: tenant) == nil
        else {
            throw Refusal(
                .addressExists, field: "address", "The address book has this address already.")
        }
        let cooling = try store.tenant(tenant)?.coolingSeconds ?? 0
        let entry = AddressBookEntry(
            id: newID(), tenant: tenant, network: network, address: address,
            label: draft.label ?? "", externalID: draft.externalID,
            status: cooling == 0 ? .active : .pending, activatesAt: now.adding(seconds: cooling),
            content: content, createdAt: now)
        try store.insert(entry)
        try tellHolders(of: entry)
        try record(.addressBookEntryCreated(entry), of: tenant)
        return entry
    }

    /// The address in its one spelling, or a refusal that names the field.
    static func checked(_ text: String, field: String) throws(Refusal) -> String {
        let address: EVMAddress
        do throws(EVMAddress.Malformed) {
            address = try EVMAddress(text: text)
        } catch .wrongChecksum {
            let digits = text.dropFirst(2)
            let hasNone = [digits.lowercased(), digits.uppercased()].contains(String(digits))
            throw Refusal(
                .invalid, field: field,
                hasNone
                    ? "'\(field)' has no EIP-55 checksum, without which a wrong digit is not seen: "
                        + "ask its owner for the form with small and capital letters."
                    : "'\(field)' has a wrong EIP-55 checksum: compare it with its source.")
        } catch {
            throw Refusal(
                .invalid, field: field,
                "'\(field)' is no address of this network (0x and 40 hexadecimal digits).")
        }
        guard address.bytes.contains(where: { $0 != 0 }) else {
            throw Refusal(
                .invalid, field: field,
                "'\(field)' is the zero address: what is sent there is lost.")
        }
        return address.text
    }

    /// - Parameter field: what names the entry, where a request names more than one thing.
    public func addressBookEntry(
        _ id: AddressBookEntryID, of tenant: TenantID, field: String? = nil
    ) throws -> AddressBookEntry {
        guard let entry = try store.addressBookEntry(id, of: tenant) else {
            throw Refusal.notFound("address-book entry", field: field)
        }
        return entry
    }

    /// An entry that was not removed.
    public func standingEntry(
        _ id: AddressBookEntryID, of tenant: TenantID
    ) throws -> AddressBookEntry {
        let entry = try addressBookEntry(id, of: tenant)
        guard entry.status != .removed else { throw Refusal.notFound("address-book entry") }
        return entry
    }

    /// Refuses an entry that is not there, was removed, or still cools.
    func mustBeActive(_ found: AddressBookEntry?, field: String) throws {
        guard let entry = found, entry.status != .removed else {
            throw Refusal(
                .notInAddressBook, field: field,
                "The address is not in the address book: add it there first.")
        }
        guard entry.status == .pending else { return }
        guard entry.activatesAt <= now else {
            throw Refusal(
                .notInAddressBook, field: field,
                "The address is in its cooling period and becomes active at "
                    + "\(entry.activatesAt.text).")
        }
        try activate(entry)
    }

    /// Whether the cooling of an entry is over that is still Pending.
    public func hasEntriesToActivate() throws -> Bool {
        try !store.entriesToActivate(at: now, most: 1).isEmpty
    }

    /// Ends the cooling of entries whose time has come, of so many at once.
    public func activateEntries() throws {
        for entry in try store.entriesToActivate(at: now, most: Self.activationsMost) {
            try activate(entry)
        }
    }

    private static let activationsMost = 200

    private func activate(_ pending: AddressBookEntry) throws {
        var entry = pending
        entry.status = .active
        try store.update(entry)
        try record(.addressBookEntryActivated(entry), of: entry.tenant)
    }

    public func relabel(
        _ id: AddressBookEntryID, _ label: String?, of tenant: TenantID
    ) throws -> AddressBookEntry {
        var validation = Validation()
        validation.text("label", label, most: AddressBookEntry.labelMost)
        try validation.finish()
        var entry = try standingEntry(id, of: tenant)
        entry.label = label ?? entry.label
        try store.update(entry)
        return entry
    }

    /// Removes an entry, while it cools or later: no withdrawal is accepted for it from now on, and
    /// one that was accepted ends unless it is signed.
    public func removeAddress(_ id: AddressBookEntryID, of tenant: TenantID) throws {
        var entry = try standingEntry(id, of: tenant)
        entry.status = .removed
        try store.update(entry)
        try tellHolders(of: entry)
        try record(.addressBookEntryDeleted(entry), of: tenant)
        for var withdrawal in try store.unsignedWithdrawals(to: entry.address, of: tenant)
        where settings.asset(withdrawal.asset)?.asset.chain.text == entry.network {
            guard try !mayBeSigned(withdrawal) else { continue }
            _ = try stop(&withdrawal, because: Self.addressRemoved)
        }
    }

    static let addressRemoved = Failure(
        .addressRemoved, "Its destination was removed from the address book before it was signed.")
}
