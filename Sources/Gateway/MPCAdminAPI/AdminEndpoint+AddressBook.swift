import Canonical
import Chains
import Custody
import HTTPTypes
import Identity
import Intents

extension AdminEndpoint {
    private static let entry = "address_books/{entry_id}"

    static let addressBook: [AdminEndpoint] = [
        .list(
            "list_address_books", "address_books", .addressBookRead,
            query: ["chain_id", "address", "label"]
        ) { call in
            let filter = AddressBookFilter(
                network: try call.value("chain_id").map { try call.chain(named: $0).text },
                address: try call.value("address"), label: try call.value("label"))
            return try call.list(
                call.books.store.addressBook(of: call.tenant, matching: filter, call.page()),
                call.show)
        },
        .change(
            .post, "create_address_books", "address_books", .addressBookCreate
        ) { call in
            let drafts = try call.entryDrafts()
            let entries = try drafts.map { try call.books.addAddress($0, for: call.tenant) }
            return .object(["data": .array(try entries.map(call.show))])
        },
        .get("get_address_book_by_id", entry, .addressBookRead) { call in
            // Its form has no member that would say that it was removed.
            try call.show(call.books.standingEntry(call.entry, of: call.tenant))
        },
        .change(.put, "update_address_book_by_id", entry, .addressBookUpdate) { call in
            var fields = try call.fields("chain_ids", "label")
            let chains = fields.list("chain_ids", "a chain's id") { $0 }
            let label = fields.string("label")
            try fields.finish()
            let entry = try call.books.addressBookEntry(call.entry, of: call.tenant)
            let asked = try call.required("chain_ids", chains).map {
                try call.chain(named: $0).text
            }
            guard asked == [entry.network] else {
                throw AdminProblem.unsupported("An entry's move to another chain")
            }
            return try call.show(
                call.books.relabel(entry.id, label ?? entry.label, of: call.tenant))
        },
        .change(
            .post, "delete_address_book_by_id", entry + "/delete", .addressBookDelete
        ) { call in
            try call.books.removeAddress(call.entry, of: call.tenant)
            return .object(["submitted": .bool(true)])
        },
    ]
}

extension AdminCall {
    /// Most entries that are made at once, each on so many chains.
    private static let entriesMost = 50
    private static let chainsMost = 10

    fileprivate var entry: AddressBookEntryID {
        get throws { try id("entry_id", "address-book entry") }
    }

    /// An entry of ours is on one chain; one on several becomes as many.
    fileprivate func entryDrafts() throws -> [AddressBookDraft] {
        var fields = try self.fields("address_books")
        let books = fields.objects(
            "address_books", most: Self.entriesMost, knowing: "chain_ids", "address", "label"
        ) { entry in
            (
                chains: entry.list("chain_ids", "a chain's id") { $0 },
                address: entry.string("address"), label: entry.string("label")
            )
        }
        try fields.finish()
        return try required("address_books", books).flatMap { entry in
            let chains = try required("chain_ids", entry.chains)
            guard (1...Self.chainsMost).contains(chains.count) else {
                throw AdminProblem(
                    .badValue, "'chain_ids' has 1 to \(Self.chainsMost) chains.")
            }
            let address = try required("address", entry.address)
            return try chains.map { name in
                AddressBookDraft(
                    network: try chain(named: name).text, address: address, tag: nil,
                    label: entry.label ?? address, externalID: nil)
            }
        }
    }

    fileprivate func show(_ entry: AddressBookEntry) throws -> JSONValue {
        let chain = settings.chains.first { $0.text == entry.network }
        return .object([
            "org_id": .string(entry.tenant.text), "entry_id": .string(entry.id.text),
            "address": .string(entry.address), "label": .string(entry.label),
            "chain_ids": .array(chain.map { [.string(CustodySettings.name(of: $0))] } ?? []),
        ])
    }
}
