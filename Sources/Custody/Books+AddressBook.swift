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
                .unknownNetwork, field: "network", "There is no enabled network '\(network)'.")
        }
        let address = try Self.checked(draft.address ?? "", field: "address")
        if let externalID = draft.externalID,
            let existing = try store.addressBookEntry(externalID: externalID, of: tenant)
        {
            guard existing.network == network, existing.address == address,
                existing.label == draft.label, existing.status == .active
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
        let entry = AddressBookEntry(
            id: newID(), tenant: tenant, network: network, address: address,
            label: draft.label ?? "", externalID: draft.externalID, status: .active,
            activatesAt: now, createdAt: now)
        try store.insert(entry)
        try record(.addressBookEntryCreated(entry), of: tenant)
        return entry
    }

    /// The address in its one spelling, or a refusal that names the field.
    static func checked(_ text: String, field: String) throws(Refusal) -> String {
        let address: EVMAddress
        do throws(EVMAddress.Malformed) {
            address = try EVMAddress(text: text)
        } catch .wrongChecksum {
            throw Refusal(
                .invalid, field: field,
                "'\(field)' has a wrong or no EIP-55 checksum: compare it with its source.")
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

    public func addressBookEntry(
        _ id: AddressBookEntryID, of tenant: TenantID
    ) throws -> AddressBookEntry {
        guard let entry = try store.addressBookEntry(id, of: tenant), entry.status != .removed
        else { throw Refusal.notFound("address-book entry") }
        return entry
    }

    public func relabel(
        _ id: AddressBookEntryID, _ label: String?, of tenant: TenantID
    ) throws -> AddressBookEntry {
        var validation = Validation()
        validation.text("label", label, most: AddressBookEntry.labelMost)
        try validation.finish()
        var entry = try addressBookEntry(id, of: tenant)
        entry.label = label ?? entry.label
        try store.update(entry)
        return entry
    }

    /// Removes an entry: no withdrawal is accepted for it from now on. One that was accepted before
    /// goes on.
    public func removeAddress(_ id: AddressBookEntryID, of tenant: TenantID) throws {
        var entry = try addressBookEntry(id, of: tenant)
        entry.status = .removed
        try store.update(entry)
        try record(.addressBookEntryDeleted(entry), of: tenant)
    }
}
